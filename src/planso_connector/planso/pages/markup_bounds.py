"""
Bounds of a page's markup, counted before the parser sees it. Pure.

Lexbor takes time by the square of the depth and of one tag's attributes, and copies formatting elements that a page
leaves open into every block that follows: 40 KB of `<font>` and `<p>` became 1.5 GB. No page of PlanSo comes near.
"""

from __future__ import annotations

import re

from planso_connector.domain.errors import PageTooLarge

MAX_TAGS = 100_000
"""Tags of a page, closing ones too: 50,000 options, or 1,500 parts with 30 elements each."""
MAX_DEPTH = 2_000
MAX_ATTRIBUTES = 1_000
"""Of one tag."""
MAX_COPIES = 150_000
"""Copies that a parser may have to make of formatting elements that are left open."""
MAX_BODIES = 100
"""Further `<body>` and `<html>` tags only add their attributes to the first."""

_SMALL = 65_536
"""A page of so many characters has not the room for depth or attributes that take a parser long."""

_SPACE = r"[ \t\n\f\r]"
_ATTRIBUTE = (
    r"[ \t\n\f\r/]*+[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+"
    rf"(?:{_SPACE}*+={_SPACE}*+(?:\"[^\"]*+\"|'[^']*+'|[^ \t\n\f\r>\"'][^ \t\n\f\r>]*+)?+)?+"
)
_ATTRIBUTES = re.compile(_ATTRIBUTE)
_TOKEN = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    rf"|<(?P<end>/?)(?P<name>[a-zA-Z][^ \t\n\f\r/>]*+)(?P<attributes>(?:{_ATTRIBUTE})*+)[ \t\n\f\r/]*+(?:>|\Z)"
    r"|<[!?/][^>]*+>",
    re.DOTALL,
)
"""A comment or a tag, as HTML's tokenizer takes them."""
_FORMAT_OR_BODY = re.compile(
    r"<(?=[bBcCeEfFhHiIsStTuU])(?:[bBiIsSuU]|[eE][mM]|[tT]{2}|[bB][iI][gG]|[cC][oO][dD][eE]|[fF][oO][nN][tT]"
    r"|[sS][mM][aA][lL]{2}|[sS][tT][rR][iI][kK][eE]|[sS][tT][rR][oO][nN][gG]|[bB][oO][dD][yY]|[hH][tT][mM][lL])"
    r"(?=[ \t\n\f\r/>])"
)


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_BODIES = frozenset({"<body", "<html"})
_FORMATS = _set("b big code em font i s small strike strong tt u")
_SAME_AT_MOST = 3
"""So many open formatting elements of the same name and attributes a parser keeps."""
_RAW = _set("script style textarea title xmp iframe noembed noframes")
_FENCES = _RAW | _set("table caption object applet marquee template select svg math button")
"""Inside of these an end tag does not close what was opened outside."""
_CELLS = frozenset({"td", "th"})
_ENDS_OF_CELLS = _set("tr tbody thead tfoot table")
_UNNESTED = _set(
    "area base br col embed hr img input link meta source track wbr param keygen p li dt dd option optgroup tr td th "
    "thead tbody tfoot colgroup body html head"
)
"""Elements without content, and those that HTML lets a page leave open."""


def check_markup(content: str) -> None:
    """Raises PageTooLarge for markup that a parser would take too long for, or too much memory."""
    tags = content.count("<")
    if tags > MAX_TAGS:
        raise PageTooLarge(f"it has {tags} tags; at most {MAX_TAGS} are read")
    found = _FORMAT_OR_BODY.findall(content)
    bodies = sum(name.lower() in _BODIES for name in found)
    if bodies > MAX_BODIES:
        raise PageTooLarge(f"it has {bodies} body or html elements; at most {MAX_BODIES} are read")
    if len(content) > _SMALL or len(found) * tags > MAX_COPIES:
        _check_tags(content)


def _check_tags(content: str) -> None:
    depth, nesting = 0, dict[str, int]()
    formats = _OpenFormats()
    copies = 0
    for token in _TOKEN.finditer(content):
        name = token["name"]
        if not name:
            continue
        name = name.lower()
        attributes = token["attributes"]
        if len(attributes) > 2 * MAX_ATTRIBUTES and len(_ATTRIBUTES.findall(attributes)) > MAX_ATTRIBUTES:
            raise PageTooLarge(f"a tag has more than {MAX_ATTRIBUTES} attributes")
        copies += formats.count
        if copies > MAX_COPIES:
            raise PageTooLarge("it leaves more formatting elements open than a parser has room for")
        if token["end"]:
            formats.end(name)
            if nesting.get(name):
                nesting[name] -= 1
                depth -= 1
            continue
        formats.start(name, attributes)
        if name not in _UNNESTED:
            nesting[name] = nesting.get(name, 0) + 1
            depth += 1
            if depth > MAX_DEPTH:
                raise PageTooLarge(f"it is nested more than {MAX_DEPTH} elements deep")


class _OpenFormats:
    """
    How many formatting elements are open at most, by HTML's rules for them: an end tag closes none that was opened
    outside of the innermost fence. Where the rules are simplified, more count as open.
    """

    def __init__(self) -> None:
        self.count = 0
        self._open: list[tuple[str, str | None]] = []
        """Names with attributes; of fences without."""
        self._same: dict[tuple[str, str | None], int] = {}

    def start(self, name: str, attributes: str) -> None:
        if name in _FORMATS:
            entry = (name, attributes)
            if self._same.get(entry, 0) < _SAME_AT_MOST:
                self._same[entry] = self._same.get(entry, 0) + 1
                self._open.append(entry)
                self.count += 1
        elif name in _FENCES or (name in _CELLS and self._fence() in _CELLS | {"table"}):
            self._open.append((name, None))

    def end(self, name: str) -> None:
        if name in _FORMATS:
            for at in range(len(self._open) - 1, -1, -1):
                if self._open[at][1] is None:
                    return
                if self._open[at][0] == name:
                    self._close(at)
                    return
        elif name in _CELLS:
            if self._fence() in _CELLS:
                self._end_cell()
        elif name in _ENDS_OF_CELLS or name in _FENCES:
            while name in _ENDS_OF_CELLS and self._fence() in _CELLS:
                self._end_cell()
            if self._fence() == name:
                self._close(self._fence_at())

    def _fence_at(self) -> int:
        return next((at for at in range(len(self._open) - 1, -1, -1) if self._open[at][1] is None), -1)

    def _fence(self) -> str:
        at = self._fence_at()
        return self._open[at][0] if at >= 0 else ""

    def _end_cell(self) -> None:
        """What was opened in a cell ends with it."""
        while self._open[-1][1] is not None:
            self._close(len(self._open) - 1)
        self._open.pop()

    def _close(self, at: int) -> None:
        entry = self._open.pop(at)
        if entry[1] is not None:
            self._same[entry] -= 1
            self.count -= 1
