"""Orders as answers show them: the stored document with what changes by itself, pending writes among it."""

from __future__ import annotations

from sqlalchemy import Text, bindparam, select

from planso_connector.store.engine.expressions import is_in_ids
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import render_document, render_pending, to_json
from planso_connector.store.tables import operations

# Not sorted here: SQLite would go through all operations that there ever were in the index that has them so.
_PENDING = select(
    operations.c.order_id, operations.c.id, operations.c.action, operations.c.asked, operations.c.created_at
).where(
    operations.c.workshop == bindparam("of_workshop"),
    operations.c.state == "pending",
    is_in_ids(operations.c.order_id, bindparam("ids", type_=Text)),
)


def order_documents(tx: Transaction, rows: list[Row]) -> list[str]:
    """The answer of each of `rows` (id, version, document, synced_at), JSON text, with its pending writes."""
    return [document for document, _ in answers_and_pending(tx, rows)]


def answers_and_pending(tx: Transaction, rows: list[Row]) -> list[tuple[str, tuple[str, ...]]]:
    """The same, each with the ids of its pending writes, oldest first."""
    pending: dict[int, list[Row]] = {}
    found_pending = tx.fetch_all(_PENDING, ids=to_json([row["id"] for row in rows]))
    for row in sorted(found_pending, key=lambda one: (one["created_at"], one["id"])):
        pending.setdefault(row["order_id"], []).append(row)
    found = []
    for row in rows:
        writes = pending.get(row["id"], ())
        found.append(
            (render_document(row, [render_pending(one) for one in writes]), tuple(one["id"] for one in writes))
        )
    return found
