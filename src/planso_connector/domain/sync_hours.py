"""
Work hours: when scheduled syncs may start.

Hours are wall-clock time of the workshop's zone, also when daylight saving time begins or ends: an hour that is skipped
is never open, one that comes twice is open twice. Arguments are aware, in any zone; results are in UTC.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Self
from zoneinfo import ZoneInfo

from planso_connector.domain.public_holidays import FEDERAL_STATES, find_holiday

JITTER_DIVISOR = 10
"""A run is delayed by up to a tenth of the interval, so that many connectors don't start in the same second."""

_HOURS_ACCEPTED = (
    "accepted: hours such as 07:00-19:00 (Monday to Friday) or Mo-Fr 07:00-12:00, 13:00-18:00, Sa 08:00-12:00; "
    "00:00-24:00 is always"
)

_WEEKDAYS = {
    name: weekday
    for weekday, names in enumerate(("mo mon", "di tu tue", "mi we wed", "do th thu", "fr fri", "sa sat", "so su sun"))
    for name in names.split()
}

_EVERY_DAY = frozenset(range(7))
_MONDAY_TO_FRIDAY = frozenset(range(5))

_SPAN = re.compile(
    r"(?:(?P<first>[a-z]+)\.?(?:\s*[-–]\s*(?P<last>[a-z]+)\.?)?\s+)?"
    r"(?P<begin>[0-9]{1,2}:[0-9]{2})\s*[-–]\s*(?P<end>[0-9]{1,2}:[0-9]{2})",
    re.IGNORECASE,
)

_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Span:
    """Open hours, in minutes after midnight of the day they begin on; `end` is over 1440 past the next midnight."""

    days: frozenset[int]
    """Weekdays on which it begins; 0 is Monday."""
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class SyncHours:
    """A span that begins on a public holiday does not count; one that began the evening before does, to its end."""

    spans: tuple[Span, ...]
    zone: ZoneInfo
    holidays_of: str | None
    """The federal state; None for nationwide holidays alone."""
    on_holidays: bool
    """Whether spans on holidays count."""

    @classmethod
    def parse(cls, hours: str, zone: str = "Europe/Berlin", holidays_of: str | None = None) -> Self:
        """
        Parse spans separated by commas, `Mo-Fr 07:00-19:00, Sa 08:00-12:00`, with days in German or English. A span
        without days has those of the span before it, the first one Monday to Friday. `00:00-24:00` alone means always.

        Raises ValueError, which says what is accepted.
        """
        spans: list[Span] = []
        days = _MONDAY_TO_FRIDAY
        for piece in hours.split(","):
            match = _SPAN.fullmatch(piece.strip())
            if match is None:
                raise ValueError(f"{_HOURS_ACCEPTED}; not {piece.strip()!r}")
            if match["first"]:
                days = _days(match["first"], match["last"] or match["first"])
            spans.append(_span(days, match["begin"], match["end"]))
        state = _state(holidays_of)
        if spans == [Span(_MONDAY_TO_FRIDAY, 0, _DAY)] and hours.strip()[0].isdigit():
            return cls((Span(_EVERY_DAY, 0, _DAY),), _zone(zone), state, on_holidays=True)
        return cls(tuple(spans), _zone(zone), state, on_holidays=False)

    def is_open(self, now: datetime) -> bool:
        local = now.astimezone(self.zone)
        today, minute = local.date(), local.hour * 60 + local.minute
        return self._covers(today, minute) or self._covers(today - timedelta(days=1), minute + _DAY)

    def next_opening(self, after: datetime) -> datetime:
        """The first open moment from `after` on; `after` itself while open."""
        after = after.astimezone(UTC)
        if self.is_open(after):
            return after
        today = after.astimezone(self.zone).date()
        days = (today + timedelta(days=ahead) for ahead in count())
        candidates = (moment for day in days for moment in self._possible_openings(day))
        return next(moment for moment in candidates if moment > after and self.is_open(moment))

    def next_run(self, after: datetime, interval: timedelta, jitter: float) -> datetime:
        """
        When to run again after a run that ended at `after`: an interval later, or at the opening after that.

        `jitter` is a random number from 0 to 1: this share of a tenth of the interval is added.
        """
        extra = interval / JITTER_DIVISOR * jitter
        due = after.astimezone(UTC) + interval + extra
        if self.is_open(due):
            return due
        opening = self.next_opening(due)
        # A span may be shorter than the jitter.
        return opening + extra if self.is_open(opening + extra) else opening

    def _covers(self, day: date, minute: int) -> bool:
        """Whether a span that begins on `day` is open `minute` wall-clock minutes after that day's midnight."""
        weekday = day.weekday()
        return any(weekday in span.days and span.begin <= minute < span.end for span in self.spans) and (
            self.on_holidays or find_holiday(self.holidays_of, day) is None
        )

    def _possible_openings(self, day: date) -> Iterator[datetime]:
        """The moments of `day`, in order, at which closed work hours may open."""
        midnight = datetime.combine(day, time(), self.zone).astimezone(UTC)
        length = datetime.combine(day + timedelta(days=1), time(), self.zone).astimezone(UTC) - midnight
        if length == timedelta(days=1):
            minutes = sorted({span.begin for span in self.spans})
        else:
            # Daylight saving time begins or ends: a span may open in its middle, or twice.
            minutes = list(range(length // timedelta(minutes=1)))
        for minute in minutes:
            yield midnight + timedelta(minutes=minute)


def _days(first: str, last: str) -> frozenset[int]:
    """From the first to the last weekday, across Sunday if the last comes first."""
    for name in (first, last):
        if name.lower() not in _WEEKDAYS:
            raise ValueError(f"accepted: the days Mo Di Mi Do Fr Sa So, or Mo Tu We Th Fr Sa Su; not {name!r}")
    begin, end = _WEEKDAYS[first.lower()], _WEEKDAYS[last.lower()]
    return frozenset((begin + ahead) % 7 for ahead in range((end - begin) % 7 + 1))


def _span(days: frozenset[int], begin: str, end: str) -> Span:
    first, last = _minutes(begin), _minutes(end)
    if first in (last, _DAY):
        raise ValueError(f"{_HOURS_ACCEPTED}; {begin}-{end} has no length")
    return Span(days, first, last if last > first else last + _DAY)


def _minutes(text: str) -> int:
    """Minutes after midnight of a time up to 24:00."""
    hour, minute = map(int, text.split(":"))
    if minute >= 60 or hour * 60 + minute > _DAY:
        raise ValueError(f"{_HOURS_ACCEPTED}; {text} is no time of day")
    return hour * 60 + minute


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # OSError: `Europe` is a folder of the zone database
        raise ValueError(f"accepted: the name of a time zone, such as Europe/Berlin; not {name!r}") from None


def _state(code: str | None) -> str | None:
    state = (code or "").strip().upper()
    if state and state not in FEDERAL_STATES:
        states = " ".join(sorted(FEDERAL_STATES))
        raise ValueError(f"accepted: a federal state, {states}, or nothing for nationwide holidays; not {code!r}")
    return state or None
