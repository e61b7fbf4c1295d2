"""Whether a form shows the order that a write was recorded for: a table of cases, and laws for every order."""

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

PLATE, VIN, APPOINTMENT = "vehicle_details.number_plate", "vehicle_details.vin", "appointment_date"
JANA: dict[str, Value] = {
    PLATE: "WN-AE 2309",
    VIN: "WVWZZZ1KZAW123456",
    "person": "Jana Petersen",
    "phone": "030 23125 118",
    "email": "jana.petersen@example.de",
    APPOINTMENT: "2026-11-23T09:41:00",
}
OTHER: dict[str, Value] = {
    PLATE: "S-KU 41",
    VIN: "WBA11AA0505A12345",
    "person": "Kai Groß",
    "phone": "0711 998877",
    "email": "kai@example.org",
    APPOINTMENT: "2026-11-29T16:02:11",
}
CASES: list[tuple[str, dict[str, Value], dict[str, Value], bool]] = [
    ("the same order", JANA, {}, False),
    ("another customer's", JANA, OTHER, True),
    ("a corrected plate", JANA, {PLATE: "WN-AE 2390"}, False),
    ("a renamed person", JANA, {"person": "Peter Petersen"}, False),
    ("another contact for the same vehicle", JANA, {path: OTHER[path] for path in ("person", "phone", "email")}, False),
    (
        "another vehicle of the same customer, with a later appointment",
        JANA,
        {path: OTHER[path] for path in (PLATE, VIN, APPOINTMENT)},
        True,
    ),
    (
        "another vehicle, without a time of the appointment",
        {**JANA, APPOINTMENT: None},
        {PLATE: "S-KU 41", VIN: OTHER[VIN]},
        False,
    ),
    ("plate and person", {PLATE: "WN-AE 2309", "person": "Jana"}, {PLATE: "S-KU 41", "person": "Kai"}, True),
    ("a plate alone is not enough", {PLATE: "WN-AE 2309"}, {PLATE: "S-KU 41"}, False),
    ("a person alone is not enough", {"person": "Jana"}, {"person": "Kai"}, False),
    (
        "appointments made on the same day",
        {**JANA, APPOINTMENT: "2026-11-23"},
        {**OTHER, APPOINTMENT: "2026-11-23"},
        True,
    ),
    ("appointments made at the same second", JANA, {**OTHER, APPOINTMENT: JANA[APPOINTMENT]}, False),
    ("plate and VIN alone", {PLATE: JANA[PLATE], VIN: JANA[VIN]}, {PLATE: OTHER[PLATE], VIN: OTHER[VIN]}, True),
    ("an empty form is not enough", JANA, dict.fromkeys(IDENTITY_FIELDS), False),
    (
        "in another notation",
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


@pytest.mark.parametrize(("name", "known", "changed", "is_other"), CASES, ids=[case[0] for case in CASES])
def test_other_orders_are_recognised(
    name: str, known: dict[str, Value], changed: dict[str, Value], is_other: bool
) -> None:
    """Another order differs enough from what is known. `changed`: how the form differs from `known`."""
    assert is_other_order(build_identity(known, []), {**known, **changed}) is is_other, name


def test_values_of_pending_writes_belong_to_the_order() -> None:
    """The order may hold what a pending write or the write itself sets; a third plate and person are another order."""
    earlier: dict[str, Value] = {PLATE: "S-KU 41"}
    own: dict[str, Value] = {"person": "Kai Groß"}
    held: dict[str, Value] = {PLATE: "WN-AE 2309", "person": "Jana Petersen"}
    identity = build_identity(held, [earlier, own])
    for now in (held, held | earlier, held | own, held | earlier | own):
        assert not is_other_order(identity, now)
    assert is_other_order(identity, {PLATE: "B-NO 1", "person": "Nora Neu"})


def test_an_earlier_identity_counts_too() -> None:
    """For a restore, the order may hold the values before the damage as well as the damaged ones of the mirror."""
    before = build_identity(JANA, [])
    damaged: dict[str, Value] = {PLATE: "Jana Petersen", "person": "030 23125 118"}
    assert not is_other_order(build_identity(damaged, [], before), JANA)
    assert is_other_order(build_identity(damaged, [], before), OTHER)


VALUES = st.dictionaries(
    st.sampled_from(IDENTITY_FIELDS), st.sampled_from([None, "", "A-B 1", "2026-01-01", "x@y.de", "0171 1"])
)


@given(known=VALUES, held=VALUES)
def test_other_orders_differ_in_two_known_fields(known: dict[str, Value], held: dict[str, Value]) -> None:
    """
    An order is never another one than itself, or than a write makes of it. Another order differs in at least two fields
    that are known on both sides.
    """
    identity = build_identity(known, [])
    assert not is_other_order(identity, known)
    if is_other_order(identity, held):
        assert len(find_differing_fields(identity, held)) >= 2
        assert all(known.get(path) and held.get(path) for path in find_differing_fields(identity, held))
    assert not is_other_order(build_identity(known, [held]), held)
