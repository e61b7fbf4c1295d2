"""
How far an order is: stage, promised date and whether it holds, parts, next appointment, whether it can be fetched.

True and false are said only where the mirror's values say so; None, with a reason, everywhere else. Days and times are
those of the workshop's wall clock. Every answer names its source: the field, PlanSo's label, and when the page that
shows it was last read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from planso_connector.domain.clock import format_instant
from planso_connector.domain.fields import BY_PATH
from planso_connector.domain.folding import fold
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.order import Order
from planso_connector.domain.part import Part, needs_no_parts, says_parts_missing
from planso_connector.domain.progress.moment import Moment, parse_moment
from planso_connector.domain.progress.reasons import FetchReason, PromiseReason
from planso_connector.domain.progress.stages import HANDED_OVER, ProgressStage, StatusMeaning, interpret_status

PROMISE_PATHS = ("planned_delivery_date", "finish_date", "shop_back_date", "return_date_time")
"""The fields that promise the vehicle, in the order in which they are asked."""

DATE_PATHS = (
    "estimate_date",
    "repair_date",
    "shop_date",
    "parts_delivery_date",
    "paint_date",
    "shop_back_date",
    "finish_date",
    "planned_delivery_date",
    "return_date_time",
)
"""The dates of an order in the order in which its life has them."""

_STILL_WAITING = re.compile(r"\b(bestellt|teilweise|unvollstaendig|teillieferung|teilgeliefert)")
_ARRIVED = "fahrzeugeingang (ist)"
"""The label, folded, of the day on which the vehicle came. No field is made of it where `(Soll)` holds something."""


@dataclass(frozen=True, slots=True)
class ReadTimes:
    """When the order's pages were last read; `parts` None: never. Aware instants."""

    form: datetime
    parts: datetime | None
    board: datetime
    """When PlanSo's list was last seen to hold the order as the mirror has it."""


@dataclass(frozen=True, slots=True)
class Source:
    """`path` of a field, `parts`, `station_state` or `archived`; `label` where PlanSo's form has one."""

    path: str
    label: str | None
    last_synced_at: str | None
    """When the page that shows it was last read, a stamp; None: never."""
    age_seconds: int | None


@dataclass(frozen=True, slots=True)
class CurrentStage:
    words: str | None
    """The workshop's own: the project status, else `station@state`."""
    stage: ProgressStage | None
    is_handed_over: bool
    is_archived: bool
    is_in_work: bool
    """Work is going on, on no certain rung."""
    source: Source | None


@dataclass(frozen=True, slots=True)
class PromisedDate:
    moment: Moment | None
    holds: bool | None
    reason: PromiseReason
    is_past: bool
    part_expected: date | None
    """With PART_EXPECTED_LATER: the day on which the last of these parts is expected."""
    source: Source | None


@dataclass(frozen=True, slots=True)
class LatePart:
    description: str | None
    expected: date
    days: int


@dataclass(frozen=True, slots=True)
class PartsSummary:
    """
    Counts are None where the parts were never read; `missing` also where the order's parts status says that parts are
    missing and no row does.
    """

    total: int | None
    delivered: int | None
    missing: int | None
    late: tuple[LatePart, ...]
    next_expected: date | None
    source: Source


@dataclass(frozen=True, slots=True)
class Appointment:
    moment: Moment
    source: Source


@dataclass(frozen=True, slots=True)
class FetchReadiness:
    """`value`: whether the vehicle can be fetched."""

    value: bool | None
    reason: FetchReason
    source: Source | None


@dataclass(frozen=True, slots=True)
class OrderProgress:
    order_id: int
    stage: CurrentStage
    promised: PromisedDate
    parts: PartsSummary
    next_appointment: Appointment | None
    fetch_readiness: FetchReadiness
    as_of: datetime
    """The oldest reading that the answer rests on."""
    is_stale: bool
    now: datetime
    pending: int = 0
    """Writes on their way to PlanSo, of which nothing else here tells yet."""


def assess_progress(
    order: Order,
    readings: ReadTimes,
    now: datetime,
    *,
    stale: bool,
    labels: Mapping[str, Sequence[str]] | None = None,
    pending: int = 0,
) -> OrderProgress:
    """`labels` are the installation's by field path, without them the usual ones."""
    view = _View(order, readings, now, stale, labels or {})
    place, stage = _stage(view)
    parts = _parts(view)
    fetching = _fetching(view, place, stage)
    promised = _promised(view, stage, fetching)
    as_of = readings.board if stage.is_archived and not stage.is_handed_over else readings.form
    if parts.missing and readings.parts is not None and stage.stage is not ProgressStage.CLOSED:
        as_of = min(as_of, readings.parts)
    return OrderProgress(
        order_id=order.id,
        stage=stage,
        promised=promised,
        parts=parts,
        next_appointment=None if stage.stage is ProgressStage.CLOSED else _next(view),
        fetch_readiness=fetching,
        as_of=as_of,
        is_stale=stale,
        now=now,
        pending=pending,
    )


