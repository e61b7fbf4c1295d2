"""Log in to PlanSo on request."""

import asyncio
from dataclasses import dataclass

from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import urgent_requests

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
