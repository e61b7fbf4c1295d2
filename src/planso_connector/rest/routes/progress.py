"""/api/orders/{order_id}/progress: how far an order is, ready for the telephone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from planso_connector.domain.language import Language
from planso_connector.domain.progress import assess, sentence
from planso_connector.domain.progress.assess import OrderProgress
from planso_connector.domain.progress.reasons import FetchReason, PromiseReason
from planso_connector.domain.progress.sentence import STAGE_COUNT
from planso_connector.domain.progress.stages import ProgressStage
from planso_connector.flows.querying.progress import ProgressQueries
from planso_connector.rest.routes import language
from planso_connector.rest.routes.orders import OrderId
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.schemas.errors import INVALID_ORDER_ID, document_failures
from planso_connector.rest.schemas.examples import build_example, document_success
from planso_connector.rest.schemas.responses import STALE_FIELD, Envelope

_READ_AT = "2026-11-23T08:40:12.507000Z"
_SENTENCE = (
    "Ihr Fahrzeug ist in der Lackierung, Schritt 5 von 8. Geplant ist die Fertigstellung für Donnerstag, "
    "den 10. Dezember; ein Teil fehlt noch."
)
_MEANINGS = {
    ProgressStage.ANNOUNCED: "asked for, estimated, or an appointment is made",
    ProgressStage.RECEIVED: "the workshop has taken the vehicle in",
    ProgressStage.PARTS: "parts are ordered or waited for",
    ProgressStage.BODY: "body work",
    ProgressStage.PAINT: "painting",
    ProgressStage.FINISH: "assembly, cleaning, final checks",
    ProgressStage.READY: "the work is done",
    ProgressStage.CLOSED: "handed over, or the order left PlanSo's list",
}
_LADDER = ", ".join(f"{int(rung)} `{rung.name.lower()}` ({_MEANINGS[rung]})" for rung in ProgressStage)


class ProgressSource(BaseModel):
    """Where an answer comes from."""

    path: str = Field(
        description="The field's path; `parts`, `station_state` or `archived` where it is no field of the form.",
        examples=["project_status"],
    )
    label: str | None = Field(description="PlanSo's label of the field.", examples=["Projekt-Status"])
    last_synced_at: str | None = Field(
        description="When the page that shows it was last read; null: never. UTC.", examples=[_READ_AT]
    )
    age_seconds: int | None = Field(description="How long ago that is.", examples=[412])


class Stage(BaseModel):
    """How far the order is."""

    words: str | None = Field(
        description="The workshop's own words: the project status, else `station@state`.", examples=["Lackierung"]
    )
    name: str | None = Field(description=f"The step's name: {_LADDER}.", examples=["paint"])
    step: int | None = Field(
        description="The step's number; null where the words are on no certain step.",
        examples=[int(ProgressStage.PAINT)],
    )
    steps: int = Field(description="How many steps there are.", examples=[STAGE_COUNT])
    archived: bool = Field(description="Whether the order left PlanSo's list of current orders.", examples=[False])
    source: ProgressSource | None = Field(description="Where it comes from; null where nothing says it.")


def _explained(words: type[PromiseReason | FetchReason], example: str) -> Any:
    told = ", ".join(f"`{word}`" for word in words)
    return Field(description=f"Why, a word for programs: {told}.", examples=[example])


class Promise(BaseModel):
    """The promised date, and whether it holds."""

    date: str | None = Field(description="ISO 8601, a time may follow.", examples=["2026-12-10"])
    holds: bool | None = Field(
        description="False: it has passed and the vehicle isn't ready, or a mandatory part is expected only after it. "
        "True: no value of the order speaks against it. Null: it can't be said.",
        examples=[True],
    )
    reason: str = _explained(PromiseReason, PromiseReason.NOTHING_AGAINST_IT)
    part_expected: str | None = Field(
        description="With `part_expected_later`: when the last of these parts is expected. ISO 8601.", examples=[None]
    )
    source: ProgressSource | None = Field(
        description="Planned hand-over, else completion, else back from the shop, else hand-back.",
    )


class LatePart(BaseModel):
    """A missing part whose expected date has passed."""

    description: str | None = Field(description="What it is.", examples=["Stoßfänger hinten"])
    expected: str = Field(description="When it was expected. ISO 8601.", examples=["2026-11-20"])
    days: int = Field(description="Since how many days it is late.", examples=[3])


class PartsProgress(BaseModel):
    """The order's parts."""

    total: int | None = Field(description="How many; null where they were never read.", examples=[6])
    delivered: int | None = Field(description="Delivered and not on backorder.", examples=[5])
    missing: int | None = Field(
        description="As `GET .../parts` says it of each; 0 with `ohne E-Teile`. Null: the parts were never read, or "
        "the order's parts status says that parts are missing and none of its parts is.",
        examples=[1],
    )
    late: list[LatePart] = Field(description="The missing ones that should be there.", examples=[[]])
    next_expected: str | None = Field(
        description="When the next missing part is expected. ISO 8601.", examples=["2026-12-04"]
    )
    source: ProgressSource = Field(
        description="Where it comes from.",
    )


