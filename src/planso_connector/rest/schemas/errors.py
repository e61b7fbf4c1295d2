"""The status of each error, the body of all failures, and FastAPI's error handlers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

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
from planso_connector.domain.language import Language
from planso_connector.domain.messages import MESSAGES
from planso_connector.domain.order import OrderDocument
from planso_connector.domain.reported_problems import translate_problem
from planso_connector.flows.writing import disclosure
from planso_connector.rest.json_body import BODY_TOO_LARGE
from planso_connector.rest.request_context import OrdersResponse, get_context
from planso_connector.rest.routes.language import get_error_language, language_headers
from planso_connector.rest.schemas.examples import Responses, build_examples
from planso_connector.rest.schemas.responses import FieldConflict, Order

log = structlog.get_logger(__name__)

STATUS_BY_ERROR: dict[type[errors.ConnectorError], int] = {
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Invalid: 422,
    errors.PreconditionFailed: 412,
    errors.CursorExpired: 410,
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

INTERNAL_ERROR = "Internal error; see the connector's log."

STATUS_DESCRIPTIONS = {
    400: "Not valid HTTP: no `Host`, or a header twice that may come once.",
    401: "No API key, or one that is not valid (`WWW-Authenticate: Bearer`). After `POST /api/auth/login` with "
    "`WWW-Authenticate: PlanSo`: PlanSo rejected the user name or the password.",
    403: "The API key lacks the scope that `message` names. Or a page of another site wants to write; "
    "`CONNECTOR_CORS_ORIGINS` names those that may.",
    404: "There is no such order, operation or workshop.",
    406: "`Accept` admits no format of this answer.",
    408: "The body did not arrive within `CONNECTOR_ARRIVAL`.",
    409: "Conflicts with existing state: the idempotency key was used for another request, with `handling=strict` "
    "such an order exists or there is no room on that day, a held slot has run out, the operation can't be cancelled "
    "or undone, PlanSo gave the number to another order, the workshop's name is taken or writes of it are pending; or "
    "a person has to look.",
    410: "Events behind this cursor are not kept any more, or the database was restored since; `oldest_cursor` is "
    "where to begin.",
    412: "The order has changed: another version than `If-Match` names, or a field that somebody in PlanSo changed "
    "too. Nothing was sent; `order` is the order now.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not declared as JSON, is in another charset than UTF-8, or is compressed.",
    421: "This host name is not served here; `CONNECTOR_ALLOWED_HOSTS` names those that are. Without any API key only "
    "names of this machine are.",
    422: "Something in the request is invalid; `detail` names each field and what would be accepted.",
    429: "Too many requests; `Retry-After` is the seconds to wait.",
    431: "The head is larger than 32 KiB or has more than 100 lines.",
    502: "PlanSo refused, kept another value, can't be reached, or sent something that can't be understood.",
    503: "The connector can't take it: its database is full, read-only, locked or unavailable; too many requests are "
    "in flight or wait for PlanSo; its database or its search index is being built; or writes are stopped: a save did "
    "damage and a person has to look, `CONNECTOR_WRITES` is not `on`, or the workshop is paused. With `Operation-Id` "
    "the write may have been recorded: look at that operation.",
    504: "PlanSo did not answer in time: `message` says whether it may have the change.",
}


API_KEY_MESSAGES = {
    401: {
        "no_key": "An API key is needed: `Authorization: Bearer pc_...` or `X-API-Key: pc_...`.",
        "not_valid": "The API key is not valid.",
    }
}
"""For `document_failures`: the 401 of all routes that need a key."""

EXAMPLE_MESSAGES: dict[int, dict[str, str]] = {
    401: {"rejected": "PlanSo rejected the user name or the password", **API_KEY_MESSAGES[401]},
    403: {"scope": "The scope `orders:write` is needed; this API key has `orders:read`."},
    404: {
        "no_such_order": "There is no order 130 in the connector's database.",
        "deleted": "Order 130 was deleted in PlanSo.",
    },
    406: {
        "not_acceptable": "Accept: 'application/pdf' admits no format of this answer; accepted: application/json, "
        "text/csv, application/vnd.openxmlformats-officedocument.spreadsheetml.sheet."
    },
    409: {
        "key_reused": "Idempotency-Key: it came with another request before, operation op_5f0c2b9e41d7a6380c1e; "
        "accepted: a new key, or the same request again.",
        "duplicate": "For this number plate there is already an order at this time: 130. Nothing was created.",
    },
    410: {
        "expired": "after: events behind this cursor are not kept any more, or the database was restored since; begin "
        "at 5f0c2b9e-1200, and read the orders again."
    },
    412: {
        "another_version": 'If-Match: order 130 has the ETag "5.0" now, not "4.0".',
        "changed_in_planso": "Changed in PlanSo since: shop_date. Nothing was sent.",
    },
    413: {"too_large": BODY_TOO_LARGE},
    415: {"not_json": "Content-Type: 'text/plain' is not accepted; accepted: application/json"},
    429: {"too_many": "Too many requests of this address; retry in 1 s."},
    431: {"head_too_large": "The head is too large; accepted: up to 100 headers and 32768 bytes."},
    502: {
        "kept_another_value": "PlanSo kept another value. shop_date ('Werkstattstart'): sent '08.12.2026', kept ''",
        "cannot_be_reached": "the form of order 130: PlanSo can't be reached: it refuses connections on this port",
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
"""For `document_failures`: what writes answer as well."""

RETRY_AFTER = "5"
"""Seconds: as long as a writer waits for the database, and short for a disk that was just cleared."""

RETRY_AFTER_WRITES_STOPPED = "300"
"""Seconds: a person has to look at the damage first."""


MAX_PROBLEMS = 100
"""Problems in a 422: all of a body with every field wrong, but not all of a list of thousands."""


class Detail(BaseModel):
    """One thing wrong with one field."""

    loc: list[str | int] = Field(
        description="Where: `body`, `path`, `query` or `header`, then the field's path.",
        examples=[["body", "vehicle_details", "makeID"]],
    )
    msg: str = Field(description="What is wrong, and what would be accepted.", examples=["must be a whole number"])
    type: str = Field(description="A code for programs.", examples=["int_type"])


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


class Alternative(BaseModel):
    """A day with room."""

    date: str = Field(description="ISO 8601.", examples=["2026-12-10"])
    level: str = Field(description="`free` or `tight`.", examples=["free"])
    slots: list[str] = Field(description="The times of that day with room.", examples=[["07:30-09:00"]])


class StateFailure(Failure):
    """Conflicts with existing state."""

    alternatives: list[Alternative] | None = Field(
        None, description="Where the workshop has no room then: the nearest days that have, at most three."
    )


class CursorFailure(Failure):
    """The cursor can't be followed any more."""

    oldest_cursor: str = Field(
        description="Send it as `after` for the oldest events that are kept.", examples=["5f0c2b9e-1200"]
    )


