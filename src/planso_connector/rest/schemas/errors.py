"""Which failure is which status, in one table, and the one shape that all failures have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from planso_connector.domain import errors, german_formats
from planso_connector.domain.caller import UNKNOWN_CALLER
from planso_connector.domain.errors import Problem
from planso_connector.domain.order import OrderDocument
from planso_connector.rest import disclosure
from planso_connector.rest.json_body import BODY_TOO_LARGE
from planso_connector.rest.request_context import OrdersResponse, get_caller, has_caller
from planso_connector.rest.schemas.examples import Responses, build_examples

log = structlog.get_logger(__name__)

STATUS_BY_ERROR: dict[type[errors.ConnectorError], int] = {
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Invalid: 422,
    errors.PreconditionFailed: 412,
    errors.StateConflict: 409,
    errors.AmbiguousCreate: 409,
    errors.Expired: 504,
    errors.PlansoUnavailable: 502,
    errors.PlansoTimeout: 504,
    errors.PlansoUnsure: 504,
    errors.PlansoRefused: 502,
    errors.Damaged: 502,
    errors.LoginRejected: 502,
    errors.PageChanged: 502,
    errors.PlansoError: 502,
    errors.MassRemoval: 502,
    errors.TooManyWaiting: 503,
    errors.StoreUnavailable: 503,
}

INTERNAL_ERROR = "A fault in the connector; its log has the place."

STATUS_DESCRIPTIONS = {
    400: "The request is no proper HTTP: without `Host`, or with a header twice that may come once.",
    401: "No API key came, or one that is not valid (`WWW-Authenticate: Bearer`). After `POST /api/auth/login` with "
    "`WWW-Authenticate: PlanSo`: PlanSo rejected the user name or the password.",
    403: "The API key has not the scope that is needed; `message` names it. Or a page of another site wants to write; "
    "`CONNECTOR_CORS_ORIGINS` names those that may.",
    404: "There is no such order, or no such operation.",
    408: "The request did not arrive in time: its head or its body takes longer than `CONNECTOR_ARRIVAL`.",
    409: "It does not go together with what is there: the idempotency key came with another request before, with "
    "`handling=strict` such an order exists, the operation can't be cancelled or undone, PlanSo gave the number to "
    "another order meanwhile; or a person has to look.",
    412: "The order is not as the caller knows it: another version than `If-Match` names, or a field that somebody in "
    "PlanSo changed too. Nothing was sent; `order` is the order now.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not announced as JSON, is in another charset than UTF-8, or is compressed.",
    421: "This host name is not served here; `CONNECTOR_ALLOWED_HOSTS` names those that are. Without any API key only "
    "names of this machine itself are.",
    422: "Something in the request can't be taken; `detail` names each field and what would be accepted.",
    429: "This caller asks for too much; `Retry-After` tells the seconds until there is room again.",
    431: "The head is larger than 32 KiB or has more than 100 lines.",
    502: "PlanSo refused, kept another value, can't be reached, or answered with something that can't be understood.",
    503: "The connector itself can't take it: its database is full, read-only, locked or away, or too many requests "
    "are under way or wait for PlanSo; or it can't tell yet: its database is being filled, or what orders are found by "
    "written anew; or writes are stopped: a save did damage and a person has to look, or `CONNECTOR_WRITES` is not "
    "`on`. With `Operation-Id` the write may be recorded all the same: look at that operation.",
    504: "PlanSo did not answer in time: `message` says whether it may have the change.",
}


EXAMPLE_MESSAGES: dict[int, dict[str, str]] = {
    401: {
        "rejected": "PlanSo rejected the user name or the password",
        "no_key": "An API key is needed: `Authorization: Bearer pc_...` or `X-API-Key: pc_...`.",
        "not_valid": "The API key is not valid.",
    },
    403: {"scope": "The scope `orders:write` is needed; this API key has `orders:read`."},
    404: {
        "no_such_order": "There is no order 130 in the connector's database.",
        "deleted": "Order 130 was deleted in PlanSo.",
    },
    409: {
        "key_reused": "Idempotency-Key: it came with another request before, operation op_5f0c2b9e41d7a6380c1e; "
        "accepted: a new key, or the same request again.",
        "duplicate": "For this number plate there is already an order at this time: 130. Nothing was created.",
    },
    412: {
        "another_version": "If-Match: order 130 has version 5 now, not 4.",
        "changed_in_planso": "Changed in PlanSo since: shop_date. Nothing was sent.",
    },
    413: {"too_large": BODY_TOO_LARGE},
    415: {"not_json": "Content-Type: 'text/plain' is not accepted; accepted: application/json"},
    429: {"too_many": "Too many requests of this address; there is room again in 1 s."},
    502: {
        "kept_another_value": "PlanSo kept another value. shop_date ('Werkstattstart'): sent '08.12.2026', kept ''",
        "cannot_be_reached": "the form of order 130: the connection broke off (ConnectError)",
    },
    503: {"full": "The connector's database '/srv/planso/connector.db' can't be used: the disk is full."},
    504: {
        "deadline_passed": "Its deadline passed. It was sent, and PlanSo does not show it.",
        "too_slow": "the form of order 130: PlanSo did not answer in time",
    },
}


WRITES_STOPPED_MESSAGES: dict[int, dict[str, str]] = {
    503: {
        **EXAMPLE_MESSAGES[503],
        "writes_stopped": "Writes are stopped since 2026-11-23T09:41:02Z because operation op_5f0c2b9e41d7a6380c1e did "
        "damage (1 value was lost: 'Telefon'); a person resumes them: `planso-connector writes resume`, or POST "
        "/api/writes/resume. Nothing was recorded.",
    }
}
"""For `failures`' `shown`: what writes may answer too."""

