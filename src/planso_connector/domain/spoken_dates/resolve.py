"""
Resolve a caller's words to one moment, or to a question where several are likely.

A correction replaces what it corrects (`am Dienstag, nein, am Mittwoch um acht`); what is said twice has to agree
(`Dienstag, den 9.`). Nothing in the past is returned.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from itertools import product

from planso_connector.domain.german_formats import BERLIN, reject_skipped_hour
from planso_connector.domain.spoken_dates.clock_times import (
    USUAL_OPENING,
    FoundTimes,
    Opening,
    SpokenTime,
    find_time_after_day,
    find_times,
    read_clock,
)
from planso_connector.domain.spoken_dates.day_readings import DayReading, find_days
from planso_connector.domain.spoken_dates.moment import PART_BOUNDS, DateQuestion, DayPart, QuestionReason, SpokenMoment
from planso_connector.domain.spoken_dates.tokens import tokenize

_MAX_OPTIONS = 4
_PART = re.compile(r"(?<= )P([a-z]+)(?= )")
_BOUND = re.compile(r" (?:from|until|before|after|bound|between|not) (?:[YT]\d)|[YT]\d not ")
_UNREAD_TIME = re.compile(
    r" (?:uhr|c\d+:\d\d) | at (?:x |n\d+ )*$|"
    r" (?:before|after|until|from|bound|to|past) (?:x )?n\d+ (?!(?:day|week|month|minute) )"
)
_FILLER = re.compile(r"(?<= )(?:x|on|at|in|n1) ")


def resolve_spoken_date(text: str, now: datetime, opening: Opening = USUAL_OPENING) -> SpokenMoment | DateQuestion:
    """
    `now`: aware. Hours said without a half of the day are those within `opening`: `um zwei` is 14 o'clock. `text` is
    bounded: what is behind `tokens.MAX_CHARACTERS` is not read.
    """
    local = now.astimezone(BERLIN).replace(tzinfo=None)
    said = _Said()
    for segment in re.split(r"(?<= )no(?= )", tokenize(text)):
        said = said.corrected_by(_read_segment(segment, local.date()))
    return _Resolver(said, local, opening).resolve()


@dataclass(frozen=True, slots=True)
class _Said:
    """What a text says of days and times."""

    days: tuple[DayReading, ...] = ()
    times: tuple[SpokenTime, ...] = ()
    part: DayPart | None = None
    has_or: bool = False
    has_bound: bool = False
    """A day or time is excluded, or only a limit: `ab Donnerstag`."""
    is_range_of_times: bool = False
    has_unread_time: bool = False
    """`um` something that is no time."""

    def corrected_by(self, later: "_Said") -> "_Said":
        days = tuple(_in_context(reading, self.days) for reading in later.days)
        replaces_time = later.times or later.is_range_of_times
        return _Said(
            days=days or self.days,
            times=later.times if replaces_time else self.times,
            part=later.part or (None if replaces_time and days else self.part),
            has_or=later.has_or or (self.has_or and not days and not replaces_time),
            has_bound=later.has_bound or (self.has_bound and not days and not replaces_time),
            is_range_of_times=later.is_range_of_times or (self.is_range_of_times and not replaces_time),
            has_unread_time=later.has_unread_time or (self.has_unread_time and not replaces_time),
        )


def _in_context(reading: DayReading, corrected: tuple[DayReading, ...]) -> DayReading:
    """`am 3. Januar, nein, am 4.` is in January; `nächste Woche Dienstag, nein, Mittwoch` may be of that week."""
    before = next((one.days[0] for one in corrected if len(one.days) == 1), None)
    if before is None:
        return reading
    if reading.is_day_of_month and reading.days:
        try:
            return DayReading((before.replace(day=reading.days[0].day),), is_day_of_month=True)
        except ValueError:
            return DayReading(fault=QuestionReason.NO_SUCH_DAY)
    if reading.weekday is not None:
        of_week = before + timedelta(days=reading.weekday - before.weekday())
        return replace(reading, days=tuple(sorted({*reading.days, of_week})))
    return reading


def _of_same_week(reading: DayReading, day: date) -> DayReading:
    assert reading.weekday is not None, "a weekday alone"
    return DayReading((day + timedelta(days=reading.weekday - day.weekday()),))


def _read_segment(tokens: str, today: date) -> _Said:
    found = find_times(tokens)
    text, days = find_days(found.text, today)
    found.text = text
    find_time_after_day(found)
    return _to_said(found, days)


def _to_said(found: FoundTimes, days: list[DayReading]) -> _Said:
    part = _PART.search(found.text)
    plain = _FILLER.sub("", _FILLER.sub("", _PART.sub("x", found.text)))
    return _Said(
        days=tuple(days),
        times=tuple(found.times),
        part=DayPart(part[1]) if part else None,
        has_or=" or " in found.text,
        has_bound=_BOUND.search(f" {plain.strip()} ") is not None or (" not " in found.text),
        is_range_of_times=found.is_range,
        has_unread_time=not found.times and _UNREAD_TIME.search(found.text) is not None,
    )


@dataclass(slots=True)
class _Resolver:
    said: _Said
    now: datetime
    """The workshop's wall clock."""
    opening: Opening
    today: date = field(init=False)

    def __post_init__(self) -> None:
        self.today = self.now.date()

    def resolve(self) -> SpokenMoment | DateQuestion:
        said = self.said
        if not said.days:
            has_time = said.times or said.part or said.is_range_of_times
            return DateQuestion(QuestionReason.WHICH_DAY if has_time else QuestionReason.NOT_UNDERSTOOD)
        fault = next((reading for reading in said.days if reading.fault is not None), None)
        if fault is not None and fault.fault is not None:
            return DateQuestion(fault.fault, self._with_times(fault.days) if fault.days else ())
        days, span = self._find_days()
        if span is not None:
            return DateQuestion(QuestionReason.WHICH_DAY, span=span)
        return self._with_days(days)

    def _find_days(self) -> tuple[list[date], tuple[date, date] | None]:
        """The days that all expressions allow; where they contradict each other, all of them. Or the span."""
        readings = self.said.days
        options = [reading for reading in readings if reading.span is None]
        spans = [reading.span for reading in readings if reading.span is not None]
        weekdays = {reading.weekday for reading in options if reading.weekday is not None}
        if spans and len(weekdays) == 1 and len(options) == 1:
            return self._weekdays_of_span(spans[0], weekdays.pop() or 0), None
        if not options:
            return [], spans[0]
        dates = [set(reading.days) for reading in options if reading.weekday is None]
        if self.said.has_or or not dates:
            return self._named(options), None
        agreed = set.intersection(*dates)
        fitting = sorted(day for day in agreed if not weekdays or day.weekday() in weekdays)
        if fitting and not (spans and not any(first <= day <= last for first, last in spans for day in fitting)):
            return fitting, None
        nearest = {self._nearest(day, weekday) for day in agreed for weekday in weekdays}
        return sorted(day for day in nearest.union(*dates) if day >= self.today), None

    def _named(self, options: list[DayReading]) -> list[date]:
        known = next((one.days[0] for one in options if one.weekday is None and len(one.days) == 1), None)
        if known is not None:  # `nächste Woche Dienstag oder Mittwoch`: both are of that week
            options = [one if one.weekday is None else _of_same_week(one, known) for one in options]
        if len(options) > 1 and not self.said.has_or:
            common = set.intersection(*(set(reading.days) for reading in options))
            if common:
                return sorted(common)
        return sorted({day for reading in options for day in reading.days})

    def _weekdays_of_span(self, span: tuple[date, date], weekday: int) -> list[date]:
        first = span[0] + timedelta(days=(weekday - span[0].weekday()) % 7)
        return [first + timedelta(days=ahead) for ahead in range(0, max((span[1] - first).days, 0) + 1, 7)]

    def _nearest(self, day: date, weekday: int) -> date:
        found = min((day + timedelta(days=offset) for offset in range(-3, 4)), key=lambda one: one.weekday() != weekday)
        return found if found >= self.today else found + timedelta(days=7)

    def _with_days(self, days: list[date]) -> SpokenMoment | DateQuestion:
        said = self.said
        if said.has_bound:
            return DateQuestion(QuestionReason.WHICH_DAY, tuple(map(SpokenMoment, days[:_MAX_OPTIONS])))
        if said.is_range_of_times or (said.has_unread_time and not said.times and said.part is None):
            return DateQuestion(QuestionReason.WHICH_TIME, tuple(map(SpokenMoment, days[:_MAX_OPTIONS])))
        options = self._with_times(days)
        if not options:
            return DateQuestion(QuestionReason.NO_SUCH_TIME)
        upcoming = tuple(option for option in options if not self._is_past(option))
        if not upcoming:
            return DateQuestion(QuestionReason.PASSED)
        if len(upcoming) > 1:
            return DateQuestion(QuestionReason.WHICH_OF, upcoming[:_MAX_OPTIONS])
        return upcoming[0]

    def _with_times(self, days: list[date] | tuple[date, ...]) -> tuple[SpokenMoment, ...]:
        """Without the times that a day does not have."""
        said = self.said
        if not said.times:
            return tuple(SpokenMoment(day, part=said.part) for day in days)
        clocks = sorted({clock for spoken in said.times for clock in read_clock(spoken, said.part, self.opening)})
        if not all(spoken.is_possible for spoken in said.times):
            return ()
        return tuple(SpokenMoment(day, clock) for day, clock in product(days, clocks) if _exists(day, clock))

    def _is_past(self, moment: SpokenMoment) -> bool:
        if moment.day != self.today:
            return moment.day < self.today
        end = moment.clock or (PART_BOUNDS[moment.part][1] if moment.part else time.max)
        return end < self.now.time()


def _exists(day: date, clock: time) -> bool:
    """False in the hour that is skipped as summer time begins."""
    try:
        reject_skipped_hour(datetime.combine(day, clock))
    except ValueError:
        return False
    return True