class PreconditionFailure(Failure):
    """The order changed since the caller read it."""

    order: Order | None = Field(None, description="The order as it is now.")
    conflicts: list[FieldConflict] | None = Field(None, description="Each field that somebody in PlanSo changed too.")


INVALID_DATE = Problem(
    ("body", "shop_date"),
    f"'31.02.2026' is not on the calendar or the clock; accepted: {german_formats.DATE_HELP}",
    "value_error",
)
INVALID_ORDER_ID = Problem.of(("path", "order_id"), MESSAGES["int_parsing"], "int_parsing")


def document_failures(
    *statuses: int, invalid: Problem = INVALID_DATE, shown: Mapping[int, Mapping[str, str]] | None = None
) -> Responses:
    """A route's failures for OpenAPI. `invalid`: its example of 422; `shown`: examples in place of EXAMPLE_MESSAGES."""
    messages = {**EXAMPLE_MESSAGES, **(shown or {})}
    responses: Responses = {}
    for status in statuses:
        if status == 422:
            examples = build_examples(invalid=_build_body(f"{invalid.field}: {invalid.msg}", [invalid]))
        else:
            examples = build_examples(**{name: _build_body(text) for name, text in messages[status].items()})
            if status == 410:
                examples["expired"]["value"]["oldest_cursor"] = "5f0c2b9e-1200"
        responses[status] = {
            "model": {409: StateFailure, 410: CursorFailure, 412: PreconditionFailure}.get(status, Failure),
            "description": STATUS_DESCRIPTIONS[status],
            "content": {"application/json": {"examples": examples}},
        }
    return responses


def _build_body(
    message: str, problems: Sequence[Problem] | None = None, language: Language = "en"
) -> dict[str, object]:
    # PlanSo's texts may hold lone surrogates, which JSON can't.
    body: dict[str, object] = {"success": False, "message": message.encode("utf-8", "replace").decode()}
    if problems is not None:
        body["detail"] = [{"loc": list(p.loc), "msg": p.in_language(language), "type": p.type} for p in problems]
    return body


