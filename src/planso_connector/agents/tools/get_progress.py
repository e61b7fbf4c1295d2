"""`get_progress`: how far an order is."""

from pydantic import BaseModel, Field

from planso_connector.agents.order_choice import NO_SUCH_ORDER, WHICH_ORDER, OrderArguments, choose_order_id
from planso_connector.agents.tool import Tool
from planso_connector.agents.tool_answer import Reason, ToolAnswer, ToolFailure, planso_texts_field
from planso_connector.agents.tool_session import ToolSession
from planso_connector.domain.errors import NotFound
from planso_connector.domain.progress import sentence
from planso_connector.domain.progress.assess import OrderProgress
from planso_connector.domain.progress.sentence import STAGE_COUNT
from planso_connector.domain.scopes import Scope

_DESCRIPTION = """\
Tell how far a repair order is: the stage of the work, the promised date and whether it holds, missing parts, and \
whether the vehicle can be collected.

Use it for "Wie weit ist mein Auto?", "Ist der Wagen schon fertig?", "Kann ich ihn heute abholen?", "Sind die Teile \
da?", "Bleibt es bei Freitag?". Pass the `order_id` of an earlier answer, or what was heard of plate, name or phone \
number. Read out `say` as it is, and promise nothing beyond it: what the data do not say is left out.

Where `ok` is false and there is an `ask`, put that question to the caller and call again. Do not use it to find out \
when there is room for an appointment, nor for prices."""


class PlannedDate(BaseModel):
    """A date of the order."""

    date: str = Field(description="ISO 8601; a time may follow.")
    what: str = Field(description="What it is for, in the answer's language.")


class GetProgressAnswer(ToolAnswer):
    order_id: int | None = Field(None, description="PlanSo's order id.")
    stage: str | None = Field(
        None, description="announced, received, parts, body, paint, finish, ready or closed; left out: not certain."
    )
    step: int | None = Field(None, description=f"The stage's number, of {STAGE_COUNT}.")
    promised_date: str | None = Field(None, description="ISO 8601; a time may follow.")
    promise_holds: bool | None = Field(
        None, description="False: it has passed, or a part comes only after it. Left out: not known."
    )
    can_be_collected: bool | None = Field(None, description="Left out: not known.")
    missing_parts: int | None = Field(None, description="How many; left out: not known.")
    next_appointment: PlannedDate | None = Field(None, description="The next date that lies ahead.")
    pending: int | None = Field(None, description="Changes of the order that are still being entered.")
    stale: bool | None = Field(None, description="True: all of this may have changed in PlanSo since.")
    planso_texts: dict[str, str] | None = planso_texts_field("project_status", default=None)


async def run(session: ToolSession, arguments: OrderArguments) -> GetProgressAnswer:
    order_id = await choose_order_id(session, arguments)
    try:
        progress = await session.flows.progress.get_progress(order_id)
    except NotFound:
        raise ToolFailure(NO_SUCH_ORDER, Reason.NOT_FOUND, ask=session.render(WHICH_ORDER)) from None
    session.record_shown([order_id])
    return _render(session, progress)


def _render(session: ToolSession, progress: OrderProgress) -> GetProgressAnswer:
    stage, promised, appointment = progress.stage, progress.promised, progress.next_appointment
    next_date = None
    if appointment is not None:
        what = sentence.name_appointment(appointment.source.path, session.language)
        next_date = PlannedDate(date=appointment.moment.canonical, what=what)
    return GetProgressAnswer(
        say=sentence.compose_sentence(progress, session.language),
        ok=True,
        order_id=progress.order_id,
        stage=stage.stage.name.lower() if stage.stage is not None else None,
        step=stage.stage,
        promised_date=promised.moment.canonical if promised.moment is not None else None,
        promise_holds=promised.holds,
        can_be_collected=progress.fetch_readiness.value,
        missing_parts=progress.parts.missing,
        next_appointment=next_date,
        pending=progress.pending,
        stale=progress.is_stale,
        planso_texts={"project_status": stage.words} if stage.words else None,
    )


GET_PROGRESS = Tool(
    name="get_progress",
    title="Tell how far an order is",
    description=_DESCRIPTION,
    arguments=OrderArguments,
    answer=GetProgressAnswer,
    scopes=(Scope.ORDERS_READ,),
    run=run,
    is_read_only=True,
)
