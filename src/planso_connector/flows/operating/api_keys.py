"""API keys: made, listed, revoked, given a new secret. One write transaction each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from planso_connector.domain import caller, values
from planso_connector.domain.caller import Scope
from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import NotFound
from planso_connector.store import api_keys
from planso_connector.store.api_keys import ApiKey
from planso_connector.store.engine.database import Database, Transaction


class ApiKeys:
    """The API keys of one workshop."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, name: str, scopes: Iterable[Scope], expires_in: timedelta | None) -> tuple[ApiKey, str]:
        """The key, and its text, which is not kept and can't be shown again. Raises ValueError for a name of none."""
        name = values.check_text(name.strip(), line_breaks=False)
        if not 1 <= len(name) <= 100:
            raise ValueError("a key's name has 1 to 100 characters")
        now, secret = self._clock(), caller.generate_secret()
        key = ApiKey(
            id=caller.generate_key_id(),
            name=name,
            scopes=frozenset(scopes),
            digest=caller.hash_secret(secret),
            created_at=format_instant(now),
            expires_at=format_instant(now + expires_in) if expires_in is not None else None,
        )
        await self._database.write(lambda tx: api_keys.add(tx, key))
        return key, caller.format_key(key.id, secret)

    async def list_all(self) -> Sequence[ApiKey]:
        return await self._database.read(lambda tx: api_keys.list_all(tx))

    async def has_any(self) -> bool:
        """Whether there ever was one."""
        return await self._database.read(lambda tx: api_keys.has_any(tx))

    async def revoke(self, key_id: str) -> ApiKey:
        """From here on it is refused, also by other processes. Raises NotFound; a revoked one stays as it is."""
        now = format_instant(self._clock())

        def work(tx: Transaction) -> ApiKey:
            api_keys.revoke(tx, key_id, now=now)
            return self._existing(tx, key_id)

        return await self._database.write(work)

    async def rotate(
        self, key_id: str, *, overlap: timedelta = timedelta(0), expires_in: timedelta | None = None
    ) -> tuple[ApiKey, str]:
        """
        The key with a new secret, and its new text. The secret before is valid for `overlap` more. `expires_in` from
        now, None for the expiry that it has. Raises NotFound, also for a revoked one.
        """
        now, secret = self._clock(), caller.generate_secret()

        def work(tx: Transaction) -> ApiKey:
            key = self._existing(tx, key_id)
            done = api_keys.rotate(
                tx,
                key_id,
                digest=caller.hash_secret(secret),
                previous_until=format_instant(now + overlap),
                expires_at=format_instant(now + expires_in) if expires_in is not None else key.expires_at,
            )
            if not done:
                raise NotFound(f"Key {key_id} was revoked; make a new one.")
            return self._existing(tx, key_id)

        return await self._database.write(work), caller.format_key(key_id, secret)

    def _existing(self, tx: Transaction, key_id: str) -> ApiKey:
        found = api_keys.get(tx, key_id)
        if found is None:
            raise NotFound(
                f"There is no key {key_id} in the workshop '{self._database.workshop}'; `keys list` shows them."
            )
        return found
