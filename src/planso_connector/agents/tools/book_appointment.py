"""`book_appointment`: make or move an order's appointment."""

import json
from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from planso_connector.agents import appointment_phrases as phrases
from planso_connector.agents.booking_kinds import Kind
from planso_connector.agents.order_choice import OrderArguments, ask_for
from planso_connector.agents.tool import MAX_TEXT_LENGTH, Tool, join_date_and_time
from planso_connector.agents.tool_answer import Phrase, Reason, ToolFailure
from planso_connector.agents.tool_session import ToolSession
from planso_connector.agents.writing import (
    WriteAnswer,
    build_write_request,
    check_settled,
    choose_order_to_write,
    describe_write,
)
from planso_connector.domain.capacity.assessment import TIME_FIELD, DayAssessment, Level, Question
from planso_connector.domain.capacity.capacity import BOOKED_FIELDS, BookingKind
from planso_connector.domain.errors import NoRoom, NotAllowed
from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.domain.progress.moment import parse_moment
from planso_connector.domain.scopes import Scope
from planso_connector.domain.spoken_dates.moment import PART_BOUNDS, DateQuestion, SpokenMoment
from planso_connector.domain.spoken_dates.phrases import say_day, say_moment, say_options, say_question, say_time
from planso_connector.domain.spoken_dates.resolve import resolve_spoken_date
from planso_connector.flows.querying.availability import AskedFor

MAX_OFFERED_TIMES = 4

_DESCRIPTION = """\
Make or move an appointment of an existing repair order: an inspection, dropping off the vehicle, or picking it up.

Use it once the caller has named the day ("Nächsten Dienstag um acht passt mir", "Können wir auf den dritten Zwölften \
verschieben?"). Pass `when` in the caller's own words, do not work out the date yourself. The answer says which day \
was understood: read it out, so that the caller can object. Another day in a later call moves the appointment.

Always pass the `name` or `phone` that the caller said, also beside an `order_id`: the plate alone is not enough. \
Where `ok` is false and there is an `ask`, put that question to the caller and call again with all arguments. Where \
`reason` is `no_room`, nothing was booked: offer the `alternatives`, and call again with the one that the caller \
chooses. Where `state` is `pending`, say that it is noted, not that it is booked.

Do not use it for a vehicle without an order (`report_damage` comes first), nor to ask when there is room \
(`find_free_slots`)."""


class BookAppointmentArguments(OrderArguments):
    """Which order, what for, and when."""

    kind: Kind | None = Field(
        None,
        description="`drop_off`: bringing the vehicle for its repair. `estimate`: having damage looked at. `pick_up`: "
        "collecting the repaired vehicle.",
    )
    when: Annotated[str | None, Field(max_length=MAX_TEXT_LENGTH)] = Field(
        None,
        description="The caller's words for day and time: `nächsten Dienstag um acht`, `dritter Zwölfter, halb neun`; "
        "also 2026-12-08 08:00. Without a time where none was said.",
    )

    _join = model_validator(mode="before")(join_date_and_time)


class OfferedDay(BaseModel):
    """A day with room."""

    date: str = Field(description="YYYY-MM-DD.")
    slots: list[str] = Field(description="Times with room, `09:00-09:30`; empty: the day has no fixed times.")


class BookAppointmentAnswer(WriteAnswer):
    kind: BookingKind | None = Field(None, description="What the appointment is for.")
    date: str | None = Field(None, description="The day, YYYY-MM-DD, as it is booked, or was understood.")
    time: str | None = Field(None, description="The time, HH:MM, of the workshop.")
    options: list[str] | None = Field(None, description="Days and times of which the caller may mean one; ISO 8601.")
    alternatives: list[OfferedDay] | None = Field(None, description="The nearest days with room.")


async def run(session: ToolSession, arguments: BookAppointmentArguments) -> BookAppointmentAnswer:
    chosen = await choose_order_to_write(session, arguments)
    if arguments.kind is None:
        raise ask_for(session.render(phrases.WHICH_KIND))
    kind, moment = BookingKind(arguments.kind), read_moment(session, arguments.when)
    await _check_time(session, chosen.order_id, kind, moment)
    before = await _read_order(session, chosen.order_id)
    requested = build_fields(kind, moment, before)
    if forbidden := session.caller.forbidden_paths(requested):
        raise NotAllowed(f"{', '.join(forbidden)} can't be changed", Scope.ORDERS_WRITE)
    try:
        request = build_write_request(session, is_strict=True)
        operation = (await session.flows.writer.update(chosen.order_id, requested, request)).operation
    except NoRoom as error:
        raise _no_room(session, kind, moment, error) from None
    session.record_shown([chosen.order_id])
    return await _answer(session, kind, moment, operation)