class _View:
    """An order with what all its answers ask of it."""

    def __init__(
        self, order: Order, readings: ReadTimes, now: datetime, stale: bool, labels: Mapping[str, Sequence[str]]
    ) -> None:
        self.order = order
        self.readings = readings
        self.now = now
        self.today = now.astimezone(BERLIN).date()
        self.stale = stale
        self._labels = labels
        found = ((path, parse_moment(order.values.get(path))) for path in DATE_PATHS)
        self.moments = {path: moment for path, moment in found if moment is not None}
        self.unreadable = frozenset(order.unreadable)
        self.missing = [(part, expected_day(part)) for part in order.parts if part.is_missing]

    @property
    def misses_unshown(self) -> bool:
        """Whether the order's parts status says that parts are missing, and none of its rows does."""
        return not self.missing and says_parts_missing(self.text("parts_status"))

    def text(self, path: str) -> str:
        value = self.order.values.get(path)
        return value.strip() if isinstance(value, str) else ""

    def source(self, path: str) -> Source:
        """Of a field of the form."""
        return self._read(path, self._label(path), self.readings.form)

    def of_list(self, path: str) -> Source:
        return self._read(path, None, self.readings.board)

    def of_parts(self) -> Source:
        return self._read("parts", None, self.readings.parts)

    def _read(self, path: str, label: str | None, at: datetime | None) -> Source:
        age = None if at is None else max(0, int((self.now - at).total_seconds()))
        return Source(path, label, format_instant(at) if at is not None else None, age)

    def _label(self, path: str) -> str:
        """The first that holds something, as the mapping from the form takes it."""
        names = self._labels.get(path) or BY_PATH[path].labels
        if len(names) == 1:
            return names[0]
        shown = {fold(label): value for label, value in self.order.fields.items()}
        return next((name for name in names if shown.get(fold(name), "").strip()), names[0])


def expected_day(part: Part) -> date | None:
    """The day on which a missing part is expected. On a part that came once, `delivery_date` is when it came."""
    moment = parse_moment(part.eta_date) or (None if part.is_delivered else parse_moment(part.delivery_date))
    return moment.day if moment is not None else None


def _stage(view: _View) -> tuple[StatusMeaning | None, CurrentStage]:
    order, status = view.order, view.text("project_status")
    place: StatusMeaning | None = None
    source: Source | None = None
    words: str | None = None
    if status:
        words, place, source = status, interpret_status(status), view.source("project_status")
    elif order.station_id or order.station_state:
        state = (order.station_state or "").strip()
        words, source = "@".join(part for part in (order.station_id, state) if part), view.of_list("station_state")
        found = interpret_status(state)
        # `fertig` there is said of the one station, not of the vehicle.
        place = found if found is not None and found.stage is not None and found.stage < ProgressStage.READY else None
    if not status and place is None and not order.archived:
        ahead = _only_ahead(view)
        if ahead is not None:
            place, source = StatusMeaning(ProgressStage.ANNOUNCED), view.source(ahead)
    if order.archived and place != HANDED_OVER:
        place, source = StatusMeaning(ProgressStage.CLOSED), view.of_list("archived")
    return place, CurrentStage(
        words=words,
        stage=place.stage if place is not None else None,
        is_handed_over=place == HANDED_OVER,
        is_archived=order.archived,
        is_in_work=place is not None and place.stage is None,
        source=source,
    )


def _only_ahead(view: _View) -> str | None:
    """The field of the coming entry, where every date from then on lies ahead and nothing says that it came."""
    if any(fold(label) == _ARRIVED and value.strip() for label, value in view.order.fields.items()):
        return None
    entry = next((path for path in ("repair_date", "shop_date") if path in view.moments), None)
    if (
        entry is None
        or view.unreadable.intersection(DATE_PATHS)
        or (view.order.station_state or "").strip().lower() not in ("", "active")
    ):
        return None
    before = ("estimate_date", "parts_delivery_date")
    begun = any(moment.day <= view.today for path, moment in view.moments.items() if path not in before)
    return None if begun else entry


def _parts(view: _View) -> PartsSummary:
    if view.readings.parts is None:
        return PartsSummary(None, None, None, (), None, view.of_parts())
    dated = [(day, part) for part, day in view.missing if day is not None and not _needs_none(view)]
    missing = None if view.misses_unshown else len(view.missing)
    late = [LatePart(part.description, day, (view.today - day).days) for day, part in dated if day < view.today]
    coming = [day for day, _ in dated if day >= view.today]
    return PartsSummary(
        total=len(view.order.parts),
        delivered=sum(part.is_delivered and not part.is_missing for part in view.order.parts),
        missing=0 if _needs_none(view) else missing,
        late=tuple(sorted(late, key=lambda part: part.expected)),
        next_expected=min(coming, default=None),
        source=view.of_parts(),
    )


def _needs_none(view: _View) -> bool:
    return needs_no_parts(view.text("parts_status"))


def _next(view: _View) -> Appointment | None:
    ahead = [
        (moment.day, moment.time or time(), at, path)
        for at, (path, moment) in enumerate(view.moments.items())
        if not moment.is_past(view.now)
    ]
    if not ahead:
        return None
    path = min(ahead)[-1]
    return Appointment(view.moments[path], view.source(path))


