"""/api/sync: start a sync, how it goes, how the last ones went."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from planso_connector.domain.clock import stamp
from planso_connector.flows.sync import Sync, SyncStatus
from planso_connector.rest.problems import answers
from planso_connector.rest.schemas import Envelope
from planso_connector.store.runs import Run, Trigger


class SyncStarted(Envelope):
    run_id: str
    joined: bool = Field(description="Whether a run was under way already; then it is that one.")


class FailedOrder(BaseModel):
    """An order that could not be read; its row stays as it was."""

    order_id: int
    page: str = Field(examples=["form"])
    kind: str = Field(description="What went wrong, a word for programs.", examples=["PlansoTimeout"])


class DoubtfulPage(BaseModel):
    """Something of PlanSo's pages that seems to have moved; the last good values stay."""

    page: str = Field(examples=["form"])
    kind: str = Field(description="`label_gone`, `unreadable` or `prices_gone`.", examples=["label_gone"])
    what: str = Field(description="The label, or the field's path.", examples=["Werkstattstart"])
    orders: int = Field(description="In how many of the orders read.")
    filled_before: float | None = Field(None, description="Share of the orders read in which the label held something.")
    filled_now: float | None = Field(None, description="The same share in this run.")


class RunAnswer(BaseModel):
    """A run of the sync."""

    run_id: str
    kind: str = Field(description="`incremental` or `full`.", examples=["incremental"])
    trigger: str = Field(description="`schedule`, `request`, `start` or `command`.", examples=["schedule"])
    state: str = Field(description="`running`, `done`, `failed` or `interrupted`.", examples=["done"])
    phase: str = Field(description="`list`, `orders`, `gone` or `sections`.", examples=["orders"])
    done: int = Field(description="Orders read, or tried.")
    total: int = Field(description="Orders that this run has to read.")
    requests: int = Field(description="Requests sent to PlanSo meanwhile.")
    changed: int = Field(description="Orders that are new, changed, archived or deleted here.")
    failed: list[FailedOrder]
    doubts: list[DoubtfulPage]
    message: str
    started_at: str
    ended_at: str | None


class RunsAnswer(Envelope):
    runs: list[RunAnswer]
    count: int = Field(description="Runs in this answer.")


class SyncStatusAnswer(Envelope):
    state: str = Field(description="`idle`, `running`, or `failed`: the last run did not end well.", examples=["idle"])
    phase: str | None = Field(description="What the running one is at.")
    done: int | None
    total: int | None
    started_at: str | None
    expected_end: str | None
    last_result: RunAnswer | None = Field(description="The last run that ended.")
    last_attempt_at: str | None = Field(description="When the last run that ended began.")
    last_success_at: str | None = Field(description="When the last run that ended well did so.")
    next_run_at: str | None = Field(description="When the next one starts by itself; null while one runs, or for none.")


def routes(sync: Sync, next_run_at: Callable[[], datetime | None]) -> APIRouter:
    router = APIRouter(prefix="/api/sync", tags=["sync"])

    @router.post("", status_code=202, summary="Start a sync", response_model=SyncStarted, responses=answers(422, 503))
    async def start_sync(
        full: Annotated[bool, Query(description="Read every order, whether its list entry changed or not.")] = False,
        accept_removals: Annotated[
            bool, Query(description="A person says that PlanSo is right: removals and moved pages are taken over.")
        ] = False,
    ) -> JSONResponse:
        """Starts a run, or joins the one under way, also in another process on the same database."""
        run_id, joined = await sync.start(Trigger.REQUEST, full=full, accept=accept_removals)
        message = "A run is under way already; this request joined it." if joined else ""
        body = {"success": True, "message": message, "run_id": run_id, "joined": joined}
        return JSONResponse(body, status_code=202, headers={"Location": "/api/sync/status"})

    @router.get("/status", summary="How the sync goes", response_model=SyncStatusAnswer, responses=answers(503))
    async def sync_status() -> JSONResponse:
        """Times are UTC."""
        following = next_run_at()
        return JSONResponse(_status(await sync.status(), stamp(following) if following is not None else None))

    @router.get("/runs", summary="The last syncs", response_model=RunsAnswer, responses=answers(422, 503))
    async def sync_runs(
        limit: Annotated[int, Query(ge=1, le=500, description="Runs in one answer.")] = 50,
    ) -> JSONResponse:
        """Newest first."""
        shown = [_run(run) for run in await sync.history(limit)]
        return JSONResponse({"success": True, "message": "", "runs": shown, "count": len(shown)})

    return router


def _status(status: SyncStatus, following: str | None) -> dict[str, object]:
    running, last = status.running, status.last_run
    return {
        "success": True,
        "message": last.message if running is None and last is not None else "",
        "state": status.state,
        "phase": running.phase if running else None,
        "done": running.done if running else None,
        "total": running.total if running else None,
        "started_at": running.started_at if running else None,
        "expected_end": status.expected_end,
        "last_result": _run(last) if last is not None else None,
        "last_attempt_at": last.started_at if last is not None else None,
        "last_success_at": status.last_success.ended_at if status.last_success else None,
        "next_run_at": following if running is None else None,
    }


def _run(run: Run) -> dict[str, object]:
    return {
        "run_id": run.id,
        "kind": run.kind,
        "trigger": run.trigger,
        "state": run.state,
        "phase": run.phase,
        "done": run.done,
        "total": run.total,
        "requests": run.requests,
        "changed": run.changed,
        "failed": list(run.failed),
        "doubts": list(run.doubts),
        "message": run.message,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }
