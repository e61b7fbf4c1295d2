"""What the middleware keeps in a request's ASGI scope: API key, caller, route template, ids of the orders shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import Response
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from planso_connector.domain.caller import Caller

API_KEYS = "planso_connector.api_keys"
CALLER = "planso_connector.caller"
SHOWN_ORDER_IDS = "planso_connector.orders_shown"
ROUTE_TEMPLATE = "planso_connector.template"
KEY_ID = "planso_connector.key_id"
"""Scope key of the public id of the API key that was sent, valid or not."""

_BLANKS = b" \t"


def get_api_keys(scope: Scope) -> frozenset[bytes]:
    """
    The distinct API keys of `X-API-Key` and `Authorization: Bearer`. Read from the headers once per request, so that
    rate limits and authentication see the same key.
    """
    if API_KEYS not in scope:
        scope[API_KEYS] = frozenset(_read_api_keys(scope["headers"]))
    keys: frozenset[bytes] = scope[API_KEYS]
    return keys


def _read_api_keys(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    for name, value in headers:
        if name == b"x-api-key":
            yield value.strip(_BLANKS)
        elif name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() == b"bearer":
                yield token.strip(_BLANKS)


def get_route_template(scope: Mapping[str, Any]) -> str:
    """`/api/orders/{order_id}`; `-` if no route matched."""
    template: str = getattr(scope.get("route"), "path", None) or scope.get(ROUTE_TEMPLATE, "-")
    return template


def get_key_id(scope: Mapping[str, Any]) -> str | None:
    """The public id of the API key that was sent; None without a key and for text that is not a key."""
    key_id: str | None = scope.get(KEY_ID)
    return key_id


def get_caller(request: HTTPConnection) -> Caller:
    """The authenticated caller. Raises KeyError on routes without authentication."""
    caller: Caller = request.scope[CALLER]
    return caller


def has_caller(request: HTTPConnection) -> bool:
    """Whether the request was authenticated, on routes where a key is optional."""
    return CALLER in request.scope


def get_shown_order_ids(scope: Mapping[str, Any]) -> Sequence[int]:
    """The orders in the response to this request, as OrdersResponse recorded them."""
    order_ids: Sequence[int] = scope.get(SHOWN_ORDER_IDS, ())
    return order_ids


def read_order_id(document: str) -> int:
    """The id of an order's JSON text, of which it is the first member."""
    return int(document[document.index(":") + 1 : document.index(",")])


class OrdersResponse(Response):
    """JSON that shows orders and records their ids for the access log. Not needed where the path names the order."""

    media_type = "application/json"

    def __init__(
        self, content: bytes, order_ids: Iterable[int], headers: Mapping[str, str] | None = None, *, status: int = 200
    ) -> None:
        super().__init__(content, status, headers)
        self._order_ids = tuple(order_ids)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[SHOWN_ORDER_IDS] = self._order_ids
        await super().__call__(scope, receive, send)
