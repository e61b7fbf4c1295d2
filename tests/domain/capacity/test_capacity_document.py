"""The capacity as JSON and TOML."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Any

import pytest

from planso_connector.domain.capacity.capacity import BookingKind, Slot, Trade
from planso_connector.domain.capacity.capacity_document import read_capacity, write_capacity
from planso_connector.domain.errors import Invalid

TOML = """
federal_state = "bw"
weekdays.mo = { karo = 32, lack = 16.5 }
weekdays.sa = {}
[drop_off]
per_day = 8
per_slot = 3
slots = ["7:30-09:00", "09:00 – 10:30"]
weekdays = ["mo", "di"]
[[exceptions]]
from = 2026-12-24
to = "2026-12-31"
closed = true
reason = "Betriebsferien"
"""


def test_toml_is_read() -> None:
    """Times with one digit, German weekdays and TOML's own dates are taken; what is written is read as the same."""
    capacity = read_capacity(tomllib.loads(TOML))
    assert capacity.federal_state == "BW"
    assert capacity.weekdays[0].hours == {Trade.KARO: 32.0, Trade.LACK: 16.5}
    assert capacity.weekdays[5].hours == {Trade.KARO: None, Trade.LACK: None}
    assert capacity.weekdays.keys() == {0, 5}
    rules = capacity.rules[BookingKind.DROP_OFF]
    assert rules.slots == (Slot("07:30", "09:00"), Slot("09:00", "10:30"))
    assert rules.weekdays == frozenset({0, 1})
    assert (capacity.exceptions[0].first, capacity.exceptions[0].working) == (date(2026, 12, 24), None)
    assert read_capacity(write_capacity(capacity)) == capacity


@pytest.mark.parametrize(
    ("change", "field", "accepted"),
    [
        ({"weekdays": []}, "weekdays", "object"),
        ({"weekdays": {"monday": {}}}, "weekdays.monday", "mo, tu"),
        ({"weekdays": {"mo": {"karo": -1}}}, "weekdays.mo.karo", "from 0 to"),
        ({"weekdays": {"mo": {"mech": 1}}}, "weekdays.mo.mech", "karo, lack"),
        ({"federal_state": "XX"}, "federal_state", "BW"),
        ({"horizon_days": 0}, "horizon_days", "from 1 to 366"),
        ({"opening": 1}, "opening", "weekdays"),
        ({"drop_off": {"per_day": 1.5}}, "drop_off.per_day", "whole number"),
        ({"drop_off": {"per_slot": 1}}, "drop_off.per_slot", "slots"),
        ({"drop_off": {"slots": ["09:00-08:00"]}}, "drop_off.slots.0", "07:30-09:00"),
        ({"drop_off": {"slots": ["08:00-09:00", "08:30-10:00"]}}, "drop_off.slots.1", "before it ends"),
        ({"pick_up": {"same_day_until": "9 Uhr"}}, "pick_up.same_day_until", "07:30"),
        ({"pick_up": {"weekdays": ["monday"]}}, "pick_up.weekdays", "mo, tu"),
        ({"exceptions": [{"from": "24.12.2026", "closed": True}]}, "exceptions.0.from", "2026-12-24"),
        ({"exceptions": [{"from": "2026-12-24", "to": "2026-12-23", "closed": True}]}, "exceptions.0.to", "before"),
        ({"exceptions": [{"from": "2026-12-24"}]}, "exceptions.0.closed", "karo or lack"),
        ({"exceptions": [{"from": "2026-12-24", "closed": True, "karo": 3}]}, "exceptions.0.closed", "not both"),
    ],
)
def test_errors_name_the_member(change: dict[str, Any], field: str, accepted: str) -> None:
    """One problem, with the member and what is accepted."""
    with pytest.raises(Invalid) as raised:
        read_capacity({"weekdays": {"mo": {}}, **change})
    assert [problem.field for problem in raised.value.problems] == [field]
    assert accepted in raised.value.problems[0].msg


def test_weekdays_are_required() -> None:
    """Without them nobody knows when the workshop is open."""
    with pytest.raises(Invalid, match="weekdays: is required"):
        read_capacity({})
