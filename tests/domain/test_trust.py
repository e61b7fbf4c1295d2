from __future__ import annotations

from dataclasses import replace

from planso_connector.domain.order import FormReading, PartsReading, compose
from planso_connector.domain.part import Part
from planso_connector.domain.trust import Doubtful, believable_form, believable_parts

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


def test_a_date_that_reads_no_more_keeps_the_last_good_one() -> None:
    """Something stands there that is no date: the last good date stays, the words are shown in `fields`."""
    odd = replace(
        GOOD,
        values={**GOOD.values, "shop_date": None},
        fields={**GOOD.fields, "Werkstattstart": "12/08/26 AD"},
        unreadable=frozenset({"shop_date"}),
    )
    read, (doubt,) = believable_form(KNOWN, odd)
    assert (doubt.kind, doubt.what) == (Doubtful.UNREADABLE, "shop_date")
    assert (read.values["shop_date"], read.fields["Werkstattstart"]) == ("2026-12-08", "12/08/26 AD")


def test_prices_that_all_vanish_are_kept() -> None:
    """All prices nought at once: the last ones stay; one of them nought is an ordinary change."""
    priced = (Part(7, part_no="A", row_id="1", price_each=3.5), Part(7, part_no="B", row_id="2", price_each=1.0))
    bare = PartsReading(tuple(replace(part, price_each=0.0) for part in priced), "bestellt")
    read, (doubt,) = believable_parts(priced, bare)
    assert (doubt.kind, [part.price_each for part in read.parts]) == (Doubtful.PRICES_GONE, [3.5, 1.0])
    some = PartsReading((replace(priced[0], price_each=None), priced[1]))
    assert believable_parts(priced, some) == (some, ())
    assert believable_parts(priced, PartsReading(())) == (PartsReading(()), ())