def _fetching(view: _View, place: StatusMeaning | None, stage: CurrentStage) -> FetchReadiness:
    value, why = _can_be_fetched(view, place, stage)
    return FetchReadiness(value, why, stage.source)


def _can_be_fetched(view: _View, place: StatusMeaning | None, stage: CurrentStage) -> tuple[bool | None, FetchReason]:
    if stage.is_handed_over:
        return False, FetchReason.HANDED_OVER
    if stage.stage is ProgressStage.CLOSED:
        return None, FetchReason.ARCHIVED
    if place is None:
        return None, FetchReason.STAGE_UNKNOWN
    if place.stage is not ProgressStage.READY:
        return False, FetchReason.NOT_DONE
    if not place.is_released:
        return None, FetchReason.NOT_RELEASED
    if any(part.is_mandatory for part, _ in view.missing):
        return None, FetchReason.PART_MISSING
    return True, FetchReason.RELEASED


def _promised(view: _View, stage: CurrentStage, fetching: FetchReadiness) -> PromisedDate:
    path = next((path for path in PROMISE_PATHS if path in view.moments or path in view.unreadable), None)
    if path is None:
        return PromisedDate(None, None, PromiseReason.NO_DATE, is_past=False, part_expected=None, source=None)
    if path not in view.moments:
        source = view.source(path)
        return PromisedDate(None, None, PromiseReason.DATE_UNREADABLE, is_past=False, part_expected=None, source=source)
    moment = view.moments[path]
    holds, why = _holds(view, stage, fetching, path)
    later = [day for part, day in view.missing if day is not None and day > moment.day]
    return PromisedDate(
        moment,
        holds,
        why,
        is_past=moment.is_past(view.now),
        part_expected=max(later) if why is PromiseReason.PART_EXPECTED_LATER else None,
        source=view.source(path),
    )


def _holds(view: _View, stage: CurrentStage, fetching: FetchReadiness, path: str) -> tuple[bool | None, PromiseReason]:
    moment = view.moments[path]
    if stage.stage is ProgressStage.CLOSED:
        return None, PromiseReason.CLOSED
    if fetching.value is True:
        return (None, PromiseReason.READY_SINCE_UNKNOWN) if moment.is_past(view.now) else (True, PromiseReason.READY)
    if fetching.value is None:
        return None, PromiseReason.READINESS_UNKNOWN
    if moment.is_past(view.now):
        read_since = moment.is_past(view.readings.form)
        return (False, PromiseReason.DATE_PASSED) if read_since else (None, PromiseReason.NOT_READ_SINCE)
    against = _parts_against(view, moment.day) or _dates_against(view, stage, path)
    if against is not None:
        return against
    return (None, PromiseReason.STALE) if view.stale else (True, PromiseReason.NOTHING_AGAINST_IT)


def _parts_against(view: _View, promised: date) -> tuple[bool | None, PromiseReason] | None:
    later = [part for part, day in view.missing if day is not None and day > promised]
    if any(part.is_mandatory for part in later) and not _needs_none(view):
        return (None, PromiseReason.STALE) if view.stale else (False, PromiseReason.PART_EXPECTED_LATER)
    if promised == view.today:
        return None, PromiseReason.DUE_TODAY
    if bool(view.missing) if _needs_none(view) else view.readings.parts is None:
        return None, PromiseReason.PARTS_UNKNOWN
    if any(day is None for _, day in view.missing):
        return None, PromiseReason.PART_WITHOUT_DATE
    if any(day is not None and day < view.today for _, day in view.missing):
        return None, PromiseReason.PART_OVERDUE
    if later:
        return None, PromiseReason.PART_EXPECTED_LATER
    if any(day == promised for _, day in view.missing):
        return None, PromiseReason.PART_ON_THE_DAY
    undecided = [part.status or "" for part in view.order.parts if not (part.is_delivered or part.is_missing)]
    waiting = any(_STILL_WAITING.search(fold(words)) for words in (view.text("parts_status"), *undecided))
    return (None, PromiseReason.PARTS_UNKNOWN) if (waiting or view.misses_unshown) and not view.missing else None


def _dates_against(view: _View, stage: CurrentStage, promised: str) -> tuple[bool | None, PromiseReason] | None:
    others = {path: moment for path, moment in view.moments.items() if path not in (promised, "estimate_date")}
    if any(moment.day > view.moments[promised].day for moment in others.values()):
        return None, PromiseReason.DATES_CONTRADICT
    if any(path != "estimate_date" for path in view.unreadable.intersection(DATE_PATHS)):
        return None, PromiseReason.DATE_UNREADABLE
    passed = {path for path, moment in others.items() if moment.is_past(view.now)}
    due = {"shop_back_date", "finish_date", "planned_delivery_date", "return_date_time"}
    if stage.stage is not None and stage.stage < ProgressStage.PAINT:
        due.add("paint_date")
    if stage.stage is ProgressStage.ANNOUNCED:
        due |= {"repair_date", "shop_date"}
    return (None, PromiseReason.BEHIND_PLAN) if passed & due else None
