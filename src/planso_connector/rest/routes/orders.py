"""GET /api/orders and below: orders from the mirror. The writes are in `order_writes`."""

import asyncio
import re
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from planso_connector.domain import values
from planso_connector.domain.errors import QueryTooBroad
from planso_connector.domain.part import count_missing
from planso_connector.flows.querying.freshness import NEVER_FILLED
from planso_connector.flows.querying.orders import PARTLY_FILLED
from planso_connector.flows.workshop_flows import WorkshopFlows
from planso_connector.rest.order_bodies import LARGE_LIST, render_list, render_order
from planso_connector.rest.request_context import Flows, OrdersResponse
from planso_connector.rest.routes.orders_query import OrdersQuery, OrdersQueryRoute, select_members
from planso_connector.rest.routes.router import make_router, success_response
from planso_connector.rest.routes.write_headers import matches_etag
from planso_connector.rest.schemas import responses, sections
from planso_connector.rest.schemas.errors import INVALID_DATE, INVALID_ORDER_ID, document_failures
from planso_connector.rest.schemas.examples import build_example, document_headers, document_success
from planso_connector.store.history import HistoryEntry

_PREFIX = "/api/orders"
MAX_LARGE_LISTS = 4
"""Responses with more orders than `LARGE_LIST` that are made at a time: 64 at once took 300 MB."""
_INVALID_AFTER = replace(INVALID_DATE, loc=("query", "after"))
_FAILURES = document_failures(404, 422, 503, invalid=INVALID_ORDER_ID)
_TABLE_FAILURES = document_failures(404, 406, 422, 503, invalid=INVALID_ORDER_ID)
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")


def _check_whole_number(text: object) -> object:
    """Pydantic accepts ` 130`, `130.0`, `1_30` and digits of other scripts too; an order has one address."""
    if isinstance(text, str) and not _WHOLE.fullmatch(text):
        raise PydanticCustomError("int_parsing", "must be a whole number")
    return text


OrderId = Annotated[
    int,
    Field(ge=1, le=values.MAX_ID),  # before the validator: behind it, the document would not have the bounds
    BeforeValidator(_check_whole_number),
    Path(description="PlanSo's order id.", examples=[130]),
]
MaxAge = Annotated[
    float | None,
    Query(ge=0, le=31_536_000, allow_inf_nan=False, description="Seconds; an older reading is renewed from PlanSo."),
]
SectionName = Annotated[
    str, Path(pattern=r"^[a-z_]{1,40}$", description="Name of the section.", examples=["stamped_timings"])
]


def routes() -> list[APIRouter]:
    return [_list_router(), _order_router(), _parts_and_sections_router(), _history_router()]


def _list_router() -> APIRouter:
    router, large_lists = make_router(_PREFIX, "orders", OrdersQueryRoute), asyncio.Semaphore(MAX_LARGE_LISTS)

    @router.get(
        "",
        summary="Query orders",
        response_model=responses.OrdersAnswer | responses.SelectedOrdersAnswer,
        response_description="The orders found; with `fields`, their selected members",
        responses=document_success(
            found=build_example(responses.OrdersAnswer, next_cursor=None),
            selected_members=build_example(
                responses.SelectedOrdersAnswer, orders=[responses.SELECTED_EXAMPLE], next_cursor=None
            ),
        )
        | document_failures(406, 422, 503, invalid=_INVALID_AFTER),
    )
    async def list_orders(flows: Flows, query: Annotated[OrdersQuery, Query()]) -> Response:
        """
        Newest shop_date first, then id, unless `sort` says otherwise. Filters are combined with AND. Archived orders
        only with `archived=true`.
        """
        async with large_lists if query.limit > LARGE_LIST else nullcontext():
            return await respond(flows, query)

    async def respond(flows: WorkshopFlows, query: OrdersQuery) -> Response:
        filters = query.to_filters()
        page = await flows.order_queries.find(filters)
        members: dict[str, object] = {}
        message = ""
        if page.rebuild is not None:
            message, members = responses.rebuild_members(page.rebuild)
        if query.total:
            try:
                members["total"] = await flows.order_queries.count(filters)
            except QueryTooBroad:
                members["total"] = None
                message = f"{message} total: there are too many to be counted in time.".lstrip()
        stale_from = await flows.freshness.stale_from()
        if stale_from == NEVER_FILLED:
            message = f"{message} {PARTLY_FILLED}".lstrip()
        names = query.member_names
        select = partial(select_members, names=names) if names else None
        body = render_list(page, message, members, stale=flows.freshness.now() > stale_from, select=select)
        return OrdersResponse(body, [order.id for order in page.documents])

    return router


