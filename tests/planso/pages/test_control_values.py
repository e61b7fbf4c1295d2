"""A value is written in the control's present notation; what PlanSo makes of it is compared by meaning."""

from __future__ import annotations

import pytest

from planso_connector.domain.errors import Invalid
from planso_connector.domain.fields import Value
from planso_connector.planso.pages.form_parser import Form
from tests.planso.conftest import form_of


def with_input(label: str, value: str, name: str = "f[5]", kind: str = "text") -> Form:
    field = f'<div class=field><label>{label}</label><input type={kind} name="{name}" value="{value}"></div>'
    return form_of(f"<form><div class=field><label>Fahrername</label><input name=p value=M></div>{field}</form>")


@pytest.mark.parametrize(
    ("label", "name", "standing", "path", "requested", "written"),
    [
        ("Werkstattstart", "f[5]", "2026-12-16", "shop_date", "2026-12-17", "2026-12-17"),
        ("Werkstattstart", "f[5]", "16.12.2026", "shop_date", "2026-12-17", "17.12.2026"),
        ("Werkstattstart", "f[5]", "16.12.2026 00:00:00", "shop_date", "2026-12-17", "17.12.2026 00:00:00"),
        ("Werkstattstart", "f[5]", "0000-00-00", "shop_date", "2026-12-17", "2026-12-17"),
        ("Werkstattstart", "f[5]", "KW 51", "shop_date", "2026-12-17", "17.12.2026"),
        ("Werkstattstart", "f[5]", "", "shop_date", "2026-12-17", "17.12.2026"),
        ("Rückgabe", "f[return_date_time]", "16:00", "return_date_time", "2026-12-17T09:30:00", "09:30"),
        ("Rückgabe", "25704_return_date_time", "16:00:00", "return_date_time", "2026-12-17T09:30:00", "09:30:00"),
        ("Rückgabe", "f[return_date_time]", "16:00", "return_date_time", "09:30", "09:30"),
        ("Rückgabe", "f[5]", "16:00", "return_date_time", "2026-12-17T09:30:00", "17.12.2026 09:30:00"),
        ("Rückgabe", "f[5]", "15.12.2026 16:00", "return_date_time", "09:30", "15.12.2026 09:30"),
        ("Reparatur von", "f[5]", "08:00", "repair_date_time_from", "2026-12-05T14:00:00", "14:00"),
        ("Reparatur von", "f[5]", "05.12.2026 08:00", "repair_date_time_from", "14:00", "05.12.2026 14:00"),
        ("Reparatur von", "f[5]", "", "repair_date_time_from", "14:00", "14:00"),
        ("HU/AU", "f[5]", "2026-03-01", "vehicle_details.hu_au", "2027-03", "2027-03-01"),
        ("HU/AU", "f[5]", "03/26", "vehicle_details.hu_au", "2027-03", "03/27"),
        ("Erstzulassung", "f[5]", "14.03.70", "vehicle_details.first_registration", "1920-07-01", "01.07.1920"),
        ("Sollstunden Karo", "f[5]", "11.30", "est_hours_karo", 12.5, "12.50"),
        ("Sollstunden Karo", "f[5]", "1.500", "est_hours_karo", 0.125, "0.125"),
        ("Sollstunden Karo", "f[5]", "1.234,50", "est_hours_karo", 2345.5, "2.345,50"),
        ("Kilometerstand", "f[5]", "84.210", "vehicle_details.km_stand", "84310", "84310"),
    ],
)
def test_the_control_s_present_notation_is_written(
    label: str, name: str, standing: str, path: str, requested: Value, written: str
) -> None:
    """After a save that keeps it nothing is unsaved, normalised or left to send."""
    form = with_input(label, standing, name)
    plan = form.plan({path: requested})
    assert list(plan.new_values.values()) == [written]

    saved = with_input(label, written, name)
    assert saved.find_unsaved({path: requested}, form) == []
    assert saved.describe_normalised({path: requested}, form) == ()
    assert saved.plan({path: requested}).changes == ()


@pytest.mark.parametrize(
    ("label", "standing", "path", "requested"),
    [
        ("Sollstunden Karo", "1.500", "est_hours_karo", 1.5),
        ("Kilometerstand", "84.210", "vehicle_details.km_stand", "84210"),
        ("Werkstattstart", "2026-12-16 00:00:00", "shop_date", "2026-12-16"),
    ],
)
def test_the_same_in_another_notation_is_no_change(label: str, standing: str, path: str, requested: Value) -> None:
    """Nothing is sent for a value that stands there already."""
    assert with_input(label, standing).plan({path: requested}).changes == ()


@pytest.mark.parametrize(
    ("label", "name", "kind", "standing", "path", "requested"),
    [
        ("Rückgabe", "f[return_date_time]", "text", "16:00", "return_date_time", "2026-12-17"),
        ("Rückgabe", "f[5]", "text", "", "return_date_time", "09:30"),
        ("Reparatur von", "f[5]", "date", "2026-12-05", "repair_date_time_from", "09:30"),
        ("Rückgabe", "f[5]", "time", "16:00", "return_date_time", "2026-12-17"),
    ],
)
def test_a_day_or_time_alone_is_refused_where_both_are_needed(
    label: str, name: str, kind: str, standing: str, path: str, requested: Value
) -> None:
    """A day where a time is held, or a time where a date is needed: nothing is emptied by it."""
    with pytest.raises(Invalid, match="accepted: a"):
        with_input(label, standing, name, kind).plan({path: requested})


