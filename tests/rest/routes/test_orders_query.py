"""GET /api/orders: sorting, total, fields and pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planso_connector.sandbox import Sandbox
from tests.service import Service, running, settings_for


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("query")
    sandbox = Sandbox(orders=80)
    with sandbox.serve() as url, running(settings_for(sandbox, url, f"sqlite:///{folder}/c.db"), sandbox) as started:
        started.wait_for_sync()
        yield started


def query_orders(service: Service, **query: object) -> dict[str, Any]:
    answer = service.http.get("/api/orders", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def query_all_pages(service: Service, **query: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = query_orders(service, **query, **({"cursor": cursor} if cursor else {}))
        found += page["orders"]
        cursor = page["next_cursor"]
    return found


@pytest.mark.parametrize("sort", ["shop_date", "-shop_date", "finish_date", "-finish_date", "id", "-id"])
def test_every_sort_pages_through_all_orders_once(service: Service, sort: str) -> None:
    """Pages of seven together are the one long page; sorted by day, orders without one last, then by id."""
    whole = query_orders(service, sort=sort, limit=500)["orders"]
    assert [order["id"] for order in query_all_pages(service, sort=sort, limit=7)] == [order["id"] for order in whole]
    assert len(whole) == query_orders(service, total="true", limit=1)["total"]
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    if name == "id":
        assert [order["id"] for order in whole] == sorted((order["id"] for order in whole), reverse=descending)
        return
    days = [(order[name] or "")[:10] for order in whole]
    dated = [day for day in days if day]
    assert days == sorted(dated, reverse=descending) + [""] * (len(days) - len(dated))


def test_the_total_is_the_same_on_every_page(service: Service) -> None:
    """`total` counts what matches, not what the page shows, and is absent unless asked for."""
    first = query_orders(service, limit=3, total="true", status="In Arbeit")
    assert first["total"] == len(query_all_pages(service, limit=3, status="In Arbeit")) > 3
    second = query_orders(service, limit=3, total="true", status="In Arbeit", cursor=first["next_cursor"])
    assert second["total"] == first["total"]
    assert "total" not in query_orders(service, limit=3)


def test_fields_select_members(service: Service) -> None:
    """The requested members, as in the whole order, and the id; an unknown member is 422."""
    whole = query_orders(service, limit=20)["orders"]
    less = query_orders(service, limit=20, fields="plate, shop_date")["orders"]
    assert less == [{"id": o["id"], "plate": o["plate"], "shop_date": o["shop_date"]} for o in whole]
    refused = service.http.get("/api/orders", params={"fields": "plate,kennzeichen"})
    assert refused.status_code == 422
    assert "'kennzeichen' is not a member" in refused.json()["message"]


def test_a_plate_is_found_by_any_part(service: Service) -> None:
    """Every part, from one character on, finds what a scan of all plates finds; in the same order."""
    orders = query_orders(service, limit=500)["orders"]
    plates = {o["id"]: "".join(c for c in (o["plate"] or "").upper() if c.isalnum()) for o in orders}
    for key in sorted(filter(None, plates.values()))[:6]:
        for length in range(1, len(key) + 1):
            part = key[len(key) - length :]
            expected = [o["id"] for o in orders if part in plates[o["id"]]]
            assert [o["id"] for o in query_orders(service, plate=part, limit=500)["orders"]] == expected


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"sort": "plate"}, "sort"),
        ({"limit": "0"}, "limit"),
        ({"archived": "vielleicht"}, "archived"),
        ({"after": "31.02.2026"}, "after"),
        ({"plate": "x" * 201}, "plate"),
        ({"cursor": "nicht von hier"}, "cursor"),
    ],
)
def test_an_invalid_parameter_is_named(service: Service, query: dict[str, str], name: str) -> None:
    """422 with the parameter and what is wrong."""
    answer = service.http.get("/api/orders", params=query)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", name]
    assert answer.json()["message"].startswith(f"{name}: ")
