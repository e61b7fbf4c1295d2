"""`find_free_slots`: when there is room, and keeping a time for the caller while the call goes on."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from planso_connector.agents.booking_kinds import Kind
from planso_connector.agents.failures import NOT_ALLOWED
from planso_connector.agents.order_choice import OrderId, ask_for
from planso_connector.agents.slot_phrases import Offer, capitalize, say_offer, say_offers, say_times, say_why_not
from planso_connector.agents.slot_search import MAX_OTHERS, SlotSearch, build_offer, find_slot, search_slots
from planso_connector.agents.tool import MAX_TEXT_LENGTH, Flag, Tool, ToolArguments, join_date_and_time
from planso_connector.agents.tool_answer import Phrase, Reason, ToolAnswer, ToolFailure
from planso_connector.agents.tool_session import ToolSession
from planso_connector.agents.wished_days import read_wished_days
from planso_connector.domain.capacity.capacity import BookingKind
from planso_connector.domain.errors import NoRoom
from planso_connector.domain.scopes import Scope
from planso_connector.domain.spoken_dates.moment import DateQuestion, SpokenMoment
from planso_connector.domain.spoken_dates.phrases import say_question
from planso_connector.store.slot_holds import SlotHold

MAX_DAYS_LISTED, MAX_TIMES = 5, 12

_THERE_IS_ROOM = Phrase("{when} ist noch Platz.", "There is room {when}.")
_FREE = Phrase("Frei ist {offers}.", "There is room {offers}.")
_OTHERS = Phrase("Frei wäre {offers}.", "There would be room {offers}.")
_NONE_THEN = Phrase("In dieser Zeit ist leider nichts frei.", "There is no room at that time, I am afraid.")
_NONE = Phrase("In den nächsten Wochen ist leider nichts frei.", "There is no room in the next weeks, I am afraid.")
_NOT_KNOWN = Phrase(
    "Ob dann noch Platz ist, kann ich leider nicht sehen. Das muss ein Kollege in der Werkstatt prüfen.",
    "I can't see whether there is room then. A colleague at the workshop has to check.",
)
_HELD = Phrase(
    "{when}: das halte ich zehn Minuten für Sie frei. Soll ich den Termin eintragen?",
    "{when}: I am keeping that for you for ten minutes. Shall I book it?",
)
_WHICH_TIME = Phrase("Um wie viel Uhr? Frei ist es {times}.", "At what time? There is room {times}.")
_WHICH_DAY = Phrase("An welchem Tag? Frei ist {offers}.", "On which day? There is room {offers}.")

_DESCRIPTION = """\
Find out on which days and at which times the workshop has room, and keep one of them for the caller while you talk.

Use it for "Wann kann ich kommen?", "Haben Sie nächste Woche noch etwas frei?", "Geht Dienstag um acht?", before any \
appointment is made or moved. Pass the caller's words for the time in `when` as they were said; the answer names the \
days that were understood. Offer only times of the answer. Once the caller has chosen a day, and a time where there \
are times, call again with that in `when` and with `keep` true: nobody else gets it for ten minutes, in which \
`book_appointment` books it. One time is kept for a call; keeping another gives the first one back.

It books nothing: keeping a time is no appointment. Where `reason` is `not_known`, say nothing about room. Do not use \
it to tell when a repair will be finished."""


class FindFreeSlotsArguments(ToolArguments):
    """What for, and when."""

    kind: Kind = Field(
        "drop_off",
        description="`drop_off`: bringing the vehicle for its repair (`abgeben`, `Reparatur`). `estimate`: having "
        "damage looked at (`Besichtigung`, `Kostenvoranschlag`). `pick_up`: collecting the repaired vehicle "
        "(`abholen`); `get_progress` tells whether it will be ready.",
    )
    when: Annotated[str | None, Field(max_length=MAX_TEXT_LENGTH)] = Field(
        None,
        description="The caller's words for day and time: `nächsten Dienstag um acht`, `nächste Woche vormittags`, `ab "
        "dem 10.`, `so bald wie möglich`; also 2026-12-08 08:00. Without it: from today on.",
    )
    order_id: OrderId = Field(
        None,
        description="The order that it is for, from an earlier answer: the hours of its work need room, too. Left out "
        "for a vehicle that has no order yet.",
    )
    keep: Flag = Field(
        False, description="True: keep the day or time of `when`, which the caller has chosen, for ten minutes."
    )

    _join = model_validator(mode="before")(join_date_and_time)


class FreeDay(BaseModel):
    """A day with room."""

    date: str = Field(description="ISO 8601.")
    spoken: str = Field(description="The day and up to three of its times, in words.")
    level: str = Field(description="`free` or `tight`.")
    times: list[str] = Field(description="Times with room; empty where the workshop has no times for this.")


class FindFreeSlotsAnswer(ToolAnswer):
    available: bool | None = Field(None, description="Where `when` is one day or time: whether there is room then.")
    days: list[FreeDay] | None = Field(None, description="Days with room: those asked about, else the nearest.")
    hold_id: str | None = Field(None, description="With `keep`: what is kept.")
    held_until: str | None = Field(None, description="With `keep`: until when, UTC.")
    stale: bool | None = Field(None, description="True: the workshop's plan may have changed since.")


async def run(session: ToolSession, arguments: FindFreeSlotsArguments) -> FindFreeSlotsAnswer:
    kind = BookingKind(arguments.kind)
    if arguments.keep and not session.caller.has_any_scope(Scope.ORDERS_WRITE, Scope.APPOINTMENTS_WRITE):
        raise ToolFailure(NOT_ALLOWED, Reason.NOT_ALLOWED)
    now = session.local_now()
    wish = read_wished_days(arguments.when, now)
    if isinstance(wish, DateQuestion):
        raise ask_for(say_question(wish, now.date(), session.language))
    found = await search_slots(session, kind, wish, arguments.order_id)
    if found.is_unknown:
        raise ToolFailure(_NOT_KNOWN, Reason.NOT_KNOWN)
    return await _keep(session, arguments, found) if arguments.keep else _tell(session, found)


def _tell(session: ToolSession, found: SlotSearch) -> FindFreeSlotsAnswer:
    offers, day = found.list_offers(), found.wish.day
    if offers and day is not None:
        say = capitalize(session.render(_THERE_IS_ROOM, when=_say_when(session, _narrow(offers[0], day))))
    elif offers:
        say = session.render(_FREE, offers=_say_offers(session, offers[:MAX_OTHERS]))
    else:
        say, offers = _say_alternatives(session, found)
    is_available = bool(found.list_offers()) if day is not None else None
    return FindFreeSlotsAnswer(
        say=say, ok=True, available=is_available, days=_render(session, offers), stale=found.is_stale
    )


def _narrow(offer: Offer, wished: SpokenMoment) -> Offer:
    """With the time that was said, which lies in one of the day's slots."""
    return Offer(offer.day, offer.level, (wished.clock,)) if wished.clock and offer.times else offer


