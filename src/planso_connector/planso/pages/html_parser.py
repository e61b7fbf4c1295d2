"""
Parse PlanSo's HTML, within bounds that are counted before Lexbor sees it.

Lexbor takes time by the square of the depth and of one tag's attributes, and copies formatting elements that a page
leaves open into every block that follows: 40 KB of `<font>` and `<p>` became 1.5 GB. No page of PlanSo comes near.
"""

import re
from dataclasses import dataclass
from typing import Self

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from planso_connector.domain.errors import PageTooLarge
from planso_connector.planso.pages.text import name_set

MAX_TAGS = 100_000
"""Tags of a page, closing ones too: 50,000 options, or 1,500 parts with 30 elements each."""
MAX_DEPTH = 2_000
MAX_ATTRIBUTES = 1_000
"""Of one tag."""
MAX_COPIES = 150_000
"""Copies that Lexbor may have to make of formatting elements that are left open."""
MAX_BODIES = 100
"""`<body>` and `<html>` tags; further ones only add their attributes to the first."""

_HARMLESS_LENGTH = 65_536
"""Up to so many characters neither depth nor attributes take Lexbor long."""

_BARE_ROWS = re.compile(r"\s*<(tr|td|th|tbody|thead)\b", re.IGNORECASE)

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
_FORMATTING = name_set("b big code em font i s small strike strong tt u")
_MAX_EQUAL = 3
"""Open formatting elements of the same name and attributes that a parser keeps."""
_SCOPES = name_set(
    "script style textarea title xmp iframe noembed noframes table caption object applet marquee template select svg "
    "math button"
)
"""Inside these, an end tag does not close what was opened outside."""
_CELLS = frozenset({"td", "th"})
_CELL_ENDS = frozenset({"tr", "tbody", "thead", "tfoot", "table"})
_NOT_NESTING = name_set(
    "area base br col embed hr img input link meta source track wbr param keygen p li dt dd option optgroup tr td th "
    "thead tbody tfoot colgroup body html head"
)
"""Elements without content, and those that HTML lets a page leave open."""


def parse_html(content: str) -> LexborHTMLParser:
    """
    Raises PageTooLarge. Without mutation events: with them each option asks all others of its select, and 28,000
    options take 4 s in place of 20 ms (selectolax issue 221).
    """
    _check_bounds(content)
    return LexborHTMLParser(content, options=LexborDocumentOptions.WO_EVENTS)


def wrap_bare_rows(content: str) -> str:
    """Wrap rows and cells outside a table in one; an HTML parser drops such tags."""
    return f"<table>{content}</table>" if _BARE_ROWS.match(content) else content


@dataclass(frozen=True, slots=True)
class TagBounds:
    """
    For pages that differ in attributes' values, texts, and how many options their selects have: whether they are within
    the bounds. `copies`: of formatting elements, as a page had them; `most_open`: such elements open at once.
    """

    copies: int
    most_open: int

    @classmethod
    def of(cls, content: str) -> Self | None:
        """The bounds of pages like this one; None where it is beyond them itself."""
        try:
            _check_bounds(content)
            return cls(*_check_tags(content))
        except PageTooLarge:
            return None

    def hold(self, content: str) -> bool:
        tags = content.count("<")
        return tags <= MAX_TAGS and self.copies + tags * self.most_open <= MAX_COPIES


def _check_bounds(content: str) -> None:
    """Raise PageTooLarge for markup that would take Lexbor too much time or memory."""
    tags = content.count("<")
    if tags > MAX_TAGS:
        raise PageTooLarge(f"it has {tags} tags; at most {MAX_TAGS} are read")
    found = _FORMAT_OR_BODY.findall(content)
    bodies = sum(name[1:].lower() in ("body", "html") for name in found)
    if bodies > MAX_BODIES:
        raise PageTooLarge(f"it has {bodies} body or html elements; at most {MAX_BODIES} are read")
    if len(content) > _HARMLESS_LENGTH or len(found) * tags > MAX_COPIES:
        _check_tags(content)


def _check_tags(content: str) -> tuple[int, int]:
    """How many copies of formatting elements there may be, and how many such elements are open at once at most."""
    depth, nesting = 0, dict[str, int]()
    formatting = _OpenFormatting()
    copies = most_open = 0
    for token in _TOKEN.finditer(content):
        name = token["name"]
        if not name:
            continue
        name = name.lower()
        attributes = token["attributes"]
        if len(attributes) > 2 * MAX_ATTRIBUTES and len(_ATTRIBUTES.findall(attributes)) > MAX_ATTRIBUTES:
            raise PageTooLarge(f"a tag has more than {MAX_ATTRIBUTES} attributes")
        copies += formatting.count
        if copies > MAX_COPIES:
            raise PageTooLarge("it leaves too many formatting elements open")
        if token["end"]:
            formatting.end(name)
            if nesting.get(name):
                nesting[name] -= 1
                depth -= 1
            continue
        formatting.start(name, attributes)
        most_open = max(most_open, formatting.count)
        if name not in _NOT_NESTING:
            nesting[name] = nesting.get(name, 0) + 1
            depth += 1
            if depth > MAX_DEPTH:
                raise PageTooLarge(f"it is nested more than {MAX_DEPTH} elements deep")
    return copies, most_open


class _OpenFormatting:
    """
    An upper bound on the open formatting elements, by HTML's rules: an end tag closes none that was opened outside the
    innermost scope. Where the rules are simplified here, more count as open.
    """

    def __init__(self) -> None:
        self.count = 0
        self._open: list[tuple[str, str | None]] = []
        """Names with attributes; of scopes without."""
        self._equal: dict[tuple[str, str | None], int] = {}

    def start(self, name: str, attributes: str) -> None:
        if name in _FORMATTING:
            element = (name, attributes)
            if self._equal.get(element, 0) < _MAX_EQUAL:
                self._equal[element] = self._equal.get(element, 0) + 1
                self._open.append(element)
                self.count += 1
        elif name in _SCOPES or (name in _CELLS and self._scope() in _CELLS | {"table"}):
            self._open.append((name, None))

    def end(self, name: str) -> None:
        if name in _FORMATTING:
            for index in range(len(self._open) - 1, self._scope_index(), -1):
                if self._open[index][0] == name:
                    self._close(index)
                    return
        elif name in _CELLS:
            if self._scope() in _CELLS:
                self._end_cell()
        elif name in _CELL_ENDS or name in _SCOPES:
            while name in _CELL_ENDS and self._scope() in _CELLS:
                self._end_cell()
            if self._scope() == name:
                self._close(self._scope_index())

    def _scope_index(self) -> int:
        """The index of the innermost open scope, -1 for none."""
        return next((index for index in range(len(self._open) - 1, -1, -1) if self._open[index][1] is None), -1)

    def _scope(self) -> str:
        index = self._scope_index()
        return self._open[index][0] if index >= 0 else ""

    def _end_cell(self) -> None:
        """Close everything that was opened in the cell."""
        while self._open[-1][1] is not None:
            self._close(len(self._open) - 1)
        self._open.pop()

    def _close(self, index: int) -> None:
        element = self._open.pop(index)
        if element[1] is not None:
            self._equal[element] -= 1
            self.count -= 1
