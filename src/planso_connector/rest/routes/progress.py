"""GET /api/orders/{order_id}/progress: how far an order is, for phone agents."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from planso_connector.domain.language import Language
from planso_connector.domain.progress import sentence
from planso_connector.domain.progress.assess import OrderProgress
from planso_connector.domain.progress.reasons import FetchReason, PromiseReason
from planso_connector.domain.progress.sentence import STAGE_COUNT
from planso_connector.domain.progress.stages import STAGE_DESCRIPTIONS, ProgressStage
from planso_connector.rest.request_context import Flows
from planso_connector.rest.routes import language
from planso_connector.rest.routes.orders import OrderId
from planso_connector.rest.routes.router import make_router, success_response
from planso_connector.rest.schemas.errors import INVALID_ORDER_ID, document_failures
from planso_connector.rest.schemas.examples import build_example, described, document_success
from planso_connector.rest.schemas.responses import STALE_FIELD, Envelope

_READ_AT = "2026-11-23T08:40:12.507000Z"
_SENTENCE = (
    "Ihr Fahrzeug ist in der Lackierung, Schritt 5 von 8. Geplant ist die Fertigstellung für Donnerstag, "
    "den 10. Dezember; ein Teil fehlt noch."
)
_STAGES = ", ".join(f"{int(stage)} `{stage.name.lower()}` ({text})" for stage, text in STAGE_DESCRIPTIONS.items())


class ProgressSource(BaseModel):
    """Where a value comes from."""

    path: str = described(
        "The field's path; `parts`, `station_state` or `archived` where it is no field of the form.", "project_status"
    )
    label: str | None = described("PlanSo's label of the field.", "Projekt-Status")
    last_synced_at: str | None = described("When its page was last read; null: never. UTC.", _READ_AT)
    age_seconds: int | None = described("How long ago that is.", 412)


class Stage(BaseModel):
    """How far the order is."""

    words: str | None = described("The workshop's own words: the project status, else `station@state`.", "Lackierung")
    name: str | None = described(f"The step's name: {_STAGES}.", "paint")
    step: int | None = described(
        "The step's number; null where the words name no certain step.", int(ProgressStage.PAINT)
    )
    steps: int = described("How many steps there are.", STAGE_COUNT)
    archived: bool = described("Whether the order left PlanSo's list of current orders.", False)
    source: ProgressSource | None = Field(description="Where it comes from; null where it is unknown.")


def _reason_field(reasons: type[PromiseReason | FetchReason], example: str) -> Any:
    listed = ", ".join(f"`{reason}`" for reason in reasons)
    return described(f"Why, for programs: {listed}.", example)


class PromisedDate(BaseModel):
    """The promised date, and whether it holds."""

    date: str | None = described("ISO 8601, a time may follow.", "2026-12-10")
    holds: bool | None = described(
        "False: it has passed and the vehicle isn't ready, or a mandatory part is expected only after it. "
        "True: no value of the order contradicts it. Null: unknown.",
        True,
    )
    reason: str = _reason_field(PromiseReason, PromiseReason.NOTHING_AGAINST_IT)
    part_expected: str | None = described(
        "With `part_expected_later`: when the last of these parts is expected. ISO 8601.", None
    )
    source: ProgressSource | None = Field(
        description="Planned hand-over, else completion, else back from the shop, else hand-back."
    )


class LatePart(BaseModel):
    """A missing part whose expected date has passed."""

    description: str | None = described("What it is.", "Stoßfänger hinten")
    expected: str = described("When it was expected. ISO 8601.", "2026-11-20")
    days: int = described("For how many days it has been late.", 3)


class PartsProgress(BaseModel):
    """The order's parts."""

    total: int | None = described("How many; null where they were never read.", 6)
    delivered: int | None = described("Delivered and not on backorder.", 5)
    missing: int | None = described(
        "Parts with `is_missing` in `GET .../parts`; 0 with `ohne E-Teile`. Null: the parts were never "
        "read, or the order's parts status reports missing parts and none of its parts is.",
        1,
    )
    late: list[LatePart] = described("Missing parts whose expected date has passed.", [])
    next_expected: str | None = described("When the next missing part is expected. ISO 8601.", "2026-12-04")
    source: ProgressSource = Field(description="Where it comes from.")


