"""Writes to PlanSo, and what is known of saving there."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from planso_connector.store.tables.columns import KEY, metadata

operations = Table(
    "operations",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("action", Text, nullable=False),
    Column("order_id", BigInteger),
    Column("state", KEY, nullable=False),
    Column("asked", Text, nullable=False),
    Column("before", Text),
    Column("message", Text, nullable=False),
    Column("created_at", KEY, nullable=False),
    Column("settled_at", KEY),
    Column("notes", Text, nullable=False, server_default=""),
    Column("caller", Text, nullable=False, server_default=""),
    Column("idempotency_key", KEY),
    Column("request", Text),
    Column("deadline_at", KEY, nullable=False, server_default=""),
    Column("next_at", KEY, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("base", Text),
    Column("undoes", KEY),
    Column("failure", Text),
    Column("sent_at", KEY),
    Column("first_sent_at", KEY),
    Column("sent", Text),
    Column("holder", Text),
    Column("held_until", KEY),
    Column("restored_at", KEY),
    Column("differences", Text),
    Column("controls", Text),
    Column("identity", Text),
    Column("content", KEY),
)
"""
The outbox: every accepted write. No foreign key: a create has no order yet, and an order may not be mirrored. `holder`
is the process that claimed it, until `held_until`. `restored_at`: see `domain.operation`.
"""

Index("operations_by_order", operations.c.workshop, operations.c.order_id, operations.c.created_at)
Index("operations_by_state", operations.c.workshop, operations.c.state, operations.c.order_id)
Index(
    "operations_by_key",
    operations.c.workshop,
    operations.c.caller,
    operations.c.idempotency_key,
    unique=True,
    sqlite_where=operations.c.idempotency_key.is_not(None),
    postgresql_where=operations.c.idempotency_key.is_not(None),
)
Index(
    "operations_by_content",
    operations.c.workshop,
    operations.c.content,
    operations.c.created_at,
    sqlite_where=operations.c.content.is_not(None),
    postgresql_where=operations.c.content.is_not(None),
)
# To find the workshops with pending operations, over all of them.
_is_pending = operations.c.state == text("'pending'")
Index("operations_pending", operations.c.workshop, sqlite_where=_is_pending, postgresql_where=_is_pending)
# Operations are listed newest first.
Index("operations_by_creation", operations.c.workshop, operations.c.created_at, operations.c.id)

write_stops = Table(
    "write_stops",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("operation", KEY, nullable=False),
    Column("reason", Text, nullable=False),
    Column("columns", Text, nullable=False),
    Column("stopped_at", KEY, nullable=False),
)
"""
Write stops, until a person resumes: of one order, or with `order_id` 0 of the whole workshop. `columns` is the JSON
list of the form's controls that were damaged.
"""

save_evidence = Table(
    "save_evidence",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("clean_saves", BigInteger, nullable=False),
    Column("most_pairs", BigInteger, nullable=False),
    Column("trial", Text),
)
"""
How saving works at this installation, as far as observed: the number of clean saves, the largest form among them in
name-value pairs, and the last write trial (JSON).
"""

save_effects = Table(
    "save_effects",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("column", KEY, primary_key=True),
    Column("cause", KEY, primary_key=True),
    Column("effect", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("operation", KEY, nullable=False),
    Column("seen_at", KEY, nullable=False),
)
"""
Controls that changed with a save that did not request it, by the requested control that is the cause, `""` if unknown.
`effect`: see `store.save_evidence`.
"""
