"""
SQLAlchemy definitions of all tables. Every row belongs to a workshop, which comes first in every primary key, but for
those of INSTALLATION_TABLES, which are read without one.

Flags are 0 or 1, instants the 27 characters of `domain.clock.format_instant`, days ISO texts, documents JSON texts.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from planso_connector.domain.fields import MIRRORED, FieldKind

metadata = MetaData()

_KEY = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""A text that is sorted or compared: by code point, on both databases."""


_TYPES: dict[FieldKind, TypeEngine[Any]] = {
    FieldKind.NUMBER: Double(),
    FieldKind.ID: BigInteger(),
    FieldKind.FLAG: Integer(),
}

orders = Table(
    "orders",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("archived", Integer, nullable=False),
    Column("deleted_at", _KEY),
    Column("changed_at", _KEY, nullable=False),
    Column("short_name", Text, nullable=False),
    Column("plate", Text),
    Column("station_id", _KEY),
    Column("station_state", _KEY),
    Column("employee_id", Text),
    Column("position", Text),
    Column("list_finish_date", Text),
    Column("missing_parts", Integer, nullable=False),
    *(Column(field.column, _TYPES.get(field.kind, Text())) for field in MIRRORED),
    Column("shop_day", _KEY, nullable=False),
    Column("finish_day", _KEY, nullable=False),
    Column("plate_key", _KEY, nullable=False),
    Column("person_key", _KEY, nullable=False),
    Column("phone_key", _KEY, nullable=False),
    Column("email_key", _KEY, nullable=False),
    Column("damage_key", _KEY, nullable=False),
    Column("status_key", _KEY, nullable=False),
    Column("text_key", _KEY, nullable=False),
    Column("document", Text, nullable=False),
    Column("first_seen_at", _KEY, nullable=False, server_default=""),
)
"""The mirror, a row for each order. `shop_day` and `finish_day` are `""` without a date; `..._key` are folded texts."""


def _index_list(name: str, *columns: ColumnElement[Any]) -> None:
    """An index for lists of orders that are not deleted."""
    where = orders.c.deleted_at.is_(None)
    is_listed = orders.c.workshop, orders.c.archived
    Index(name, *is_listed, *columns, sqlite_where=where, postgresql_where=where)


_newest_first = orders.c.shop_day.desc(), orders.c.id
# With plate_key in the index of the default sort order, plates are searched without reading the wide rows.
_index_list("orders_by_shop_day", *_newest_first, orders.c.plate_key)
for _column in ("status_key", "damage_key", "station_id", "missing_parts"):
    _index_list(f"orders_by_{_column}", orders.c[_column], *_newest_first)
_index_list("orders_by_finish_day", orders.c.finish_day, orders.c.id)
# Any part of any word. SQLite has the tables and triggers of migration 0005 instead, which MetaData can't express.
Index("orders_by_text", orders.c.text_key, postgresql_using="gin", postgresql_ops={"text_key": "gin_trgm_ops"}).ddl_if(
    dialect="postgresql"
)

Index("orders_by_plate", orders.c.workshop, orders.c.plate_key)
_deleted = orders.c.deleted_at.is_not(None)
Index("orders_by_deletion", orders.c.workshop, orders.c.deleted_at, sqlite_where=_deleted, postgresql_where=_deleted)

