"""Workshops never see each other's rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from planso_connector.domain.clock import Instant
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.order import PLATE
from planso_connector.store import (
    access_log,
    api_keys,
    history,
    idempotency_keys,
    last_seen,
    leases,
    operations,
    orders,
    rejected_logins,
    search,
    sections,
    sync_runs,
    unreadable_pages,
)
from planso_connector.store.access_log import Access
from planso_connector.store.api_keys import ApiKey
from planso_connector.store.engine.database import Transaction
from planso_connector.store.search import OrderFilters
from planso_connector.store.sync_runs import RunState
from tests.databases import Store
from tests.store.filled_workshop import ID, fill, keep
from tests.store.samples import OTHER_SHOP, SHOP, at, order

READS: dict[str, Callable[[Transaction], Any]] = {
    "get": lambda tx: orders.get(tx, ID),
    "load": lambda tx: orders.load(tx, ID),
    "load_identifying": lambda tx: orders.load_identifying(tx, ID),
    "parts_of": lambda tx: orders.get_parts(tx, ID),
    "ids": lambda tx: (orders.list_ids(tx), orders.list_ids(tx, archived=True)),
    "is_any": orders.has_any,
    "last_seen": last_seen.get_all,
    "find": lambda tx: search.find_orders(tx, OrderFilters()).documents,
    "find archived": lambda tx: search.find_orders(tx, OrderFilters(archived=True)).documents,
    "operation": lambda tx: operations.get(tx, "op_1"),
    "operations": lambda tx: operations.list_page(tx, state=OperationState.PENDING),
    "operations of one order": lambda tx: operations.list_page(tx, order_id=ID),
    "orders pending": operations.list_pending_orders,
    "orders created": operations.list_created_orders,
    "any due": lambda tx: tx.workshop in operations.list_due_workshops(tx, now=at(2)),
    "any due when the claim is over": lambda tx: tx.workshop in operations.list_due_workshops(tx, now=at(100)),
    "first seen before": lambda tx: orders.list_ids_first_seen_before(tx, at(9)),
    "same plate and time": lambda tx: search.find_overlapping_orders(tx, {PLATE: "WN-AE 2309"}),
    "history of the order": lambda tx: history.list_entries(tx, ID, below=99, limit=9),
    "last": sync_runs.get_last,
    "last_success": sync_runs.get_last_success,
    "history": sync_runs.list_latest,
    "resumable": sync_runs.get_resumable,
    "remembered": rejected_logins.get,
    "holder": lambda tx: leases.find_holder(tx, "sync", now=at(2)),
    "section": lambda tx: sections.get(tx, ID, "work"),
    "section names": lambda tx: sections.list_names(tx, ID),
    "section readings": sections.read_at_by_order,
    "kept pages": unreadable_pages.list_all,
    "key": lambda tx: api_keys.get(tx, "0123456789"),
    "keys": api_keys.list_all,
    "any key": api_keys.has_any,
    "access_log": lambda tx: access_log.list_entries(tx, order_id=ID, caller="0123456789", limit=9),
}


def forget(tx: Transaction) -> int:
    """Both workshops' kept pages are named."""
    mine, ids = tx.workshop, []
    for workshop in (SHOP, OTHER_SHOP):
        tx.use_workshop(workshop)
        ids += [page.id for page in unreadable_pages.list_all(tx)]
    tx.use_workshop(mine)
    return unreadable_pages.delete_pages(tx, ids)


def snapshot(store: Store, shop: str) -> dict[str, Any]:
    return store.for_workshop(shop).read(lambda tx: {name: read(tx) for name, read in READS.items()})


