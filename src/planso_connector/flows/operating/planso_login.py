"""Status: what PlanSo's login said last, and one try of it when somebody asks; no transaction of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from planso_connector.domain.saving.style_status import SaveStyleStatus
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.writing.write_stops import WriteStops
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.login import LoginStatus
from planso_connector.planso.http.session_pair import SessionsStatus
from planso_connector.planso.http.throttle import urgent_requests

START_TIMEOUT = 15.0
"""Seconds after which a login that waits for others is not begun any more."""


class PlansoLogin:
    def __init__(self, planso: PlansoClient, stops: WriteStops, admission: WaitLimit) -> None:
        self._planso = planso
        self._stops = stops
        self._admission = admission

    @property
    def login(self) -> LoginStatus:
        return self._planso.login_status

    @property
    def sessions(self) -> SessionsStatus:
        return self._planso.sessions.status

    async def saving(self) -> SaveStyleStatus:
        """How it is known how this PlanSo saves. Raises StoreUnavailable."""
        return await self._stops.get_save_knowledge()

    async def log_in(self) -> None:
        """One try with the configured user. Raises LoginRejected, PlansoUnavailable, TooManyWaiting."""
        with self._soon():
            await self._planso.log_in()

    async def try_credentials(self, username: str, password: str) -> None:
        """One try with others; the connector goes on with its own. Raises as `log_in` does."""
        with self._soon():
            await self._planso.try_credentials(username, password, START_TIMEOUT)

    @contextmanager
    def _soon(self) -> Iterator[None]:
        with self._admission.acquire(), urgent_requests(begin_by=asyncio.get_running_loop().time() + START_TIMEOUT):
            yield
