"""What a difference after a save means: the table of cases, and the laws that hold for every form."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.saving.assessment import NO_PRIOR_SAVES, Assessment, PriorSaves, StopScope, assess_save
from planso_connector.domain.saving.differences import DAMAGE_VERDICTS, Verdict, describe_differences
from planso_connector.domain.saving.snapshot import ControlState, Snapshot
from planso_connector.domain.values import is_empty_value

NOW = datetime(2026, 11, 30, 9, 0)  # noqa: DTZ001 - local time, as PlanSo shows it
NONE, ORDER, WORKSHOP = StopScope.NONE, StopScope.ORDER, StopScope.WORKSHOP

Texts = dict[str, str]
"""A form in short: label to text. A label's column is `f_` and the label, `-x` is a hidden control without a label."""


def control(label: str, text: str, place: int = 0) -> ControlState:
    column = label[1:] if label.startswith("-") else f"f_{label}"
    shown = "" if label.startswith("-") else label
    return ControlState(column, shown, place, (text,), text, is_empty_value(text))


def form(texts: Texts) -> Snapshot:
    states = [control(label, text, at) for at, (label, text) in enumerate(texts.items())]
    return {state.column: state for state in states}


def assessed(before: Texts, asked: Texts, after: Texts, experience: PriorSaves = NO_PRIOR_SAVES) -> Assessment:
    """`after` names only what differs from what was sent."""
    sent = before | asked
    return assess_save(form(before), form(sent), form(sent | after), experience=experience, now=NOW)


ORDER_FORM = {
    "Fahrername": "Jana Petersen",
    "Halter": "Jana Petersen",
    "Telefon": "030 23125 118",
    "Kunden E-Mail": "jana.petersen@example.de",
    "Kennzeichen": "WN-AE 2309",
    "Hersteller": "VW",
    "Modell": "Golf",
    "Werkstattstart": "08.12.2026",
    "Rückgabe": "15.12.2026",
    "KW": "50",
    "Wochentag": "Dienstag",
    "Sollstunden Karo": "11,30",
    "Sollstunden Gesamt": "17,80",
    "Bemerkungen": "Kundin wartet auf Rückruf.",
    "Kurzname": "WN-AE 2309 Jana Petersen",
    "Zuletzt geändert von": "Mayer",
    "Termin angelegt": "23.11.2026 09:41:00",
    "Betrag": "0,00",
    "Abholung": "",
    "Firma": "Auto O'Neil",
    "Ausland": "+43 1 5127744",
    "Sachbearbeiter": "Jörg Mai",
    "LWg_Typ": "Kombi",
    "Tage": "3",
    "Lackiert": "09.12.2026",
    "Fertig": "10.12.2026",
    "-lock_version": "7",
    "-csrf": "b1c2d3e4f5a6b7c8",
}
DATE = {"Werkstattstart": "09.12.2026"}
PERSON = {"Fahrername": "Jana Möller"}

