"""
Assess an order's progress: stage, promised date and whether it holds, parts, next appointment, fetch readiness.

True and False only where the mirror's values say so; otherwise None, with a reason. Days and times are those of the
workshop's wall clock. Each part of the result names its source: field, PlanSo's label, and when its page was last read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from planso_connector.domain.clock import Instant, format_instant
from planso_connector.domain.fields import BY_PATH
from planso_connector.domain.folding import fold
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.order import Order
from planso_connector.domain.part import Part, needs_no_parts, says_parts_missing
from planso_connector.domain.progress.moment import Moment, parse_moment
from planso_connector.domain.progress.reasons import CAN_BE_FETCHED, HOLDS, FetchReason, PromiseReason
from planso_connector.domain.progress.stages import ProgressStage
from planso_connector.domain.progress.status_meanings import HANDED_OVER, StatusMeaning, interpret_status

PROMISE_PATHS = ("planned_delivery_date", "finish_date", "shop_back_date", "return_date_time")
"""The fields that may hold the promised date; the first that does counts."""

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
"""An order's dates in their usual sequence."""

_BEFORE_ARRIVAL = ("estimate_date", "parts_delivery_date")
_AWAITING_PARTS = re.compile(r"\b(bestellt|teilweise|unvollstaendig|teillieferung|teilgeliefert)")
_ARRIVED = "fahrzeugeingang (ist)"
"""The folded label of the vehicle's arrival. It is no field of its own where `Fahrzeugeingang (Soll)` has a value."""


@dataclass(frozen=True, slots=True)
class ReadTimes:
    """When the order's pages were last read; `parts` None: never."""

    form: datetime
    parts: datetime | None
    board: datetime
    """When PlanSo's list was last seen to hold the order as the mirror has it."""


@dataclass(frozen=True, slots=True)
class Source:
    """`path` of a field, `parts`, `station_state` or `archived`; `label` where PlanSo's form has one."""

    path: str
    label: str | None
    last_synced_at: Instant | None
    """When its page was last read; None: never."""
    age_seconds: int | None


@dataclass(frozen=True, slots=True)
class CurrentStage:
    words: str | None
    """The workshop's own: the project status, else `station@state`."""
    meaning: StatusMeaning | None
    is_archived: bool
    source: Source | None

    @property
    def stage(self) -> ProgressStage | None:
        return self.meaning.stage if self.meaning is not None else None

    @property
    def is_in_work(self) -> bool:
        """Work is going on, at an unknown stage."""
        return self.meaning is not None and self.meaning.stage is None

    @property
    def is_handed_over(self) -> bool:
        return self.meaning == HANDED_OVER

    @property
    def is_closed(self) -> bool:
        return self.stage is ProgressStage.CLOSED


@dataclass(frozen=True, slots=True)
class PromisedDate:
    reason: PromiseReason
    moment: Moment | None = None
    holds: bool | None = None
    is_past: bool = False
    part_expected: date | None = None
    """With PART_EXPECTED_LATER: when the last of these parts is expected."""
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class LatePart:
    description: str | None
    expected: date
    days: int


@dataclass(frozen=True, slots=True)
class PartsSummary:
    """
    Counts are None where the parts were never read; `missing` also where the order's parts status reports missing parts
    and no row does.
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
    reason: FetchReason
    source: Source | None

    @property
    def value(self) -> bool | None:
        """Whether the vehicle can be fetched."""
        return CAN_BE_FETCHED.get(self.reason)


@dataclass(frozen=True, slots=True)
class OrderProgress:
    order_id: int
    stage: CurrentStage
    promised: PromisedDate
    parts: PartsSummary
    next_appointment: Appointment | None
    fetch_readiness: FetchReadiness
    as_of: datetime
    """The oldest reading that this rests on."""
    is_stale: bool
    now: datetime
    pending: int = 0
    """Pending writes to the order; the rest does not show them yet."""


def assess_progress(
    order: Order,
    read_times: ReadTimes,
    now: datetime,
    *,
    is_stale: bool,
    labels: Mapping[str, Sequence[str]] | None = None,
    pending: int = 0,
) -> OrderProgress:
    """`labels`: the installation's by field path; by default the usual ones."""
    view = _OrderView(order, read_times, now, is_stale, labels or {})
    stage = _current_stage(view)
    parts = _summarize_parts(view)
    readiness = FetchReadiness(_fetch_reason(view, stage), stage.source)
    as_of = read_times.board if stage.is_archived and not stage.is_handed_over else read_times.form
    if parts.missing and read_times.parts is not None and not stage.is_closed:
        as_of = min(as_of, read_times.parts)
    return OrderProgress(
        order_id=order.id,
        stage=stage,
        promised=_promised_date(view, stage, readiness),
        parts=parts,
        next_appointment=None if stage.is_closed else _next_appointment(view),
        fetch_readiness=readiness,
        as_of=as_of,
        is_stale=is_stale,
        now=now,
        pending=pending,
    )


