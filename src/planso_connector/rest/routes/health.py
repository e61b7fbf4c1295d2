"""/health: whether the process lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from planso_connector.flows.operating.readiness import Readiness, ReadinessProbe
from planso_connector.rest.request_context import has_caller
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.schemas.errors import RETRY_AFTER
from planso_connector.rest.schemas.examples import build_example, document_success
from planso_connector.rest.schemas.responses import Envelope


class Check(BaseModel):
    """One thing looked at."""

    name: str = Field(
        description="`database`, `migrations`, `mirror`, `planso_login`, `planso_sessions`, `planso`, `writes`, "
        "`index`, `clock`, `workers` or `log`.",
        examples=["database"],
    )
    ok: bool = Field(description="Whether it is as it should be.", examples=[True])
    words: str = Field(
        description="How it is, for a person; what to do where it is wrong.", examples=["answers, and takes writes"]
    )
    since: str = Field(
        description="From when on it is so, as far as this process knows, UTC.",
        examples=["2026-11-23T10:15:30.000000Z"],
    )
    required: bool = Field(description="Whether the connector is not ready without it.", examples=[True])


class ReadyAnswer(Envelope):
    """Whether the connector can do its work."""

    state: Literal["ready", "degraded", "not_ready"] = Field(
        description="`degraded`: it answers, and something wants a look. With `not_ready` the status is 503.",
        examples=["ready"],
    )
    checks: list[Check] = Field(description="Everything that was looked at.")


_READY = build_example(ReadyAnswer)
_VAGUE = "Not ready; with an API key it is told why."
_SILENT = "Not ready: the connector's database has not answered since {}; with an API key it is told more."
_UNFILLED = "no sync has filled it yet; GET /api/sync/status tells how far it is"
_NOT_READY = build_example(
    ReadyAnswer,
    success=False,
    message=f"mirror: {_UNFILLED}",
    state="not_ready",
    checks=[build_example(Check, name="mirror", ok=False, words=_UNFILLED)],
)


JOIN_WINDOW = 0.25
"""Seconds from the beginning of an evaluation in which others join it."""


class _Shared:
    """
    One evaluation for all who ask within `SHARED_FOR`, if it takes so long. Nobody waits for one before another begins:
    with a database that is silent each takes most of the 2 s that an answer may.
    """

    def __init__(self, readiness: ReadinessProbe) -> None:
        self._readiness = readiness
        self._under_way: asyncio.Task[Readiness] | None = None
        self._began = 0.0

    async def now(self) -> Readiness:
        time = asyncio.get_running_loop().time()
        if self._under_way is None or self._under_way.done() or time - self._began >= JOIN_WINDOW:
            self._under_way, self._began = asyncio.create_task(self._readiness.check()), time
        return await asyncio.shield(self._under_way)


def routes(readiness: ReadinessProbe) -> APIRouter:
    router, shared = make_router("/health", "health"), _Shared(readiness)

    @router.get(
        "/live",
        summary="Alive",
        response_model=Envelope,
        response_description="The process lives",
        responses=document_success(alive=build_example(Envelope)),
    )
    async def live() -> JSONResponse:
        """200 once the port is open."""
        return JSONResponse({"success": True, "message": ""})

    @router.get(
        "/ready",
        summary="Ready",
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
    async def ready(request: Request) -> JSONResponse:
        """
        Answers within 2 s. 200 when the database answers and takes writes, its tables are as this version needs them,
        the mirror is as young as it should be, PlanSo has not rejected the login, no damage stopped the workshop's
        writes, and what runs in the background runs. A PlanSo that does not answer, a write that waits for long, an
        order whose writes are stopped, or look-up keys that are being written anew, are `degraded`: reads go on. What
        is wrong is told to callers with an API key alone, but for a database that does not answer.
        """
        now = await shared.now()
        later = None if now.is_ready else {"Retry-After": RETRY_AFTER}
        if not has_caller(request):
            silent = _SILENT.format(now.silent_since) if now.silent_since is not None else _VAGUE
            vague = {
                "success": now.is_ready,
                "message": "" if now.is_ready else silent,
                "state": now.state,
                "checks": [],
            }
            return JSONResponse(vague, status_code=200 if now.is_ready else 503, headers=later)
        body = {
            "success": now.is_ready,
            "message": "; ".join(f"{check.name}: {check.words}" for check in now.checks if not check.ok),
            "state": now.state,
            "checks": [asdict(check) for check in now.checks],
        }
        return JSONResponse(body, status_code=200 if now.is_ready else 503, headers=later)

    return router
