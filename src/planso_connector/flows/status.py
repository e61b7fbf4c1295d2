"""Status: whether the connector can do its work, told from one read transaction and what PlanSo's login said last."""

from __future__ import annotations

from dataclasses import dataclass

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.flows.freshness import Freshness
from planso_connector.flows.sync import Sync
from planso_connector.planso.client import Planso
from planso_connector.planso.login import LoginStatus


@dataclass(frozen=True, slots=True)
class Readiness:
    """Each check's word is `ok` or says what is wrong."""

    checks: dict[str, str]

    @property
    def ready(self) -> bool:
        return all(word == "ok" for word in self.checks.values())


class Status:
    def __init__(self, sync: Sync, freshness: Freshness, planso: Planso) -> None:
        self._sync = sync
        self._freshness = freshness
        self._planso = planso

    async def readiness(self) -> Readiness:
        checks = {"database": "ok", "mirror": "ok", "planso_login": "ok"}
        try:
            status = await self._sync.status()
        except StoreUnavailable as error:
            checks["database"] = str(error)
            checks["mirror"] = "can't be read"
        else:
            if status.last_success is None:
                checks["mirror"] = "no sync has filled it yet; GET /api/sync/status tells how far it is"
            elif await self._freshness.is_stale():
                checks["mirror"] = f"stale: the last good sync ended at {status.last_success.ended_at}"
        if self.login.state == "rejected":
            checks["planso_login"] = "rejected by PlanSo; nothing is tried until it is changed, or POST /api/auth/login"
        return Readiness(checks)

    @property
    def login(self) -> LoginStatus:
        return self._planso.login_status

    async def log_in(self) -> None:
        """One try with the configured user. Raises LoginRejected, PlansoUnavailable."""
        await self._planso.log_in()

    async def try_credentials(self, username: str, password: str) -> None:
        """One try with others; the connector goes on with its own. Raises LoginRejected, PlansoUnavailable."""
        await self._planso.try_credentials(username, password)
