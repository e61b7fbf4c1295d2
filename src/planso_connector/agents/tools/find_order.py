"""`find_order`: which order a caller means."""

from pydantic import Field

from planso_connector.agents.order_choice import HeardArguments, find_certain_order, list_planso_texts
from planso_connector.agents.tool import Tool
from planso_connector.agents.tool_answer import Phrase, ToolAnswer, planso_texts_field
from planso_connector.agents.tool_session import ToolSession
from planso_connector.domain.recognition.speakable_texts import speak_vehicle
from planso_connector.domain.scopes import Scope

_FOUND = Phrase("Ich habe den Auftrag gefunden.", "I have found the order.")
_FOUND_VEHICLE = Phrase("Ich habe den Auftrag gefunden: {vehicle}.", "I have found the order: {vehicle}.")

_DESCRIPTION = """\
Find which of the workshop's current repair orders a caller means, from what was heard of the number plate, the name \
or the phone number.

Use it first, as soon as the caller has named a plate, a name or a phone number ("Mein Kennzeichen ist Wilhelm \
Nordpol, Anton Emil, zwo drei null neun", "Petersen, ich rufe wegen meines Golfs an"). Pass the words as they were \
transcribed: misheard letters, spelled plates and parts are expected. Other tools take the returned `order_id`.

Where `ok` is false and there is an `ask`, put that question to the caller, then call again with everything that was \
heard so far, the answer included. Never guess which order it is, and never tell a caller a name or a phone number \
that the caller did not say.

Do not use it for a new damage that has no order yet, nor to list or browse orders."""


class FindOrderAnswer(ToolAnswer):
    """Nothing of any order where it is not certain which one is meant: others' data are nobody's business."""

    order_id: int | None = Field(None, description="PlanSo's order id, for other tools.")
    shop_date: str | None = Field(None, description="Drop-off, ISO 8601.")
    planso_texts: dict[str, str] | None = planso_texts_field(
        "plate, vehicle, color, project_status; person and phone where the caller said them", default=None
    )


async def run(session: ToolSession, arguments: HeardArguments) -> FindOrderAnswer:
    found = await find_certain_order(session, arguments.to_lookup())
    session.record_shown([found.order_id])
    vehicle = speak_vehicle(found.facts.vehicle or "")
    return FindOrderAnswer(
        say=session.render(_FOUND_VEHICLE if vehicle else _FOUND, vehicle=vehicle),
        ok=True,
        order_id=found.order_id,
        shop_date=found.facts.drop_off,
        planso_texts=list_planso_texts(session, found),
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
