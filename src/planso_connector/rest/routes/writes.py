"""/api/writes: the state of writes to PlanSo, what stopped them, and resuming."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from planso_connector.domain import values
from planso_connector.domain.errors import Problem
from planso_connector.flows.writing.write_stops import WritesStatus
from planso_connector.rest.json_body import JsonRoute
from planso_connector.rest.request_context import Flows
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.schemas.errors import document_failures
from planso_connector.rest.schemas.examples import build_example, build_examples, described, document_success
from planso_connector.rest.schemas.responses import Envelope
from planso_connector.store.write_stops import WriteStop


class StopAnswer(BaseModel):
    """Writes to one order, or to the whole workshop, are stopped."""

    order_id: int | None = described("The order; null: the whole workshop.", 130)
    operation: str = described("The operation that did damage.", "op_5f0c2b9e41d7a6380c1e")
    reason: str = described("What was damaged, without values.", "1 value was lost: 'Telefon'")
    columns: list[str] = described("The names of the damaged controls of PlanSo's form.", ["f_8123"])
    since: str = described("When writes were stopped. UTC.", "2026-11-23T09:41:02.118000Z")


class WritesAnswer(Envelope):
    """Whether writes reach PlanSo."""

    state: str = described(
        "`on`; `stopped`: nothing is written until a person resumes; `shadow` or `off`: as `CONNECTOR_WRITES` says.",
        "on",
    )
    stops: list[StopAnswer] = described("What is stopped, the workshop first, then orders.", [])
    pending: int = described("Writes that are accepted and not settled.", 0)
    saving: str = described(
        "How the way in which this PlanSo saves is known: `assumed`, `learned` from a recording, `tried` on an order.",
        "assumed",
    )
    saving_reason: str = described("Why, for a person.", "nobody has seen this PlanSo save yet")
    clean_saves: int = described("Saves that were compared and changed nothing unasked.", 112)


class ResumedAnswer(Envelope):
    """The stops that ended."""

    resumed: list[StopAnswer] = Field(description="The stops that ended; empty where nothing was stopped.")


class Resume(BaseModel):
    """What to resume; without a body, all."""

    model_config = ConfigDict(strict=True, extra="forbid", defer_build=False)  # as WriteBody

    order_id: int | None = described(
        "Resume this order alone; without it the workshop, and all orders.", 130, default=None, ge=1, le=values.MAX_ID
    )
    accept: list[Annotated[str, Field(min_length=1, max_length=500)]] = described(
        "Names of damaged controls that change with saves by themselves: no damage from now on.",
        ["f_8123"],
        default=[],
        max_length=1000,
    )


_STOPPED = build_example(WritesAnswer, state="stopped", stops=[build_example(StopAnswer, order_id=None)], pending=3)
_NOT_STOPPED = "Nothing was stopped."
_NOT_DAMAGED = Problem(("body", "accept"), "'f_1' is not among the damaged controls; accepted: 'f_8123'", "not_damaged")


def routes() -> list[APIRouter]:
    router = make_router("/api/writes", "writes", JsonRoute)

    @router.get(
        "",
        summary="Whether writes reach PlanSo",
        response_model=WritesAnswer,
        response_description="The state, and what is stopped",
        responses=document_success(on=build_example(WritesAnswer), stopped=_STOPPED) | document_failures(503),
    )
    async def get_writes_status(flows: Flows) -> JSONResponse:
        """While writes are stopped, new ones are 503 and accepted ones stay pending; their deadlines are paused."""
        return JSONResponse(_serialize_status(await flows.write_stops.get_status()))

    @router.post(
        "/resume",
        summary="Resume writes",
        response_model=ResumedAnswer,
        response_description="What was resumed",
        responses=document_success(
            resumed=build_example(ResumedAnswer), nothing=build_example(ResumedAnswer, message=_NOT_STOPPED, resumed=[])
        )
        | document_failures(413, 415, 422, 503, invalid=_NOT_DAMAGED),
    )
    async def resume_writes(
        flows: Flows,
        body: Annotated[Resume | None, Body(openapi_examples=build_examples(one_order={"order_id": 130}))] = None,
    ) -> JSONResponse:
        """For a person who has looked at the damage. Pending writes go on; their deadlines are extended by the stop."""
        scope = body or Resume()
        resumed = await flows.write_stops.resume(scope.order_id, scope.accept)
        remaining = (await flows.write_stops.get_status()).stops
        message = " ".join(stop.message for stop in remaining) if resumed or remaining else _NOT_STOPPED
        return JSONResponse({"success": True, "message": message, "resumed": list(map(_serialize_stop, resumed))})

    return [router]


def _serialize_status(status: WritesStatus) -> dict[str, Any]:
    return {
        "success": True,
        "message": " ".join(stop.message for stop in status.stops),
        "state": status.state,
        "stops": list(map(_serialize_stop, status.stops)),
        "pending": status.pending,
        "saving": status.saving.state,
        "saving_reason": status.saving.reason,
        "clean_saves": status.clean_saves,
    }


def _serialize_stop(stop: WriteStop) -> dict[str, Any]:
    return {
        "order_id": stop.order_id,
        "operation": stop.operation,
        "reason": stop.reason,
        "columns": list(stop.columns),
        "since": stop.stopped_at,
    }
