from __future__ import annotations

import pytest

from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.folding import fold, fold_phone, fold_plate
from planso_connector.domain.input_warnings import find_input_warnings
from planso_connector.domain.order import (
    BoardEntry,
    FormReading,
    PartsReading,
    compose_order,
    has_identifying_value,
    is_emptied,
    update_from_form,
)
from planso_connector.domain.part import Part


@pytest.mark.parametrize(
    ("part", "missing"),
    [
        (Part(1), False),
        (Part(1, is_to_order=True), True),
        (Part(1, is_ordered=True), True),
        (Part(1, is_ordered=True, is_delivered=True), False),
        (Part(1, is_delivered=True, is_backorder=True), True),
        (Part(1, is_backorder=True), True),
        (Part(1, status="offen"), True),
        (Part(1, status="Teil fehlt"), True),
        (Part(1, status="Rückstand"), True),
        (Part(1, status="BACKORDER"), True),
        (Part(1, status="geliefert"), False),
        (Part(1, status="Rückstand", is_delivered=True), False),
        (Part(1, status="betroffen"), False),
    ],
)
def test_each_way_in_which_a_part_is_missing(part: Part, missing: bool) -> None:
    """On backorder; or not delivered, and to order, ordered or missing by its status."""
    assert part.is_missing is missing


def form(**shown: str) -> FormReading:
    return FormReading(values={"vehicle_details.number_plate": shown.get("plate")}, fields={})


def test_fallbacks_of_the_list() -> None:
    """Plate: the form, else the short name if that may be one. Damage class: the form, else the list's finish_date."""
    entry = BoardEntry(7, short_name="WN-AE 2309 Petersen", station_id="2", finish_date="KL 2-3")
    bare = compose_order(entry, 7, form(), None)
    assert (bare.plate, bare.values["damage"]) == ("WN-AE 2309 Petersen", "KL 2-3")
    assert compose_order(entry._replace(short_name="Petersen"), 7, form(), None).plate is None
    assert compose_order(entry, 7, form(plate="WN-AE 2309"), None).plate == "WN-AE 2309"
    assert compose_order(None, 7, form(), None).archived


@pytest.mark.parametrize(
    "finish_date",
    ["14.12.2026", "2026-12-14", "2026-12-14 08:00:00", "14.12.", "14.12.26 12:00", "bis 14.12.", "08:00"],
)
def test_damage_is_never_a_date(finish_date: str) -> None:
    """Neither from the list, whose member is a date on some installations, nor from the form: there it is a doubt."""
    listed = compose_order(BoardEntry(7, finish_date=finish_date), 7, form(), None)
    assert (listed.values.get("damage"), listed.list_finish_date) == (None, finish_date)
    shown = compose_order(None, 7, FormReading(values={"damage": finish_date}, fields={}), None)
    assert (shown.values["damage"], shown.unreadable) == (None, {"damage": finish_date})
    assert shown.value_or_unreadable("damage") == finish_date


@pytest.mark.parametrize("damage", ["KL 2-3", "KL 4", "2-3", "3", "1.5", "Hagel", "KL 2/3", "Klasse 10"])
def test_a_damage_class_is_no_date(damage: str) -> None:
    """Numbers and ranges are classes."""
    assert compose_order(BoardEntry(7, finish_date=damage), 7, form(), None).values["damage"] == damage


def test_an_order_shows_its_key_numbers() -> None:
    """Manufacturer and model beside the field; null where it holds something else, absent where it holds nothing."""
    shown = {"0603/BGU": ("0603", "BGU"), "unbekannt": (None, None)}
    for kba, numbers in shown.items():
        vehicle = compose_order(None, 7, FormReading({"vehicle.kba": kba}, {}), None).to_document()["vehicle"]
        assert isinstance(vehicle, dict)
        assert (vehicle["hsn"], vehicle["tsn"]) == numbers
    assert "hsn" not in str(compose_order(None, 7, form(), None).to_document())


def test_an_order_that_needs_no_parts_misses_none() -> None:
    """`ohne E-Teile` counts, whatever the table holds."""
    parts = (Part(7, is_backorder=True),)
    assert compose_order(None, 7, form(), PartsReading(parts, "in Arbeit")).missing_parts
    assert not compose_order(None, 7, form(), PartsReading(parts, "ohne E-Teile")).missing_parts


def test_an_update_from_the_form_keeps_what_other_pages_supplied() -> None:
    """Station, parts and parts status stay."""
    entry = BoardEntry(7, short_name="kurz", station_id="2", station_state="active")
    before = compose_order(entry, 7, form(plate="A-B 1"), PartsReading((Part(7, is_backorder=True),), "bestellt"))
    after = update_from_form(before, form(plate="A-B 2"))
    assert (after.plate, after.station_id, after.missing_parts) == ("A-B 2", "2", True)
    assert (after.parts, after.values["parts_status"]) == (before.parts, "bestellt")


@pytest.mark.parametrize("notation", ["WN-AE 2309", "wnae2309", "WN AE2309", "wn - ae  2309"])
def test_all_notations_of_a_plate_fold_alike(notation: str) -> None:
    """Case, gaps and hyphens don't matter."""
    assert fold_plate(notation) == "WNAE2309"


@pytest.mark.parametrize("notation", ["0151 234", "+49151234", "0049 151 234", "+49 (0) 151-234", "0151/234"])
def test_all_notations_of_a_phone_number_fold_alike(notation: str) -> None:
    """Country and trunk prefixes and punctuation don't matter."""
    assert fold_phone(notation) == "151234"


def test_names_fold_without_case_accents_and_umlauts() -> None:
    """`ß`=`ss`, `ü`=`ue`, composed or not."""
    assert fold("Müßig") == fold("MUESSIG") == fold("Mu\u0308ßig") == "muessig"
    assert fold("  André   Łuk ") == "andre luk"


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        ("vehicle_details.number_plate", "WN-AE 2309", "???"),
        ("vehicle_details.number_plate", "B-MW 1E", "kommt noch"),
        ("vehicle_details.vin", "WVWZZZ1KZAW123456", "WVWZZZ1KZAW12345O"),
        ("phone", "030 23125 118", "keins"),
        ("email", "jana@example.de", "jana(at)example"),
    ],
)
def test_a_value_that_looks_wrong_is_reported(path: str, right: str, wrong: str) -> None:
    """A plate, VIN, phone number or e-mail that looks wrong is named with its field; a right one is not."""
    assert find_input_warnings({path: right}) == []
    (sentence,) = find_input_warnings({path: wrong})
    assert sentence.startswith(path)
    assert "written as given" in sentence


def test_defaults_alone_are_no_order() -> None:
    """A form needs a person or a vehicle to be an order's."""
    defaults = FormReading(values={"service_advisor": "MK", "shop_date": "2026-11-23"}, fields={"Serviceberater": "MK"})
    assert not has_identifying_value(defaults)
    assert has_identifying_value(FormReading(values={**defaults.values, "person": "Petersen"}, fields={}))


def test_a_form_that_lost_nearly_all_values_is_emptied() -> None:
    """Also with a default left; not with a few values cleared, or few to begin with."""
    held: dict[str, Value] = dict.fromkeys(list(BY_PATH)[:20], "x")
    assert is_emptied(held, FormReading(values={"service_advisor": "MK"}, fields={"a": ""}))
    assert is_emptied(held, FormReading(values={}, fields={}))
    assert not is_emptied(held, FormReading(values=dict(list(held.items())[:10]), fields={"a": "x"}))
    assert not is_emptied({"person": "x"}, FormReading(values={}, fields={"a": ""}))
