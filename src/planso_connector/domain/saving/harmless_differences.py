"""Recognise values that PlanSo copies, derives or stamps after a requested change: week numbers, sums, times. Pure."""

import re
from datetime import date, datetime, timedelta
from typing import NamedTuple

from planso_connector.domain import german_formats
from planso_connector.domain.saving.snapshot import ControlState
from planso_connector.domain.saving.text_damage import is_same_after_normalisation

CLOCK_TOLERANCE = timedelta(minutes=10)
"""How far the clocks of PlanSo and the connector may differ for a time to count as that of the save."""

_COMMON_WORDS = frozenset({"ja", "nein", "on", "off", "true", "false", "kein", "keine"})
_WEEK = re.compile(r"(?:(?:kw|w)?\s*(?P<week>\d{1,2})(?:\s*[/.]\s*\d{2,4})?|\d{4}-?w(?P<iso>\d{2}))", re.IGNORECASE)
_WEEKDAYS = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")
_MAKES = re.compile(r"hersteller|marke|fabrikat|make(id)?", re.IGNORECASE)
_MODELS = re.compile(r"modell?|baureihe|(fahrzeug)?typ|model(id)?", re.IGNORECASE)
_MODEL_COLUMNS = re.compile(r"modell?|baureihe|fahrzeugtyp|model(id)?", re.IGNORECASE)
"""Without `typ` alone: `LWg_Typ` is a rental car's."""
_AUDIT = re.compile(
    r"ge(ä|ae|_)ndert|aktualisiert|bearbeitet|\bbearbeiter\b|zuletzt|changed|modified|updated"
    r"|last_?(edit|change|save|user)|timestamp",
    re.IGNORECASE,
)
_UNLABELLED_AUDIT = re.compile(r"revision|version", re.IGNORECASE)
"""Only for controls without a label: `Fahrzeugversion` is a value like any other."""
_TOKEN = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9+/=_.\-]{12,}")
_COUNT = re.compile(r"\d{1,18}")
_EPOCH = re.compile(r"\d{10}(\d{3})?")
_LETTERS = re.compile(r"[A-Za-z]+")


class RequestedChange(NamedTuple):
    """A control that the save was asked to change: as it was, and as it was sent."""

    old: ControlState
    new: ControlState

    @property
    def column(self) -> str:
        return self.old.column


def is_copy(old: ControlState, new: ControlState, change: RequestedChange) -> bool:
    """Whether the control shows the requested value too, alone or in place of the old one within a longer text."""
    if change.new.is_empty:
        if not new.is_empty or change.old.is_empty or not old.is_equivalent(change.old):
            return False
        # An unchecked box, or `erledigt` in another list, is no copy.
        return bool(old.label and old.label == change.old.label) or (_is_distinctive(old.shown) and not old.options)
    requested, replaced = change.new.shown, change.old.shown
    if _is_distinctive(requested) and not new.is_empty and is_same_after_normalisation(new.shown, requested):
        return True
    return _is_distinctive(replaced) and replaced in old.shown and new.shown == old.shown.replace(replaced, requested)


def _is_distinctive(text: str) -> bool:
    return len(text.strip()) > 1 and text.strip().casefold() not in _COMMON_WORDS


def is_derived(old: ControlState, new: ControlState, change: RequestedChange) -> bool:
    """Whether PlanSo may compute the control from the requested one."""
    if old.options and new.options and 2 * len(old.options & new.options) < len(old.options):
        return True  # a list of other options, not one that lacks an option
    if _has_meaning(change.old, _MAKES, _MAKES) and _has_meaning(old, _MODELS, _MODEL_COLUMNS):
        return True
    return _follows_date(old, new, change) or _follows_number(old, new, change)


def _has_meaning(state: ControlState, labels: re.Pattern[str], columns: re.Pattern[str]) -> bool:
    last_word = _LETTERS.findall(state.column)[-1:]
    return labels.fullmatch(state.label.strip()) is not None or any(map(columns.fullmatch, last_word))


def _follows_date(old: ControlState, new: ControlState, change: RequestedChange) -> bool:
    """Whether it is the week number or the weekday of the requested date, or a date that moved as far."""
    old_requested, new_requested = parse_day(change.old.shown), parse_day(change.new.shown)
    if new.is_empty:
        return change.new.is_empty and old_requested is not None and _names_week_or_weekday(old.shown, old_requested)
    if new_requested is None:
        return False
    if _names_week_or_weekday(new.shown, new_requested):
        return True
    old_day, new_day = parse_day(old.shown), parse_day(new.shown)
    if old_requested is None or old_day is None or new_day is None:
        return False
    return new_day - old_day == new_requested - old_requested


def _names_week_or_weekday(text: str, day: date) -> bool:
    match = _WEEK.fullmatch(text.strip())
    if match is not None and int(match["week"] or match["iso"]) == day.isocalendar().week:
        return True
    name = _WEEKDAYS[day.weekday()]
    return text.strip().casefold().rstrip(".") in (name, name[:2])


def parse_day(text: str) -> date | None:
    """None for a text that is no date."""
    try:
        return date.fromisoformat(german_formats.parse_date(text)[:10])
    except ValueError:
        return None


def _follows_number(old: ControlState, new: ControlState, change: RequestedChange) -> bool:
    """Whether it is a sum that contains the requested number; one becomes empty only where that was all of it."""
    if new.is_empty and not change.new.is_empty:
        return False
    numbers = [_parse_number(state) for state in (old, new, change.old, change.new)]
    if any(number is None for number in numbers):
        return False
    old_sum, new_sum, old_requested, new_requested = (number or 0.0 for number in numbers)
    is_changed = new_requested != old_requested
    return is_changed and abs((new_sum - old_sum) - (new_requested - old_requested)) < 1e-6


def _parse_number(state: ControlState) -> float | None:
    if state.is_empty:
        return 0.0
    try:
        return german_formats.parse_decimal(state.shown)
    except ValueError:
        return None


def is_audit_stamp(old: ControlState, new: ControlState, now: datetime | None) -> bool:
    """Whether the control holds when, how often or by whom the order was changed, or a token of the form."""
    if new.is_empty:
        return False
    if _AUDIT.search(old.label) or _AUDIT.search(old.column):
        return True
    if now is not None and _is_close_to(new.shown, now) and not _is_future_day(old.shown, now):
        return True
    if old.label:
        return False
    if _UNLABELLED_AUDIT.search(old.column):
        return True
    if _TOKEN.fullmatch(new.shown) and (old.is_empty or _TOKEN.fullmatch(old.shown)):
        return True
    is_count = _COUNT.fullmatch(old.shown) and _COUNT.fullmatch(new.shown)
    return is_count is not None and int(new.shown) == int(old.shown) + 1


def _is_future_day(text: str, now: datetime) -> bool:
    day = parse_day(text)
    return day is not None and day > now.date()


def _is_close_to(text: str, now: datetime) -> bool:
    """Whether the text is a Unix time, or a date with a time, within CLOCK_TOLERANCE of `now`."""
    if _EPOCH.fullmatch(text):
        moment = datetime.fromtimestamp(int(text[:10]), german_formats.BERLIN).replace(tzinfo=None)
        return abs(moment - now) <= CLOCK_TOLERANCE
    try:
        parsed = german_formats.parse_date(text)
    except ValueError:
        return False
    return "T" in parsed and abs(datetime.fromisoformat(parsed) - now) <= CLOCK_TOLERANCE
