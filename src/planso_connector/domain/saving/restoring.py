"""Decide which controls of a damaged operation a restore writes back, and with which values. Pure."""

from collections.abc import Mapping, Sequence

from planso_connector.domain.errors import EditConflict, Invalid, NotPossible, Problem
from planso_connector.domain.messages import MESSAGES
from planso_connector.domain.operation import Conflict, Operation, OperationState
from planso_connector.domain.saving.verdicts import Difference, select_damage

SubmittedValues = Mapping[str, Sequence[str]]
"""The values that a browser submits, by control name."""


def select_restorable(operation: Operation, only: Sequence[str] = ()) -> list[Difference]:
    """
    The differences to write back: all damage, or those whose label or control name is in `only`. Raises NotPossible
    where the operation damaged nothing or its values were erased, Invalid for a name that is not among them.
    """
    if operation.state is not OperationState.DAMAGED:
        raise NotPossible(f"Operation {operation.id} is {operation.state}; only a damaged one can be written back.")
    if not operation.differences:
        raise NotPossible(f"Operation {operation.id} has no values from before any more; they were erased.")
    differences = [Difference.from_json(content) for content in operation.differences]
    if not only:
        return select_damage(differences)
    unknown = [name for name in only if not any(difference.has_name(name) for difference in differences)]
    if unknown:
        names = ", ".join(map(repr, unknown))
        message = MESSAGES["not_damaged"].format(names=names, accepted=_names(differences))
        raise Invalid([Problem.of(("body", "only"), message, "not_damaged")])
    return [difference for difference in differences if any(map(difference.has_name, only))]


def get_values_before(differences: Sequence[Difference]) -> dict[str, list[str]]:
    """In the form of an operation's `controls`."""
    return {difference.column: list(difference.before) for difference in differences}


def exclude_changed_since(
    controls: SubmittedValues, differences: Sequence[Difference], now: SubmittedValues
) -> tuple[SubmittedValues, list[str]]:
    """
    The `controls` that nobody changed since the save, and the names of the others. `now`: what the form submits now.
    Raises EditConflict where all were changed.
    """
    changed = [
        difference
        for difference in differences
        if difference.column in controls
        and tuple(now.get(difference.column, ())) not in (difference.after, tuple(controls[difference.column]))
    ]
    columns = {difference.column for difference in changed}
    unchanged = {name: values for name, values in controls.items() if name not in columns}
    if unchanged or not changed:
        return unchanged, [difference.quoted_name for difference in changed]
    conflicts = [
        Conflict(
            difference.label or difference.column,
            ", ".join(difference.after),
            ", ".join(now.get(difference.column, ())),
            ", ".join(difference.before),
        )
        for difference in changed
    ]
    raise EditConflict(f"Changed in PlanSo since: {_names(changed)}. Nothing was sent.", conflicts)


def _names(differences: Sequence[Difference]) -> str:
    return ", ".join(difference.quoted_name for difference in differences)
