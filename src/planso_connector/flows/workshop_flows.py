"""The use cases of one workshop, as routes and tools call them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from planso_connector.flows.delivering.receivers import WebhookReceivers
from planso_connector.flows.operating.capacity import CapacityFlow
from planso_connector.flows.operating.notices import Notices
from planso_connector.flows.operating.planso_calls import PlansoCalls
from planso_connector.flows.operating.readiness import ReadinessProbe
from planso_connector.flows.operating.statistics import StatisticsCollector
from planso_connector.flows.querying.availability import AvailabilityQueries
from planso_connector.flows.querying.change_feed import ChangeFeed
from planso_connector.flows.querying.freshness import Freshness
from planso_connector.flows.querying.lookup import LookupService
from planso_connector.flows.querying.orders import OrderQueries
from planso_connector.flows.querying.progress import ProgressQueries
from planso_connector.flows.querying.timeline import TimelineQueries
from planso_connector.flows.syncing.sync import Sync
from planso_connector.flows.writing.bookings import SlotHolds
from planso_connector.flows.writing.write import WriteService
from planso_connector.flows.writing.write_stops import WriteStops
from planso_connector.planso.http.client import PlansoClient


@dataclass(frozen=True, slots=True)
class WorkshopFlows:
    order_queries: OrderQueries
    freshness: Freshness
    progress: ProgressQueries
    timelines: TimelineQueries
    lookup: LookupService
    change_feed: ChangeFeed
    webhooks: WebhookReceivers
    availability: AvailabilityQueries
    capacity: CapacityFlow
    notices: Notices
    slot_holds: SlotHolds
    writer: WriteService
    calls: PlansoCalls
    write_stops: WriteStops
    sync: Sync
    planso: PlansoClient
    """For its state; `calls` sends."""
    readiness: ReadinessProbe
    statistics: StatisticsCollector
    next_run_at: Callable[[], datetime | None]


class Workshops(Protocol):
    """The workshops that this process serves."""

    @property
    def default(self) -> str:
        """The workshop of requests without a key."""
        ...

    @property
    def is_alone(self) -> bool:
        """Whether there is one workshop at most."""
        ...

    async def serves(self, name: str) -> bool:
        """Whether keys of this workshop are accepted."""
        ...

    def find_open(self, name: str) -> WorkshopFlows | None:
        """At once; None for one that is not open now."""
        ...

    async def open(self, name: str) -> WorkshopFlows | None:
        """None where no such workshop is configured. Raises StoreUnavailable."""
        ...

    def is_foreign(self, label: str, workshop: str) -> bool:
        """Whether `label`, the first one of a host name, names another workshop than this one."""
        ...
