"""What of a write may still be written, by the values that its caller relies on. Pure."""

from __future__ import annotations

from planso_connector.domain.errors import Conflicting
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.operation import Conflict, Operation
from planso_connector.domain.order import Order
from planso_connector.domain.saving.agreement import means_same
from planso_connector.flows.writing import appending
from planso_connector.flows.writing.read_back import in_the_mirror
from planso_connector.planso.pages.form import Form


def allowed(operation: Operation, form: Form, known: Order | None) -> tuple[dict[str, Value], tuple[str, ...]]:
    """
    What may be written of what was asked, by what the caller relies on; and notes on what is left alone. Raises
    Conflicting.
    """
    sent_with = operation.before if operation.sent_at is not None else None
    asked, conflicts = appending.resolve(operation.asked, form, sent_with)
    if operation.base is None and not conflicts:
        return asked, ()
    reading = form.reading()
    held = in_the_mirror(known, reading) if known is not None else reading

    def is_same(path: str, one: Value, other: Value) -> bool:
        return means_same(BY_PATH[path].kind, one, other)

    conflicts += [
        Conflict(path, base, held.relied_on(path), asked.get(path))
        for path, base in (operation.base or {}).items()
        if not is_same(path, held.relied_on(path), base)
        and not (path in asked and is_same(path, held.relied_on(path), asked[path]))
    ]
    if not conflicts:
        return asked, ()
    names = ", ".join(conflict.field for conflict in conflicts)
    if operation.undoes is None or len(conflicts) == len(operation.asked):
        raise Conflicting(f"Changed in PlanSo since: {names}. Nothing was sent.", conflicts)
    for conflict in conflicts:
        asked.pop(conflict.field, None)
    return asked, (f"Left alone, because somebody changed it since: {names}.",)