class _OrderView:
    """An order with what its assessment needs repeatedly."""

    def __init__(
        self, order: Order, read_times: ReadTimes, now: datetime, is_stale: bool, labels: Mapping[str, Sequence[str]]
    ) -> None:
        self.order = order
        self.read_times = read_times
        self.now = now
        self.today = now.astimezone(BERLIN).date()
        self.is_stale = is_stale
        self._labels = labels
        moments = {path: parse_moment(order.values.get(path)) for path in DATE_PATHS}
        self.moments = {path: moment for path, moment in moments.items() if moment is not None}
        self.unreadable_dates = frozenset(order.unreadable).intersection(DATE_PATHS)
        self.missing = [(part, expected_day(part)) for part in order.parts if part.is_missing]
        self.needs_no_parts = needs_no_parts(self.text("parts_status"))

    @property
    def has_unlisted_missing(self) -> bool:
        """Whether the order's parts status reports missing parts, and none of its rows does."""
        return not self.missing and says_parts_missing(self.text("parts_status"))

    def text(self, path: str) -> str:
        value = self.order.values.get(path)
        return value.strip() if isinstance(value, str) else ""

    def field_source(self, path: str) -> Source:
        return self._source(path, self._label(path), self.read_times.form)

    def board_source(self, path: str) -> Source:
        return self._source(path, None, self.read_times.board)

    def parts_source(self) -> Source:
        return self._source("parts", None, self.read_times.parts)

    def _source(self, path: str, label: str | None, read_at: datetime | None) -> Source:
        if read_at is None:
            return Source(path, label, None, None)
        return Source(path, label, format_instant(read_at), max(0, int((self.now - read_at).total_seconds())))

    def _label(self, path: str) -> str:
        """The first label that holds something, which is where the field's value comes from."""
        names = self._labels.get(path) or BY_PATH[path].labels
        if len(names) == 1:
            return names[0]
        shown = {fold(label): value for label, value in self.order.fields.items()}
        return next((name for name in names if shown.get(fold(name), "").strip()), names[0])


def expected_day(part: Part) -> date | None:
    """The day on which a missing part is expected. `delivery_date` of a delivered part is when it came."""
    moment = parse_moment(part.eta_date) or (None if part.is_delivered else parse_moment(part.delivery_date))
    return moment.day if moment is not None else None


def _current_stage(view: _OrderView) -> CurrentStage:
    order, status = view.order, view.text("project_status")
    meaning: StatusMeaning | None = None
    source: Source | None = None
    words: str | None = None
    if status:
        words, meaning, source = status, interpret_status(status), view.field_source("project_status")
    else:
        state = (order.station_state or "").strip()
        if order.station_id or order.station_state:
            words, source = "@".join(filter(None, (order.station_id, state))), view.board_source("station_state")
            meaning = _interpret_station(state)
        coming = _coming_arrival(view) if meaning is None and not order.archived else None
        if coming is not None:
            meaning, source = StatusMeaning(ProgressStage.ANNOUNCED), view.field_source(coming)
    if order.archived and meaning != HANDED_OVER:
        meaning, source = StatusMeaning(ProgressStage.CLOSED), view.board_source("archived")
    return CurrentStage(words, meaning, order.archived, source)


def _interpret_station(state: str) -> StatusMeaning | None:
    """A station's state; `fertig` there means that the station is done, not the vehicle."""
    meaning = interpret_status(state)
    if meaning is None or meaning.stage is None or meaning.stage >= ProgressStage.READY:
        return None
    return meaning


def _coming_arrival(view: _OrderView) -> str | None:
    """The field of the coming arrival, if all dates from then on lie ahead and nothing says that the vehicle came."""
    if any(fold(label) == _ARRIVED and value.strip() for label, value in view.order.fields.items()):
        return None
    if view.unreadable_dates or (view.order.station_state or "").strip().lower() not in ("", "active"):
        return None
    if any(moment.day <= view.today for path, moment in view.moments.items() if path not in _BEFORE_ARRIVAL):
        return None
    return next((path for path in ("repair_date", "shop_date") if path in view.moments), None)


def _summarize_parts(view: _OrderView) -> PartsSummary:
    if view.read_times.parts is None:
        return PartsSummary(None, None, None, (), None, view.parts_source())
    dated = [(day, part) for part, day in view.missing if day is not None and not view.needs_no_parts]
    late = [LatePart(part.description, day, (view.today - day).days) for day, part in dated if day < view.today]
    missing = None if view.has_unlisted_missing else len(view.missing)
    return PartsSummary(
        total=len(view.order.parts),
        delivered=sum(part.is_delivered and not part.is_missing for part in view.order.parts),
        missing=0 if view.needs_no_parts else missing,
        late=tuple(sorted(late, key=lambda part: part.expected)),
        next_expected=min((day for day, _ in dated if day >= view.today), default=None),
        source=view.parts_source(),
    )


def _next_appointment(view: _OrderView) -> Appointment | None:
    ahead = {path: moment for path, moment in view.moments.items() if not moment.is_past(view.now)}
    if not ahead:
        return None
    path = min(ahead, key=lambda path: (ahead[path].day, ahead[path].time or time()))
    return Appointment(ahead[path], view.field_source(path))


