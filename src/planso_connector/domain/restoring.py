"""What a damaged operation's save took, and which of it is written back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planso_connector.domain.errors import Invalid, NotPossible, Problem
from planso_connector.domain.operation import Operation, State

DAMAGE = frozenset({"lost", "shifted", "garbled", "repeated"})
"""Verdicts of differences that are written back unasked; others, such as an edit by somebody, only by name."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One control: its name, its label, and the submitted values before and after the save."""

    column: str
    label: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def is_named(self, name: str) -> bool:
        return name.strip().casefold() in (self.column.casefold(), self.label.strip().casefold())


def taken(operation: Operation, only: Sequence[str] = ()) -> list[Taken]:
    """
    The controls to write back: all that were damaged, or those that `only` names by label or control name. Raises
    NotPossible where the operation damaged nothing or its values are gone, Invalid for a name that is not among them.
    """
    if operation.state is not State.DAMAGED:
        raise NotPossible(f"Operation {operation.id} is {operation.state}; only a damaged one can be written back.")
    if not operation.differences:
        raise NotPossible(f"Operation {operation.id} has no values from before any more; they were erased.")
    found = [(_taken(one), str(one.get("verdict"))) for one in operation.differences]
    if not only:
        return [one for one, verdict in found if verdict in DAMAGE] or [one for one, _ in found]
    unknown = [name for name in only if not any(one.is_named(name) for one, _ in found)]
    if unknown:
        there = ", ".join(f"'{one.label or one.column}'" for one, _ in found)
        told = f"{', '.join(map(repr, unknown))} is not among what the save changed; accepted: {there}"
        raise Invalid([Problem(("body", "only"), told, "not_damaged")])
    return [one for one, _ in found if any(one.is_named(name) for name in only)]


def _taken(difference: Mapping[str, Any]) -> Taken:
    return Taken(
        str(difference["column"]),
        str(difference.get("label") or ""),
        tuple(difference.get("before") or ()),
        tuple(difference.get("after") or ()),
    )


def values_before(controls: Sequence[Taken]) -> dict[str, list[str]]:
    """As an operation's `controls`."""
    return {one.column: list(one.before) for one in controls}


def still_damaged(
    controls: Mapping[str, Sequence[str]], known: Sequence[Taken], now: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Sequence[str]], list[str]]:
    """
    Of the controls to write back those that nobody changed since the save, by what the form submits `now`; and the
    names of the others, which are left alone.
    """
    after = {one.column: one for one in known}
    changed = [
        name
        for name, before in controls.items()
        if name in after and tuple(now.get(name, ())) not in (after[name].after, tuple(before))
    ]
    labels = [f"'{after[name].label or name}'" for name in changed]
    return {name: before for name, before in controls.items() if name not in changed}, labels
