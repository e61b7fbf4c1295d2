"""/api/operations: what became of each write; cancelling and undoing them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from planso_connector.domain import values
from planso_connector.domain.caller import Caller
from planso_connector.domain.errors import Invalid, NotFound, Problem
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.flows.writing.dry_run import DryRun, Preview
from planso_connector.flows.writing.write import WriteService
from planso_connector.rest import disclosure
from planso_connector.rest.json_body import JsonRoute
from planso_connector.rest.request_context import OrdersResponse, get_caller
from planso_connector.rest.routes.order_writes import (
    ACCEPTED_RESPONSE,
    DryRunParam,
    IfMatchParam,
    WriteHeadersParam,
    WriteResponder,
    preview_response,
)
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.routes.write_headers import WaitParam
from planso_connector.rest.schemas import responses
from planso_connector.rest.schemas.errors import WRITES_STOPPED_MESSAGES, document_failures
from planso_connector.rest.schemas.examples import build_example, build_examples, document_success
from planso_connector.store import cursors

_PREFIX = "/api/operations"
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_NO_STATE = Problem(
    ("query", "state"), "must be one of pending, confirmed, refused, expired, damaged, conflict", "literal_error"
)
_NO_WAIT = Problem(("query", "wait"), "must be 60 or less", "less_than_equal")
_NO_ID = Problem(("path", "operation_id"), "must have at most 100 characters", "string_too_long")
_NOT_THERE = {404: {"no_such_operation": "There is no operation op_5f0c2b9e41d7a6380c1e."}}
_TOO_LATE = {409: {"too_late": "Operation op_5f0c2b9e41d7a6380c1e can't be cancelled: it is confirmed already."}}
_NO_UNDO = {
    409: {"a_delete": "Operation op_5f0c2b9e41d7a6380c1e is a confirmed delete; only a confirmed update can be undone."}
}

_NO_RESTORE = {
    409: {"not_damaged": "Operation op_5f0c2b9e41d7a6380c1e is confirmed; only a damaged one can be written back."}
}
_NOT_DAMAGED = Problem(
    ("body", "only"), "'Fax' is not among what the save changed; accepted: 'Telefon', 'Telefonnummer'", "not_damaged"
)


class Restore(BaseModel):
    """What to write back; without a body, all that was damaged."""

    model_config = ConfigDict(strict=True, extra="forbid", defer_build=False)  # as schemas.Body

    only: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        [],
        max_length=1000,
        description="Labels of PlanSo's form, or names of its controls: these alone.",
        examples=[["Telefon"]],
    )


OperationId = Annotated[
    str,
    Path(
        max_length=100,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="The operation's id, as `Location` names it.",
        examples=["op_5f0c2b9e41d7a6380c1e"],
    ),
]


def routes(writer: WriteService, dry_run: DryRun, told: WriteResponder) -> list[APIRouter]:
    """Built with the flows that serve them; a router holds no state of its own."""
    return [_reading(writer), _doing(writer, dry_run, told), _restoring(writer, dry_run, told)]


def _reading(writer: WriteService) -> APIRouter:
    router = make_router(_PREFIX, "operations")

    @router.get(
        "",
        summary="List operations",
        response_model=responses.OperationsAnswer,
        response_description="The operations, newest first",
        responses=document_success(operations=build_example(responses.OperationsAnswer, next_cursor=None))
        | document_failures(422, 503, invalid=_NO_STATE),
    )
    async def list_operations(
        request: Request,
        order_id: Annotated[int | None, Query(ge=1, le=values.MAX_ID, description="Those of one order.")] = None,
        state: Annotated[OperationState | None, Query(description="Those in one state.")] = None,
        limit: Annotated[int, Query(ge=1, le=500, description="Operations in one answer.")] = 50,
        cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
    ) -> Response:
        """Newest first."""
        found = list(await writer.page(order_id, state, _read_cursor(cursor) if cursor else None, limit + 1))
        shown = found[:limit]
        following = cursors.encode([str(shown[-1].created_at), shown[-1].id]) if len(found) > limit else None
        caller = get_caller(request)
        listed = [disclosure.serialize_operation(operation, caller) for operation in shown]
        body = {"success": True, "message": "", "operations": listed, "count": len(listed), "next_cursor": following}
        return OrdersResponse(to_json(body), _orders(shown))

    @router.get(
        "/{operation_id}",
        summary="Get operation",
        response_model=responses.OperationAnswer,
        response_description="The operation",
        responses=document_success(operation=build_example(responses.OperationAnswer))
        | document_failures(404, 422, 503, invalid=_NO_WAIT, shown=_NOT_THERE),
    )
    async def get_operation(request: Request, operation_id: OperationId, wait: WaitParam = None) -> Response:
        """
        What became of a write. With `wait` the answer comes when it is settled, or the time is up. Without
        `orders:read` it is the caller's own write, or 404.
        """
        caller, operation = get_caller(request), await writer.get(operation_id)
        if not disclosure.can_see_operation(operation, caller):
            raise NotFound(f"There is no operation {operation_id}.")
        return _told(await writer.settled(operation, wait or 0.0), caller)

    return router


def _doing(writer: WriteService, dry_run: DryRun, told: WriteResponder) -> APIRouter:
    router = make_router(_PREFIX, "operations", JsonRoute)

    @router.post(
        "/{operation_id}/cancel",
        summary="Cancel operation",
        response_model=responses.OperationAnswer,
        response_description="The operation, `refused`",
        responses=document_success(cancelled=build_example(responses.OperationAnswer))
        | document_failures(404, 409, 422, 503, invalid=_NO_ID, shown=_TOO_LATE | _NOT_THERE),
    )
    async def cancel_operation(request: Request, operation_id: OperationId) -> Response:
        """
        Calls a pending write off, while nothing of it was sent: it is `refused` then. Later it is 409. Without
        `orders:read` another caller's `asked` is empty.
        """
        return _told(await writer.cancel(operation_id), get_caller(request))

    @router.post(
        "/{operation_id}/undo",
        summary="Undo operation",
        response_model=responses.UpdateOrderResponse | responses.DryRunAnswer,
        response_description="As after an update",
        responses=document_success(undone=responses.UPDATED_EXAMPLE, dry_run=responses.DRY_RUN_EXAMPLE)
        | ACCEPTED_RESPONSE
        | document_failures(
            404, 409, 412, 422, 502, 503, 504, invalid=_NO_ID, shown=_NO_UNDO | _NOT_THERE | WRITES_STOPPED_MESSAGES
        ),
    )
    async def undo_operation(
        operation_id: OperationId, headers: WriteHeadersParam, if_match: IfMatchParam, only_tell: DryRunParam = False
    ) -> Response:
        """
        A new operation that gives the fields of a confirmed update back what they held before. Fields that somebody
        changed since are left alone, and told; where all were, it is 412.
        """

        async def plan() -> Preview:
            try:
                return await dry_run.undo(await writer.undone(operation_id))
            except Invalid as error:
                raise disclosure.redact_error(error, headers.caller, is_own=False) from None

        if only_tell:
            return preview_response(await plan(), "", headers)
        return await told.of_write(writer.undo(operation_id, headers.request(if_match=if_match)), plan, headers)

    return router


def _restoring(writer: WriteService, dry_run: DryRun, told: WriteResponder) -> APIRouter:
    router = make_router(_PREFIX, "operations", JsonRoute)

    @router.post(
        "/{operation_id}/restore",
        summary="Write a damaged order's values back",
        response_model=responses.UpdateOrderResponse | responses.DryRunAnswer,
        response_description="As after an update",
        responses=document_success(restored=responses.UPDATED_EXAMPLE, dry_run=responses.DRY_RUN_EXAMPLE)
        | ACCEPTED_RESPONSE
        | document_failures(
            404, 409, 412, 413, 415, 422, 502, 503, 504, invalid=_NOT_DAMAGED, shown=_NO_RESTORE | _NOT_THERE
        ),
    )
    async def restore_operation(
        operation_id: OperationId,
        headers: WriteHeadersParam,
        body: Annotated[Restore | None, Body(openapi_examples=build_examples(one_field={"only": ["Telefon"]}))] = None,
        only_tell: DryRunParam = False,
    ) -> Response:
        """
        For a person who has looked at the damage: a new operation that writes back the values that a `damaged`
        operation's save took, to the letter. Controls that somebody changed since are left alone, and told. It is sent
        although writes to the order are stopped.
        """
        only = body.only if body is not None else []

        async def plan() -> Preview:
            return await dry_run.restore(await writer.get(operation_id), only)

        if only_tell:
            return preview_response(await plan(), "", headers)
        return await told.of_write(writer.restore(operation_id, only, headers.request()), plan, headers)

    return router


def _told(operation: Operation, caller: Caller) -> Response:
    body = {"success": True, "message": "", "operation": disclosure.serialize_operation(operation, caller)}
    return OrdersResponse(to_json(body), _orders([operation]))


def _orders(operations: Iterable[Operation]) -> list[int]:
    return sorted({operation.order_id for operation in operations if operation.order_id is not None})


def _read_cursor(cursor: str) -> tuple[str, str]:
    match cursors.decode(cursor):
        case [str(at), str(operation_id)] if _STAMP.fullmatch(at):
            return at, operation_id
    raise cursors.invalid_cursor()
