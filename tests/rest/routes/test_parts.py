"""An order's parts, on an installation with the second markup of parts pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planso_connector.sandbox import Installation, Sandbox
from tests.service import Service, running_on_sqlite

SAYS_MISSING = ("E-Teile offen", "E-Teile Rückstand")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    path: Path = tmp_path_factory.mktemp("parts")
    with running_on_sqlite(path, Sandbox(orders=60, installation=Installation(parts_markup="second"))) as service:
        yield service


def get(service: Service, order_id: int, what: str) -> dict[str, Any]:
    answer = service.http.get(f"/api/orders/{order_id}/{what}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_missing_parts_follow_from_rows_or_from_the_status(service: Service) -> None:
    """From the status alone where no row is missing; with `ohne E-Teile` none is."""
    by_status = 0
    for order_id in service.sandbox.order_ids():
        order, answer = service.order(order_id), get(service, order_id, "parts")
        status = order["fields"]["E-Teile Status"]
        rows = [part["missing"] for part in service.sandbox.parts(order_id)]
        assert [part["is_missing"] for part in answer["parts"]] == rows
        assert answer["missing"] == sum(rows)
        assert order["missing_parts"] is (status != "ohne E-Teile" and (any(rows) or status in SAYS_MISSING))
        found = get(service, order_id, "progress")["progress"]
        if status in SAYS_MISSING and not any(rows):
            by_status += 1
            assert found["parts"]["missing"] is None
            assert found["promised"]["holds"] is not True or found["can_be_fetched"]["value"] is True
        else:
            assert found["parts"]["missing"] == (0 if status == "ohne E-Teile" else sum(rows))
    assert by_status > 1
    missing = service.http.get("/api/orders", params={"missing_parts": "true", "limit": 500}).json()["orders"]
    assert {order["id"] for order in missing} == {
        order_id for order_id in service.sandbox.order_ids() if service.order(order_id)["missing_parts"]
    }


def test_an_order_date_makes_no_part_late(service: Service) -> None:
    """`01.11.2026 / -` has an order date and no delivery date: nothing is expected, so nothing is late."""
    ordered = 0
    for order_id in service.sandbox.order_ids():
        parts = get(service, order_id, "parts")["parts"]
        for part, real in zip(parts, service.sandbox.parts(order_id), strict=True):
            assert bool(part["order_date"]) is bool(real["ordered_on"])
            assert bool(part["delivery_date"]) is bool(real["delivered_on"])
            ordered += bool(part["order_date"] and not part["delivery_date"] and part["is_missing"])
        found = get(service, order_id, "progress")["progress"]
        assert found["parts"]["late"] == []
        assert found["parts"]["next_expected"] is None
        assert found["promised"]["reason"] not in ("part_overdue", "part_expected_later", "part_on_the_day")
    assert ordered > 5


def test_parts_deleted_in_planso_leave_the_mirror(service: Service) -> None:
    """`Keine Ersatzteile bekannt` is an empty table: the mirror keeps no old part."""
    order_id = next(i for i in service.sandbox.order_ids() if len(service.sandbox.parts(i)) > 2)
    other = next(i for i in service.sandbox.order_ids() if not service.sandbox.parts(i))
    assert get(service, other, "parts")["count"] == 0
    service.sandbox._workshop.get_order(order_id).parts.clear()  # noqa: SLF001 - somebody deleted them in PlanSo

    assert service.http.get(f"/api/orders/{order_id}", params={"max_age": "0"}).json()["message"] == ""

    assert get(service, order_id, "parts")["parts"] == []
