"""PUT, PATCH, POST and DELETE of /api/orders: record the write, wait for its end, and respond with it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Body, Depends, Query, Response

from planso_connector.domain.caller import Caller
from planso_connector.domain.errors import Invalid, NotAllowed, Problem
from planso_connector.domain.fields import APPEND_FIELDS, APPOINTMENT_PATHS, Value
from planso_connector.domain.messages import MESSAGES
from planso_connector.domain.notes import RequestNote
from planso_connector.domain.operation import Action
from planso_connector.domain.saving.appending import is_append
from planso_connector.domain.scopes import Scope
from planso_connector.flows.querying.orders import OrderQueries
from planso_connector.flows.workshop_flows import WorkshopFlows
from planso_connector.flows.writing import disclosure
from planso_connector.flows.writing.dry_run import Preview
from planso_connector.rest.json_body import JsonRoute, MergePatchRoute
from planso_connector.rest.request_context import Flows
from planso_connector.rest.routes.orders import OrderId
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.routes.sent_back import make_sent_back_route
from planso_connector.rest.routes.write_headers import WriteHeaders, on_event_loop, parse_if_match
from planso_connector.rest.routes.write_responses import carry_out
from planso_connector.rest.schemas import read_only, requests, responses
from planso_connector.rest.schemas.errors import (
    INVALID_DATE,
    INVALID_ORDER_ID,
    WRITES_STOPPED_MESSAGES,
    document_failures,
)
from planso_connector.rest.schemas.examples import Responses, build_examples, document_headers, document_success

log = structlog.get_logger(__name__)

_PREFIX = "/api/orders"
FAILURES = (404, 409, 412, 422, 502, 503, 504)

_ACCEPTED: Responses = {
    202: {
        "model": responses.WriteAccepted,
        "description": "On disk here; PlanSo has not confirmed it within the wait. `Location` is the operation.",
        "content": {"application/json": {"examples": build_examples(accepted=responses.ACCEPTED_EXAMPLE)}},
    }
}

_WRITE_HEADERS = ("Operation-Id", "Preference-Applied", "Idempotency-Replayed")
ACCEPTED_RESPONSE = document_headers(_ACCEPTED, 202, "Location", *_WRITE_HEADERS)


def document_write_failures(*statuses: int, invalid: Problem, shown: Mapping[int, Mapping[str, str]]) -> Responses:
    """As of all routes; while CONNECTOR_WRITES is `shadow`, 503 has the answer of a dry run."""
    failures = document_failures(*statuses, invalid=invalid, shown={**shown, **WRITES_STOPPED_MESSAGES})
    unavailable = failures[503]
    unavailable["model"] = responses.DryRunAnswer | unavailable["model"]
    examples = unavailable["content"]["application/json"]["examples"]
    examples |= build_examples(shadowed=responses.SHADOWED_EXAMPLE)
    return failures


def _document(success: Responses, *statuses: int, invalid: Problem = INVALID_DATE) -> Responses:
    failures = document_write_failures(*statuses, invalid=invalid, shown={})
    documented = document_headers(success | ACCEPTED_RESPONSE | failures, 200, *_WRITE_HEADERS)
    return document_headers(documented, 412, "ETag") if 412 in statuses else documented


_DELETE_PREVIEW = "Dry run: nothing was recorded or sent. Order 130 would be deleted in PlanSo."

_UPDATE_RESPONSES = _document(
    document_success(
        done=responses.UPDATED_EXAMPLE,
        nothing_differs=responses.NOTHING_SENT_EXAMPLE,
        unknown_field=responses.LEFT_OUT_EXAMPLE,
        read_only_members=responses.READ_ONLY_EXAMPLE,
        dry_run=responses.DRY_RUN_EXAMPLE,
    ),
    *sorted((*FAILURES, 413, 415)),
)
_CREATE_RESPONSES = _document(
    document_success(created=responses.UPDATED_EXAMPLE, dry_run=responses.DRY_RUN_EXAMPLE | {"order_id": None}),
    *(409, 413, 415, 422, 502, 503, 504),
)
_DELETE_RESPONSES = _document(
    document_success(
        deleted=responses.UPDATED_EXAMPLE,
        dry_run=responses.DRY_RUN_EXAMPLE | {"message": _DELETE_PREVIEW, "changes": []},
    ),
    *FAILURES,
    invalid=INVALID_ORDER_ID,
)

WRITE_OR_DRY_RUN: Any = responses.DryRunAnswer | responses.UpdateOrderResponse
"""In this order: generated clients take the first that fits, and a dry run's answer fits both."""

