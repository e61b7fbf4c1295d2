"""When each order was last seen in PlanSo's list, and when its form and parts were last read."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import BigInteger, Text, and_, bindparam, select, update

from planso_connector.domain.clock import Instant
from planso_connector.store.engine.expressions import is_in_ids
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.order_rows import to_json
from planso_connector.store.tables import last_seen, orders


class ReadTimes(NamedTuple):
    """When an order's pages were last read, and when it was deleted; None: never."""

    deleted_at: Instant | None
    synced_at: Instant
    read_at: Instant
    parts_read_at: Instant | None


class LastSeen(NamedTuple):
    """
    When an order was last seen, and what decides when it is read again. A tuple: a sync makes one for each order.

    `list_fingerprint`: of the list entry with which it was last seen, None without one.
    """

    list_fingerprint: str | None
    read_at: Instant
    synced_at: Instant
    parts_read_at: Instant | None
    archived: bool
    station_state: str | None
    missing_parts: bool


_IS = orders.c.workshop == bindparam("of_workshop"), orders.c.id == bindparam("of_id", type_=BigInteger)
_SAME_ORDER = and_(last_seen.c.workshop == orders.c.workshop, last_seen.c.order_id == orders.c.id)
_OF_WORKSHOP = orders.c.workshop == bindparam("of_workshop")
_NOT_DELETED = orders.c.deleted_at.is_(None)
_IDS = bindparam("ids", type_=Text)

_READ_TIMES = (
    select(orders.c.deleted_at, *last_seen.c["synced_at", "read_at", "parts_read_at"])
    .join(last_seen, _SAME_ORDER)
    .where(*_IS)
)
_ALL = (
    select(
        *orders.c["id", "archived", "station_state", "missing_parts"],
        *last_seen.c["list_fingerprint", "read_at", "synced_at", "parts_read_at"],
    )
    .join(last_seen, _SAME_ORDER)
    .where(_OF_WORKSHOP, _NOT_DELETED)
)
_MARK_SEEN = (
    update(last_seen)
    .where(last_seen.c.workshop == bindparam("of_workshop"), is_in_ids(last_seen.c.order_id, _IDS))
    .values(synced_at=bindparam("synced_at"))
)


def get_read_times(tx: Transaction, order_id: int) -> ReadTimes | None:
    found = tx.fetch_all(_READ_TIMES, of_id=order_id)
    return ReadTimes(**found[0]) if found else None


def get_all(tx: Transaction) -> dict[int, LastSeen]:
    """By id, of every order that is not deleted; archived ones too."""
    rows = tx.fetch_all(_ALL)
    # Unpacked by position: by name it takes twice as long, for thousands of orders at every sync.
    return {
        order_id: LastSeen(fingerprint, read_at, synced_at, parts_read_at, archived == 1, state, missing == 1)
        for order_id, archived, state, missing, fingerprint, read_at, synced_at, parts_read_at in map(dict.values, rows)
    }


def mark_seen(tx: Transaction, ids: Iterable[int], *, now: Instant) -> int:
    """Record that the orders were seen as the mirror shows them, in one statement. Returns how many there are."""
    return tx.execute(_MARK_SEEN, ids=to_json(sorted(ids)), synced_at=now)
