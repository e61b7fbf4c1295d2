"""`hand_over`: to a person, as a remark of the order, else as a notice."""

from contextlib import suppress
from typing import Annotated

from pydantic import Field

from planso_connector.agents.order_choice import OrderArguments
from planso_connector.agents.tool import MAX_TEXT_LENGTH, Tool
from planso_connector.agents.tool_answer import Phrase, ToolFailure
from planso_connector.agents.tool_session import ToolSession
from planso_connector.agents.writing import (
    WriteAnswer,
    build_write_request,
    choose_order_to_write,
    describe_write,
    identify_call,
)
from planso_connector.domain.errors import ConnectorError
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.notices import NoticeText

MAX_WAIT = 1.2
"""Seconds to wait for the remark: a notice has to be recorded after that."""
_DEFAULT_REASON = "Möchte mit einer Person sprechen."
_DONE = Phrase(
    "Das habe ich für die Kollegen in der Werkstatt festgehalten.",
    "I have put that down for the people at the workshop.",
)

_DESCRIPTION = """\
Hand the caller's wish over to a person of the workshop: as a remark of the order where it is known, else as a notice \
that the workshop's people see.

Use it when the caller asks for a person ("Ich möchte mit dem Meister sprechen", "Verbinden Sie mich"), complains, or \
wants something that no other tool does, and when a tool said that it could not be done. It also works while nothing \
can be written to PlanSo. Pass `reason` as one sentence, and whatever was heard of plate, name and phone number; none \
of it is required.

It transfers no phone call, and nobody knows when a person will call back: do not promise a time."""


class HandOverArguments(OrderArguments):
    """Why, and who it is."""

    reason: Annotated[str | None, Field(max_length=MAX_TEXT_LENGTH)] = Field(
        None, description="What the caller wants, one sentence: `Kundin bittet um Rückruf wegen der Rechnung.`"
    )


class HandOverAnswer(WriteAnswer):
    notice_id: str | None = Field(None, description="The notice, where the remark is not in PlanSo yet.")


async def run(session: ToolSession, arguments: HandOverArguments) -> HandOverAnswer:
    reason = arguments.reason or _DEFAULT_REASON
    order_id, operation = await _try_remark(session, arguments, reason)
    written = {} if operation is None else describe_write(operation)
    if order_id is not None:
        session.record_shown([order_id])
    say = session.render(_DONE)
    if operation is not None and operation.state is OperationState.CONFIRMED:
        return HandOverAnswer(say=say, ok=True, **written)
    call = identify_call(session)
    text = NoticeText(reason, arguments.name or "", arguments.phone or "", _describe_plate(arguments), order_id)
    notice = await session.flows.notices.record(
        text,
        caller=session.caller.label,
        call=call.id,
        window=call.window,
        operation=operation.id if operation is not None else None,
    )
    is_pending = operation is not None and operation.state is OperationState.PENDING
    members = written if is_pending else {"order_id": order_id}
    return HandOverAnswer(say=say, ok=True, notice_id=notice.id, **members)


async def _try_remark(
    session: ToolSession, arguments: HandOverArguments, reason: str
) -> tuple[int | None, Operation | None]:
    """
    The order, where it is certain and the caller knows more of it than the plate; and the remark's operation, where one
    could be recorded.
    """
    order_id = None
    with suppress(ToolFailure, ConnectorError):
        order_id = (await choose_order_to_write(session, arguments)).order_id
        if not session.caller.has_any_scope(Scope.ORDERS_WRITE):
            return order_id, None
        request = build_write_request(session, wait=MAX_WAIT)
        return order_id, (await session.flows.writer.update(order_id, {"remarks_append": reason}, request)).operation
    return order_id, None


def _describe_plate(arguments: HandOverArguments) -> str:
    """What was heard of the vehicle, or of the order."""
    asked = f"Auftrag {arguments.order_id}" if arguments.order_id is not None else None
    return " / ".join(filter(None, (arguments.plate, arguments.said, asked)))


HAND_OVER = Tool(
    name="hand_over",
    title="Hand over to a person",
    description=_DESCRIPTION,
    arguments=HandOverArguments,
    answer=HandOverAnswer,
    scopes=(Scope.ORDERS_WRITE, Scope.APPOINTMENTS_WRITE, Scope.ORDERS_READ),
    run=run,
    is_read_only=False,
    is_destructive=False,
    is_idempotent=True,
)
