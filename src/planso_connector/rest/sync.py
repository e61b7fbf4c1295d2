"""/api/sync: start a sync, and how it goes."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from planso_connector.flows.sync import Sync, SyncStatus
from planso_connector.rest.problems import answers
from planso_connector.rest.schemas import Envelope
from planso_connector.store.runs import Run


class SyncStarted(Envelope):
    run_id: str
    joined: bool = Field(description="Whether a run was under way already; then it is that one.")


class FailedOrder(BaseModel):
    """An order that could not be read."""

    order_id: int
    page: str = Field(examples=["form"])
    kind: str = Field(description="What went wrong, a word for programs.", examples=["PlansoTimeout"])


class RunAnswer(BaseModel):
    """A run that has ended."""

    run_id: str
    state: str = Field(description="`done`, `failed` or `interrupted`.", examples=["done"])
    done: int = Field(description="Orders read, or tried.")
    total: int = Field(description="Orders in PlanSo's list.")
    requests: int = Field(description="Requests sent to PlanSo meanwhile.")
    changed: int = Field(description="Orders that are new, changed or archived here.")
    failed: list[FailedOrder]
    message: str
    started_at: str
    ended_at: str | None


class SyncStatusAnswer(Envelope):
    state: str = Field(description="`idle`, `running`, or `failed`: the last run did not end well.", examples=["idle"])
    phase: str | None = Field(description="`list`, `orders` or `archive` while one is running.")
    done: int | None
    total: int | None
    started_at: str | None
    expected_end: str | None
    last_result: RunAnswer | None
    last_success_at: str | None
    next_run_at: str | None = Field(description="Null: runs are started by request, and when the database is empty.")


def routes(sync: Sync) -> APIRouter:
    router = APIRouter(prefix="/api/sync", tags=["sync"])

    @router.post("", status_code=202, summary="Start a sync", response_model=SyncStarted, responses=answers(503))
    async def start_sync() -> JSONResponse:
        """Starts a run, or joins the one under way."""
        run_id, joined = await sync.start()
        message = "A run is under way already." if joined else ""
        body = {"success": True, "message": message, "run_id": run_id, "joined": joined}
        return JSONResponse(body, status_code=202, headers={"Location": "/api/sync/status"})

    @router.get("/status", summary="How the sync goes", response_model=SyncStatusAnswer, responses=answers(503))
    async def sync_status() -> JSONResponse:
        """Times are UTC."""
        return JSONResponse(_shown(await sync.status()))

    return router


def _shown(status: SyncStatus) -> dict[str, object]:
    progress = status.progress
    last = status.last_run
    failed_words = last.message if status.state == "failed" and last is not None else ""
    return {
        "success": True,
        "message": failed_words,
        "state": status.state,
        "phase": progress.phase.value if progress else None,
        "done": progress.done if progress else None,
        "total": progress.total if progress else None,
        "started_at": progress.started_at if progress else None,
        "expected_end": status.expected_end,
        "last_result": _run(last) if last is not None and last.ended_at is not None else None,
        "last_success_at": status.last_success.ended_at if status.last_success else None,
        "next_run_at": None,
    }


def _run(run: Run) -> dict[str, object]:
    return {
        "run_id": run.id,
        "state": run.state,
        "done": run.done,
        "total": run.total,
        "requests": run.requests,
        "changed": run.changed,
        "failed": run.failed,
        "message": run.message,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }
