"""Whose order a form shows: the table of cases, and the laws that hold for every order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.fields import Value
from planso_connector.domain.saving.identity import (
    IDENTITY_FIELDS,
    build_identity,
    find_differing_fields,
    is_other_order,
)

PLATE, VIN, MADE = "vehicle_details.number_plate", "vehicle_details.vin", "appointment_date"
JANA: dict[str, Value] = {
    PLATE: "WN-AE 2309",
    VIN: "WVWZZZ1KZAW123456",
    "person": "Jana Petersen",
    "phone": "030 23125 118",
    "email": "jana.petersen@example.de",
    MADE: "2026-11-23T09:41:00",
}
OTHER: dict[str, Value] = {
    PLATE: "S-KU 41",
    VIN: "WBA11AA0505A12345",
    "person": "Kai Groß",
    "phone": "0711 998877",
    "email": "kai@example.org",
    MADE: "2026-11-29T16:02:11",
}
CASES: list[tuple[str, dict[str, Value], dict[str, Value], bool]] = [
    ("the same order", JANA, {}, False),
    ("another customer's", JANA, OTHER, True),
    ("a corrected plate", JANA, {PLATE: "WN-AE 2390"}, False),
    ("a renamed person", JANA, {"person": "Peter Petersen"}, False),
    ("another contact for the same vehicle", JANA, {one: OTHER[one] for one in ("person", "phone", "email")}, False),
    ("another vehicle of the same customer, made later", JANA, {one: OTHER[one] for one in (PLATE, VIN, MADE)}, True),
    ("another vehicle, when it was made is not told", {**JANA, MADE: None}, {PLATE: "S-KU 41", VIN: OTHER[VIN]}, False),
    ("plate and person", {PLATE: "WN-AE 2309", "person": "Jana"}, {PLATE: "S-KU 41", "person": "Kai"}, True),
    ("a plate alone tells nothing", {PLATE: "WN-AE 2309"}, {PLATE: "S-KU 41"}, False),
    ("a person alone tells nothing", {"person": "Jana"}, {"person": "Kai"}, False),
    ("made on the same day", {**JANA, MADE: "2026-11-23"}, {**OTHER, MADE: "2026-11-23"}, True),
    ("made at the same second", JANA, {**OTHER, MADE: JANA[MADE]}, False),
    ("plate and VIN alone", {PLATE: JANA[PLATE], VIN: JANA[VIN]}, {PLATE: OTHER[PLATE], VIN: OTHER[VIN]}, True),
    ("an empty form tells nothing", JANA, dict.fromkeys(IDENTITY_FIELDS), False),
    (
        "written otherwise",
        JANA,
        {
            PLATE: "wnae2309",
            "person": "PETERSEN, Jana",
            "phone": "+49 30 23125118",
            "email": "Jana.Petersen@Example.de",
        },
        False,
    ),
]


@pytest.mark.parametrize(("name", "known", "changed", "is_another"), CASES, ids=[case[0] for case in CASES])
def test_whose_order_it_is(name: str, known: dict[str, Value], changed: dict[str, Value], is_another: bool) -> None:
    """`changed` is what the form holds otherwise than what is known."""
    assert is_other_order(build_identity(known, []), {**known, **changed}) is is_another, name


def test_what_writes_of_ours_make_of_it_is_known() -> None:
    """A pending write, and the write itself, turn plate and person into others: no stranger; a third one is."""
    earlier: dict[str, Value] = {PLATE: "S-KU 41"}
    own: dict[str, Value] = {"person": "Kai Groß"}
    held: dict[str, Value] = {PLATE: "WN-AE 2309", "person": "Jana Petersen"}
    identity = build_identity(held, [earlier, own])
    for now in (held, held | earlier, held | own, held | earlier | own):
        assert not is_other_order(identity, now)
    assert is_other_order(identity, {PLATE: "B-NO 1", "person": "Nora Neu"})


def test_what_it_was_known_by_earlier_counts_too() -> None:
    """A restore: the mirror holds what the damage left, the form what somebody put right."""
    before = build_identity(JANA, [])
    damaged: dict[str, Value] = {PLATE: "Jana Petersen", "person": "030 23125 118"}
    assert not is_other_order(build_identity(damaged, [], before), JANA)
    assert is_other_order(build_identity(damaged, [], before), OTHER)


VALUES = st.dictionaries(
    st.sampled_from(IDENTITY_FIELDS), st.sampled_from([None, "", "A-B 1", "2026-01-01", "x@y.de", "0171 1"])
)


@given(known=VALUES, held=VALUES)
def test_laws(known: dict[str, Value], held: dict[str, Value]) -> None:
    """
    A stranger differs in two fields at least and never is what the order was known as; what is empty on one side does
    not count; a write that asks for all that is held makes none of it strange.
    """
    identity = build_identity(known, [])
    assert not is_other_order(identity, known)
    if is_other_order(identity, held):
        assert len(find_differing_fields(identity, held)) >= 2
        assert all(known.get(path) and held.get(path) for path in find_differing_fields(identity, held))
    assert not is_other_order(build_identity(known, [held]), held)
