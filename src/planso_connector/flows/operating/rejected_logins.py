"""Remember across restarts that PlanSo rejected the configured login, so that it is not tried again."""

import hashlib
import hmac
import secrets

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.store import rejected_logins
from planso_connector.store.engine.database import Database


class RejectedLogin:
    """
    Whether PlanSo rejected the configured login: a process that is restarted again and again with a wrong password
    would lock the account. Stored is a salted scrypt hash over address, user and password: another configuration is
    tried again, and nothing can be read from it.
    """

    def __init__(self, database: Database, clock: Clock, login: tuple[str, str, str]) -> None:
        """`login` is address, user and password."""
        self._database = database
        self._clock = clock
        self._login = "\0".join(login).encode()

    async def is_recorded(self) -> bool:
        fingerprint = await self._database.read(rejected_logins.get)
        if fingerprint is None:
            return False
        salt, _, expected = fingerprint.partition("$")
        return hmac.compare_digest(self._hash(bytes.fromhex(salt)), expected)

    async def record(self, accepted: bool) -> None:
        """Record PlanSo's answer to the configured login."""
        if accepted:
            await self._database.write(rejected_logins.clear)
            return
        salt = secrets.token_bytes(16)
        fingerprint = f"{salt.hex()}${self._hash(salt)}"
        now = format_instant(self._clock())
        await self._database.write(lambda tx: rejected_logins.save(tx, fingerprint, now))

    def _hash(self, salt: bytes) -> str:
        return hashlib.scrypt(self._login, salt=salt, n=2**14, r=8, p=1).hex()
