"""
A capacity as JSON or TOML, in one form: `docs/availability.md` explains its members.

Errors name the member and what is accepted. Values of TOML that are dates count as their ISO texts.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from planso_connector.domain.capacity.capacity import (
    DEFAULT_HORIZON_DAYS,
    DEFAULT_TIGHT_FROM,
    BookingKind,
    BookingRules,
    Capacity,
    DayException,
    Slot,
    Trade,
    WorkingDay,
)
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.public_holidays import FEDERAL_STATES

WEEKDAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
MAX_HOURS = 10_000
MAX_VEHICLES = 10_000
MAX_DAYS = 366
MAX_SLOTS = 48
MAX_EXCEPTIONS = 500
MAX_REASON_LENGTH = 200

_GERMAN_WEEKDAYS = {"di": 1, "mi": 2, "do": 3, "so": 6}
_WEEKDAY_NUMBERS = {name: number for number, name in enumerate(WEEKDAYS)} | _GERMAN_WEEKDAYS
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_SLOT = re.compile(r"\s*(\d{1,2}:\d{2})\s*[-–]\s*(\d{1,2}:\d{2})\s*")
_MEMBERS = ("federal_state", "horizon_days", "tight_from", "weekdays", *BookingKind, "exceptions")
_RULES = ("per_day", "per_slot", "slots", "lead_days", "same_day_until", "weekdays")
_EXCEPTION = ("from", "to", "closed", *Trade, "reason")
_TIME_HELP = "accepted: a time of day such as 07:30"
_DAY_HELP = "accepted: a day on the calendar, 2026-12-24"
_DAYS_HELP = f"accepted: {', '.join(WEEKDAYS)}"

Path = tuple[str | int, ...]


def read_capacity(document: Mapping[str, Any], loc: Path = ("body",)) -> Capacity:
    """Raises Invalid with each problem; `loc` is where the document came from."""
    reader = _Reader(loc)
    capacity = reader.read(document)
    if reader.problems:
        raise Invalid(reader.problems)
    return capacity


def write_capacity(capacity: Capacity) -> dict[str, Any]:
    """The document that `read_capacity` reads the same capacity from."""
    return {
        "federal_state": capacity.federal_state,
        "horizon_days": capacity.horizon_days,
        "tight_from": capacity.tight_from,
        "weekdays": {WEEKDAYS[day]: _write_hours(capacity.weekdays[day]) for day in sorted(capacity.weekdays)},
        **{kind.value: _write_rules(rules) for kind, rules in capacity.rules.items()},
        "exceptions": [_write_exception(exception) for exception in capacity.exceptions],
    }


def _write_hours(working: WorkingDay) -> dict[str, float | None]:
    return {trade.value: working.hours.get(trade) for trade in Trade}


def _write_rules(rules: BookingRules) -> dict[str, Any]:
    return {
        "per_day": rules.per_day,
        "per_slot": rules.per_slot,
        "slots": [str(slot) for slot in rules.slots],
        "lead_days": rules.lead_days,
        "same_day_until": rules.same_day_until,
        "weekdays": None if rules.weekdays is None else [WEEKDAYS[day] for day in sorted(rules.weekdays)],
    }


def _write_exception(exception: DayException) -> dict[str, Any]:
    return {
        "from": exception.first.isoformat(),
        "to": exception.last.isoformat(),
        "closed": exception.working is None,
        **_write_hours(exception.working or WorkingDay({})),
        "reason": exception.reason,
    }


class _Reader:
    """Collects the problems, and goes on with a value that is possible."""

    def __init__(self, loc: Path) -> None:
        self._loc = loc
        self.problems: list[Problem] = []

    def read(self, document: Mapping[str, Any]) -> Capacity:
        self._check_members(document, _MEMBERS)
        state = self._text(document, "federal_state").upper() or None
        if state is not None and state not in FEDERAL_STATES:
            states = " ".join(sorted(FEDERAL_STATES))
            self._report(("federal_state",), f"accepted: {states}, or nothing for nationwide holidays alone")
        weekdays = {}
        for name, entry in self._table(document, "weekdays").items():
            path: Path = ("weekdays", name)
            if str(name).lower() not in _WEEKDAY_NUMBERS:
                self._report(path, _DAYS_HELP)
            elif self._is_table(entry, path):
                self._check_members(entry, tuple(Trade), path)
                weekdays[_WEEKDAY_NUMBERS[str(name).lower()]] = self._working(entry, path)
        if document.get("weekdays") is None:
            self._report(("weekdays",), "is required: a member for each weekday on which the workshop is open")
        exceptions = self._list(document, "exceptions", (), MAX_EXCEPTIONS)
        return Capacity(
            weekdays=weekdays,
            rules={kind: self._rules(document[kind], (kind.value,)) for kind in BookingKind if document.get(kind)},
            federal_state=state,
            exceptions=tuple(
                found
                for number, entry in enumerate(exceptions)
                if (found := self._exception(entry, ("exceptions", number))) is not None
            ),
            horizon_days=self._whole(document, "horizon_days", (), 1, MAX_DAYS) or DEFAULT_HORIZON_DAYS,
            tight_from=self._number(document, "tight_from", (), 1) or DEFAULT_TIGHT_FROM,
        )

    def _working(self, entry: Mapping[str, Any], path: Path) -> WorkingDay:
        return WorkingDay({trade: self._number(entry, trade.value, path, MAX_HOURS) for trade in Trade})

    def _rules(self, entry: Any, path: Path) -> BookingRules:
        if not self._is_table(entry, path):
            return BookingRules()
        self._check_members(entry, _RULES, path)
        weekdays = None
        if entry.get("weekdays") is not None:
            names = [str(name).lower() for name in self._list(entry, "weekdays", path, len(WEEKDAYS))]
            if not all(name in _WEEKDAY_NUMBERS for name in names):
                self._report((*path, "weekdays"), _DAYS_HELP)
            weekdays = frozenset(_WEEKDAY_NUMBERS[name] for name in names if name in _WEEKDAY_NUMBERS)
        until = self._text(entry, "same_day_until", path) or None
        if until is not None and not _TIME.fullmatch(until):
            self._report((*path, "same_day_until"), f"{_TIME_HELP}; not '{until[:40]}'")
        rules = BookingRules(
            per_day=self._whole(entry, "per_day", path, 0, MAX_VEHICLES),
            per_slot=self._whole(entry, "per_slot", path, 0, MAX_VEHICLES),
            slots=tuple(self._slots(entry, path)),
            lead_days=self._whole(entry, "lead_days", path, 0, MAX_DAYS) or 0,
            same_day_until=until,
            weekdays=weekdays,
        )
        if rules.per_slot is not None and not rules.slots:
            self._report((*path, "per_slot"), 'accepted together with slots, such as ["07:30-09:00"]')
        return rules

    def _slots(self, entry: Mapping[str, Any], path: Path) -> Iterable[Slot]:
        path = (*path, "slots")
        end_before = ""
        for number, text in enumerate(self._list(entry, "slots", path[:-1], MAX_SLOTS)):
            match = _SLOT.fullmatch(str(text))
            begin, end = (f"{part:0>5}" for part in match.groups()) if match else ("", "")
            if not _TIME.fullmatch(begin) or not _TIME.fullmatch(end) or end <= begin:
                self._report((*path, number), f"accepted: times of day such as 07:30-09:00; not '{str(text)[:40]}'")
            elif begin < end_before:
                self._report((*path, number), f"begins before the slot before it ends ({end_before})")
            else:
                end_before = end
                yield Slot(begin, end)

    def _exception(self, entry: Any, path: Path) -> DayException | None:
        if not self._is_table(entry, path):
            return None
        self._check_members(entry, _EXCEPTION, path)
        first = self._day(entry, "from", path)
        last = self._day(entry, "to", path) if entry.get("to") is not None else first
        if first is None or last is None:
            return None
        if last < first:
            self._report((*path, "to"), f"lies before `from`, {first}")
        hours = [trade for trade in Trade if entry.get(trade.value) is not None]
        closed = entry.get("closed")
        if closed not in (None, True, False):
            self._report((*path, "closed"), "accepted: true or false")
        elif closed and hours:
            self._report((*path, "closed"), f"accepted: closed, or the hours of {' and '.join(Trade)}, not both")
        elif not closed and not hours:
            self._report((*path, "closed"), f"is required, unless {' or '.join(Trade)} has the hours of these days")
        reason = self._text(entry, "reason", path)
        if len(reason) > MAX_REASON_LENGTH:
            self._report((*path, "reason"), f"accepted: up to {MAX_REASON_LENGTH} characters")
        return DayException(first, last, None if closed else self._working(entry, path), reason)

    def _day(self, entry: Mapping[str, Any], name: str, path: Path) -> date | None:
        value = entry.get(name)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        if isinstance(value, str) and len(value) == 10:
            with suppress(ValueError):
                return date.fromisoformat(value)
        self._report((*path, name), _DAY_HELP)
        return None

    def _text(self, entry: Mapping[str, Any], name: str, path: Path = ()) -> str:
        value = entry.get(name)
        if value is None or isinstance(value, str):
            return (value or "").strip()
        self._report((*path, name), "accepted: a text")
        return ""

    def _number(self, entry: Mapping[str, Any], name: str, path: Path, most: float) -> float | None:
        value = entry.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            self._report((*path, name), f"accepted: a number from 0 to {most}")
            return None
        return float(value)

    def _whole(self, entry: Mapping[str, Any], name: str, path: Path, least: int, most: int) -> int | None:
        value = entry.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self._report((*path, name), f"accepted: a whole number from {least} to {most}")
            return None
        return value

    def _table(self, entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        value = entry.get(name)
        return value if value is not None and self._is_table(value, (name,)) else {}

    def _list(self, entry: Mapping[str, Any], name: str, path: Path, most: int) -> list[Any]:
        value = entry.get(name)
        if value is None:
            return []
        if isinstance(value, list) and len(value) <= most:
            return value
        self._report((*path, name), f"accepted: a list of up to {most}")
        return []

    def _is_table(self, value: Any, path: Path) -> bool:
        if isinstance(value, Mapping):
            return True
        self._report(path, "accepted: an object (a table in TOML)")
        return False

    def _check_members(self, entry: Mapping[str, Any], known: Iterable[str], path: Path = ()) -> None:
        names = [str(name) for name in known]
        for name in entry:
            if name not in names:
                self._report((*path, str(name)[:60]), f"unknown; accepted: {', '.join(names)}", "extra_forbidden")

    def _report(self, path: Path, message: str, error_type: str = "value_error") -> None:
        self.problems.append(Problem((*self._loc, *path), message, error_type))
