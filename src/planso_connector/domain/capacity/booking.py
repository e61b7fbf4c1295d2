"""What a write books: which field it sets to which day and time, and whether a hold fits it."""

from collections.abc import Mapping
from dataclasses import dataclass

from planso_connector.domain.capacity.assessment import TIME_FIELD
from planso_connector.domain.capacity.capacity import BOOKED_FIELDS, HOURS_FIELDS, BookingKind, Trade
from planso_connector.domain.fields import Value


@dataclass(frozen=True, slots=True)
class Booking:
    """`day` is an ISO text, `time` is `07:30`, or empty where the write has none."""

    kind: BookingKind
    day: str
    time: str
    hours: Mapping[Trade, float]


def find_bookings(requested: Mapping[str, Value], before: Mapping[str, Value]) -> list[Booking]:
    """The bookings that a write makes or moves; `before`: the order's values by field, empty for a create."""
    found = []
    after = {**before, **requested}
    for kind, field in BOOKED_FIELDS.items():
        if not requested.get(field):
            continue
        moment = _moment(kind, after)
        if moment != _moment(kind, before):
            hours = {trade: float(after.get(name) or 0) for trade, name in HOURS_FIELDS.items()}
            found.append(Booking(kind, *moment, hours))
    return found


def _moment(kind: BookingKind, values: Mapping[str, Value]) -> tuple[str, str]:
    value = str(values.get(BOOKED_FIELDS[kind]) or "")
    time = value[11:16]
    if kind is BookingKind.DROP_OFF and not time:
        time = str(values.get(TIME_FIELD) or "")[-8:][:5]
    return value[:10], time
