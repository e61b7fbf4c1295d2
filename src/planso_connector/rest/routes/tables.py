"""Orders, parts and history as tables for spreadsheets: CSV and Excel workbooks."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import ConfigDict, Field

from planso_connector.domain.order import OrderDocument
from planso_connector.flows.querying.whole_lists import iter_history, iter_orders
from planso_connector.flows.workshop_flows import WorkshopFlows
from planso_connector.rest.middleware.accepted_format import CSV, XLSX
from planso_connector.rest.request_context import Flows, get_context
from planso_connector.rest.routes.orders import OrderId
from planso_connector.rest.routes.orders_query import OrderSelection
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.schemas.errors import INVALID_DATE, INVALID_ORDER_ID, document_failures
from planso_connector.rest.schemas.examples import Responses
from planso_connector.rest.tables.cells import Column, Row
from planso_connector.rest.tables.columns import (
    HISTORY_COLUMNS,
    PART_COLUMNS,
    list_history_rows,
    list_part_rows,
    read_document_rows,
    select_columns,
)
from planso_connector.rest.tables.csv_table import CsvTable, Dialect
from planso_connector.rest.tables.responses import Pages, respond_csv, respond_xlsx

MAX_LIMIT = 1_000_000
MAX_TABLES, MAX_WORKBOOKS = 2, 2
"""Pages of tables, and workbooks, that are made at a time; the others wait, so that other requests go on."""

_INVALID_AFTER = replace(INVALID_DATE, loc=("query", "after"))
_ORDERS_FAILURES = document_failures(422, 503, invalid=_INVALID_AFTER)
_ORDERS_EXAMPLE = "id;plate;person;shop_date;est_hours_lack\r\n130;WN-AE 2309;Jana Petersen;08.12.2026;12,5\r\n"
_PARTS_EXAMPLE = "order_id;part_no;qty;price_each;order_date\r\n130;5G6 807 421;1;214,9;20.11.2026\r\n"
_HISTORY_EXAMPLE = (
    "version;at;by;operation_id;field;label;before;after\r\n"
    "4;23.11.2026 10:41:02;PlanSo;;shop_date;;07.12.2026;08.12.2026\r\n"
)
_ORDER_FAILURES = document_failures(404, 422, 503, invalid=INVALID_ORDER_ID)

_DIALECT_HELP = (
    "`excel-de`: semicolons, BOM, decimal commas, German dates, as a German Excel opens it. `standard`: RFC 4180, "
    "decimal points, ISO 8601."
)
DialectParam = Annotated[Dialect, Query(description=_DIALECT_HELP)]
Limit = Annotated[int | None, Query(ge=1, le=MAX_LIMIT, description="Rows at most; without it, all.")]


class OrdersTableQuery(OrderSelection):
    """The filters of the list; no pages: a table has all orders that match."""

    # Built at once: FastAPI suppresses pydantic's warning of a parameter that is a model only while it makes the route.
    model_config = ConfigDict(defer_build=False)

    limit: int | None = Field(None, ge=1, le=MAX_LIMIT, description="Orders at most; without it, all that match.")


class OrdersCsvQuery(OrdersTableQuery):
    """With the dialect."""

    dialect: Dialect = Field("excel-de", description=_DIALECT_HELP)


def _document(content: dict[str, Any], failures: Responses) -> dict[str, Any]:
    return {
        "response_class": Response,
        "response_description": "The table, with a header row",
        "responses": {200: {"content": content}} | failures,
    }


def _as_csv(example: str, failures: Responses) -> dict[str, Any]:
    return _document({CSV: {"schema": {"type": "string"}, "example": example}}, failures)


def _as_xlsx(failures: Responses) -> dict[str, Any]:
    return _document({XLSX: {"schema": {"type": "string", "format": "binary"}}}, failures)


def routes() -> list[APIRouter]:
    slots, workbooks = asyncio.Semaphore(MAX_TABLES), asyncio.Semaphore(MAX_WORKBOOKS)
    return [_orders_router(slots, workbooks), _parts_router(workbooks), _history_router(slots, workbooks)]


def _orders_router(slots: asyncio.Semaphore, workbooks: asyncio.Semaphore) -> APIRouter:
    router = make_router("/api", "orders")

    @router.get("/orders.csv", summary="Query orders as CSV", **_as_csv(_ORDERS_EXAMPLE, _ORDERS_FAILURES))
    async def list_orders_csv(flows: Flows, request: Request, query: Annotated[OrdersCsvQuery, Query()]) -> Response:
        """
        All orders that match, a row each; also by `Accept: text/csv` at `/api/orders`. Texts that a spreadsheet would
        compute begin with an apostrophe.
        """
        columns = select_columns(query.member_names)
        pages = _read_orders(request, flows, query, columns, slots)
        table = CsvTable(columns, query.dialect)
        return await respond_csv("orders", table, pages, is_head=get_context(request.scope).is_head)

    @router.get("/orders.xlsx", summary="Query orders as a workbook", **_as_xlsx(_ORDERS_FAILURES))
    async def list_orders_xlsx(flows: Flows, request: Request, query: Annotated[OrdersTableQuery, Query()]) -> Response:
        """All orders that match, a row each, with real dates; also by `Accept` at `/api/orders`."""
        columns = select_columns(query.member_names)
        pages = _read_orders(request, flows, query, columns, slots)
        return await respond_xlsx("orders", columns, pages, workbooks, is_head=get_context(request.scope).is_head)

    return router


async def _read_orders(
    request: Request, flows: WorkshopFlows, query: OrdersTableQuery, columns: Sequence[Column], slots: asyncio.Semaphore
) -> Pages:
    context = get_context(request.scope)

    async def read(documents: Sequence[OrderDocument]) -> Sequence[Row]:
        if context.record_shown is not None and not context.is_head:
            await context.record_shown([order.id for order in documents])
        return await asyncio.to_thread(read_document_rows, columns, [order.document for order in documents])

    found = iter_orders(flows.order_queries, flows.freshness, query.to_filters(), query.limit)
    while True:
        async with slots:
            documents = await anext(found, None)
            rows = await read(documents) if documents is not None else None
        if rows is None:
            return
        yield rows


def _parts_router(workbooks: asyncio.Semaphore) -> APIRouter:
    router = make_router("/api/orders", "orders")

    async def read(flows: WorkshopFlows, order_id: int) -> Pages:
        yield list_part_rows(await flows.order_queries.get_parts(order_id))

    @router.get(
        "/{order_id}/parts.csv", summary="Get the order's parts as CSV", **_as_csv(_PARTS_EXAMPLE, _ORDER_FAILURES)
    )
    async def get_order_parts_csv(
        flows: Flows, request: Request, order_id: OrderId, dialect: DialectParam = "excel-de"
    ) -> Response:
        """The parts, a row each; also by `Accept: text/csv`."""
        table, is_head = CsvTable(PART_COLUMNS, dialect), get_context(request.scope).is_head
        return await respond_csv(f"order-{order_id}-parts", table, read(flows, order_id), is_head=is_head)

    @router.get("/{order_id}/parts.xlsx", summary="Get the order's parts as a workbook", **_as_xlsx(_ORDER_FAILURES))
    async def get_order_parts_xlsx(flows: Flows, request: Request, order_id: OrderId) -> Response:
        """The parts, a row each, with real dates; also by `Accept`."""
        pages, is_head = read(flows, order_id), get_context(request.scope).is_head
        return await respond_xlsx(f"order-{order_id}-parts", PART_COLUMNS, pages, workbooks, is_head=is_head)

    return router


def _history_router(slots: asyncio.Semaphore, workbooks: asyncio.Semaphore) -> APIRouter:
    router = make_router("/api/orders", "orders")

    async def read(flows: WorkshopFlows, order_id: int, limit: int | None) -> Pages:
        async for entries in iter_history(flows.order_queries, order_id, limit):
            async with slots:
                rows = await asyncio.to_thread(list_history_rows, entries)
            yield rows

    @router.get(
        "/{order_id}/history.csv",
        summary="Get the order's history as CSV",
        **_as_csv(_HISTORY_EXAMPLE, _ORDER_FAILURES),
    )
    async def get_order_history_csv(
        flows: Flows, request: Request, order_id: OrderId, dialect: DialectParam = "excel-de", limit: Limit = None
    ) -> Response:
        """Every change, newest first, a row for each field; also by `Accept: text/csv`. `limit` counts changes."""
        table, pages = CsvTable(HISTORY_COLUMNS, dialect), read(flows, order_id, limit)
        is_head = get_context(request.scope).is_head
        return await respond_csv(f"order-{order_id}-history", table, pages, is_head=is_head)

    @router.get(
        "/{order_id}/history.xlsx", summary="Get the order's history as a workbook", **_as_xlsx(_ORDER_FAILURES)
    )
    async def get_order_history_xlsx(
        flows: Flows, request: Request, order_id: OrderId, limit: Limit = None
    ) -> Response:
        """Every change, newest first, a row for each field, with real dates; also by `Accept`."""
        pages, is_head = read(flows, order_id, limit), get_context(request.scope).is_head
        return await respond_xlsx(f"order-{order_id}-history", HISTORY_COLUMNS, pages, workbooks, is_head=is_head)

    return router
