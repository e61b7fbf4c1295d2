"""The date cell of a part: which date is the order's, and which the delivery's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from planso_connector.planso.pages.part_dates import DateRole, read_dates

NOV, DEC = "2025-11-16", "2025-12-19"


def dates_of(cell: str, lone: DateRole = DateRole.DELIVERY) -> tuple[str | None, str | None]:
    inner = cell if cell.startswith("<td") else f"<td>{cell}</td>"
    return read_dates(LexborHTMLParser(f"<table><tr>{inner}</tr></table>").css_first("td"), lone)


FIRST = [
    "16.11.2025",
    "<span title='16.11.2025'>x</span>",
    "<span title='16.11.2025'>16.11.</span>",
    "<span title='2025-11-16'>16.11.</span>",
    "<span title='Bestellt am 16.11.2025 von Karin'>16.11.</span>",
    "<span title='Karin Vollmer'>16.11.2025</span>",
    "<span title='16.11.2025'>16.11.2025</span>",
    "<b><span title='Mo, 16.11.2025'>Mo</span></b>",
    "<span class='rsvgp_bestelldate_td' title='16.11.2025'>16.11.2025</span>",
    "<input value='16.11.2025'>",
]
SECOND = [
    "19.12.2025",
    "<span title='19.12.2025'>x</span>",
    "<span title='Geliefert am 19.12.2025'>19.12.</span>",
    "<i title='Karin Vollmer'></i>19.12.2025",
    "<span title='Lieferung'>19.12.25</span>",
    "<span title='geändert am 03.11.2025 von Karin'>19.12.2025</span>",
    "<span><span title='19.12.2025'>19.12.</span></span> <button title='Datum ändern'>01.01.2020</button>",
]
NOTHING = ["-", "–", "", "&nbsp;", "Array", "<span title='Array'>Array</span>", "<span title=''>-</span>", "00.00.0000"]
NOTHING += ["<span title='-'></span>", "<span title='offen'>offen</span>", "KW 51", "31.02.2025", "<input value=''>"]
SLASHES = [
    "/",
    " / ",
    "&nbsp;/&nbsp;",
    " Array / ",
    "/ Array ",
    "\n/\n",
    "<br>/<br>",
    "<span>/</span>",
    " <b>&#47;</b> ",
]


@given(st.sampled_from(FIRST + NOTHING), st.sampled_from(SLASHES), st.sampled_from(SECOND + NOTHING))
def test_the_slash_separates_order_and_delivery_date(first: str, slash: str, second: str) -> None:
    """Whatever each half is written with: before the slash is the order date, after it the delivery date."""
    expected = (NOV if first in FIRST else None, DEC if second in SECOND else None)

    assert dates_of(first + slash + second) == expected
    assert dates_of(f"<span>{first}{slash}{second}</span>") == expected
    assert dates_of(first + slash + second, DateRole.ORDER) == expected


@pytest.mark.parametrize(
    ("cell", "ordered", "delivered"),
    [
        # a text that is shorter than its title, with the slash inside
        ("<span title='16.11.2025'>16.11. / -</span>", NOV, None),
        ("<span title='19.12.2025'>- / 19.12.</span>", None, DEC),
        ("<span title='16.11.2025 / 19.12.2025'>16.11. / 19.12.</span>", NOV, DEC),
        ("<span title='16.11.2025 / 19.12.2025'><i class='fa'></i></span>", NOV, DEC),
        ("<span title='16.11.2025'>16.11.2025 / 19.12.2025</span>", NOV, DEC),
        ("<td title='Bestelldatum / Lieferdatum'>16.11.2025 / -</td>", NOV, None),
        # the class of the order date
        ("<span class='x rsvgp_bestelldate_td' title='16.11.2025'>16.11.</span>", NOV, None),
        ("<span class='rsvgp_bestelldate_td'>16.11.2025</span>", NOV, None),
        ("<td class='rsvgp_bestelldate_td'>16.11.2025</td>", NOV, None),
        ("<td class='rsvgp_bestelldate_td'>16.11.2025 / 19.12.2025</td>", NOV, DEC),
        ("<td class='rsvgp_bestelldate_td'>- / 19.12.2025</td>", None, DEC),
        ("<span class='rsvgp_bestelldate_td' title='16.11.2025'>16.11.</span> 19.12.2025", NOV, DEC),
        ("19.12.2025 / <span class='rsvgp_bestelldate_td'>16.11.2025</span>", NOV, DEC),
        ("- / <span class='rsvgp_bestelldate_td'>16.11.2025</span>", NOV, None),
        # words
        ("<span title='bestellt am 16.11.2025'>16.11.</span>", NOV, None),
        ("<span title='geliefert am 19.12.2025'>19.12.</span>", None, DEC),
        ("Bestellt: 16.11.2025", NOV, None),
        ("Bestellt: 16.11.2025, geliefert: 19.12.2025", NOV, DEC),
        ("geliefert 19.12.2025 (bestellt 16.11.2025)", NOV, DEC),
        ("16.11.2025 bestellt, 19.12.2025 geliefert", NOV, DEC),
        ("Bestellt: - Geliefert: 19.12.2025", None, DEC),
        ("<span title='Bestellt: 16.11.2025 Geliefert: 19.12.2025'>19.12.</span>", NOV, DEC),
        ("16.11.2025 <i title='geliefert am 19.12.2025'></i>", NOV, DEC),
        # several without a slash: their order
        ("<span title='16.11.2025'>x</span><span title='19.12.2025'>x</span>", NOV, DEC),
        ("16.11.2025 19.12.2025", NOV, DEC),
        ("16.11.2025 - 19.12.2025", NOV, DEC),
        ("16.11.2025<br>-", NOV, None),
        ("-<br>19.12.2025", None, DEC),
        # nothing tells
        ("19.12.2025", None, DEC),
        ("<span title='19.12.2025'>x</span>", None, DEC),
        ("Array <span title='19.12.2025'>x</span>", None, DEC),
        ("19.12.2025 (Muster GmbH)", None, DEC),
        ("<i title='geändert am 03.11.2025'></i> 19.12.2025", None, DEC),
        # times
        ("16.11.2025 / 19.12.2025 07:30", NOV, f"{DEC}T07:30:00"),
        ("19.12.2025 08:00-16:00", None, DEC),
        ("<span title='2025-12-19 00:00:00'>19.12.</span>", None, DEC),
        # no dates
        ("n/a", None, None),
        ("12/2025", None, None),
        ("Rev. 3.16.11.2025", None, None),
        ("16.11. / 19.12.", None, None),
        ("bald", None, None),
        ("<td></td>", None, None),
    ],
)  # fmt: skip
def test_class_words_and_place_decide_the_role(cell: str, ordered: str | None, delivered: str | None) -> None:
    """By class, by the words around a date, by its place among several; otherwise it is a delivery date."""
    assert dates_of(cell) == (ordered, delivered)


def test_a_lone_date_has_its_column_s_role() -> None:
    """In a column of order dates it is one, unless the words say otherwise."""
    assert dates_of("16.11.2025", DateRole.ORDER) == (NOV, None)
    assert dates_of("geliefert am 19.12.2025", DateRole.ORDER) == (None, DEC)


@given(st.lists(st.sampled_from([*FIRST, *SECOND, *NOTHING, *SLASHES, "<span title='", "'>", "</span>", "<td>"])))
def test_any_cell_is_read(pieces: list[str]) -> None:
    """The dates are days that the cell holds, or None."""
    found = dates_of("".join(pieces))

    assert {str(day)[:10] for day in found} <= {"None", NOV, DEC, "2025-11-03"}


def test_deep_nesting_is_parsed() -> None:
    """There is no recursion."""
    assert dates_of("<b>" * 20_000 + "19.12.2025") == (None, DEC)