def read_moment(session: ToolSession, when: str | None) -> SpokenMoment:
    """Raises ToolFailure with a question where the words name no single moment."""
    if when is None:
        raise ask_for(session.render(phrases.WHEN))
    now = session.local_now()
    found = resolve_spoken_date(when, now)
    if isinstance(found, DateQuestion):
        options = [day.isoformat() for day in found.span or ()] or [_to_iso(option) for option in found.options]
        raise ask_for(say_question(found, now.date(), session.language), options=options or None)
    return found


def _to_iso(moment: SpokenMoment) -> str:
    return f"{moment.day.isoformat()}T{moment.clock:%H:%M}" if moment.clock else moment.day.isoformat()


async def _check_time(session: ToolSession, order_id: int, kind: BookingKind, moment: SpokenMoment) -> None:
    """
    Raises ToolFailure with a question where the workshop has fixed times for this and the one that was said is none of
    them, or none was said for an inspection or a pick-up; and where only a part of the day was said.
    """
    if kind is BookingKind.DROP_OFF and moment.clock is None and moment.part is None:
        return
    slots = await _read_slots(session, kind)
    if not slots and moment.part is not None:
        raise ask_for(session.render(phrases.WHICH_TIME), date=moment.day.isoformat())
    clock = f"{moment.clock:%H:%M}" if moment.clock is not None else ""
    if not slots or any(begin <= clock < end for begin, end in slots):
        return
    asked_for = AskedFor(session.call_fingerprint, order_id)
    (day,) = (await session.flows.availability.get(Question(kind, moment.day, 1), asked_for)).availability.days
    free = _free_times(day, moment) or _free_times(day, SpokenMoment(moment.day))
    if free:
        today, language = session.local_now().date(), session.language
        phrase = phrases.WHICH_TIME_OF if moment.clock is None else phrases.OTHER_TIMES
        question = session.render(
            phrase,
            day=say_day(moment.day, today, language),
            time=say_time(moment.clock, language) if moment.clock is not None else "",
            times=", ".join(say_time(one.clock, language) for one in free if one.clock is not None),
        )
        raise ask_for(question, date=moment.day.isoformat(), options=[_to_iso(option) for option in free])


async def _read_slots(session: ToolSession, kind: BookingKind) -> list[tuple[str, str]]:
    """Begin and end of the workshop's times for this; empty where it has none, or set no capacity."""
    document = (await session.flows.capacity.get()).document or {}
    return [(slot[:5], slot[-5:]) for slot in document.get(kind.value, {}).get("slots", ())]


def _free_times(day: DayAssessment, moment: SpokenMoment) -> list[SpokenMoment]:
    begin, end = PART_BOUNDS[moment.part] if moment.part else (time.min, time.max)
    free = (time.fromisoformat(slot.slot.begin) for slot in day.slots if slot.level not in (Level.FULL, Level.CLOSED))
    return [SpokenMoment(day.day, clock) for clock in free if begin <= clock <= end][:MAX_OFFERED_TIMES]


async def _read_order(session: ToolSession, order_id: int) -> Mapping[str, Any]:
    order: Mapping[str, Any] = json.loads((await session.flows.order_queries.get_order(order_id)).order.document)
    return order


def build_fields(kind: BookingKind, moment: SpokenMoment, before: Mapping[str, Any]) -> dict[str, Value]:
    """
    The fields that make the appointment. A drop-off has its time in a field of its own, which may have the day in
    front: then it moves with the day.
    """
    day = moment.day.isoformat()
    if kind is not BookingKind.DROP_OFF:
        return {BOOKED_FIELDS[kind]: day if moment.clock is None else f"{day}T{moment.clock:%H:%M:%S}"}
    held_day, separator, held_time = str(before.get(TIME_FIELD) or "").partition("T")
    fields: dict[str, Value] = {BOOKED_FIELDS[kind]: day}
    if moment.clock is not None:
        clock = f"{moment.clock:%H:%M}"
        fields[TIME_FIELD] = f"{day}T{clock}:00" if separator else clock
    elif separator and held_day != day:
        fields[TIME_FIELD] = f"{day}T{held_time}"
    return fields


