"""`add_remark`: a line below an order's remarks."""

from typing import Annotated

from pydantic import Field

from planso_connector.agents.order_choice import OrderArguments, ask_for
from planso_connector.agents.tool import MAX_TEXT_LENGTH, Tool
from planso_connector.agents.tool_answer import Phrase
from planso_connector.agents.tool_session import ToolSession
from planso_connector.agents.writing import (
    WriteAnswer,
    build_write_request,
    check_settled,
    choose_order_to_write,
    describe_write,
)
from planso_connector.domain.operation import OperationState
from planso_connector.domain.scopes import Scope

_DONE = Phrase("Das steht jetzt bei Ihrem Auftrag.", "That is now with your order.")
_NOTED = Phrase(
    "Das ist notiert und wird gerade bei Ihrem Auftrag eingetragen.", "That is noted and is being added to your order."
)
_WHAT = Phrase("Was soll ich dazuschreiben?", "What should I add?")

_DESCRIPTION = """\
Add a line to the remarks of a repair order, for the workshop's people to read.

Use it for what a caller wants the workshop to know: "Sagen Sie bitte, dass ich erst nach 17 Uhr komme", "Ich bringe \
den Zweitschlüssel mit". What stands there already is kept. Write `text` as one short sentence in the third person, \
with nothing that the caller did not say.

Always pass the `name` or `phone` that the caller said, also beside an `order_id`: the plate alone is not enough to \
change an order. Where `ok` is false and there is an `ask`, put that question to the caller and call again with all \
arguments. Where `state` is `pending`, say that it is noted, not that it is done. Do not use it to make or move an \
appointment, nor to ask for a person."""


class AddRemarkArguments(OrderArguments):
    """What to add, and to which order."""

    text: Annotated[str | None, Field(max_length=MAX_TEXT_LENGTH)] = Field(
        None, description="The line to add, one sentence: `Kundin kommt erst nach 17 Uhr.`"
    )


async def run(session: ToolSession, arguments: AddRemarkArguments) -> WriteAnswer:
    if arguments.text is None:
        raise ask_for(session.render(_WHAT))
    chosen = await choose_order_to_write(session, arguments)
    request = build_write_request(session)
    operation = (
        await session.flows.writer.update(chosen.order_id, {"remarks_append": arguments.text}, request)
    ).operation
    check_settled(operation)
    session.record_shown([chosen.order_id])
    phrase = _DONE if operation.state is OperationState.CONFIRMED else _NOTED
    return WriteAnswer(say=session.render(phrase), ok=True, **describe_write(operation))


ADD_REMARK = Tool(
    name="add_remark",
    title="Add a remark to an order",
    description=_DESCRIPTION,
    arguments=AddRemarkArguments,
    answer=WriteAnswer,
    scopes=(Scope.ORDERS_WRITE,),
    run=run,
    is_read_only=False,
    is_destructive=False,
    is_idempotent=True,
)
