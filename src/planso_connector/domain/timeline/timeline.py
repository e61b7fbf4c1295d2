"""The members of a repair timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from planso_connector.domain.clock import Instant
from planso_connector.domain.fields import Value
from planso_connector.domain.messages import Message
from planso_connector.domain.progress.moment import Moment


class Evidence(StrEnum):
    """How an entry is known."""

    OBSERVED = "observed"
    """The connector saw the change in PlanSo; it was made then or since the reading before."""
    WRITTEN = "written"
    """The connector made the change, and PlanSo was seen to have it."""
    ENTERED = "entered"
    """A date up to today that somebody entered in PlanSo; nothing shows that it happened then."""
    PLANNED = "planned"
    """A date ahead that somebody entered in PlanSo."""


EVIDENCE_TEXTS = {
    Evidence.OBSERVED: Message("seen in PlanSo, at the latest then", "in PlanSo gesehen, spätestens dann"),
    Evidence.WRITTEN: Message("written by the connector and confirmed", "vom Connector geschrieben und bestätigt"),
    Evidence.ENTERED: Message("entered in PlanSo, not seen to happen", "in PlanSo eingetragen, nicht beobachtet"),
    Evidence.PLANNED: Message("planned in PlanSo", "in PlanSo geplant"),
}


class GapKind(StrEnum):
    """What is not known."""

    NO_DATE = "no_date"
    """A step of a repair has no date."""
    NOTHING_RECORDED = "nothing_recorded"
    """Working days in the workshop without any entry."""
    NOT_OBSERVED = "not_observed"
    """Changes before the connector knew the order, or whose history is not kept any more."""
    CUT = "cut"
    """There are more changes than a timeline shows."""
    PARTS_NOT_READ = "parts_not_read"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """`what`: for programs. `source`: PlanSo's label, or `parts`. `by`: who made the change, where that is known."""

    moment: Moment
    what: str
    text: Message
    evidence: Evidence
    source: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class TimelineGap:
    """`begins` and `ends`: the days around it, where it has any."""

    kind: GapKind
    text: Message
    what: str = ""
    begins: date | None = None
    ends: date | None = None


@dataclass(frozen=True, slots=True)
class ObservedChange:
    """A change of the order in its history. `by`: the caller of an operation; empty for one in PlanSo."""

    at: Instant
    field: str
    before: Value
    after: Value
    is_write: bool
    by: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Entries in their order. `observed_since`: since when changes are known; None: nobody knows."""

    order_id: int
    plate: str | None
    vehicle: str | None
    vin: str | None
    person: str | None
    made_at: datetime
    observed_since: datetime | None
    entries: Sequence[TimelineEntry]
    gaps: Sequence[TimelineGap]
