"""Check that an order is the one a write was recorded for: PlanSo may reuse the number of a deleted order. Pure."""

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
"""Fields that are known on both sides, so that none being the same proves another order. One may be a correction."""

Identity = Mapping[str, Sequence[Value]]
"""Values that the order may hold, by field path: those of the mirror and those that pending writes set."""


def build_identity(
    held: Mapping[str, Value], requested: Iterable[Mapping[str, Value]], earlier: Identity | None = None
) -> Identity:
    """
    `held`: the mirror's values; `requested`: the changes of the write itself and of the pending writes before it;
    `earlier`: an identity recorded before, which is extended.
    """
    writes, known = list(requested), earlier or {}
    identity = {path: [held[path], *known.get(path, ())] for path in IDENTITY_FIELDS if held.get(path)}
    identity |= {path: list(values) for path, values in known.items() if path not in identity}
    return {path: [*values, *(write[path] for write in writes if path in write)] for path, values in identity.items()}


def find_differing_fields(identity: Identity, held: Mapping[str, Value]) -> tuple[str, ...]:
    """The fields in which the order in PlanSo, `held`, has none of the values that it may have."""
    return tuple(path for path, is_same in _compare(identity, held).items() if not is_same)


def is_other_order(identity: Identity, held: Mapping[str, Value]) -> bool:
    """
    Whether `held` belongs to another order: no value is the same, or the vehicle differs and so does the customer or
    the time of the appointment. A corrected plate or a renamed person alone is no other order.
    """
    same = _compare(identity, held)
    if len(same) >= MIN_COMPARED_FIELDS and not any(same.values()):
        return True
    if _is_any_same(VEHICLE_FIELDS, same) is not False:
        return False
    appointment = str(held.get(APPOINTMENT_FIELD))
    if same.get(APPOINTMENT_FIELD) and "T" in appointment and not appointment.endswith("T00:00:00"):
        return False  # made at the same second
    return _is_any_same(CUSTOMER_FIELDS, same) is False or same.get(APPOINTMENT_FIELD) is False


def _compare(identity: Identity, held: Mapping[str, Value]) -> dict[str, bool]:
    """For each field that is known on both sides, whether it is the same."""
    common = {path: values for path, values in identity.items() if held.get(path) and any(values)}
    return {path: any(_is_same(path, value, held[path]) for value in values) for path, values in common.items()}


def _is_any_same(paths: Sequence[str], same: Mapping[str, bool]) -> bool | None:
    """None where none of the fields is known on both sides."""
    compared = [same[path] for path in paths if path in same]
    return any(compared) if compared else None


def _is_same(path: str, known: Value, held: Value) -> bool:
    if not known or not held:
        return False
    if is_equivalent(BY_PATH[path].kind, known, held):
        return True
    first, second = str(known), str(held)
    if path in VEHICLE_FIELDS:
        return fold_plate(first) == fold_plate(second)
    if path == "phone":
        return bool(set(phones.index_keys(first)) & set(phones.index_keys(second)))
    if path == APPOINTMENT_FIELD:  # one of them may be a day without a time
        return first[:10] == second[:10] and len("2026-11-23") in (len(first), len(second))
    return _sort_words(first) == _sort_words(second)


def _sort_words(text: str) -> list[str]:
    """`Petersen, Jana` and `Jana  PETERSEN` give the same list."""
    return sorted(re.findall(r"\w+", fold(text)))
