"""
Mirror orders as a simple script would: one request at a time, three per order, pages parsed with BeautifulSoup and
html.parser, one commit per row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from bs4 import BeautifulSoup, Tag

FORM = (
    "/do?m=visual_forms_plain&tableID=12565&submode=update&dataID={}"
    "&call_back_class=resourceplanner_single_project_wrapper&callback="
)
PARTS = "/do?m=resourceplanner_shop_view_get_parts&ID={}"
TAB = "/do?m=resourceplanner_get_shop_view&get_fields=false&ID={}"
PAGES = 3
"""Requests per order: its form, its parts, one tab."""


@contextmanager
def logged_in_client(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, headers={"X-Requested-With": "XMLHttpRequest"}) as http:
        http.get("/app")
        http.post("/app", data={"system_login_username": "werkstatt", "system_login_password": "demo"})
        yield http


def parse_form(content: str) -> dict[str, str]:
    """Return the value of the control after each label, by label."""
    soup = BeautifulSoup(content, "html.parser")
    found: dict[str, str] = {}
    for label in soup.find_all("label"):
        control = label.find_next(["input", "select", "textarea"])
        if not isinstance(control, Tag):
            continue
        if control.name == "select":
            chosen = control.find("option", selected=True)
            value = chosen.get_text(strip=True) if isinstance(chosen, Tag) else ""
        else:
            value = control.get_text() if control.name == "textarea" else str(control.get("value") or "")
        found[label.get_text(" ", strip=True)] = value
    return found


def _parse_parts(content: str) -> list[list[str]]:
    """Return the cells of each row."""
    soup = BeautifulSoup(content, "html.parser")
    rows = soup.find_all("tr", class_="parts_single_row")
    return [[cell.get_text(" ", strip=True) for cell in row.find_all("td")] for row in rows]


def _parse_tab(content: str) -> dict[str, str]:
    """Return the text of each `dd` by its `dt`."""
    soup = BeautifulSoup(content, "html.parser")
    texts = [value.get_text(" ", strip=True) for value in soup.find_all("dd")]
    return dict(zip((term.get_text(" ", strip=True) for term in soup.find_all("dt")), texts, strict=True))


def mirror(http: httpx2.Client, order_ids: list[int], path: Path) -> None:
    """Write these orders into a new SQLite file in WAL mode: one commit for each order and each part."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, fields TEXT)")
        database.execute("CREATE TABLE parts (order_id INT, row INT, cells TEXT, PRIMARY KEY (order_id, row))")
        for order_id in order_ids:
            fields = parse_form(_read_json(http.post(FORM.format(order_id)))["center"]["content"])
            rows = _parse_parts(_read_json(http.get(PARTS.format(order_id)))["html"])
            tab = _parse_tab(_read_json(http.get(TAB.format(order_id)))["html"])
            database.execute("INSERT INTO orders VALUES (?, ?)", (order_id, json.dumps({**tab, **fields})))
            for number, cells in enumerate(rows):
                database.execute("INSERT INTO parts VALUES (?, ?, ?)", (order_id, number, json.dumps(cells)))


def _read_json(response: httpx2.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.raise_for_status().json()
    return body
