"""Reading orders, parts, health and docs from a filled mirror."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planso_connector.sandbox import Sandbox
from tests.service import Service, running_on_sqlite

IDS = sorted(Sandbox().order_ids())


def ids(service: Service, **params: Any) -> list[int]:
    answer = service.http.get("/api/orders", params=params)
    assert answer.status_code == 200, answer.text
    return [order["id"] for order in answer.json()["orders"]]


def test_the_mirror_holds_every_order(service: Service) -> None:
    """After the first sync every order of PlanSo is here; pages lose and repeat none."""
    found: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"limit": "37"} | ({"cursor": cursor} if cursor else {})
        page = service.http.get("/api/orders", params=params).json()
        assert page["count"] == len(page["orders"]) <= 37
        found += [order["id"] for order in page["orders"]]
        cursor = page["next_cursor"]
    assert sorted(found) == service.sandbox.order_ids()
    assert len(found) >= 250


def test_newest_shop_date_first(service: Service) -> None:
    """Then by id; orders without a shop_date come last."""
    page = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
    keys = [((order["shop_date"] or "")[:10], order["id"]) for order in page]
    assert keys == sorted(keys, key=lambda key: ([-ord(c) for c in key[0]] or [0], key[1]))


@pytest.mark.parametrize("plate", ["WN-AE 2309", "wnae2309", "WN AE2309", "WN-AE"])
def test_any_notation_of_a_plate_finds_it(service: Service, plate: str) -> None:
    """Or its beginning."""
    assert 123 in ids(service, plate=plate)


def test_any_notation_of_a_phone_number_finds_it(service: Service) -> None:
    """National and international notations find the same orders."""
    phone = service.order(123)["phone"]
    digits = "".join(c for c in phone if c.isdigit())
    found = ids(service, phone=phone)
    assert 123 in found
    assert found == ids(service, phone=digits) == ids(service, phone=f"+49{digits.lstrip('0')}")


def test_filters_are_combined_with_and(service: Service) -> None:
    """Each filter holds for each order found; two together find the intersection."""
    every = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
    order = service.order(123)
    by_damage = ids(service, damage=order["damage"], limit=500)
    by_station = ids(service, station=order["station_id"], limit=500)
    assert by_damage == [o["id"] for o in every if o["damage"] == order["damage"]]
    assert by_station == [o["id"] for o in every if o["station_id"] == order["station_id"]]
    both = ids(service, damage=order["damage"], station=order["station_id"], limit=500)
    assert both == [i for i in by_damage if i in set(by_station)]
    missing = ids(service, missing_parts="true", limit=500)
    assert missing == [o["id"] for o in every if o["missing_parts"]]
    assert 123 in ids(service, text="petersen golf")
    assert ids(service, person="petersen", plate="X-XX 1") == []


def test_date_bounds_are_inclusive(service: Service) -> None:
    """`after` and `before` take German and ISO days."""
    every = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
    days = sorted(o["shop_date"][:10] for o in every if o["shop_date"])
    low, high = days[len(days) // 3], days[2 * len(days) // 3]
    german = f"{low[8:]}.{low[5:7]}.{low[:4]}"
    expected = {o["id"] for o in every if o["shop_date"] and low <= o["shop_date"][:10] <= high}
    assert set(ids(service, after=german, before=high, limit=500)) == expected
    assert expected


@pytest.mark.parametrize(
    "params",
    [{"limit": "0"}, {"limit": "501"}, {"limit": "viele"}, {"after": "31.02.2026"}, {"missing_parts": "vielleicht"},
     {"cursor": "kaputt"}, {"plate": "A\x00"}, {"text": "x" * 201}],
)  # fmt: skip
def test_an_invalid_filter_is_422(service: Service, params: dict[str, str]) -> None:
    """It is named, never guessed or dropped."""
    answer = service.http.get("/api/orders", params=params)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", *params]


@pytest.mark.parametrize("wild", ["%", "_", "*", "\\", "'", '"', "%%%", "() OR 1=1"])
def test_wildcards_are_ordinary_characters(service: Service, wild: str) -> None:
    """What databases take for wildcards or quotes finds only itself."""
    assert ids(service, plate=wild) == []
    assert all(wild in (service.order(found)["person"] or "") for found in ids(service, person=wild))


def test_parts_are_those_of_planso(service: Service) -> None:
    """In PlanSo's order; `missing` counts the missing ones."""
    seen = 0
    for order_id in service.sandbox.order_ids()[:60]:
        answer = service.http.get(f"/api/orders/{order_id}/parts").json()
        assert answer["success"] is True
        theirs = service.sandbox.parts(order_id)
        assert answer["count"] == len(answer["parts"]) == len(theirs)
        assert answer["missing"] == sum(part["is_missing"] for part in answer["parts"])
        assert all(part["order_id"] == order_id for part in answer["parts"])
        seen += len(theirs)
    assert seen > 60


