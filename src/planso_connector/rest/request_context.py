"""Who sent a request, as the guard found out; and which orders an answer shows, for the access log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import Response
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from planso_connector.domain.caller import Caller

CALLER = "planso_connector.caller"
SHOWN_ORDER_IDS = "planso_connector.orders_shown"
"""Where in the scope the ids stand of the orders that an answer shows."""


ROUTE_TEMPLATE = "planso_connector.template"
"""Where in the scope the address's template stands, for who is refused before any route is found."""

KEY_ID = "planso_connector.key_id"
"""Where in the scope the public id stands of the key that came, valid or not."""


def get_route_template(scope: Mapping[str, Any]) -> str:
    """`/api/orders/{order_id}`; `-` where there is nothing."""
    found: str = getattr(scope.get("route"), "path", None) or scope.get(ROUTE_TEMPLATE, "-")
    return found


def get_key_id(scope: Mapping[str, Any]) -> str | None:
    """Of the key that came with the request; None without one, and for what has no key's beginning."""
    found: str | None = scope.get(KEY_ID)
    return found


def get_caller(request: HTTPConnection) -> Caller:
    """Whom the guard let in. KeyError where it let nobody in: an answer without a caller is a fault."""
    found: Caller = request.scope[CALLER]
    return found


def has_caller(request: HTTPConnection) -> bool:
    """Whether the guard knows who calls, where it lets in whom it doesn't."""
    return CALLER in request.scope


def get_shown_order_ids(scope: Mapping[str, Any]) -> Sequence[int]:
    """The orders that the answer to this request shows, as OrdersResponse says."""
    found: Sequence[int] = scope.get(SHOWN_ORDER_IDS, ())
    return found


def extract_api_keys(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """The API keys that came, by either header. The guard and the limits must take the same bytes for the same key."""
    given = set()
    for name, value in headers:
        if name == b"x-api-key":
            given.add(value.strip(_BLANKS))
        elif name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() == b"bearer":
                given.add(token.strip(_BLANKS))
    return given


_BLANKS = b" \t"


class OrdersResponse(Response):
    """JSON that shows orders; where the address names the order, a plain Response does."""

    media_type = "application/json"

    def __init__(
        self, content: bytes, orders: Iterable[int], headers: Mapping[str, str] | None = None, *, status: int = 200
    ) -> None:
        super().__init__(content, status, headers)
        self._orders = tuple(orders)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[SHOWN_ORDER_IDS] = self._orders
        await super().__call__(scope, receive, send)
