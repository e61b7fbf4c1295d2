"""What a caller's words for a day and a time mean: a moment, or a question to ask."""

from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum


class DayPart(StrEnum):
    MORNING = "morning"
    NOON = "noon"
    AFTERNOON = "afternoon"
    EVENING = "evening"
    NIGHT = "night"


PART_BOUNDS = {
    DayPart.MORNING: (time(0), time(12)),
    DayPart.NOON: (time(11), time(14)),
    DayPart.AFTERNOON: (time(12), time(18)),
    DayPart.EVENING: (time(17), time.max),
    DayPart.NIGHT: (time(0), time.max),
}
"""From when to when a part of the day is."""


@dataclass(frozen=True, slots=True)
class SpokenMoment:
    """A day of the workshop's calendar, with a time or a part of the day where one was said; never both."""

    day: date
    clock: time | None = None
    part: DayPart | None = None


class QuestionReason(StrEnum):
    """Why words name no single moment."""

    NOT_UNDERSTOOD = "not_understood"
    WHICH_OF = "which_of"
    """Several moments are as likely: `options`."""
    WHICH_DAY = "which_day"
    """Several days (`span`, or `options` of which one is excluded or only a bound), or only a time."""
    WHICH_TIME = "which_time"
    """A range of times."""
    PASSED = "passed"
    """In the past; `options` has the same date of next year where that may be meant."""
    NO_SUCH_DAY = "no_such_day"
    """31.02."""
    NO_SUCH_TIME = "no_such_time"
    """25 Uhr, or an hour that is skipped as summer time begins."""


@dataclass(frozen=True, slots=True)
class DateQuestion:
    reason: QuestionReason
    options: tuple[SpokenMoment, ...] = ()
    span: tuple[date, date] | None = None
    """First and last day."""
