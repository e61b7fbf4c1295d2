"""/api/changes: the change feed, page by page or as a stream."""

import time
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic_core import to_json

from planso_connector.domain import values
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.events import EventType
from planso_connector.domain.messages import MESSAGES
from planso_connector.flows.querying.change_feed import FeedCursor, FeedPage, FeedQuery
from planso_connector.rest.request_context import Flows, OrdersResponse, RequestContext, get_context
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.schemas.errors import document_failures
from planso_connector.rest.schemas.events import ChangesAnswer
from planso_connector.rest.schemas.examples import Responses, build_example, document_success
from planso_connector.store.change_feed import FeedEvent

STREAM_SECONDS = 60.0
"""How long a stream lasts. Clients connect again by themselves; what they were shown is logged at its end."""
MAX_WAIT = 60

_TYPES = frozenset(kind.value for kind in EventType)
_INVALID_TYPE = Problem(
    ("query", "types"), f"'order.changed' is no type of event; accepted: {', '.join(EventType)}", "event_types"
)
_STREAM_EXAMPLE = (
    'event: order.updated\ndata: {"id":"evt_5f0c2b9e41d7a6380c1e","type":"order.updated","order_id":130}\n'
    "id: 5f0c2b9e-1207\n\n"
)

_STREAM: Responses = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": _STREAM_EXAMPLE}}}
}

_Cursor = Annotated[
    str | None,
    Query(
        max_length=40,
        description="A `cursor` or `next_cursor`: the events behind it. `latest`: those from now on. Without it, from "
        "the oldest event that is kept.",
    ),
]
_Wait = Annotated[
    float, Query(ge=0, le=MAX_WAIT, allow_inf_nan=False, description="Seconds to wait where there is no event yet.")
]


def _parse_query(
    types: Annotated[
        str | None, Query(max_length=300, description=f"Only these types, separated by commas: {', '.join(EventType)}.")
    ] = None,
    order_id: Annotated[int | None, Query(ge=1, le=values.MAX_ID, description="Only those of one order.")] = None,
) -> FeedQuery:
    names = [name.strip() for name in (types or "").split(",") if name.strip()]
    for name in names:
        if name not in _TYPES:
            message = MESSAGES["event_types"].format(name=name, types=", ".join(EventType))
            raise Invalid([Problem.of(("query", "types"), message, "event_types")])
    return FeedQuery(types=frozenset(map(EventType, names)), order_id=order_id)


_QueryParam = Annotated[FeedQuery, Depends(_parse_query)]


def routes() -> APIRouter:
    router = make_router("/api/changes", "changes")
    failures = document_failures(410, 422, 503, invalid=_INVALID_TYPE)

    @router.get(
        "",
        summary="List changes",
        response_model=ChangesAnswer,
        response_description="The events behind the cursor, oldest first",
        responses=document_success(changes=build_example(ChangesAnswer)) | failures,
    )
    async def list_changes(
        flows: Flows,
        query: _QueryParam,
        after: _Cursor = None,
        limit: Annotated[int, Query(ge=1, le=1000, description="Events in one answer.")] = 100,
        wait: _Wait = 0,
    ) -> Response:
        """
        Every change, in order, without gaps: keep `next_cursor`, and ask again with it. An event is in the feed at the
        latest a second after the change was stored; what a transaction stores late comes late, and is never skipped.
        """
        page_query = FeedQuery(after, query.types, query.order_id, limit)
        page = await flows.change_feed.read(page_query, wait)
        return OrdersResponse(to_json(_render_page(page)), _order_ids(page))

    @router.get(
        "/stream",
        summary="Stream changes",
        response_class=StreamingResponse,
        response_description="Server-sent events: `event` is the type, `id` the cursor, `data` the event",
        responses=_STREAM | failures,
    )
    async def stream_changes(
        flows: Flows,
        request: Request,
        query: _QueryParam,
        after: _Cursor = None,
        last_event_id: Annotated[
            str | None, Header(alias="Last-Event-ID", max_length=40, description="Wins over `after`; browsers send it.")
        ] = None,
    ) -> Response:
        """
        The same events as server-sent events, as they come. A stream ends after a minute, and whenever the connector
        restarts: clients such as `EventSource` connect again, with `Last-Event-ID`.
        """
        context = get_context(request.scope)
        pages = flows.change_feed.stream(FeedQuery(last_event_id or after, query.types, query.order_id))
        first = await anext(pages)  # what is wrong with the request is an answer of its own
        content = _stream(first, pages, context)
        return StreamingResponse(content, media_type="text/event-stream")

    return router


async def _stream(first: FeedPage, pages: AsyncIterator[FeedPage], context: RequestContext) -> AsyncIterator[bytes]:
    ends_at = time.monotonic() + STREAM_SECONDS
    yield _format_page(first, context)
    if context.is_head:
        return
    async for page in pages:
        yield _format_page(page, context)
        if time.monotonic() >= ends_at:
            return


def _format_page(page: FeedPage, context: RequestContext) -> bytes:
    """Its events; the cursor alone where there is none, so that the client begins there when it connects again."""
    context.shown_order_ids = [*dict.fromkeys((*context.shown_order_ids, *_order_ids(page)))]
    if not page.events:
        return format_sse_event(comment="nothing new", id=str(page.cursor))
    lines = (
        format_sse_event(data_str=to_json(_render(page, event)).decode(), event=event.type, id=_cursor(page, event))
        for event in page.events
    )
    return b"".join(lines)


def _render_page(page: FeedPage) -> dict[str, Any]:
    return {
        "success": True,
        "message": "",
        "changes": [_render(page, event) for event in page.events],
        "count": len(page.events),
        "next_cursor": str(page.cursor),
        "has_more": page.has_more,
    }


def _render(page: FeedPage, event: FeedEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "cursor": _cursor(page, event),
        "type": event.type,
        "at": event.at,
        "order_id": event.order_id,
        "version": event.version,
        "by": "PlanSo" if event.by == "planso" else event.caller or "connector",
        "operation_id": event.operation_id,
        "before": event.before,
        "after": event.after,
    }


def _cursor(page: FeedPage, event: FeedEvent) -> str:
    return str(FeedCursor(page.cursor.epoch, event.number))


def _order_ids(page: FeedPage) -> Iterable[int]:
    """The orders of which the page shows something."""
    return [event.order_id for event in page.events if event.order_id is not None and (event.before or event.after)]