WriteHeadersParam = Annotated[WriteHeaders, Depends(on_event_loop(WriteHeaders))]
IfMatchParam = Annotated[str | None, Depends(parse_if_match)]
DryRunParam = Annotated[
    bool,
    Query(
        alias="dry_run",
        description="Tell what would change, and do nothing: the answer is a `DryRunAnswer`. /docs offers `true`; "
        "with `false` it is written.",
        examples=[True],  # what /docs offers to send
    ),
]
SignedParam = Annotated[
    bool,
    Query(
        description="The appended lines (`remarks_append`, `damage_description_append`) end with the day and the API "
        "key's name: `(30.11.2026, phone agent)`."
    ),
]


def _check_fields(caller: Caller, requested: Iterable[str]) -> None:
    """Raises NotAllowed where the caller may change dates alone, and requests more."""
    forbidden = caller.forbidden_paths(requested)
    if forbidden:
        names = f"{', '.join(forbidden)}: with `{Scope.APPOINTMENTS_WRITE}` alone only dates and times can be changed"
        raise NotAllowed(f"{names}: {', '.join(sorted(APPOINTMENT_PATHS))}.", Scope.ORDERS_WRITE)


async def _update(
    flows: WorkshopFlows,
    order_id: int,
    body: requests.WriteBody,
    headers: WriteHeaders,
    if_match: str | None,
    *,
    null_clears: bool,
    is_dry_run: bool,
    signed: bool,
) -> Response:
    """PUT and PATCH, which differ in what null means."""
    repeated = read_only.get_read_only_members(body)
    unknown = {path: value for path, value in body.get_unknown_members().items() if path not in repeated}
    requested = body.get_changes(null_clears=null_clears)
    _check_fields(headers.caller, requested)
    untouched: Sequence[str] = ()
    if repeated:
        orders = flows.order_queries
        untouched = await _compare(orders, order_id, repeated, requested, headers.caller, null_clears=null_clears)
        requested = {path: value for path, value in requested.items() if path not in untouched}
    left_out = {
        "not known here": [*unknown],
        "read only": sorted(repeated),
        "not held by its own label": untouched,
        "as it is, since no request may set it so": headers.unwritable_members,
    }
    notes = requests.describe_left_out(left_out, unknown, strict=headers.preferences.is_strict)
    if signed and not any(map(is_append, requested)):
        names = ", ".join(field.name for field in APPEND_FIELDS)
        message = MESSAGES["nothing_to_sign"].format(names=names)
        raise Invalid([Problem.of(("query", "signed"), message, "nothing_to_sign")])
    request = headers.build_request(notes=notes, if_match=if_match, signed=signed)

    async def preview() -> Preview:
        await flows.writer.check(Action.UPDATE, order_id, requested, request)
        return await flows.calls.update(order_id, flows.writer.sign_lines(requested, request))

    write = partial(flows.writer.update, order_id, requested, request)
    return await carry_out(write, preview, flows, headers, notes, is_dry_run=is_dry_run)


async def _compare(
    orders: OrderQueries,
    order_id: int,
    repeated: Mapping[str, Any],
    requested: Mapping[str, Value],
    caller: Caller,
    *,
    null_clears: bool,
) -> Sequence[str]:
    """
    The fields to be left alone when an order is sent back. Raises Invalid for read-only members that differ from the
    order's, NotFound, MirrorNotFilled.
    """
    if not disclosure.can_read_orders(caller):
        raise Invalid(read_only.refuse_all(repeated))
    order = json.loads((await orders.get_order(order_id)).order.document)
    problems = read_only.find_differences(repeated, order, null_clears=null_clears, writes=bool(requested))
    if problems:
        raise Invalid(problems)
    return read_only.find_untouched(requested, order)


def routes() -> list[APIRouter]:
    router = make_router(_PREFIX, "orders", make_sent_back_route(JsonRoute))
    _add_update(router)
    _add_create(router)
    _add_delete(router)
    patch_router = make_router(_PREFIX, "orders", make_sent_back_route(MergePatchRoute))
    _add_patch(patch_router)
    return [router, patch_router]


