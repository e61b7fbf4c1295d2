"""What PlanSo derives from an asked control by itself: copies, week numbers, sums, stamps. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import NamedTuple

from planso_connector.domain import german_formats
from planso_connector.domain.saving.snapshot import ControlState
from planso_connector.domain.saving.text_damage import is_same_after_normalisation

CLOCK_TOLERANCE = timedelta(minutes=10)
"""By so much the clocks of PlanSo and the connector may differ where a save writes down when it was."""

_TRIVIAL = frozenset({"ja", "nein", "on", "off", "true", "false", "kein", "keine"})
_WEEK = re.compile(r"(?:(?:kw|w)?\s*(?P<week>\d{1,2})(?:\s*[/.]\s*\d{2,4})?|\d{4}-?w(?P<iso>\d{2}))", re.IGNORECASE)
_WEEKDAYS = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")
_MAKES = re.compile(r"hersteller|marke|fabrikat|make(id)?", re.IGNORECASE)
_MODELS = re.compile(r"modell?|baureihe|(fahrzeug)?typ|model(id)?", re.IGNORECASE)
_MODEL_COLUMNS = re.compile(r"modell?|baureihe|fahrzeugtyp|model(id)?", re.IGNORECASE)
"""`LWg_Typ` is a rental car's."""
_AUDIT = re.compile(
    r"ge(ä|ae|_)ndert|aktualisiert|bearbeitet|\bbearbeiter\b|zuletzt|changed|modified|updated"
    r"|last_?(edit|change|save|user)|timestamp",
    re.IGNORECASE,
)
_AUDIT_HIDDEN = re.compile(r"revision|version", re.IGNORECASE)
"""In the name of a control without a label; `Fahrzeugversion` is a value as any other."""
_TOKEN = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9+/=_.\-]{12,}")
_COUNT = re.compile(r"\d{1,18}")
_EPOCH = re.compile(r"\d{10}(\d{3})?")
_PART = re.compile(r"[A-Za-z]+")


class RequestedChange(NamedTuple):
    """A control that was asked to change: as it was, and as it was sent."""

    old: ControlState
    new: ControlState

    @property
    def column(self) -> str:
        return self.old.column


def is_copy(old: ControlState, new: ControlState, asked: RequestedChange) -> bool:
    """Whether the control shows the asked value too, alone or in place of the old one within a longer text."""
    if asked.new.is_empty:
        if not new.is_empty or asked.old.is_empty or not old.is_equivalent(asked.old):
            return False
        # A box that is unchecked, or `erledigt` in a list, is no copy of another one.
        return bool(old.label and old.label == asked.old.label) or (_tells(old.shown) and not old.options)
    if _tells(asked.new.shown) and not new.is_empty and is_same_after_normalisation(new.shown, asked.new.shown):
        return True
    if not _tells(asked.old.shown):
        return False
    return asked.old.shown in old.shown and new.shown == old.shown.replace(asked.old.shown, asked.new.shown)


def _tells(text: str) -> bool:
    """Whether a text is rare enough to be known again."""
    return len(text.strip()) > 1 and text.strip().casefold() not in _TRIVIAL


def is_derived(old: ControlState, new: ControlState, asked: RequestedChange) -> bool:
    """Whether PlanSo may compute the control from the asked one."""
    if old.options and new.options and 2 * len(old.options & new.options) < len(old.options):
        return True  # a list that PlanSo built anew, not one that lacks an option
    if _means(asked.old, _MAKES, _MAKES) and _means(old, _MODELS, _MODEL_COLUMNS):
        return True
    return _follows_date(old, new, asked) or _follows_number(old, new, asked)


def _means(state: ControlState, labels: re.Pattern[str], columns: re.Pattern[str]) -> bool:
    last = _PART.findall(state.column)[-1:]
    return labels.fullmatch(state.label.strip()) is not None or any(map(columns.fullmatch, last))


def _follows_date(old: ControlState, new: ControlState, asked: RequestedChange) -> bool:
    """A week number, a weekday, or another date at the same distance."""
    was, becomes = parse_day(asked.old.shown), parse_day(asked.new.shown)
    if new.is_empty:
        return asked.new.is_empty and was is not None and _is_of(old.shown, was)
    if becomes is None:
        return False
    if _is_of(new.shown, becomes):
        return True
    mine, other = parse_day(old.shown), parse_day(new.shown)
    return was is not None and mine is not None and other is not None and other - mine == becomes - was


def _is_of(text: str, day: date) -> bool:
    """Whether a text is the week number or the weekday of a day."""
    match = _WEEK.fullmatch(text.strip())
    if match is not None and int(match["week"] or match["iso"]) == day.isocalendar().week:
        return True
    name = _WEEKDAYS[day.weekday()]
    return text.strip().casefold().rstrip(".") in (name, name[:2])


def parse_day(text: str) -> date | None:
    """The day that a text says; None for other texts."""
    try:
        return date.fromisoformat(german_formats.parse_date(text)[:10])
    except ValueError:
        return None


def _follows_number(old: ControlState, new: ControlState, asked: RequestedChange) -> bool:
    """A sum that takes the asked number in; it comes to nothing only where that was all of it."""
    if new.is_empty and not asked.new.is_empty:
        return False
    numbers = [_number(state) for state in (old, new, asked.old, asked.new)]
    if any(number is None for number in numbers):
        return False
    mine, now, was, becomes = (number or 0.0 for number in numbers)
    return becomes != was and abs((now - mine) - (becomes - was)) < 1e-6


def _number(state: ControlState) -> float | None:
    if state.is_empty:
        return 0.0
    try:
        return german_formats.parse_decimal(state.shown)
    except ValueError:
        return None


def is_audit_stamp(old: ControlState, new: ControlState, now: datetime | None) -> bool:
    """Whether the control says when, how often or by whom the order was changed, or is a token of the form."""
    if new.is_empty:
        return False
    if _AUDIT.search(old.label) or _AUDIT.search(old.column):
        return True
    if now is not None and _is_now(new.shown, now) and not _is_to_come(old.shown, now):
        return True
    if old.label:
        return False
    if _AUDIT_HIDDEN.search(old.column):
        return True
    if _TOKEN.fullmatch(new.shown) and (old.is_empty or _TOKEN.fullmatch(old.shown)):
        return True
    is_count = _COUNT.fullmatch(old.shown) and _COUNT.fullmatch(new.shown)
    return is_count is not None and int(new.shown) == int(old.shown) + 1


def _is_to_come(text: str, now: datetime) -> bool:
    """Whether it is a day in the future, which no stamp says."""
    day = parse_day(text)
    return day is not None and day > now.date()


def _is_now(text: str, now: datetime) -> bool:
    if _EPOCH.fullmatch(text):
        then = datetime.fromtimestamp(int(text[:10]), german_formats.BERLIN).replace(tzinfo=None)
        return abs(then - now) <= CLOCK_TOLERANCE
    try:
        moment = german_formats.parse_date(text)
    except ValueError:
        return False
    return "T" in moment and abs(datetime.fromisoformat(moment) - now) <= CLOCK_TOLERANCE
