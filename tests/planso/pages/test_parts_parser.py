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
from planso_connector.planso.pages.parts_parser import parse_parts
from planso_connector.sandbox import Sandbox
from planso_connector.sandbox.installation import Installation
from tests.planso.conftest import PROFILE, client


def parts_of(content: str) -> PartsReading:
    return parse_parts({"html": content, "js": ""}, PROFILE.parts, 123)


MAIN = '<td class="spare_part_main_status"><i class="x" title="{}"></i></td>'
CELLS = {
    "": MAIN.format("Rückstand"),
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
def test_missing_columns_leave_their_members_empty(missing: set[str]) -> None:
    """Any subset of the columns reads, and what is there is right."""
    headers = [header for header in CELLS if header not in missing]
    found = parts_of(native(headers)).parts

    assert len(found) == (1 if headers else 0)
    for part in found:
        assert part.part_no == (None if "Teile Nr" in missing else "5G6 807")
        assert part.description == (None if "Teil" in missing else "Stoßfänger hinten")
        assert part.is_backorder == ("Status" not in missing or "" not in missing)


def test_an_escaped_page_reads_as_the_same_parts() -> None:
    """As forms are."""
    assert parts_of(html.escape(native(list(CELLS)))).parts == (WHOLE,)


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


STATES = [
    ("geliefert", {"is_delivered"}),
    ("Delivered", {"is_delivered"}),
    ("alles geliefert", {"is_delivered"}),
    ("geliefert, nicht bezahlt", {"is_delivered"}),
    ("bestellt am 3.", {"is_ordered"}),
    ("Rückstand", {"is_backorder"}),
    ("bestellt, Rueckstand", {"is_ordered", "is_backorder"}),
    ("offen", {"is_to_order"}),
    ("zu bestellen", {"is_to_order"}),
    ("nicht bestellt", {"is_to_order"}),
    ("noch nicht bestellt", {"is_to_order"}),
    ("bestellt, nicht geliefert", {"is_ordered"}),
    ("nicht geliefert", set()),
    ("noch nicht vollständig geliefert", set()),
    ("teilweise geliefert", set()),
    ("teilgeliefert", set()),
    ("wird am 3. geliefert", set()),
    ("falsch geliefert", set()),
    ("geliefert?", set()),
    ("geliefert: nein", set()),
    ("kein Rückstand", set()),
    ("Teillieferung", set()),
    ("", set()),
]


def flags_of(part: Part) -> set[str]:
    return {name for name in Part.__slots__ if name.startswith("is_") and getattr(part, name)}


@pytest.mark.parametrize(("status", "flags"), STATES)
def test_status_words_decide_without_check_boxes(status: str, flags: set[str]) -> None:
    """In plain tables and PlanSo's own; negations, plans and partial deliveries set no flag."""
    (part,) = parts_of(PLAIN.format(HEADERS[0], status, "-")).parts
    assert flags_of(part) == flags
    cells = {**CELLS, "": MAIN.format(status), "Status": "<td></td>"}
    (part,) = parts_of(native(list(CELLS), cells)).parts
    assert (flags_of(part), part.status) == (flags, status or None)


def test_a_spanning_header_counts_for_all_its_columns() -> None:
    """`colspan` moves the columns behind it."""
    (part,) = parts_of("<table><thead><tr><th colspan=2>Pos</th><th>Teil</th><th>Teile Nr</th></tr></thead>"
                       "<tr><td>1</td><td>a</td><td>Tür</td><td>77</td></tr></table>").parts  # fmt: skip

    assert (part.description, part.part_no) == ("Tür", "77")


@pytest.mark.parametrize("content", ["", "<p>Keine Teile</p>", "<table><tr><td>x</td></tr></table>", None, False])
def test_a_page_without_a_parts_table_has_no_parts(content: Any) -> None:
    """That is no error."""
    assert parse_parts({"html": content, "functions": ""}, PROFILE.parts, 1) == PartsReading((), has_table=False)


def test_an_answer_without_html_is_refused() -> None:
    """The message names the order."""
    with pytest.raises(PageChanged, match="order 123"):
        parse_parts({"error": 1}, PROFILE.parts, 123)


ROW_CONTROLS = (
    "<table class=parts_table><tr class=parts_single_row data-id=1><td><button class=rsvgp_status_dropdown>offen"
    "</button><select name=status><option selected>fehlt</select></table>"
)


@pytest.mark.parametrize(
    ("markup", "status"),
    [
        ('<button class="btn rsvgp_status_dropdown">\n ohne E-Teile <i class="caret"></i></button>', "ohne E-Teile"),
        ('<div class="rsvgp_status_dropdown"><button>bestellt</button><ul><li>offen</li></ul></div>', "bestellt"),
        ('<select name="parts_status"><option value=1>offen<option value=2 selected>bestellt</select>', "bestellt"),
        ('<select class="rsvgp_status"><option value="" selected>bitte wählen<option>x</select>', None),
        ('<select name="supplier"><option selected>X</select>', None),
        ('<button class="rsvgp_status_dropdown"> </button>', None),
        ('<button class="rsvgp_status_dropdown">Status wählen</button>', None),
        ('<a class="btn rsvgp_status_dropdown">E-Teile&nbsp;offen</a>', "E-Teile offen"),
        (
            "<button id=rsvgp_status_dropdown>-</button><select id=x_status><option selected value=3>fehlt</select>",
            "fehlt",
        ),
        ('<ul class="rsvgp_status_dropdown"><li>offen</li><li>bestellt</li></ul>', None),
        ("<select name=status><option selected value=1>offen<option selected value=2>bestellt</select>", "bestellt"),
        (ROW_CONTROLS, None),
    ],
)
def test_the_order_s_parts_status(markup: str, status: str | None) -> None:
    """The status button's text, else a selected status option."""
    assert parts_of(markup + native(list(CELLS))).status == status


# -- a second installation's markup

SECOND: dict[str, str] = {
    "": MAIN.format("bestellt").replace(
        "</td>", "<input type=checkbox class='bestellt spare_part_status' checked></td>"
    ),
    "Teil": "<td class='for_parts_edit'>Spiegel <span class='hidden'>neu</span><button>Bearbeiten</button><input type=hidden value=1></td>",
    "Teile Nr": "<td class='teile_nr_fields' data-prtnumber='5G0 1'>5G0…</td>",
    "Leit Nr": "<td>10</td>",
    "E.Preis": "<td><span class='rsp_price_for_parts'>12,50</span> € <a class='btn btn-xs'>prüfen</a></td>",
    "Menge": "<td><span class='rsp_menge_for_parts'>2</span></td>",
    "G.Preis": "<td class='rsp_parts_total_price'>25,00 €</td>",
    "Datum": "<td><span class='rsvgp_bestelldate_td' title='01.11.2026'>01.11.2026</span> / -</td>",
    "A.Nummer": "<td class='parts_project_num_td'>4711</td>",
}
MIRROR = Part(
    order_id=123, part_no="5G0 1", description="Spiegel", lead_no="10", order_no="4711", row_id="9", part_id="8", qty=2.0,
    price_each=12.5, price_total=25.0, status="bestellt", status_code="4", order_date="2026-11-01", is_ordered=True,
)  # fmt: skip
SUMS = (
    "<table class='table table-striped table-bordered'>{}<tbody><tr><td>4711</td><td>25,00 €</td></tr>"
    "<tr><td>Gesamtpreis</td><td><b>25,00 €</b></td></tr></tbody></table>"
)
SUM_HEADS = ["", "<thead><tr><th>Auftragsnummer</th><th>Ersatzteile Summe</th></tr></thead>",
             "<thead><tr><th>Teil</th><th>Menge</th><th>Summe</th></tr></thead>"]  # fmt: skip
NONE_KNOWN = [
    "Keine Ersatzteile bekannt",
    "<p>Keine  <b>Ersatzteile</b>&nbsp;bekannt.</p>",
    "KEINE ERSATZTEILE BEKANNT",
]


def second(**cells: str) -> str:
    return native(list(SECOND), {**SECOND, **cells}, "psrs_parts_table")


@given(st.permutations(list(SECOND)), st.sampled_from(SUM_HEADS), st.booleans())
def test_the_second_installation_s_cells_are_read(headers: list[str], head: str, wrapped: bool) -> None:
    """Wherever the columns stand, beside the sums, which are no parts; nothing is taken from buttons and hidden inputs."""
    page = native(headers, SECOND, "psrs_parts_table") + SUMS.format(head)

    assert parts_of(f"<div class=x>{page}</div>" if wrapped else page).parts == (MIRROR,)


def test_cells_are_found_by_class_without_headers() -> None:
    """With unknown headers, or in a row shifted by a cell, whatever a class names is still read."""
    headers = {name: name if name in ("", "Leit Nr") else "?" for name in SECOND}
    nameless = second().replace("<th>Teil</th>", "<th>x</th>")
    for name, shown in headers.items():
        nameless = nameless.replace(f"<th>{name}</th>", f"<th>{shown}</th>")
    assert parts_of(nameless).parts == (MIRROR,)
    (shifted,) = parts_of(second().replace('data-status="4">', 'data-status="4"><td>neu</td>')).parts
    assert (shifted.description, shifted.part_no, shifted.price_each) == ("Spiegel", "5G0 1", 12.5)
    assert (shifted.qty, shifted.price_total, shifted.order_no) == (2.0, 25.0, "4711")


@pytest.mark.parametrize(
    ("boxes", "flags"),
    [
        ("<input type=checkbox class='bestellt' checked>", {"is_ordered"}),
        ("<input type=checkbox class='x delivered' checked><input type=checkbox class=bestellt>", {"is_delivered"}),
        ("<input type=checkbox class=price_checked checked>", {"is_ordered", "is_price_checked"}),
        ("<input type=checkbox class=price_checked>", {"is_ordered"}),
        ("<input type=checkbox class=delivered>", set()),
        ("<input type=checkbox class=spare_part_status data-action=ruckstand checked>", {"is_backorder"}),
        (
            "<input type=hidden name=a value=0 class=delivered><input type=checkbox class=delivered checked>",
            {"is_delivered"},
        ),
        ("<input type=checkbox class=select_row checked>", {"is_ordered"}),
    ],
)
def test_check_boxes_are_recognised_by_action_or_class(boxes: str, flags: set[str]) -> None:
    """Check boxes for the state win over the status words; without one for the state the words decide."""
    cell = f"<td class='spare_part_main_status'><i title='bestellt'></i>{boxes}</td>"

    (part,) = parts_of(second(**{"": cell})).parts

    assert (flags_of(part), part.status) == (flags, "bestellt")


@pytest.mark.parametrize("words", NONE_KNOWN)
@pytest.mark.parametrize(
    "rest",
    [*(SUMS.format(head) for head in SUM_HEADS), SUMS.format(SUM_HEADS[1]).replace("table-bordered", ""), "", "<table class=parts_table></table>",
     "<table><tr><th>Teil</th><th>Teile Nr</th></tr></table>"],
)  # fmt: skip
def test_a_page_may_say_that_there_are_no_parts(words: str, rest: str) -> None:
    """That is as certain as an empty table: there are no parts, and sums are none."""
    assert parts_of(f"<div>{words}{rest}</div>") == PartsReading((), has_table=True)
    row = "<table class=parts_table><thead><tr><th>Teil<th>Teile Nr</thead><tr><td>{}<td></table>"
    assert parts_of(row.format(words)) == PartsReading((), has_table=True)


@pytest.mark.parametrize("head", SUM_HEADS)
def test_a_table_of_sums_holds_no_parts(head: str) -> None:
    """Nor does hidden text say that there are none."""
    assert parts_of(SUMS.format(head)) == PartsReading((), has_table=False)
    hidden = f"<div style='display: none'>{NONE_KNOWN[0]}</div><script>'{NONE_KNOWN[0]}'</script>"
    assert not parts_of(hidden).has_table


def test_several_parts_tables_make_one_list() -> None:
    """In the page's order, each by its own header, a further one without a header by the one before."""
    other = list(reversed(SECOND))
    bare = second().replace("".join(f"<th>{name}</th>" for name in SECOND), "").replace("<tr></tr>", "")
    page = second() + "<h3>Nachtrag</h3>" + native(other, SECOND, "parts_table") + SUMS.format("") + second() + bare

    assert parts_of(page).parts == (MIRROR,) * 4


def test_parts_with_equal_numbers_stay_separate() -> None:
    """Number, name and row id may be the same: one is delivered, the other is not."""
    row = second().split("<tbody>")[1].split("</tbody>")[0]
    delivered = row.replace("class='bestellt spare", "class='delivered spare")
    page = second().replace("</tbody>", delivered + "</tbody>")

    assert [(part.part_no, part.is_missing) for part in parts_of(page).parts] == [("5G0 1", True), ("5G0 1", False)]


def test_rows_and_tables_below_a_part_are_no_parts() -> None:
    """A row of the supplier's, a template row, a table in a cell: no parts, and their boxes and words are not the part's."""
    supplier = (
        "<tr class=parts_sub><td colspan=9>Lieferant: Muster <input class=spare_part_status data-action=delivered "
        "type=checkbox checked></td></tr><tr class=parts_single_row style='display:none'><td></td><td></td></tr>"
    )
    nested = "<td class=for_parts_edit>Spiegel<table><tr><td>Kleinteil<td>X</table></td>"
    page = second(Teil=nested).replace("</tbody>", supplier + "</tbody>")

    assert parts_of(page).parts == (MIRROR,)


@pytest.mark.parametrize(
    ("cell", "price"),
    [("<input type='text' value='12,50'>", 12.5), ("<input value='12,50'> €", 12.5),
     ("12,50 € <input type=hidden value=99>", 12.5), ("<select><option>9,00<option selected>12,50</select>", 12.5),
     ("<span class='rsp_price_for_parts'>12,50</span> (statt 15,00)", 12.5), ("1.234,50 €", 1234.5), ("1.234 €", 1234.0),
     ("0.500", 0.5), ("0.125", 0.125), ("12.50", 12.5), ("1 234,50", 1234.5), ("auf Anfrage", None)],
)  # fmt: skip
def test_prices(cell: str, price: float | None) -> None:
    """As text, in a control, German or with a point for the decimals."""
    (part,) = parts_of(second(**{"E.Preis": f"<td>{cell}</td>"})).parts

    assert part.price_each == price


@pytest.mark.parametrize(
    ("each", "quantity", "total", "count"),
    [
        ("12,50", "1.000", "12,50 €", 1.0),
        ("0,10", "1.000", "100,00", 1000.0),
        ("20,00", "1.500", "30,00", 1.5),
        ("0.500", "1.500", "", 1.5),
        ("1.234,50", "1.000", "", 1000.0),
        ("", "0.500", "", 0.5),
        ("12,50", "<input value='2'> Stk.", "25,00", 2.0),
        ("", "viele", "", None),
    ],
)
def test_a_point_in_a_quantity_fits_the_row_s_prices(each: str, quantity: str, total: str, count: float | None) -> None:
    """`1.500` is one and a half where the prices say so, or where the row writes decimals with points."""
    cells = {"E.Preis": f"<td>{each}</td>", "Menge": f"<td>{quantity}</td>", "G.Preis": f"<td>{total}</td>"}

    (part,) = parts_of(second(**cells)).parts

    assert part.qty == count


def test_headers_with_icons_and_links() -> None:
    """Sort icons, line breaks, links and a header for both dates."""
    icons = {"Teil": "Teil <i class=fa title='Teile sortieren'></i>", "Datum": "Bestelldatum /<br>Lieferdatum",
             "Menge": "<button>Menge</button>", "Leit Nr": "<a href=#>Leit&shy;Nr. ▲</a>"}  # fmt: skip
    page = second(Datum="<td>01.11.2026 / 05.11.2026</td>")
    for name, header in icons.items():
        page = page.replace(f"<th>{name}</th>", f"<th>{header}</th>")

    (part,) = parts_of(page).parts

    assert (part.description, part.lead_no, part.qty) == ("Spiegel", "10", 2.0)
    assert (part.order_date, part.delivery_date) == ("2026-11-01", "2026-11-05")


@pytest.mark.parametrize(
    ("headers", "number", "description"),
    [
        ("<th>Part</th><th>Description</th>", "5G0 1", "Mirror"),
        ("<th>Part No.</th><th>Part</th>", "5G0 1", "Mirror"),
        ("<th>Teil</th><th>Bezeichnung</th>", "5G0 1", "Mirror"),
        ("<th>Teilenummer</th><th>Teil</th>", "5G0 1", "Mirror"),
        ("<th>Abteilung</th><th>Ersatzteil</th>", None, "Mirror"),
    ],
)
def test_plain_tables_with_other_headers(headers: str, number: str | None, description: str) -> None:
    """English too; `Teil` beside a description is the number, and is in no other word."""
    page = (
        f"<table class='table table-striped table-bordered'><tr>{headers}<th>Qty</th><th>Status</th><th>Delivery</th></tr>"
        "<tr><td>5G0 1</td><td>Mirror</td><td>2</td><td>backorder</td><td>05.11.2026</td></tr>"
        "<tr><td></td><td>Gesamt</td><td>2</td><td></td><td></td></tr>"
        "<tr><td colspan=2>Summe:</td><td>2</td><td></td><td></td></tr></table>"
    )
    (part,) = parts_of(page).parts

    assert (part.part_no, part.description, part.qty) == (number, description, 2.0)
    assert (part.is_backorder, part.is_missing, part.delivery_date) == (True, True, "2026-11-05")


@pytest.mark.parametrize(
    "wrapper", ["{}", "<div class='x' title='a &gt; b'>{}</div>", "<div>\n<section>{}</section></div>"]
)
def test_escaped_markup_inside_wrappers_is_read(wrapper: str) -> None:
    """Once more escaped, whole or within its wrapper; what a cell holds escaped is its text."""
    page = second() + SUMS.format("")
    assert parts_of(wrapper.format(html.escape(page))).parts == (MIRROR,)
    text = "<td>Träger &lt;table&gt; &lt;td&gt; links</td>"
    assert [part.description for part in parts_of(second(Teil=text)).parts] == ["Träger <table> <td> links"]


@given(st.text())
def test_any_html_is_parsed(content: str) -> None:
    """Whatever a page holds, the answer is a reading."""
    parts_of(content)
    parts_of(f"<table class=parts_table><tr>{content}</tr><tr class=parts_single_row>{content}</tr></table>")


def iso(written: str) -> str | None:
    return "-".join(reversed(written.split("."))) if written else None


@pytest.mark.anyio
@pytest.mark.parametrize("markup", ["native", "second", "plain"])
async def test_every_part_of_the_sandbox_is_read(markup: Any) -> None:
    """Every order's parts, columns shuffled: numbers, dates and missing parts agree; an empty list is certain too."""
    sandbox = Sandbox(orders=60, installation=Installation(parts_markup=markup, column_order=5))
    compared = 0
    with sandbox.serve() as url:
        async with client(url) as planso:
            for order in sandbox.order_ids():
                reading = await planso.read_parts(order)
                there = sandbox.parts(order)
                assert reading.has_table
                assert [part.part_no or "" for part in reading.parts] == [part["number"] for part in there]
                for part, real in zip(reading.parts, there, strict=True):
                    told = markup != "plain" or real["status"]  # a plain table has nothing but the status
                    assert part.is_missing == real["missing"] or not told
                    ordered_on = iso(real["ordered_on"]) if markup != "plain" else None
                    assert (part.order_date, part.delivery_date) == (ordered_on, iso(real["delivered_on"]))
                    assert (part.description, part.qty) == (real["description"], float(real["quantity"]))
                compared += len(there)
    assert compared > 50


@pytest.mark.parametrize("length", [201, 100_000])
def test_an_oversized_member_is_none_and_named(length: int) -> None:
    """The part keeps its other members; nothing is cut, and a number of such length is None."""
    long = "A" * length
    cells = CELLS | {
        "Teile Nr": f'<td data-prtnumber="{long}">5G6</td>',
        "Leit Nr": f"<td>{long}</td>",
        "Menge": f"<td>{'9' * length}</td>",
        "": MAIN.format("offen " * length),
    }
    reading = parts_of(native(list(cells), cells))
    (part,) = reading.parts
    assert (part.part_no, part.lead_no, part.status, part.qty) == (None, None, None, None)
    assert (part.description, part.price_each, part.row_id) == (WHOLE.description, WHOLE.price_each, "9")
    assert reading.too_long == {"part_no", "lead_no", "status"}
