"""Orders to store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planso_connector.domain.clock import Instant
from planso_connector.domain.fields import Value
from planso_connector.domain.order import PLATE, Order
from planso_connector.domain.part import Part, count_missing

SHOP = "reit"
OTHER_SHOP = "waiblingen"


def at(second: int) -> Instant:
    """An instant; later for greater seconds."""
    return Instant(f"2026-11-23T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000000Z")


def order(
    order_id: int = 123, parts: tuple[Part, ...] = (), values: Mapping[str, Value] | None = None, **more: Any
) -> Order:
    """An order with a few values; `values` adds to them by path, `more` are members of Order."""
    held: dict[str, Value] = {
        PLATE: "WN-AE 2309",
        "person": "Jana Petersen",
        "phone": "0151 23456",
        "shop_date": "2026-12-08",
        "est_hours_karo": 11.3,
        "vehicle_details.makeID": 42,
        "vehicle_details.all_details": True,
        "remarks": "Kundin wartet.\nErsatzwagen „Kompakt“ % _ \\ ' \" bestellt.",
        **(values or {}),
    }
    plate = held[PLATE]
    told: dict[str, Any] = {
        "short_name": "WN-AE 2309",
        "plate": plate,
        "station_id": "4",
        "station_state": "2",
        "missing_parts": count_missing(parts) > 0,
        "fields": {"Kennzeichen": str(plate or ""), "Fahrername": str(held["person"] or "")},
        **more,
    }
    return Order(id=order_id, values=held, parts=parts, **told)


def part(order_id: int = 123, **more: Any) -> Part:
    told: dict[str, Any] = {"part_no": "5G6 807 421", "description": "Stoßfänger hinten", "qty": 1.0, **more}
    return Part(order_id, **told)