WRITES: dict[str, Callable[[Transaction, str], object]] = {
    "save": lambda tx, _run: orders.save(tx, order(ID), read_at=at(2), now=at(2), list_fingerprint="x"),
    "seen": lambda tx, _run: last_seen.mark_seen(tx, [ID], now=at(2)),
    "archive": lambda tx, _run: orders.archive(tx, [ID], now=at(2)),
    "mark_deleted": lambda tx, _run: orders.mark_deleted(tx, ID, now=at(2), read_at=at(2)),
    "record": lambda tx, _run: operations.record(tx, Operation("op_2", Action.DELETE, ID, {}, created_at=at(2))),
    "forget key": lambda tx, _run: (
        operations.settle(tx, "op_1", holder="x", state=OperationState.REFUSED, now=at(2)),
        idempotency_keys.find_operation(tx, "", "key", now=Instant("2027-01-01T00:00:00.000000Z")),
    ),
    "claim": lambda tx, _run: operations.claim(tx, holder="y", now=at(600), until=at(700), at_most=9),
    "renew claim": lambda tx, _run: operations.renew(tx, ["op_1"], holder="x", now=at(2), until=at(200)),
    "mark sent": lambda tx, _run: operations.mark_sent(tx, "op_1", holder="x", now=at(2), before=None, sent=None),
    "release claims": lambda tx, _run: operations.release(tx, holder="x"),
    "put back": lambda tx, _run: operations.postpone(tx, "op_1", holder="x", next_at=at(99), message="?", sent_at=None),
    "settle": lambda tx, _run: operations.settle(tx, "op_1", holder="x", state=OperationState.CONFIRMED, now=at(2)),
    "cancel": lambda tx, _run: operations.cancel(tx, "op_3", now=at(2), message="", failure={}),
    "progress": lambda tx, run: sync_runs.record_progress(tx, run, now=at(2), done=5),
    "finish": lambda tx, run: sync_runs.finish(tx, run, state=RunState.DONE, now=at(2)),
    "abandon": lambda tx, _run: sync_runs.interrupt_running(tx, now=at(2)),
    "add key": lambda tx, _run: api_keys.add(tx, ApiKey("00", "x", frozenset(), "x", at(2))),
    "revoke key": lambda tx, _run: api_keys.revoke(tx, "0123456789", now=at(2)),
    "rotate key": lambda tx, _run: api_keys.rotate(tx, "0123456789", digest="x", previous_until=at(2), expires_at=None),
    "use key": lambda tx, _run: api_keys.record_use(tx, {"0123456789": at(2)}),
    "record access": lambda tx, _run: access_log.record(tx, [Access(at(2), "0123456789", "x", (ID,))]),
    "remember": lambda tx, _run: rejected_logins.save(tx, "x", at(2)),
    "forget": lambda tx, _run: rejected_logins.clear(tx),
    "acquire": lambda tx, _run: leases.acquire(tx, "sync", holder="x", now=at(9), until=at(20)),
    "renew": lambda tx, _run: leases.renew(tx, "sync", holder=tx.workshop, now=at(1), until=at(2)),
    "release": lambda tx, _run: leases.release(tx, "sync", holder=tx.workshop),
    "save section": lambda tx, _run: sections.save(tx, ID, "work", "{}", read_at=at(2), now=at(2)),
    "keep": lambda tx, _run: keep(tx, second=2),
    "keep another": lambda tx, _run: keep(tx, ID + 1, 2),
    "forget kept": lambda tx, _run: forget(tx),
}


@pytest.mark.parametrize("name", WRITES)
def test_what_one_workshop_does_the_other_does_not_see(store: Store, name: str) -> None:
    """With the same order ids, each write changes its own workshop and nothing that the other can read."""
    run = store.for_workshop(SHOP).write(fill)
    store.for_workshop(OTHER_SHOP).write(fill)
    mine, other = snapshot(store, SHOP), snapshot(store, OTHER_SHOP)

    store.for_workshop(SHOP).write(lambda tx: WRITES[name](tx, run))

    assert snapshot(store, OTHER_SHOP) == other
    assert snapshot(store, SHOP) != mine


def test_each_workshop_reads_its_own(store: Store) -> None:
    """With the same order ids, every read shows the asking workshop's rows; a third one has none."""
    for shop in (SHOP, OTHER_SHOP):
        store.for_workshop(shop).write(fill)

    for shop in (SHOP, OTHER_SHOP):
        (order,) = store.for_workshop(shop).read(partial(search.find_orders, filters=OrderFilters())).documents
        told = json.loads(order.document)
        assert told["person"] == told["pending"][0]["asked"]["person"] == shop
        assert [entry["operation_id"] for entry in told["pending"]] == ["op_1"]
    nothing = snapshot(store, "nobody")
    assert [name for name, value in nothing.items() if value not in (None, 0, [], {}, set(), (set(), set()))] == []