CASES: list[tuple[str, Texts, Texts, dict[str, Verdict], StopScope]] = [
    ("nothing else", DATE, {}, {}, NONE),
    ("nothing-likes", DATE, {"Betrag": "", "Abholung": "00.00.0000"}, {"Betrag": Verdict.NOTATION}, NONE),
    ("decimals", DATE, {"Sollstunden Karo": "11.3"}, {"Sollstunden Karo": Verdict.NOTATION}, NONE),
    ("a plate in capitals", DATE, {"Kennzeichen": "wn-ae2309"}, {"Kennzeichen": Verdict.NOTATION}, NONE),
    ("a phone number", DATE, {"Telefon": "+49 30 23125118"}, {"Telefon": Verdict.NOTATION}, NONE),
    ("a date", DATE, {"Rückgabe": "2026-12-15 00:00:00"}, {"Rückgabe": Verdict.NOTATION}, NONE),
    ("a copy", PERSON, {"Halter": "Jana Möller"}, {"Halter": Verdict.COPY}, NONE),
    ("a copy within", PERSON, {"Kurzname": "WN-AE 2309 Jana Möller"}, {"Kurzname": Verdict.COPY}, NONE),
    ("a cleared copy", {"Fahrername": ""}, {"Halter": ""}, {"Halter": Verdict.COPY}, NONE),
    ("a copy over something", PERSON, {"Bemerkungen": "Jana Möller"}, {"Bemerkungen": Verdict.COPY}, NONE),
    (
        "several copies over something",
        PERSON,
        {"Bemerkungen": "Jana Möller", "Telefon": "Jana Möller"},
        {"Bemerkungen": Verdict.SHIFTED, "Telefon": Verdict.SHIFTED},
        WORKSHOP,
    ),
    ("a model after its make", {"Hersteller": "BMW"}, {"Modell": ""}, {"Modell": Verdict.DEPENDENT}, NONE),
    ("a week", {"Werkstattstart": "15.12.2026"}, {"KW": "51"}, {"KW": Verdict.DEPENDENT}, NONE),
    ("a cleared week", {"Werkstattstart": ""}, {"KW": ""}, {"KW": Verdict.DEPENDENT}, NONE),
    ("a weekday", DATE, {"Wochentag": "Mittwoch"}, {"Wochentag": Verdict.DEPENDENT}, NONE),
    ("another date as much later", DATE, {"Rückgabe": "16.12.2026"}, {"Rückgabe": Verdict.DEPENDENT}, NONE),
    (
        "a sum",
        {"Sollstunden Karo": "12,30"},
        {"Sollstunden Gesamt": "18,80"},
        {"Sollstunden Gesamt": Verdict.DEPENDENT},
        NONE,
    ),
    ("who changed it", DATE, {"Zuletzt geändert von": "connector"}, {"Zuletzt geändert von": Verdict.STAMP}, NONE),
    ("when it was changed", DATE, {"Termin angelegt": "30.11.2026 09:01:12"}, {"Termin angelegt": Verdict.STAMP}, NONE),
    ("a counter", DATE, {"-lock_version": "8"}, {"lock_version": Verdict.STAMP}, NONE),
    ("a token", DATE, {"-csrf": "00ffee11dd22cc33"}, {"csrf": Verdict.STAMP}, NONE),
    ("an edit", DATE, {"Bemerkungen": "Kunde war da."}, {"Bemerkungen": Verdict.EDITED}, NONE),
    ("an edit of something empty", DATE, {"Abholung": "Bahnhof"}, {"Abholung": Verdict.EDITED}, NONE),
    ("two edits", DATE, {"Bemerkungen": "x1", "Telefon": "x2"}, {"Bemerkungen": Verdict.EDITED}, NONE),
    ("one loss", DATE, {"Bemerkungen": ""}, {"Bemerkungen": Verdict.LOST}, ORDER),
    ("one cut", DATE, {"Bemerkungen": "Kundin wartet"}, {"Bemerkungen": Verdict.LOST}, ORDER),
    ("another week than the date's", DATE, {"KW": ""}, {"KW": Verdict.LOST}, ORDER),
    ("a model without its make", DATE, {"Modell": ""}, {"Modell": Verdict.LOST}, ORDER),
    ("two losses", DATE, {"Bemerkungen": "", "Telefon": ""}, {"Telefon": Verdict.LOST}, WORKSHOP),
    (
        "shifted",
        DATE,
        {"Telefon": "Jana Petersen", "Kunden E-Mail": "030 23125 118"},
        {"Kunden E-Mail": Verdict.SHIFTED},
        WORKSHOP,
    ),
    (
        "moved",
        DATE,
        {"Abholung": "Golf", "Modell": ""},
        {"Abholung": Verdict.SHIFTED, "Modell": Verdict.LOST},
        WORKSHOP,
    ),
    ("mojibake", DATE, {"Bemerkungen": "Kundin wartet auf RÃ¼ckruf."}, {"Bemerkungen": Verdict.GARBLED}, WORKSHOP),
    ("question marks", DATE, {"Bemerkungen": "Kundin wartet auf R?ckruf."}, {"Bemerkungen": Verdict.GARBLED}, WORKSHOP),
    (
        "escaped",
        DATE,
        {"Bemerkungen": "Kundin wartet auf R&uuml;ckruf."},
        {"Bemerkungen": Verdict.GARBLED},
        WORKSHOP,
    ),
    ("not decoded", DATE, {"Fahrername": "Jana%20Petersen"}, {"Fahrername": Verdict.GARBLED}, WORKSHOP),
    ("blanks not decoded", DATE, {"Fahrername": "Jana+Petersen"}, {"Fahrername": Verdict.GARBLED}, WORKSHOP),
    ("a plus decoded twice", DATE, {"Ausland": "43 1 5127744"}, {"Ausland": Verdict.GARBLED}, WORKSHOP),
    ("slashes added", DATE, {"Firma": "Auto O\\'Neil"}, {"Firma": Verdict.GARBLED}, WORKSHOP),
    ("the word of a fault", DATE, {"Modell": "Array"}, {"Modell": Verdict.GARBLED}, WORKSHOP),
    ("the first day of all", DATE, {"Abholung": "01.01.1970"}, {"Abholung": Verdict.GARBLED}, WORKSHOP),
    ("a comma lost", DATE, {"Sollstunden Karo": "1130"}, {"Sollstunden Karo": Verdict.GARBLED}, WORKSHOP),
    ("a garbled clerk", DATE, {"Sachbearbeiter": "JÃ¶rg Mai"}, {"Sachbearbeiter": Verdict.GARBLED}, WORKSHOP),
    ("another clerk", DATE, {"Sachbearbeiter": "Ines Au"}, {"Sachbearbeiter": Verdict.EDITED}, NONE),
    ("now, over a day to come", PERSON, {"Rückgabe": "30.11.2026 09:01:12"}, {"Rückgabe": Verdict.EDITED}, NONE),
    ("a rental car's type after the make", {"Hersteller": "BMW"}, {"LWg_Typ": ""}, {"LWg_Typ": Verdict.LOST}, ORDER),
    (
        "a number lost as another one falls by it",
        {"Sollstunden Karo": "8,30"},
        {"Tage": ""},
        {"Tage": Verdict.LOST},
        ORDER,
    ),
    (
        "all dates a day later",
        PERSON,
        {"Werkstattstart": "09.12.2026", "Lackiert": "10.12.2026", "Fertig": "11.12.2026"},
        {"Werkstattstart": Verdict.EDITED, "Lackiert": Verdict.EDITED, "Fertig": Verdict.EDITED},
        NONE,
    ),
    (
        "a day that stands elsewhere, twice",
        PERSON,
        {"Lackiert": "15.12.2026", "Fertig": "15.12.2026"},
        {"Lackiert": Verdict.EDITED, "Fertig": Verdict.EDITED},
        NONE,
    ),
    (
        "dates that changed places",
        PERSON,
        {"Lackiert": "10.12.2026", "Fertig": "09.12.2026"},
        {"Lackiert": Verdict.SHIFTED, "Fertig": Verdict.SHIFTED},
        WORKSHOP,
    ),
]


