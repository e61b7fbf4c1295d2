"""Create, list, revoke and rotate API keys; one write transaction each."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from planso_connector.domain import caller, values
from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import NotFound
from planso_connector.domain.scopes import Scope
from planso_connector.store import api_keys
from planso_connector.store.api_keys import ApiKey
from planso_connector.store.engine.database import Database, Transaction


class ApiKeys:
    """The API keys of one workshop."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, name: str, scopes: Iterable[Scope], expires_in: timedelta | None) -> tuple[ApiKey, str]:
        """Returns the key and its text, which is not stored anywhere. Raises ValueError for a bad name."""
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
        """Whether there ever was a key."""
        return await self._database.read(lambda tx: api_keys.has_any(tx))

    async def revoke(self, key_id: str) -> ApiKey:
        """Revoke at once, for other processes too; a revoked one stays as it is. Raises NotFound."""
        now = format_instant(self._clock())

        def work(tx: Transaction) -> ApiKey:
            api_keys.revoke(tx, key_id, now=now)
            return self._get(tx, key_id)

        return await self._database.write(work)

    async def rotate(
        self, key_id: str, *, overlap: timedelta = timedelta(0), expires_in: timedelta | None = None
    ) -> tuple[ApiKey, str]:
        """
        Give a key a new secret; returns the key and its new text. The previous secret stays valid for `overlap`.
        `expires_in` from now; None keeps the expiry. Raises NotFound, also for a revoked key.
        """
        now, secret = self._clock(), caller.generate_secret()

        def work(tx: Transaction) -> ApiKey:
            key = self._get(tx, key_id)
            done = api_keys.rotate(
                tx,
                key_id,
                digest=caller.hash_secret(secret),
                previous_until=format_instant(now + overlap),
                expires_at=format_instant(now + expires_in) if expires_in is not None else key.expires_at,
            )
            if not done:
                raise NotFound(f"Key {key_id} was revoked; make a new one.")
            return self._get(tx, key_id)

        return await self._database.write(work), caller.format_key(key_id, secret)

    def _get(self, tx: Transaction, key_id: str) -> ApiKey:
        found = api_keys.get(tx, key_id)
        if found is None:
            raise NotFound(
                f"There is no key {key_id} in the workshop '{self._database.workshop}'; `keys list` shows them."
            )
        return found
