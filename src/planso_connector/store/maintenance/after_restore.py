"""What a database is told once it was restored: it is older than what PlanSo, and who asked it, have seen since."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, bindparam, case, delete, select, update
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import format_instant
from planso_connector.domain.operation import OperationState
from planso_connector.store import operations as outbox
from planso_connector.store import personal_data
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.tables import api_keys, erasure_log, last_seen, leases, operations, orders, write_stops

_NEXT = bindparam("version", type_=BigInteger)
_VERSIONS = update(orders).values(version=case((orders.c.version < _NEXT, _NEXT), else_=orders.c.version + 1))
_UNSEEN = update(last_seen).values(list_fingerprint=None)
_FREE = delete(leases)
_ALL_ERASURES = select(erasure_log)
_ERASED = (
    insert(erasure_log)
    .values({c.name: bindparam(c.name, type_=c.type) for c in erasure_log.c})
    .on_conflict_do_nothing()
)
_GIVE_UP = (
    update(operations)
    .where(
        operations.c.workshop == bindparam("of_workshop"),
        operations.c.state == OperationState.PENDING.value,
        (operations.c.order_id == bindparam("of_order", type_=BigInteger)) | (operations.c.id == bindparam("of_id")),
    )
    .values(state=OperationState.CONFLICT.value, settled_at=bindparam("now"), holder=None, held_until=None)
)
_ALL_STOPS = select(write_stops)
_STOP = (
    insert(write_stops)
    .values({c.name: bindparam(c.name, type_=c.type) for c in write_stops.c})
    .on_conflict_do_nothing()
)
_ALL_KEYS = select(api_keys)
_NEW_KEY = insert(api_keys).values({c.name: bindparam(c.name, type_=c.type) for c in api_keys.c})
_KEY = _NEW_KEY.on_conflict_do_update(
    index_elements=list(api_keys.primary_key.columns),
    set_={c.name: _NEW_KEY.excluded[c.name] for c in api_keys.c if not c.primary_key},
)
_VALID_KEYS = select(api_keys.c.workshop, api_keys.c.id).where(api_keys.c.revoked_at.is_(None))
_REVOKE = (
    update(api_keys)
    .where(api_keys.c.workshop == bindparam("of_workshop"), api_keys.c.id == bindparam("of_id"))
    .values(revoked_at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class RestoreMarks:
    """How many operations are pending, and how many API keys were revoked."""

    pending: int
    revoked: int


def mark_restored(
    tx: Transaction, now: datetime, live_keys: Iterable[Row] = (), live_stops: Iterable[Row] = ()
) -> RestoreMarks:
    """
    For all workshops: what is pending is only looked for, never sent again; the next sync reads every order; no version
    is given out twice, since callers may hold one of after the backup. API keys are as in `live_keys`, those of the
    database of before; what that does not know is revoked, since it may have been, or have got a new secret, meanwhile.
    What is stopped in the database of before, `live_stops`, stays so, since nobody resumed it.
    """
    pending = outbox.mark_restored(tx, now=format_instant(now))
    tx.execute(_UNSEEN)
    tx.execute(_FREE)
    # Seconds since 1970: no order changes once a second, so these lie beyond all versions before this restore.
    tx.execute(_VERSIONS, version=int(now.timestamp()))
    for stop in live_stops:
        tx.execute(_STOP, **stop)
    return RestoreMarks(pending, _put_keys(tx, live_keys, format_instant(now)))


def _put_keys(tx: Transaction, live_keys: Iterable[Row], now: str) -> int:
    live = {(row["workshop"], row["id"]): row for row in live_keys}
    unknown = [row for row in tx.fetch_all(_VALID_KEYS) if (row["workshop"], row["id"]) not in live]
    for row in live.values():
        tx.execute(_KEY, **row)
    for row in unknown:
        tx.execute(_REVOKE, of_workshop=row["workshop"], of_id=row["id"], now=now)
    return len(unknown)


def list_api_keys(tx: Transaction) -> list[Row]:
    """The API keys of all workshops."""
    return tx.fetch_all(_ALL_KEYS)


def list_write_stops(tx: Transaction) -> list[Row]:
    """What is stopped, of all workshops."""
    return tx.fetch_all(_ALL_STOPS)


def list_erasures(tx: Transaction) -> list[Row]:
    """The erasures of all workshops."""
    return tx.fetch_all(_ALL_ERASURES)


def repeat_erasures(tx: Transaction, erased: Iterable[Row], now: datetime) -> int:
    """
    What was erased after the backup was made, by the protocol of the database of before: the backup has it still, also
    in the mirror's rows, which PlanSo may have shown otherwise or no longer by then. How many erasures there were.
    """
    held = {(row["workshop"], row["id"]) for row in list_erasures(tx)}
    since = [row for row in erased if (row["workshop"], row["id"]) not in held]
    for row in since:
        tx.execute(_ERASED, **row)
        tx.use_workshop(row["workshop"])
        for order_id in json.loads(row["order_ids"]):
            tx.execute(
                _GIVE_UP, now=format_instant(now), of_order=order_id, of_id=""
            )  # nothing of it was pending when it was erased
            personal_data.erase_order(tx, order_id, with_current=True)
        for operation_id in json.loads(row["operation_ids"]):
            tx.execute(_GIVE_UP, now=format_instant(now), of_order=0, of_id=operation_id)
            personal_data.erase_operation(tx, operation_id)
    return len(since)
