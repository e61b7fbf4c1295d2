"""How far a sync is, and what it met on the way. Holds no customer's data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from planso_connector.domain.trust import Doubt, Doubtful
from planso_connector.flows.reading import ReadOrder

REASONS_KEPT = 100
"""Of a run's failures, so many are kept with their reason."""


FAILED_AT_MOST = 0.05
"""Share of the listed orders that may fail in a run that is called good; one may always."""


class Phase(StrEnum):
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
class Failure:
    """One order that could not be read: which page, and the class of what went wrong."""

    order_id: int
    page: str
    kind: str


@dataclass(slots=True)
class Progress:
    """A run under way. Counts are orders."""

    run_id: str
    started_at: str
    kind: str
    phase: Phase = Phase.LIST
    done: int = 0
    total: int = 0
    changed: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    in_a_row: int = 0
    listed: int = 0
    """Orders in PlanSo's list."""
    forms: int = 0
    _doubts: Counter[Doubt] = field(default_factory=Counter)
    _before: Counter[str] = field(default_factory=Counter)
    _after: Counter[str] = field(default_factory=Counter)

    def read(self, order: ReadOrder) -> None:
        self.done += 1
        self.in_a_row = 0
        self.changed += order.changed
        self.forms += 1
        self._doubts.update(set(order.doubts))
        self._before.update(order.before)
        self._after.update(order.after)

    def fail(self, failure: Failure) -> None:
        self.done += 1
        self.failed += 1
        self.in_a_row += 1
        if len(self.failures) < REASONS_KEPT:
            self.failures.append(failure)

    @property
    def is_good(self) -> bool:
        """Whether a run that reached its end may count as a success: a few orders may be unreadable for long."""
        return self.failed <= max(1, int(self.listed * FAILED_AT_MOST))

    def doubts(self) -> list[dict[str, object]]:
        """
        What was left as it was because its page seems to have moved, and fields that no longer read as a date or
        number: page, kind, what, in how many orders; for labels the share of the orders read in which it held
        something, before and now.
        """
        told = []
        for doubt, orders in sorted(self._doubts.items(), key=lambda item: (-item[1], item[0].what)):
            entry: dict[str, object] = {"page": doubt.page, "kind": doubt.kind, "what": doubt.what, "orders": orders}
            if doubt.kind is Doubtful.LABEL_GONE:
                entry["filled_before"] = round(self._before[doubt.what] / self.forms, 3)
                entry["filled_now"] = round(self._after[doubt.what] / self.forms, 3)
            told.append(entry)
        return told