async def _answer(
    session: ToolSession, kind: BookingKind, moment: SpokenMoment, operation: Operation
) -> BookAppointmentAnswer:
    """Of a settled write what the order holds now, as it was read back."""
    assert operation.order_id is not None, "an update has its order"
    said, phrase = moment, phrases.NOTED
    if operation.state is not OperationState.PENDING:
        held = read_held(kind, await _read_order(session, operation.order_id))
        said, phrase = _compare(moment, held, operation)
    members = {"kind": kind, **describe_write(operation)}
    what = session.render(phrases.WHAT_FOR[kind])
    when = say_moment(said, session.local_now().date(), session.language)
    return BookAppointmentAnswer(
        say=session.render(phrase, what=what, when=when),
        ok=True,
        date=said.day.isoformat(),
        time=f"{said.clock:%H:%M}" if said.clock is not None else None,
        **members,
    )


def _compare(requested: SpokenMoment, held: SpokenMoment | None, operation: Operation) -> tuple[SpokenMoment, Phrase]:
    """
    What to say of the moment that the order holds. Where PlanSo keeps the day alone the write is refused, because a
    value was lost; the day stands all the same. Raises ToolFailure.
    """
    is_same_day = held is not None and held.day == requested.day
    lost_time = requested.clock is not None and held is not None and held.clock is None
    is_judged = operation.state in (OperationState.CONFIRMED, OperationState.REFUSED)
    if held is not None and is_same_day and lost_time and is_judged:
        return held, phrases.DONE_WITHOUT_TIME
    check_settled(operation)
    if held is None or not is_same_day or (requested.clock is not None and held.clock != requested.clock):
        raise ToolFailure(phrases.CHANGED_SINCE, Reason.REFUSED, operation_id=operation.id, order_id=operation.order_id)
    return held, phrases.AS_BEFORE if operation.sent_at is None else phrases.DONE


def read_held(kind: BookingKind, order: Mapping[str, Any]) -> SpokenMoment | None:
    """The appointment that the order holds."""
    moment = parse_moment(order.get(BOOKED_FIELDS[kind]))
    if moment is None:
        return None
    clock = moment.time
    if kind is BookingKind.DROP_OFF and clock is None and (text := str(order.get(TIME_FIELD) or "")):
        clock = time.fromisoformat(text.rpartition("T")[2])
    return SpokenMoment(moment.day, clock)


def _no_room(session: ToolSession, kind: BookingKind, moment: SpokenMoment, error: NoRoom) -> ToolFailure:
    """With the three nearest days that have room, and of each the time nearest to what was asked."""
    today = session.local_now().date()
    alternatives = [OfferedDay.model_validate(one) for one in error.alternatives]
    options = [_nearest_time(one, moment) for one in alternatives]
    nearest = session.render(phrases.NOTHING_NEAR)
    if options:
        nearest = session.render(phrases.NEAREST, options=say_options(options, today, session.language))
    return ToolFailure(
        phrases.NO_ROOM,
        Reason.NO_ROOM,
        {"when": _say_as_subject(session, moment), "nearest": nearest},
        kind=kind,
        date=moment.day.isoformat(),
        time=f"{moment.clock:%H:%M}" if moment.clock is not None else None,
        alternatives=alternatives,
    )


def _say_as_subject(session: ToolSession, moment: SpokenMoment) -> str:
    """In German a comma ends `Dienstag, den 8. Dezember,`."""
    today = session.local_now().date()
    said = say_moment(moment, today, session.language)
    return f"{said}," if session.language == "de" and moment.clock is None and moment.day != today else said


def _nearest_time(offered: OfferedDay, moment: SpokenMoment) -> SpokenMoment:
    day = date.fromisoformat(offered.date)
    times = [time.fromisoformat(slot[:5]) for slot in offered.slots]
    wished = moment.clock or time.min
    clock = min(times, key=lambda one: abs(_minutes(one) - _minutes(wished)), default=None)
    return SpokenMoment(day, clock)


def _minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute


BOOK_APPOINTMENT = Tool(
    name="book_appointment",
    title="Make or move an appointment",
    description=_DESCRIPTION,
    arguments=BookAppointmentArguments,
    answer=BookAppointmentAnswer,
    scopes=(Scope.ORDERS_WRITE, Scope.APPOINTMENTS_WRITE),
    run=run,
    is_read_only=False,
    is_destructive=True,
    is_idempotent=True,
)
