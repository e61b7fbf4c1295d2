"""/health: whether the process lives, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from planso_connector.flows.status import Status
from planso_connector.rest.answers import Envelope
from planso_connector.rest.callers import is_known
from planso_connector.rest.examples import answer, example_of


class ReadyAnswer(Envelope):
    """Whether the connector can do its work."""

    checks: dict[str, str] = Field(
        description="Each check and `ok`, or what is wrong.",
        examples=[{"database": "ok", "mirror": "ok", "planso_login": "ok"}],
    )


_READY = example_of(ReadyAnswer)
_VAGUE = "Not ready; with an API key it is told why."
_UNFILLED = "no sync has filled it yet; GET /api/sync/status tells how far it is"
_NOT_READY = example_of(
    ReadyAnswer, success=False, message=f"mirror: {_UNFILLED}", checks=_READY["checks"] | {"mirror": _UNFILLED}
)


def routes(status: Status) -> APIRouter:
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get(
        "/live",
        summary="Alive",
        response_model=Envelope,
        response_description="The process lives",
        responses=answer(alive=example_of(Envelope)),
    )
    async def live() -> JSONResponse:
        """200 once the port is open."""
        return JSONResponse({"success": True, "message": ""})

    @router.get(
        "/ready",
        summary="Ready",
        response_model=ReadyAnswer,
        response_description="Ready",
        responses=answer(ready=_READY)
        | {
            503: {
                "model": ReadyAnswer,
                "description": "Not ready; `checks` says why.",
                **answer(503, not_yet_filled=_NOT_READY)[503],
            }
        },
    )
    async def ready(request: Request) -> JSONResponse:
        """
        200 when the database answers, a sync has filled it, and PlanSo has not rejected the login. What is wrong is
        told to callers with an API key alone.
        """
        readiness = await status.readiness()
        if not is_known(request):
            told = {"success": readiness.ready, "message": "" if readiness.ready else _VAGUE, "checks": {}}
            return JSONResponse(told, status_code=200 if readiness.ready else 503)
        wrong = "; ".join(f"{name}: {word}" for name, word in readiness.checks.items() if word != "ok")
        body = {"success": readiness.ready, "message": wrong, "checks": readiness.checks}
        return JSONResponse(body, status_code=200 if readiness.ready else 503)

    return router
