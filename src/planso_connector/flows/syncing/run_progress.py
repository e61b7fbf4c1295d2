"""The progress of a sync run, and the failures and doubts it met. Holds no customer data."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from planso_connector.domain.clock import Instant
from planso_connector.domain.errors import PageTooLarge
from planso_connector.domain.page_drift import Doubt, DoubtKind
from planso_connector.flows.syncing.read_order import ReadResult
from planso_connector.store.sync_runs import RunCounts

MAX_DOUBTS = 200
MAX_FAILURES = 100
"""Failures of a run that are kept with their reason."""

TOO_LARGE_WEIGHT = 0.1
"""How much an order whose page is too large counts among consecutive failures: PlanSo itself works."""

MAX_FAILED_SHARE = 0.05
"""Share of the listed orders that may fail in a successful run; one always may."""

MAX_EMPTY_SHARE = 0.5
"""Share of the listed orders that may be empty in a successful run; more is a fault of PlanSo."""

ALWAYS_ALLOWED_EMPTY = 10
"""So many always may be empty, if any other order is listed: workshops create orders and leave them empty."""


class SyncPhase(StrEnum):
    """The step a run is at."""

    LIST = "list"
    """Read PlanSo's list of current orders."""
    ORDERS = "orders"
    """Read the form and the parts of orders that are due."""
    GONE = "gone"
    """Check the orders that left the list."""
    SECTIONS = "sections"
    """Read the other tabs of orders that are due."""


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """An order that could not be read: which page, and the class of the error."""

    order_id: int
    page: str
    kind: str


@dataclass(slots=True)
class RunProgress:
    """A running sync. Counts are orders."""

    run_id: str
    started_at: Instant
    kind: str
    phase: SyncPhase = SyncPhase.LIST
    done: int = 0
    total: int = 0
    changed: int = 0
    failed: int = 0
    failures: list[ReadFailure] = field(default_factory=list)
    consecutive_failures: float = 0
    listed: int = 0
    """Orders in PlanSo's list."""
    empty_orders: list[int] = field(default_factory=list)
    """Orders that are not in the mirror and are empty in PlanSo; they are not stored."""
    forms_read: int = 0
    _doubts: Counter[Doubt] = field(default_factory=Counter)
    _before: Counter[str] = field(default_factory=Counter)
    _after: Counter[str] = field(default_factory=Counter)

    def record_read(self, order: ReadResult) -> None:
        self.done += 1
        self.consecutive_failures = 0
        self.changed += order.has_changed
        self.forms_read += 1
        self._doubts.update(set(order.doubts))
        self._before.update(order.filled_before)
        self._after.update(order.filled_after)

    def record_failure(self, failure: ReadFailure) -> None:
        self.done += 1
        self.failed += 1
        self.consecutive_failures += TOO_LARGE_WEIGHT if failure.kind == PageTooLarge.__name__ else 1
        if len(self.failures) < MAX_FAILURES:
            self.failures.append(failure)

    def record_empty(self, order_id: int) -> None:
        """Count an empty order: no failure, however many come in a row, since nothing known is lost."""
        self.done += 1
        self.empty_orders.append(order_id)

    @property
    def is_successful(self) -> bool:
        """
        Whether a run that reached its end counts as a success: a few orders may stay unreadable, and some may be empty.
        If nearly all are empty, the list is not believed: the mirror would be filled with nothing.
        """
        return self.failed <= max(1, int(self.listed * MAX_FAILED_SHARE)) and not self.has_too_many_empty

    @property
    def has_too_many_empty(self) -> bool:
        """Whether so many orders are empty that PlanSo must be at fault."""
        empty = len(self.empty_orders)
        return empty > 0 and (
            empty == self.listed or empty > max(ALWAYS_ALLOWED_EMPTY, int(self.listed * MAX_EMPTY_SHARE))
        )

    def counts(self, requests: int) -> RunCounts:
        """`requests`: sent to PlanSo by this run."""
        return RunCounts(phase=self.phase, done=self.done, total=self.total, requests=requests, changed=self.changed)

    def summarize_doubts(self) -> list[dict[str, object]]:
        """
        Values that were not believed (page drift), not readable as a date or number, or too long: `page`, `kind`,
        `what`, `orders` (how many); for labels also the share of the orders read in which it was filled, before and
        now. At most `MAX_DOUBTS`, those of most orders first.
        """
        summaries = []
        found = sorted(self._doubts.items(), key=lambda item: (-item[1], item[0].what))
        for doubt, orders in found[:MAX_DOUBTS]:
            entry: dict[str, object] = {"page": doubt.page, "kind": doubt.kind, "what": doubt.what, "orders": orders}
            if doubt.kind is DoubtKind.LABEL_GONE:
                entry["filled_before"] = round(self._before[doubt.what] / self.forms_read, 3)
                entry["filled_now"] = round(self._after[doubt.what] / self.forms_read, 3)
            summaries.append(entry)
        return summaries