@pytest.mark.parametrize(
    ("asked", "after", "expected", "scope"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_what_a_difference_means(asked: Texts, after: Texts, expected: dict[str, Verdict], scope: StopScope) -> None:
    """Each case of the table gets its verdict, and stops as much as it has to."""
    found = assessed(ORDER_FORM, asked, after)

    verdicts = {one.label or one.column: one.verdict for one in found.differences}
    assert verdicts.items() >= expected.items()
    assert found.stop_scope is scope


def test_a_form_of_which_only_the_beginning_was_taken_stops_the_workshop() -> None:
    """PHP's max_input_vars: all that stood after the first pairs is blank, and nothing of it is explained."""
    lost = {label: "" for at, label in enumerate(ORDER_FORM) if at > 7}
    found = assessed(ORDER_FORM, {"Fahrername": "Jana Möller"}, lost)

    assert found.stop_scope is WORKSHOP
    assert {one.label for one in found.differences if one.verdict is Verdict.LOST} >= {"Bemerkungen", "Kurzname"}


def test_a_zero_that_is_gone_beside_damage_is_written_back_too() -> None:
    """By itself it says the same as nothing; beside a loss it belongs to what the save took."""
    (alone,) = assessed(ORDER_FORM, DATE, {"Betrag": ""}).differences
    beside = assessed(ORDER_FORM, DATE, {"Betrag": "", "Bemerkungen": ""})

    assert alone.verdict is Verdict.NOTATION
    assert {one.label: one.verdict for one in beside.differences}["Betrag"] is Verdict.CHANGED
    assert beside.stop_scope is ORDER


def test_experience_explains_and_accuses() -> None:
    """
    A dependent that was seen once and a column that a person accepted are explained; a column that was lost or edited
    by the save before stops the workshop, unless people are known to edit it.
    """
    note = {"Bemerkungen": ""}
    new = {"Bemerkungen": "neu"}
    column = "f_Bemerkungen"

    assert assessed(ORDER_FORM, DATE, note, PriorSaves(accepted={column})).is_clean
    assert assessed(ORDER_FORM, DATE, note, PriorSaves(dependents={column: {"f_Werkstattstart"}})).is_clean
    assert not assessed(ORDER_FORM, PERSON, note, PriorSaves(dependents={column: {"f_Werkstattstart"}})).is_clean
    assert assessed(ORDER_FORM, DATE, note, PriorSaves(lost={column})).stop_scope is WORKSHOP
    assert assessed(ORDER_FORM, DATE, new, PriorSaves(edited={column})).stop_scope is WORKSHOP
    assert assessed(ORDER_FORM, DATE, new, PriorSaves(edited={column}, edited_by_people={column})).is_clean


def test_what_differed_before_the_save_is_not_judged() -> None:
    before = form(ORDER_FORM)
    sent = form(ORDER_FORM | DATE)
    after = form(ORDER_FORM | DATE | {"Bemerkungen": ""})

    assert assess_save(before, sent, after, volatile={"f_Bemerkungen"}).differences == ()


def test_rows_that_were_inserted_anew_are_matched() -> None:
    """Child rows come back under other names with the same values; one that does not come back is lost."""
    rows = [ControlState(f"pos[{at}][text]", "", 0, (text,), text) for at, text in ((17, "Tür"), (18, "Haube"))]
    anew = [replace(row, column=f"pos[{at}][text]") for row, at in zip(rows, (31, 32), strict=True)]
    before = {**form(ORDER_FORM), **{row.column: row for row in rows}}
    sent = {**before, **form(DATE)}
    after = {**form(ORDER_FORM | DATE), **{row.column: row for row in anew}}

    assert assess_save(before, sent, after).is_clean
    del after["pos[32][text]"]
    assert assess_save(before, sent, after).stop_scope is ORDER


def test_a_control_is_known_by_its_label_where_its_name_changed() -> None:
    before = form({label: text for label, text in ORDER_FORM.items() if not label.startswith("-")})
    after = {f"{column}_2": replace(state, column=f"{column}_2") for column, state in before.items()}

    assert assess_save(before, before, after).is_clean


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=12), min_size=1, max_size=12))
def test_no_value_vanishes_unsaid(texts: Texts) -> None:
    """Whatever a form holds: the same form is clean; two values that vanish unasked always stop the workshop."""
    before = form(texts)
    assert assess_save(before, before, before).differences == ()
    held = [column for column, state in before.items() if not state.is_empty]
    after = {**before, **{c: replace(before[c], values=("",), shown="", is_empty=True) for c in held}}
    found = assess_save(before, before, after)

    assert found.stop_scope is (WORKSHOP if len(held) > 1 else ORDER if held else NONE)
    assert {one.column for one in found.differences if one.verdict in DAMAGE_VERDICTS} == set(held)


