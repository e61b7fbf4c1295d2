"""`find_order`: which order a caller means."""

from pydantic import BaseModel, Field

from planso_connector.agents.order_choice import ASK, NO_ORDER_FITS, WHICH_ORDER, HeardArguments, list_planso_texts
from planso_connector.agents.tool import Tool
from planso_connector.agents.tool_answer import Phrase, Reason, ToolAnswer, planso_texts_field
from planso_connector.agents.tool_session import ToolSession
from planso_connector.domain.recognition.matching import Match
from planso_connector.domain.recognition.speakable_texts import speak_vehicle
from planso_connector.domain.scopes import Scope
from planso_connector.flows.querying.lookup import LookupRequest

MAX_ORDERS = 3

_FOUND = Phrase("Ich habe den Auftrag gefunden.", "I have found the order.")
_FOUND_VEHICLE = Phrase("Ich habe den Auftrag gefunden: {vehicle}.", "I have found the order: {vehicle}.")

_DESCRIPTION = """\
Find which of the workshop's current repair orders a caller means, from what was heard of the number plate, the name \
or the phone number.

Use it first, as soon as the caller has named a plate, a name or a phone number ("Mein Kennzeichen ist Wilhelm \
Nordpol, Anton Emil, zwo drei null neun", "Petersen, ich rufe wegen meines Golfs an"). Pass the words as they were \
transcribed: misheard letters, spelled plates and parts are expected. Other tools take the returned `order_id`.

Where `ok` is false and there is an `ask`, put that question to the caller, then call again with everything that was \
heard so far, the answer included. Never choose among `orders` yourself, and never tell a caller a name or a phone \
number that the caller did not say.

Do not use it for a new damage that has no order yet, nor to list or browse orders."""


class FoundOrder(BaseModel):
    """An order that may be meant."""

    order_id: int = Field(description="PlanSo's order id, for other tools.")
    score: float = Field(description="How well it fits, 0 to 1.")
    shop_date: str | None = Field(None, description="Drop-off, ISO 8601.")
    planso_texts: dict[str, str] = planso_texts_field(
        "plate, vehicle, color, project_status; person and phone where they were said and fit"
    )


class FindOrderAnswer(ToolAnswer):
    order_id: int | None = Field(None, description="The order, where it is certain which one is meant.")
    orders: list[FoundOrder] | None = Field(None, description="The orders that fit, best first.")


async def run(session: ToolSession, arguments: HeardArguments) -> FindOrderAnswer:
    request = arguments.to_lookup()
    if request == LookupRequest():
        return _fail(session, ASK, Reason.ASK, session.render(WHICH_ORDER))
    result = await session.flows.lookup.find(request, archived=False, limit=MAX_ORDERS, language=session.language)
    if not result.matches:
        return _fail(session, NO_ORDER_FITS, Reason.NOT_FOUND, result.clarifying_question)
    if not result.is_certain:
        session.record_shown(match.order_id for match in result.matches)
        answer = _fail(session, ASK, Reason.ASK, result.clarifying_question or session.render(WHICH_ORDER))
        return answer.model_copy(update={"orders": [_render(session, match) for match in result.matches]})
    found = result.matches[0]
    session.record_shown([found.order_id])
    vehicle = speak_vehicle(found.facts.vehicle or "")
    say = session.render(_FOUND_VEHICLE if vehicle else _FOUND, vehicle=vehicle)
    return FindOrderAnswer(say=say, ok=True, order_id=found.order_id, orders=[_render(session, found)])


def _fail(session: ToolSession, phrase: Phrase, reason: Reason, ask: str | None) -> FindOrderAnswer:
    return FindOrderAnswer(say=session.render(phrase, ask=ask or ""), ok=False, reason=reason, ask=ask)


def _render(session: ToolSession, match: Match) -> FoundOrder:
    return FoundOrder(
        order_id=match.order_id,
        score=round(match.score, 3),
        shop_date=match.facts.drop_off,
        planso_texts=list_planso_texts(session, match),
    )


FIND_ORDER = Tool(
    name="find_order",
    title="Find an order",
    description=_DESCRIPTION,
    arguments=HeardArguments,
    answer=FindOrderAnswer,
    scopes=(Scope.ORDERS_READ,),
    run=run,
    is_read_only=True,
)
