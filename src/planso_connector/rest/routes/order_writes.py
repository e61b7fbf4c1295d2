"""Writes to /api/orders: recorded, carried through to PlanSo, answered with what became of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Annotated

import structlog
from fastapi import APIRouter, Body, Depends, Query, Response
from fastapi.responses import JSONResponse
from pydantic_core import to_json

from planso_connector.domain.caller import Caller, Scope
from planso_connector.domain.errors import (
    EditConflict,
    Invalid,
    NotAllowed,
    NotFound,
    Problem,
    StoreUnavailable,
    WritesShadowed,
)
from planso_connector.domain.fields import APPEND_FIELDS, APPOINTMENT_PATHS
from planso_connector.domain.notes import RequestNote
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.saving.appending import is_append
from planso_connector.flows.querying.orders import OrderQueries
from planso_connector.flows.writing.dry_run import DryRun, Preview
from planso_connector.flows.writing.write import WriteService
from planso_connector.rest import disclosure
from planso_connector.rest.json_body import JsonRoute, MergePatchRoute
from planso_connector.rest.request_context import OrdersResponse
from planso_connector.rest.routes.orders import OrderId
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.routes.write_headers import WriteHeaders, parse_if_match
from planso_connector.rest.schemas import requests, responses
from planso_connector.rest.schemas.errors import (
    INVALID_DATE,
    INVALID_ORDER_ID,
    RETRY_AFTER_WRITES_STOPPED,
    WRITES_STOPPED_MESSAGES,
    document_failures,
    error_response,
)
from planso_connector.rest.schemas.examples import Responses, build_examples, document_headers, document_success

log = structlog.get_logger(__name__)

_PREFIX = "/api/orders"
_FAILURES = (404, 409, 412, 413, 415, 422, 502, 503, 504)


_ON_DISK: Responses = {
    202: {
        "model": responses.WriteAccepted,
        "description": "On disk here; PlanSo has not confirmed it within the wait. `Location` is the operation.",
        "content": {"application/json": {"examples": build_examples(accepted=responses.ACCEPTED_EXAMPLE)}},
    }
}

ACCEPTED_RESPONSE = document_headers(_ON_DISK, 202, "Location", "Operation-Id", "Preference-Applied")


def _answers(done: Responses, *statuses: int, invalid: Problem = INVALID_DATE) -> Responses:
    told = done | ACCEPTED_RESPONSE | document_failures(*statuses, invalid=invalid, shown=WRITES_STOPPED_MESSAGES)
    told = document_headers(told, 200, "Operation-Id", "Preference-Applied")
    return document_headers(told, 412, "ETag") if 412 in statuses else told


_WOULD_DELETE = "Dry run: nothing was recorded or sent. Order 130 would be deleted in PlanSo."

_UPDATE_ANSWERS = _answers(
    document_success(
        done=responses.UPDATED_EXAMPLE,
        nothing_differs=responses.NOTHING_SENT_EXAMPLE,
        unknown_field=responses.LEFT_OUT_EXAMPLE,
        dry_run=responses.DRY_RUN_EXAMPLE,
    ),
    *_FAILURES,
)
_CREATE_ANSWERS = _answers(
    document_success(created=responses.UPDATED_EXAMPLE, dry_run=responses.DRY_RUN_EXAMPLE | {"order_id": None}),
    *(status for status in _FAILURES if status not in (404, 412)),
)
_DELETE_ANSWERS = _answers(
    document_success(
        deleted=responses.UPDATED_EXAMPLE, dry_run=responses.DRY_RUN_EXAMPLE | {"message": _WOULD_DELETE, "changes": []}
    ),
    404,
    409,
    412,
    422,
    502,
    503,
    504,
    invalid=INVALID_ORDER_ID,
)

WriteHeadersParam = Annotated[WriteHeaders, Depends()]
IfMatchParam = Annotated[str | None, Depends(parse_if_match)]
DryRunParam = Annotated[
    bool, Query(alias="dry_run", description="Tell what would change, and do nothing: the answer is a `DryRunAnswer`.")
]
SignedParam = Annotated[
    bool,
    Query(
        description="The appended lines (`remarks_append`, `damage_description_append`) end with the day and the API "
        "key's name: `(30.11.2026, phone agent)`."
    ),
]


class WriteResponder:
    """How a write is answered: by what became of its operation."""

    def __init__(self, lookup: OrderQueries) -> None:
        self._lookup = lookup

    async def of_write(
        self,
        write: Awaitable[Operation],
        plan: Callable[[], Awaitable[Preview]],
        headers: WriteHeaders,
        notes: str = "",
    ) -> Response:
        """As `of`; where the setting wants writes planned only, 503 with what the write would change."""
        try:
            operation = await write
        except WritesShadowed as shadowed:
            preview = await plan()
            log.info("write_shadowed", order_id=preview.order_id, controls=list(preview.controls))
            return preview_response(preview, notes, headers, instead_of=shadowed)
        return await self.of(operation, headers)

    async def of(self, operation: Operation, headers: WriteHeaders) -> Response:
        """200 confirmed, 202 pending, else the failure that it ended with."""
        told = {**headers.preferences.applied, "Operation-Id": operation.id}
        caller = headers.caller
        if operation.state is OperationState.PENDING:
            return _accepted(operation, caller, told)
        message = disclosure.build_message(operation, caller)
        if operation.state is OperationState.CONFIRMED:
            return JSONResponse({"success": True, "message": message, "order_id": operation.order_id}, headers=told)
        error = disclosure.build_error(operation, caller)
        shows = isinstance(error, EditConflict) and disclosure.can_read_orders(caller)
        order = await self._order_now(operation) if shows else None
        answered = error_response(error, order, message=message)
        answered.headers.update(told)
        return answered

    async def _order_now(self, operation: Operation) -> str | None:
        assert operation.order_id is not None, "what is relied on is there"
        try:
            return (await self._lookup.get_order(operation.order_id)).document
        except (NotFound, StoreUnavailable):
            return None


def _accepted(operation: Operation, caller: Caller, headers: dict[str, str]) -> Response:
    assert operation.deadline_at is not None, "accepted writes have a deadline"
    location = f"/api/operations/{operation.id}"
    told = f"On disk here. PlanSo has not confirmed it yet; it is tried until {operation.deadline_at[:19]}Z."
    body = {
        "success": True,
        "message": f"{told} {disclosure.build_message(operation, caller)}".strip(),
        "order_id": operation.order_id,
        "operation_id": operation.id,
        "state": operation.state,
    }
    return JSONResponse(body, 202, headers={**headers, "Location": location})


def preview_response(
    preview: Preview, unknown: str, headers: WriteHeaders, *, instead_of: WritesShadowed | None = None
) -> Response:
    """What a write would change. `instead_of` a write that the setting keeps from being sent it is no success."""
    caller, applied = headers.caller, headers.preferences.applied
    changes = disclosure.serialize_changes(preview, caller)
    beginning = str(instead_of or "Dry run: nothing was recorded or sent.")
    told = [beginning, *disclosure.select_notes(preview, caller), unknown]
    body = {
        "success": instead_of is None,
        "message": " ".join(part for part in told if part),
        "order_id": preview.order_id,
        "dry_run": True,
        "changes": changes,
    }
    is_shown = preview.order_id is not None and bool(changes) and disclosure.can_read_orders(caller)
    shown = [preview.order_id] if preview.order_id is not None and is_shown else []
    if instead_of is None:
        return OrdersResponse(to_json(body), shown, applied)
    return OrdersResponse(to_json(body), shown, {**applied, "Retry-After": RETRY_AFTER_WRITES_STOPPED}, status=503)


def _permit(caller: Caller, asked: Iterable[str]) -> None:
    """Raises NotAllowed where the caller may change dates alone, and asked for more."""
    forbidden = caller.forbidden_paths(asked)
    if forbidden:
        told = f"{', '.join(forbidden)}: with `{Scope.APPOINTMENTS_WRITE}` alone only dates and times can be changed"
        raise NotAllowed(f"{told}: {', '.join(sorted(APPOINTMENT_PATHS))}.", Scope.ORDERS_WRITE)


class UpdateHandler:
    """What PUT and PATCH have in common: all but what null means."""

    def __init__(self, writer: WriteService, dry_run: DryRun, told: WriteResponder) -> None:
        self._writer = writer
        self._dry_run = dry_run
        self._told = told

    async def __call__(
        self,
        order_id: int,
        body: requests.WriteBody,
        headers: WriteHeaders,
        if_match: str | None,
        *,
        null_clears: bool,
        only_tell: bool,
        signed: bool,
    ) -> Response:
        unknown = requests.describe_unknown_fields(body, strict=headers.preferences.strict)
        asked = body.get_changes(null_clears=null_clears)
        _permit(headers.caller, asked)
        if signed and not any(map(is_append, asked)):
            needed = f"there is no line to sign; accepted: with one of {', '.join(one.name for one in APPEND_FIELDS)}"
            raise Invalid([Problem(("query", "signed"), needed, "nothing_to_sign")])
        request = headers.request(notes=unknown, if_match=if_match, signed=signed)

        async def plan() -> Preview:
            await self._writer.check(Action.UPDATE, order_id, asked, request)
            return await self._dry_run.update(order_id, self._writer.signed(asked, request))

        if only_tell:
            return preview_response(await plan(), unknown, headers)
        return await self._told.of_write(self._writer.update(order_id, asked, request), plan, headers, unknown)


def routes(lookup: OrderQueries, writer: WriteService, dry_run: DryRun) -> list[APIRouter]:
    """Built with the flows that serve them; a router holds no state of its own."""
    told = WriteResponder(lookup)
    updating = UpdateHandler(writer, dry_run, told)
    return [_update(updating), _create(writer, dry_run, told), _delete(writer, dry_run, told), _patch(updating)]


def _update(updating: UpdateHandler) -> APIRouter:
    router = make_router(_PREFIX, "orders", JsonRoute)

    @router.put(
        "/{order_id}",
        summary="Update order",
        response_model=responses.UpdateOrderResponse,  # the seed's own; a dry run adds to it, as the other verbs show
        response_description="Update confirmation",
        responses=_UPDATE_ANSWERS,
    )
    async def update_order(
        order_id: OrderId,
        body: Annotated[
            requests.UpdateOrder, Body(openapi_examples=build_examples(every_field=requests.UPDATE_EXAMPLE))
        ],
        headers: WriteHeadersParam,
        if_match: IfMatchParam,
        only_tell: DryRunParam = False,
        signed: SignedParam = False,
    ) -> Response:
        """
        Absent or null: unchanged. `""`: cleared. 200 means that PlanSo has it: read back and compared, and the
        connector's database shows it. Where nothing differs, nothing is sent, and `message` says so. `..._append` adds
        a line to what stands there when it is saved, so that no other caller's text is lost.
        """
        if body.order_id != order_id:
            wrong = f"must equal the order id in the path, {order_id}"
            raise Invalid([Problem(("body", "order_id"), wrong, "order_id_mismatch")])
        return await updating(order_id, body, headers, if_match, null_clears=False, only_tell=only_tell, signed=signed)

    return router


def _create(writer: WriteService, dry_run: DryRun, told: WriteResponder) -> APIRouter:
    router = make_router(_PREFIX, "orders", JsonRoute)

    @router.post(
        "",
        summary="Create order",
        response_model=responses.UpdateOrderResponse | responses.DryRunAnswer,
        response_description="Creation confirmation",
        responses=_CREATE_ANSWERS,
    )
    async def create_order(
        body: Annotated[
            requests.CreateOrder, Body(openapi_examples=build_examples(every_field=requests.CREATE_EXAMPLE))
        ],
        headers: WriteHeadersParam,
        only_tell: DryRunParam = False,
    ) -> Response:
        """
        Creates the order in PlanSo, reads it back, compares; the answer names its id. An order for the same number
        plate at the same time is named in `message`.
        """
        unknown = requests.describe_unknown_fields(body, strict=headers.preferences.strict)
        asked = body.get_changes(null_clears=False)

        async def plan() -> Preview:
            told_too = await writer.check(Action.CREATE, None, asked, headers.request())
            preview = await dry_run.create(asked)
            return replace(preview, notes=(*preview.notes, *([RequestNote(told_too)] if told_too else [])))

        if only_tell:
            return preview_response(await plan(), unknown, headers)
        return await told.of_write(writer.create(asked, headers.request(notes=unknown)), plan, headers, unknown)

    return router


def _delete(writer: WriteService, dry_run: DryRun, told: WriteResponder) -> APIRouter:
    router = make_router(_PREFIX, "orders", JsonRoute)

    @router.delete(
        "/{order_id}",
        summary="Delete order",
        response_model=responses.UpdateOrderResponse | responses.DryRunAnswer,
        response_description="Deletion confirmation",
        responses=_DELETE_ANSWERS,
    )
    async def delete_order(
        order_id: OrderId, headers: WriteHeadersParam, if_match: IfMatchParam, only_tell: DryRunParam = False
    ) -> Response:
        """Deletes the order in PlanSo and looks whether it is gone; its row stays here, marked deleted."""
        request = headers.request(if_match=if_match)

        async def plan() -> Preview:
            await writer.check(Action.DELETE, order_id, {}, request)
            return await dry_run.delete(order_id)

        if only_tell:
            return preview_response(await plan(), "", headers)
        return await told.of_write(writer.delete(order_id, request), plan, headers)

    return router


def _patch(updating: UpdateHandler) -> APIRouter:
    router = make_router(_PREFIX, "orders", MergePatchRoute)

    @router.patch(
        "/{order_id}",
        summary="Patch order",
        response_model=responses.UpdateOrderResponse | responses.DryRunAnswer,
        response_description="Update confirmation",
        responses=_UPDATE_ANSWERS,
    )
    async def patch_order(
        order_id: OrderId,
        body: Annotated[
            requests.PatchOrder,
            Body(
                media_type="application/merge-patch+json",
                openapi_examples=build_examples(move_and_clear_the_remarks=requests.PATCH_EXAMPLE),
            ),
        ],
        headers: WriteHeadersParam,
        if_match: IfMatchParam,
        only_tell: DryRunParam = False,
        signed: SignedParam = False,
    ) -> Response:
        """As PUT, but null clears: numbers, ids and flags too."""
        return await updating(order_id, body, headers, if_match, null_clears=True, only_tell=only_tell, signed=signed)

    return router
