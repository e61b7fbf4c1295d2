"""Status: what PlanSo's login said last, and one try of it when somebody asks; no transaction of its own."""

from __future__ import annotations

from planso_connector.domain.saving_knowledge import Knowledge
from planso_connector.flows.write_stops import WriteStops
from planso_connector.planso.client import Planso
from planso_connector.planso.login import LoginStatus
from planso_connector.planso.sessions import SessionsStatus


class Status:
    def __init__(self, planso: Planso, stops: WriteStops) -> None:
        self._planso = planso
        self._stops = stops

    @property
    def login(self) -> LoginStatus:
        return self._planso.login_status

    @property
    def sessions(self) -> SessionsStatus:
        return self._planso.sessions.status

    async def saving(self) -> Knowledge:
        """How it is known how this PlanSo saves. Raises StoreUnavailable."""
        return await self._stops.saving()

    async def log_in(self) -> None:
        """One try with the configured user. Raises LoginRejected, PlansoUnavailable."""
        await self._planso.log_in()

    async def try_credentials(self, username: str, password: str) -> None:
        """One try with others; the connector goes on with its own. Raises LoginRejected, PlansoUnavailable."""
        await self._planso.try_credentials(username, password)
