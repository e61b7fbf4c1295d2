"""Dates, and values for fields that only a knob shows."""

import re
from datetime import date, datetime

_DATE = re.compile(r"(?:(\d{2})\.(\d{2})\.(\d{4})|(\d{4})-(\d{2})-(\d{2}))")


def parse_day(text: str) -> date | None:
    """The German or ISO date that a text begins with; None for none."""
    match = _DATE.match(text)
    if match is None:
        return None
    day, month, year = match.group(1, 2, 3) if match[1] else match.group(6, 5, 4)
    try:
        return datetime(int(year), int(month), int(day)).date()  # noqa: DTZ001 - a calendar day
    except ValueError:
        return None


def iso_week(text: str) -> str:
    """The ISO week of a date: `49` for `30.11.2026`, "" for no date."""
    day = parse_day(text)
    return "" if day is None else str(day.isocalendar().week)


def invent_twin_text(order_id: int, label: str) -> str:
    """The value of a field of the insurer's block."""
    if "Mail" in label:
        return f"schaden{order_id}@example.org"
    if "Telefon" in label or "Mobil" in label:
        return f"040 66969 {order_id % 1000:03d}"
    if "name" in label.lower():
        return f"Schadenabteilung {order_id}"
    return f"VS {order_id}"


def to_iso_date(text: str) -> str:
    """A German date, with a time or without, as ISO; other texts unchanged."""
    day, _, clock = text.partition(" ")
    parts = day.split(".")
    return f"{parts[2]}-{parts[1]}-{parts[0]}" + (f" {clock}" if clock else "") if len(parts) == 3 else text
