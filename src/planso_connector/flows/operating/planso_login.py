"""Log in to PlanSo on request, and remember a rejected login across restarts."""

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.request_queue import urgent_requests
from planso_connector.store import rejected_logins
from planso_connector.store.engine.database import Database

START_TIMEOUT = 15.0
"""Seconds that a login may wait for other requests to PlanSo before it is sent."""


@dataclass(frozen=True, slots=True)
class PlansoLogin:
    planso: PlansoClient
    admission: WaitLimit

    async def log_in(self, credentials: tuple[str, str] | None = None) -> None:
        """
        Try once to log in: with the configured user, or with other `credentials` (user, password), which are not kept.
        Raises LoginRejected, PlansoUnavailable, TooManyWaiting.
        """
        begin_by = asyncio.get_running_loop().time() + START_TIMEOUT
        with self.admission.acquire(), urgent_requests(begin_by=begin_by):
            if credentials is None:
                await self.planso.log_in()
            else:
                await self.planso.try_credentials(*credentials, START_TIMEOUT)


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
            await self._database.write(rejected_logins.delete_login)
            return
        salt = secrets.token_bytes(16)
        fingerprint = f"{salt.hex()}${self._hash(salt)}"
        now = format_instant(self._clock())
        await self._database.write(lambda tx: rejected_logins.save(tx, fingerprint, now))

    def _hash(self, salt: bytes) -> str:
        return hashlib.scrypt(self._login, salt=salt, n=2**14, r=8, p=1).hex()
