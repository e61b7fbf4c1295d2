# ruff: noqa: E501 - markup stands as PlanSo would send it
"""What a write would change, what it refuses, and what counts as saved."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.errors import Invalid
from planso_connector.domain.fields import Value
from planso_connector.planso.pages.form_parser import Form
from tests.planso.conftest import form_of

CONTENT = """<form><input type=hidden name=token value=t>
<div><label>Fahrername</label><input name=person value=Alt></div><div><label>Halter</label><input name=owner value=Firma></div>
<div><label>VIN</label><input name=vin value=" W "></div>
<div><label>Sollstunden Karo</label><input name=karo value="11,30"></div>
<div><label>Sollstunden Lack</label><input type=number name=lack value="1.234"></div>
<div><label>Werkstattstart</label><input name=start value="2026-12-08"></div>
<div><label>Lackiertermin</label><input type=date name=paint value="2026-12-10"></div>
<div><label>Rückgabe</label><input type=datetime-local name=back value=""></div>
<div><label>Reparatur von</label><input type=time name=from value="08:00"></div>
<div><label>HU/AU</label><input name=hu value="03/2027"></div>
<div><label>Bemerkungen</label><textarea name=remarks>\na\nb</textarea></div>
<div><label>Kategorie</label><select name=damage><option value=0>bitte wählen<option value=5 selected>KL 2-3<option value=6>KL  4
<option value=7 disabled>KL 9</select></div>
<div><label>Hersteller</label><select name=make><option value="">-</option><option value=42 selected>VW<option value=43>Audi</select></div>
<div><label>Modell</label><select name=model><option value=4207 selected>Golf<option value=4208>Polo</select></div>
<div><label>Hol-/Bringservice</label><label><input type=radio name=pick value=1 checked>kommt</label>
<label><input type=radio name=pick value=2>bringt</label></div>
<div><label>Alle Fahrzeugdaten</label><input type=checkbox name=all value=1></div>
<div><label>Mietwagen Navi</label><input type=checkbox name=navi value=1></div>
<div><label>Motor</label><input name=engine value=x disabled></div>
<div><label>Leistung</label><input name=power value=x readonly></div>
<div><label>Kennzeichen</label><input name=plate value=""></div><div><label>Fahrzeug</label><input name=car value="VW Golf"></div>
</form>"""


def after(requested: dict[str, Value], content: str = CONTENT) -> dict[str, str]:
    """The pairs that a save would change, with their new values."""
    form = form_of(content)
    plan = form.plan(requested)
    before = dict(parse_qsl(form.serialise(), keep_blank_values=True))
    now = dict(parse_qsl(form.serialise(plan), keep_blank_values=True))
    assert list(requested) == [change.path for change in plan.changes] or before == now
    return {name: now.get(name, "(not sent)") for name in before | now if before.get(name) != now.get(name)}


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("person", "Neu", {"person": "Neu"}),
        ("person", None, {"person": ""}),
        ("est_hours_karo", 12.5, {"karo": "12,50"}),
        ("est_hours_karo", None, {"karo": ""}),
        ("est_hours_lack", 6.0, {"lack": "6"}),
        ("est_hours_lack", 1.234, {}),
        ("shop_date", "2026-12-09", {"start": "2026-12-09"}),
        ("shop_date", "2026-12-09T08:30:00", {"start": "2026-12-09 08:30:00"}),
        ("shop_date", "2026-12-08", {}),
        ("paint_date", "2026-12-11", {"paint": "2026-12-11"}),
        ("paint_date", "2026-12-10T08:00:00", {}),
        ("return_date_time", "2026-12-15T16:00:00", {"back": "2026-12-15T16:00:00"}),
        ("return_date_time", "2026-12-15", {"back": "2026-12-15T00:00"}),
        ("repair_date_time_from", "09:15", {"from": "09:15"}),
        ("vehicle_details.hu_au", "2028-01", {"hu": "01/2028"}),
        ("vehicle_details.vin", "W", {}),
        ("remarks", "a\r\nb", {}),
        ("remarks", "c\nd", {"remarks": "c\r\nd"}),
        ("damage", "KL 4", {"damage": "6"}),
        ("damage", "kl 4", {"damage": "6"}),
        ("damage", "6", {"damage": "6"}),
        ("damage", "kl 2-3", {}),
        ("damage", None, {"damage": "0"}),
        ("vehicle_details.makeID", 43, {"make": "43"}),
        ("vehicle_details.makeID", None, {"make": ""}),
        ("vehicle_details.makeID", 42, {}),
        ("pickup_service", "bringt", {"pick": "2"}),
        ("vehicle_details.all_details", True, {"all": "1"}),
        ("vehicle_details.all_details", None, {}),
        ("rental_car_navi", "ja", {"navi": "1"}),
        ("rental_car_navi", "nein", {}),
        ("vehicle_details.engine", "x", {}),
        ("vehicle_details.number_plate", "B-NO 123", {"plate": "B-NO 123"}),
        ("vehicle_details.number_plate", None, {}),
    ],
)
def test_only_requested_controls_change(path: str, value: Value, changed: dict[str, str]) -> None:
    """A value is written in the control's own notation; a control that holds it already is not touched."""
    assert after({path: value}) == changed