def _order_router() -> APIRouter:
    router = make_router(_PREFIX, "orders")

    @router.get(
        "/{order_id}",
        summary="Get order",
        response_model=responses.OrderAnswer,
        response_description="The order",
        responses=document_headers(document_success(order=build_example(responses.OrderAnswer)), 200, "ETag")
        | {304: {"description": "The order still has the ETag of `If-None-Match`; there is no body."}}
        | _FAILURES,
    )
    async def get_order(
        flows: Flows,
        order_id: OrderId,
        max_age: MaxAge = None,
        if_none_match: Annotated[
            str | None,
            Header(alias="If-None-Match", max_length=400, description="An `ETag`; 304 where the order still has it."),
        ] = None,
    ) -> Response:
        """
        The order from the connector's database; `ETag` stands for its version and its pending writes. With `max_age`,
        an older reading is renewed from PlanSo first; when that fails, `message` says so.
        """
        stored, note = await flows.freshness.get_order(order_id, max_age)
        headers = {"ETag": f'"{stored.order.tag}"'}
        if matches_etag(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        body = render_order(stored, note, stale=await flows.freshness.is_stale())
        return Response(body, media_type="application/json", headers=headers)

    return router


def _parts_and_sections_router() -> APIRouter:
    router = make_router(_PREFIX, "orders")

    @router.get(
        "/{order_id}/parts",
        summary="Get the order's parts",
        response_model=responses.PartsAnswer,
        response_description="The parts of the order",
        responses=document_success(parts=build_example(responses.PartsAnswer)) | _TABLE_FAILURES,
    )
    async def get_order_parts(flows: Flows, order_id: OrderId) -> Response:
        """The parts from the connector's database, in the order of PlanSo's page."""
        parts = await flows.order_queries.get_parts(order_id)
        listed = [{**asdict(part), "is_missing": part.is_missing} for part in parts]
        return success_response(parts=listed, count=len(parts), missing=count_missing(parts))

    @router.get(
        "/{order_id}/sections",
        summary="List the order's sections",
        response_model=sections.SectionsAnswer,
        response_description="The sections that were read",
        responses=document_success(sections=build_example(sections.SectionsAnswer)) | _FAILURES,
    )
    async def list_order_sections(flows: Flows, order_id: OrderId) -> Response:
        """The other tabs of the order in PlanSo that were read; only with `CONNECTOR_SYNC_EXTENDED`."""
        found = await flows.order_queries.list_sections(order_id)
        listed = [{"name": name, "last_synced_at": at} for name, at in found]
        return success_response(sections=listed, count=len(listed))

    @router.get(
        "/{order_id}/sections/{name}",
        summary="Get one section",
        response_model=sections.SectionAnswer,
        response_description="The section",
        responses=document_success(section=build_example(sections.SectionAnswer)) | _FAILURES,
    )
    async def get_order_section(flows: Flows, order_id: OrderId, name: SectionName) -> Response:
        """One tab: its tables, its label and value pairs, its links."""
        section = await flows.order_queries.get_section(order_id, name)
        text = f'{{"success":true,"message":"","section":{section.document},"last_synced_at":"{section.synced_at}"}}'
        return Response(text.encode(), media_type="application/json")

    return router


def _history_router() -> APIRouter:
    router = make_router(_PREFIX, "orders")

    @router.get(
        "/{order_id}/history",
        summary="Get the order's history",
        response_model=responses.HistoryAnswer,
        response_description="What changed, newest first",
        responses=document_success(history=build_example(responses.HistoryAnswer, next_cursor=None)) | _TABLE_FAILURES,
    )
    async def get_order_history(
        flows: Flows,
        order_id: OrderId,
        limit: Annotated[int, Query(ge=1, le=500, description="Entries in one answer.")] = 50,
        cursor: Annotated[
            int | None, Query(ge=1, le=values.MAX_ID, description="`next_cursor` of the page before.")
        ] = None,
    ) -> Response:
        """Every change by an operation or in PlanSo that was seen; also of a deleted order."""
        entries, next_cursor = await flows.order_queries.get_history(order_id, cursor, limit)
        return success_response(
            history=[_render_entry(entry) for entry in entries], count=len(entries), next_cursor=next_cursor
        )

    return router


def _render_entry(entry: HistoryEntry) -> dict[str, object]:
    by = {"by": entry.caller or "connector", "operation_id": entry.operation} if entry.operation else {"by": "PlanSo"}
    return {"version": entry.version, "at": entry.at, "operation_id": None, **by, "changes": entry.changes}
