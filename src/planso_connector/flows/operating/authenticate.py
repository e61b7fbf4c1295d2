"""Authenticate a caller by API key. One read transaction; none while nobody has written to the database since."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import monotonic

from planso_connector.domain import caller
from planso_connector.domain.caller import Caller
from planso_connector.domain.clock import Clock, Instant, format_instant, parse_instant
from planso_connector.domain.errors import ConnectorError, NotAuthenticated, StoreUnavailable
from planso_connector.store import api_keys
from planso_connector.store.api_keys import ApiKey
from planso_connector.store.engine.database import Database, ReadLater, Transaction

_KEY_REQUIRED = "An API key is needed: `Authorization: Bearer pc_...` or `X-API-Key: pc_...`."
NOT_VALID = "The API key is not valid."
_NO_DIGEST = caller.hash_secret("")
_NO_KEY = ApiKey("", "", frozenset(), _NO_DIGEST, format_instant(datetime.now(UTC)))
"""Compared with if there is no such key."""

MAX_CACHED_KEYS = 1000

MONITORING_TIMEOUT = 0.3
"""Seconds to wait for the database for readiness and metrics."""
STALE_KEY_LIFETIME = 3600.0
"""Seconds for which readiness and metrics accept a key read earlier, while the database can't be read."""

_Found = tuple[ApiKey, ...] | bool
"""The keys of an id, of all workshops; or whether there are keys."""

_ANY_KEY = ""
"""The id under which is cached whether there are keys at all."""


class Authenticator:
    """`database` is the installation's; callers without a key are of the workshop `default`."""

    def __init__(self, database: Database, default: str, clock: Clock) -> None:
        self._database = database
        self._default = database.for_workshop(default)
        self._clock = clock
        self._data_version: int | None = None
        self._cached: dict[str, _Found] = {}
        """By key id; valid as long as the database's data version stays."""
        self._verified: dict[bytes, tuple[Caller, datetime | None]] = {}
        """By a key's SHA-256: its caller, and until when the key is valid. Valid as `_cached` is."""
        self._last_read: dict[str, tuple[_Found, float]] = {}

    @property
    def data_version(self) -> int | None:
        """The database's data version at the last authentication; None if it is unknown."""
        return self._data_version

    def recall(self, key: str) -> Caller | None:
        """At once, the caller of a key of an id that was accepted before; None where `authenticate` has to look."""
        version = self._database.data_version()
        if version is None:
            return None
        digest = _digest(key)
        if version != self._data_version:
            self._forget(version)
        if digest not in self._verified and not self._look_again(key):
            return None
        caller, valid_until = self._verified.get(digest, (None, None))
        return None if valid_until is not None and valid_until <= self._clock() else caller

    def _look_again(self, key: str) -> bool:
        """
        Read a key once more after a commit; False where that can't be done at once, or `authenticate` has to refuse it.
        """
        parts = caller.parse_key(key)
        if parts is None or not self._last_read.get(parts[0], (False, 0.0))[0]:
            return False
        try:
            found = self._database.read_now(lambda tx: api_keys.find(tx, parts[0]))
            self._keep(parts[0], found, self._data_version)
            self._accept(key, parts, found)
        except (ReadLater, ConnectorError):
            return False
        return True

    def _accept(self, key: str, parts: tuple[str, str], found: _Found) -> Caller:
        """Raises NotAuthenticated. `parts`: the key's."""
        key_id, secret = parts
        verified = self._verify(found if isinstance(found, tuple) else (), caller.hash_secret(secret))
        if key_id in self._cached:
            self._verified[_digest(key)] = verified
        return verified[0]

    def _forget(self, version: int | None) -> None:
        """What was read before is not known to be current any more."""
        self._data_version = version
        self._cached.clear()
        self._verified.clear()

    async def authenticate(self, key: str | None, *, is_monitoring: bool = False) -> Caller | None:
        """
        The caller of this key; None without one, while the default workshop has no keys. Raises NotAuthenticated; that
        a key was revoked or expired is said only to who has its secret.

        With `is_monitoring` the key may be one read earlier, while the database does not answer.
        """
        if key is None:
            if await self._read(_ANY_KEY, self._default, api_keys.has_any, is_monitoring=is_monitoring):
                raise NotAuthenticated(_KEY_REQUIRED)
            return None
        parts = caller.parse_key(key)
        if parts is None:
            raise NotAuthenticated(NOT_VALID, given=True)
        key_id, _ = parts
        found = await self._read(
            key_id, self._database, lambda tx: api_keys.find(tx, key_id), is_monitoring=is_monitoring
        )
        return self._accept(key, parts, found)

    async def _read(
        self, key_id: str, database: Database, query: Callable[[Transaction], _Found], *, is_monitoring: bool
    ) -> _Found:
        version = self._database.data_version()
        if version is None or version != self._data_version:  # another process may have revoked a key
            self._forget(version)
        if key_id in self._cached:
            return self._cached[key_id]
        last = self._last_read.get(key_id)
        try:
            if is_monitoring:
                found = await database.read_with_priority(query, MONITORING_TIMEOUT)
            else:
                found = await database.read_briefly(query)
        except StoreUnavailable:
            if is_monitoring and last is not None and monotonic() - last[1] < STALE_KEY_LIFETIME:
                return last[0]
            raise
        self._keep(key_id, found, version)
        return found

    def _keep(self, key_id: str, found: _Found, version: int | None) -> None:
        """`version`: of the database, before it was read."""
        self._last_read.pop(key_id, None)
        if found == ():  # no such key: kept ones would be as many as anybody tries
            return
        if len(self._last_read) < MAX_CACHED_KEYS:
            self._last_read[key_id] = found, monotonic()
        if isinstance(found, tuple) and any(key.workshop == self._default.workshop for key in found):
            self._last_read[_ANY_KEY] = True, monotonic()
        if version is not None and version == self._data_version and len(self._cached) < MAX_CACHED_KEYS:
            self._cached[key_id] = found

    def _verify(self, keys: Sequence[ApiKey], digest: str) -> tuple[Caller, datetime | None]:
        """The caller, and until when this secret of the key is valid; None: until somebody changes that."""
        now = format_instant(self._clock())
        if not keys:  # the same work, so that the time taken does not tell
            _match(_NO_KEY, digest, now)
        # Two workshops may have keys of one id: each is compared.
        valid = [(key, until) for key in keys for is_valid, until in [_match(key, digest, now)] if is_valid]
        if not valid:
            raise NotAuthenticated(NOT_VALID, given=True)
        key, valid_until = valid[0]
        if key.revoked_at is not None:
            raise NotAuthenticated("This API key was revoked.", given=True)
        if key.expires_at is not None and key.expires_at <= now:
            raise NotAuthenticated(f"This API key expired on {key.expires_at[:10]}.", given=True)
        until = parse_instant(valid_until) if valid_until else None
        return Caller(key.id, key.name, key.scopes, key.workshop), until


def _match(key: ApiKey, digest: str, now: Instant) -> tuple[bool, Instant | None]:
    """Whether the digest is that of the key's secret, or of its previous one; and until when it stays so."""
    is_current = caller.is_same_digest(key.digest, digest)
    is_previous = caller.is_same_digest(key.previous_digest or _NO_DIGEST, digest)
    if is_current or not is_previous:
        return is_current, key.expires_at
    is_valid = key.previous_until is not None and now < key.previous_until
    return is_valid, min(filter(None, (key.expires_at, key.previous_until)), default=None)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
