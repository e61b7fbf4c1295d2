"""
Parse the date cell of a part, `<order date> / <delivery date>`. Source: the PlanSo protocol's section 4.

A cell is taken apart into dates, dashes, slashes and words. The first of these that says something decides which date
is which: the class `rsvgp_bestelldate_td`, the place before or after the slash, the words around the date, the place
among several dates and dashes. Where nothing does, the caller decides what a lone date is.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from planso_connector.domain import german_formats
from planso_connector.domain.folding import fold
from planso_connector.planso.pages.nodes import list_classes
from planso_connector.planso.pages.part_cells import is_visible, read_control_value

_ORDER_DATE_CLASS = "rsvgp_bestelldate_td"
_TITLES = ("title", "data-original-title")
"""Bootstrap's tooltips move their text into the second."""
_DATE = (
    r"(?P<day>(?<![\d.])\d{1,2}\.\s?\d{1,2}\.\s?(?:\d{4}|\d{2})(?!\d)|(?<!\d)\d{4}-\d{1,2}-\d{1,2}(?!\d))"
    r"(?:[ ,T]+(?P<time>\d{1,2}:\d{2}(?::\d{2})?)(?P<until>\s*[-–]\s*\d{1,2}:\d{2})?)?"
)
_TOKEN = re.compile(
    rf"{_DATE}|(?P<short>(?<![\d.])\d{{1,2}}\.\d{{1,2}}\.(?!\d))"
    r"|(?P<slash>(?<![^\W\d_])[/|∕⁄／]|[/|∕⁄／](?![^\W\d_]))|(?P<dash>(?<!\S)[-–—]{1,2}(?!\S))"
)
_PHP_ARRAY = re.compile(r"\bArray(?![a-z])")
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


class _TokenKind(Enum):
    DATE = "date"
    SHORT = "short"
    """A day without a year: a date only with a title that has the year."""
    EMPTY = "empty"
    """A dash, or a date that no calendar has."""
    SLASH = "slash"
    WORDS = "words"


@dataclass(frozen=True)
class _Token:
    """`text`: the canonical date, `16.12.` for a short one, or the words."""

    kind: _TokenKind
    text: str = ""
    role: DateRole | None = None
    is_marked: bool = False
    """It has the class of the order date."""
    is_aside: bool = False
    """It is in the title of something other than a date: `geändert am 03.11.2026`."""

    @property
    def is_date(self) -> bool:
        return self.kind is _TokenKind.DATE

    @property
    def day(self) -> str:
        return self.text[:10]


def read_dates(cell: LexborNode | None, lone: DateRole = DateRole.DELIVERY) -> PartDates:
    """The dates in a cell; `lone` is the role of a date of which nothing tells."""
    if cell is None:
        return PartDates()
    tokens = _add_roles(_tokenize(cell))
    slash = _find_slash(tokens)
    if slash is None and any(token.is_date and not token.is_aside for token in tokens):
        tokens = [token for token in tokens if not token.is_aside]
    marked = next((index for index, token in enumerate(tokens) if token.is_marked), None)
    if marked is None:
        return _split_at(tokens, slash) if slash is not None else _assign_roles(tokens, lone)
    if slash is None:
        others = [*tokens[:marked], *tokens[marked + 1 :]]
        return PartDates(tokens[marked].text, _assign_roles(others, DateRole.DELIVERY).delivered)
    dates = _split_at(tokens, slash)
    return PartDates(tokens[marked].text, dates.delivered if marked < slash else dates.ordered)


def read_date(cell: LexborNode | None) -> str | None:
    """The only date of a cell, or the delivery date of several."""
    dates = read_dates(cell)
    return dates.delivered or dates.ordered


def _find_slash(tokens: Sequence[_Token]) -> int | None:
    return next((index for index, token in enumerate(tokens) if token.kind is _TokenKind.SLASH), None)


def _split_at(tokens: Sequence[_Token], slash: int) -> PartDates:
    """The dates before the first slash and after it."""
    after = tokens[slash + 1 :]
    return PartDates(_find_date(tokens[:slash]), _find_date(after[: _find_slash(after)]))


def _find_date(tokens: Sequence[_Token]) -> str | None:
    dates = [token for token in tokens if token.is_date]
    return next((date.text for date in sorted(dates, key=lambda date: date.is_aside)), None)


def _assign_roles(tokens: Sequence[_Token], lone: DateRole) -> PartDates:
    """By what is said of each date, else by its place among the others and the dashes."""
    dates = [token for token in tokens if token.is_date]
    # A dash between two dates holds no place.
    places = dates if len(dates) > 1 else [token for token in tokens if token.is_date or token.kind is _TokenKind.EMPTY]
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


