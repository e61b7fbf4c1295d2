"""Workshops never see each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from planso_connector.domain.caller import Scope
from planso_connector.domain.operation import Action, Operation, State
from planso_connector.domain.order import PLATE
from planso_connector.store import (
    access_log,
    api_keys,
    history,
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
from planso_connector.store.api_keys import Key
from planso_connector.store.engine.database import Transaction
from planso_connector.store.search import Filters
from planso_connector.store.sync_runs import RunKind, RunState
from tests.databases import Store
from tests.store.samples import OTHER_SHOP, SHOP, at, order, part

ID = 123

READS: dict[str, Callable[[Transaction, str], Any]] = {
    "get": lambda tx, shop: orders.get(tx, shop, ID),
    "load": lambda tx, shop: orders.load(tx, shop, ID),
    "parts_of": lambda tx, shop: orders.parts_of(tx, shop, ID),
    "ids": lambda tx, shop: (orders.ids(tx, shop), orders.ids(tx, shop, archived=True)),
    "is_any": orders.is_any,
    "sightings": last_seen.all,
    "find": lambda tx, shop: search.find(tx, shop, Filters()).documents,
    "find archived": lambda tx, shop: search.find(tx, shop, Filters(archived=True)).documents,
    "operation": lambda tx, shop: operations.get(tx, shop, "op_1"),
    "operations": lambda tx, shop: operations.page(tx, shop, state=State.PENDING),
    "operations of one order": lambda tx, shop: operations.page(tx, shop, order_id=ID),
    "orders pending": operations.orders_pending,
    "orders created": operations.created,
    "any due": lambda tx, shop: operations.is_any_due(tx, shop, now=at(2)),
    "any due when the claim is over": lambda tx, shop: operations.is_any_due(tx, shop, now=at(100)),
    "first seen before": lambda tx, shop: orders.first_seen_before(tx, shop, at(9)),
    "same plate and time": lambda tx, shop: search.same_plate_and_time(tx, shop, {PLATE: "WN-AE 2309"}),
    "history of the order": lambda tx, shop: history.page(tx, shop, ID, below=99, limit=9),
    "last": sync_runs.last,
    "last_success": sync_runs.last_success,
    "history": sync_runs.history,
    "resumable": sync_runs.resumable,
    "remembered": rejected_logins.remembered,
    "holder": lambda tx, shop: leases.holder(tx, shop, "sync", now=at(2)),
    "section": lambda tx, shop: sections.get(tx, shop, ID, "work"),
    "section names": lambda tx, shop: sections.names(tx, shop, ID),
    "section readings": sections.read_at_by_order,
    "kept pages": unreadable_pages.all,
    "key": lambda tx, shop: api_keys.get(tx, shop, "0123456789"),
    "keys": api_keys.all,
    "any key": api_keys.is_any,
    "accesses": lambda tx, shop: access_log.page(tx, shop, order_id=ID, caller="0123456789", limit=9),
}


def fill(tx: Transaction, shop: str) -> str:
    """A workshop's rows, with the same ids as the other's; the id of its run."""
    kept = order(ID, parts=(part(ID, description=shop),), values={"person": shop})
    orders.save(tx, shop, kept, read_at=at(1), now=at(1), list_fingerprint=shop)
    orders.save(tx, shop, replace(kept, short_name=shop), read_at=at(1), now=at(1), list_fingerprint=shop)
    operations.record(tx, shop, Operation("op_1", Action.UPDATE, ID, {"person": shop}, created_at=at(1)))
    operations.claim(tx, shop, holder="x", now=at(1), until=at(99), at_most=9)
    later = Operation("op_3", Action.UPDATE, ID + 1, {}, created_at=at(1), next_at=at(500))
    operations.record(tx, shop, replace(later, idempotency_key="key"))
    created = Operation("op_4", Action.CREATE, ID + 2, {}, State.CONFIRMED, created_at=at(1))
    operations.record(tx, shop, created)
    rejected_logins.remember(tx, shop, shop, at(1))
    leases.acquire(tx, shop, "sync", holder=shop, now=at(1), until=at(9))
    sections.save(tx, shop, ID, "work", f'"{shop}"', read_at=at(1), now=at(1))
    keep(tx, shop)
    api_keys.add(tx, shop, Key("0123456789", shop, frozenset({Scope.SYNC}), "digest", at(1)))
    access_log.record(tx, shop, [Access(at(1), "0123456789", shop, (ID,))])
    failed = sync_runs.start(tx, shop, now=at(0))
    sync_runs.finish(tx, shop, failed.id, state=RunState.FAILED, now=at(0))
    return sync_runs.start(tx, shop, now=at(1), kind=RunKind.INCREMENTAL).id


def keep(tx: Transaction, shop: str, order_id: int = ID, second: int = 1) -> None:
    unreadable_pages.keep(tx, shop, kind="form", order_id=order_id, reason="?", content=shop, now=at(second), at_most=1)


def forget(tx: Transaction, shop: str) -> int:
    """Both workshops' kept pages are named."""
    return unreadable_pages.forget(
        tx, shop, [page.id for one in (SHOP, OTHER_SHOP) for page in unreadable_pages.all(tx, one)]
    )


def snapshot(store: Store, shop: str) -> dict[str, Any]:
    return store.read(lambda tx: {name: read(tx, shop) for name, read in READS.items()})


