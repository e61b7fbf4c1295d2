from __future__ import annotations

from dataclasses import replace

import pytest

from planso_connector.domain.order import (
    FormReading,
    Order,
    OversizedText,
    PartsReading,
    compose_order,
    update_from_form,
)
from planso_connector.domain.page_drift import DoubtKind, check_form, check_parts
from planso_connector.domain.part import Part

GOOD = FormReading(
    values={"person": "Petersen", "shop_date": "2026-12-08", "remarks": "da"},
    fields={"Fahrername": "Petersen", "Werkstattstart": "08.12.2026", "Bemerkungen": "da"},
    labelled_paths=frozenset({"person", "shop_date", "remarks"}),
)
KNOWN = compose_order(None, 7, GOOD, None)


def test_an_unchanged_page_is_stored_as_it_is() -> None:
    """Without doubts, also when fields were cleared or changed in PlanSo."""
    assert check_form(KNOWN, GOOD) == (GOOD, ())
    cleared = replace(GOOD, values={**GOOD.values, "remarks": None}, fields={**GOOD.fields, "Bemerkungen": ""})
    assert check_form(KNOWN, cleared) == (cleared, ())
    assert check_form(None, cleared) == (cleared, ())


def test_the_value_of_a_missing_label_is_kept() -> None:
    """The form lost `Fahrername`: the person stays, the doubt names the label, the rest is updated."""
    moved = FormReading(
        values={"person": None, "shop_date": "2026-12-09", "remarks": "neu"},
        fields={"Werkstattstart": "09.12.2026", "Bemerkungen": "neu"},
        labelled_paths=frozenset({"shop_date", "remarks"}),
    )
    read, (doubt,) = check_form(KNOWN, moved)
    assert (doubt.kind, doubt.what) == (DoubtKind.LABEL_GONE, "Fahrername")
    assert read.values == {"person": "Petersen", "shop_date": "2026-12-09", "remarks": "neu"}
    assert read.fields["Fahrername"] == "Petersen"


@pytest.mark.parametrize("known", [KNOWN, None])
def test_an_unreadable_date_keeps_no_old_value(known: Order | None) -> None:
    """The field has no value but a doubt; its text is in `fields`."""
    odd = replace(
        GOOD,
        values={**GOOD.values, "shop_date": None},
        fields={**GOOD.fields, "Werkstattstart": "KW 51"},
        unreadable={"shop_date": "KW 51"},
    )
    read, (doubt,) = check_form(known, odd)
    assert (doubt.kind, doubt.what) == (DoubtKind.UNREADABLE, "shop_date")
    assert (read.values["shop_date"], read.fields["Werkstattstart"]) == (None, "KW 51")
    order = compose_order(None, 7, read, None)
    assert order.to_document()["doubts"] == [{"field": "shop_date", "text": "KW 51"}]
    assert "doubts" not in KNOWN.to_document()


def test_a_doubt_outlives_its_label() -> None:
    """The label of an unreadable date vanishes: its text stays in `fields`, and so does the doubt."""
    odd = replace(GOOD, values={**GOOD.values, "shop_date": None}, unreadable={"shop_date": "KW 51"})
    moved = replace(
        GOOD,
        values={**GOOD.values, "shop_date": None},
        fields={"Fahrername": "Petersen", "Bemerkungen": "da"},
        labelled_paths=frozenset({"person", "remarks"}),
    )
    read, _ = check_form(compose_order(None, 7, odd, None), moved)
    assert (read.unreadable, read.values["shop_date"]) == ({"shop_date": "KW 51"}, None)


def test_prices_that_vanish_all_at_once_are_kept() -> None:
    """All prices zero: the last ones stay; a single zero is an ordinary change."""
    priced = (Part(7, part_no="A", row_id="1", price_each=3.5), Part(7, part_no="B", row_id="2", price_each=1.0))
    bare = PartsReading(tuple(replace(part, price_each=0.0) for part in priced), "bestellt")
    read, (doubt,) = check_parts(priced, bare)
    assert (doubt.kind, [part.price_each for part in read.parts]) == (DoubtKind.PRICES_GONE, [3.5, 1.0])
    some = PartsReading((replace(priced[0], price_each=None), priced[1]))
    assert check_parts(priced, some) == (some, ())
    assert check_parts(priced, PartsReading(())) == (PartsReading(()), ())


def test_a_doubt_about_a_label_ends_with_its_long_text() -> None:
    """It stays while the label is missing from the form, and ends when the label shows less."""
    long = OversizedText.from_text("x" * 30_000)
    known = replace(KNOWN, fields={**KNOWN.fields, "Notiz": ""}, unreadable={"fields.Notiz": long, "short_name": long})
    gone, _ = check_form(known, GOOD)
    assert (gone.fields["Notiz"], gone.unreadable) == ("", {"fields.Notiz": long})
    there, _ = check_form(known, replace(GOOD, fields={**GOOD.fields, "Notiz": "kurz"}))
    assert (there.fields["Notiz"], there.unreadable) == ("kurz", {})
    assert update_from_form(known, there).unreadable == {"short_name": long}
    assert known.to_document()["fields"]["Notiz"] is None  # type: ignore[index]
