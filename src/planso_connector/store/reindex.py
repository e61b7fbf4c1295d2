"""Everything that orders are found by, written anew: their look-up keys and their text, a batch in each transaction."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import BigInteger, Text, bindparam, func, select, tuple_, update
from sqlalchemy import delete as delete_from

from planso_connector.store import lookup_keys
from planso_connector.store.engine.expressions import is_in_ids
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.lookup_keys import RebuildProgress
from planso_connector.store.order_rows import order_from_row, part_from_row, text_key, to_json
from planso_connector.store.tables import lookup_keys as keys
from planso_connector.store.tables import orders, parts

log = structlog.get_logger(__name__)

ORDERS_PER_BATCH = 500
"""Orders in one transaction."""
KEYS_PER_BATCH = 10_000
"""Keys in one transaction."""

_OF_WORKSHOP = keys.c.workshop == bindparam("of_workshop")
_CLEAR = delete_from(keys).where(
    tuple_(*keys.primary_key).in_(
        select(*keys.primary_key).where(_OF_WORKSHOP).order_by(*keys.primary_key).limit(KEYS_PER_BATCH)
    )
)
# Locked, so that a text is not made of what somebody changes just then.
_BATCH = (
    select(
        *orders.c["id", "short_name", "plate", "station_id", "station_state", "missing_parts", "archived"],
        *orders.c["employee_id", "position", "list_finish_date", "document", "person", "phone", "email"],
    )
    .where(
        orders.c.workshop == bindparam("of_workshop"),
        orders.c.id > bindparam("after", type_=BigInteger),
        orders.c.deleted_at.is_(None),
    )
    .order_by(orders.c.id)
    .limit(ORDERS_PER_BATCH)
    .with_for_update()
)
_PARTS = (
    select(parts)
    .where(
        parts.c.workshop == bindparam("of_workshop"), is_in_ids(parts.c.order_id, bindparam("order_ids", type_=Text))
    )
    .order_by(parts.c.order_id, parts.c.position)
)
_TEXT = (
    update(orders)
    .where(orders.c.workshop == bindparam("of_workshop"), orders.c.id == bindparam("of_id", type_=BigInteger))
    .values(text_key=bindparam("new_text"))
)


_ALL = (
    select(func.count().label("n"))
    .select_from(orders)
    .where(orders.c.workshop == bindparam("of_workshop"), orders.c.deleted_at.is_(None))
)


def clear_keys(tx: Transaction) -> bool:
    """Takes some keys away before all are written, first the mark that they are complete. Whether there are more."""
    return tx.execute(_CLEAR) == KEYS_PER_BATCH


def begin_rebuild(tx: Transaction) -> None:
    """Once all is cleared: from here on a rebuild that breaks off can be gone on with."""
    lookup_keys.write_rebuild_progress(tx, RebuildProgress(0, 0, tx.fetch_all(_ALL)[0]["n"]))


def rebuild_batch(tx: Transaction) -> RebuildProgress | None:
    """Keys and texts of the next orders after those that are done; how far it is then, None where it is complete."""
    before = lookup_keys.read_rebuild_progress(tx)
    if before is None:
        return None
    rows = tx.fetch_all(_BATCH, after=before.after or 0)
    if not rows:
        lookup_keys.write_rebuild_progress(tx, None)
        return None
    lookup_keys.add_keys(tx, rows)
    tx.execute_many(_TEXT, list(_texts(tx, rows)))
    done = before.done + len(rows)
    now = RebuildProgress(rows[-1]["id"], done, max(done, before.all or 0))
    lookup_keys.write_rebuild_progress(tx, now)
    return now


def _texts(tx: Transaction, rows: list[Row]) -> Iterator[dict[str, Any]]:
    found = tx.fetch_all(_PARTS, order_ids=to_json([row["id"] for row in rows]))
    of_order = {key: list(map(part_from_row, group)) for key, group in groupby(found, key=lambda row: row["order_id"])}
    for row in rows:
        try:
            text = text_key(order_from_row(row, of_order.get(row["id"], ())))
        except (KeyError, TypeError, ValueError) as error:
            # One that is held otherwise than any version wrote it must not keep all others from being found.
            log.warning("order_not_reindexed", order=row["id"], error=type(error).__name__)
            continue
        yield {"of_id": row["id"], "new_text": text}
