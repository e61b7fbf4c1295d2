"""/api/operations: read, cancel, undo and restore writes."""

import re
from collections.abc import Iterable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from planso_connector.domain import values
from planso_connector.domain.caller import Caller
from planso_connector.domain.errors import Invalid, NotFound, Problem
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.flows.writing import disclosure
from planso_connector.flows.writing.dry_run import Preview
from planso_connector.rest.json_body import JsonRoute
from planso_connector.rest.request_context import Flows, OrdersResponse, get_caller
from planso_connector.rest.routes.order_writes import (
    ACCEPTED_RESPONSE,
    FAILURES,
    WRITE_OR_DRY_RUN,
    DryRunParam,
    IfMatchParam,
    WriteHeadersParam,
    document_write_failures,
)
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.routes.write_headers import WaitParam
from planso_connector.rest.routes.write_responses import carry_out
from planso_connector.rest.schemas import responses
from planso_connector.rest.schemas.errors import document_failures
from planso_connector.rest.schemas.examples import build_example, build_examples, described, document_success
from planso_connector.store import cursors

_PREFIX = "/api/operations"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_INVALID_STATE = Problem(
    ("query", "state"), "must be one of pending, confirmed, refused, expired, damaged, conflict", "literal_error"
)
_INVALID_WAIT = Problem(("query", "wait"), "must be 60 or less", "less_than_equal")
_INVALID_ID = Problem(("path", "operation_id"), "must have at most 100 characters", "string_too_long")
_NO_OPERATION = {404: {"no_such_operation": "There is no operation op_5f0c2b9e41d7a6380c1e."}}
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
    """What to restore; without a body, all that was damaged."""

    model_config = ConfigDict(strict=True, extra="forbid", defer_build=False)  # as WriteBody

    only: list[Annotated[str, Field(min_length=1, max_length=500)]] = described(
        "Labels of PlanSo's form, or names of its controls: these alone.", ["Telefon"], default=[], max_length=1000
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


def routes() -> list[APIRouter]:
    read_router, router = make_router(_PREFIX, "operations"), make_router(_PREFIX, "operations", JsonRoute)
    _add_reads(read_router)
    _add_cancel_and_undo(router)
    _add_restore(router)
    return [read_router, router]


def _add_reads(router: APIRouter) -> None:
    @router.get(
        "",
        summary="List operations",
        response_model=responses.OperationsAnswer,
        response_description="The operations, newest first",
        responses=document_success(operations=build_example(responses.OperationsAnswer, next_cursor=None))
        | document_failures(422, 503, invalid=_INVALID_STATE),
    )
    async def list_operations(
        flows: Flows,
        request: Request,
        order_id: Annotated[int | None, Query(ge=1, le=values.MAX_ID, description="Those of one order.")] = None,
        state: Annotated[OperationState | None, Query(description="Those in one state.")] = None,
        limit: Annotated[int, Query(ge=1, le=500, description="Operations in one answer.")] = 50,
        cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
    ) -> Response:
        """Newest first."""
        before = _parse_cursor(cursor) if cursor else None
        found = list(await flows.writer.list_operations(order_id, state, before, limit + 1))
        page = found[:limit]
        next_cursor = cursors.encode([str(page[-1].created_at), page[-1].id]) if len(found) > limit else None
        caller = get_caller(request)
        listed = [disclosure.serialize_operation(operation, caller) for operation in page]
        body = {"success": True, "message": "", "operations": listed, "count": len(listed), "next_cursor": next_cursor}
        return OrdersResponse(to_json(body), _order_ids(page))

    @router.get(
        "/{operation_id}",
        summary="Get operation",
        response_model=responses.OperationAnswer,
        response_description="The operation",
        responses=document_success(operation=build_example(responses.OperationAnswer))
        | document_failures(404, 422, 503, invalid=_INVALID_WAIT, shown=_NO_OPERATION),
    )
    async def get_operation(
        flows: Flows, request: Request, operation_id: OperationId, wait: WaitParam = None
    ) -> Response:
        """
        The state of a write. With `wait` the answer comes when it is settled or the time is up. Without `orders:read`
        other callers' writes are 404.
        """
        caller, operation = get_caller(request), await flows.writer.get_operation(operation_id)
        if not disclosure.can_see_operation(operation, caller):
            raise NotFound(f"There is no operation {operation_id}.")
        return _operation_response(await flows.writer.wait_until_settled(operation, wait or 0.0), caller)


def _add_cancel_and_undo(router: APIRouter) -> None:
    @router.post(
        "/{operation_id}/cancel",
        summary="Cancel operation",
        response_model=responses.OperationAnswer,
        response_description="The operation, `refused`",
        responses=document_success(cancelled=build_example(responses.OperationAnswer))
        | document_failures(404, 409, 422, 503, invalid=_INVALID_ID, shown=_TOO_LATE | _NO_OPERATION),
    )
    async def cancel_operation(flows: Flows, request: Request, operation_id: OperationId) -> Response:
        """
        Cancels a pending write of which nothing was sent: it is `refused` then. Later it is 409. Without `orders:read`
        another caller's `asked` is empty.
        """
        return _operation_response(await flows.writer.cancel(operation_id), get_caller(request))

    @router.post(
        "/{operation_id}/undo",
        summary="Undo operation",
        response_model=WRITE_OR_DRY_RUN,
        response_description="As after an update",
        responses=document_success(undone=responses.UPDATED_EXAMPLE, dry_run=responses.DRY_RUN_EXAMPLE)
        | ACCEPTED_RESPONSE
        | document_write_failures(*FAILURES, invalid=_INVALID_ID, shown=_NO_UNDO | _NO_OPERATION),
    )
    async def undo_operation(
        flows: Flows,
        operation_id: OperationId,
        headers: WriteHeadersParam,
        if_match: IfMatchParam,
        is_dry_run: DryRunParam = False,
    ) -> Response:
        """
        A new operation that writes back what the fields held before a confirmed update. Fields that somebody changed
        since are left alone and named; where that is all of them, it is 412.
        """

        async def preview() -> Preview:
            try:
                return await flows.calls.undo(await flows.writer.get_undoable(operation_id))
            except Invalid as error:
                raise disclosure.redact_error(error, headers.caller, is_from_request=False) from None

        write = partial(flows.writer.undo, operation_id, headers.build_request(if_match=if_match))
        return await carry_out(write, preview, flows, headers, is_dry_run=is_dry_run)


def _add_restore(router: APIRouter) -> None:
    @router.post(
        "/{operation_id}/restore",
        summary="Write a damaged order's values back",
        response_model=WRITE_OR_DRY_RUN,
        response_description="As after an update",
        responses=document_success(restored=responses.UPDATED_EXAMPLE, dry_run=responses.DRY_RUN_EXAMPLE)
        | ACCEPTED_RESPONSE
        | document_write_failures(
            *sorted((*FAILURES, 413, 415)), invalid=_NOT_DAMAGED, shown=_NO_RESTORE | _NO_OPERATION
        ),
    )
    async def restore_operation(
        flows: Flows,
        operation_id: OperationId,
        headers: WriteHeadersParam,
        body: Annotated[Restore | None, Body(openapi_examples=build_examples(one_field={"only": ["Telefon"]}))] = None,
        is_dry_run: DryRunParam = False,
    ) -> Response:
        """
        For a person who has looked at the damage: a new operation that writes back, to the letter, the values that the
        save of a `damaged` operation lost. Controls that somebody changed since are left alone and named. It is sent
        although writes to the order are stopped.
        """
        only = body.only if body is not None else []

        async def preview() -> Preview:
            return await flows.calls.restore(await flows.writer.get_operation(operation_id), only)

        write = partial(flows.writer.restore, operation_id, only, headers.build_request())
        return await carry_out(write, preview, flows, headers, is_dry_run=is_dry_run)


def _operation_response(operation: Operation, caller: Caller) -> Response:
    body = {"success": True, "message": "", "operation": disclosure.serialize_operation(operation, caller)}
    return OrdersResponse(to_json(body), _order_ids([operation]))


def _order_ids(operations: Iterable[Operation]) -> list[int]:
    return sorted({operation.order_id for operation in operations if operation.order_id is not None})


def _parse_cursor(cursor: str) -> tuple[str, str]:
    match cursors.decode(cursor):
        case [str(created_at), str(operation_id)] if _INSTANT.fullmatch(created_at):
            return created_at, operation_id
    raise cursors.invalid_cursor()