def _add_roles(tokens: Sequence[_Token]) -> list[_Token]:
    """Give dates the role that the words before them say, or those behind them where the cell begins with a date."""
    first = next((token.kind for token in tokens if token.kind in (_TokenKind.DATE, _TokenKind.WORDS)), None)
    step = 1 if first is _TokenKind.DATE else -1
    found = []
    for index, token in enumerate(tokens):
        beside = tokens[index + step] if 0 <= index + step < len(tokens) else None
        if token.is_date and token.role is None and beside is not None and beside.kind is _TokenKind.WORDS:
            token = replace(token, role=_read_role(beside.text))
        found.append(token)
    return found


def _read_role(words: str) -> DateRole | None:
    """The role that the last of the words names."""
    text = fold(words)
    last = {
        role: max((match.start() for match in pattern.finditer(text)), default=-1)
        for role, pattern in ((DateRole.ORDER, _ORDER_WORDS), (DateRole.DELIVERY, _DELIVERY_WORDS))
    }
    best = max(last, key=lambda role: last[role])
    return best if last[best] >= 0 else None


def _tokenize(cell: LexborNode) -> list[_Token]:
    """The cell's tokens in their order; without recursion, since pages may be nested as deeply as they like."""
    done: list[list[_Token]] = [[]]
    stack: list[tuple[LexborNode, bool]] = [(cell, True)]
    while stack:
        node, is_entered = stack.pop()
        if node.is_text_node:
            done[-1] += _scan(node.text_content or "")
        elif not is_entered:
            inside = done.pop()
            done[-1] += _apply_title(node, inside)
        elif node.mem_id == cell.mem_id or is_visible(node):
            value = read_control_value(node)
            done.append(_scan(value or "-") if value is not None else [])
            stack.append((node, False))
            if value is None:
                stack += [(child, True) for child in node.iter(include_text=True)][::-1]
    return done[0]


def _apply_title(node: LexborNode, inside: list[_Token]) -> list[_Token]:
    """An element's tokens: its title's date in place of its own text, which is often shorter."""
    attributes = node.attributes
    titled = _add_roles(_scan(next(filter(None, map(attributes.get, _TITLES)), None) or ""))
    dates = [token for token in titled if token.is_date]
    if dates:
        has_slash = _find_slash(inside) is not None
        inside = _complete_short(inside, dates) if has_slash else _choose_titled(inside, titled, dates)
    elif not inside:
        inside = [token for token in titled if token.kind is _TokenKind.EMPTY]
    if _ORDER_DATE_CLASS in list_classes(node):
        first = next((i for i, token in enumerate(inside[: _find_slash(inside)]) if token.is_date), None)
        if first is not None:
            inside = [*inside[:first], replace(inside[first], is_marked=True), *inside[first + 1 :]]
    return inside


def _complete_short(inside: list[_Token], dates: list[_Token]) -> list[_Token]:
    """The short dates in a text with slashes, each with the year that the title has for it."""
    by_day = {f"{int(token.text[8:10])}.{int(token.text[5:7])}.": token for token in dates}
    return [
        replace(by_day[token.text], is_aside=False)
        if token.kind is _TokenKind.SHORT and token.text in by_day
        else token
        for token in inside
    ]


def _choose_titled(inside: list[_Token], titled: list[_Token], dates: list[_Token]) -> list[_Token]:
    """The tokens of a text without a slash, or those of its title, which holds dates."""
    own = [token for token in inside if token.is_date]
    if len(titled) == 1:
        is_one = sum(token.is_date or token.kind is _TokenKind.EMPTY for token in inside) <= 1
        return dates if is_one else inside
    if len(dates) > 1:
        return titled if {token.day for token in own} <= {token.day for token in dates} else inside
    (date,) = dates
    if not own:
        has_short = any(token.kind is _TokenKind.SHORT for token in inside)
        return [replace(date, is_aside=date.role is None and not has_short)]
    if len(own) > 1 or own[0].day != date.day:
        return inside  # the title is about something else than the text
    return [replace(date, role=date.role or own[0].role)]


def _scan(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    end = 0
    text = " ".join(_PHP_ARRAY.sub(" ", text).split())
    for match in _TOKEN.finditer(text):
        tokens += _scan_words(text[end : match.start()])
        tokens.append(_make_token(match))
        end = match.end()
    return [*tokens, *_scan_words(text[end:])]


def _make_token(match: re.Match[str]) -> _Token:
    if match["slash"]:
        return _Token(_TokenKind.SLASH)
    if match["dash"]:
        return _Token(_TokenKind.EMPTY)
    if match["short"]:
        day, month, _ = match["short"].split(".")
        return _Token(_TokenKind.SHORT, f"{int(day)}.{int(month)}.")
    time = match["time"] if match["time"] and not match["until"] else None
    for text in (f"{match['day']} {time}" if time else match["day"], match["day"]):
        try:
            return _Token(_TokenKind.DATE, german_formats.parse_date(text))
        except ValueError:
            continue
    return _Token(_TokenKind.EMPTY)


def _scan_words(text: str) -> Iterator[_Token]:
    if any(map(str.isalpha, text)):
        yield _Token(_TokenKind.WORDS, text)