@pytest.mark.parametrize(
    ("path", "value", "kind", "message"),
    [
        ("phone", "1", "planso_label_missing", "'Telefon' or 'Telefonnummer'"),
        ("damage", "KL 8", "planso_not_offered", "accepted: KL 2-3, KL 4"),
        ("damage", "KL 9", "planso_not_offered", "accepted: KL 2-3, KL 4"),
        ("vehicle_details.makeID", 44, "planso_not_offered", "accepted: 42 (VW), 43 (Audi)"),
        ("vehicle_details.modelID", None, "planso_not_offered", "can't be cleared"),
        ("pickup_service", None, "planso_not_offered", "accepted: kommt, bringt"),
        ("pickup_service", "fliegt", "planso_not_offered", "accepted: kommt, bringt"),
        ("rental_car_navi", "vielleicht", "planso_not_offered", "ja, nein"),
        ("vehicle_details.engine", "y", "planso_read_only", "'Motor'"),
        ("vehicle_details.engine_power", "96", "planso_read_only", "'Leistung'"),
    ],
)
def test_values_that_the_form_cannot_take_are_refused(path: str, value: Value, kind: str, message: str) -> None:
    """For a missing label, a value that is not offered and a read-only control nothing is planned at all."""
    with pytest.raises(Invalid) as error:
        form_of(CONTENT).plan({"person": "Neu", path: value})

    (problem,) = error.value.problems
    assert (problem.type, problem.field) == (kind, path)
    assert message in problem.msg


def test_all_problems_are_reported_at_once() -> None:
    """A caller corrects everything in one go."""
    with pytest.raises(Invalid) as error:
        form_of(CONTENT).plan({"phone": "1", "damage": "x", "vehicle_details.engine": "y"})

    assert [problem.loc[1:] for problem in error.value.problems] == [
        ("phone",),
        ("damage",),
        ("vehicle_details", "engine"),
    ]


def test_a_long_list_of_options_is_cut() -> None:
    """At most forty choices are listed, then how many more there are."""
    options = "".join(f"<option value={n}>Farbe {n}" for n in range(1, 60))
    with pytest.raises(Invalid, match="… and 19 more"):
        form_of(f"<div><label>Kategorie</label><select name=a>{options}</select></div>").plan({"damage": "x"})


def test_clearing_a_missing_label_is_a_note() -> None:
    """There is nothing to clear, so nothing is refused."""
    plan = form_of(CONTENT).plan({"phone": None})

    assert plan.changes == ()
    assert "phone" in plan.notes[0]


def test_clearing_notes_another_label_with_a_value() -> None:
    """Fahrername is cleared, and Halter still supplies the person."""
    plan = form_of(CONTENT).plan({"person": None})

    assert "'Halter' still supplies a value" in plan.notes[0]


def test_a_repeated_clear_changes_nothing() -> None:
    """With Fahrername empty already, Halter is left alone, and the note says that it supplies the person."""
    plan = form_of(CONTENT.replace("value=Alt", "value=''")).plan({"person": None})

    assert plan.changes == ()
    assert "'Halter' still supplies a value" in plan.notes[0]


def test_a_plate_never_overwrites_a_vehicle() -> None:
    """Without `Kennzeichen`, `Fahrzeug` takes a plate only where it holds one or nothing."""
    content = "<div><label>Fahrzeug</label><input name=car value='{}'></div>"

    assert after({"vehicle_details.number_plate": "B-NO 1"}, content.format("WN-AE 2309")) == {"car": "B-NO 1"}
    assert after({"vehicle_details.number_plate": "B-NO 1"}, content.format("")) == {"car": "B-NO 1"}
    with pytest.raises(Invalid, match="'Fahrzeug' holds something else"):
        form_of(content.format("VW Golf")).plan({"vehicle_details.number_plate": "B-NO 1"})


