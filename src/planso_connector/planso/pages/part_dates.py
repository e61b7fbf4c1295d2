"""
The date cell of a part, `<order date> / <delivery date>`, read. Pure. Source: the PlanSo protocol's section 4.

A cell is taken apart into dates, dashes, slashes and words, in the order in which they stand. The first of these that
says something decides which date is which: the class `rsvgp_bestelldate_td`, the place before or after the slash, the
words around the date, the place among several dates and dashes. Where nothing does, the date is what the caller says a
lone one is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from planso_connector.domain import german_formats
from planso_connector.domain.folding import fold
from planso_connector.planso.pages.part_cells import is_visible, read_control_value

_ORDER_DATE_CLASS = "rsvgp_bestelldate_td"
_TITLES = ("title", "data-original-title")
"""A tooltip of Bootstrap's moves its text into the second."""
_DATE = (
    r"(?P<day>(?<![\d.])\d{1,2}\.\s?\d{1,2}\.\s?(?:\d{4}|\d{2})(?!\d)|(?<!\d)\d{4}-\d{1,2}-\d{1,2}(?!\d))"
    r"(?:[ ,T]+(?P<time>\d{1,2}:\d{2}(?::\d{2})?)(?P<until>\s*[-–]\s*\d{1,2}:\d{2})?)?"
)
_TOKEN = re.compile(
    rf"{_DATE}|(?P<short>(?<![\d.])\d{{1,2}}\.\d{{1,2}}\.(?!\d))"
    r"|(?P<slash>(?<![^\W\d_])[/|∕⁄／]|[/|∕⁄／](?![^\W\d_]))|(?P<dash>(?<!\S)[-–—]{1,2}(?!\S))"
)
_STRAY = re.compile(r"\bArray(?![a-z])")
"""What PHP writes where a list was meant to be a text."""
_ORDER_WORDS = re.compile(r"bestell|order|beauftragt")
_DELIVERY_WORDS = re.compile(r"liefer|deliver|eingang|eingetroffen|ankunft|erwartet|expected|received")


class DateRole(Enum):
    ORDER = "order"
    DELIVERY = "delivery"


class PartDates(NamedTuple):
    """Canonical days, a time may follow."""

    ordered: str | None = None
    delivered: str | None = None


class _Kind(Enum):
    DATE = "date"
    SHORT = "short"
    """A day without a year: a date only with a title that has the year."""
    EMPTY = "empty"
    SLASH = "slash"
    WORDS = "words"


@dataclass(frozen=True)
class _Token:
    """`text`: the canonical date, `16.12.` for a short one, the words."""

    kind: _Kind
    text: str = ""
    role: DateRole | None = None
    is_marked: bool = False
    is_aside: bool = False
    """It stands in the title of something else than a date: `geändert am 03.11.2026`."""


def read_dates(cell: LexborNode | None, lone: DateRole = DateRole.DELIVERY) -> PartDates:
    """The dates in a cell; `lone` is what a date is of which nothing tells."""
    if cell is None:
        return PartDates()
    tokens = _with_roles(_tokens(cell))
    slash = _slash(tokens)
    if slash is None and any(token.kind is _Kind.DATE and not token.is_aside for token in tokens):
        tokens = [token for token in tokens if not token.is_aside]
    marked = next((at for at, token in enumerate(tokens) if token.is_marked), None)
    if marked is None:
        return _by_place(tokens, slash) if slash is not None else _by_words(tokens, lone)
    if slash is None:
        rest = [*tokens[:marked], *tokens[marked + 1 :]]
        return PartDates(tokens[marked].text, _by_words(rest, DateRole.DELIVERY).delivered)
    places = _by_place(tokens, slash)
    return PartDates(tokens[marked].text, places.delivered if marked < slash else places.ordered)


def read_date(cell: LexborNode | None) -> str | None:
    """The first date in a cell that holds one."""
    dates = read_dates(cell)
    return dates.delivered or dates.ordered


def _slash(tokens: Sequence[_Token]) -> int | None:
    return next((at for at, token in enumerate(tokens) if token.kind is _Kind.SLASH), None)


def _by_place(tokens: Sequence[_Token], slash: int) -> PartDates:
    """Before the first slash and after it."""
    after = tokens[slash + 1 :]
    return PartDates(_first_date(tokens[:slash]), _first_date(after[: _slash(after)]))


def _first_date(tokens: Sequence[_Token]) -> str | None:
    dates = [token for token in tokens if token.kind is _Kind.DATE]
    return next((date.text for date in sorted(dates, key=lambda date: date.is_aside)), None)


def _by_words(tokens: Sequence[_Token], lone: DateRole) -> PartDates:
    """By what is said of each date, else by its place among the others and the dashes."""
    places = [token for token in tokens if token.kind in (_Kind.DATE, _Kind.EMPTY)]
    if sum(token.kind is _Kind.DATE for token in places) > 1:  # a dash between two dates holds no place
        places = [token for token in places if token.kind is _Kind.DATE]
    found: dict[DateRole, str] = {}
    for token in places:
        if token.role is not None:
            found.setdefault(token.role, token.text)
    free = [token for token in places if token.role is None]
    if len(free) == 1 and len(places) == 1:
        found[lone] = free[0].text
    elif len(free) == 1 and found:
        found.setdefault(DateRole.DELIVERY if DateRole.ORDER in found else DateRole.ORDER, free[0].text)
    else:
        for role, token in zip(DateRole, free, strict=False):
            found.setdefault(role, token.text)
    return PartDates(found.get(DateRole.ORDER) or None, found.get(DateRole.DELIVERY) or None)


