"""/health: liveness and readiness."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from planso_connector.flows.operating.readiness import ReadinessProbe
from planso_connector.rest.request_context import get_context
from planso_connector.rest.routes.router import make_router, success_response
from planso_connector.rest.schemas.errors import RETRY_AFTER
from planso_connector.rest.schemas.examples import build_example, described, document_success
from planso_connector.rest.schemas.responses import Envelope


class Check(BaseModel):
    """One readiness check."""

    name: str = described(
        "`database`, `migrations`, `mirror`, `sync`, `planso_login`, `planso_sessions`, `planso`, `writes`, "
        "`index`, `clock`, `workers` or `log`.",
        "database",
    )
    ok: bool = described("Whether the check passed.", True)
    words: str = described("The finding, for a person; what to do where it is not ok.", "answers, and takes writes")
    since: str = described("Since when, as far as this process knows. UTC.", "2026-11-23T10:15:30.000000Z")
    required: bool = described("Whether the connector is not ready without it.", True)


class ReadyAnswer(Envelope):
    """Whether the connector can do its work."""

    state: Literal["ready", "degraded", "not_ready"] = described(
        "`degraded`: it answers, and something needs attention. With `not_ready` the status is 503.", "ready"
    )
    checks: list[Check] = Field(description="All checks; empty without an API key.")


_READY = build_example(ReadyAnswer)
_NO_DETAILS = "Not ready; a request with an API key gets the reason."
_SILENT = "Not ready: the connector's database has not answered since {}; a request with an API key gets the details."
_UNFILLED = "no sync has filled it yet; GET /api/sync/status tells how far it is"
_NOT_READY = build_example(
    ReadyAnswer,
    success=False,
    message=f"mirror: {_UNFILLED}",
    state="not_ready",
    checks=[build_example(Check, name="mirror", ok=False, words=_UNFILLED)],
)


def routes(find_probe: Callable[[], Awaitable[ReadinessProbe]]) -> APIRouter:
    """`find_probe`: for requests without an API key."""
    router = make_router("/health", "health")

    @router.get(
        "/live",
        summary="Liveness",
        response_model=Envelope,
        response_description="The process lives",
        responses=document_success(alive=build_example(Envelope)),
    )
    async def get_liveness() -> Response:
        """200 once the port is open."""
        return success_response()

    @router.get(
        "/ready",
        summary="Readiness",
        response_model=ReadyAnswer,
        response_description="Ready",
        responses=document_success(ready=_READY)
        | {
            503: {
                "model": ReadyAnswer,
                "description": "Not ready; `checks` says why.",
                **document_success(503, not_yet_filled=_NOT_READY)[503],
            }
        },
    )
    async def get_readiness(request: Request) -> JSONResponse:
        """
        Answers within 2 s. 200 when the database answers and takes writes, its schema is this version's, the mirror is
        not stale, PlanSo has not rejected the login, no damage stopped the workshop's writes, and the background
        workers run. `degraded`, because reads go on: PlanSo does not answer, a write has been waiting for long, an
        order's writes are stopped, or the search index is being rebuilt. Only callers with an API key get what is
        wrong; that the database does not answer is visible to all.
        """
        flows = get_context(request.scope).flows
        probe = flows.readiness if flows is not None else await find_probe()
        readiness = await probe.check()
        is_ready, silent_since, checks = readiness.is_ready, readiness.silent_since, readiness.checks
        message = "; ".join(f"{check.name}: {check.words}" for check in checks if not check.ok)
        if get_context(request.scope).caller is None:
            checks, message = (), _SILENT.format(silent_since) if silent_since is not None else _NO_DETAILS
            message = "" if is_ready else message
        return JSONResponse(
            {
                "success": is_ready,
                "message": message,
                "state": readiness.state,
                "checks": [asdict(check) for check in checks],
            },
            status_code=200 if is_ready else 503,
            headers=None if is_ready else {"Retry-After": RETRY_AFTER},
        )

    return router