def _add_update(router: APIRouter) -> None:
    @router.put(
        "/{order_id}",
        summary="Update order",
        response_model=WRITE_OR_DRY_RUN,
        response_description="Update confirmation",
        responses=_UPDATE_RESPONSES,
    )
    async def update_order(
        flows: Flows,
        order_id: OrderId,
        body: Annotated[requests.UpdateOrder, Body(openapi_examples=build_examples(**requests.UPDATE_EXAMPLES))],
        headers: WriteHeadersParam,
        if_match: IfMatchParam,
        is_dry_run: DryRunParam = False,
        signed: SignedParam = False,
    ) -> Response:
        """
        Absent or null: unchanged. `""`: cleared. 200 means that PlanSo has it, read back and compared, and that the
        connector's database shows it. Where nothing differs, nothing is sent, and `message` says so. `..._append` adds
        a line to the text as it is at the time of the save, so that no other caller's text is lost.
        """
        if body.order_id != order_id:
            message = MESSAGES["order_id_mismatch"].format(order_id=order_id)
            raise Invalid([Problem.of(("body", "order_id"), message, "order_id_mismatch")])
        return await _update(
            flows, order_id, body, headers, if_match, null_clears=False, is_dry_run=is_dry_run, signed=signed
        )


def _add_create(router: APIRouter) -> None:
    @router.post(
        "",
        summary="Create order",
        response_model=WRITE_OR_DRY_RUN,
        response_description="Creation confirmation",
        responses=_CREATE_RESPONSES,
    )
    async def create_order(
        flows: Flows,
        body: Annotated[requests.CreateOrder, Body(openapi_examples=build_examples(**requests.CREATE_EXAMPLES))],
        headers: WriteHeadersParam,
        is_dry_run: DryRunParam = False,
    ) -> Response:
        """
        Creates the order in PlanSo, reads it back and compares; the answer has its id. An order for the same number
        plate at the same time is named in `message`. Without an `Idempotency-Key`, the same request for a plate or VIN
        again within two minutes is the same call repeated: the answer is the first one's, unless that failed or its
        order was deleted.
        """
        unknown = body.get_unknown_members()
        left_out = {"not known here": [*unknown]}
        notes = requests.describe_left_out(left_out, unknown, strict=headers.preferences.is_strict)
        requested = body.get_changes(null_clears=False)
        read_only.refuse_other_plate(unknown, requested)

        async def preview() -> Preview:
            checked = await flows.writer.check(Action.CREATE, None, requested, headers.build_request())
            created = await flows.calls.create(requested)
            return replace(created, notes=(*created.notes, *([RequestNote(checked)] if checked else [])))

        request = headers.build_request(notes=notes, unknown=unknown)
        write = partial(flows.writer.create, requested, request)
        return await carry_out(write, preview, flows, headers, notes, is_dry_run=is_dry_run)


def _add_delete(router: APIRouter) -> None:
    @router.delete(
        "/{order_id}",
        summary="Delete order",
        response_model=WRITE_OR_DRY_RUN,
        response_description="Deletion confirmation",
        responses=_DELETE_RESPONSES,
    )
    async def delete_order(
        flows: Flows,
        order_id: OrderId,
        headers: WriteHeadersParam,
        if_match: IfMatchParam,
        is_dry_run: DryRunParam = False,
    ) -> Response:
        """Deletes the order in PlanSo and checks that it is gone. Its row here stays, marked deleted."""
        request = headers.build_request(if_match=if_match)

        async def preview() -> Preview:
            await flows.writer.check(Action.DELETE, order_id, {}, request)
            return await flows.calls.delete(order_id)

        write = partial(flows.writer.delete, order_id, request)
        return await carry_out(write, preview, flows, headers, is_dry_run=is_dry_run)


def _add_patch(router: APIRouter) -> None:
    @router.patch(
        "/{order_id}",
        summary="Patch order",
        response_model=WRITE_OR_DRY_RUN,
        response_description="Update confirmation",
        responses=_UPDATE_RESPONSES,
    )
    async def patch_order(
        flows: Flows,
        order_id: OrderId,
        body: Annotated[
            requests.PatchOrder,
            Body(media_type="application/merge-patch+json", openapi_examples=build_examples(**requests.PATCH_EXAMPLES)),
        ],
        headers: WriteHeadersParam,
        if_match: IfMatchParam,
        is_dry_run: DryRunParam = False,
        signed: SignedParam = False,
    ) -> Response:
        """As PUT, but null clears: numbers, ids and flags too."""
        return await _update(
            flows, order_id, body, headers, if_match, null_clears=True, is_dry_run=is_dry_run, signed=signed
        )
