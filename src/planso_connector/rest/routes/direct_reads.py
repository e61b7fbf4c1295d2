"""
Answer the most frequent reads, one order and lists of orders, without FastAPI: it takes several times as long to find
the route and to validate the parameters as the database takes for the row.

Whatever is not plain is left to the route: errors, `max_age`, `fields`, `total`, and what the database can't answer at
once. So there is no error here, and the routes alone document what there is.
"""

from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.domain import values
from planso_connector.domain.errors import ConnectorError
from planso_connector.flows.workshop_flows import WorkshopFlows
from planso_connector.rest.order_bodies import LARGE_LIST, render_list, render_order
from planso_connector.rest.request_context import get_context
from planso_connector.rest.routes.orders_query import OrdersQuery
from planso_connector.rest.routes.write_headers import matches_etag
from planso_connector.store.engine.database import ReadLater

ORDER, LIST = "/api/orders/{order_id}", "/api/orders"

DirectResponse = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers, body."""


class DirectReadsMiddleware:
    """`on_routed` gets method and route of each request that is answered here, which no router sees."""

    def __init__(self, app: ASGIApp, *, on_routed: Callable[[str, str], None] | None = None) -> None:
        self._app = app
        self._on_routed = on_routed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._answer(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        if response is None:
            await self._app(scope, receive, send)
            return
        status, headers, body = response
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, scope: Scope) -> DirectResponse | None:
        """None where the route has to answer."""
        context = get_context(scope)
        route, flows = context.route_template, context.flows
        response = answer(scope, route, flows) if flows is not None else None
        if response is not None and self._on_routed is not None:
            self._on_routed(scope["method"], route)
        return response


def answer(scope: Scope, route: str, flows: WorkshopFlows) -> DirectResponse | None:
    """The response to a GET; None where the route has to answer."""
    try:
        if route == ORDER:
            return _get_order(scope, flows)
        if route == LIST:
            return _find_orders(scope, flows)
    except (ReadLater, ConnectorError, ValueError):
        pass
    return None


def _get_order(scope: Scope, flows: WorkshopFlows) -> DirectResponse | None:
    text = scope["path"].rpartition("/")[2]
    stale_from = flows.freshness.stale_from_now()
    if scope["query_string"] or stale_from is None or not text.isascii() or not text.isdigit() or text[0] == "0":
        return None
    if len(text) > len(str(values.MAX_ID)) or (order_id := int(text)) > values.MAX_ID:
        return None
    stored = flows.order_queries.get_order_now(order_id)
    etag = f'"{stored.order.tag}"'
    for name, value in scope["headers"]:
        if name == b"if-none-match" and matches_etag(value.decode("latin-1"), etag):
            return 304, [(b"etag", etag.encode())], b""
    body = render_order(stored, "", stale=flows.freshness.now() > stale_from)
    return 200, [*_content_headers(body), (b"etag", etag.encode())], body


def _find_orders(scope: Scope, flows: WorkshopFlows) -> DirectResponse | None:
    stale_from = flows.freshness.stale_from_now()
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="strict")
    given = dict(pairs)
    if stale_from is None or len(given) < len(pairs) or not given.keys() <= OrdersQuery.model_fields.keys():
        return None
    query = OrdersQuery.model_validate(given)
    filters = query.to_filters()
    if query.total or query.fields or query.limit > LARGE_LIST or not filters.is_by_index:
        return None
    page = flows.order_queries.find_now(filters)
    if page.rebuild is not None:
        return None
    body = render_list(page, "", {}, stale=flows.freshness.now() > stale_from)
    get_context(scope).shown_order_ids = tuple(order.id for order in page.documents)
    return 200, _content_headers(body), body


def _content_headers(body: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
