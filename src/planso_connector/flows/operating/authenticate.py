"""Authenticate: who calls, by the API key that came. One read transaction; none while nobody has written since."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from planso_connector.domain import caller
from planso_connector.domain.caller import Caller
from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import NotAuthenticated, StoreUnavailable
from planso_connector.store import api_keys
from planso_connector.store.api_keys import ApiKey
from planso_connector.store.engine.database import Database, Transaction

T = TypeVar("T")

_NEEDED = "An API key is needed: `Authorization: Bearer pc_...` or `X-API-Key: pc_...`."
_NOT_VALID = "The API key is not valid."
_NOBODYS = caller.hash_secret("")
"""What a secret is compared with where there is no such key: one comparison is made whatever came."""

MAX_CACHED_KEYS = 1000

MONITORING_TIMEOUT = 0.3
"""Seconds that the database is waited for where readiness or metrics are asked for."""
STALE_KEY_LIFETIME = 3600.0
"""Seconds for which a key that was read counts for those, while the database can't be read."""


class Authenticator:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._mark: int | None = None
        self._held: dict[str, ApiKey] = {}
        self._any: bool | None = None
        self._lately: dict[str, tuple[ApiKey, float]] = {}
        self._any_lately: tuple[bool, float] | None = None

    @property
    def mark(self) -> int | None:
        """The database's, as it was when a caller was asked about last; None where it could not be told."""
        return self._mark

    async def authenticate(self, given: str | None, *, watches: bool = False) -> Caller | None:
        """
        Whose key it is. None: nobody gave one, and there is none yet. Raises NotAuthenticated: for a wrong id, a wrong
        secret and another workshop's key in the same words; that it is revoked or expired learns who has the secret.

        Who `watches` over the connector is recognised while the database does not answer, by what it said lately.
        """
        if given is None:
            if await self._is_any(watches=watches):
                raise NotAuthenticated(_NEEDED)
            return None
        parts = caller.parse_key(given)
        if parts is None:
            raise NotAuthenticated(_NOT_VALID, given=True)
        key_id, secret = parts
        return self._checked(await self._key(key_id, watches=watches), caller.hash_secret(secret))

    async def _is_any(self, *, watches: bool) -> bool:
        mark = self._renewed()
        if self._any is None:
            try:
                found = await self._read(lambda tx: api_keys.has_any(tx), watches=watches)
            except StoreUnavailable:
                if watches and self._any_lately is not None and _is_lately(self._any_lately[1]):
                    return self._any_lately[0]
                raise
            self._any_lately = found, monotonic()
            if mark is None or mark != self._mark:
                return found
            self._any = found
        return self._any

    async def _key(self, key_id: str, *, watches: bool) -> ApiKey | None:
        mark = self._renewed()
        if key_id in self._held:
            return self._held[key_id]
        try:
            found = await self._read(lambda tx: api_keys.get(tx, key_id), watches=watches)
        except StoreUnavailable:
            if watches and key_id in self._lately and _is_lately(self._lately[key_id][1]):
                return self._lately[key_id][0]
            raise
        self._lately.pop(key_id, None)
        if found is not None:
            self._any_lately = True, monotonic()
            if len(self._lately) < MAX_CACHED_KEYS:
                self._lately[key_id] = found, monotonic()
        if mark is not None and mark == self._mark and found is not None and len(self._held) < MAX_CACHED_KEYS:
            self._held[key_id] = found
        return found

    async def _read(self, work: Callable[[Transaction], T], *, watches: bool) -> T:
        return await (
            self._database.read_with_priority(work, MONITORING_TIMEOUT) if watches else self._database.read(work)
        )

    def _renewed(self) -> int | None:
        """What is held is of the database as it is now. So a key that another process revokes is refused at once."""
        mark = self._database.data_version()
        if mark is None or mark != self._mark:
            self._mark = mark
            self._held.clear()
            self._any = None
        return mark

    def _checked(self, key: ApiKey | None, digest: str) -> Caller:
        now = format_instant(self._clock())
        is_own = caller.is_same_digest(key.digest if key is not None else _NOBODYS, digest)
        is_previous = caller.is_same_digest((key.previous_digest if key is not None else None) or _NOBODYS, digest)
        if key is not None and is_previous and not is_own:
            is_own = key.previous_until is not None and now < key.previous_until
        if key is None or not is_own:
            raise NotAuthenticated(_NOT_VALID, given=True)
        if key.revoked_at is not None:
            raise NotAuthenticated("This API key was revoked.", given=True)
        if key.expires_at is not None and key.expires_at <= now:
            raise NotAuthenticated(f"This API key expired on {key.expires_at[:10]}.", given=True)
        return Caller(key.id, key.name, key.scopes)


def _is_lately(at: float) -> bool:
    return monotonic() - at < STALE_KEY_LIFETIME
