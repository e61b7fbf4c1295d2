"""What the tools that write have in common: the second fact, the write within the call's time, and what came of it."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from planso_connector.agents.order_choice import OrderArguments, choose_order
from planso_connector.agents.tool_answer import Phrase, Reason, ToolAnswer, ToolFailure
from planso_connector.agents.tool_session import ToolSession
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.domain.recognition.matching import Match
from planso_connector.domain.scopes import Scope
from planso_connector.flows.writing import disclosure
from planso_connector.flows.writing.write_request import PhoneCall, WriteRequest

CALL_WINDOW = timedelta(hours=6)
"""How long a phone call lasts at most: the same write again within it is a repetition."""
MAX_WAIT = 2.0
"""Seconds to wait for PlanSo."""
TIME_TO_ANSWER = 0.5
"""Seconds of the call's time that are left when the wait is over."""
MIN_NAME_LENGTH = 4
"""Letters of the beginning of a name that count as a second fact."""
_BEGINNING = "name starts so"

_SECOND_FACT = Phrase(
    "Zur Sicherheit: Auf welchen Namen läuft der Auftrag, oder welche Telefonnummer ist hinterlegt?",
    "To be safe: which name is the order under, or which phone number do you have on file with us?",
)
_WRONG_FACT = Phrase(
    "Das passt nicht zu diesem Auftrag. Auf welchen Namen läuft er, oder welche Telefonnummer ist hinterlegt?",
    "That does not fit this order. Which name is it under, or which phone number is on file?",
)
_NOT_ALLOWED = Phrase(
    "Das darf ich leider nicht. Ein Kollege kann Ihnen weiterhelfen.",
    "I am afraid I may not do that. A colleague can help you.",
)
_REFUSED = Phrase(
    "Das hat nicht geklappt: Es ließ sich nicht eintragen.", "That did not work: it could not be entered."
)
_UNSURE = Phrase(
    "Ich kann nicht bestätigen, dass es eingetragen ist. Ein Kollege muss nachsehen.",
    "I can't confirm that it has been entered. A colleague has to check.",
)


class WriteAnswer(ToolAnswer):
    """The members that the answers of all tools that write have."""

    order_id: int | None = Field(None, description="PlanSo's order id.")
    operation_id: str | None = Field(None, description="The write: `check_request` tells what became of it.")
    state: Literal["confirmed", "pending"] | None = Field(
        None, description="`confirmed`: PlanSo has it, read back. `pending`: it is noted and is being entered."
    )
    needs: list[str] | None = Field(
        None, description="Arguments of which one more is needed before anything is changed, as the caller says them."
    )


async def choose_order_to_write(session: ToolSession, arguments: OrderArguments) -> Match:
    """
    The order, of which the caller knows more than the plate, which can be read in the street. Raises ToolFailure with a
    question, which says nothing of the order, where that is not so.
    """
    if not disclosure.can_read_orders(session.caller):  # it could try names until one fits
        raise ToolFailure(_NOT_ALLOWED, Reason.NOT_ALLOWED, problems=[f"the API key needs `{Scope.ORDERS_READ}`"])
    if not session.settings.asks_second_fact:
        return await choose_order(session, arguments)
    try:
        match = await choose_order(session, arguments)
    except ToolFailure as failure:
        if failure.reason is Reason.ASK and await _is_contradicted(session, arguments):
            raise _ask_second_fact(session, _WRONG_FACT) from None
        raise
    if not knows_second_fact(match, arguments.name or ""):
        raise _ask_second_fact(session, _SECOND_FACT)
    return match


async def _is_contradicted(session: ToolSession, arguments: OrderArguments) -> bool:
    """Whether the name or the phone number is what speaks against an order that the plate or the id alone names."""
    bare = arguments.model_copy(update={"name": None, "phone": None, "said": None})
    if arguments.name is None and arguments.phone is None:
        return False
    try:
        return bool(await choose_order(session, bare))
    except ToolFailure:
        return False


def knows_second_fact(match: Match, name: str) -> bool:
    """Name or phone number fit, or the order has neither: then it says nothing of a person."""
    if not match.facts.name and not match.facts.phone:
        return True
    if match.fits & {"phone", "email"}:
        return True
    is_short_beginning = _BEGINNING in match.reasons and len(name.replace(" ", "")) < MIN_NAME_LENGTH
    return "name" in match.fits and not is_short_beginning


def _ask_second_fact(session: ToolSession, phrase: Phrase) -> ToolFailure:
    return ToolFailure(phrase, Reason.ASK, ask=session.render(phrase), needs=["name", "phone"])


def build_write_request(session: ToolSession, *, is_strict: bool = False, wait: float = MAX_WAIT) -> WriteRequest:
    """With a wait that leaves time to answer."""
    return WriteRequest(
        caller=session.caller.label,
        wait=max(0.0, min(wait, session.seconds_left() - TIME_TO_ANSWER)),
        is_strict=is_strict,
        can_read_orders=disclosure.can_read_orders(session.caller),
        call=identify_call(session),
    )


def identify_call(session: ToolSession) -> PhoneCall:
    """The phone call by its own id; without one, what the API key asks for within two minutes is taken for one call."""
    call = session.call_fingerprint
    return PhoneCall(call, CALL_WINDOW) if session.call_id else PhoneCall(call)


def check_settled(operation: Operation) -> None:
    """Raises ToolFailure for an operation that failed, or of which nobody knows."""
    if operation.state in (OperationState.CONFIRMED, OperationState.PENDING):
        return
    is_unsure = operation.state is OperationState.DAMAGED or (
        operation.state is not OperationState.REFUSED and operation.sent_at is not None
    )
    phrase, reason = (_UNSURE, Reason.UNSURE) if is_unsure else (_REFUSED, Reason.REFUSED)
    raise ToolFailure(phrase, reason, operation_id=operation.id, order_id=operation.order_id)


def describe_write(operation: Operation) -> dict[str, Any]:
    """The members of the answer that say what was recorded."""
    is_shown = operation.state in (OperationState.CONFIRMED, OperationState.PENDING)
    state = operation.state.value if is_shown else None
    return {"operation_id": operation.id, "order_id": operation.order_id, "state": state}
