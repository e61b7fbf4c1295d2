"""Choose the order that a tool's arguments name: by its id, or by what was heard of plate, name or phone number."""

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from planso_connector.agents.tool import MAX_TEXT_LENGTH, ToolArguments
from planso_connector.agents.tool_answer import Phrase, Reason, ToolFailure
from planso_connector.agents.tool_session import ToolSession
from planso_connector.domain.messages import InvalidValue
from planso_connector.domain.recognition.matching import Match
from planso_connector.domain.values import MAX_ID
from planso_connector.flows.querying.lookup import LookupRequest

ASK = Phrase("{ask}", "{ask}")
"""For answers that are nothing but a question."""
WHICH_ORDER = Phrase("Wie lautet das Kennzeichen?", "What is the number plate?")
NO_ORDER_FITS = Phrase("Dazu habe ich keinen Auftrag gefunden. {ask}", "I found no order for that. {ask}")
NO_SUCH_ORDER = Phrase(
    "Diesen Auftrag habe ich nicht gefunden. Wie lautet das Kennzeichen?",
    "I did not find that order. What is the number plate?",
)
CONTRADICTION = Phrase(
    "Das passt nicht zusammen. Wie lautet das Kennzeichen, und auf welchen Namen läuft der Auftrag?",
    "That does not go together. What is the number plate, and which name is the order under?",
)

_NUMBERS = re.compile(r"\d+")


def _read_order_id(given: Any) -> Any:
    """`130` also as a text, as in `Auftrag 130`; a text without a number of its own is none."""
    if isinstance(given, str):
        numbers = _NUMBERS.findall(given)
        if len(numbers) != 1:
            raise InvalidValue("id_range", most=MAX_ID)
        return int(numbers[0][:20])
    if isinstance(given, bool):
        raise InvalidValue("int_type")
    return given


OrderId = Annotated[Annotated[int, Field(ge=1, le=MAX_ID)] | None, BeforeValidator(_read_order_id)]
Heard = Annotated[str | None, Field(max_length=MAX_TEXT_LENGTH)]


class HeardArguments(ToolArguments):
    """What was heard of an order."""

    plate: Heard = Field(
        None,
        description="What the caller said of the number plate, as it was transcribed: spelled out (`Wilhelm Nordpol, "
        "Anton Emil, zwo drei null neun`), written (`WN-AE 2309`) or only a part of it. Do not correct or complete it.",
    )
    name: Heard = Field(
        None,
        description="The name that the order is under, as it was heard: first name, surname or company "
        "(`Petersen`, `Autohaus Kern`). Sounding alike is enough.",
    )
    phone: Heard = Field(
        None, description="A phone number that the caller said, or its last digits, in digits or in words."
    )
    said: Heard = Field(
        None,
        description="Anything else that the caller said and that may tell which order it is, word by word: the vehicle "
        "(`der schwarze Golf`), the town, an order number (`Auftrag 130`).",
    )

    def to_lookup(self) -> LookupRequest:
        return LookupRequest(self.said, self.plate, self.name, self.phone)


class OrderArguments(HeardArguments):
    """Which order: its id where it is known, else what was heard."""

    order_id: OrderId = Field(
        None,
        description="The order's id, from an earlier answer in this conversation. Never guess it; without one pass "
        "what the caller said in `plate`, `name`, `phone` and `said`.",
    )


async def choose_order(session: ToolSession, arguments: OrderArguments) -> Match:
    """
    The one order that is meant. Its `fits` and `exact` say by which facts: `order`, `plate`, `name`, `phone`, ...
    Raises ToolFailure with a question where that is not certain, and with NOT_FOUND where nothing fits.
    """
    if arguments.order_id is not None:
        return await _check_order(session, arguments.order_id, arguments.to_lookup())
    return await find_certain_order(session, arguments.to_lookup())


async def choose_order_id(session: ToolSession, arguments: OrderArguments) -> int:
    """As `choose_order`, for what needs no more of it; an id that comes alone is not looked up."""
    if arguments.order_id is not None and arguments.to_lookup() == LookupRequest():
        return arguments.order_id
    return (await choose_order(session, arguments)).order_id


async def find_certain_order(session: ToolSession, request: LookupRequest) -> Match:
    if request == LookupRequest():
        raise ask_for(session.render(WHICH_ORDER))
    result = await session.flows.lookup.find(request, archived=False, limit=1, language=session.language)
    ask = result.clarifying_question
    if not result.matches:
        raise ToolFailure(NO_ORDER_FITS, Reason.NOT_FOUND, {"ask": ask or ""}, ask=ask)
    if not result.is_certain:
        raise ask_for(ask or session.render(WHICH_ORDER))
    return result.matches[0]


def ask_for(question: str, **members: Any) -> ToolFailure:
    """The failure that asks the caller `question` before anything is done."""
    return ToolFailure(ASK, Reason.ASK, {"ask": question}, ask=question, **members)


async def _check_order(session: ToolSession, order_id: int, request: LookupRequest) -> Match:
    """What else was heard must not speak against the order: models mix up ids."""
    match = await session.flows.lookup.match_order(order_id, request)
    if match is None:
        raise ToolFailure(NO_SUCH_ORDER, Reason.NOT_FOUND, ask=session.render(WHICH_ORDER))
    if match.contradicts:
        raise ask_for(session.render(CONTRADICTION))
    return match


def list_planso_texts(session: ToolSession, match: Match) -> dict[str, str]:
    """What a lookup shows of the order, as people typed it into PlanSo."""
    facts = match.facts
    texts: Iterable[tuple[str, str | None]] = (
        ("plate", facts.plate),
        ("vehicle", facts.vehicle),
        ("color", facts.color),
        ("project_status", facts.project_status),
        *match.select_personal_data(shows_all=session.settings.shows_all_personal_data).items(),
    )
    return {name: text for name, text in texts if text}
