"""Rebuild the search index: lookup keys and folded texts of all orders, one batch in each transaction."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import BigInteger, Text, bindparam, delete, func, select, tuple_, update

from planso_connector.store import lookup_keys
from planso_connector.store.engine.expressions import is_in_ids
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.lookup_keys import RebuildProgress
from planso_connector.store.order_rows import FOLDED_COLUMNS, order_columns, order_from_row, part_from_row, to_json
from planso_connector.store.tables import lookup_keys as keys
from planso_connector.store.tables import orders, parts

log = structlog.get_logger(__name__)

ORDERS_PER_BATCH = 500
KEYS_PER_BATCH = 10_000

_WORKSHOP = bindparam("of_workshop", type_=Text)
_NOT_DELETED = orders.c.workshop == _WORKSHOP, orders.c.deleted_at.is_(None)
_CLEAR = delete(keys).where(
    keys.c.workshop == _WORKSHOP,
    tuple_(*keys.primary_key).in_(
        select(*keys.primary_key).where(keys.c.workshop == _WORKSHOP).order_by(*keys.primary_key).limit(KEYS_PER_BATCH)
    ),
)
_COUNT = select(func.count().label("n")).select_from(orders).where(*_NOT_DELETED)
_BATCH = (
    select(
        *orders.c["id", "short_name", "plate", "station_id", "station_state", "missing_parts", "archived"],
        *orders.c["employee_id", "position", "list_finish_date", "document", "person", "phone", "email"],
    )
    .where(*_NOT_DELETED, orders.c.id > bindparam("after", type_=BigInteger))
    .order_by(orders.c.id)
    .limit(ORDERS_PER_BATCH)
    .with_for_update()  # so that no text is made of values that are being replaced
)
_PARTS = (
    select(parts)
    .where(parts.c.workshop == _WORKSHOP, is_in_ids(parts.c.order_id, bindparam("order_ids", type_=Text)))
    .order_by(parts.c.order_id, parts.c.position)
)
_SET_TEXTS = (
    update(orders)
    .where(orders.c.workshop == _WORKSHOP, orders.c.id == bindparam("of_id", type_=BigInteger))
    .values({name: bindparam(f"new_{name}", type_=Text) for name in FOLDED_COLUMNS})
)


def clear_keys(tx: Transaction) -> bool:
    """Delete one batch of keys, in the first one that they are complete. Whether there may be more."""
    return tx.execute(_CLEAR) == KEYS_PER_BATCH


def begin_rebuild(tx: Transaction) -> None:
    """Record, once all keys are cleared, that an interrupted rebuild can continue."""
    lookup_keys.write_rebuild_progress(tx, RebuildProgress(0, 0, tx.fetch_all(_COUNT)[0]["n"]))


def rebuild_batch(tx: Transaction) -> RebuildProgress | None:
    """Write keys and texts of the next orders; the progress after that, None once all are done."""
    before = lookup_keys.read_rebuild_progress(tx)
    if before is None:
        return None
    rows = tx.fetch_all(_BATCH, after=before.after or 0)
    progress = None
    if rows:
        lookup_keys.add_keys(tx, rows)
        tx.execute_many(_SET_TEXTS, list(_texts(tx, rows)))
        done = before.done + len(rows)
        progress = RebuildProgress(rows[-1]["id"], done, max(done, before.all or 0))
    lookup_keys.write_rebuild_progress(tx, progress)
    return progress


def _texts(tx: Transaction, rows: list[Row]) -> Iterator[dict[str, Any]]:
    found = tx.fetch_all(_PARTS, order_ids=to_json([row["id"] for row in rows]))
    parts_of = {key: list(map(part_from_row, group)) for key, group in groupby(found, key=lambda row: row["order_id"])}
    for row in rows:
        try:
            columns = order_columns(order_from_row(row, parts_of.get(row["id"], ())))
        except (KeyError, TypeError, ValueError) as error:
            # One order that no version wrote like this must not keep all others from being found.
            log.warning("order_not_reindexed", order=row["id"], error=type(error).__name__)
        else:
            yield {"of_id": row["id"], **{f"new_{name}": columns[name] for name in FOLDED_COLUMNS}}
