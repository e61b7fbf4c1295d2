# ruff: noqa: E501 - markup stands as PlanSo would send it
from __future__ import annotations

import html
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.errors import PageChanged
from planso_connector.domain.order import PartsReading
from planso_connector.domain.part import Part
from planso_connector.planso.parts import parse_parts
from planso_connector.sandbox import Sandbox
from planso_connector.sandbox.installation import Installation
from tests.planso.conftest import PROFILE, client


def parts_of(content: str) -> PartsReading:
    return parse_parts({"html": content, "js": ""}, PROFILE.parts, 123)


CELLS = {
    "": '<td class="spare_part_main_status"><i class="x" title="Rückstand"></i></td>',
    "Teil": "<td>Stoßfänger&nbsp;hinten</td>",
    "Teile Nr": '<td data-prtnumber="5G6 807">5G6…</td>',
    "Leit Nr": "<td>11-22</td>",
    "E.&nbsp;Preis": "<td>1.234,50&nbsp;€</td>",
    "Menge": "<td>2,5</td>",
    "G.Preis": "<td>EUR 3.086,25</td>",
    "Datum": '<td><span title="16.12.2025">16.12.</span> / Array <span title="19.12.2025">19.12.</span></td>',
    "A.Nummer": "<td> A-77 </td>",
    "Status": '<td><label><input type="checkbox" class="spare_part_status" data-action="bestellt" checked> bestellt</label>'
    '<input type="checkbox" class="spare_part_status" data-action="delivered">'
    '<input type="checkbox" class="spare_part_status" data-action="ruckstand" checked="checked"></td>',
}
WHOLE = Part(
    order_id=123, part_no="5G6 807", description="Stoßfänger hinten", lead_no="11-22", order_no="A-77", row_id="9",
    part_id="8", qty=2.5, price_each=1234.5, price_total=3086.25, status="Rückstand", status_code="4",
    order_date="2025-12-16", delivery_date="2025-12-19", is_ordered=True, is_backorder=True,
)  # fmt: skip


def native(headers: list[str], cells: dict[str, str] = CELLS, kind: str = "rsp_parts_table") -> str:
    head = "".join(f"<th>{header}</th>" for header in headers)
    row = "".join(cells[header] for header in headers)
    return (
        f'<table class="table {kind}" data-vin="W"><thead><tr>{head}</tr></thead><tbody>'
        f'<tr class="odd parts_single_row" data-id="9" data-partid="8" data-status="4">{row}</tr></tbody></table>'
    )


@given(st.permutations(list(CELLS)), st.sampled_from(["parts_table", "rsp_parts_table", "psrs_parts_table"]))
def test_columns_are_found_by_header_and_never_by_position(headers: list[str], kind: str) -> None:
    """In any order the same part comes out."""
    assert parts_of(native(headers, kind=kind)).parts == (WHOLE,)


@given(st.sets(st.sampled_from(list(CELLS))))
def test_columns_that_are_not_there_leave_their_members_empty(missing: set[str]) -> None:
    """Any subset of the columns reads, and what is there is right."""
    headers = [header for header in CELLS if header not in missing]
    found = parts_of(native(headers)).parts

    assert len(found) == (1 if headers else 0)
    for part in found:
        assert part.part_no == (None if "Teile Nr" in missing else "5G6 807")
        assert part.description == (None if "Teil" in missing else "Stoßfänger hinten")
        assert part.is_backorder == ("Status" not in missing or "" not in missing)


def test_a_page_that_is_escaped_once_more_is_read_alike() -> None:
    """As forms are."""
    assert parts_of(html.escape(native(list(CELLS)))).parts == (WHOLE,)


@pytest.mark.parametrize(
    ("cell", "ordered", "delivered"),
    [
        ('<span title="16.12.2025">x</span><span title="19.12.2025">x</span>', "2025-12-16", "2025-12-19"),
        ('<span title="16.12.2025">x</span>', None, "2025-12-16"),
        ('<span title="16.12.2025">16.12.2025</span> / <span title="-">-</span>', "2025-12-16", None),
        ('<span title="Array">Array</span> / <span title="19.12.2025">x</span>', None, "2025-12-19"),
        ("16.12.2025 / 19.12.2025", "2025-12-16", "2025-12-19"),
        ("16.12.2025&nbsp;/&nbsp;Array", "2025-12-16", None),
        ("- / 19.12.2025", None, "2025-12-19"),
        ("19.12.2025", None, "2025-12-19"),
        ("16.12.2025 / -", "2025-12-16", None),
        ("2025-12-16 / 2025-12-19", "2025-12-16", "2025-12-19"),
        ("-", None, None),
        ("Array", None, None),
        ("&nbsp;", None, None),
        ("31.02.2025", None, None),
        ("bald", None, None),
    ],
)
def test_the_date_cell(cell: str, ordered: str | None, delivered: str | None) -> None:
    """Two dates are order and delivery, one is delivery; dashes, `Array` and blanks are none."""
    (part,) = parts_of(native(list(CELLS), {**CELLS, "Datum": f"<td>{cell}</td>"})).parts

    assert (part.order_date, part.delivery_date) == (ordered, delivered)


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", 2.0), ("1.234,56 €", 1234.56), ("€ 5", 5.0), ("12,-", 12.0), ("3 Stk.", 3.0), ("-12,50", -12.5),
     ("", None), ("-", None), ("viele", None), ("1,2,3", None), ("<input value='4,5'>", 4.5)],
)  # fmt: skip
def test_german_numbers(text: str, number: float | None) -> None:
    """Prices and quantities with their signs; what is no number is nothing."""
    (part,) = parts_of(native(list(CELLS), {**CELLS, "Menge": f"<td>{text}</td>"})).parts

    assert part.qty == number


