"""`check_request`: what became of a change that was asked for."""

from typing import Annotated

from pydantic import Field

from planso_connector.agents.order_choice import OrderArguments, choose_order
from planso_connector.agents.tool import Tool
from planso_connector.agents.tool_answer import Phrase, Reason, ToolAnswer, ToolFailure, planso_texts_field
from planso_connector.agents.tool_session import ToolSession
from planso_connector.domain.errors import NotFound
from planso_connector.domain.fields import APPOINTMENT_PATHS
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.saving.appending import target_fields
from planso_connector.domain.scopes import Scope
from planso_connector.flows.writing import disclosure

_TEXT_PATHS = frozenset({"remarks", "damage_description"})
MAX_OPERATIONS = 20
"""The latest of an order, among which the caller's own is looked for."""
MAX_WAIT = 1.5
"""Seconds to wait for a change that is being entered."""

_WHAT = {
    "appointment": Phrase("Ihr Termin", "Your appointment"),
    "message": Phrase("Ihre Nachricht", "Your message"),
    "order": Phrase("Ihr neuer Auftrag", "Your new order"),
    "change": Phrase("Ihre Änderung", "Your change"),
}
_SAY = {
    OperationState.PENDING: Phrase(
        "{what} ist notiert und wird gerade eingetragen; bestätigt ist es noch nicht.",
        "{what} has been noted and is being entered; it is not confirmed yet.",
    ),
    OperationState.CONFIRMED: Phrase("{what} ist eingetragen.", "{what} has been entered."),
    OperationState.REFUSED: Phrase(
        "{what} ist nicht eingetragen worden. Ein Kollege muss es sich ansehen.",
        "{what} has not been entered. A colleague has to look at it.",
    ),
    OperationState.EXPIRED: Phrase(
        "{what} ist nicht rechtzeitig bestätigt worden. Ein Kollege muss nachsehen.",
        "{what} was not confirmed in time. A colleague has to check.",
    ),
    OperationState.CONFLICT: Phrase(
        "{what} ist nicht bestätigt: Inzwischen wurde in der Werkstatt etwas anderes eingetragen. Ein Kollege muss "
        "entscheiden, was gilt.",
        "{what} is not confirmed: something else has been entered at the workshop since. A colleague has to decide "
        "what applies.",
    ),
    OperationState.DAMAGED: Phrase(
        "{what} ist nicht bestätigt: Beim Eintragen ist etwas schiefgegangen. Ein Kollege muss nachsehen.",
        "{what} is not confirmed: something went wrong when it was entered. A colleague has to check.",
    ),
}
_UNKNOWN = Phrase(
    "Zu diesem Vorgang finde ich nichts. Worum ging es, und wie lautet das Kennzeichen?",
    "I find nothing for that request. What was it about, and what is the number plate?",
)
_NOTHING_ASKED = Phrase(
    "Zu diesem Auftrag habe ich keine Änderung aufgenommen.", "I have taken no change for this order."
)

_DESCRIPTION = """\
Tell what became of a change that was asked for earlier: an appointment, a new order, a remark.

Use it when an earlier answer had an `operation_id` and was not confirmed yet, before the call ends, and for "Ist mein \
Termin jetzt eingetragen?", "Hat das geklappt?", "Haben Sie meine Nachricht notiert?". Pass the `operation_id`; for a \
change of an earlier call pass what was heard of plate, name or phone number, and the latest change of that order that \
you made is told. It waits up to two seconds for a change that is being entered.

Do not call it again and again: where `state` is still `pending`, tell the caller that it is noted. Do not use it to \
ask how far the repair is."""


class CheckRequestArguments(OrderArguments):
    """Which change."""

    operation_id: Annotated[str | None, Field(max_length=100)] = Field(
        None, description="From the answer of the tool that made the change, such as `op_5f0c2b9e41d7a6380c1e`."
    )


class CheckRequestAnswer(ToolAnswer):
    operation_id: str | None = Field(None, description="The change.")
    state: OperationState | None = Field(
        None, description="Only `confirmed` means that it is done; `pending` is tried further, the others are final."
    )
    order_id: int | None = Field(None, description="Its order; left out for a new one that PlanSo does not have yet.")
    planso_texts: dict[str, str] | None = planso_texts_field("message, what the workshop's people see", default=None)


async def run(session: ToolSession, arguments: CheckRequestArguments) -> CheckRequestAnswer:
    operation = await _find_operation(session, arguments)
    seconds = min(MAX_WAIT, session.seconds_left() / 2)
    operation = await session.flows.writer.wait_until_settled(operation, seconds)
    if operation.order_id is not None:
        session.record_shown([operation.order_id])
    message = disclosure.build_message(operation, session.caller)
    return CheckRequestAnswer(
        say=session.render(_SAY[operation.state], what=session.render(_WHAT[_classify(operation)])),
        ok=True,
        operation_id=operation.id,
        state=operation.state,
        order_id=operation.order_id,
        planso_texts={"message": message} if message else None,
    )


async def _find_operation(session: ToolSession, arguments: CheckRequestArguments) -> Operation:
    """Raises ToolFailure where there is none that the caller may see."""
    if arguments.operation_id is not None:
        try:
            operation = await session.flows.writer.get_operation(arguments.operation_id)
        except NotFound:
            raise ToolFailure(_UNKNOWN, Reason.NOT_FOUND) from None
        if not disclosure.can_see_operation(operation, session.caller):
            raise ToolFailure(_UNKNOWN, Reason.NOT_FOUND)
        return operation
    if not disclosure.can_read_orders(session.caller):  # it must not learn from answers which orders there are
        raise ToolFailure(_UNKNOWN, Reason.NOT_FOUND)
    chosen = await choose_order(session, arguments)
    latest = await session.flows.writer.list_operations(chosen.order_id, None, None, MAX_OPERATIONS)
    own = next((operation for operation in latest if operation.caller == session.caller.label), None)
    if own is None:
        raise ToolFailure(_NOTHING_ASKED, Reason.NOT_FOUND)
    return own


def _classify(operation: Operation) -> str:
    """What the caller asked for, as far as it can be told from the fields."""
    if operation.action is Action.CREATE:
        return "order"
    fields = target_fields(operation.requested)
    if fields and fields <= APPOINTMENT_PATHS:
        return "appointment"
    return "message" if fields and fields <= _TEXT_PATHS else "change"


CHECK_REQUEST = Tool(
    name="check_request",
    title="Tell what became of a change",
    description=_DESCRIPTION,
    arguments=CheckRequestArguments,
    answer=CheckRequestAnswer,
    scopes=(Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.APPOINTMENTS_WRITE),
    run=run,
    is_read_only=True,
)