class NextAppointment(BaseModel):
    """The order's next date."""

    date: str = Field(description="Today or later. ISO 8601, a time may follow.", examples=["2026-11-25"])
    what: str = Field(description="What it is for, in the answer's language.", examples=["Lackierung"])
    source: ProgressSource = Field(
        description="The field.",
    )


class CanBeFetched(BaseModel):
    """Whether the vehicle can be fetched."""

    value: bool | None = Field(description="Null: it can't be said.", examples=[False])
    reason: str = _explained(FetchReason, FetchReason.NOT_DONE)
    source: ProgressSource | None = Field(description="Where it comes from; null where nothing says it.")


class ProgressOfOrder(BaseModel):
    """How far an order is."""

    order_id: int = Field(description="PlanSo's order id.", examples=[130])
    stage: Stage = Field(description="How far it is.")
    promised: Promise = Field(description="The promised date.")
    parts: PartsProgress = Field(description="The parts.")
    next_appointment: NextAppointment | None = Field(description="The next date; null where none lies ahead.")
    can_be_fetched: CanBeFetched = Field(description="Whether the customer can come for it.")
    pending: int = Field(
        description="Writes to the order on their way to PlanSo, which nothing else here shows yet.", examples=[0]
    )
    sentence: str = Field(
        description="One or two sentences to be read out, in the answer's language; they hold no personal data.",
        examples=[_SENTENCE],
    )
    language: str = Field(description="`de` or `en`, by `Accept-Language`.", examples=["de"])


class ProgressAnswer(Envelope):
    """How far an order is."""

    progress: ProgressOfOrder = Field(description="How far the order is.")
    stale: bool = STALE_FIELD


def _example() -> dict[str, Any]:
    shown = build_example(ProgressAnswer)
    for name, path, label in (
        ("promised", "finish_date", "Termin Fertigstellung"),
        ("parts", "parts", None),
        ("next_appointment", "paint_date", "Lackiertermin"),
    ):
        shown["progress"][name]["source"] = build_example(ProgressSource, path=path, label=label)
    return shown


def routes(standings: ProgressQueries) -> APIRouter:
    router = make_router("/api/orders", "orders")

    @router.get(
        "/{order_id}/progress",
        summary="Get the order's progress",
        response_model=ProgressAnswer,
        response_description="How far the order is",
        responses=document_success(painting=_example()) | document_failures(404, 422, 503, invalid=INVALID_ORDER_ID),
    )
    async def get_progress(
        order_id: OrderId, spoken_in: Annotated[Language, Depends(language.response_language)]
    ) -> Response:
        """
        "How far is my car?", from the connector's database alone: each answer with its source, and `sentence` ready
        to be read out, in German or English by `Accept-Language`. What the order doesn't say is null.
        """
        found = await standings.get_progress(order_id)
        body = {"success": True, "message": "", "progress": _shown(found, spoken_in), "stale": found.is_stale}
        return Response(to_json(body), media_type="application/json", headers=language.language_headers(spoken_in))

    return router


def _shown(found: OrderProgress, spoken_in: Language) -> dict[str, object]:
    stage, promised, fetching, ahead = found.stage, found.promised, found.fetch_readiness, found.next_appointment
    return {
        "order_id": found.order_id,
        "stage": {
            "words": stage.words,
            "name": stage.stage.name.lower() if stage.stage is not None else None,
            "step": stage.stage,
            "steps": STAGE_COUNT,
            "archived": stage.is_archived,
            "source": _source(stage.source),
        },
        "promised": {
            "date": promised.moment.canonical if promised.moment is not None else None,
            "holds": promised.holds,
            "reason": promised.reason,
            "part_expected": promised.part_expected,
            "source": _source(promised.source),
        },
        "parts": asdict(found.parts),
        "next_appointment": {
            "date": ahead.moment.canonical,
            "what": sentence.name_appointment(ahead.source.path, spoken_in),
            "source": _source(ahead.source),
        }
        if ahead is not None
        else None,
        "can_be_fetched": {"value": fetching.value, "reason": fetching.reason, "source": _source(fetching.source)},
        "pending": found.pending,
        "sentence": sentence.compose_sentence(found, spoken_in),
        "language": spoken_in,
    }


def _source(source: assess.Source | None) -> dict[str, object] | None:
    return asdict(source) if source is not None else None
