from __future__ import annotations

from typing import Any

import pytest

from planso_connector.sandbox import Sandbox
from tests.service import Service

IDS = sorted(Sandbox().order_ids())


def ids(service: Service, **params: Any) -> list[int]:
    answer = service.http.get("/api/orders", params=params)
    assert answer.status_code == 200, answer.text
    return [order["id"] for order in answer.json()["orders"]]


def test_the_mirror_holds_every_order(service: Service) -> None:
    """After the first sync every order of PlanSo is here, and pages of any size lose and double none."""
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
    """Orders come by shop_date, newest first, those without one last, then by id."""
    page = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
    keys = [((order["shop_date"] or "")[:10], order["id"]) for order in page]
    assert keys == sorted(keys, key=lambda key: ([-ord(c) for c in key[0]] or [0], key[1]))


@pytest.mark.parametrize("plate", ["WN-AE 2309", "wnae2309", "WN AE2309", "WN-AE"])
def test_a_plate_is_found_however_it_is_written(service: Service, plate: str) -> None:
    """Any writing of the plate, or its beginning, finds order 123."""
    assert 123 in ids(service, plate=plate)


def test_a_phone_number_is_found_however_it_is_written(service: Service) -> None:
    """National and international writings find the same orders."""
    phone = service.order(123)["phone"]
    digits = "".join(c for c in phone if c.isdigit())
    found = ids(service, phone=phone)
    assert 123 in found
    assert found == ids(service, phone=digits) == ids(service, phone=f"+49{digits.lstrip('0')}")


def test_filters_are_combined_with_and(service: Service) -> None:
    """Each filter holds for each order found, and two together find what both find."""
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


def test_dates_bound_inclusively(service: Service) -> None:
    """after and before take German or ISO days, and include them."""
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
def test_a_question_that_makes_no_sense_is_422(service: Service, params: dict[str, str]) -> None:
    """A filter that can't be understood is named, never guessed at or dropped."""
    answer = service.http.get("/api/orders", params=params)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", *params]


@pytest.mark.parametrize("wild", ["%", "_", "*", "\\", "'", '"', "%%%", "() OR 1=1"])
def test_wildcards_are_letters_like_others(service: Service, wild: str) -> None:
    """What databases take for wildcards or quotes finds nothing but itself."""
    assert ids(service, plate=wild) == []
    assert all(wild in (service.order(found)["person"] or "") for found in ids(service, person=wild))


def test_parts_are_plansos(service: Service) -> None:
    """Every order's parts are PlanSo's, in its order, and `missing` counts those that are."""
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


def test_a_sync_sees_what_the_workshop_changed(service: Service) -> None:
    """After a sync the mirror has the workshop's edits; archived orders leave the list and can still be read."""
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
    """The probes answer; the login with PlanSo can be asked for and tried."""
    assert service.http.get("/health/live").json() == {"success": True, "message": ""}
    ready = service.http.get("/health/ready")
    assert (ready.status_code, ready.json()["state"]) == (200, "ready")
    assert service.http.get("/api/auth/status").json()["state"] == "logged_in"
    assert service.http.post("/api/auth/login").json()["success"] is True
    mine = {"username": service.sandbox.installation.username, "password": service.sandbox.installation.password}
    assert service.http.post("/api/auth/login", json=mine).status_code == 200


def test_docs_need_no_other_host(service: Service) -> None:
    """/docs and all it loads come from the connector itself."""
    page = service.http.get("/docs")
    assert page.status_code == 200
    assert "//cdn" not in page.text
    assert "https://" not in page.text.replace("https://reit", "")
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
        assert service.http.get(f"/docs/{name}").status_code == 200


def test_a_list_cut_short_is_not_believed(sandbox_service: Service) -> None:
    """A list that lacks most orders archives none; the status is `failed` and says why; the next good run recovers."""
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


def test_one_bad_form_leaves_the_others_alone(sandbox_service: Service) -> None:
    """An order that answers with an empty form keeps its row and is named; the run is good for the others."""
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
    assert service.settled(accepted)["state"] == "confirmed"
    assert service.sandbox.value(first, "Fahrername") == "Später Gesendet"


@pytest.fixture
def sandbox_service(tmp_path: Any) -> Any:
    """A small workshop of its own, for tests that break it."""
    from tests.service import connected

    with connected(tmp_path, Sandbox(orders=30)) as running:
        yield running