def test_sentences_name_fields_and_show_values_only_where_allowed() -> None:
    found = assessed(ORDER_FORM, PERSON, {"Halter": "Jana Möller", "Telefon": "0151 23512345"}).differences

    assert describe_differences(found, with_values=False) == [
        "PlanSo changed with it: 'Halter'.",
        "Changed in PlanSo at the same time: 'Telefon'.",
    ]
    assert "now '0151 23512345'" in " ".join(describe_differences(found, with_values=True))


ADVISERS = frozenset({("", "bitte wählen"), ("7", "Mai"), ("8", "Au"), ("9", "Lenz")})
SEVEN_LESS = ADVISERS - {("7", "Mai")}
STATES = frozenset({("0", "offen"), ("1", "erledigt"), ("2", "erledigt (Lack)")})


def box(column: str, *, checked: bool) -> ControlState:
    return ControlState(column, column, 0, ("1",) if checked else (), "ja" if checked else "", not checked)


def chosen(column: str, value: str, offer: frozenset[tuple[str, str]]) -> ControlState:
    text = dict(offer)[value]
    return ControlState(column, column, 0, (value,), text, value == "", offer)


def several(column: str, *held: str) -> ControlState:
    return ControlState(column, column, 0, held, ", ".join(held), not any(held))


def snapshot(*states: ControlState) -> Snapshot:
    return {state.column: state for state in states}


