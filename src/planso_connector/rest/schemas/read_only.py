"""
Members that GET shows of an order and no request can write. A body may repeat them, so that what was read can be sent
back; one that differs is refused, for nothing would come of it.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from planso_connector.domain import values
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.fields import BY_PATH, FieldKind, Value
from planso_connector.domain.folding import fold_plate
from planso_connector.domain.messages import MESSAGES, Message
from planso_connector.domain.notes import shorten
from planso_connector.domain.order import PLATE
from planso_connector.rest.schemas.requests import PatchOrder, WriteBody
from planso_connector.rest.schemas.responses import Order

READ_ONLY_MEMBERS = frozenset(Order.model_fields.keys() - PatchOrder.model_fields.keys())
_OF_THE_READING = frozenset({"last_synced_at", "pending"})
"""
They change with each sync and each write, not with the order. In a body that writes something they are not compared:
what was read a moment ago could not be sent back.
"""

_PLATE = ("body", "plate")
_MAX_PROBLEMS = 20
_MAX_SHOWN = 60
"""Characters of the order's value in a message."""


def get_read_only_members(body: WriteBody) -> dict[str, Any]:
    """The read-only members of an update by name, but for nulls of a PUT, which mean no change."""
    given = body.model_extra or {}
    return {name: value for name, value in given.items() if name in READ_ONLY_MEMBERS}


def refuse_all(given: Mapping[str, Any]) -> list[Problem]:
    """For callers that may not read orders: the answer depends on no order."""
    return [Problem.of(("body", name), MESSAGES["read_only_hidden"], "read_only") for name in given][:_MAX_PROBLEMS]


def refuse_other_plate(unknown: Mapping[str, Any], requested: Mapping[str, Value]) -> None:
    """
    Raises Invalid for a create's `plate` that is not its number plate too: it would be left out, and the order be
    without one.
    """
    plate, number_plate = unknown.get("plate"), requested.get(PLATE)
    if isinstance(plate, str) and fold_plate(plate) and fold_plate(plate) != fold_plate(str(number_plate or "")):
        raise Invalid([Problem.of(_PLATE, MESSAGES["read_only_plate"], "read_only")])


def find_differences(
    given: Mapping[str, Any], order: Mapping[str, Any], *, null_clears: bool, writes: bool
) -> list[Problem]:
    """A problem for each of the members that is not the order's; `writes`: whether the body has others to write."""
    problems: list[Problem] = []
    for name, value in given.items():
        if writes and name in _OF_THE_READING:
            continue
        problems += _compare(("body", name), value, order.get(name), null_clears=null_clears)
    return problems[:_MAX_PROBLEMS]


def find_untouched(requested: Mapping[str, Value], order: Mapping[str, Any]) -> list[str]:
    """
    The requested fields, by path, that hold what the order shows and yet would change PlanSo: what another label or
    PlanSo's list supplies would be copied to the field's own label; and a null that stands for a text
    that could not be read would clear that.
    """
    doubted = {doubt["field"] for doubt in order["doubts"]}
    return [path for path, value in requested.items() if _is_untouched(path, value, order, doubted)]


def _is_untouched(path: str, value: Value, order: Mapping[str, Any], doubted: Collection[str]) -> bool:
    if value is None:
        return path in doubted
    field = BY_PATH.get(path)
    if field is None:
        return False
    holder, shown = order[field.group.value] if field.group.value else order, order["fields"].get(field.labels[0])
    # Of an option its text is shown, not its id, and of a box nothing that could be compared.
    if shown is None or holder[field.name] != value or field.kind in (FieldKind.ID, FieldKind.FLAG):
        return False
    return not values.are_equal(field.kind, values.parse_planso_value(field.kind, shown), value)


def _compare(loc: tuple[str | int, ...], given: Any, held: Any, *, null_clears: bool) -> Iterator[Problem]:
    if isinstance(given, dict) and isinstance(held, dict):
        for name, value in given.items():
            yield from _compare((*loc, name), value, held.get(name), null_clears=null_clears)
    elif given != held and (given is not None or null_clears):
        message = MESSAGES["read_only_plate"] if loc == _PLATE else MESSAGES["read_only"].format(held=_describe(held))
        yield Problem.of(loc, message, "read_only")


def _describe(held: Any) -> str | Message:
    if held is None:
        return MESSAGES["nothing"]
    if isinstance(held, str):
        return f"'{shorten(held, _MAX_SHOWN)}'"
    return str(held).lower() if isinstance(held, bool | int | float) else MESSAGES["something_else"]
