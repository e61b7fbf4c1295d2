"""The parts of an order, and its other tabs (protocol, sections 4 and 5)."""

import itertools

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from planso_connector.sandbox import Sandbox
from planso_connector.sandbox.tabs import TAB_METHODS

from .browser import Browser
from .conftest import Open

BOXES = ("to_order", "ordered", "delivered", "backorder", "mandatory", "price_checked")
ACTIONS = ("order_parts", "bestellt", "delivered", "ruckstand", "mandatory", "price_checked")


def parse_parts_page(browser: Browser, order_id: int, key: str = "js") -> LexborHTMLParser:
    """The parsed parts of an order."""
    answer = browser.json(browser.http.get(f"/do?m=resourceplanner_shop_view_get_parts&ID={order_id}"))
    assert set(answer) == {"html", key}
    return LexborHTMLParser(answer["html"])


def cells(page: LexborHTMLParser, row: LexborNode) -> dict[str, LexborNode]:
    """A row's cells by column header."""
    return dict(zip((th.text() for th in page.css("th")), row.css("td"), strict=True))


@pytest.mark.parametrize("column_order", [0, 5])
def test_the_native_table_shows_every_part(open_browser: Open, column_order: int) -> None:
    """Each row has the part's texts, prices, boxes, status and dates, in any order of columns."""
    browser = open_browser(column_order=column_order, parts_script_key="functions")
    for order_id in browser.sandbox.order_ids():
        page = parse_parts_page(browser, order_id, "functions")
        rows = page.css("tr.parts_single_row")
        for row, part in zip(rows, browser.sandbox.parts(order_id), strict=True):
            by_header = cells(page, row)
            number = by_header["Teile Nr"].attributes.get("data-prtnumber") or by_header["Teile Nr"].text()
            ticked = {box.attributes["data-action"]: "checked" in box.attributes for box in row.css("input")}
            titles = [span.attributes["title"] for span in by_header["Datum"].css("span[title]")]
            assert (by_header["Teil"].text(), number) == (part["description"], part["number"])
            assert by_header["G.Preis"].text() == f"{part['price_total']}\N{NO-BREAK SPACE}€"
            assert [ticked[action] for action in ACTIONS] == [part[box] for box in BOXES]
            assert (titles[-1] if titles else "-") == (part["delivered_on"] or "-")
            assert (titles[0] if len(titles) == 2 else "") == part["ordered_on"]
            assert row.css("td.spare_part_main_status i")[0].attributes["title"] == part["status"]


def test_some_installations_have_a_plain_parse_parts_page(open_browser: Open) -> None:
    """With other headers, without boxes and row ids."""
    browser = open_browser(parts_markup="plain")

    page = parse_parts_page(browser, 123)

    first = cells(page, page.css("tbody tr")[0])
    assert set(first) == {"Teile-Nr.", "Bezeichnung", "Menge", "Status", "Geliefert", "Liefertermin"}
    assert first["Geliefert"].text() == browser.sandbox.parts(123)[0]["delivered_on"]


def test_the_workshop_has_parts_in_every_state() -> None:
    """All combinations of boxes, all statuses, all notations of dates, orders without parts."""
    sandbox = Sandbox()
    parts = [part for order_id in sandbox.order_ids() for part in sandbox.parts(order_id)]

    assert {tuple(part[box] for box in BOXES) for part in parts} == set(itertools.product((False, True), repeat=6))
    assert {part["status"] for part in parts} == {"", "offen", "bestellt", "geliefert", "Rückstand", "fehlt"}
    assert {part["date_style"] for part in parts} == {"titles", "single", "array", "spaces", "dash", "none"}
    assert any(not sandbox.parts(order_id) for order_id in sandbox.order_ids())
    assert [part["missing"] for part in sandbox.parts(123)] == [False, False, True, True]


def test_the_parts_status_button_has_the_form_s_status(browser: Browser) -> None:
    """The text of `rsvgp_status_dropdown` is the form's E-Teile Status."""
    browser.sandbox.edit_field(123, "E-Teile Status", "ohne E-Teile")

    assert parse_parts_page(browser, 123).css("button.rsvgp_status_dropdown")[0].text().strip() == "ohne E-Teile"


def test_an_unknown_order_has_no_parts(browser: Browser) -> None:
    """Its table is empty."""
    assert not parse_parts_page(browser, 999_999).css("tbody tr")


@pytest.mark.parametrize("method", sorted(TAB_METHODS))
def test_every_tab_answers(method: str, tabs_browser: Browser) -> None:
    """Each call of section 5 answers JSON for an order, and for an unknown one."""
    answer = tabs_browser.json(tabs_browser.http.get(f"/do?m={method}&ID=123"))

    assert answer.get("html") or answer["data"]
    assert tabs_browser.json(tabs_browser.http.get(f"/do?m={method}&ID=999999"))["html"]


def test_the_whole_page_lists_the_employees(browser: Browser) -> None:
    """Employees are inputs followed by a name."""
    html = browser.json(browser.http.get("/do?m=resourceplanner_shop_view_single&svsurl=false&ID=123&opentab="))["html"]

    assert 'class="rspSv_todo_list_employee_option" value="166"><small>Sören Östlund</small>' in html
