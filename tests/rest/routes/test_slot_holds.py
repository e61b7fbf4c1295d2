"""Holds of slots, and what a write to a full day is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import bindparam, update

from planso_connector.domain.clock import Instant
from planso_connector.domain.german_formats import BERLIN
from planso_connector.sandbox import Sandbox
from planso_connector.store.engine.database import Transaction
from planso_connector.store.tables import slot_holds
from tests.databases import Store
from tests.service import Service, running, settings_for

CAPACITY: dict[str, Any] = {
    "weekdays": {name: {} for name in ("mo", "tu", "we", "th", "fr", "sa", "su")},
    "estimate": {"per_day": 4, "per_slot": 1, "slots": ["09:00-09:30", "09:30-10:00"]},
    "drop_off": {"per_day": 1},
    "horizon_days": 366,
    "exceptions": [{"from": "2020-01-01", "to": "2040-01-01", "karo": 40}],  # no holidays
}
ORDERS = 30
IDS = sorted(Sandbox(orders=ORDERS).order_ids())
EXPIRE = (
    update(slot_holds)
    .where(slot_holds.c.workshop == bindparam("of_workshop"), slot_holds.c.id == bindparam("of_id"))
    .values(expires_at=bindparam("at"))
)


@pytest.fixture(scope="module", autouse=True)
def capacity(service: Service) -> None:
    """Every order says something of the dates that count."""
    for order_id in IDS:
        service.sandbox.edit_field(order_id, "Werkstattstart", f"{day(300):%d.%m.%Y}")
    service.sandbox.edit_field(IDS[0], "Besichtigung", f"{day(1):%d.%m.%Y}")
    service.sync(full="true")
    assert service.http.put("/api/capacity", json=CAPACITY).status_code == 200


def day(ahead: int) -> date:
    return datetime.now(BERLIN).date() + timedelta(days=ahead)


def hold(http: httpx2.Client, call: str, ahead: int, **more: Any) -> httpx2.Response:
    body = {"date": day(ahead).isoformat(), "kind": "estimate", "slot": "09:00-09:30", **more}
    return http.post("/api/availability/holds", json=body, headers={"X-Call-Id": call})


def book(service: Service, order_id: int, hold_id: str | None, **fields: str) -> httpx2.Response:
    headers = {} if hold_id is None else {"Availability-Hold": hold_id}
    return service.http.put(f"/api/orders/{order_id}", json={"order_id": order_id, **fields}, headers=headers)


def level(service: Service, ahead: int) -> str:
    query = {"from": day(ahead).isoformat(), "days": "1", "kind": "estimate"}
    found: str = service.http.get("/api/availability", params=query).json()["days"][0]["slots"][0]["level"]
    return found


def test_a_hold_keeps_the_slot_for_its_call(service: Service) -> None:
    """Nobody else gets it; the call's next hold gives it back, and so does DELETE."""
    first = hold(service.http, "a", 20)
    assert first.status_code == 200, first.text
    assert level(service, 20) == "full"
    other = hold(service.http, "b", 20)
    assert (other.status_code, other.json()["message"].partition(".")[0]) == (
        409,
        f"estimate_date: {day(20)} 09:00-09:30 is full (1 booked)",
    )
    alternatives = other.json()["alternatives"]
    assert (len(alternatives), alternatives[0]["slots"]) == (3, ["09:00-09:30", "09:30-10:00"])
    second = hold(service.http, "a", 21)
    assert (level(service, 20), level(service, 21)) == ("free", "full")
    given_back = service.http.delete(f"/api/availability/holds/{second.json()['hold_id']}")
    assert (given_back.status_code, level(service, 21)) == (200, "free")
    assert service.http.delete(f"/api/availability/holds/{first.json()['hold_id']}").status_code == 404


