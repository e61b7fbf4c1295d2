"""What is planned, from orders and pending writes, and the workshop's capacity."""

from __future__ import annotations

from dataclasses import replace

from planso_connector.domain.operation import Action, Operation
from planso_connector.store import capacities, operations, orders, planned_orders
from planso_connector.store.capacities import StoredCapacity
from tests.databases import Store
from tests.store.samples import OTHER_SHOP, at, order


def test_current_orders_with_their_pending_writes(store: Store) -> None:
    """As they will be: changed, created; archived and deleted ones are left out, and another workshop's."""

    def fill(number: int, *, archived: bool = False) -> None:
        one = replace(order(number), archived=archived)
        store.write(lambda tx: orders.save(tx, one, read_at=at(1), now=at(1)))

    for number in (1, 2, 3):
        fill(number)
    fill(4, archived=True)
    store.write(lambda tx: orders.mark_deleted(tx, 3, now=at(2), read_at=at(2)))
    other = store.for_workshop(OTHER_SHOP)
    other.write(lambda tx: orders.save(tx, order(5), read_at=at(1), now=at(1)))

    def record(name: str, second: int, number: int | None, action: Action, **requested: str | float) -> None:
        operation = Operation(name, action, number, requested, created_at=at(second), next_at=at(second))
        store.write(lambda tx: operations.record(tx, operation))

    record("op_1", 3, 2, Action.UPDATE, shop_date="2026-12-10", person="Neu")
    record("op_2", 4, 2, Action.UPDATE, shop_date="2026-12-11")
    record("op_3", 5, None, Action.CREATE, estimate_date="2026-12-12", est_hours_karo=2.5)

    found = store.read(planned_orders.list_current)

    assert [(one.get("id"), one.get("shop_date"), one["est_hours_karo"]) for one in found] == [
        (1, "2026-12-08", 11.3),
        (2, "2026-12-11", 11.3),
        (None, None, 2.5),
    ]
    assert found[2]["estimate_date"] == "2026-12-12"
    assert "person" not in found[1]


def test_each_workshop_has_its_own_capacity(store: Store) -> None:
    """The last one that was set."""
    other = store.for_workshop(OTHER_SHOP)
    for number in (1, 2):
        stored = StoredCapacity(f'{{"number":{number}}}', at(number), "office")
        store.write(lambda tx, stored=stored: capacities.save(tx, stored))  # type: ignore[misc]
    assert store.read(capacities.get) == StoredCapacity('{"number":2}', at(2), "office")
    assert other.read(capacities.get) is None
