"""When each order was last seen in PlanSo: what a sync asks and notes of all, and what an answer tells of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import BigInteger, Text, and_, bindparam, select, update

from planso_connector.store.engine.expressions import is_in_ids
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.order_rows import to_json
from planso_connector.store.tables import last_seen as seen_rows
from planso_connector.store.tables import orders


class ReadTimes(NamedTuple):
    """When an order's pages were last read, and whether it is deleted. Stamps; `parts_read_at` None: never."""

    deleted_at: str | None
    synced_at: str
    read_at: str
    parts_read_at: str | None


class LastSeen(NamedTuple):
    """
    When an order was last seen, and what decides when it is read again. A tuple: a sync makes one of each order.

    `list_fingerprint`: of the list entry that it was last seen with, None when it was not. `parts_read_at`: None when
    its parts never were read. Instants are stamps.
    """

    list_fingerprint: str | None
    read_at: str
    synced_at: str
    parts_read_at: str | None
    archived: bool
    station_state: str | None
    missing_parts: bool


_IS = orders.c.workshop == bindparam("of_workshop"), orders.c.id == bindparam("of_id", type_=BigInteger)
_THEIR = and_(seen_rows.c.workshop == orders.c.workshop, seen_rows.c.order_id == orders.c.id)
_OF_WORKSHOP = orders.c.workshop == bindparam("of_workshop")
_NOT_DELETED = orders.c.deleted_at.is_(None)
_IDS = bindparam("ids", type_=Text)

_READINGS = (
    select(orders.c.deleted_at, *seen_rows.c["synced_at", "read_at", "parts_read_at"])
    .join(seen_rows, _THEIR)
    .where(*_IS)
)
_SIGHTINGS = (
    select(
        *orders.c["id", "archived", "station_state", "missing_parts"],
        *seen_rows.c["list_fingerprint", "read_at", "synced_at", "parts_read_at"],
    )
    .join(seen_rows, _THEIR)
    .where(_OF_WORKSHOP, _NOT_DELETED)
)
_SEEN_NOW = (
    update(seen_rows)
    .where(seen_rows.c.workshop == bindparam("of_workshop"), is_in_ids(seen_rows.c.order_id, _IDS))
    .values(synced_at=bindparam("synced_at"))
)


def get_read_times(tx: Transaction, order_id: int) -> ReadTimes | None:
    found = tx.fetch_all(_READINGS, of_id=order_id)
    return ReadTimes(**found[0]) if found else None


def get_all(tx: Transaction) -> dict[int, LastSeen]:
    """What a sync asks of every order that is not deleted, archived ones too."""
    rows = tx.fetch_all(_SIGHTINGS)
    # Taken apart in the statement's order: by name it costs twice as much, for thousands of orders at every sync.
    return {
        order_id: LastSeen(fingerprint, read_at, synced_at, parts_read_at, archived == 1, state, missing == 1)
        for order_id, archived, state, missing, fingerprint, read_at, synced_at, parts_read_at in map(dict.values, rows)
    }


def mark_seen(tx: Transaction, ids: Iterable[int], *, now: str) -> int:
    """Notes that the orders are as the mirror shows them. How many there are; thousands are one statement."""
    return tx.execute(_SEEN_NOW, ids=to_json(sorted(ids)), synced_at=now)