def _fetch_reason(view: _OrderView, stage: CurrentStage) -> FetchReason:
    if stage.is_handed_over:
        return FetchReason.HANDED_OVER
    if stage.is_closed:
        return FetchReason.ARCHIVED
    if stage.meaning is None:
        return FetchReason.STAGE_UNKNOWN
    if stage.stage is not ProgressStage.READY:
        return FetchReason.NOT_DONE
    if not stage.meaning.is_released:
        return FetchReason.NOT_RELEASED
    if any(part.is_mandatory for part, _ in view.missing):
        return FetchReason.PART_MISSING
    return FetchReason.RELEASED


def _promised_date(view: _OrderView, stage: CurrentStage, readiness: FetchReadiness) -> PromisedDate:
    path = next((path for path in PROMISE_PATHS if path in view.moments or path in view.unreadable_dates), None)
    if path is None:
        return PromisedDate(PromiseReason.NO_DATE)
    moment, source = view.moments.get(path), view.field_source(path)
    if moment is None:
        return PromisedDate(PromiseReason.DATE_UNREADABLE, source=source)
    reason = _promise_reason(view, stage, readiness, path)
    holds, part_expected = HOLDS.get(reason), None
    if reason is PromiseReason.PART_EXPECTED_LATER:
        later = [(day, part.is_mandatory) for part, day in view.missing if day is not None and day > moment.day]
        part_expected = max(day for day, _ in later)
        holds = False if any(is_mandatory for _, is_mandatory in later) else None
    return PromisedDate(reason, moment, holds, moment.is_past(view.now), part_expected, source)


def _promise_reason(view: _OrderView, stage: CurrentStage, readiness: FetchReadiness, path: str) -> PromiseReason:
    moment = view.moments[path]
    is_past = moment.is_past(view.now)
    if stage.is_closed:
        return PromiseReason.CLOSED
    if readiness.value is None:
        return PromiseReason.READINESS_UNKNOWN
    if readiness.value:
        return PromiseReason.READY_SINCE_UNKNOWN if is_past else PromiseReason.READY
    if is_past:
        was_read_since = moment.is_past(view.read_times.form)
        return PromiseReason.DATE_PASSED if was_read_since else PromiseReason.NOT_READ_SINCE
    contradiction = _parts_reason(view, moment.day) or _dates_reason(view, stage, path)
    return contradiction or (PromiseReason.STALE if view.is_stale else PromiseReason.NOTHING_AGAINST_IT)


def _parts_reason(view: _OrderView, promised: date) -> PromiseReason | None:
    """What the order's parts have against the promised day."""
    later = [part for part, day in view.missing if day is not None and day > promised]
    if any(part.is_mandatory for part in later) and not view.needs_no_parts:
        return PromiseReason.STALE if view.is_stale else PromiseReason.PART_EXPECTED_LATER
    if promised == view.today:
        return PromiseReason.DUE_TODAY
    if bool(view.missing) if view.needs_no_parts else view.read_times.parts is None:
        return PromiseReason.PARTS_UNKNOWN
    days = [day for _, day in view.missing]
    if None in days:
        return PromiseReason.PART_WITHOUT_DATE
    if any(day is not None and day < view.today for day in days):
        return PromiseReason.PART_OVERDUE
    if later:
        return PromiseReason.PART_EXPECTED_LATER
    if promised in days:
        return PromiseReason.PART_ON_THE_DAY
    is_doubtful = not days and (view.has_unlisted_missing or _is_awaiting_parts(view))
    return PromiseReason.PARTS_UNKNOWN if is_doubtful else None


def _is_awaiting_parts(view: _OrderView) -> bool:
    """Whether the parts status, or that of a part neither delivered nor missing, says that something is to come."""
    undecided = [part.status or "" for part in view.order.parts if not (part.is_delivered or part.is_missing)]
    return any(_AWAITING_PARTS.search(fold(status)) for status in (view.text("parts_status"), *undecided))


def _dates_reason(view: _OrderView, stage: CurrentStage, promised: str) -> PromiseReason | None:
    """What the order's other dates have against the promised one, a field path."""
    others = {path: moment for path, moment in view.moments.items() if path not in (promised, "estimate_date")}
    if any(moment.day > view.moments[promised].day for moment in others.values()):
        return PromiseReason.DATES_CONTRADICT
    if view.unreadable_dates - {"estimate_date"}:
        return PromiseReason.DATE_UNREADABLE
    due = {"shop_back_date", "finish_date", "planned_delivery_date", "return_date_time"}
    if stage.stage is not None and stage.stage < ProgressStage.PAINT:
        due.add("paint_date")
    if stage.stage is ProgressStage.ANNOUNCED:
        due |= {"repair_date", "shop_date"}
    is_behind = any(moment.is_past(view.now) for path, moment in others.items() if path in due)
    return PromiseReason.BEHIND_PLAN if is_behind else None
