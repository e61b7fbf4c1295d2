"""Statistics over all workshops, for metrics: how many there are in each state, and the worst ones by name."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from planso_connector.domain.clock import Clock, parse_instant
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.flows.operating.workshop_overview import WorkshopOverview, WorkshopStatus

MAX_NAMED = 20
"""Workshops named in each metric, the worst ones: the number of series is bounded."""

REUSED_FOR = 60.0
"""Seconds for which what was read is used again: it reads a few rows of each workshop."""

PAGE = 200
"""Workshops read in one transaction."""


@dataclass(frozen=True, slots=True)
class InstallationStatistics:
    """
    `workshops` by state, `faults` by kind. By workshop, of those with the highest: `sync_ages`, seconds since the last
    successful sync; `pending_ages`, seconds that the oldest pending write has waited. `stopped`: some of the workshops
    whose writes are all stopped.
    """

    workshops: Mapping[str, int]
    faults: Mapping[str, int]
    sync_ages: Mapping[str, float]
    pending_ages: Mapping[str, float]
    stopped: Sequence[str]


class InstallationStatisticsCollector:
    def __init__(self, overview: WorkshopOverview, clock: Clock) -> None:
        self._overview = overview
        self._clock = clock
        self._collected: tuple[float, InstallationStatistics] | None = None

    async def collect(self) -> InstallationStatistics | None:
        """None where the database does not answer."""
        if self._collected is not None and time.monotonic() - self._collected[0] < REUSED_FOR:
            return self._collected[1]
        try:
            statistics = self._summarize(await self._list_all())
        except StoreUnavailable:
            return None
        self._collected = time.monotonic(), statistics
        return statistics

    async def _list_all(self) -> list[WorkshopStatus]:
        found: list[WorkshopStatus] = []
        first = ""
        while page := await self._overview.list_page(first, PAGE + 1):
            found += page[:PAGE]
            if len(page) <= PAGE:
                break
            first = page[PAGE].workshop.name
        return found

    def _summarize(self, found: Sequence[WorkshopStatus]) -> InstallationStatistics:
        now = self._clock()
        pending = {
            status.workshop.name: (now - parse_instant(status.state.oldest_pending_at)).total_seconds()
            for status in found
            if status.state.oldest_pending_at is not None
        }
        ages = {status.workshop.name: status.sync_age for status in found if status.sync_age is not None}
        return InstallationStatistics(
            Counter("paused" if status.workshop.is_paused else "active" for status in found),
            Counter(status.fault.kind.value for status in found if status.fault is not None),
            _select_highest(ages.items()),
            _select_highest(pending.items()),
            [status.workshop.name for status in found if status.state.stop_reason is not None][:MAX_NAMED],
        )


def _select_highest(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    return dict(sorted(values, key=lambda named: -named[1])[:MAX_NAMED])