def _with_roles(tokens: Sequence[_Token]) -> list[_Token]:
    """The dates with what the words before them say, or those behind them where the cell begins with a date."""
    first = next((token.kind for token in tokens if token.kind in (_Kind.DATE, _Kind.WORDS)), None)
    step = 1 if first is _Kind.DATE else -1
    told = []
    for at, token in enumerate(tokens):
        beside = tokens[at + step] if 0 <= at + step < len(tokens) else None
        if token.kind is _Kind.DATE and token.role is None and beside is not None and beside.kind is _Kind.WORDS:
            token = replace(token, role=_role(beside.text))
        told.append(token)
    return told


def _role(words: str) -> DateRole | None:
    """What the last of the words says."""
    plain = fold(words)
    at = {
        role: max((match.start() for match in pattern.finditer(plain)), default=-1)
        for role, pattern in ((DateRole.ORDER, _ORDER_WORDS), (DateRole.DELIVERY, _DELIVERY_WORDS))
    }
    best = max(at, key=lambda role: at[role])
    return best if at[best] >= 0 else None


def _tokens(cell: LexborNode) -> list[_Token]:
    """What stands in a cell, in its order; without recursion, since pages may be nested as deeply as they like."""
    done: list[list[_Token]] = [[]]
    waiting: list[tuple[LexborNode, bool]] = [(cell, True)]
    while waiting:
        node, enters = waiting.pop()
        if node.is_text_node:
            done[-1] += _scanned(node.text_content or "")
        elif not enters:
            inside = done.pop()
            done[-1] += _of_element(node, inside)
        elif node.mem_id == cell.mem_id or is_visible(node):
            value = read_control_value(node)
            done.append(_scanned(value or "-") if value is not None else [])
            waiting.append((node, False))
            if value is None:
                waiting += [(child, True) for child in node.iter(include_text=True)][::-1]
    return done[0]


def _of_element(node: LexborNode, inside: list[_Token]) -> list[_Token]:
    """What an element stands for: its title's date in place of its own text, which is often shorter."""
    attributes = node.attributes
    title = next((attributes[name] or "" for name in _TITLES if attributes.get(name)), "")
    titled = _with_roles(_scanned(title))
    dates = [token for token in titled if token.kind is _Kind.DATE]
    if dates:
        inside = _in_place(inside, dates) if _slash(inside) is not None else _titled(inside, titled, dates)
    elif not inside:
        inside = [token for token in titled if token.kind is _Kind.EMPTY]
    if _ORDER_DATE_CLASS in (attributes.get("class") or "").split():
        at = next((at for at, token in enumerate(inside[: _slash(inside)]) if token.kind is _Kind.DATE), None)
        if at is not None:
            inside = [*inside[:at], replace(inside[at], is_marked=True), *inside[at + 1 :]]
    return inside


def _in_place(inside: list[_Token], dates: list[_Token]) -> list[_Token]:
    """The short dates in a text with slashes, each with the year that the title has for it."""
    by_day = {f"{int(token.text[8:10])}.{int(token.text[5:7])}.": token for token in dates}
    return [
        replace(by_day[token.text], is_aside=False) if token.kind is _Kind.SHORT and token.text in by_day else token
        for token in inside
    ]


def _titled(inside: list[_Token], titled: list[_Token], dates: list[_Token]) -> list[_Token]:
    """A title with dates, on a text without a slash."""
    own = [token for token in inside if token.kind is _Kind.DATE]
    if len(titled) == 1:
        return dates if sum(token.kind in (_Kind.DATE, _Kind.EMPTY) for token in inside) <= 1 else inside
    if len(dates) > 1:
        return titled if {token.text[:10] for token in own} <= {token.text[:10] for token in dates} else inside
    (date,) = dates
    if not own:
        has_short = any(token.kind is _Kind.SHORT for token in inside)
        return [replace(date, is_aside=date.role is None and not has_short)]
    if len(own) > 1 or own[0].text[:10] != date.text[:10]:
        return inside  # the title is about something else than the text
    return [replace(date, role=date.role or own[0].role)]


def _scanned(text: str) -> list[_Token]:
    """Dates that no calendar has are as good as a dash."""
    tokens: list[_Token] = []
    end = 0
    plain = " ".join(_STRAY.sub(" ", text).split())
    for match in _TOKEN.finditer(plain):
        tokens += _words(plain[end : match.start()])
        tokens.append(_token(match))
        end = match.end()
    return [*tokens, *_words(plain[end:])]


def _token(match: re.Match[str]) -> _Token:
    if match["slash"]:
        return _Token(_Kind.SLASH)
    if match["dash"]:
        return _Token(_Kind.EMPTY)
    if match["short"]:
        day, month, _ = match["short"].split(".")
        return _Token(_Kind.SHORT, f"{int(day)}.{int(month)}.")
    clock = match["time"] if match["time"] and not match["until"] else None
    for words in (f"{match['day']} {clock}" if clock else match["day"], match["day"]):
        try:
            return _Token(_Kind.DATE, german_formats.parse_date(words))
        except ValueError:
            continue
    return _Token(_Kind.EMPTY)


def _words(text: str) -> Iterator[_Token]:
    if any(letter.isalpha() for letter in text):
        yield _Token(_Kind.WORDS, text)
