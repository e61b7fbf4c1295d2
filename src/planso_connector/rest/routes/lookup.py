"""`GET /api/lookup`: find the order that a caller means."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import to_json

from planso_connector.domain import values
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.language import Language
from planso_connector.domain.messages import MESSAGES
from planso_connector.domain.recognition.matching import Match
from planso_connector.flows.querying.lookup import LookupRequest, LookupResult
from planso_connector.rest.request_context import Flows, OrdersResponse
from planso_connector.rest.routes.language import language_headers, response_language
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.schemas.errors import document_failures
from planso_connector.rest.schemas.examples import build_example, described, document_success
from planso_connector.rest.schemas.responses import REBUILDING_FIELD, Envelope, Rebuilding, rebuild_members

MAX_TEXT_LENGTH = 1000
_HEARD = "Wilhelm Nordpol, Anton Emil, zwo drei null neun, Petersen"

_NOTHING_ASKED = Problem.of(("query", "q"), MESSAGES["nothing_asked"], "missing")

HeardText = Annotated[
    str | None,
    Query(max_length=MAX_TEXT_LENGTH),
    AfterValidator(lambda text: values.check_text(text, line_breaks=False) if text else None),
]


class LookupMatch(BaseModel):
    """An order that fits."""

    order_id: int = described("PlanSo's order id.", 130)
    score: float = described("0 to 1.", 0.97)
    reasons: list[str] = described(
        "Why, the best first: `plate exact`, `plate one letter off`, `plate part`, `name exact`, "
        "`name starts so`, `name sounds alike`, `name one letter off`, `name part`, `phone exact`, `phone ends so`, "
        "`email exact`, `vehicle`, `order number`, ...",
        ["plate exact", "name sounds alike"],
    )
    plate: str | None = described("Number plate.", "WN-AE 2309")
    vehicle: str | None = described("The vehicle in words.", "VW Golf VIII")
    color: str | None = described("Its colour.", "Deep Black Perleffekt")
    shop_date: str | None = described("Drop-off. ISO 8601.", "2026-12-08")
    project_status: str | None = described("Project status.", "In Lackierung")
    person: str | None = described(
        "Customer or driver; only where a name was asked and fits.", "Jana Petersen", default=None
    )
    phone: str | None = described("Only where a phone number was asked and fits.", None, default=None)
    email: str | None = described("Only where an e-mail address was asked and fits.", None, default=None)


class Understood(BaseModel):
    """What was heard."""

    plates: list[str] = described("Plates or parts of them, the likeliest first.", ["WNAE2309"])
    names: list[str] = described("What was said as a name.", [])
    phones: list[str] = described("Digits of phone numbers.", [])
    emails: list[str] = described("E-mail addresses.", [])
    words: list[str] = described("What is left: names, vehicles, or nothing.", ["Meyer"])


class LookupAnswer(Envelope):
    """The orders that a caller may mean."""

    matches: list[LookupMatch] = Field(description="Best first.")
    count: int = described("Orders in this answer.", 1)
    is_certain: bool = described("Whether the first one is meant, beyond doubt.", True)
    ask: str | None = described(
        "Where it is not certain: the question that tells the best ones apart, or asks for more, ready to be spoken.",
        None,
    )
    heard: Understood = Field(description="What was understood.")
    rebuilding: Rebuilding | None = REBUILDING_FIELD


@dataclass(frozen=True, slots=True)
class _WhichOrders:
    """The parameters that come after what was heard: those of a route itself would come before, in /docs too."""

    archived: Annotated[bool, Query(description="Archived orders instead of the current ones.")] = False
    limit: Annotated[int, Query(ge=1, le=50, description="Orders in the answer.")] = 5


def routes(*, shows_all: bool) -> APIRouter:
    """`shows_all`: answers have personal data that was not asked for too."""
    router = make_router("/api/lookup", "lookup")

    @router.get(
        "",
        summary="Find the order that a caller means",
        response_model=LookupAnswer,
        response_description="The orders that fit, best first",
        responses=document_success(found=build_example(LookupAnswer))
        | document_failures(422, 503, invalid=_NOTHING_ASKED),
    )
    async def look_up_orders(
        flows: Flows,
        request: Annotated[LookupRequest, Depends(_request)],
        which: Annotated[_WhichOrders, Depends()],
        language: Annotated[Language, Depends(response_language)],
    ) -> Response:
        """
        Send what was heard, in one text or by fact: plates spelled out or misheard, names by their sound, the last
        digits of a phone number. The answer has no more personal data than was asked for. While the search index is
        being rebuilt, as after an upgrade, nothing is certain, and where nothing fits the answer is 503.
        """
        result = await flows.lookup.find(request, archived=which.archived, limit=which.limit, language=language)
        order_ids = [match.order_id for match in result.matches]
        return OrdersResponse(to_json(_body(result, shows_all=shows_all)), order_ids, language_headers(language))

    return router


def _request(
    q: Annotated[
        HeardText, Query(description="Anything that was heard, as it was transcribed.", examples=[_HEARD])
    ] = None,
    plate: Annotated[HeardText, Query(description="What was said of the plate, spelled or written.")] = None,
    name: Annotated[HeardText, Query(description="What was said of the name.")] = None,
    phone: Annotated[HeardText, Query(description="A phone number, or its last digits.")] = None,
    email: Annotated[HeardText, Query(description="An e-mail address, dictated or written.")] = None,
) -> LookupRequest:
    request = LookupRequest(*(text.strip() or None if text else None for text in (q, plate, name, phone, email)))
    if request == LookupRequest():
        raise Invalid([_NOTHING_ASKED])
    return request


def _body(result: LookupResult, *, shows_all: bool) -> dict[str, Any]:
    matches = [_match_body(match, shows_all=shows_all) for match in result.matches]
    message, rebuild = ("", {}) if result.rebuild is None else rebuild_members(result.rebuild)
    query = result.query
    return {
        "success": True,
        "message": message if matches else "No order fits what was heard.",
        "matches": matches,
        "count": len(matches),
        "is_certain": result.is_certain,
        "ask": result.clarifying_question,
        "heard": {
            "plates": [plate.key for plate in query.plates],
            "names": query.names,
            "phones": query.phones,
            "emails": query.emails,
            "words": query.words,
        },
        **rebuild,
    }


def _match_body(match: Match, *, shows_all: bool) -> dict[str, Any]:
    facts = match.facts
    return {
        "order_id": match.order_id,
        "score": round(match.score, 3),
        "reasons": match.reasons,
        "plate": facts.plate,
        "vehicle": facts.vehicle,
        "color": facts.color,
        "shop_date": facts.drop_off,
        "project_status": facts.project_status,
        **match.select_personal_data(shows_all=shows_all),
    }