def _say_alternatives(session: ToolSession, found: SlotSearch) -> tuple[str, list[Offer]]:
    """Why there is no room then, and when there is."""
    others, day = found.list_others(), found.wished_day
    if not others:
        return session.render(_NONE), []
    why = session.render(_NONE_THEN)
    if day is not None and build_offer(day, None) is None:
        why = say_why_not(day, session.local_now().date(), session.language)
    return f"{why} {session.render(_OTHERS, offers=_say_offers(session, others))}", others


async def _keep(session: ToolSession, arguments: FindFreeSlotsArguments, found: SlotSearch) -> FindFreeSlotsAnswer:
    kind, offers, wished, day = BookingKind(arguments.kind), found.list_offers(), found.wish.day, found.wished_day
    if not offers:
        raise _no_room(session, found)
    if wished is None or day is None:
        offered = offers[:MAX_OTHERS]
        raise ask_for(session.render(_WHICH_DAY, offers=_say_offers(session, offered)), days=_render(session, offered))
    (offer,) = offers
    if offer.times and wished.clock is None and len(offer.times) > 1:
        times = say_times(offer.times, session.language)
        raise ask_for(session.render(_WHICH_TIME, times=times), days=_render(session, offers))
    clock = wished.clock or (offer.times[0] if offer.times else None)
    slot = find_slot(day, clock) if clock is not None else ""
    try:
        hold = await session.flows.slot_holds.hold(session.call_fingerprint, kind, wished.day, slot, found.hours)
    except NoRoom:  # somebody was faster
        again = await search_slots(session, kind, found.wish, arguments.order_id)
        raise _no_room(session, again) from None
    return _render_hold(session, hold, Offer(offer.day, offer.level, (clock,) if clock and slot else ()), found)


def _no_room(session: ToolSession, found: SlotSearch) -> ToolFailure:
    say, others = _say_alternatives(session, found)
    text = Phrase("{say}", "{say}")
    return ToolFailure(text, Reason.NO_ROOM, {"say": say}, available=False, days=_render(session, others))


def _render_hold(session: ToolSession, hold: SlotHold, kept: Offer, found: SlotSearch) -> FindFreeSlotsAnswer:
    when = capitalize(_say_offer(session, kept))
    return FindFreeSlotsAnswer(
        say=session.render(_HELD, when=when),
        ok=True,
        available=True,
        days=_render(session, [kept]),
        hold_id=hold.id,
        held_until=hold.expires_at,
        stale=found.is_stale,
    )


def _say_offer(session: ToolSession, offer: Offer) -> str:
    return say_offer(offer, session.local_now().date(), session.language)


def _say_when(session: ToolSession, offer: Offer) -> str:
    """As the subject of a German sentence, where a comma ends `am Dienstag, dem 8. Dezember,`."""
    said = _say_offer(session, offer)
    return f"{said}," if session.language == "de" and "," in said and not offer.times else said


def _say_offers(session: ToolSession, offers: Sequence[Offer]) -> str:
    return say_offers(offers, session.local_now().date(), session.language)


def _render(session: ToolSession, offers: Sequence[Offer]) -> list[FreeDay]:
    return [
        FreeDay(
            date=offer.day.isoformat(),
            spoken=_say_offer(session, offer),
            level=offer.level,
            times=[f"{clock:%H:%M}" for clock in offer.times[:MAX_TIMES]],
        )
        for offer in offers[:MAX_DAYS_LISTED]
    ]


FIND_FREE_SLOTS = Tool(
    name="find_free_slots",
    title="Find out when there is room",
    description=_DESCRIPTION,
    arguments=FindFreeSlotsArguments,
    answer=FindFreeSlotsAnswer,
    scopes=(Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.APPOINTMENTS_WRITE),
    run=run,
    is_read_only=False,
    only_holds=True,
)