Controls = tuple[ControlState, ...]
OF_CONTROLS: list[tuple[str, Controls, Controls, Controls, dict[str, Verdict], StopScope]] = [
    (
        "boxes lost with one that was asked to be unchecked",
        (box("navi", checked=True), box("bt", checked=True), box("isofix", checked=True)),
        (box("navi", checked=False),),
        (box("navi", checked=False), box("bt", checked=False), box("isofix", checked=False)),
        {"bt": Verdict.LOST, "isofix": Verdict.LOST},
        WORKSHOP,
    ),
    (
        "a choice lost that is offered only while it is chosen",
        (control("Telefon", "1"), chosen("adviser", "7", ADVISERS)),
        (control("Telefon", "2"),),
        (control("Telefon", "2"), chosen("adviser", "", SEVEN_LESS)),
        {"adviser": Verdict.LOST},
        ORDER,
    ),
    (
        "one of several under a name lost",
        (control("Telefon", "1"), several("pos[]", "Haube", "Tür", "Dach")),
        (control("Telefon", "2"),),
        (control("Telefon", "2"), several("pos[]", "Haube", "", "Dach")),
        {"pos[]": Verdict.LOST},
        ORDER,
    ),
    (
        "the others lost of the name that was asked",
        (several("with[]", "bt", "isofix"),),
        (several("with[]", "navi", "bt", "isofix"),),
        (several("with[]", "navi"),),
        {"with[]": Verdict.LOST},
        ORDER,
    ),
    (
        "a shorter choice, by somebody",
        (control("Telefon", "1"), chosen("state", "2", STATES)),
        (control("Telefon", "2"),),
        (control("Telefon", "2"), chosen("state", "1", STATES)),
        {"state": Verdict.EDITED},
        NONE,
    ),
    (
        "the same choice in several lists, by somebody",
        tuple(chosen(name, value, STATES) for name, value in (("a", "1"), ("b", "0"), ("c", "0"), ("d", "0"))),
        (chosen("d", "2", STATES),),
        tuple(chosen(name, value, STATES) for name, value in (("a", "1"), ("b", "1"), ("c", "1"), ("d", "2"))),
        {"b": Verdict.EDITED, "c": Verdict.EDITED},
        NONE,
    ),
]


@pytest.mark.parametrize(
    ("before", "asked", "after", "expected", "scope"),
    [case[1:] for case in OF_CONTROLS],
    ids=[case[0] for case in OF_CONTROLS],
)
def test_what_a_difference_of_choices_and_groups_means(
    before: Controls, asked: Controls, after: Controls, expected: dict[str, Verdict], scope: StopScope
) -> None:
    """Boxes, drop-downs and several inputs under one name: what is lost of them is not taken for something else."""
    sent = {**snapshot(*before), **snapshot(*asked)}
    found = assess_save(snapshot(*before), sent, snapshot(*after), now=NOW)
    assert {one.column: one.verdict for one in found.differences} == expected
    assert found.stop_scope is scope


def test_what_nobody_can_send_never_repeats_itself() -> None:
    """A disabled control shows what PlanSo computes; that it changes with each save is no damage."""
    before, after = (replace(control("Fortschritt", text), is_sent=False) for text in ("40 %", "60 %"))
    other = control("Telefon", "1"), control("Telefon", "2")
    found = assess_save(
        snapshot(before, other[0]),
        snapshot(before, other[1]),
        snapshot(after, other[1]),
        experience=PriorSaves(edited={before.column}),
        now=NOW,
    )
    assert [one.verdict for one in found.differences] == [Verdict.EDITED]


class _Counted(ControlState):
    """A control that counts how often any is compared."""

    compared = 0

    def is_equivalent(self, other: ControlState) -> bool:
        _Counted.compared += 1
        return super().is_equivalent(other)


def test_many_rows_that_were_inserted_anew_are_not_compared_each_with_each() -> None:
    """A thousand rows in another order, and other rows in their place."""

    def rows(offset: int, words: str, step: int) -> Snapshot:
        texts = {f"pos[{at + offset}][text]": f"{words} {at}" for at in range(1000)[::step]}
        return {column: _Counted(column, "", 0, (text,), text) for column, text in texts.items()}

    _Counted.compared = 0
    before = rows(0, "Haube", 1)
    for anew, is_clean in ((rows(5000, "Haube", -1), True), (rows(5000, "Dach", 1), False)):
        assert assess_save(before, before, anew, now=NOW).is_clean is is_clean
    assert _Counted.compared < 20_000