RETRY_AFTER = "5"
"""Seconds: as long as a writer waits for the database, and short enough for a disk that was just cleared."""

RETRY_AFTER_WRITES_STOPPED = "300"
"""Seconds: stopped writes go on when a person has looked at the damage."""


MAX_PROBLEMS = 100
"""A 422 tells so many: of a body with all fields wrong each, and no more of a list of thousands."""


class Detail(BaseModel):
    """One thing wrong with one field."""

    loc: list[str | int] = Field(
        description="Where: `body`, `path`, `query` or `header`, then the field's path.",
        examples=[["body", "vehicle_details", "makeID"]],
    )
    msg: str = Field(description="What is wrong, and what would be accepted.", examples=["must be a whole number"])
    type: str = Field(description="A word for programs.", examples=["int_type"])


class Failure(BaseModel):
    """Every failure has this shape."""

    success: bool = Field(description="Always false.", examples=[False])
    message: str = Field(
        description="What went wrong, for a person.", examples=["There is no order 130 in the connector's database."]
    )
    detail: list[Detail] | None = Field(
        None,
        description="With 422: each field that can't be taken.",
        examples=[[{"loc": ["body", "order_id"], "msg": "is required", "type": "missing"}]],
    )


class NotAsKnown(Failure):
    """The order is not as the caller knows it."""

    order: dict[str, Any] | None = Field(None, description="The order as it is now.")
    conflicts: list[dict[str, Any]] | None = Field(
        None,
        description="Each field that somebody in PlanSo changed too: `field`, `base`, `theirs`, `yours`.",
        examples=[[{"field": "shop_date", "base": "2026-12-08", "theirs": "2026-12-10", "yours": "2026-12-09"}]],
    )


INVALID_DATE = Problem(
    ("body", "shop_date"),
    f"'31.02.2026' is not on the calendar or the clock; accepted: {german_formats.DATE_HELP}",
    "value_error",
)
INVALID_ORDER_ID = Problem(("path", "order_id"), "must be a whole number", "int_parsing")


def document_failures(
    *statuses: int, invalid: Problem = INVALID_DATE, shown: Mapping[int, Mapping[str, str]] | None = None
) -> Responses:
    """
    The failures that a route declares in the OpenAPI document; `invalid` is its example of 422, `shown` are messages by
    name where those of all routes don't fit.
    """
    told = {**EXAMPLE_MESSAGES, **(shown or {})}
    declared: Responses = {}
    for status in statuses:
        if status == 422:
            examples = build_examples(invalid=_body(f"{invalid.field}: {invalid.msg}", [invalid]))
        else:
            examples = build_examples(**{name: _body(message) for name, message in told[status].items()})
        declared[status] = {
            "model": NotAsKnown if status == 412 else Failure,
            "description": STATUS_DESCRIPTIONS[status],
            "content": {"application/json": {"examples": examples}},
        }
    return declared


def _body(message: str, problems: Sequence[Problem] | None = None) -> dict[str, object]:
    # PlanSo's words may hold half a character, which no JSON answer can.
    body: dict[str, object] = {"success": False, "message": message.encode("utf-8", "replace").decode()}
    if problems is not None:
        body["detail"] = [{"loc": list(p.loc), "msg": p.msg, "type": p.type} for p in problems]
    return body


