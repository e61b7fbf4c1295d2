"""
The order's other tabs, read: what stands there as tables, as labels with their values, as links. Pure.

Source: the PlanSo protocol's section 5. Answers are `{"html": ...}`, where `html` may be an object of pages,
`{"center": {"content": ...}}`, or JSON. Not read are the calls that take more than the order (`dist_html`,
`rental_car_data`), and the whole page (`shop_view_single`), which holds the tabs once more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from planso_connector.domain.errors import PageChanged
from planso_connector.planso.pages.answer_pages import find_pages, unescape_page
from planso_connector.planso.pages.markup import parse_form_markup
from planso_connector.planso.pages.tab_page import MAX_ROWS, MAX_TEXT_LENGTH, Link, Table, TabPage
from planso_connector.planso.pages.text import label_key, to_one_line

MAX_TABLES, MAX_PAIRS, MAX_LINKS = 200, 2000, 500
MAX_MEMBERS = 5000
"""What one tab may hold, rows of all its tables together. What is beyond is left out: no order is so long."""

_MORE = {"shop_view": {"get_fields": "false"}}
_CODE = frozenset({"js", "functions", "script", "scripts", "style", "css", "execution_time"})
"""Members that are for PlanSo's own page."""
_LEVELS = 8
"""How deep the members of JSON are looked into."""
_DEEPEST_READ = 200
"""Form controls are looked for in pages that are not nested more deeply."""


@dataclass(frozen=True)
class ParsedTab:
    """One tab of an order. All texts are plain and white-space-collapsed."""

    name: str
    tables: tuple[Table, ...] = ()
    pairs: Mapping[str, str] = field(default_factory=dict)
    """Label to value; of equal labels the first that holds something."""
    links: tuple[Link, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """As answers show it."""
        return {
            "name": self.name,
            "tables": [
                {"headers": list(table.headers), "rows": [list(row) for row in table.rows]} for table in self.tables
            ],
            "pairs": dict(self.pairs),
            "links": [{"text": link.text, "href": link.href} for link in self.links],
        }

    def to_json(self) -> str:
        return json.dumps(self.to_document(), ensure_ascii=False, separators=(",", ":"))


def tab_parameters(name: str, methods: Mapping[str, str], order_id: int) -> dict[str, str]:
    """The parameters that ask for a tab; `methods` are the profile's."""
    return {"m": methods[name], **_MORE.get(name, {}), "ID": str(order_id)}


def parse_tab(name: str, answer: Any) -> ParsedTab:
    """
    The tab in PlanSo's answer, which may hold several pages. JSON without one gives its members as pairs, nested ones
    as `outer.inner`.

    Raises PageChanged for an answer that is neither an object nor a list, that is an error, or is nested beyond reason.
    """
    reading = _Reading()
    pages = find_pages(answer) if isinstance(answer, Mapping) else None
    if pages:
        for page in pages[:MAX_TABLES]:
            reading.read(page)
    elif isinstance(answer, (Mapping, list)):
        if isinstance(answer, Mapping) and answer.get("error"):
            raise PageChanged(f"the tab {name}: PlanSo reports an error instead", page=name)
        for label, value in islice(_members(answer), MAX_MEMBERS):
            reading.read_member(label, value)
    else:
        raise PageChanged(f"the tab {name}: the answer is neither an object nor a list", page=name)
    return ParsedTab(
        name,
        tuple(_within(islice(reading.tables, MAX_TABLES))),
        dict(islice(reading.pairs.items(), MAX_PAIRS)),
        tuple(islice(reading.links, MAX_LINKS)),
    )


class _Reading:
    """What is gathered for a section."""

    def __init__(self) -> None:
        self.tables: list[Table] = []
        self.pairs: dict[str, str] = {}
        self.links: dict[Link, None] = {}

    def read(self, content: str) -> str:
        """A page, or a piece of one; the text that stands in neither tables nor pairs."""
        content = unescape_page(content)
        page = TabPage(content)
        self.tables += page.tables
        self.links |= dict.fromkeys(page.links)
        for label, value in page.pairs:
            self._pair(label, value)
        if page.depth <= _DEEPEST_READ:
            for entry in parse_form_markup(page.form_html).entries:
                if entry.control.type not in ("hidden", "password"):
                    self._pair(entry.label, entry.display_text)
        return page.text

    def read_member(self, label: str, value: object) -> None:
        """A scalar of JSON; texts may hold markup."""
        if isinstance(value, str) and ("<" in value or "&" in value):
            value = self.read(value)
            if not value:
                return
        elif isinstance(value, bool):
            value = "ja" if value else "nein"
        self._pair(label, str(value))

    def _pair(self, label: str, value: str) -> None:
        label = label[:MAX_TEXT_LENGTH]
        if label_key(label) and not self.pairs.get(label):
            self.pairs[label] = " ".join(value.split())[:MAX_TEXT_LENGTH]


def _members(answer: object, path: str = "", levels: int = _LEVELS) -> Iterator[tuple[str, object]]:
    """The scalars of an object or list with their paths; null is none."""
    inside = answer.items() if isinstance(answer, Mapping) else enumerate(answer) if isinstance(answer, list) else ()
    for key, value in inside:
        name = to_one_line(key)
        if name.casefold() in _CODE:
            continue
        if isinstance(value, (Mapping, list)):
            if levels:
                yield from _members(value, f"{path}{name}.", levels - 1)
        elif value is not None:
            yield f"{path}{name}", value


def _within(tables: Iterable[Table]) -> Iterator[Table]:
    """The tables up to the last row that there is room for."""
    room = MAX_ROWS
    for table in tables:
        rows = table.rows[:room]
        room -= len(rows)
        if rows:
            yield Table(table.headers, rows)
