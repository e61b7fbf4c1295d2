"""The verdict on each difference after a save: a table of cases, and laws for every form."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.saving.damage_assessment import (
    NO_PRIOR_SAVES,
    Assessment,
    PriorSaves,
    StopScope,
    assess_save,
)
from planso_connector.domain.saving.snapshot import ControlState, Snapshot
from planso_connector.domain.saving.verdicts import DAMAGE_VERDICTS, Verdict, describe_differences
from planso_connector.domain.values import is_empty_value

NOW = datetime(2026, 11, 30, 9, 0)  # noqa: DTZ001 - local time, as PlanSo shows it
NONE, ORDER, WORKSHOP = StopScope.NONE, StopScope.ORDER, StopScope.WORKSHOP

Texts = dict[str, str]
"""A form as label to text. The column is `f_` and the label; `-x` is a hidden control `x` without a label."""


def control(label: str, text: str, label_index: int = 0) -> ControlState:
    column = label[1:] if label.startswith("-") else f"f_{label}"
    shown = "" if label.startswith("-") else label
    return ControlState(column, shown, label_index, (text,), text, is_empty_value(text))


def form(texts: Texts) -> Snapshot:
    states = [control(label, text, index) for index, (label, text) in enumerate(texts.items())]
    return {state.column: state for state in states}


def assess(before: Texts, requested: Texts, after: Texts, prior_saves: PriorSaves = NO_PRIOR_SAVES) -> Assessment:
    """Assess a save of `requested`; `after`: how the form read back differs from the one sent."""
    sent = before | requested
    return assess_save(form(before), form(sent), form(sent | after), prior_saves=prior_saves, now=NOW)


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
    ("escaped", DATE, {"Bemerkungen": "Kundin wartet auf R&uuml;ckruf."}, {"Bemerkungen": Verdict.GARBLED}, WORKSHOP),
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
    ("requested", "after", "expected", "scope"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_verdicts_on_texts(requested: Texts, after: Texts, expected: dict[str, Verdict], scope: StopScope) -> None:
    """Each difference gets its verdict, and damage stops the order or the workshop."""
    found = assess(ORDER_FORM, requested, after)

    verdicts = {difference.label or difference.column: difference.verdict for difference in found.differences}
    assert verdicts.items() >= expected.items()
    assert found.stop_scope is scope


def test_a_form_whose_end_was_dropped_stops_the_workshop() -> None:
    """With PHP's max_input_vars, all controls after the first ones become empty: that is damage, without excuse."""
    lost = {label: "" for index, label in enumerate(ORDER_FORM) if index > 7}
    found = assess(ORDER_FORM, {"Fahrername": "Jana Möller"}, lost)

    assert found.stop_scope is WORKSHOP
    assert {difference.label for difference in found.differences if difference.verdict is Verdict.LOST} >= {
        "Bemerkungen",
        "Kurzname",
    }


def test_a_zero_emptied_beside_damage_counts_as_damage() -> None:
    """Alone, an emptied zero is another notation; beside a loss, it is written back with it."""
    (alone,) = assess(ORDER_FORM, DATE, {"Betrag": ""}).differences
    beside = assess(ORDER_FORM, DATE, {"Betrag": "", "Bemerkungen": ""})

    assert alone.verdict is Verdict.NOTATION
    assert {difference.label: difference.verdict for difference in beside.differences}["Betrag"] is Verdict.CHANGED
    assert beside.stop_scope is ORDER


def test_prior_saves_change_the_verdict() -> None:
    """
    A column that was seen to depend on the requested one, or that a person accepted, is explained. One that was lost or
    edited at the save before stops the workshop, unless people are known to edit it.
    """
    note = {"Bemerkungen": ""}
    new = {"Bemerkungen": "neu"}
    column = "f_Bemerkungen"

    assert assess(ORDER_FORM, DATE, note, PriorSaves(accepted={column})).is_clean
    assert assess(ORDER_FORM, DATE, note, PriorSaves(dependents={column: {"f_Werkstattstart"}})).is_clean
    assert not assess(ORDER_FORM, PERSON, note, PriorSaves(dependents={column: {"f_Werkstattstart"}})).is_clean
    assert assess(ORDER_FORM, DATE, note, PriorSaves(lost={column})).stop_scope is WORKSHOP
    assert assess(ORDER_FORM, DATE, new, PriorSaves(edited={column})).stop_scope is WORKSHOP
    assert assess(ORDER_FORM, DATE, new, PriorSaves(edited={column}, edited_by_people={column})).is_clean


def test_volatile_columns_are_not_judged() -> None:
    """A column that differed between readings before the save is ignored."""
    before = form(ORDER_FORM)
    sent = form(ORDER_FORM | DATE)
    after = form(ORDER_FORM | DATE | {"Bemerkungen": ""})

    assert assess_save(before, sent, after, volatile={"f_Bemerkungen"}).differences == ()


def test_rows_inserted_anew_are_matched() -> None:
    """Child rows may return under other names with the same values; one that does not return is lost."""
    rows = [ControlState(f"pos[{number}][text]", "", 0, (text,), text) for number, text in ((17, "Tür"), (18, "Haube"))]
    anew = [replace(row, column=f"pos[{number}][text]") for row, number in zip(rows, (31, 32), strict=True)]
    before = {**form(ORDER_FORM), **{row.column: row for row in rows}}
    sent = {**before, **form(DATE)}
    after = {**form(ORDER_FORM | DATE), **{row.column: row for row in anew}}

    assert assess_save(before, sent, after).is_clean
    del after["pos[32][text]"]
    assert assess_save(before, sent, after).stop_scope is ORDER


