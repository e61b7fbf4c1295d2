"""Which failure is which status, in one table, and the one shape that all failures have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from planso_connector.domain import errors
from planso_connector.domain.errors import Problem

log = structlog.get_logger(__name__)

STATUS: dict[type[errors.ConnectorError], int] = {
    errors.NotFound: 404,
    errors.Invalid: 422,
    errors.PlansoUnavailable: 502,
    errors.PlansoTimeout: 504,
    errors.PlansoUnsure: 504,
    errors.PlansoRefused: 502,
    errors.LoginRejected: 502,
    errors.PageChanged: 502,
    errors.PlansoError: 502,
    errors.MassRemoval: 502,
    errors.StoreUnavailable: 503,
}

MEANING = {
    401: "PlanSo rejected the user name or the password.",
    404: "There is no such order.",
    413: "The body is larger than 1 MiB.",
    415: "The body is not announced as JSON.",
    422: "Something in the request can't be taken; `detail` names each field and what would be accepted.",
    502: "PlanSo refused, kept another value, can't be reached, or answered with something that can't be understood.",
    503: "The connector itself can't take it: its database is full, read-only, locked or away.",
    504: "PlanSo did not answer in time. Whether it has the change is not known; read the order before trying again.",
}


class Detail(BaseModel):
    """One thing wrong with one field."""

    loc: list[str | int] = Field(description="Where: `body`, `path`, `query` or `header`, then the field's path.")
    msg: str = Field(description="What is wrong, and what would be accepted.")
    type: str = Field(description="A word for programs.")


class Failure(BaseModel):
    """Every failure has this shape."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "success": False,
                    "message": "shop_date: '31.02.2026' is not on the calendar; accepted: a date such as 16.12.2025",
                    "detail": [{"loc": ["body", "shop_date"], "msg": "'31.02.2026' is not ...", "type": "value_error"}],
                }
            ]
        }
    )

    success: bool = Field(description="Always false.", examples=[False])
    message: str = Field(description="What went wrong, for a person.")
    detail: list[Detail] | None = Field(None, description="With 422: each field that can't be taken.")


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The failures that a route declares in the OpenAPI document."""
    return {status: {"model": Failure, "description": MEANING[status]} for status in statuses}


def failure(status: int, message: str, problems: Sequence[Problem] | None = None) -> JSONResponse:
    # PlanSo's words may hold half a character, which no JSON answer can.
    body: dict[str, object] = {"success": False, "message": message.encode("utf-8", "replace").decode()}
    if problems is not None:
        body["detail"] = [{"loc": list(p.loc), "msg": p.msg, "type": p.type} for p in problems]
    return JSONResponse(body, status_code=status)


def status_of(error: errors.ConnectorError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def install(app: FastAPI) -> None:
    """Every failure of every route goes through these."""

    @app.exception_handler(errors.ConnectorError)
    async def told(_request: Request, error: errors.ConnectorError) -> JSONResponse:
        problems = error.problems if isinstance(error, errors.Invalid) else None
        return failure(status_of(error), str(error), problems)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        problems = [problem_of(entry) for entry in error.errors()]
        return failure(422, "; ".join(f"{p.field}: {p.msg}" for p in problems), problems)

    @app.exception_handler(HTTPException)
    async def by_status(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(request))
        answer = failure(error.status_code, _words(request, error, headers))
        answer.headers.update(headers)
        return answer

    @app.exception_handler(ClientDisconnect)
    async def left(_request: Request, _error: ClientDisconnect) -> JSONResponse:
        return failure(400, "The caller left before the body was complete.")

    @app.exception_handler(Exception)
    async def a_fault(request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", method=request.method, exc_info=error)
        return failure(500, "A fault in the connector; its log has the place.")


def problem_of(entry: dict[str, Any]) -> Problem:
    """What pydantic says, in our shape and without the value that was sent."""
    message = str(entry["msg"]).removeprefix("Value error, ")
    return Problem(tuple(entry["loc"]), message, str(entry["type"]))


def _words(request: Request, error: HTTPException, headers: Mapping[str, str]) -> str:
    if error.status_code == 404 and error.detail == HTTPStatus.NOT_FOUND.phrase:
        return "There is nothing at this address; /docs lists what there is."
    if error.status_code == 405:
        return f"{request.method} is not possible here; accepted: {headers['Allow']}."
    return str(error.detail)


def _allowed(request: Request) -> list[str]:
    """Every method that this address takes; a router by itself tells only its first route's."""
    paths: dict[str, dict[str, object]] = request.app.openapi()["paths"]
    found: set[str] = set()
    for template, operations in paths.items():
        if compile_path(template)[0].fullmatch(request.url.path):
            found |= {method.upper() for method in operations}
    return sorted(found) or ["GET"]
