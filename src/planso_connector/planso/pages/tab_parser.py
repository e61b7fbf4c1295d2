"""
Parse the order's other tabs into tables, labels with their values, and links. Source: the PlanSo protocol's section 5.

Answers are `{"html": ...}`, where `html` may be an object of pages, `{"center": {"content": ...}}`, or JSON. Not read
are the calls that take more than the order (`dist_html`, `rental_car_data`), and the whole page (`shop_view_single`),
which holds the tabs once more.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from planso_connector.domain.errors import PageChanged
from planso_connector.planso.pages.answer_pages import find_pages, unescape_page
from planso_connector.planso.pages.markup import parse_form_markup
from planso_connector.planso.pages.tab_page import MAX_ROWS, MAX_TEXT_LENGTH, Link, Table, TabPage
from planso_connector.planso.pages.text import collapse_whitespace, label_key, to_one_line

MAX_TABLES, MAX_PAIRS, MAX_LINKS = 200, 2000, 500
MAX_MEMBERS = 5000
"""What one tab may hold; `MAX_ROWS` counts the rows of all its tables. The rest is left out: no order is so long."""

_EXTRA_PARAMETERS = {"shop_view": {"get_fields": "false"}}
_SKIPPED_MEMBERS = frozenset({"js", "functions", "script", "scripts", "style", "css", "execution_time"})
"""Members of JSON that are for PlanSo's own page."""
_MAX_JSON_DEPTH = 8
_MAX_FORM_DEPTH = 200
"""Form controls are looked for in pages that are not nested more deeply."""


@dataclass(frozen=True)
class ParsedTab:
    """One tab of an order. All texts are plain, with their white space collapsed."""

    name: str
    tables: tuple[Table, ...] = ()
    pairs: Mapping[str, str] = field(default_factory=dict)
    """Label to value; of equal labels the first that holds something."""
    links: tuple[Link, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The tab as the API returns it."""
        return {
            "name": self.name,
            "tables": [
                {"headers": list(table.headers), "rows": [list(row) for row in table.rows]} for table in self.tables
            ],
            "pairs": dict(self.pairs),
            "links": [link._asdict() for link in self.links],
        }

    def to_json(self) -> str:
        return json.dumps(self.to_document(), ensure_ascii=False, separators=(",", ":"))


def tab_parameters(name: str, methods: Mapping[str, str], order_id: int) -> dict[str, str]:
    """The parameters that request a tab; `methods` are the profile's."""
    return {"m": methods[name], **_EXTRA_PARAMETERS.get(name, {}), "ID": str(order_id)}


def parse_tab(name: str, answer: Any) -> ParsedTab:
    """
    Parse PlanSo's answer, which may hold several pages. JSON without one gives its members as pairs, nested ones as
    `outer.inner`.

    Raises PageChanged for an answer that is neither an object nor a list, that is an error, or is nested beyond reason.
    """
    collector = _Collector()
    pages = find_pages(answer) if isinstance(answer, Mapping) else None
    if pages:
        for page in pages[:MAX_TABLES]:
            collector.add_page(page)
    elif isinstance(answer, (Mapping, list)):
        if isinstance(answer, Mapping) and answer.get("error"):
            raise PageChanged(f"the tab {name}: PlanSo reports an error instead", page=name)
        for label, value in islice(_iterate_members(answer), MAX_MEMBERS):
            collector.add_member(label, value)
    else:
        raise PageChanged(f"the tab {name}: the answer is neither an object nor a list", page=name)
    return ParsedTab(
        name,
        tuple(_limit_rows(islice(collector.tables, MAX_TABLES))),
        dict(islice(collector.pairs.items(), MAX_PAIRS)),
        tuple(islice(collector.links, MAX_LINKS)),
    )


class _Collector:
    """Collects the content of a tab."""

    def __init__(self) -> None:
        self.tables: list[Table] = []
        self.pairs: dict[str, str] = {}
        self.links: dict[Link, None] = {}

    def add_page(self, content: str) -> str:
        """Add a page, or a piece of one; returns the text that is in neither tables nor pairs."""
        page = TabPage(unescape_page(content))
        self.tables += page.tables
        self.links |= dict.fromkeys(page.links)
        for label, value in page.pairs:
            self._add_pair(label, value)
        if page.depth <= _MAX_FORM_DEPTH:
            for entry in parse_form_markup(page.form_html).entries:
                if entry.control.type not in ("hidden", "password"):
                    self._add_pair(entry.label, entry.display_text)
        return page.text

    def add_member(self, label: str, value: object) -> None:
        """Add a scalar of JSON; texts may hold markup."""
        if isinstance(value, str) and ("<" in value or "&" in value):
            value = self.add_page(value)
            if not value:
                return
        elif isinstance(value, bool):
            value = "ja" if value else "nein"
        self._add_pair(label, str(value))

    def _add_pair(self, label: str, value: str) -> None:
        label = label[:MAX_TEXT_LENGTH]
        if label_key(label) and not self.pairs.get(label):
            self.pairs[label] = collapse_whitespace(value)[:MAX_TEXT_LENGTH]


def _iterate_members(answer: object, path: str = "", depth: int = _MAX_JSON_DEPTH) -> Iterator[tuple[str, object]]:
    """The scalars of an object or list with their paths; null is none."""
    members = answer.items() if isinstance(answer, Mapping) else enumerate(answer) if isinstance(answer, list) else ()
    for key, value in members:
        name = to_one_line(key)
        if name.casefold() in _SKIPPED_MEMBERS:
            continue
        if isinstance(value, (Mapping, list)):
            if depth:
                yield from _iterate_members(value, f"{path}{name}.", depth - 1)
        elif value is not None:
            yield f"{path}{name}", value


def _limit_rows(tables: Iterable[Table]) -> Iterator[Table]:
    """The tables up to `MAX_ROWS` rows in all."""
    room = MAX_ROWS
    for table in tables:
        rows = table.rows[:room]
        room -= len(rows)
        if rows:
            yield Table(table.headers, rows)
