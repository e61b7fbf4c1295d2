"""What is known about a request, shared by middleware and routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Response
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from planso_connector.domain.caller import Caller
from planso_connector.domain.errors import NotFound
from planso_connector.flows.workshop_flows import WorkshopFlows

if TYPE_CHECKING:
    from planso_connector.rest.middleware.rate_limits import RequestSlot

_SCOPE_KEY = "planso_connector.request"
_BLANKS = b" \t"


@dataclass(slots=True)
class RequestContext:
    api_keys: frozenset[bytes]
    """The distinct API keys sent, read once per request: rate limits and authentication see the same key."""
    key_id: str | None = None
    """The public id of the key sent, valid or not; None without a key, for other text, and on public routes."""
    caller: Caller | None = None
    """None on public routes, and without a key where it is optional."""
    flows: WorkshopFlows | None = None
    """Those of the caller's workshop; None where `caller` is None."""
    route_template: str = "-"
    """`/api/orders/{order_id}`; `-` if no route matches."""
    shown_order_ids: Sequence[int] = ()
    """The orders in the response, for the access log; not those that the path names."""
    is_head: bool = False
    """Whether only the head of the response is sent."""
    record_shown: Callable[[Sequence[int]], Awaitable[None]] | None = None
    """
    Put orders into the access log that a long response is about to show; waits while the log is full. Raises
    StoreUnavailable. None where `caller` is None.
    """
    slot: RequestSlot | None = None
    """None for `GET /health/live`, which is always admitted."""


def get_context(scope: Scope) -> RequestContext:
    context: RequestContext | None = scope.get(_SCOPE_KEY)
    if context is None:
        context = scope[_SCOPE_KEY] = RequestContext(frozenset(_read_api_keys(scope.get("headers", ()))))
    return context


def _read_api_keys(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    """From `X-API-Key` and `Authorization: Bearer`."""
    for name, value in headers:
        if name == b"x-api-key":
            yield value.strip(_BLANKS)
        elif name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() == b"bearer":
                yield token.strip(_BLANKS)


def get_caller(request: HTTPConnection) -> Caller:
    """The caller, on routes that need a key."""
    caller = get_context(request.scope).caller
    assert caller is not None, "authentication admits nobody to this route without a key"
    return caller


async def get_flows(request: Request) -> WorkshopFlows:
    """Those of the caller's workshop, on routes that need a key. Raises NotFound where it is not configured."""
    flows = get_context(request.scope).flows
    if flows is None:
        raise NotFound(f"The workshop '{get_caller(request).workshop}' has no PlanSo: set PLANSO_URL.")
    return flows


Flows = Annotated[WorkshopFlows, Depends(get_flows)]
"""The parameter of a route."""


class OrdersResponse(Response):
    """JSON that shows orders and records their ids for the access log. Not needed where the path names the order."""

    media_type = "application/json"

    def __init__(
        self, content: bytes, order_ids: Iterable[int], headers: Mapping[str, str] | None = None, *, status: int = 200
    ) -> None:
        super().__init__(content, status, headers)
        self._order_ids = tuple(order_ids)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        get_context(scope).shown_order_ids = self._order_ids
        await super().__call__(scope, receive, send)
