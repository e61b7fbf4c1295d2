"""API keys: made, listed, revoked, given a new secret. One write transaction each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from planso_connector.domain import caller, values
from planso_connector.domain.caller import Scope
from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import NotFound
from planso_connector.store import api_keys
from planso_connector.store.api_keys import Key
from planso_connector.store.engine.database import Database, Transaction


class Keys:
    """The API keys of one workshop."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, name: str, scopes: Iterable[Scope], expires_in: timedelta | None) -> tuple[Key, str]:
        """The key, and its text, which is not kept and can't be shown again. Raises ValueError for a name of none."""
        name = values.checked_text(name.strip(), line_breaks=False)
        if not 1 <= len(name) <= 100:
            raise ValueError("a key's name has 1 to 100 characters")
        now, secret = self._clock(), caller.new_secret()
        key = Key(
            id=caller.new_key_id(),
            name=name,
            scopes=frozenset(scopes),
            digest=caller.digest(secret),
            created_at=stamp(now),
            expires_at=stamp(now + expires_in) if expires_in is not None else None,
        )
        await self._database.write(lambda tx: api_keys.add(tx, key))
        return key, caller.written(key.id, secret)

    async def all(self) -> Sequence[Key]:
        return await self._database.read(lambda tx: api_keys.all(tx))

    async def is_any(self) -> bool:
        """Whether there ever was one."""
        return await self._database.read(lambda tx: api_keys.is_any(tx))

    async def revoke(self, key_id: str) -> Key:
        """From here on it is refused, also by other processes. Raises NotFound; a revoked one stays as it is."""
        now = stamp(self._clock())

        def work(tx: Transaction) -> Key:
            api_keys.revoke(tx, key_id, now=now)
            return self._existing(tx, key_id)

        return await self._database.write(work)

    async def rotate(
        self, key_id: str, *, overlap: timedelta = timedelta(0), expires_in: timedelta | None = None
    ) -> tuple[Key, str]:
        """
        The key with a new secret, and its new text. The secret before is valid for `overlap` more. `expires_in` from
        now, None for the expiry that it has. Raises NotFound, also for a revoked one.
        """
        now, secret = self._clock(), caller.new_secret()

        def work(tx: Transaction) -> Key:
            key = self._existing(tx, key_id)
            done = api_keys.rotate(
                tx,
                key_id,
                digest=caller.digest(secret),
                previous_until=stamp(now + overlap),
                expires_at=stamp(now + expires_in) if expires_in is not None else key.expires_at,
            )
            if not done:
                raise NotFound(f"Key {key_id} was revoked; make a new one.")
            return self._existing(tx, key_id)

        return await self._database.write(work), caller.written(key_id, secret)

    def _existing(self, tx: Transaction, key_id: str) -> Key:
        found = api_keys.get(tx, key_id)
        if found is None:
            raise NotFound(
                f"There is no key {key_id} in the workshop '{self._database.workshop}'; `keys list` shows them."
            )
        return found
