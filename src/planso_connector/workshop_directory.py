"""The workshops that a process serves: the one of the environment, and those of the registry as it is now."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import structlog

from planso_connector import configuration, logs
from planso_connector.domain.errors import Invalid, NotFound, WorkshopUnusable
from planso_connector.domain.sync_hours import SyncHours
from planso_connector.domain.workshop import Workshop
from planso_connector.flows.operating.planso_access import PlansoAccess
from planso_connector.flows.operating.planso_lease import PlansoLeases
from planso_connector.flows.operating.workshop_overview import TWO_OF_ONE_NAME
from planso_connector.flows.operating.workshops import WorkshopRegistry
from planso_connector.planso.http.urls import normalize_address
from planso_connector.planso.profile import Profile
from planso_connector.settings import Settings, WorkshopSettings

log = structlog.get_logger(__name__)


_SCHEDULE_SETTINGS = (
    "CONNECTOR_SYNC_HOURS",
    "CONNECTOR_SYNC_ZONE",
    "CONNECTOR_SYNC_HOLIDAYS",
    "CONNECTOR_SYNC_INTERVAL",
)


@dataclass(frozen=True, slots=True)
class ServedWorkshop:
    """`registered` is its row in the registry; None for the workshop of the environment."""

    name: str
    registered: Workshop | None
    access: PlansoAccess

    @property
    def is_paused(self) -> bool:
        return self.registered is not None and self.registered.is_paused


class WorkshopDirectory:
    """`settings` are the process's. `leases`: None for commands that an operator runs beside the connector."""

    def __init__(self, settings: Settings, registry: WorkshopRegistry, leases: PlansoLeases | None) -> None:
        """Raises ValueError for a wrong PLANSO_URL."""
        self._settings = settings
        self._registry = registry
        self._leases = leases
        self._app_path = Profile.load(None).paths.app
        self._version = 0
        self._served: dict[str, ServedWorkshop] = {}
        if settings.planso_url:
            self._serve(settings.connector_workshop, settings.planso_url, None)

    def __iter__(self) -> Iterator[ServedWorkshop]:
        """By name, the environment's first."""
        return iter(list(self._served.values()))

    def __len__(self) -> int:
        return len(self._served)

    def __contains__(self, name: str) -> bool:
        return name in self._served

    def get(self, name: str) -> ServedWorkshop:
        """Raises NotFound."""
        served = self._served.get(name)
        if served is None:
            raise NotFound(f"There is no workshop '{name}'.")
        return served

    async def refresh(self) -> list[str]:
        """
        Read what changed in the registry. Returns the names of the workshops that were added, changed, paused, resumed
        or removed. Raises StoreUnavailable.
        """
        changes = await self._registry.list_changes(self._version)
        changed = []
        for workshop in changes.workshops:
            if workshop.name == configuration.default_workshop(self._settings):
                if workshop.removed_at is None:
                    log.warning("workshop_name_taken", workshop=workshop.name, words=TWO_OF_ONE_NAME)
                continue
            changed.append(workshop.name)
            if workshop.removed_at is not None:
                self._served.pop(workshop.name, None)
            else:
                try:
                    self._serve(workshop.name, workshop.planso_url, workshop)
                except ValueError as error:  # by a version that accepted more
                    log.exception("workshop_not_served", workshop=workshop.name, reason=str(error))
                    self._served.pop(workshop.name, None)
        self._version = changes.version
        return changed

    def get_schedule(self, name: str) -> tuple[SyncHours, timedelta]:
        """When the workshop's syncs run, and their interval. Raises NotFound."""
        workshop = self.get(name).registered
        settings = self._settings
        if workshop is not None and any(setting in workshop.settings for setting in _SCHEDULE_SETTINGS):
            settings = self.load_settings(self.get(name))
        return configuration.work_hours(settings), settings.connector_sync_interval

    def load_settings(self, served: ServedWorkshop) -> Settings:
        """
        The workshop's settings. Where its password or a value can't be used, nothing may be sent to its PlanSo, which
        `access.refusal` says from then on; what the mirror holds can still be read.
        """
        workshop = served.registered
        if workshop is None:
            return self._settings
        try:
            password = self._registry.decrypt_password(workshop)
            logs.add_secrets([password])
            return configuration.workshop_settings(self._settings, workshop, password)
        except (WorkshopUnusable, Invalid) as error:
            log.warning("workshop_unusable", workshop=workshop.name, reason=str(error))
            served.access.refusal = served.access.refusal or str(error)
        own = {"connector_workshop": workshop.name, "planso_url": workshop.planso_url}
        return WorkshopSettings.override(self._settings, {**own, "planso_user": workshop.planso_user}, "")

    def _serve(self, name: str, url: str, workshop: Workshop | None) -> None:
        access = PlansoAccess(name, normalize_address(url, self._app_path), self._leases)
        if workshop is not None and workshop.paused_at is not None:
            access.refusal = (
                f"The workshop '{name}' is paused since {workshop.paused_at[:19]}Z: nothing is sent to its PlanSo. An "
                "operator resumes it."
            )
        self._served[name] = ServedWorkshop(name, workshop, access)
