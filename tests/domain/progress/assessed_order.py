"""Build an order and assess its progress."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from planso_connector.domain.order import Order
from planso_connector.domain.part import Part, count_missing
from planso_connector.domain.progress.assess import OrderProgress, ReadTimes, assess_progress

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
"""A Monday, ten o'clock in Berlin."""
TODAY = date(2026, 11, 23)

NO_PARTS_NEEDED = "ohne E-Teile"
"""The parts status of an order that needs none."""

TYPED = "Xaver Quandt XQ-ZZ 4711 030 23125 118"
"""A name, a plate and a phone number where a status belongs."""


def assess(
    status: str | None = "Lackierung",
    parts: tuple[Part, ...] = (),
    *,
    now: datetime = NOW,
    form: datetime | None = None,
    is_stale: bool = False,
    parts_read: bool = True,
    archived: bool = False,
    station: str | None = "4@active",
    fields: dict[str, str] | None = None,
    unreadable: dict[str, str] | None = None,
    **dates: str | None,
) -> OrderProgress:
    station_id, _, state = (station or "").partition("@")
    order = Order(
        id=123,
        short_name="XQ-ZZ 4711 Quandt",
        plate="XQ-ZZ 4711",
        station_id=station_id or None,
        station_state=state or None,
        missing_parts=count_missing(parts) > 0,
        values={"project_status": status, "person": "Xaver Quandt", "phone": "030 23125 118", **dates},
        fields=fields or {},
        parts=parts,
        archived=archived,
        unreadable=unreadable or {},
    )
    read = form or now - timedelta(minutes=5)
    return assess_progress(order, ReadTimes(read, read if parts_read else None, read), now, is_stale=is_stale)


def missing_part(**more: Any) -> Part:
    return Part(123, **{"is_ordered": True, "is_mandatory": True, "description": "Kotflügel links", **more})


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]