WRITES: dict[str, Callable[[Transaction, str, str], object]] = {
    "save": lambda tx, shop, _run: orders.save(tx, shop, order(ID), read_at=at(2), now=at(2), list_fingerprint="x"),
    "seen": lambda tx, shop, _run: last_seen.seen(tx, shop, [ID], now=at(2)),
    "archive": lambda tx, shop, _run: orders.archive(tx, shop, [ID], now=at(2)),
    "mark_deleted": lambda tx, shop, _run: orders.mark_deleted(tx, shop, ID, now=at(2), read_at=at(2)),
    "record": lambda tx, shop, _run: operations.record(tx, shop, Operation("op_2", Action.DELETE, ID, {})),
    "forget key": lambda tx, shop, _run: (
        operations.settle(tx, shop, "op_1", holder="x", state=State.REFUSED, now=at(2)),
        operations.with_key(tx, shop, "", "key", now="2027-01-01T00:00:00.000000Z"),
    ),
    "claim": lambda tx, shop, _run: operations.claim(tx, shop, holder="y", now=at(600), until=at(700), at_most=9),
    "renew claim": lambda tx, shop, _run: operations.renew(tx, shop, ["op_1"], holder="x", now=at(2), until=at(200)),
    "mark sent": lambda tx, shop, _run: operations.mark_sent(
        tx, shop, "op_1", holder="x", now=at(2), before=None, sent=None
    ),
    "release claims": lambda tx, shop, _run: operations.release(tx, shop, holder="x"),
    "put back": lambda tx, shop, _run: operations.put_back(
        tx, shop, "op_1", holder="x", next_at=at(99), message="?", sent_at=None
    ),
    "settle": lambda tx, shop, _run: operations.settle(tx, shop, "op_1", holder="x", state=State.CONFIRMED, now=at(2)),
    "cancel": lambda tx, shop, _run: operations.cancel(tx, shop, "op_3", now=at(2), message="", failure={}),
    "progress": lambda tx, shop, run: sync_runs.progress(tx, shop, run, now=at(2), done=5),
    "finish": lambda tx, shop, run: sync_runs.finish(tx, shop, run, state=RunState.DONE, now=at(2)),
    "abandon": lambda tx, shop, _run: sync_runs.abandon(tx, shop, now=at(2)),
    "add key": lambda tx, shop, _run: api_keys.add(tx, shop, Key("00", "x", frozenset(), "x", at(2))),
    "revoke key": lambda tx, shop, _run: api_keys.revoke(tx, shop, "0123456789", now=at(2)),
    "rotate key": lambda tx, shop, _run: api_keys.rotate(
        tx, shop, "0123456789", digest="x", previous_until=at(2), expires_at=None
    ),
    "use key": lambda tx, shop, _run: api_keys.used(tx, shop, {"0123456789": at(2)}),
    "record access": lambda tx, shop, _run: access_log.record(tx, shop, [Access(at(2), "0123456789", "x", (ID,))]),
    "remember": lambda tx, shop, _run: rejected_logins.remember(tx, shop, "x", at(2)),
    "forget": lambda tx, shop, _run: rejected_logins.forget(tx, shop),
    "acquire": lambda tx, shop, _run: leases.acquire(tx, shop, "sync", holder="x", now=at(9), until=at(20)),
    "renew": lambda tx, shop, _run: leases.renew(tx, shop, "sync", holder=shop, now=at(1), until=at(2)),
    "release": lambda tx, shop, _run: leases.release(tx, shop, "sync", holder=shop),
    "save section": lambda tx, shop, _run: sections.save(tx, shop, ID, "work", "{}", read_at=at(2), now=at(2)),
    "keep": lambda tx, shop, _run: keep(tx, shop, second=2),
    "keep another": lambda tx, shop, _run: keep(tx, shop, ID + 1, 2),
    "forget kept": lambda tx, shop, _run: forget(tx, shop),
}


@pytest.mark.parametrize("name", WRITES)
def test_what_one_workshop_does_the_other_does_not_see(store: Store, name: str) -> None:
    """With the same order ids, each write changes its own workshop and nothing that the other can read."""
    run = store.write(lambda tx: fill(tx, SHOP))
    store.write(lambda tx: fill(tx, OTHER_SHOP))
    mine, other = snapshot(store, SHOP), snapshot(store, OTHER_SHOP)

    store.write(lambda tx: WRITES[name](tx, SHOP, run))

    assert snapshot(store, OTHER_SHOP) == other
    assert snapshot(store, SHOP) != mine


def test_each_workshop_reads_its_own(store: Store) -> None:
    """With the same order ids, every read shows the asking workshop's rows; a third one has none."""
    for shop in (SHOP, OTHER_SHOP):
        store.write(partial(fill, shop=shop))

    for shop in (SHOP, OTHER_SHOP):
        (document,) = store.read(partial(search.find, workshop=shop, filters=Filters())).documents
        told = json.loads(document)
        assert told["person"] == told["pending"][0]["asked"]["person"] == shop
        assert [entry["operation_id"] for entry in told["pending"]] == ["op_1"]
    nothing = snapshot(store, "nobody")
    assert [name for name, value in nothing.items() if value not in (None, 0, [], {}, set(), (set(), set()))] == []
