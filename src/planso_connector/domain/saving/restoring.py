"""Which controls of a damaged operation are written back, and with which values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planso_connector.domain.errors import EditConflict, Invalid, NotPossible, Problem
from planso_connector.domain.operation import Conflict, Operation, OperationState
from planso_connector.domain.saving.differences import DAMAGE_VERDICTS, Difference

SubmittedValues = Mapping[str, Sequence[str]]
"""Control name to the values that a browser submits."""


def select_restorable(operation: Operation, only: Sequence[str] = ()) -> list[Difference]:
    """
    The controls to write back: all that were damaged, or those that `only` names by label or control name. Raises
    NotPossible where the operation damaged nothing or its values are gone, Invalid for a name that is not among them.
    """
    if operation.state is not OperationState.DAMAGED:
        raise NotPossible(f"Operation {operation.id} is {operation.state}; only a damaged one can be written back.")
    if not operation.differences:
        raise NotPossible(f"Operation {operation.id} has no values from before any more; they were erased.")
    found = [Difference.from_json(one) for one in operation.differences]
    if not only:
        return [one for one in found if one.verdict in DAMAGE_VERDICTS]
    unknown = [name for name in only if not any(one.has_name(name) for one in found)]
    if unknown:
        names = ", ".join(one.quoted_name for one in found)
        told = f"{', '.join(map(repr, unknown))} is not among what the save changed; accepted: {names}"
        raise Invalid([Problem(("body", "only"), told, "not_damaged")])
    return [one for one in found if any(one.has_name(name) for name in only)]


def get_values_before(differences: Sequence[Difference]) -> dict[str, list[str]]:
    """As an operation's `controls`."""
    return {one.column: list(one.before) for one in differences}


def exclude_changed_since(
    controls: SubmittedValues, differences: Sequence[Difference], now: SubmittedValues
) -> tuple[SubmittedValues, list[str]]:
    """
    Of the controls to write back those that nobody changed since the save, by what the form submits `now`; and the
    names of the others, which are left alone. Raises Conflicting where that is all of them.
    """
    changed = [
        one
        for one in differences
        if one.column in controls and tuple(now.get(one.column, ())) not in (one.after, tuple(controls[one.column]))
    ]
    left = {name: values for name, values in controls.items() if name not in {one.column for one in changed}}
    if left or not changed:
        return left, [one.quoted_name for one in changed]
    conflicts = [
        Conflict(
            one.label or one.column, ", ".join(one.after), ", ".join(now.get(one.column, ())), ", ".join(one.before)
        )
        for one in changed
    ]
    names = ", ".join(one.quoted_name for one in changed)
    raise EditConflict(f"Changed in PlanSo since: {names}. Nothing was sent.", conflicts)
