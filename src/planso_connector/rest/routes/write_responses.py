"""Carry out a write or its dry run, and respond with its operation or the preview."""

from collections.abc import Awaitable, Callable

import structlog
from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic_core import to_json

from planso_connector.domain.errors import EditConflict, NotFound, StoreUnavailable, WritesShadowed
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.domain.order import OrderDocument
from planso_connector.flows.querying.orders import OrderQueries
from planso_connector.flows.workshop_flows import WorkshopFlows
from planso_connector.flows.writing import disclosure
from planso_connector.flows.writing.dry_run import Preview
from planso_connector.flows.writing.write import WriteResult
from planso_connector.rest.request_context import OrdersResponse
from planso_connector.rest.routes.write_headers import WriteHeaders
from planso_connector.rest.schemas.errors import RETRY_AFTER_WRITES_STOPPED, error_response

log = structlog.get_logger(__name__)

_REPEATED = (
    "The same request came a moment ago, as operation {}: this is its answer, and no second order was created. For "
    "another order like it, send an Idempotency-Key of its own."
)


async def carry_out(
    write: Callable[[], Awaitable[WriteResult]],
    preview: Callable[[], Awaitable[Preview]],
    flows: WorkshopFlows,
    headers: WriteHeaders,
    notes: str = "",
    *,
    is_dry_run: bool,
) -> Response:
    """
    Carry out a write or its dry run. A dry run responds with the preview. A write responds with its operation: 200
    confirmed, 202 pending, else its error; while CONNECTOR_WRITES is `shadow`, 503 with the preview.
    """
    if is_dry_run:
        return _preview_response(await preview(), notes, headers)
    try:
        result = await write()
    except WritesShadowed as error:
        shadowed = await preview()
        log.info("write_shadowed", order_id=shadowed.order_id, controls=list(shadowed.controls))
        return _preview_response(shadowed, notes, headers, error)
    return await _operation_response(result, flows.order_queries, headers)


async def _operation_response(result: WriteResult, orders: OrderQueries, headers: WriteHeaders) -> Response:
    caller, operation = headers.caller, result.operation
    message = disclosure.build_message(operation, caller)
    response_headers = {**headers.preferences.applied, "Operation-Id": operation.id}
    if result.is_replayed:
        response_headers["Idempotency-Replayed"] = "true"
        if headers.idempotency_key is None:
            message = f"{_REPEATED.format(operation.id)} {message}".strip()
    if operation.state is OperationState.PENDING:
        assert operation.deadline_at is not None, "accepted writes have a deadline"
        until = f"{operation.deadline_at[:19]}Z"
        accepted = f"On disk here. PlanSo has not confirmed it yet; it is tried until {until}. {message}"
        body = {
            "success": True,
            "message": accepted.strip(),
            "order_id": operation.order_id,
            "operation_id": operation.id,
            "state": operation.state,
        }
        return JSONResponse(body, 202, {**response_headers, "Location": f"/api/operations/{operation.id}"})
    if operation.state is OperationState.CONFIRMED:
        body = {"success": True, "message": message, "order_id": operation.order_id}
        return JSONResponse(body, headers=response_headers)
    error = disclosure.build_error(operation, caller)
    shows_order = isinstance(error, EditConflict) and disclosure.can_read_orders(caller)
    order = await _load_order(operation, orders) if shows_order else None
    response = error_response(error, order, message=message, language=headers.language)
    response.headers.update(response_headers)
    return response


async def _load_order(operation: Operation, orders: OrderQueries) -> OrderDocument | None:
    assert operation.order_id is not None, "a create has no conflict"
    try:
        return (await orders.get_order(operation.order_id)).order
    except (NotFound, StoreUnavailable):
        return None


def _preview_response(
    preview: Preview, notes: str, headers: WriteHeaders, shadowed: WritesShadowed | None = None
) -> Response:
    """What a write would change; a 503 where the write was `shadowed`."""
    caller = headers.caller
    changes = disclosure.serialize_changes(preview, caller)
    beginning = str(shadowed or "Dry run: nothing was recorded or sent.")
    sentences = [beginning, *disclosure.select_notes(preview, caller), notes]
    body = {
        "success": shadowed is None,
        "message": " ".join(filter(None, sentences)),
        "order_id": preview.order_id,
        "dry_run": True,
        "changes": changes,
    }
    shows_order = preview.order_id is not None and changes and disclosure.can_read_orders(caller)
    shown = [preview.order_id] if preview.order_id is not None and shows_order else []
    response_headers = headers.preferences.applied
    if shadowed is None:
        return OrdersResponse(to_json(body), shown, response_headers)
    retry = {"Retry-After": RETRY_AFTER_WRITES_STOPPED}
    return OrdersResponse(to_json(body), shown, response_headers | retry, status=503)
