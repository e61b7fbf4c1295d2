"""/health: whether the process lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from planso_connector.flows.readiness import Readiness, Ready
from planso_connector.rest.answers import Envelope
from planso_connector.rest.callers import is_known
from planso_connector.rest.examples import answer, example_of
from planso_connector.rest.problems import RETRY_AFTER
from planso_connector.rest.routes import routed


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


_WAIT = 1.6
"""Seconds for an answer: longer than one evaluation, and with the 0.3 for whose key it is, not over 2."""
_READY = example_of(ReadyAnswer)
_VAGUE = "Not ready; with an API key it is told why."
_SILENT = "Not ready: the connector's database has not answered since {}; with an API key it is told more."
_UNFILLED = "no sync has filled it yet; GET /api/sync/status tells how far it is"
_NOT_READY = example_of(
    ReadyAnswer,
    success=False,
    message=f"mirror: {_UNFILLED}",
    state="not_ready",
    checks=[example_of(Check, name="mirror", ok=False, words=_UNFILLED)],
)


class _Shared:
    """
    One evaluation for all who ask while one is under way: each gets one that began after it asked, or where that takes
    too long, the one that ended meanwhile.
    """

    def __init__(self, readiness: Ready) -> None:
        self._readiness = readiness
        self._next: asyncio.Task[Readiness] | None = None
        self._last: Readiness | None = None
        self._under_way = asyncio.Lock()

    async def now(self) -> Readiness:
        if self._next is None:
            self._next = asyncio.create_task(self._evaluated())
        asked = self._next
        done, _ = await asyncio.wait((asked,), timeout=_WAIT)
        return self._last if not done and self._last is not None else await asyncio.shield(asked)

    async def _evaluated(self) -> Readiness:
        async with self._under_way:
            self._next = None
            self._last = await self._readiness.now()
            return self._last


def routes(readiness: Ready) -> APIRouter:
    router, shared = routed("/health", "health"), _Shared(readiness)

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
        Answers within 2 s. 200 when the database answers and takes writes, its tables are as this version needs them,
        the mirror is as young as it should be, PlanSo has not rejected the login, no damage stopped the workshop's
        writes, and what runs in the background runs. A PlanSo that does not answer, a write that waits for long, an
        order whose writes are stopped, or look-up keys that are being written anew, are `degraded`: reads go on. What
        is wrong is told to callers with an API key alone, but for a database that does not answer.
        """
        now = await shared.now()
        later = None if now.is_ready else {"Retry-After": RETRY_AFTER}
        if not is_known(request):
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
