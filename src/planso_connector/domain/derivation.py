"""What PlanSo derives from an asked control by itself: copies, week numbers, sums, stamps. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import NamedTuple

from planso_connector.domain import german
from planso_connector.domain.snapshot import ControlState
from planso_connector.domain.text_damage import is_same_value

STAMP_WITHIN = timedelta(minutes=10)
"""By so much the clocks of PlanSo and the connector may differ where a save writes down when it was."""

_TRIVIAL = frozenset({"ja", "nein", "on", "off", "true", "false", "kein", "keine"})
_WEEK = re.compile(r"(?:(?:kw|w)?\s*(?P<week>\d{1,2})(?:\s*[/.]\s*\d{2,4})?|\d{4}-?w(?P<iso>\d{2}))", re.IGNORECASE)
_WEEKDAYS = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag")
_MAKES = re.compile(r"hersteller|marke|fabrikat|make(id)?", re.IGNORECASE)
_MODELS = re.compile(r"modell?|baureihe|(fahrzeug)?typ|model(id)?", re.IGNORECASE)
_AUDIT = re.compile(
    r"ge(ä|ae|_)ndert|aktualisiert|bearbeit|zuletzt|changed|modified|updated|last_?(edit|change|save|user)"
    r"|timestamp|revision|version",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9+/=_.\-]{12,}")
_EPOCH = re.compile(r"\d{10}(\d{3})?")
_LAST_PART = re.compile(r"[A-Za-z]+(?=[^A-Za-z]*$)")


class Asked(NamedTuple):
    """A control that was asked to change: as it was, and as it was sent."""

    old: ControlState
    new: ControlState

    @property
    def column(self) -> str:
        return self.old.column


def is_copy(old: ControlState, new: ControlState, asked: Asked) -> bool:
    """Whether the control shows the asked value too, alone or in place of the old one within a longer text."""
    if asked.new.is_empty:
        return new.is_empty and not asked.old.is_empty and old.says_same(asked.old)
    if _tells(asked.new.shown) and not new.is_empty and is_same_value(new.shown, asked.new.shown):
        return True
    if not _tells(asked.old.shown):
        return False
    return asked.old.shown in old.shown and new.shown == old.shown.replace(asked.old.shown, asked.new.shown)


def _tells(text: str) -> bool:
    """Whether a text is rare enough to be known again."""
    return len(text.strip()) > 1 and text.strip().casefold() not in _TRIVIAL


def is_derived(old: ControlState, new: ControlState, asked: Asked) -> bool:
    """Whether PlanSo may compute the control from the asked one."""
    if old.offer and new.offer and old.offer != new.offer:
        return True  # a list that PlanSo built anew
    if _means(asked.old, _MAKES) and _means(old, _MODELS):
        return True
    return _follows_date(old, new, asked) or _follows_number(old, new, asked)


def _means(state: ControlState, words: re.Pattern[str]) -> bool:
    last = _LAST_PART.search(state.column)
    return words.fullmatch(state.label.strip()) is not None or (
        last is not None and words.fullmatch(last[0]) is not None
    )


def _follows_date(old: ControlState, new: ControlState, asked: Asked) -> bool:
    """A week number, a weekday, or another date at the same distance."""
    was, becomes = _day(asked.old.shown), _day(asked.new.shown)
    if new.is_empty:
        return asked.new.is_empty and was is not None and _is_of(old.shown, was)
    if becomes is None:
        return False
    if _is_of(new.shown, becomes):
        return True
    mine, other = _day(old.shown), _day(new.shown)
    return was is not None and mine is not None and other is not None and other - mine == becomes - was


def _is_of(text: str, day: date) -> bool:
    """Whether a text is the week number or the weekday of a day."""
    match = _WEEK.fullmatch(text.strip())
    if match is not None and int(match["week"] or match["iso"]) == day.isocalendar().week:
        return True
    name = _WEEKDAYS[day.weekday()]
    return text.strip().casefold().rstrip(".") in (name, name[:2])


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(german.parse_date(text)[:10])
    except ValueError:
        return None


def _follows_number(old: ControlState, new: ControlState, asked: Asked) -> bool:
    """A sum that takes the asked number in."""
    numbers = [_number(state) for state in (old, new, asked.old, asked.new)]
    if any(number is None for number in numbers):
        return False
    mine, now, was, becomes = (number or 0.0 for number in numbers)
    return becomes != was and abs((now - mine) - (becomes - was)) < 1e-6


def _number(state: ControlState) -> float | None:
    if state.is_empty:
        return 0.0
    try:
        return german.parse_decimal(state.shown)
    except ValueError:
        return None


def is_stamp(old: ControlState, new: ControlState, now: datetime | None) -> bool:
    """Whether the control says when, how often or by whom the order was changed, or is a token of the form."""
    if new.is_empty:
        return False
    if _AUDIT.search(old.label) or _AUDIT.search(old.column):
        return True
    if now is not None and _is_now(new.shown, now):
        return True
    if old.label:
        return False
    if _TOKEN.fullmatch(new.shown) and (old.is_empty or _TOKEN.fullmatch(old.shown)):
        return True
    return old.shown.isdecimal() and new.shown.isdecimal() and int(new.shown) == int(old.shown) + 1


def _is_now(text: str, now: datetime) -> bool:
    if _EPOCH.fullmatch(text):
        then = datetime.fromtimestamp(int(text[:10]), german.BERLIN).replace(tzinfo=None)
        return abs(then - now) <= STAMP_WITHIN
    try:
        moment = german.parse_date(text)
    except ValueError:
        return False
    return "T" in moment and abs(datetime.fromisoformat(moment) - now) <= STAMP_WITHIN
