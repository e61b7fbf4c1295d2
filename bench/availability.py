"""
Availability over 60 days of 3,000 orders, each of which has hours and dates: the response over HTTP, the time in the
process, and beside it the floor: reading the same columns of the same rows with SQLite, and adding up the hours.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import apsw
from tests.process import ConnectorProcess

from bench import orders
from bench.mirror import run_connector
from planso_connector.domain.capacity.assessment import USED_FIELDS
from planso_connector.domain.capacity.capacity_document import WEEKDAYS

ORDERS = 3000
DAYS = 60
GOAL = 20.0
"""Milliseconds."""
ROUNDS = 60
WARM_UP = 5
CAPACITY: dict[str, Any] = {
    "weekdays": {name: {"karo": 400, "lack": 300} for name in WEEKDAYS[:5]},
    "drop_off": {"per_day": 60, "per_slot": 20, "slots": ["07:30-09:00", "09:00-10:30", "13:00-15:00"]},
    "federal_state": "BW",
}
_COLUMNS = ", ".join(USED_FIELDS)
_SELECT = f"SELECT {_COLUMNS} FROM orders WHERE workshop = ? AND archived = 0 AND deleted_at IS NULL"  # noqa: S608
_UPDATE = """
UPDATE orders SET archived = 0, deleted_at = NULL, shop_date = :start, finish_date = :end, repair_date = NULL,
    paint_date = NULL, est_hours_karo = :karo, est_hours_lack = :lack WHERE workshop = :shop AND id = :id
"""


def measure_availability() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.db"
        _create(path)
        with run_connector(path) as service:
            assert service.http.put("/api/capacity", json=CAPACITY).status_code == 200
            ours = _measure(lambda: _ask(service))
            version = _measure(lambda: service.http.get("/api/capacity"))
        with closing(apsw.Connection(str(path))) as database:
            floor = _measure(lambda: _add_up(database))
    return (
        f"availability, {DAYS} days of {ORDERS} orders, different questions: {ours:.1f} ms (median of {ROUNDS}, one "
        f"client; goal: under {GOAL:g} ms); of this {version:.1f} ms are a request of a single row\n"
        f"  floor, reading these columns of these rows and adding up: {floor:.1f} ms; the connector takes "
        f"{ours / floor:.1f} times as long"
    )


def _create(path: Path) -> None:
    """The mirror of `bench.orders`, with all orders current and stays in the next 60 days."""
    source = orders.path_of(ORDERS)
    dice, today = random.Random(1), date.today()  # noqa: DTZ011 - only a range of days
    with closing(apsw.Connection(str(path))) as database, closing(apsw.Connection(str(source))) as origin:
        with database.backup("main", origin, "main") as backup:
            backup.step()
        rows = []
        for number in range(ORDERS):
            start = today + timedelta(days=dice.randrange(-5, DAYS))
            end = start + timedelta(days=dice.randrange(1, 9))
            hours = {"karo": dice.randrange(4, 60) / 2, "lack": dice.randrange(2, 30) / 2}
            dates = {"start": start.isoformat(), "end": end.isoformat()}
            rows.append({"shop": orders.SHOP, "id": orders.FIRST_ID + number, **dates, **hours})
        with database:
            database.executemany(_UPDATE, rows)


def _ask(service: ConnectorProcess) -> None:
    hours = random.randrange(1, 400) / 10
    answer = service.http.get("/api/availability", params={"days": DAYS, "hours_karo": hours, "hours_lack": 2})
    assert answer.status_code == 200, answer.text
    assert answer.json()["basis"]["orders"] == ORDERS, answer.text


def _add_up(database: apsw.Connection) -> float:
    rows = database.execute(_SELECT, (orders.SHOP,)).fetchall()
    karo = USED_FIELDS.index("est_hours_karo")
    assert len(rows) == ORDERS
    return sum(row[karo] for row in rows)  # type: ignore[misc]


def _measure(work: Callable[[], object]) -> float:
    """Milliseconds, the median."""
    took = []
    for turn in range(ROUNDS + WARM_UP):
        began = time.perf_counter()
        work()
        if turn >= WARM_UP:
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000