def failure_response(
    status: int, message: str, problems: Sequence[Problem] | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(_build_body(message, problems), status, headers)


def http_error_response(error: HTTPException) -> JSONResponse:
    return failure_response(error.status_code, error.detail, headers=error.headers)


def get_status(error: errors.ConnectorError) -> int:
    return next(STATUS_BY_ERROR[cls] for cls in type(error).__mro__ if cls in STATUS_BY_ERROR)


def error_response(
    error: errors.ConnectorError, order: OrderDocument | None = None, *, message: str = "", language: Language = "en"
) -> Response:
    """
    `order`: the order as it is now, if the caller relied on another version; its ETag is sent too.
    `message` replaces the error's own. `language` is that of what is wrong with the request.
    """
    problems = error.problems if isinstance(error, errors.Invalid) else None
    if problems is not None and language != "en":
        notes = message.removeprefix(str(error)).strip()
        message = f"{errors.join_problems(problems, language)} {notes}".strip()
    body = _build_body(message or str(error), problems, language)
    if isinstance(error, errors.VersionChanged):
        order = error.order
    if isinstance(error, errors.NoRoom):
        body["alternatives"] = error.alternatives
    if isinstance(error, errors.CursorExpired):
        body["oldest_cursor"] = error.oldest_cursor
    if isinstance(error, errors.EditConflict):
        body["conflicts"] = [asdict(conflict) for conflict in error.conflicts]
    headers = _build_headers(error)
    if problems is not None:
        headers |= language_headers(language)
    content = to_json(body)
    if order is None:
        return Response(content, get_status(error), headers, "application/json")
    headers["ETag"] = f'"{order.tag}"'
    content = content[:-1] + b',"order":' + order.document.encode() + b"}"
    return OrdersResponse(content, [order.id], headers, status=get_status(error))


def _build_headers(error: errors.ConnectorError) -> dict[str, str]:
    """`WWW-Authenticate` as in RFC 6750, section 3."""
    match error:
        case errors.NotAuthenticated():
            reason = ', error="invalid_token"' if error.given else ""
            return {"WWW-Authenticate": f'Bearer realm="PlanSo Connector"{reason}'}
        case errors.NotAllowed():
            return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{error.scope}"'}
        case errors.WritesStopped() | errors.WorkshopUnusable():
            return {"Retry-After": RETRY_AFTER_WRITES_STOPPED}
        case errors.CommitUnknown(operation_id=str(operation_id)) if operation_id:
            return {"Retry-After": RETRY_AFTER, "Operation-Id": operation_id}
        case errors.StoreUnavailable() | errors.TooManyWaiting():
            return {"Retry-After": RETRY_AFTER}
    return {}


def install_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(errors.ConnectorError)
    async def handle_error(request: Request, error: errors.ConnectorError) -> Response:
        needs_operator = errors.WritesStopped, errors.WorkshopUnusable
        if isinstance(error, errors.StoreUnavailable) and not isinstance(error, needs_operator):
            log.warning("store_unavailable", reason=str(error))
        redacted = disclosure.redact_error(error, get_context(request.scope).caller or UNKNOWN_CALLER)
        return error_response(redacted, language=get_error_language(request))

    @app.exception_handler(RequestValidationError)
    async def handle_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        language, found = get_error_language(request), error.errors()
        problems = [translate_problem(entry) for entry in found[:MAX_PROBLEMS]]
        message = errors.join_problems(problems, language)
        if problems and problems[0].type == "json_invalid":  # a sentence of its own
            message = problems[0].in_language(language)
        if len(found) > MAX_PROBLEMS:
            more = MESSAGES["more_problems"].format(count=len(found) - MAX_PROBLEMS)
            message = f"{message}; {more.in_language(language)}"
        return JSONResponse(_build_body(message, problems, language), 422, language_headers(language))

    @app.exception_handler(HTTPException)
    async def handle_http_error(_request: Request, error: HTTPException) -> JSONResponse:
        return http_error_response(error)

    @app.exception_handler(ClientDisconnect)
    async def handle_disconnect(_request: Request, _error: ClientDisconnect) -> JSONResponse:
        return failure_response(400, "The caller left before the body was complete.")

    @app.exception_handler(Exception)
    async def handle_fault(request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", method=request.method, exc_info=error)
        return failure_response(500, INTERNAL_ERROR)