def test_a_booking_takes_the_hold_up(service: Service) -> None:
    """Once; the booking then has the place. A hold of another time than the booking's is named."""
    hold_id = hold(service.http, "c", 30).json()["hold_id"]
    wrong = book(service, IDS[1], hold_id, estimate_date=f"{day(31)}")
    assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["header", "Availability-Hold"])
    nothing = book(service, IDS[1], hold_id, remarks="Ohne Termin")
    assert (nothing.status_code, nothing.json()["detail"][0]["loc"]) == (422, ["header", "Availability-Hold"])
    dry = service.http.put(
        f"/api/orders/{IDS[1]}",
        params={"dry_run": "true"},
        json={"order_id": IDS[1], "estimate_date": f"{day(30)} 09:15"},
        headers={"Availability-Hold": hold_id},
    )
    assert dry.status_code == 200, dry.text
    done = book(service, IDS[1], hold_id, estimate_date=f"{day(30)} 09:15")
    assert (done.status_code, done.json()["message"]) == (200, "")
    assert level(service, 30) == "full"
    again = book(service, IDS[2], hold_id, estimate_date=f"{day(30)} 09:15")
    assert (again.status_code, len(again.json()["alternatives"])) == (409, 3)


def test_a_hold_that_has_run_out_books_nothing(service: Service) -> None:
    """409 with the nearest alternatives, and the order stays as it is."""
    hold_id = hold(service.http, "d", 40).json()["hold_id"]
    past = Instant("2026-01-01T00:00:00.000000Z")

    def expire(tx: Transaction) -> None:
        assert tx.execute(EXPIRE, of_id=hold_id, at=past) == 1

    service.write_database(expire)
    answer = book(service, IDS[3], hold_id, estimate_date=f"{day(40)} 09:00")
    assert (answer.status_code, len(answer.json()["alternatives"])) == (409, 3)
    assert answer.json()["message"].startswith(f"Availability-Hold: {hold_id} has run out")
    assert service.order(IDS[3])["estimate_date"] is None


def test_a_write_to_a_full_day(service: Service) -> None:
    """It is done, and `message` says so, unless the date was there before; with `handling=strict` it is 409."""
    target = day(50).isoformat()
    first = service.put(IDS[4], shop_date=target)
    assert (first.status_code, first.json()["message"]) == (200, "")
    second = service.put(IDS[5], shop_date=target)
    assert second.status_code == 200
    assert second.json()["message"].startswith(f"shop_date: {target} is full")
    assert service.order(IDS[5])["shop_date"] == target
    assert service.put(IDS[5], shop_date=target, remarks="x").json()["message"] == ""
    strict = service.http.put(
        f"/api/orders/{IDS[6]}", json={"order_id": IDS[6], "shop_date": target}, headers={"Prefer": "handling=strict"}
    )
    assert strict.status_code == 409, strict.text
    assert [one["date"] for one in strict.json()["alternatives"]] == [str(day(ahead)) for ahead in (49, 51, 52)]
    assert service.order(IDS[6])["shop_date"] == str(day(300))


@pytest.mark.parametrize(
    ("change", "field"),
    [({"slot": "08:00-09:00"}, "slot"), ({"slot": ""}, "slot"), ({"date": "morgen"}, "date"), ({"kind": "x"}, "kind")],
)
def test_a_wrong_hold_is_named(service: Service, change: dict[str, str], field: str) -> None:
    """With the member and what is accepted."""
    answer = hold(service.http, "e", 60, **change)
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", field]), answer.text


def test_two_calls_never_get_the_last_slot(database_url: str, store: Store) -> None:
    """Eight calls at two connectors on one database ask at once for the same slot, five times: one gets it."""
    sandbox = Sandbox(orders=3)
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, database_url)
        with running(settings, sandbox) as first, running(settings, sandbox) as second:
            first.wait_for_sync()
            assert first.http.put("/api/capacity", json=CAPACITY).status_code == 200
            for attempt in range(5):
                barrier = threading.Barrier(8)

                def ask(number: int, ahead: int = 70 + attempt, barrier: threading.Barrier = barrier) -> int:
                    barrier.wait()
                    return hold((first, second)[number % 2].http, f"call {number}", ahead).status_code

                with ThreadPoolExecutor(8) as threads:
                    assert sorted(threads.map(ask, range(8))) == [200, *[409] * 7]
