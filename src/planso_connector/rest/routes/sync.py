"""/api/sync: start a sync, how it goes, how the last ones went."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from planso_connector.domain.clock import format_instant
from planso_connector.domain.errors import Problem
from planso_connector.flows.syncing.sync import Sync, SyncStatus
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.schemas.errors import document_failures
from planso_connector.rest.schemas.examples import build_example, document_success
from planso_connector.rest.schemas.responses import Envelope
from planso_connector.store.sync_runs import StoredRun, Trigger

_EXPECTED = "2026-11-23T09:57:10.000000Z"
_RUN_ID = "run_2b22d88cdbe6e7a6c618"
_BEGAN, _ENDED, _NEXT = "2026-11-23T09:40:00.145544Z", "2026-11-23T09:40:12.507000Z", "2026-11-23T09:55:00.000000Z"


class SyncStarted(Envelope):
    """A run of the sync that is under way."""

    run_id: str = Field(description="The run's id; `GET /api/sync/runs` lists it.", examples=[_RUN_ID])
    joined: bool = Field(description="Whether a run was under way already; then it is that one.", examples=[False])


class FailedOrder(BaseModel):
    """An order that could not be read; its row stays as it was."""

    order_id: int = Field(description="PlanSo's order id.", examples=[130])
    page: str = Field(
        description="The page that could not be read: `form`, `parts` or a tab's name.", examples=["form"]
    )
    kind: str = Field(description="What went wrong, a word for programs.", examples=["PlansoTimeout"])


class DoubtfulPage(BaseModel):
    """
    Something of PlanSo's pages that seems to have moved: the last good values stay, but of what is `unreadable` or
    `too_long`, which has no value until it reads as a date or number again, or is shorter.
    """

    page: str = Field(description="The page: `list`, `form` or `parts`.", examples=["form"])
    kind: str = Field(
        description="`label_gone`, `unreadable`, `too_long`, `table_gone` or `prices_gone`.", examples=["label_gone"]
    )
    what: str = Field(description="The label, or the field's path.", examples=["Werkstattstart"])
    orders: int = Field(description="In how many of the orders read.", examples=[214])
    filled_before: float | None = Field(
        None, description="Share of the orders read in which the label held something.", examples=[0.93]
    )
    filled_now: float | None = Field(None, description="The same share in this run.", examples=[0.0])


class RunAnswer(BaseModel):
    """A run of the sync."""

    run_id: str = Field(description="The run's id.", examples=[_RUN_ID])
    kind: str = Field(description="`incremental` or `full`.", examples=["incremental"])
    trigger: str = Field(description="`schedule`, `request`, `start` or `command`.", examples=["schedule"])
    state: str = Field(description="`running`, `done`, `failed` or `interrupted`.", examples=["done"])
    phase: str = Field(description="`list`, `orders`, `gone` or `sections`.", examples=["gone"])
    done: int = Field(description="Orders read, or tried.", examples=[18])
    total: int = Field(description="Orders that this run has to read.", examples=[18])
    requests: int = Field(description="Requests sent to PlanSo meanwhile.", examples=[37])
    changed: int = Field(description="Orders that are new, changed, archived or deleted here.", examples=[5])
    failed: list[FailedOrder] = Field(description="Orders that could not be read.")
    doubts: list[DoubtfulPage] = Field(description="What seems to have moved on PlanSo's pages.", examples=[[]])
    message: str = Field(
        description="What is worth knowing of the run, for a person.",
        examples=["1 of 18 orders could not be read; their rows stay as they were."],
    )
    started_at: str = Field(description="When it began. UTC.", examples=[_BEGAN])
    ended_at: str | None = Field(description="When it ended; null while it runs. UTC.", examples=[_ENDED])


class RunsAnswer(Envelope):
    """The last runs of the sync."""

    runs: list[RunAnswer] = Field(description="The runs, newest first.")
    count: int = Field(description="Runs in this answer.", examples=[1])


class SyncStatusAnswer(Envelope):
    """How the sync goes."""

    state: str = Field(description="`idle`, `running`, or `failed`: the last run did not end well.", examples=["idle"])
    phase: str | None = Field(description="What the running one is at; null while none runs.", examples=["orders"])
    done: int | None = Field(description="Orders that the running one read, or tried.", examples=[40])
    total: int | None = Field(description="Orders that the running one has to read.", examples=[260])
    started_at: str | None = Field(description="When the running one began. UTC.", examples=[_NEXT])
    expected_end: str | None = Field(
        description="When the running one will be done, as far as can be told. UTC.", examples=[_EXPECTED]
    )
    last_result: RunAnswer | None = Field(description="The last run that ended.")
    last_attempt_at: str | None = Field(description="When the last run that ended began.", examples=[_BEGAN])
    last_success_at: str | None = Field(description="When the last run that ended well did so.", examples=[_ENDED])
    next_run_at: str | None = Field(
        description="When the next one starts by itself; null while one runs, or for none.", examples=[_NEXT]
    )


_STARTED = build_example(SyncStarted)
_JOINED = _STARTED | {"message": "A run is under way already; this request joined it.", "joined": True}
_NONE_RUNS = dict.fromkeys(("phase", "done", "total", "started_at", "expected_end"))
_IDLE = build_example(SyncStatusAnswer, message=build_example(RunAnswer)["message"], **_NONE_RUNS)
_RUNNING = build_example(SyncStatusAnswer, state="running", next_run_at=None)
_NO_FLAG = Problem(("query", "full"), "must be true or false", "bool_parsing")
_NO_LIMIT = Problem(("query", "limit"), "must be 500 or less", "less_than_equal")


def routes(sync: Sync, next_run_at: Callable[[], datetime | None]) -> APIRouter:
    router = make_router("/api/sync", "sync")

    @router.post(
        "",
        status_code=202,
        summary="Start a sync",
        response_model=SyncStarted,
        response_description="The run that is under way now; `Location` is where its progress is told",
        responses=document_success(202, started=_STARTED, joined=_JOINED)
        | document_failures(422, 503, invalid=_NO_FLAG),
    )
    async def start_sync(
        full: Annotated[
            bool,
            Query(
                description="Read every order, whether its list entry changed or not. A full run that broke off within "
                "the last 12 hours is gone on with."
            ),
        ] = False,
        accept_removals: Annotated[
            bool, Query(description="A person says that PlanSo is right: removals and moved pages are taken over.")
        ] = False,
    ) -> JSONResponse:
        """Starts a run, or joins the one under way, also in another process on the same database."""
        run_id, joined = await sync.start(Trigger.REQUEST, full=full, accept=accept_removals)
        message = "A run is under way already; this request joined it." if joined else ""
        body = {"success": True, "message": message, "run_id": run_id, "joined": joined}
        return JSONResponse(body, status_code=202, headers={"Location": "/api/sync/status"})

    @router.get(
        "/status",
        summary="How the sync goes",
        response_model=SyncStatusAnswer,
        response_description="The run under way, the last one, and the next",
        responses=document_success(idle=_IDLE, running=_RUNNING) | document_failures(503),
    )
    async def sync_status() -> JSONResponse:
        """Times are UTC."""
        following = next_run_at()
        return JSONResponse(_status(await sync.status(), format_instant(following) if following is not None else None))

    @router.get(
        "/runs",
        summary="The last syncs",
        response_model=RunsAnswer,
        response_description="The last runs",
        responses=document_success(runs=build_example(RunsAnswer)) | document_failures(422, 503, invalid=_NO_LIMIT),
    )
    async def sync_runs(
        limit: Annotated[int, Query(ge=1, le=500, description="Runs in one answer.")] = 50,
    ) -> JSONResponse:
        """Newest first."""
        shown = [_run(run) for run in await sync.list_runs(limit)]
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


def _run(run: StoredRun) -> dict[str, object]:
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
