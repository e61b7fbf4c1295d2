"""How far a sync is, and what it met on the way. Holds no customer's data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from planso_connector.domain.errors import PageTooLarge
from planso_connector.domain.page_drift import Doubt, DoubtKind
from planso_connector.flows.syncing.read_order import ReadResult

MAX_DOUBTS = 200
MAX_FAILURES = 100
"""Of a run's failures, so many are kept with their reason."""


TOO_LARGE_WEIGHT = 0.1
"""An order whose page is too large counts as so many that fail in a row: PlanSo itself is well."""

MAX_FAILED_SHARE = 0.05
"""Share of the listed orders that may fail in a run that is called good; one may always."""

MAX_EMPTY_SHARE = 0.5
"""Share of the listed orders that may hold nothing in a run that is called good; more is PlanSo's trouble."""

ALWAYS_ALLOWED_EMPTY = 10
"""So many always may, if any other order is listed: a workshop makes orders and leaves them empty."""


class SyncPhase(StrEnum):
    """What a run is at."""

    LIST = "list"
    """Reading PlanSo's list of current orders."""
    ORDERS = "orders"
    """Reading the form and the parts of those orders that need it."""
    GONE = "gone"
    """Looking at the orders that left the list."""
    SECTIONS = "sections"
    """Reading the other tabs of those orders whose turn it is."""


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """One order that could not be read: which page, and the class of what went wrong."""

    order_id: int
    page: str
    kind: str


@dataclass(slots=True)
class RunProgress:
    """A run under way. Counts are orders."""

    run_id: str
    started_at: str
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
    """Orders that the mirror does not know and that hold nothing in PlanSo; they are not taken over."""
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
        """An empty order is no failure, however many come in a row: nothing that was known is lost."""
        self.done += 1
        self.empty_orders.append(order_id)

    @property
    def is_successful(self) -> bool:
        """
        Whether a run that reached its end may count as a success: a few orders may be unreadable for long, and some may
        be empty. A list of which nearly every order is empty is not believed: the mirror would be filled with nothing.
        """
        return self.failed <= max(1, int(self.listed * MAX_FAILED_SHARE)) and not self.has_too_many_empty

    @property
    def has_too_many_empty(self) -> bool:
        """Whether so many orders hold nothing that PlanSo must be in trouble."""
        empty = len(self.empty_orders)
        return empty > 0 and (
            empty == self.listed or empty > max(ALWAYS_ALLOWED_EMPTY, int(self.listed * MAX_EMPTY_SHARE))
        )

    def summarize_doubts(self) -> list[dict[str, object]]:
        """
        What was left as it was because its page seems to have moved, and fields that no longer read as a date or
        number, or hold more than is kept: page, kind, what, in how many orders; for labels the share of the orders read
        in which it held something, before and now. At most `DOUBTS_KEPT`, those of most orders first.
        """
        told = []
        found = sorted(self._doubts.items(), key=lambda item: (-item[1], item[0].what))
        for doubt, orders in found[:MAX_DOUBTS]:
            entry: dict[str, object] = {"page": doubt.page, "kind": doubt.kind, "what": doubt.what, "orders": orders}
            if doubt.kind is DoubtKind.LABEL_GONE:
                entry["filled_before"] = round(self._before[doubt.what] / self.forms_read, 3)
                entry["filled_now"] = round(self._after[doubt.what] / self.forms_read, 3)
            told.append(entry)
        return told
