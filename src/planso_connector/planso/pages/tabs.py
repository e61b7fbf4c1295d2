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
from planso_connector.planso.pages.markup import read_page
from planso_connector.planso.pages.tab_page import MOST_ROWS, MOST_WORDS, Link, Table, TabPage
from planso_connector.planso.pages.text import label_key, one_line
from planso_connector.planso.pages.unwrapping import markup_of, pages_of

MOST_TABLES, MOST_PAIRS, MOST_LINKS = 200, 2000, 500
MOST_MEMBERS = 5000
"""What one tab may hold, rows of all its tables together. What is beyond is left out: no order is so long."""

_MORE = {"shop_view": {"get_fields": "false"}}
_CODE = frozenset({"js", "functions", "script", "scripts", "style", "css", "execution_time"})
"""Members that are for PlanSo's own page."""
_LEVELS = 8
"""How deep the members of JSON are looked into."""
_DEEPEST_READ = 200
"""Form controls are looked for in pages that are not nested more deeply."""


@dataclass(frozen=True)
class Section:
    """One tab of an order. All texts are plain and white-space-collapsed."""

    name: str
    tables: tuple[Table, ...] = ()
    pairs: Mapping[str, str] = field(default_factory=dict)
    """Label to value; of equal labels the first that holds something."""
    links: tuple[Link, ...] = ()

    def document(self) -> dict[str, Any]:
        """As answers show it."""
        return {
            "name": self.name,
            "tables": [
                {"headers": list(table.headers), "rows": [list(row) for row in table.rows]} for table in self.tables
            ],
            "pairs": dict(self.pairs),
            "links": [{"text": link.text, "href": link.href} for link in self.links],
        }

    def as_json(self) -> str:
        return json.dumps(self.document(), ensure_ascii=False, separators=(",", ":"))


def tab_call(name: str, methods: Mapping[str, str], order_id: int) -> dict[str, str]:
    """The parameters that ask for a tab; `methods` are the profile's."""
    return {"m": methods[name], **_MORE.get(name, {}), "ID": str(order_id)}


def parse_tab(name: str, answer: Any) -> Section:
    """
    The tab in PlanSo's answer, which may hold several pages. JSON without one gives its members as pairs, nested ones
    as `outer.inner`.

    Raises PageChanged for an answer that is neither an object nor a list, that is an error, or is nested beyond reason.
    """
    reading = _Reading()
    pages = pages_of(answer) if isinstance(answer, Mapping) else None
    if pages:
        for page in pages[:MOST_TABLES]:
            reading.read(page)
    elif isinstance(answer, (Mapping, list)):
        if isinstance(answer, Mapping) and answer.get("error"):
            raise PageChanged(f"the tab {name}: PlanSo reports an error instead", page=name)
        for label, value in islice(_members(answer), MOST_MEMBERS):
            reading.read_member(label, value)
    else:
        raise PageChanged(f"the tab {name}: the answer is neither an object nor a list", page=name)
    return Section(
        name,
        tuple(_within(islice(reading.tables, MOST_TABLES))),
        dict(islice(reading.pairs.items(), MOST_PAIRS)),
        tuple(islice(reading.links, MOST_LINKS)),
    )


class _Reading:
    """What is gathered for a section."""

    def __init__(self) -> None:
        self.tables: list[Table] = []
        self.pairs: dict[str, str] = {}
        self.links: dict[Link, None] = {}

    def read(self, content: str) -> str:
        """A page, or a piece of one; the text that stands in neither tables nor pairs."""
        content = markup_of(content)
        page = TabPage(content)
        self.tables += page.tables
        self.links |= dict.fromkeys(page.links)
        for label, value in page.pairs:
            self._pair(label, value)
        if page.depth <= _DEEPEST_READ:
            for entry in read_page(page.form).entries:
                if entry.control.type not in ("hidden", "password"):
                    self._pair(entry.label, entry.shown)
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
        label = label[:MOST_WORDS]
        if label_key(label) and not self.pairs.get(label):
            self.pairs[label] = " ".join(value.split())[:MOST_WORDS]


def _members(answer: object, path: str = "", levels: int = _LEVELS) -> Iterator[tuple[str, object]]:
    """The scalars of an object or list with their paths; null is none."""
    inside = answer.items() if isinstance(answer, Mapping) else enumerate(answer) if isinstance(answer, list) else ()
    for key, value in inside:
        name = one_line(key)
        if name.casefold() in _CODE:
            continue
        if isinstance(value, (Mapping, list)):
            if levels:
                yield from _members(value, f"{path}{name}.", levels - 1)
        elif value is not None:
            yield f"{path}{name}", value


def _within(tables: Iterable[Table]) -> Iterator[Table]:
    """The tables up to the last row that there is room for."""
    room = MOST_ROWS
    for table in tables:
        rows = table.rows[:room]
        room -= len(rows)
        if rows:
            yield Table(table.headers, rows)
