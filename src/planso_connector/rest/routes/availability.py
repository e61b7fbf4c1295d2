"""/api/availability: when there is room, and slots that are held for a call."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from planso_connector.domain import german_formats, values
from planso_connector.domain.capacity.assessment import (
    ENOUGH_SHARE,
    REASON_DESCRIPTIONS,
    Basis,
    DayAssessment,
    Question,
    Reason,
)
from planso_connector.domain.capacity.capacity import BOOKED_FIELDS, HOURS_FIELDS, BookingKind, Trade
from planso_connector.domain.errors import Problem
from planso_connector.flows.writing.bookings import fingerprint_call
from planso_connector.rest.json_body import JsonRoute
from planso_connector.rest.request_context import Flows, get_caller
from planso_connector.rest.routes.capacity import NOT_SET
from planso_connector.rest.routes.orders_query import Day
from planso_connector.rest.routes.router import make_router, success_response
from planso_connector.rest.routes.write_headers import on_event_loop
from planso_connector.rest.schemas.errors import document_failures
from planso_connector.rest.schemas.examples import build_example, build_examples, described, document_success
from planso_connector.rest.schemas.responses import STALE_FIELD, Envelope

MAX_DAYS = 60
DEFAULT_DAYS = 14
MAX_HOURS = 1000
_LEVELS = (
    "`free`; `tight`: there is room, and not much; `full`; `closed`: nothing can be booked then. Null: not known, "
    "`reasons` says why."
)
_REASONS = ", ".join(f"`{reason}` ({text})" for reason, text in REASON_DESCRIPTIONS.items())
_KINDS = ", ".join(f"`{kind}` (`{field}`)" for kind, field in BOOKED_FIELDS.items())


class TradeHours(BaseModel):
    """Hours of a trade on a day."""

    planned: float = described("Planned hours: each order's, spread over the days of its stay.", 26.5)
    capacity: float | None = described("The workshop's; 0 on closed days. Null: not limited.", 32.0)


class DayHours(BaseModel):
    """Hours on a day."""

    karo: TradeHours = Field(description="Body.")
    lack: TradeHours = Field(description="Paint.")


class SlotAvailability(BaseModel):
    """A time of the day."""

    from_: str = described("Begin.", "07:30", alias="from")
    to: str = described("End.", "09:00")
    level: str | None = described(_LEVELS, "free")
    booked: int = described("Bookings whose time lies in it.", 1)


class DayAvailability(BaseModel):
    """A day."""

    date: str = described("ISO 8601.", "2026-12-08")
    level: str | None = described(_LEVELS, "tight")
    reasons: list[str] = described(f"Why it is not free: {_REASONS}.", [Reason.HOURS_KARO.value])
    note: str | None = described("The name of the holiday, or the reason of the exception.", None)
    hours: DayHours = Field(description="Planned hours and capacity. Those asked for are not among them.")
    booked: int = described("Bookings of this kind on this day.", 5)
    limit: int | None = described("How many there can be. Null: not limited.", 8)
    slots: list[SlotAvailability] = Field(description="The times of the day that the workshop set for this kind.")


class AvailabilityBasis(BaseModel):
    """What the levels rest on."""

    orders: int = described("Current orders in the connector's database.", 214)
    orders_with_hours: float | None = described(
        "Of the orders whose stay touches these days, the share with estimated hours. Null: there is none.", 0.93
    )
    orders_with_date: float | None = described(
        "Of the orders with any date of their stay, the share with the field that this kind books; for estimates of "
        "all orders. Null: there is none.",
        0.97,
    )
    enough_share: float = described("The share that is needed to rely on a field.", ENOUGH_SHARE)
    enough: bool = described("Whether the orders say enough. Where they don't, levels are null, or `full`.", True)


class AvailabilityAnswer(Envelope):
    """When there is room."""

    kind: str = described("What is booked.", BookingKind.DROP_OFF.value)
    days: list[DayAvailability] = Field(description="Each of the days asked for.")
    basis: AvailabilityBasis = Field(description="How completely the orders say what the levels need.")
    stale: bool = STALE_FIELD


def _parse_required_day(text: str) -> str:
    return german_formats.parse_date(values.check_text(text, line_breaks=False))[:10]


RequiredDay = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_parse_required_day)]
Hours = Annotated[float, Query(ge=0, le=MAX_HOURS, allow_inf_nan=False)]


class AvailabilityQuery:
    """The query; `from` is a word of Python."""

    def __init__(
        self,
        first: Annotated[Day, Query(alias="from", description="The first day; today without it.")] = None,
        days: Annotated[int, Query(ge=1, le=MAX_DAYS, description="How many days.")] = DEFAULT_DAYS,
        kind: Annotated[BookingKind, Query(description=f"What for, and the field that holds it: {_KINDS}.")] = (
            BookingKind.DROP_OFF
        ),
        hours_karo: Annotated[Hours, Query(description="Hours of body work that are to be added.")] = 0,
        hours_lack: Annotated[Hours, Query(description="Hours of paint work that are to be added.")] = 0,
    ) -> None:
        self.first = date.fromisoformat(first) if first else None
        self.days = days
        self.kind = kind
        self.hours = {Trade.KARO: hours_karo, Trade.LACK: hours_lack}


_INVALID = Problem(("query", "days"), "must be 60 or less", "less_than_equal")
_SLOT_EXAMPLE = {"from": "07:30", "to": "09:00", "level": "free", "booked": 1}
_EXAMPLE = build_example(AvailabilityAnswer, days=[build_example(DayAvailability, slots=[_SLOT_EXAMPLE])])


_HOLD_EXAMPLE = {"date": "2026-12-08", "slot": "07:30-09:00"}
_HOLD_ID = "hold_5f0c2b9e41d7a6380c1e"


class HoldRequest(BaseModel):
    """The slot to be held."""

    model_config = ConfigDict(strict=True, extra="forbid", defer_build=False)  # as WriteBody

    date: RequiredDay = described("The day, as dates of orders are given.", "2026-12-08")
    slot: str = described(
        "One of the day's `slots`; required where the workshop has any for this kind.",
        "07:30-09:00",
        default="",
        max_length=20,
    )
    kind: Literal["estimate", "drop_off", "pick_up"] = described(
        f"What for: {_KINDS}.", BookingKind.DROP_OFF.value, default=BookingKind.DROP_OFF.value
    )
    hours_karo: float = described("Hours of body work.", 6.0, default=0.0, ge=0, le=MAX_HOURS)
    hours_lack: float = described("Hours of paint work.", 4.0, default=0.0, ge=0, le=MAX_HOURS)


class HoldAnswer(Envelope):
    """A slot that is held."""

    hold_id: str = described("For `Availability-Hold` of the write that books it.", _HOLD_ID)
    date: str = described("ISO 8601.", "2026-12-08")
    slot: str = described("Empty: the day alone.", "07:30-09:00")
    kind: str = described("What for.", BookingKind.DROP_OFF.value)
    expires_at: str = described("Until when it is held. UTC.", "2026-11-23T09:51:02.118000Z")


HoldId = Annotated[str, Path(min_length=1, max_length=100, description="The hold.", examples=[_HOLD_ID])]
_NO_HOLD = {404: {"no_such_hold": f"There is no hold {_HOLD_ID}: it was given back, taken up or replaced."}}
_FULL = {
    409: {
        "full": "shop_date: 2026-12-08 is full (bookings of this kind against the day's limit). Nothing is held. "
        "Nearest: 2026-12-07, 2026-12-09, 2026-12-10."
    }
}
_NO_SLOT = Problem(("body", "slot"), "accepted: 07:30-09:00, 09:00-10:30", "slot")
_NO_HOLD_ID = Problem(("path", "hold_id"), "must have at most 100 characters", "string_too_long")


def routes() -> list[APIRouter]:
    router = make_router("/api/availability", "availability")
    holds = make_router("/api/availability/holds", "availability", JsonRoute)
    _add_holds(holds)

    @router.get(
        "",
        summary="When there is room",
        response_model=AvailabilityAnswer,
        response_description="The days, and their slots",
        responses=document_success(drop_off=_EXAMPLE) | document_failures(422, 503, invalid=_INVALID),
    )
    async def get_availability(
        flows: Flows, query: Annotated[AvailabilityQuery, Depends(on_event_loop(AvailabilityQuery))]
    ) -> Response:
        """
        Answered from the connector's database, with pending writes. Levels are never invented: where too few orders
        have the fields that they need, or the workshop has set no capacity, they are null, and `message` says so.
        """
        first = query.first or flows.availability.local_now().date()
        answer = await flows.availability.get(Question(query.kind, first, query.days, query.hours))
        found = answer.availability
        return success_response(
            _describe_doubts(found.basis, query.kind) if answer.has_capacity else NOT_SET,
            kind=query.kind,
            days=list(map(serialize_day, found.days)),
            basis={
                "orders": found.basis.orders,
                "orders_with_hours": _round(found.basis.orders_with_hours),
                "orders_with_date": _round(found.basis.orders_with_date),
                "enough_share": ENOUGH_SHARE,
                "enough": found.basis.is_enough_for(query.kind),
            },
            stale=answer.is_stale,
        )

    return [router, holds]


def _add_holds(router: APIRouter) -> None:
    @router.post(
        "",
        summary="Hold a slot",
        response_model=HoldAnswer,
        response_description="The hold",
        responses=document_success(held=build_example(HoldAnswer))
        | document_failures(409, 413, 415, 422, 503, invalid=_NO_SLOT, shown=_FULL),
    )
    async def hold_slot(
        flows: Flows,
        request: Request,
        body: Annotated[HoldRequest, Body(openapi_examples=build_examples(a_slot=_HOLD_EXAMPLE))],
        call_id: Annotated[
            str | None,
            Header(
                alias="X-Call-Id",
                max_length=200,
                description="The call that it is for; without it the API key stands for one call.",
                examples=["3f1d7c1e-call"],
            ),
        ] = None,
    ) -> Response:
        """
        Kept for this call for ten minutes, in place of what it held before. A create, PUT or PATCH that sets the date
        and names it in `Availability-Hold` takes it up.
        """
        hold = await flows.slot_holds.hold(
            fingerprint_call(get_caller(request).key_id, call_id or ""),
            BookingKind(body.kind),
            date.fromisoformat(body.date),
            body.slot.strip(),
            {Trade.KARO: body.hours_karo, Trade.LACK: body.hours_lack},
        )
        return success_response(
            hold_id=hold.id, date=hold.day, slot=hold.slot, kind=hold.kind, expires_at=hold.expires_at
        )

    @router.delete(
        "/{hold_id}",
        summary="Give a slot back",
        response_model=Envelope,
        response_description="It is given back",
        responses=document_success(given_back={"success": True, "message": ""})
        | document_failures(404, 422, 503, invalid=_NO_HOLD_ID, shown=_NO_HOLD),
    )
    async def release_slot(flows: Flows, hold_id: HoldId) -> Response:
        """Others can have it at once."""
        await flows.slot_holds.release(hold_id)
        return success_response()


def _describe_doubts(basis: Basis, kind: BookingKind) -> str:
    """Which fields are filled in too rarely; empty where enough are."""
    sentences = []
    if kind is BookingKind.DROP_OFF and not basis.hours_are_enough:
        names = " or ".join(HOURS_FIELDS.values())
        sentences.append(f"Only {basis.orders_with_hours:.0%} of the orders on these days have {names}.")
    if not basis.dates_are_enough:
        sentences.append(f"Only {basis.orders_with_date:.0%} of the orders have {BOOKED_FIELDS[kind]}.")
    if sentences:
        sentences.append(f"{ENOUGH_SHARE:.0%} are needed to tell how much room there is.")
    return " ".join(sentences)


def _round(share: float | None) -> float | None:
    return None if share is None else round(share, 3)


def serialize_day(day: DayAssessment) -> dict[str, Any]:
    return {
        "date": day.day.isoformat(),
        "level": day.level,
        "reasons": day.reasons,
        "note": day.note,
        "hours": {
            trade: {"planned": round(hours.planned, 2), "capacity": hours.capacity}
            for trade, hours in day.hours.items()
        },
        "booked": day.booked,
        "limit": day.limit,
        "slots": [
            {"from": one.slot.begin, "to": one.slot.end, "level": one.level, "booked": one.booked} for one in day.slots
        ],
    }
