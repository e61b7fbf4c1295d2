"""`report_damage`: a new order for a damage."""

from typing import Annotated

from pydantic import Field

from planso_connector.agents.order_choice import Heard, ask_for
from planso_connector.agents.tool import MAX_TEXT_LENGTH, Flag, Tool, ToolArguments
from planso_connector.agents.tool_answer import Phrase
from planso_connector.agents.tool_session import ToolSession
from planso_connector.agents.writing import WriteAnswer, build_write_request, check_settled, describe_write
from planso_connector.domain.errors import DuplicateOrder
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.operation import OperationState
from planso_connector.domain.order import PLATE
from planso_connector.domain.recognition.plate import split_key
from planso_connector.domain.recognition.transcript import parse_transcript
from planso_connector.domain.scopes import Scope

NEW_ORDER_TYPE = "0"
"""What the public reference sends as `type_of_date` of a new order."""
_DONE = Phrase(
    "Der Schaden ist aufgenommen, der Auftrag ist angelegt.", "The damage has been recorded, and the order created."
)
_NOTED = Phrase(
    "Den Schaden habe ich notiert; der Auftrag wird gerade angelegt.",
    "I have noted the damage; the order is being created.",
)
_WHAT = Phrase("Was ist beschädigt, und wie ist es passiert?", "What is damaged, and how did it happen?")
_WHICH_PLATE = Phrase("Wie lautet das Kennzeichen?", "What is the number plate?")
_WHOSE = Phrase("Wie ist Ihr Name?", "What is your name?")
_KNOWN = Phrase(
    "Zu diesem Kennzeichen gibt es schon einen Auftrag. Geht es um einen weiteren Schaden?",
    "There is already an order for this number plate. Is this about another damage?",
)

_DESCRIPTION = """\
Create a new repair order for a damage that a caller reports, and that has no order at this workshop yet.

Use it for "Mir ist jemand hinten reingefahren", "Ich habe einen Hagelschaden". Ask for the number plate, the name, a \
phone number to call back and what is damaged, then call it once. Pass the words as they were transcribed; `damage` is \
what the caller said of the damage, with nothing added.

Where `ok` is false and there is an `ask`, put that question to the caller and call again with all arguments. If there \
is an order for the plate already and the caller means another damage, call again with `is_another` true; else add to \
the order with `add_remark`. Where `state` is `pending`, say that it is noted, not that it is done; an appointment can \
be made once `check_request` says `confirmed`.

Do not use it to make an appointment (`book_appointment`), nor for a vehicle whose order is known already."""


class ReportDamageArguments(ToolArguments):
    """What is damaged, and whose vehicle it is."""

    damage: Annotated[str | None, Field(max_length=MAX_TEXT_LENGTH)] = Field(
        None, description="What is damaged and how it happened, as the caller said it."
    )
    plate: Heard = Field(None, description="The number plate as it was transcribed, spelled out or written.")
    name: Heard = Field(None, description="First name and surname, or the company.")
    phone: Heard = Field(None, description="A phone number to call back, in digits or in words.")
    is_another: Flag = Field(
        False, description="True only where the caller said that it is another damage than that of the order there is."
    )


async def run(session: ToolSession, arguments: ReportDamageArguments) -> WriteAnswer:
    for is_there, question in (
        (_has_letters(arguments.damage), _WHAT),
        (_has_letters(arguments.plate, at_least=1), _WHICH_PLATE),
        (_has_letters(arguments.name), _WHOSE),
    ):
        if not is_there:
            raise ask_for(session.render(question))
    requested = read_new_order(arguments)
    request = build_write_request(session, is_strict=not arguments.is_another)
    try:
        operation = (await session.flows.writer.create(requested, request)).operation
    except DuplicateOrder:
        raise ask_for(session.render(_KNOWN), needs=["is_another"]) from None
    check_settled(operation)
    if operation.order_id is not None:
        session.record_shown([operation.order_id])
    phrase = _DONE if operation.state is OperationState.CONFIRMED else _NOTED
    return WriteAnswer(say=session.render(phrase), ok=True, **describe_write(operation))


def _has_letters(text: str | None, at_least: int = 2) -> bool:
    return sum(sign.isalpha() for sign in text or "") >= at_least


def read_new_order(arguments: ReportDamageArguments) -> dict[str, Value]:
    """The fields of the new order. What can't be understood is kept as it was said: better than nothing."""
    given: dict[str, str | None] = {
        PLATE: read_plate(arguments.plate or ""),
        "person": read_name(arguments.name or ""),
        "phone": read_phone(arguments.phone or ""),
        "damage_description": arguments.damage,
        "type_of_date": NEW_ORDER_TYPE,
    }
    return {path: text[: BY_PATH[path].max_length] for path, text in given.items() if text}


def read_plate(said: str) -> str:
    """`WN-HA 402`, of whatever was said; without a hyphen where it is not certain where the district ends."""
    spoken = next((plate for plate in parse_transcript(said).plates if not plate.is_part), None)
    if spoken is None:
        return said.upper()
    splits = [split for split in split_key(spoken.key) if not spoken.district or spoken.district == split.district]
    return str(splits[0]) if splits else spoken.key


def read_name(said: str) -> str:
    return said.title() if said.islower() else said


def read_phone(said: str) -> str:
    return next(iter(parse_transcript(f"Telefon {said}").phones), said) if said else ""


REPORT_DAMAGE = Tool(
    name="report_damage",
    title="Create an order for a damage",
    description=_DESCRIPTION,
    arguments=ReportDamageArguments,
    answer=WriteAnswer,
    scopes=(Scope.ORDERS_WRITE,),
    run=run,
    is_read_only=False,
    is_destructive=False,
    is_idempotent=True,
)
