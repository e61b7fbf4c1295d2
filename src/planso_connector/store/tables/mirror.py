"""The mirror: what PlanSo shows of each order."""

from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Double, ForeignKeyConstraint, Index, Integer, Table, Text
from sqlalchemy.types import TypeEngine

from planso_connector.domain.fields import MIRRORED, FieldKind
from planso_connector.store.tables.columns import KEY, metadata

_TYPES: dict[FieldKind, TypeEngine[Any]] = {
    FieldKind.NUMBER: Double(),
    FieldKind.ID: BigInteger(),
    FieldKind.FLAG: Integer(),
}

orders = Table(
    "orders",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("archived", Integer, nullable=False),
    Column("deleted_at", KEY),
    Column("changed_at", KEY, nullable=False),
    Column("short_name", Text, nullable=False),
    Column("plate", Text),
    Column("station_id", KEY),
    Column("station_state", KEY),
    Column("employee_id", Text),
    Column("position", Text),
    Column("list_finish_date", Text),
    Column("missing_parts", Integer, nullable=False),
    *(Column(field.column, _TYPES.get(field.kind, Text())) for field in MIRRORED),
    Column("shop_day", KEY, nullable=False),
    Column("finish_day", KEY, nullable=False),
    Column("plate_key", KEY, nullable=False),
    Column("person_key", KEY, nullable=False),
    Column("phone_key", KEY, nullable=False),
    Column("email_key", KEY, nullable=False),
    Column("damage_key", KEY, nullable=False),
    Column("status_key", KEY, nullable=False),
    Column("text_key", KEY, nullable=False),
    Column("document", Text, nullable=False),
    Column("first_seen_at", KEY, nullable=False, server_default=""),
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

_index_list("orders_by_change", orders.c.changed_at)
Index("orders_by_plate", orders.c.workshop, orders.c.plate_key)
_deleted = orders.c.deleted_at.is_not(None)
Index("orders_by_deletion", orders.c.workshop, orders.c.deleted_at, sqlite_where=_deleted, postgresql_where=_deleted)

lookup_keys = Table(
    "lookup_keys",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("kind", KEY, primary_key=True),
    Column("key", KEY, primary_key=True),
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
    Column("workshop", KEY, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("read_at", KEY, nullable=False),
    Column("synced_at", KEY, nullable=False),
    Column("parts_read_at", KEY),
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
    Column("workshop", KEY, primary_key=True),
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

sections = Table(
    "sections",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", KEY, primary_key=True),
    Column("document", Text, nullable=False),
    Column("read_at", KEY, nullable=False),
    Column("synced_at", KEY, nullable=False),
    ForeignKeyConstraint(["workshop", "order_id"], ["orders.workshop", "orders.id"], name="sections_order"),
)
"""What each tab of an order showed. `read_at` and `synced_at` as in `last_seen`."""

# Covers the oldest reading of each order, without reading the documents.
Index("sections_by_reading", sections.c.workshop, sections.c.order_id, sections.c.read_at)

unreadable_pages = Table(
    "unreadable_pages",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("id", KEY, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("order_id", BigInteger),
    Column("reason", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("kept_at", KEY, nullable=False),
)
"""Pages of PlanSo that could not be read. No foreign key: the order may not be mirrored."""

history = Table(
    "history",
    metadata,
    Column("workshop", KEY, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("by", KEY, primary_key=True),
    Column("at", KEY, nullable=False),
    Column("caller", Text, nullable=False),
    Column("operation", KEY),
    Column("changes", Text, nullable=False),
    ForeignKeyConstraint(["workshop", "order_id"], ["orders.workshop", "orders.id"], name="history_order"),
)
"""
The change history: what a version of an order changed, a row for each side that changed it. `by` is `operation` or
`planso`, `changes` a JSON list.
"""

Index("history_by_age", history.c.workshop, history.c.at)