def failure_response(status: int, message: str, problems: Sequence[Problem] | None = None) -> JSONResponse:
    return JSONResponse(_body(message, problems), status_code=status)


def get_status(error: errors.ConnectorError) -> int:
    return next(STATUS_BY_ERROR[kind] for kind in type(error).__mro__ if kind in STATUS_BY_ERROR)


def error_response(error: errors.ConnectorError, order: OrderDocument | None = None, *, message: str = "") -> Response:
    """
    `order` is the order as it is now, where the caller relied on another version; `ETag` is its tag then.
    `message` in place of the error's own.
    """
    problems = error.problems if isinstance(error, errors.Invalid) else None
    body = _body(message or str(error), problems)
    if isinstance(error, errors.VersionChanged):
        order = error.order
    if isinstance(error, errors.EditConflict):
        body["conflicts"] = [asdict(conflict) for conflict in error.conflicts]
    text = to_json(body).decode()
    headers = _challenge(error)
    if isinstance(error, errors.StoreUnavailable):
        is_stopped = isinstance(error, errors.WritesStopped)
        headers["Retry-After"] = RETRY_AFTER_WRITES_STOPPED if is_stopped else RETRY_AFTER
    if isinstance(error, errors.TooManyWaiting):
        headers["Retry-After"] = RETRY_AFTER
    if isinstance(error, errors.CommitUnknown) and error.operation_id:
        headers["Operation-Id"] = error.operation_id
    if order is not None:
        headers["ETag"] = f'"{order.tag}"'
        text = f'{text[:-1]},"order":{order.document}}}'
        return OrdersResponse(text.encode(), [order.id], headers, status=get_status(error))
    return Response(text.encode(), get_status(error), headers, "application/json")


def _challenge(error: errors.ConnectorError) -> dict[str, str]:
    """RFC 6750, section 3."""
    if isinstance(error, errors.NotAuthenticated):
        told = ', error="invalid_token"' if error.given else ""
        return {"WWW-Authenticate": f'Bearer realm="PlanSo Connector"{told}'}
    if isinstance(error, errors.NotAllowed):
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{error.scope}"'}
    return {}


def install_error_handlers(app: FastAPI) -> None:
    """Every failure of every route goes through these."""

    @app.exception_handler(errors.ConnectorError)
    async def told(request: Request, error: errors.ConnectorError) -> Response:
        if isinstance(error, errors.StoreUnavailable) and not isinstance(error, errors.WritesStopped):
            log.warning("store_unavailable", reason=str(error))
        return error_response(
            disclosure.redact_error(error, get_caller(request) if has_caller(request) else UNKNOWN_CALLER)
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        problems = [translate_problem(entry) for entry in found[:MAX_PROBLEMS]]
        told = [p.msg if p.type == "json_invalid" else f"{p.field}: {p.msg}" for p in problems]
        more = [f"and {len(found) - MAX_PROBLEMS} more"] if len(found) > MAX_PROBLEMS else []
        return failure_response(422, "; ".join([*told, *more]), problems)

    @app.exception_handler(HTTPException)
    async def by_status(_request: Request, error: HTTPException) -> JSONResponse:
        answer = failure_response(error.status_code, error.detail)
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(ClientDisconnect)
    async def left(_request: Request, _error: ClientDisconnect) -> JSONResponse:
        return failure_response(400, "The caller left before the body was complete.")

    @app.exception_handler(Exception)
    async def a_fault(request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", method=request.method, exc_info=error)
        return failure_response(500, INTERNAL_ERROR)


_PLAIN = {
    "missing": "is required",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number, and not so large",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number; null leaves it unchanged, PATCH null clears it",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be a list",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must not be empty",
    "too_long": "must be at most {max_length} long",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "string_pattern_mismatch": "must match the pattern {pattern}",
}
"""Pydantic's word for an error, and what a person is told. Bounds come from pydantic."""


def translate_problem(entry: dict[str, Any]) -> Problem:
    """What pydantic found, in our words and our shape, and without the value that was sent."""
    bounds = {name: _plain_number(bound) for name, bound in entry.get("ctx", {}).items()}
    plain = _PLAIN.get(entry["type"], "").format_map(bounds)
    message = plain or str(entry["msg"]).removeprefix("Value error, ")
    return Problem(tuple(entry["loc"]), message, str(entry["type"]))


def _plain_number(bound: object) -> object:
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound
