"""
A workshop's capacity: the hours of each weekday, how many vehicles come and go, and the days on which it is closed.

All of it is the workshop's own to set (`read_capacity` in `capacity_document`); nothing has a default that claims to
know the workshop. Days and times are those of Germany.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from planso_connector.domain.public_holidays import find_holiday


class Trade(StrEnum):
    """The kinds of work whose hours PlanSo estimates for each order."""

    KARO = "karo"
    """Body."""
    LACK = "lack"
    """Paint."""


class BookingKind(StrEnum):
    """What a customer comes for."""

    ESTIMATE = "estimate"
    DROP_OFF = "drop_off"
    PICK_UP = "pick_up"


BOOKED_FIELDS = {
    BookingKind.ESTIMATE: "estimate_date",
    BookingKind.DROP_OFF: "shop_date",
    BookingKind.PICK_UP: "return_date_time",
}
"""The field of an order that holds each booking."""
HOURS_FIELDS = {Trade.KARO: "est_hours_karo", Trade.LACK: "est_hours_lack"}

DEFAULT_HORIZON_DAYS = 90
DEFAULT_TIGHT_FROM = 0.8


@dataclass(frozen=True, slots=True)
class Slot:
    """Times of day, `07:30` to `09:00`; the end is not part of it."""

    begin: str
    end: str

    def __str__(self) -> str:
        return f"{self.begin}-{self.end}"


@dataclass(frozen=True, slots=True)
class WorkingDay:
    """Hours of work on a day, by trade; None: not limited. With 0 the trade does not work, and vehicles still come."""

    hours: Mapping[Trade, float | None]


@dataclass(frozen=True, slots=True)
class DayException:
    """Days from `first` to `last` that differ from their weekdays; `working` None: closed."""

    first: date
    last: date
    working: WorkingDay | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BookingRules:
    """What limits the bookings of one kind."""

    per_day: int | None = None
    """Vehicles a day; None: not limited."""
    per_slot: int | None = None
    """Vehicles in each slot; None: not limited."""
    slots: tuple[Slot, ...] = ()
    lead_days: int = 0
    """Open days that have to begin before the first one that can be booked; 0: today can be."""
    same_day_until: str | None = None
    """Until when today can be booked, `10:00`; None: as long as the day."""
    weekdays: frozenset[int] | None = None
    """The weekdays on which this can be booked, 0 is Monday; None: every open day."""


@dataclass(frozen=True, slots=True)
class Capacity:
    weekdays: Mapping[int, WorkingDay]
    """By weekday, 0 is Monday; on the others the workshop is closed."""
    rules: Mapping[BookingKind, BookingRules] = field(default_factory=dict)
    federal_state: str | None = None
    """Its public holidays are closed days; None: those of all states."""
    exceptions: tuple[DayException, ...] = ()
    horizon_days: int = DEFAULT_HORIZON_DAYS
    """How many days from today on can be booked."""
    tight_from: float = DEFAULT_TIGHT_FROM
    """The share of a limit from which on a day is tight."""


class ClosedReason(StrEnum):
    """Why nobody works on a day."""

    WEEKDAY = "closed_weekday"
    HOLIDAY = "holiday"
    EXCEPTION = "exception"


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """`working` None: closed, for `reason`. `note`: the holiday's name, or the exception's reason."""

    working: WorkingDay | None
    reason: ClosedReason | None = None
    note: str | None = None


_MAX_KEPT_RANGES = 32
"""Ranges of days whose working days a calendar keeps, of some 10 KB each."""


class WorkshopCalendar:
    """The open days of a workshop. `find_holiday` gives the name of a state's holiday on a day, or None."""

    def __init__(
        self, capacity: Capacity, find_holiday: Callable[[str | None, date], str | None] = find_holiday
    ) -> None:
        self.capacity = capacity
        self._find_holiday = find_holiday
        self._days: dict[date, CalendarDay] = {}
        self._working_days: dict[tuple[Trade, date, date], Sequence[str]] = {}

    def __getitem__(self, day: date) -> CalendarDay:
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = self._find(day)
        return found

    def _find(self, day: date) -> CalendarDay:
        """An exception comes before a holiday, and that before the weekday."""
        for exception in self.capacity.exceptions:
            if exception.first <= day <= exception.last:
                reason = ClosedReason.EXCEPTION if exception.working is None else None
                return CalendarDay(exception.working, reason, exception.reason or None)
        working = self.capacity.weekdays.get(day.weekday())
        if working is None:
            return CalendarDay(None, ClosedReason.WEEKDAY)
        holiday = self._find_holiday(self.capacity.federal_state, day)
        return CalendarDay(working) if holiday is None else CalendarDay(None, ClosedReason.HOLIDAY, holiday)

    def capacity_of(self, day: date, trade: Trade) -> float | None:
        """Hours; 0 on a closed day, None where they are not limited."""
        working = self[day].working
        return 0.0 if working is None else working.hours.get(trade)

    def list_working_days(self, trade: Trade, first: date, last: date) -> Sequence[str]:
        """The days on which a trade works, in order, as ISO texts."""
        found = self._working_days.get((trade, first, last))
        if found is None:
            days = (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))
            found = [day.isoformat() for day in days if self.capacity_of(day, trade) != 0]
            if len(self._working_days) >= _MAX_KEPT_RANGES:
                self._working_days.clear()
            self._working_days[trade, first, last] = found
        return found

    def usual_hours(self, trade: Trade) -> float | None:
        """The fewest hours that the trade works on a weekday on which it does; None where none is limited."""
        hours = [working.hours.get(trade) for working in self.capacity.weekdays.values()]
        return min((limit for limit in hours if limit), default=None)
