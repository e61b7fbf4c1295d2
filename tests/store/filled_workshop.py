"""Rows of nearly every table, the same for each workshop but for its name."""

from __future__ import annotations

from dataclasses import replace

from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.scopes import Scope
from planso_connector.store import (
    access_log,
    api_keys,
    leases,
    operations,
    orders,
    rejected_logins,
    sections,
    sync_runs,
    unreadable_pages,
)
from planso_connector.store.access_log import Access
from planso_connector.store.api_keys import ApiKey
from planso_connector.store.engine.database import Transaction
from planso_connector.store.sync_runs import RunKind, RunState
from tests.store.samples import at, order, part

ID = 123


def fill(tx: Transaction) -> str:
    """A workshop's rows, with the same ids as the other's; the id of its run."""
    shop = tx.workshop
    kept = order(ID, parts=(part(ID, description=shop),), values={"person": shop})
    orders.save(tx, kept, read_at=at(1), now=at(1), list_fingerprint=shop)
    orders.save(tx, replace(kept, short_name=shop), read_at=at(1), now=at(1), list_fingerprint=shop)
    operations.record(tx, Operation("op_1", Action.UPDATE, ID, {"person": shop}, created_at=at(1)))
    operations.claim(tx, holder="x", now=at(1), until=at(99), at_most=9)
    later = Operation("op_3", Action.UPDATE, ID + 1, {}, created_at=at(1), next_at=at(500))
    operations.record(tx, replace(later, idempotency_key="key"))
    created = Operation("op_4", Action.CREATE, ID + 2, {}, OperationState.CONFIRMED, created_at=at(1))
    operations.record(tx, created)
    rejected_logins.save(tx, shop, at(1))
    leases.acquire(tx, "sync", holder=tx.workshop, now=at(1), until=at(9))
    sections.save(tx, ID, "work", f'"{shop}"', read_at=at(1), now=at(1))
    keep(tx)
    api_keys.add(tx, ApiKey("0123456789", shop, frozenset({Scope.SYNC}), "digest", at(1)))
    access_log.record(tx, [Access(at(1), "0123456789", shop, (ID,))])
    failed = sync_runs.start(tx, now=at(0))
    sync_runs.finish(tx, failed.id, state=RunState.FAILED, now=at(0))
    return sync_runs.start(tx, now=at(1), kind=RunKind.INCREMENTAL).id


def keep(tx: Transaction, order_id: int = ID, second: int = 1) -> None:
    unreadable_pages.save(
        tx, kind="form", order_id=order_id, reason="?", content=tx.workshop, now=at(second), at_most=1
    )