def test_renamed_controls_are_matched_by_label() -> None:
    """Controls with other names and the same labels and values are no difference."""
    before = form({label: text for label, text in ORDER_FORM.items() if not label.startswith("-")})
    after = {f"{column}_2": replace(state, column=f"{column}_2") for column, state in before.items()}

    assert assess_save(before, before, after).is_clean


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=12), min_size=1, max_size=12))
def test_no_loss_goes_unnoticed(texts: Texts) -> None:
    """For any form: the same form is clean; one value lost stops the order, two the workshop."""
    before = form(texts)
    assert assess_save(before, before, before).differences == ()
    held = [column for column, state in before.items() if not state.is_empty]
    after = {**before, **{c: replace(before[c], values=("",), shown="", is_empty=True) for c in held}}
    found = assess_save(before, before, after)

    assert found.stop_scope is (WORKSHOP if len(held) > 1 else ORDER if held else NONE)
    assert {difference.column for difference in found.differences if difference.verdict in DAMAGE_VERDICTS} == set(held)


def test_descriptions_show_values_only_where_allowed() -> None:
    """Sentences name the controls; their values appear only on request."""
    found = assess(ORDER_FORM, PERSON, {"Halter": "Jana Möller", "Telefon": "0151 23512345"}).differences

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


def choice(column: str, value: str, options: frozenset[tuple[str, str]]) -> ControlState:
    text = dict(options)[value]
    return ControlState(column, column, 0, (value,), text, value == "", options)


def group(column: str, *values: str) -> ControlState:
    return ControlState(column, column, 0, values, ", ".join(values), not any(values))


def snapshot(*states: ControlState) -> Snapshot:
    return {state.column: state for state in states}


Controls = tuple[ControlState, ...]
CONTROL_CASES: list[tuple[str, Controls, Controls, Controls, dict[str, Verdict], StopScope]] = [
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
        (control("Telefon", "1"), choice("adviser", "7", ADVISERS)),
        (control("Telefon", "2"),),
        (control("Telefon", "2"), choice("adviser", "", SEVEN_LESS)),
        {"adviser": Verdict.LOST},
        ORDER,
    ),
    (
        "one of several under a name lost",
        (control("Telefon", "1"), group("pos[]", "Haube", "Tür", "Dach")),
        (control("Telefon", "2"),),
        (control("Telefon", "2"), group("pos[]", "Haube", "", "Dach")),
        {"pos[]": Verdict.LOST},
        ORDER,
    ),
    (
        "the others lost of the name that was asked",
        (group("with[]", "bt", "isofix"),),
        (group("with[]", "navi", "bt", "isofix"),),
        (group("with[]", "navi"),),
        {"with[]": Verdict.LOST},
        ORDER,
    ),
    (
        "a shorter choice, by somebody",
        (control("Telefon", "1"), choice("state", "2", STATES)),
        (control("Telefon", "2"),),
        (control("Telefon", "2"), choice("state", "1", STATES)),
        {"state": Verdict.EDITED},
        NONE,
    ),
    (
        "the same choice in several lists, by somebody",
        tuple(choice(name, value, STATES) for name, value in (("a", "1"), ("b", "0"), ("c", "0"), ("d", "0"))),
        (choice("d", "2", STATES),),
        tuple(choice(name, value, STATES) for name, value in (("a", "1"), ("b", "1"), ("c", "1"), ("d", "2"))),
        {"b": Verdict.EDITED, "c": Verdict.EDITED},
        NONE,
    ),
]


@pytest.mark.parametrize(
    ("before", "requested", "after", "expected", "scope"),
    [case[1:] for case in CONTROL_CASES],
    ids=[case[0] for case in CONTROL_CASES],
)
def test_verdicts_on_choices_and_groups(
    before: Controls, requested: Controls, after: Controls, expected: dict[str, Verdict], scope: StopScope
) -> None:
    """A value lost from boxes, drop-downs or several inputs of one name is a loss and nothing else."""
    sent = {**snapshot(*before), **snapshot(*requested)}
    found = assess_save(snapshot(*before), sent, snapshot(*after), now=NOW)
    assert {difference.column: difference.verdict for difference in found.differences} == expected
    assert found.stop_scope is scope


def test_a_disabled_control_never_counts_as_repeated() -> None:
    """A disabled control shows what PlanSo computes: changing with each save is no damage."""
    before, after = (replace(control("Fortschritt", text), is_sent=False) for text in ("40 %", "60 %"))
    other = control("Telefon", "1"), control("Telefon", "2")
    found = assess_save(
        snapshot(before, other[0]),
        snapshot(before, other[1]),
        snapshot(after, other[1]),
        prior_saves=PriorSaves(edited={before.column}),
        now=NOW,
    )
    assert [difference.verdict for difference in found.differences] == [Verdict.EDITED]


class _CountingState(ControlState):
    """Counts the comparisons of all its instances."""

    comparisons = 0

    def is_equivalent(self, other: ControlState) -> bool:
        _CountingState.comparisons += 1
        return super().is_equivalent(other)


def test_matching_many_new_rows_is_not_quadratic() -> None:
    """A thousand rows return in another order, or are replaced by others, with at most twenty comparisons each."""

    def rows(offset: int, text: str, step: int) -> Snapshot:
        texts = {f"pos[{number + offset}][text]": f"{text} {number}" for number in range(1000)[::step]}
        return {column: _CountingState(column, "", 0, (value,), value) for column, value in texts.items()}

    _CountingState.comparisons = 0
    before = rows(0, "Haube", 1)
    for anew, is_clean in ((rows(5000, "Haube", -1), True), (rows(5000, "Dach", 1), False)):
        assert assess_save(before, before, anew, now=NOW).is_clean is is_clean
    assert _CountingState.comparisons < 20_000