@pytest.mark.parametrize(
    ("label", "path", "before", "requested", "after", "is_noted"),
    [
        ("Kennzeichen", "vehicle_details.number_plate", "", "wn-ae 2309", "WN-AE 2309", True),
        ("Telefon", "phone", "", "+49151234", "0151 234", True),
        ("Kunden E-Mail", "email", "", "Jana@Example.de", "jana@example.de", True),
        ("Fahrername", "person", "", "Jana  Petersen", "Jana Petersen", True),
        ("Kilometerstand", "vehicle_details.km_stand", "", "84210", "84.210", True),
        ("Sollstunden Karo", "est_hours_karo", "5,00", 12.345, "12,35", True),
        ("Sollstunden Karo", "est_hours_karo", "5,00", 12.5, "12.5", True),
        ("Sollstunden Karo", "est_hours_karo", "5,00", 12.5, "12,5", False),
        ("Sollstunden Karo", "est_hours_karo", "5,00", 12.25, "12,250", False),
        ("Sollstunden Karo", "est_hours_karo", "5,00", 12.0, "12", False),
        ("Sollstunden Karo", "est_hours_karo", "5,00", None, "0,00", True),
        ("Werkstattstart", "shop_date", "08.12.2026", "2026-12-09", "09.12.2026 00:00:00", True),
        ("Werkstattstart", "shop_date", "", "2026-12-09", "2026-12-09", True),
        ("HU/AU", "vehicle_details.hu_au", "", "2027-03", "01.03.2027", True),
    ],
)
def test_normalised_values_are_described(
    label: str, path: str, before: str, requested: Value, after: str, is_noted: bool
) -> None:
    """The same value in PlanSo's notation counts as saved; a note names the field and both notations."""
    saved, back = with_input(label, before), with_input(label, after)
    if label == "Fahrername":
        saved, back = (form_of(f"<div><label>{label}</label><input name=a value='{v}'></div>") for v in (before, after))
    assert back.find_unsaved({path: requested}, saved) == []
    assert back.find_unsaved({path: requested}) == []
    notes = back.describe_normalised({path: requested}, saved)
    assert len(notes) == is_noted
    assert all(note.startswith(f"PlanSo writes {path} ('{label}') as '{after}' (asked '") for note in notes)


@pytest.mark.parametrize(
    ("label", "path", "before", "requested", "after"),
    [
        ("Telefon", "phone", "", "0151 234 5678", "0151 234 567"),
        ("Kennzeichen", "vehicle_details.number_plate", "", "B-NO 123", "BN-O 123"),
        ("Bemerkungen", "remarks", "", "Ersatzwagen 🚗 da", "Ersatzwagen "),
        ("Bemerkungen", "remarks", "", "Käß", "K??"),
        ("Sollstunden Karo", "est_hours_karo", "5,00", 999.0, "99,00"),
        ("Sollstunden Karo", "est_hours_karo", "5,00", 0.125, "125"),
        ("Werkstattstart", "shop_date", "", "2026-12-09", "0000-00-00"),
        ("Werkstattstart", "shop_date", "", "2026-12-09T08:30:00", "09.12.2026"),
        ("Reparatur von", "repair_date_time_from", "05.12.2026 08:00", "14:00", "06.12.2026 14:00"),
        ("Kilometerstand", "vehicle_details.km_stand", "", "84210", "8421"),
        ("Telefon", "phone", "0151", None, "0151"),
    ],
)
def test_another_value_is_never_a_normalisation(
    label: str, path: str, before: str, requested: Value, after: str
) -> None:
    """Where it is cut, capped, garbled or moved, PlanSo kept another value."""
    saved, back = with_input(label, before), with_input(label, after)
    assert [kept.field for kept in back.find_unsaved({path: requested}, saved)] == [path]
    assert back.describe_normalised({path: requested}, saved) == ()


def test_another_selected_option_is_another_value() -> None:
    """Options have no notation."""
    select = (
        "<div><label>Kategorie</label><select name=d><option value=5{}>KL 2-3<option value=6{}>KL 2-3+</select></div>"
    )
    back = form_of(select.format("", " selected"))
    assert [kept.kept for kept in back.find_unsaved({"damage": "KL 4"})] == ["KL 2-3+"]
    assert back.describe_normalised({"damage": "KL 2-3+"}) == ()


def test_a_hidden_mirror_is_written_in_its_own_notation() -> None:
    """The visible input has no name; the hidden one that is sent holds an ISO date."""
    form = form_of(
        "<div class=field><label>Werkstattstart</label><input type=text class=picker value='16.12.2026'>"
        "<input type=hidden name='f[5]' value='2026-12-16'></div>"
    )
    assert list(form.plan({"shop_date": "2026-12-17"}).new_values.values()) == ["2026-12-17"]


@pytest.mark.parametrize("path", ["person", "phone"])
def test_clearing_the_customer_is_noted(path: str) -> None:
    """The note names a cleared name or phone number; clearing an empty field makes no note."""
    label, word = {"person": ("Fahrername", "name"), "phone": ("Telefon", "phone number")}[path]
    full, empty = (form_of(f"<div><label>{label}</label><input name=a value='{v}'></div>") for v in ("0151 1", ""))
    assert full.plan({path: None}).notes == (f"{path} is cleared: the order has no {word} any more.",)
    assert empty.plan({path: None}).notes == ()


@pytest.mark.parametrize("text", ["KW 51", "offen", "ab 14 Uhr"])
def test_text_in_a_date_field_is_unreadable(text: str) -> None:
    """The field has no value and is listed with its text; a database's empty date is no value."""
    reading = with_input("Werkstattstart", text).read_fields()
    assert (reading.values["shop_date"], dict(reading.unreadable)) == (None, {"shop_date": text})
    assert reading.fields["Werkstattstart"] == text
    for nothing in ("", "0000-00-00", "00.00.0000", "0000-00-00 00:00:00"):
        assert dict(with_input("Werkstattstart", nothing).read_fields().unreadable) == {}