class NextAppointment(BaseModel):
    """The order's next date."""

    date: str = described("Today or later. ISO 8601, a time may follow.", "2026-11-25")
    what: str = described("What it is for, in the answer's language.", "Lackierung")
    source: ProgressSource = Field(description="The field.")


class CanBeFetched(BaseModel):
    """Whether the vehicle can be fetched."""

    value: bool | None = described("Null: unknown.", False)
    reason: str = _reason_field(FetchReason, FetchReason.NOT_DONE)
    source: ProgressSource | None = Field(description="Where it comes from; null where it is unknown.")


class ProgressOfOrder(BaseModel):
    """How far an order is."""

    order_id: int = described("PlanSo's order id.", 130)
    stage: Stage = Field(description="How far it is.")
    promised: PromisedDate = Field(description="The promised date.")
    parts: PartsProgress = Field(description="The parts.")
    next_appointment: NextAppointment | None = Field(description="The next date; null where none lies ahead.")
    can_be_fetched: CanBeFetched = Field(description="Whether the customer can come for it.")
    pending: int = described("Pending writes to the order; the other members don't show them yet.", 0)
    sentence: str = described(
        "One or two sentences to be read out, in the answer's language, without personal data.", _SENTENCE
    )
    language: str = described("`de` or `en`, by `Accept-Language`.", "de")


class ProgressAnswer(Envelope):
    """How far an order is."""

    progress: ProgressOfOrder = Field(description="How far the order is.")
    stale: bool = STALE_FIELD


def _example() -> dict[str, Any]:
    example = build_example(ProgressAnswer)
    for name, path, label in (
        ("promised", "finish_date", "Termin Fertigstellung"),
        ("parts", "parts", None),
        ("next_appointment", "paint_date", "Lackiertermin"),
    ):
        example["progress"][name]["source"] = build_example(ProgressSource, path=path, label=label)
    return example


def routes() -> APIRouter:
    router = make_router("/api/orders", "orders")

    @router.get(
        "/{order_id}/progress",
        summary="Get the order's progress",
        response_model=ProgressAnswer,
        response_description="How far the order is",
        responses=document_success(painting=_example()) | document_failures(404, 422, 503, invalid=INVALID_ORDER_ID),
    )
    async def get_order_progress(
        flows: Flows, order_id: OrderId, spoken_in: Annotated[Language, Depends(language.response_language)]
    ) -> Response:
        """
        Answers "How far is my car?" from the connector's database alone: each part with its source, and `sentence` to
        be read out, in German or English by `Accept-Language`. What the order doesn't tell is null.
        """
        progress = await flows.progress.get_progress(order_id)
        return success_response(
            progress=_render(progress, spoken_in), stale=progress.is_stale, headers=language.language_headers(spoken_in)
        )

    return router


def _render(progress: OrderProgress, spoken_in: Language) -> dict[str, object]:
    stage, promised, appointment = progress.stage, progress.promised, progress.next_appointment
    readiness = progress.fetch_readiness
    return {
        "order_id": progress.order_id,
        "stage": {
            "words": stage.words,
            "name": stage.stage.name.lower() if stage.stage is not None else None,
            "step": stage.stage,
            "steps": STAGE_COUNT,
            "archived": stage.is_archived,
            "source": stage.source,
        },
        "promised": {
            "date": promised.moment.canonical if promised.moment is not None else None,
            "holds": promised.holds,
            "reason": promised.reason,
            "part_expected": promised.part_expected,
            "source": promised.source,
        },
        "parts": progress.parts,
        "next_appointment": {
            "date": appointment.moment.canonical,
            "what": sentence.name_appointment(appointment.source.path, spoken_in),
            "source": appointment.source,
        }
        if appointment is not None
        else None,
        "can_be_fetched": {"value": readiness.value, "reason": readiness.reason, "source": readiness.source},
        "pending": progress.pending,
        "sentence": sentence.compose_sentence(progress, spoken_in),
        "language": spoken_in,
    }
