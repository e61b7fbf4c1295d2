"""Check a write against the form as it is now: what the caller relies on must not have changed since. Pure."""

from planso_connector.domain.errors import EditConflict
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.operation import Conflict, Operation
from planso_connector.domain.order import Order
from planso_connector.domain.saving.equivalence import is_equivalent
from planso_connector.flows.writing import appending
from planso_connector.flows.writing.read_back import apply_reading
from planso_connector.planso.pages.form_parser import Form


def apply_preconditions(
    operation: Operation, form: Form, mirrored: Order | None
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """The values to write, and notes on the fields that an undo leaves alone. Raises EditConflict."""
    sent_with = operation.before if operation.sent_at is not None else None
    resolved, conflicts = appending.resolve(operation.requested, form, sent_with)
    if operation.base is None and not conflicts:
        return resolved, ()
    reading = form.read_fields()
    held = apply_reading(mirrored, reading) if mirrored is not None else reading
    for path, base in (operation.base or {}).items():
        kind, theirs = BY_PATH[path].kind, held.value_or_unreadable(path)
        is_as_requested = path in resolved and is_equivalent(kind, theirs, resolved[path])
        if not is_as_requested and not is_equivalent(kind, theirs, base):
            conflicts.append(Conflict(path, base, theirs, resolved.get(path)))
    if not conflicts:
        return resolved, ()
    names = ", ".join(conflict.field for conflict in conflicts)
    if operation.undoes is None or len(conflicts) == len(operation.requested):
        raise EditConflict(f"Changed in PlanSo since: {names}. Nothing was sent.", conflicts)
    for conflict in conflicts:
        resolved.pop(conflict.field, None)
    return resolved, (f"Left alone, because somebody changed it since: {names}.",)
