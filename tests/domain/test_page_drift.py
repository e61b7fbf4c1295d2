from __future__ import annotations

from dataclasses import replace

import pytest

from planso_connector.domain.order import Excess, FormReading, Order, PartsReading, compose, refreshed
from planso_connector.domain.page_drift import Doubtful, believable_form, believable_parts
from planso_connector.domain.part import Part

GOOD = FormReading(
    values={"person": "Petersen", "shop_date": "2026-12-08", "remarks": "da"},
    fields={"Fahrername": "Petersen", "Werkstattstart": "08.12.2026", "Bemerkungen": "da"},
    found=frozenset({"person", "shop_date", "remarks"}),
)
KNOWN = compose(None, 7, GOOD, None)


def test_a_page_as_it_was_is_taken_over() -> None:
    """No doubt, no change: also when fields were cleared or changed in PlanSo."""
    assert believable_form(KNOWN, GOOD) == (GOOD, ())
    cleared = replace(GOOD, values={**GOOD.values, "remarks": None}, fields={**GOOD.fields, "Bemerkungen": ""})
    assert believable_form(KNOWN, cleared) == (cleared, ())
    assert believable_form(None, cleared) == (cleared, ())


def test_a_label_that_is_gone_keeps_its_value() -> None:
    """The form lost `Fahrername`: the person stays, and the doubt names the label; the rest is taken over."""
    moved = FormReading(
        values={"person": None, "shop_date": "2026-12-09", "remarks": "neu"},
        fields={"Werkstattstart": "09.12.2026", "Bemerkungen": "neu"},
        found=frozenset({"shop_date", "remarks"}),
    )
    read, (doubt,) = believable_form(KNOWN, moved)
    assert (doubt.kind, doubt.what) == (Doubtful.LABEL_GONE, "Fahrername")
    assert read.values == {"person": "Petersen", "shop_date": "2026-12-09", "remarks": "neu"}
    assert read.fields["Fahrername"] == "Petersen"


@pytest.mark.parametrize("known", [KNOWN, None])
def test_a_date_that_reads_no_more_keeps_no_old_one(known: Order | None) -> None:
    """Something stands there that is no date: no value, a doubt at the field, the words as they stand in `fields`."""
    odd = replace(
        GOOD,
        values={**GOOD.values, "shop_date": None},
        fields={**GOOD.fields, "Werkstattstart": "KW 51"},
        unreadable={"shop_date": "KW 51"},
    )
    read, (doubt,) = believable_form(known, odd)
    assert (doubt.kind, doubt.what) == (Doubtful.UNREADABLE, "shop_date")
    assert (read.values["shop_date"], read.fields["Werkstattstart"]) == (None, "KW 51")
    order = compose(None, 7, read, None)
    assert order.document()["doubts"] == [{"field": "shop_date", "text": "KW 51"}]
    assert "doubts" not in KNOWN.document()


def test_a_doubt_outlives_a_label_that_is_gone() -> None:
    """The label of an unreadable date vanishes: its words stay in `fields`, and so does the doubt at the field."""
    odd = replace(GOOD, values={**GOOD.values, "shop_date": None}, unreadable={"shop_date": "KW 51"})
    moved = replace(
        GOOD,
        values={**GOOD.values, "shop_date": None},
        fields={"Fahrername": "Petersen", "Bemerkungen": "da"},
        found=frozenset({"person", "remarks"}),
    )
    read, _ = believable_form(compose(None, 7, odd, None), moved)
    assert (read.unreadable, read.values["shop_date"]) == ({"shop_date": "KW 51"}, None)


def test_prices_that_all_vanish_are_kept() -> None:
    """All prices nought at once: the last ones stay; one of them nought is an ordinary change."""
    priced = (Part(7, part_no="A", row_id="1", price_each=3.5), Part(7, part_no="B", row_id="2", price_each=1.0))
    bare = PartsReading(tuple(replace(part, price_each=0.0) for part in priced), "bestellt")
    read, (doubt,) = believable_parts(priced, bare)
    assert (doubt.kind, [part.price_each for part in read.parts]) == (Doubtful.PRICES_GONE, [3.5, 1.0])
    some = PartsReading((replace(priced[0], price_each=None), priced[1]))
    assert believable_parts(priced, some) == (some, ())
    assert believable_parts(priced, PartsReading(())) == (PartsReading(()), ())


def test_a_doubt_about_a_label_goes_with_the_label() -> None:
    """It stays where the label is gone from the form, and ends where the label shows less."""
    long = Excess.of("x" * 30_000)
    known = replace(KNOWN, fields={**KNOWN.fields, "Notiz": ""}, unreadable={"fields.Notiz": long, "short_name": long})
    gone, _ = believable_form(known, GOOD)
    assert (gone.fields["Notiz"], gone.unreadable) == ("", {"fields.Notiz": long})
    there, _ = believable_form(known, replace(GOOD, fields={**GOOD.fields, "Notiz": "kurz"}))
    assert (there.fields["Notiz"], there.unreadable) == ("kurz", {})
    assert refreshed(known, there).unreadable == {"short_name": long}
    assert known.document()["fields"]["Notiz"] is None  # type: ignore[index]