def test_an_order_shows_every_label(service: Service) -> None:
    """`fields` holds PlanSo's labels and values; the ETag names the version."""
    answer = service.http.get("/api/orders/123")
    order = answer.json()["order"]
    assert answer.headers["ETag"] == f'"{order["version"]}"'
    assert order["fields"]["Kennzeichen"] == "WN-AE 2309"
    assert order["fields"]["Fahrername"] == order["person"] == service.sandbox.value(123, "Fahrername")
    assert order["vehicle"]["vin"] == order["vehicle_details"]["vin"]


def test_a_sync_reads_the_workshops_edits(service: Service) -> None:
    """Archived orders leave the list and can still be read; an unchanged order has no new version."""
    service.sandbox.edit_field(IDS[100], "Fahrername", "Frisch Geändert")
    service.sandbox.archive(IDS[101])
    version = service.order(IDS[100])["version"]
    status = service.sync()
    assert (status["state"], status["last_result"]["state"]) == ("idle", "done")
    order = service.order(IDS[100])
    assert (order["person"], order["version"]) == ("Frisch Geändert", version + 1)
    assert service.order(IDS[101])["archived"] is True
    assert IDS[101] not in ids(service, limit=500)
    assert ids(service, archived="true") == [IDS[101]]
    again = service.sync()
    assert again["last_result"]["changed"] == 0
    assert service.order(IDS[100])["version"] == version + 1


def test_health_login_and_status(service: Service) -> None:
    """Probes answer; the PlanSo login can be queried and tried."""
    assert service.http.get("/health/live").json() == {"success": True, "message": ""}
    ready = service.http.get("/health/ready")
    assert (ready.status_code, ready.json()["state"]) == (200, "ready")
    assert service.http.get("/api/auth/status").json()["state"] == "logged_in"
    assert service.http.post("/api/auth/login").json()["success"] is True
    mine = {"username": service.sandbox.installation.username, "password": service.sandbox.installation.password}
    assert service.http.post("/api/auth/login", json=mine).status_code == 200


def test_docs_load_from_the_connector_alone(service: Service) -> None:
    """/docs and all it loads come from the connector itself."""
    page = service.http.get("/docs")
    assert page.status_code == 200
    assert "//cdn" not in page.text
    assert "https://" not in page.text.replace("https://reit", "")
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
        assert service.http.get(f"/docs/{name}").status_code == 200


def test_a_truncated_list_archives_nothing(sandbox_service: Service) -> None:
    """The run is `failed` and says why; the next good one recovers."""
    service = sandbox_service
    everything = service.sandbox.order_ids()
    for order_id in everything[5:]:
        service.sandbox.archive(order_id)
    status = service.sync()
    assert status["state"] == "failed"
    assert "nothing was archived" in status["message"]
    assert sorted(ids(service, limit=500)) == everything
    for order_id in everything[5:]:
        service.sandbox.unarchive(order_id)
    assert service.sync()["state"] == "idle"


def test_one_bad_form_fails_that_order_alone(sandbox_service: Service) -> None:
    """An order with an empty form keeps its row and is named; the others are read."""
    service = sandbox_service
    first, second = service.sandbox.order_ids()[:2]
    before = service.order(first)
    service.sandbox.knobs.empty_form_orders.add(first)
    service.sandbox.edit_field(second, "Fahrername", "Trotzdem Gelesen")
    status = service.sync(full="true")
    assert (status["state"], status["last_result"]["state"]) == ("idle", "done")
    assert "could not be read" in status["message"]
    assert status["last_result"]["failed"] == [{"order_id": first, "page": "form", "kind": "empty_form"}]
    assert service.order(first)["person"] == before["person"]
    assert service.order(second)["person"] == "Trotzdem Gelesen"
    body = {"order_id": first, "person": "Später Gesendet"}
    accepted = service.http.put(f"/api/orders/{first}", json=body, headers={"Prefer": "wait=1"})
    assert accepted.status_code == 202
    assert service.sandbox.value(first, "Fahrername") == (before["person"] or "")
    service.sandbox.knobs.empty_form_orders.clear()
    assert service.wait_until_settled(accepted)["state"] == "confirmed"
    assert service.sandbox.value(first, "Fahrername") == "Später Gesendet"


@pytest.fixture
def sandbox_service(tmp_path: Path) -> Iterator[Service]:
    """A small workshop of its own, for tests that break it."""
    with running_on_sqlite(tmp_path, Sandbox(orders=12)) as running:
        yield running