lookup_keys = Table(
    "lookup_keys",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("kind", _KEY, primary_key=True),
    Column("key", _KEY, primary_key=True),
    Column("archived", Integer, primary_key=True, autoincrement=False),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""
The keys by which lookups find orders that are not deleted, as `store.lookup_keys` writes them. All columns are the
primary key: a key's orders are adjacent, the newest last. No foreign key, which would be checked for each of a dozen
rows.
"""

last_seen = Table(
    "last_seen",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("read_at", _KEY, nullable=False),
    Column("synced_at", _KEY, nullable=False),
    Column("parts_read_at", _KEY),
    Column("list_fingerprint", Text),
    ForeignKeyConstraint(["workshop", "order_id"], ["orders.workshop", "orders.id"], name="last_seen_order"),
    sqlite_with_rowid=False,
)
"""
When each order was last seen in PlanSo. Separate from `orders` because a sync updates thousands of these while nothing
else changes, and would rewrite each wide row.

`read_at`: when the request for the page that the row comes from was started. `synced_at`: when it was last seen so.
"""

parts = Table(
    "parts",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    *(Column(name, Text) for name in ("part_no", "description", "lead_no", "order_no", "row_id", "part_id")),
    *(Column(name, Double) for name in ("qty", "price_each", "price_total")),
    *(Column(name, Text) for name in ("status", "status_code", "order_date", "delivery_date", "eta_date")),
    *(
        Column(f"is_{name}", Integer, nullable=False)
        for name in ("to_order", "ordered", "delivered", "backorder", "mandatory", "price_checked", "missing")
    ),
    ForeignKeyConstraint(["workshop", "order_id"], ["orders.workshop", "orders.id"], name="parts_order"),
)
"""The spare parts of each order; `position` is the row in PlanSo's table, from 0."""

operations = Table(
    "operations",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("action", Text, nullable=False),
    Column("order_id", BigInteger),
    Column("state", _KEY, nullable=False),
    Column("asked", Text, nullable=False),
    Column("before", Text),
    Column("message", Text, nullable=False),
    Column("created_at", _KEY, nullable=False),
    Column("settled_at", _KEY),
    Column("notes", Text, nullable=False, server_default=""),
    Column("caller", Text, nullable=False, server_default=""),
    Column("idempotency_key", _KEY),
    Column("request", Text),
    Column("deadline_at", _KEY, nullable=False, server_default=""),
    Column("next_at", _KEY, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("base", Text),
    Column("undoes", _KEY),
    Column("failure", Text),
    Column("sent_at", _KEY),
    Column("first_sent_at", _KEY),
    Column("sent", Text),
    Column("holder", Text),
    Column("held_until", _KEY),
    Column("restored_at", _KEY),
    Column("differences", Text),
    Column("controls", Text),
    Column("identity", Text),
    Column("content", _KEY),
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

history = Table(
    "history",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("by", _KEY, primary_key=True),
    Column("at", _KEY, nullable=False),
    Column("caller", Text, nullable=False),
    Column("operation", _KEY),
    Column("changes", Text, nullable=False),
    ForeignKeyConstraint(["workshop", "order_id"], ["orders.workshop", "orders.id"], name="history_order"),
)
"""
The change history: what a version of an order changed, a row for each side that changed it. `by` is `operation` or
`planso`, `changes` a JSON list.
"""

Index("history_by_age", history.c.workshop, history.c.at)

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("state", _KEY, nullable=False),
    Column("phase", Text, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("failed", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("started_at", _KEY, nullable=False),
    Column("ended_at", _KEY),
    Column("updated_at", _KEY, nullable=False),
    Column("kind", _KEY, nullable=False, server_default="full"),
    Column("trigger", Text, nullable=False, server_default="request"),
    Column("doubts", Text, nullable=False, server_default="[]"),
)
"""The sync runs. The defaults are for runs from before migration 0002."""

Index("sync_runs_by_start", sync_runs.c.workshop, sync_runs.c.started_at, sync_runs.c.id)

rejected_logins = Table(
    "rejected_logins",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("rejected_at", _KEY, nullable=False),
)
"""The fingerprint of the credentials that PlanSo last rejected, so that they are not tried again."""

write_stops = Table(
    "write_stops",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("operation", _KEY, nullable=False),
    Column("reason", Text, nullable=False),
    Column("columns", Text, nullable=False),
    Column("stopped_at", _KEY, nullable=False),
)
"""
Write stops, until a person resumes: of one order, or with `order_id` 0 of the whole workshop. `columns` is the JSON
list of the form's controls that were damaged.
"""

save_evidence = Table(
    "save_evidence",
    metadata,
    Column("workshop", _KEY, primary_key=True),
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
    Column("workshop", _KEY, primary_key=True),
    Column("column", _KEY, primary_key=True),
    Column("cause", _KEY, primary_key=True),
    Column("effect", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("operation", _KEY, nullable=False),
    Column("seen_at", _KEY, nullable=False),
)
"""
Controls that changed with a save that did not request it, by the requested control that is the cause, `""` if unknown.
`effect`: see `store.save_evidence`.
"""

leases = Table(
    "leases",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("name", _KEY, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", _KEY, nullable=False),
)
"""What only one process at a time may do, and which process holds it."""

sections = Table(
    "sections",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", _KEY, primary_key=True),
    Column("document", Text, nullable=False),
    Column("read_at", _KEY, nullable=False),
    Column("synced_at", _KEY, nullable=False),
    ForeignKeyConstraint(["workshop", "order_id"], ["orders.workshop", "orders.id"], name="sections_order"),
)
"""What each tab of an order showed. `read_at` and `synced_at` as in `last_seen`."""

# Covers the oldest reading of each order, without reading the documents.
Index("sections_by_reading", sections.c.workshop, sections.c.order_id, sections.c.read_at)

unreadable_pages = Table(
    "unreadable_pages",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("order_id", BigInteger),
    Column("reason", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("kept_at", _KEY, nullable=False),
)
"""Pages of PlanSo that could not be read. No foreign key: the order may not be mirrored."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("previous_digest", Text),
    Column("previous_until", _KEY),
    Column("created_at", _KEY, nullable=False),
    Column("expires_at", _KEY),
    Column("revoked_at", _KEY),
    Column("last_used_at", _KEY),
)
# To find a key of whatever workshop.
Index("api_keys_by_id", api_keys.c.id)
"""
The API keys; none is ever deleted, so that the API stays closed to requests without one. `digest` is the secret's
SHA-256, `previous_digest` that of the previous secret, which is valid until `previous_until`.
"""

access_log = Table(
    "access_log",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("at", _KEY, primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("caller", _KEY, nullable=False),
    Column("route", Text, nullable=False),
    Column("order_ids", Text, nullable=False),
    Column("times", Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""
Who was shown which orders: a row for each response, in time order. `caller` is the key's id, `""` without one;
`order_ids` are `,123,130,`. No foreign key: it outlives the orders.
"""

erasure_log = Table(
    "erasure_log",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("erased_at", _KEY, nullable=False),
    Column("kind", _KEY, nullable=False),
    Column("salt", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("order_ids", Text, nullable=False),
    Column("operation_ids", Text, nullable=False),
    Column("counts", Text, nullable=False),
)
"""
Erasures of personal data: the kind of identifier, which is stored only as a salted fingerprint, JSON lists of the
orders and operations that named the person, and the number of erased rows by table.
"""

workshops = Table(
    "workshops",
    metadata,
    Column("name", _KEY, primary_key=True),
    Column("planso_url", Text, nullable=False),
    Column("planso_user", Text, nullable=False),
    Column("encrypted_password", Text, nullable=False),
    Column("table_id", BigInteger),
    Column("profile", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("paused_at", _KEY),
    Column("removed_at", _KEY),
    Column("purged_at", _KEY),
    Column("created_at", _KEY, nullable=False),
    Column("changed_at", _KEY, nullable=False),
    Column("version", BigInteger, nullable=False),
)
"""
The registry of workshops, see `domain.workshop`. A removed one keeps its row, emptied but for its name, so that other
processes learn of it; `purged_at`: when its rows in all other tables were deleted.
"""

Index("workshops_by_version", workshops.c.version)

planso_leases = Table(
    "planso_leases",
    metadata,
    Column("address", _KEY, primary_key=True),
    Column("id", Text, nullable=False),
    Column("holder", _KEY, nullable=False),
    Column("renewals", BigInteger, nullable=False),
    Column("expires_at", _KEY, nullable=False),
)
"""
Which process may send requests to which PlanSo. `id` is new with each acquisition, so that a late statement can't
change a later one. Others see by `renewals` that the holder lives; `expires_at` is for operators. Not of a workshop:
two workshops with one PlanSo share the lease.
"""

forwarded_calls = Table(
    "forwarded_calls",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("kind", _KEY, nullable=False),
    Column("request", Text, nullable=False),
    Column("state", _KEY, nullable=False),
    Column("response", Text),
    Column("holder", _KEY),
    Column("created_at", _KEY, nullable=False),
    Column("expires_at", _KEY, nullable=False),
)
"""
What a process asks of the one that has the workshop's PlanSo lease (`holder`, once it has begun). `request` and
`response` are JSON; a row is deleted with its response being fetched, or when it expires.
"""

capacities = Table(
    "capacities",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("document", Text, nullable=False),
    Column("changed_at", _KEY, nullable=False),
    Column("changed_by", Text, nullable=False),
)
"""The capacity of each workshop that set one: the JSON of `domain.capacity.capacity_document`, and who set it."""

slot_holds = Table(
    "slot_holds",
    metadata,
    Column("workshop", _KEY, primary_key=True),
    Column("call", _KEY, primary_key=True),
    Column("id", _KEY, nullable=False),
    Column("kind", _KEY, nullable=False),
    Column("day", _KEY, nullable=False),
    Column("slot", _KEY, nullable=False),
    Column("hours_karo", Double(), nullable=False),
    Column("hours_lack", Double(), nullable=False),
    Column("expires_at", _KEY, nullable=False),
)
"""
The slot that each call holds until it books, one a call. `call` is a fingerprint of the API key and the call's id;
`slot` is `07:30-09:00`, or empty for the day alone. A row stays until its call holds another slot, books, or gives it
back, and counts until `expires_at`.
"""

INSTALLATION_TABLES = frozenset({"workshops", "planso_leases"})
"""Tables of the installation: their rows are not of one workshop."""