def test_a_time_that_a_date_control_cannot_hold_is_noted() -> None:
    """The day is written and compared; a note says that the time of day was lost."""
    form = form_of(CONTENT)
    plan = form.plan({"paint_date": "2026-12-12T08:00:00"})

    assert "time of day was not written" in plan.notes[0]
    saved = form_of(CONTENT.replace("2026-12-10", "2026-12-12"))
    assert saved.find_unsaved({"paint_date": "2026-12-12T08:00:00"}) == []


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "person": st.text("aäß &<'\"", min_size=1).map(str.strip).filter(bool),
            "est_hours_karo": st.floats(0, 9999).map(lambda hours: round(hours, 2)),
            "remarks": st.text("ab\n=&%+", min_size=1).map(str.strip).filter(bool),
            "damage": st.sampled_from(["KL 2-3", "KL 4"]),
            "vehicle_details.all_details": st.booleans(),
            "shop_date": st.dates(min_value=__import__("datetime").date(1990, 1, 1))
            .map(str)
            .filter(lambda d: d < "2199"),
        },
    )
)
def test_unchanged_controls_are_sent_byte_for_byte(requested: dict[str, Value]) -> None:
    """A plan touches the pairs of its own controls, and no other byte or position."""
    form = form_of(CONTENT)
    names = {"person": "person", "est_hours_karo": "karo", "remarks": "remarks", "damage": "damage",
             "vehicle_details.all_details": "all", "shop_date": "start"}  # fmt: skip
    touched = {names[path] for path in requested}

    def rest(serialised: str) -> list[str]:
        return [pair for pair in serialised.split("&") if pair.partition("=")[0] not in touched]

    assert rest(form.serialise(form.plan(requested))) == rest(form.serialise())


def read_back(**changed: str) -> Form:
    content = CONTENT
    for old, new in changed.items():
        content = content.replace(old, new)
    return form_of(content)


def test_unsaved_fields_are_reported() -> None:
    """With field, label, and the texts sent and kept."""
    requested: dict[str, Value] = {"person": "Neu", "est_hours_karo": 12.5, "vehicle_details.vin": "W"}
    kept = form_of(CONTENT).find_unsaved(requested)

    assert [(k.field, k.label, k.sent, k.kept) for k in kept] == [
        ("person", "Fahrername", "Neu", "Alt"),
        ("est_hours_karo", "Sollstunden Karo", "12,50", "11,30"),
    ]


def test_a_label_missing_from_the_read_back_is_unsaved() -> None:
    """A value that can't be read back counts as not saved."""
    gone = form_of(CONTENT.replace("<label>VIN</label>", "<b></b>"))

    assert [kept.field for kept in gone.find_unsaved({"vehicle_details.vin": "X"})] == ["vehicle_details.vin"]


def test_a_cleared_label_is_compared_where_it_was_cleared() -> None:
    """Halter still supplies a person, and the cleared Fahrername counts as saved."""
    assert form_of(CONTENT.replace("value=Alt", "value=''")).find_unsaved({"person": None}) == []
    assert [kept.kept for kept in form_of(CONTENT).find_unsaved({"person": None})] == ["Alt"]


def test_differences_count_labels_and_not_tokens() -> None:
    """Another person's edit shows; a new hidden token and other line ends don't."""
    theirs = CONTENT.replace("value=t>", "value=u>").replace("\na\nb<", "\na\r\nb<")
    assert form_of(CONTENT).find_differences(form_of(theirs)) == []

    edited = theirs.replace("11,30", "12,00").replace("value=1 checked>kommt", "value=1>kommt")
    assert form_of(CONTENT).find_differences(form_of(edited)) == [
        ("Sollstunden Karo", "11,30", "12,00"),
        ("Hol-/Bringservice", "kommt", ""),
    ]


def test_missing_labels_are_listed_for_the_doctor() -> None:
    """With the labels that were looked for."""
    missing = dict(form_of(CONTENT).missing_labels())

    assert missing["phone"] == ("Telefon", "Telefonnummer")
    assert "person" not in missing


@pytest.mark.parametrize(
    ("path", "label", "word"),
    [
        ("person", "Fahrername", "name"),
        ("phone", "Telefon", "phone number"),
        ("email", "E-Mail", "e-mail address"),
        ("vehicle_details.number_plate", "Kennzeichen", "number plate"),
    ],
)
def test_clearing_an_identifying_field_is_noted(path: str, label: str, word: str) -> None:
    """Only where the clear takes the last value away: not where the field was empty or keeps a value."""
    form = f"<form><div><label>{label}</label><input name=a value='%s'></div></form>"
    message = f"{path} is cleared: the order has no {word} any more."
    assert form_of(form % "Jana").plan({path: None}).notes == (message,)
    assert form_of(form % "").plan({path: None}).notes == ()
    assert form_of(form % "Jana").plan({path: "Anna"}).notes == ()
