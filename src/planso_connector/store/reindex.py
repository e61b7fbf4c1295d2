"""Everything that orders are found by, written anew: their look-up keys and their text, a batch in each transaction."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import BigInteger, Text, bindparam, func, select, tuple_, update
from sqlalchemy import delete as delete_from

from planso_connector.store import lookup_keys
from planso_connector.store.engine.expressions import is_member
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.lookup_keys import Rebuild
from planso_connector.store.order_rows import order_from, part_from, text_key, to_json
from planso_connector.store.tables import lookup_keys as keys
from planso_connector.store.tables import orders, parts

log = structlog.get_logger(__name__)

AT_ONCE = 500
"""Orders in one transaction."""
CLEARED_AT_ONCE = 10_000
"""Keys in one transaction."""

_OF_WORKSHOP = keys.c.workshop == bindparam("of_workshop")
_CLEAR = delete_from(keys).where(
    tuple_(*keys.primary_key).in_(
        select(*keys.primary_key).where(_OF_WORKSHOP).order_by(*keys.primary_key).limit(CLEARED_AT_ONCE)
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
    .limit(AT_ONCE)
    .with_for_update()
)
_PARTS = (
    select(parts)
    .where(
        parts.c.workshop == bindparam("of_workshop"), is_member(parts.c.order_id, bindparam("order_ids", type_=Text))
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


def clear(tx: Transaction) -> bool:
    """Takes some keys away before all are written, first the mark that they are complete. Whether there are more."""
    return tx.run(_CLEAR) == CLEARED_AT_ONCE


def begin(tx: Transaction) -> None:
    """Once all is cleared: from here on a rebuild that breaks off can be gone on with."""
    lookup_keys.write_rebuild(tx, Rebuild(0, 0, tx.rows(_ALL)[0]["n"]))


def rebuild(tx: Transaction) -> Rebuild | None:
    """Keys and texts of the next orders after those that are done; how far it is then, None where it is complete."""
    before = lookup_keys.rebuild(tx)
    if before is None:
        return None
    rows = tx.rows(_BATCH, after=before.after or 0)
    if not rows:
        lookup_keys.write_rebuild(tx, None)
        return None
    lookup_keys.add(tx, rows)
    tx.run_many(_TEXT, list(_texts(tx, rows)))
    done = before.done + len(rows)
    now = Rebuild(rows[-1]["id"], done, max(done, before.all or 0))
    lookup_keys.write_rebuild(tx, now)
    return now


def _texts(tx: Transaction, rows: list[Row]) -> Iterator[dict[str, Any]]:
    found = tx.rows(_PARTS, order_ids=to_json([row["id"] for row in rows]))
    of_order = {key: list(map(part_from, group)) for key, group in groupby(found, key=lambda row: row["order_id"])}
    for row in rows:
        try:
            text = text_key(order_from(row, of_order.get(row["id"], ())))
        except (KeyError, TypeError, ValueError) as error:
            # One that is held otherwise than any version wrote it must not keep all others from being found.
            log.warning("order_not_reindexed", order=row["id"], error=type(error).__name__)
            continue
        yield {"of_id": row["id"], "new_text": text}
