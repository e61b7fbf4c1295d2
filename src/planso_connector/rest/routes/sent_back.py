"""
Orders that are sent back as `GET` answered them, where PlanSo holds values that no request may set: a tab in a text, a
negative number of hours. Such a member that equals the order's is left out; changed, it is 422 like any other.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from planso_connector.domain.errors import Invalid, MirrorNotFilled, NotFound, Problem
from planso_connector.domain.messages import MESSAGES
from planso_connector.flows.writing import disclosure
from planso_connector.rest.json_body import JsonRequest, JsonRoute
from planso_connector.rest.request_context import get_caller, get_flows
from planso_connector.rest.schemas.read_only import READ_ONLY_MEMBERS

_MAX_DEPTH = 2
"""`vehicle_details` and its members."""


def get_unwritable_members(request: Request) -> Sequence[str]:
    """The members, by path, that were left out so."""
    found: Sequence[str] = getattr(request.state, "unwritable_members", ())
    return found


def make_sent_back_route(base: type[JsonRoute]) -> type[JsonRoute]:
    """The route class `base` that also takes orders as they were read."""

    class SentBackRoute(base):  # type: ignore[misc,valid-type]  # a class that is a parameter
        async def amend(self, request: JsonRequest, error: RequestValidationError) -> bool:
            body = await request.json()
            if isinstance(body, dict) and isinstance(body.get("order"), dict) and "order_id" not in body:
                raise Invalid([Problem.of(("body", "order_id"), MESSAGES["whole_answer"], "missing")])
            paths = [tuple(entry["loc"]) for entry in error.errors()]
            order = await _load_order(request, body)
            if order is None or not all(path[0] == "body" and _holds(order, body, path[1:]) for path in paths):
                return False
            request.replace_json(_without(body, [path[1:] for path in paths]))
            request.state.unwritable_members = [".".join(map(str, path[1:])) for path in paths]
            return True

    return SentBackRoute


async def _load_order(request: Request, body: Any) -> Mapping[str, Any] | None:
    """The order as it is shown; None where the body is not one that was read, or the caller may not read it."""
    order_id = request.path_params.get("order_id", "")
    is_read = isinstance(body, dict) and not READ_ONLY_MEMBERS.isdisjoint(body.keys() - {"order_id"})
    if not (is_read and str(order_id).isdecimal() and disclosure.can_read_orders(get_caller(request))):
        return None
    orders = (await get_flows(request)).order_queries
    try:
        found: Mapping[str, Any] = json.loads((await orders.get_order(int(order_id))).order.document)
    except (NotFound, MirrorNotFilled):
        return None
    return found


def _holds(order: Mapping[str, Any], body: Mapping[str, Any], path: Sequence[str | int]) -> bool:
    """Whether body and order have the same there. False for other places than members, such as a missing one."""
    if not 1 <= len(path) <= _MAX_DEPTH:
        return False
    given: Any = body
    held: Any = order
    for step in path:
        if not (isinstance(given, dict) and isinstance(held, dict) and step in given and step in held):
            return False
        given, held = given[step], held[step]
    return bool(given == held)


def _without(body: Mapping[str, Any], paths: Sequence[Sequence[str | int]]) -> dict[str, Any]:
    left = {name: dict(member) if isinstance(member, dict) else member for name, member in body.items()}
    for *parents, name in paths:
        (left[str(parents[0])] if parents else left).pop(str(name), None)
    return left
