"""
Whether an order in PlanSo is still the one that a write was recorded for: PlanSo may give the number of a deleted order
to another customer's. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.folding import fold, fold_plate
from planso_connector.domain.order import PLATE
from planso_connector.domain.recognition import phones
from planso_connector.domain.saving.equivalence import is_equivalent

VEHICLE_FIELDS = (PLATE, "vehicle_details.vin")
CUSTOMER_FIELDS = ("person", "phone", "email")
APPOINTMENT_FIELD = "appointment_date"
IDENTITY_FIELDS = (*VEHICLE_FIELDS, *CUSTOMER_FIELDS, APPOINTMENT_FIELD)

MIN_COMPARED_FIELDS = 2
"""So many values have to be known on both sides where none is the same: one alone may have been corrected."""

Identity = Mapping[str, Sequence[Value]]
"""By field path what the order may hold: what the mirror knew, and what writes that were on their way make of it."""


def build_identity(
    held: Mapping[str, Value], asked: Iterable[Mapping[str, Value]], more: Identity | None = None
) -> Identity:
    """
    What an order is known by. `held` are the mirror's values, `asked` those of the write itself and of the writes
    before it that are pending; `more` is what it was known by earlier.
    """
    writes = list(asked)
    known = {path: [held[path], *(more or {}).get(path, ())] for path in IDENTITY_FIELDS if held.get(path)}
    known |= {path: list(values) for path, values in (more or {}).items() if path not in known}
    return {path: [*values, *(one[path] for one in writes if path in one)] for path, values in known.items()}


def find_differing_fields(identity: Identity, held: Mapping[str, Value]) -> tuple[str, ...]:
    """The fields in which the order in PlanSo, `held`, has something that it is not known by."""
    return tuple(path for path, is_same in _compared(identity, held).items() if not is_same)


def is_other_order(identity: Identity, held: Mapping[str, Value]) -> bool:
    """
    Whether `held` are another order's values: none is the same, or the vehicle is another one, and so is the customer
    or when the order was made. A corrected plate or a renamed person alone make no stranger.
    """
    same = _compared(identity, held)
    if len(same) >= MIN_COMPARED_FIELDS and not any(same.values()):
        return True
    is_vehicle, is_customer = _any_of(VEHICLE_FIELDS, same), _any_of(CUSTOMER_FIELDS, same)
    if is_vehicle is not False:
        return False
    if (
        same.get(APPOINTMENT_FIELD)
        and not str(held[APPOINTMENT_FIELD]).endswith("T00:00:00")
        and "T" in str(held[APPOINTMENT_FIELD])
    ):
        return False  # made at the same second
    return is_customer is False or same.get(APPOINTMENT_FIELD) is False


def _compared(identity: Identity, held: Mapping[str, Value]) -> dict[str, bool]:
    """Of each field that is known on both sides, whether it is the same."""
    both = {path: values for path, values in identity.items() if held.get(path) and any(values)}
    return {path: any(_is_same(path, one, held[path]) for one in values) for path, values in both.items()}


def _any_of(paths: Sequence[str], same: Mapping[str, bool]) -> bool | None:
    """None where none of them is known on both sides."""
    found = [same[path] for path in paths if path in same]
    return any(found) if found else None


def _is_same(path: str, known: Value, held: Value) -> bool:
    if not known or not held:
        return False
    if is_equivalent(BY_PATH[path].kind, known, held):
        return True
    one, other = str(known), str(held)
    if path in VEHICLE_FIELDS:
        return fold_plate(one) == fold_plate(other)
    if path == "phone":
        return bool(set(phones.index_keys(one)) & set(phones.index_keys(other)))
    if path == APPOINTMENT_FIELD:
        return one[:10] == other[:10] and (len(one) == len("2026-11-23") or len(other) == len("2026-11-23"))
    return _words(one) == _words(other)


def _words(text: str) -> list[str]:
    """`Petersen, Jana` and `Jana  PETERSEN` are alike."""
    return sorted(re.findall(r"\w+", fold(text)))
