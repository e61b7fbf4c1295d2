"""Authenticate: who calls, by the API key that came. One read transaction for each request."""

from __future__ import annotations

from planso_connector.domain import caller
from planso_connector.domain.caller import Caller
from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import NotAuthenticated
from planso_connector.store import keys
from planso_connector.store.engine import Database, Transaction
from planso_connector.store.keys import Key

_NEEDED = "An API key is needed: `Authorization: Bearer pc_...` or `X-API-Key: pc_...`."
_NOT_VALID = "The API key is not valid."
_NOBODYS = caller.digest("")
"""What a secret is compared with where there is no such key: one comparison is made whatever came."""


class Authentication:
    def __init__(self, database: Database, workshop: str, clock: Clock) -> None:
        self._database = database
        self._workshop = workshop
        self._clock = clock

    async def caller(self, given: str | None) -> Caller | None:
        """
        Whose key it is. None: nobody gave one, and there is none yet. Raises NotAuthenticated: for a wrong id, a wrong
        secret and another workshop's key in the same words; that it is revoked or expired learns who has the secret.
        """
        if given is None:
            if await self._database.read(lambda tx: keys.is_any(tx, self._workshop)):
                raise NotAuthenticated(_NEEDED)
            return None
        parts = caller.taken_apart(given)
        if parts is None:
            raise NotAuthenticated(_NOT_VALID, given=True)
        key_id, secret = parts

        def work(tx: Transaction) -> Key | None:
            return keys.get(tx, self._workshop, key_id)

        return self._checked(await self._database.read(work), caller.digest(secret))

    def _checked(self, key: Key | None, digest: str) -> Caller:
        now = stamp(self._clock())
        is_own = caller.is_same(key.digest if key is not None else _NOBODYS, digest)
        is_previous = caller.is_same((key.previous_digest if key is not None else None) or _NOBODYS, digest)
        if key is not None and is_previous and not is_own:
            is_own = key.previous_until is not None and now < key.previous_until
        if key is None or not is_own:
            raise NotAuthenticated(_NOT_VALID, given=True)
        if key.revoked_at is not None:
            raise NotAuthenticated("This API key was revoked.", given=True)
        if key.expires_at is not None and key.expires_at <= now:
            raise NotAuthenticated(f"This API key expired on {key.expires_at[:10]}.", given=True)
        return Caller(key.id, key.name, key.scopes)
