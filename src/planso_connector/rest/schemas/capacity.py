"""The bodies of /api/capacity."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from planso_connector.domain.capacity import capacity_document
from planso_connector.domain.capacity.capacity import DEFAULT_HORIZON_DAYS, DEFAULT_TIGHT_FROM, BookingKind
from planso_connector.rest.schemas.examples import described
from planso_connector.rest.schemas.responses import Envelope

_STRICT = ConfigDict(strict=True, extra="forbid", defer_build=False)  # as WriteBody
_VEHICLES = {"ge": 0, "le": capacity_document.MAX_VEHICLES}
_HOURS = {"ge": 0, "le": capacity_document.MAX_HOURS}
_UNLIMITED = "Null: not limited."


class WorkingHours(BaseModel):
    """Hours of work on a day, by trade."""

    model_config = _STRICT

    karo: float | None = described(
        f"Body. {_UNLIMITED} 0: no body work; vehicles still come.", 32.0, default=None, **_HOURS
    )
    lack: float | None = described("Paint, in the same way.", 16.0, default=None, **_HOURS)


class Weekdays(BaseModel):
    """The weekdays on which the workshop is open; on those that are missing or null it is closed."""

    model_config = _STRICT

    mo: WorkingHours | None = Field(None, description="Monday.")
    tu: WorkingHours | None = Field(None, description="Tuesday.")
    we: WorkingHours | None = Field(None, description="Wednesday.")
    th: WorkingHours | None = Field(None, description="Thursday.")
    fr: WorkingHours | None = Field(None, description="Friday.")
    sa: WorkingHours | None = Field(None, description="Saturday.")
    su: WorkingHours | None = Field(None, description="Sunday.")


class BookingLimits(BaseModel):
    """What limits the bookings of one kind."""

    model_config = _STRICT

    per_day: int | None = described(f"Vehicles a day. {_UNLIMITED}", 8, default=None, **_VEHICLES)
    per_slot: int | None = described(f"Vehicles in each slot. {_UNLIMITED}", 3, default=None, **_VEHICLES)
    slots: list[Annotated[str, Field(max_length=20)]] = described(
        "Times of day, in order. A booking's time decides which one it is in; the end is not part of it.",
        ["07:30-09:00", "09:00-10:30", "13:00-15:00"],
        default=[],
        max_length=capacity_document.MAX_SLOTS,
    )
    lead_days: int = described(
        "Open days that have to begin before the first one that can be booked; 0: today can be.",
        1,
        default=0,
        ge=0,
        le=capacity_document.MAX_DAYS,
    )
    same_day_until: str | None = described(
        "Until when today can be booked. Null: all day.", "10:00", default=None, max_length=10
    )
    weekdays: list[Annotated[str, Field(max_length=10)]] | None = described(
        f"Only on these weekdays: {', '.join(capacity_document.WEEKDAYS)}. Null: every open day.",
        ["mo", "tu", "we", "th"],
        default=None,
        max_length=7,
    )


class CapacityException(BaseModel):
    """Days that differ from their weekdays: closed, or with other hours."""

    model_config = ConfigDict(**_STRICT, populate_by_name=True)

    first: str = described("The first day. ISO 8601.", "2026-12-24", alias="from", max_length=40)
    last: str | None = described(
        "The last day. Null: the first one alone.", "2026-12-31", default=None, alias="to", max_length=40
    )
    closed: bool | None = described("Whether the workshop is closed; without hours it is required.", True, default=None)
    karo: float | None = described("Hours of body work on each of these days.", None, default=None, **_HOURS)
    lack: float | None = described("Hours of paint work on each of these days.", None, default=None, **_HOURS)
    reason: str = described(
        "Shown beside a closed day.", "Betriebsferien", default="", max_length=capacity_document.MAX_REASON_LENGTH
    )


class Capacity(BaseModel):
    """The workshop's capacity. `docs/availability.md` has it as TOML."""

    model_config = _STRICT

    federal_state: str | None = described(
        "Its public holidays are closed days: `BW`, `BY`, ... Null: those of all states.",
        "BW",
        default=None,
        max_length=10,
    )
    horizon_days: int = described(
        "How many days from today on can be booked.",
        90,
        default=DEFAULT_HORIZON_DAYS,
        ge=1,
        le=capacity_document.MAX_DAYS,
    )
    tight_from: float = described(
        "The share of a limit from which on a day is tight.", 0.8, default=DEFAULT_TIGHT_FROM, gt=0, le=1
    )
    weekdays: Weekdays = Field(description="Hours of each weekday.")
    estimate: BookingLimits | None = Field(None, description="Inspections for an estimate (`estimate_date`).")
    drop_off: BookingLimits | None = Field(None, description="Vehicles that come for work (`shop_date`).")
    pick_up: BookingLimits | None = Field(None, description="Vehicles that are handed back (`return_date_time`).")
    exceptions: list[CapacityException] = Field(
        [], description="Days that differ.", max_length=capacity_document.MAX_EXCEPTIONS
    )

    def to_document(self) -> dict[str, Any]:
        """In the form of `domain.capacity.capacity_document`."""
        document = self.model_dump(by_alias=True)
        document["weekdays"] = {name: hours for name, hours in document["weekdays"].items() if hours is not None}
        return {name: value for name, value in document.items() if value is not None or name not in list(BookingKind)}


class CapacityAnswer(Envelope):
    """The capacity that applies."""

    capacity: Capacity | None = Field(description="Null: the workshop has set none.")
    changed_at: str | None = described("When it was set. UTC.", "2026-11-23T09:41:02.118000Z")
    changed_by: str = described("The API key that set it; empty without one.", "office (5f0c2b9e41)")


_HOURS_EXAMPLE = {"karo": 32.0, "lack": 16.0}
HOURS_ALONE_EXAMPLE: dict[str, Any] = {"weekdays": dict.fromkeys(("mo", "tu", "we", "th", "fr"), _HOURS_EXAMPLE)}
CAPACITY_EXAMPLE: dict[str, Any] = {
    "federal_state": "BW",
    "horizon_days": 90,
    "tight_from": 0.8,
    "weekdays": {**dict.fromkeys(("mo", "tu", "we", "th"), _HOURS_EXAMPLE), "fr": {"karo": 20.0, "lack": 10.0}},
    "estimate": {"per_day": 6, "per_slot": 1, "slots": ["09:00-09:30", "09:30-10:00", "16:00-16:30"]},
    "drop_off": {"per_day": 8, "per_slot": 3, "slots": ["07:30-09:00", "09:00-10:30"], "lead_days": 1},
    "pick_up": {"per_day": 10, "same_day_until": "12:00"},
    "exceptions": [{"from": "2026-12-24", "to": "2026-12-31", "closed": True, "reason": "Betriebsferien"}],
}
