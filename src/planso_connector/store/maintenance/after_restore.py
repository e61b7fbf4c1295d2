"""Mark a restored database: it is older than PlanSo, and than what callers have seen since."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, bindparam, case, delete, select, update
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import Instant, format_instant
from planso_connector.domain.operation import OperationState
from planso_connector.store import change_feed, personal_data
from planso_connector.store import operations as outbox
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.tables import api_keys, erasure_log, last_seen, leases, operations, orders, write_stops

_VERSION = bindparam("version", type_=BigInteger)
_RAISE_VERSIONS = update(orders).values(
    version=case((orders.c.version < _VERSION, _VERSION), else_=orders.c.version + 1)
)
_FORGET_FINGERPRINTS = update(last_seen).values(list_fingerprint=None)
_RELEASE_LEASES = delete(leases)
_ALL_ERASURES = select(erasure_log)
_ADD_ERASURE = insert(erasure_log).values(row_parameters(erasure_log)).on_conflict_do_nothing()
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
_ADD_STOP = insert(write_stops).values(row_parameters(write_stops)).on_conflict_do_nothing()
_ALL_KEYS = select(api_keys)
_NEW_KEY = insert(api_keys).values(row_parameters(api_keys))
_PUT_KEY = _NEW_KEY.on_conflict_do_update(
    index_elements=list(api_keys.primary_key.columns),
    set_={c.name: _NEW_KEY.excluded[c.name] for c in api_keys.c if not c.primary_key},
)
_VALID_KEYS = select(api_keys.c.workshop, api_keys.c.id).where(api_keys.c.revoked_at.is_(None))
_REVOKE = (
    update(api_keys)
    .where(api_keys.c.workshop == bindparam("of_workshop"), api_keys.c.id == bindparam("of_id"))
    .values(revoked_at=bindparam("now"))
)


class PreviousDatabase(NamedTuple):
    """Rows of the database that the restored one replaces, of all workshops; none if there was none."""

    api_keys: Sequence[Row] = ()
    write_stops: Sequence[Row] = ()
    erasures: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class RestoreMarks:
    """How many operations are pending, API keys were revoked, and erasures were repeated."""

    pending: int
    revoked: int
    erasures: int = 0


def list_api_keys(tx: Transaction) -> list[Row]:
    """The API keys of all workshops."""
    return tx.fetch_all(_ALL_KEYS)


def list_write_stops(tx: Transaction) -> list[Row]:
    """The write stops of all workshops."""
    return tx.fetch_all(_ALL_STOPS)


def list_erasures(tx: Transaction) -> list[Row]:
    """The erasures of all workshops."""
    return tx.fetch_all(_ALL_ERASURES)


def mark_restored(tx: Transaction, now: datetime, previous: PreviousDatabase | None = None) -> RestoreMarks:
    """
    For all workshops: pending operations are only looked for in PlanSo, never sent again; the next sync reads every
    order; no version is used twice, since callers may hold one from after the backup; cursors of the change feed from
    before are not valid any more. API keys become those of the
    `previous` database; keys unknown to it are revoked, since they may have been revoked or rotated meanwhile. Its
    write stops stay in force, and its erasures are repeated.
    """
    previous = previous or PreviousDatabase()
    instant = format_instant(now)
    erasures = _repeat_erasures(tx, previous.erasures, instant)
    pending = outbox.mark_restored(tx, now=instant)
    tx.execute(_FORGET_FINGERPRINTS)
    tx.execute(_RELEASE_LEASES)
    change_feed.begin_epoch(tx)
    # Seconds since 1970: no order changes once a second, so these are beyond all versions before this restore.
    tx.execute(_RAISE_VERSIONS, version=int(now.timestamp()))
    for stop in previous.write_stops:
        tx.execute(_ADD_STOP, **stop)
    return RestoreMarks(pending, _put_keys(tx, previous.api_keys, instant), erasures)


def _put_keys(tx: Transaction, previous_keys: Sequence[Row], now: Instant) -> int:
    known = {(row["workshop"], row["id"]) for row in previous_keys}
    unknown = [row for row in tx.fetch_all(_VALID_KEYS) if (row["workshop"], row["id"]) not in known]
    for row in previous_keys:
        tx.execute(_PUT_KEY, **row)
    for row in unknown:
        tx.execute(_REVOKE, of_workshop=row["workshop"], of_id=row["id"], now=now)
    return len(unknown)


def _repeat_erasures(tx: Transaction, erasures: Sequence[Row], now: Instant) -> int:
    """
    Repeat the erasures from after the backup, which still has the data, also in mirror rows that PlanSo has changed or
    deleted since. Returns how many.
    """
    known = {(row["workshop"], row["id"]) for row in list_erasures(tx)}
    missing = [row for row in erasures if (row["workshop"], row["id"]) not in known]
    for row in missing:
        tx.execute(_ADD_ERASURE, **row)
        tx.use_workshop(row["workshop"])
        for order_id in json.loads(row["order_ids"]):
            tx.execute(_GIVE_UP, now=now, of_order=order_id, of_id="")  # when it was erased, nothing of it was pending
            personal_data.erase_order(tx, order_id, with_current=True)
        for row_id in json.loads(row["operation_ids"]):
            tx.execute(_GIVE_UP, now=now, of_order=0, of_id=row_id)
            personal_data.erase_operation(tx, row_id)
            personal_data.erase_notice(tx, row_id)
    tx.use_workshop(None)
    return len(missing)
