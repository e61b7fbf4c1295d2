"""/api/sync: start a sync, its progress, and the last runs."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from planso_connector.domain.clock import format_instant
from planso_connector.domain.errors import Problem
from planso_connector.flows.syncing.sync import SyncStatus
from planso_connector.rest.request_context import Flows
from planso_connector.rest.routes.router import make_router, success_response
from planso_connector.rest.schemas.errors import document_failures
from planso_connector.rest.schemas.examples import build_example, described, document_success
from planso_connector.rest.schemas.responses import Envelope
from planso_connector.store.sync_runs import StoredRun, Trigger

_EXPECTED = "2026-11-23T09:57:10.000000Z"
_RUN_ID = "run_2b22d88cdbe6e7a6c618"
_BEGAN, _ENDED, _NEXT = "2026-11-23T09:40:00.145544Z", "2026-11-23T09:40:12.507000Z", "2026-11-23T09:55:00.000000Z"


class SyncStarted(Envelope):
    """The sync run in progress."""

    run_id: str = described("The run's id; `GET /api/sync/runs` lists it.", _RUN_ID)
    joined: bool = described("Whether a run was in progress already; then it is that one.", False)


class FailedOrder(BaseModel):
    """An order that could not be read; its row stays as it was."""

    order_id: int = described("PlanSo's order id.", 130)
    page: str = described("The page that could not be read: `form`, `parts` or a tab's name.", "form")
    kind: str = described("What went wrong, for programs.", "PlansoTimeout")


class DoubtfulPage(BaseModel):
    """
    Something on PlanSo's pages that seems to have moved; the last good values stay. What is `unreadable` or `too_long`
    has no value until PlanSo holds a date or number again, or a shorter text.
    """

    page: str = described("The page: `list`, `form` or `parts`.", "form")
    kind: str = described("`label_gone`, `unreadable`, `too_long`, `table_gone` or `prices_gone`.", "label_gone")
    what: str = described("The label, or the field's path.", "Werkstattstart")
    orders: int = described("Number of affected orders, of those that were read.", 214)
    filled_before: float | None = described(
        "Share of these orders in which the label held something before.", 0.93, default=None
    )
    filled_now: float | None = described("The same share in this run.", 0.0, default=None)


class RunAnswer(BaseModel):
    """A sync run."""

    run_id: str = described("The run's id.", _RUN_ID)
    kind: str = described("`incremental` or `full`.", "incremental")
    trigger: str = described("`schedule`, `request`, `start` or `command`.", "schedule")
    state: str = described("`running`, `done`, `failed` or `interrupted`.", "done")
    phase: str = described("`list`, `orders`, `gone` or `sections`.", "gone")
    done: int = described("Orders read or tried.", 18)
    total: int = described("Orders to read in this run.", 18)
    requests: int = described("Requests sent to PlanSo during the run.", 37)
    changed: int = described("Orders that are new, changed, archived or deleted here.", 5)
    failed: list[FailedOrder] = Field(description="Orders that could not be read.")
    doubts: list[DoubtfulPage] = described("What seems to have moved on PlanSo's pages.", [])
    message: str = described(
        "A summary for a person.", "1 of 18 orders could not be read; their rows stay as they were."
    )
    started_at: str = described("When it began. UTC.", _BEGAN)
    ended_at: str | None = described("When it ended; null while it runs. UTC.", _ENDED)


class RunsAnswer(Envelope):
    """The last sync runs."""

    runs: list[RunAnswer] = Field(description="The runs, newest first.")
    count: int = described("Runs in this answer.", 1)


class SyncStatusAnswer(Envelope):
    """The sync run in progress, the last one, and the next."""

    state: str = described("`idle`, `running`, or `failed`: the last run failed.", "idle")
    phase: str | None = described("Phase of the run in progress; null while none runs, as are the next four.", "orders")
    done: int | None = described("Orders read or tried.", 40)
    total: int | None = described("Orders to read.", 260)
    started_at: str | None = described("When it began. UTC.", _NEXT)
    expected_end: str | None = described("When it is expected to end. UTC.", _EXPECTED)
    last_result: RunAnswer | None = Field(description="The last run that ended.")
    last_attempt_at: str | None = described("When the last run that ended began. UTC.", _BEGAN)
    last_success_at: str | None = described("When the last successful run ended. UTC.", _ENDED)
    next_run_at: str | None = described(
        "When the next scheduled run starts; null while one runs, or without a schedule.", _NEXT
    )


_STARTED = build_example(SyncStarted)
_JOIN_MESSAGE = "A run is in progress already; this request joined it."
_JOINED = _STARTED | {"message": _JOIN_MESSAGE, "joined": True}
_NOT_RUNNING = dict.fromkeys(("phase", "done", "total", "started_at", "expected_end"))
_IDLE = build_example(SyncStatusAnswer, message=build_example(RunAnswer)["message"], **_NOT_RUNNING)
_RUNNING = build_example(SyncStatusAnswer, state="running", next_run_at=None)
_INVALID_FULL = Problem(("query", "full"), "must be true or false", "bool_parsing")
_INVALID_LIMIT = Problem(("query", "limit"), "must be 500 or less", "less_than_equal")


def routes() -> APIRouter:
    router = make_router("/api/sync", "sync")

    @router.post(
        "",
        status_code=202,
        summary="Start a sync",
        response_model=SyncStarted,
        response_description="The run in progress; `Location` is where to follow it",
        responses=document_success(202, started=_STARTED, joined=_JOINED)
        | document_failures(422, 503, invalid=_INVALID_FULL),
    )
    async def start_sync(
        flows: Flows,
        full: Annotated[
            bool,
            Query(
                description="Read every order, whether its list entry changed or not. A full run that broke off within "
                "the last 12 hours is continued."
            ),
        ] = False,
        accept_removals: Annotated[
            bool, Query(description="A person says that PlanSo is right: take over removals and moved pages.")
        ] = False,
    ) -> Response:
        """Starts a run, or joins the one in progress, also in another process on the same database."""
        run_id, joined = await flows.calls.start_sync(Trigger.REQUEST, full=full, accept=accept_removals)
        headers = {"Location": "/api/sync/status"}
        message = _JOIN_MESSAGE if joined else ""
        return success_response(message, status_code=202, headers=headers, run_id=run_id, joined=joined)

    @router.get(
        "/status",
        summary="Status of the sync",
        response_model=SyncStatusAnswer,
        response_description="The run in progress, the last one, and the next",
        responses=document_success(idle=_IDLE, running=_RUNNING) | document_failures(503),
    )
    async def get_sync_status(flows: Flows) -> Response:
        """`message` is the last run's while none is in progress."""
        return _render_status(await flows.sync.status(), flows.next_run_at())

    @router.get(
        "/runs",
        summary="List sync runs",
        response_model=RunsAnswer,
        response_description="The last runs",
        responses=document_success(runs=build_example(RunsAnswer))
        | document_failures(422, 503, invalid=_INVALID_LIMIT),
    )
    async def list_sync_runs(
        flows: Flows, limit: Annotated[int, Query(ge=1, le=500, description="Runs in one answer.")] = 50
    ) -> Response:
        """Newest first."""
        runs = [_render_run(run) for run in await flows.sync.list_runs(limit)]
        return success_response(runs=runs, count=len(runs))

    return router


def _render_status(status: SyncStatus, next_run_at: datetime | None) -> Response:
    running, last = status.running, status.last_run
    progress: dict[str, Any] = {name: getattr(running, name, None) for name in ("phase", "done", "total", "started_at")}
    return success_response(
        last.message if running is None and last is not None else "",
        state=status.state,
        **progress,
        expected_end=status.expected_end,
        last_result=_render_run(last) if last is not None else None,
        last_attempt_at=last.started_at if last is not None else None,
        last_success_at=status.last_success.ended_at if status.last_success else None,
        next_run_at=format_instant(next_run_at) if running is None and next_run_at is not None else None,
    )


def _render_run(run: StoredRun) -> dict[str, object]:
    return {name: run.id if name == "run_id" else getattr(run, name) for name in RunAnswer.model_fields}