PLAIN = (
    "<table><tr>{}</tr><tr><td>5G6 807</td><td>Stoßfänger</td><td>2</td><td>{}</td><td>{}</td><td>24.12.2025</td></tr>"
    "<tr><td colspan=6>Keine weiteren Teile</td></tr><tr></tr></table>"
)
HEADERS = [
    "<th>Teilenummer</th><th>Bezeichnung</th><th>Menge</th><th>Status</th><th>Lieferdatum</th><th>ETA</th>",
    "<td>Teile-Nr.</td><td>Beschreibung</td><td>MENGE</td><td>Status</td><td>Geliefert</td><td>Liefertermin</td>",
]


@pytest.mark.parametrize("headers", HEADERS)
def test_plain_tables_are_read(headers: str) -> None:
    """Both sets of headers, in a first row of th or td; rows across the table are no parts."""
    assert parts_of(PLAIN.format(headers, "geliefert", "19.12.2025")).parts == (
        Part(order_id=123, part_no="5G6 807", description="Stoßfänger", qty=2.0, status="geliefert",
             delivery_date="2025-12-19", eta_date="2025-12-24", is_delivered=True),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        ("geliefert", {"is_delivered"}),
        ("Delivered", {"is_delivered"}),
        ("bestellt am 3.", {"is_ordered"}),
        ("Rückstand", {"is_backorder"}),
        ("bestellt, Rueckstand", {"is_ordered", "is_backorder"}),
        ("offen", {"is_to_order"}),
        ("zu bestellen", {"is_to_order"}),
        ("nicht bestellt", {"is_to_order"}),
        ("nicht geliefert", set()),
        ("teilweise geliefert", set()),
        ("", set()),
    ],
)
def test_status_words_decide_where_no_boxes_are(status: str, flags: set[str]) -> None:
    """A negation is not the thing."""
    (part,) = parts_of(PLAIN.format(HEADERS[0], status, "-")).parts
    set_flags = {name for name in Part.__slots__ if name.startswith("is_") and getattr(part, name)}

    assert set_flags == flags


def test_a_spanning_header_counts_for_all_its_columns() -> None:
    """`colspan` moves the columns behind it."""
    (part,) = parts_of("<table><thead><tr><th colspan=2>Pos</th><th>Teil</th><th>Teile Nr</th></tr></thead>"
                       "<tr><td>1</td><td>a</td><td>Tür</td><td>77</td></tr></table>").parts  # fmt: skip

    assert (part.description, part.part_no) == ("Tür", "77")


@pytest.mark.parametrize("content", ["", "<p>Keine Teile</p>", "<table><tr><td>x</td></tr></table>", None, False])
def test_a_page_without_a_parts_table_has_no_parts(content: Any) -> None:
    """That is no error."""
    assert parse_parts({"html": content, "functions": ""}, PROFILE.parts, 1) == PartsReading((), has_table=False)


def test_an_answer_without_html_is_told() -> None:
    """The message names the order."""
    with pytest.raises(PageChanged, match="order 123"):
        parse_parts({"error": 1}, PROFILE.parts, 123)


@pytest.mark.parametrize(
    ("markup", "status"),
    [
        ('<button class="btn rsvgp_status_dropdown">\n ohne E-Teile <i class="caret"></i></button>', "ohne E-Teile"),
        ('<div class="rsvgp_status_dropdown"><button>bestellt</button><ul><li>offen</li></ul></div>', "bestellt"),
        ('<select name="parts_status"><option value=1>offen<option value=2 selected>bestellt</select>', "bestellt"),
        ('<select class="rsvgp_status"><option value="" selected>bitte wählen<option>x</select>', None),
        ('<select name="supplier"><option selected>X</select>', None),
        ('<button class="rsvgp_status_dropdown"> </button>', None),
    ],
)
def test_the_order_s_parts_status(markup: str, status: str | None) -> None:
    """The status button's text, else a selected status option."""
    assert parts_of(markup + native(list(CELLS))).status == status


@given(st.text())
def test_any_html_is_read_without_an_accident(content: str) -> None:
    """Whatever a page holds, the answer is a reading."""
    parts_of(content)
    parts_of(f"<table class=parts_table><tr>{content}</tr><tr class=parts_single_row>{content}</tr></table>")


@pytest.mark.anyio
@pytest.mark.parametrize("markup", ["native", "plain"])
async def test_every_part_of_the_sandbox_is_read(markup: Any) -> None:
    """Every order's parts, columns shuffled: numbers, dates and what is missing agree."""
    sandbox = Sandbox(orders=60, installation=Installation(parts_markup=markup, column_order=5))
    compared = 0
    with sandbox.serve() as url:
        async with client(url) as planso:
            for order in sandbox.order_ids():
                reading = await planso.parts(order)
                there = sandbox.parts(order)
                assert [part.part_no or "" for part in reading.parts] == [part["number"] for part in there]
                for part, real in zip(reading.parts, there, strict=True):
                    told = markup == "native" or real["status"]  # a plain table has nothing but the status
                    assert part.is_missing == real["missing"] or not told
                compared += len(there)
    assert compared > 50
