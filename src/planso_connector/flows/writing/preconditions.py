"""What of a write may still be written, by the values that its caller relies on. Pure."""

from __future__ import annotations

from planso_connector.domain.errors import EditConflict
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.operation import Conflict, Operation
from planso_connector.domain.order import Order
from planso_connector.domain.saving.equivalence import is_equivalent
from planso_connector.flows.writing import appending
from planso_connector.flows.writing.read_back import apply_reading
from planso_connector.planso.pages.form import Form


def apply_preconditions(
    operation: Operation, form: Form, known: Order | None
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """
    What may be written of what was asked, by what the caller relies on; and notes on what is left alone. Raises
    Conflicting.
    """
    sent_with = operation.before if operation.sent_at is not None else None
    asked, conflicts = appending.resolve(operation.requested, form, sent_with)
    if operation.base is None and not conflicts:
        return asked, ()
    reading = form.read_fields()
    held = apply_reading(known, reading) if known is not None else reading

    def is_same(path: str, one: Value, other: Value) -> bool:
        return is_equivalent(BY_PATH[path].kind, one, other)

    conflicts += [
        Conflict(path, base, held.value_or_unreadable(path), asked.get(path))
        for path, base in (operation.base or {}).items()
        if not is_same(path, held.value_or_unreadable(path), base)
        and not (path in asked and is_same(path, held.value_or_unreadable(path), asked[path]))
    ]
    if not conflicts:
        return asked, ()
    names = ", ".join(conflict.field for conflict in conflicts)
    if operation.undoes is None or len(conflicts) == len(operation.requested):
        raise EditConflict(f"Changed in PlanSo since: {names}. Nothing was sent.", conflicts)
    for conflict in conflicts:
        asked.pop(conflict.field, None)
    return asked, (f"Left alone, because somebody changed it since: {names}.",)
