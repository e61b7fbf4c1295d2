"""
Free text through an index: on SQLite FTS5 over the pieces of each text, on PostgreSQL trigrams. Both follow the orders
by themselves, in the same transaction. What the orders hold already is written anew when the connector starts.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# FTS5 knows its rows by a number. Those of `orders` itself won't do: no column holds them, so VACUUM changes them.
# It forgets a row only by the very pieces that it was told: `grams` may not change without a migration that empties it.
# Nothing here is younger than SQLite 3.40, so that other programs can open the file.
_SQLITE = """
CREATE TABLE text_index_orders (
    number INTEGER PRIMARY KEY,
    workshop TEXT NOT NULL,
    order_id BIGINT NOT NULL,
    UNIQUE (workshop, order_id)
);
CREATE VIRTUAL TABLE text_index USING fts5(grams, content='', detail=none, tokenize='ascii');
CREATE TRIGGER text_index_insert AFTER INSERT ON orders BEGIN
    INSERT INTO text_index_orders (workshop, order_id) VALUES (new.workshop, new.id);
    INSERT INTO text_index (rowid, grams) VALUES (last_insert_rowid(), grams(new.text_key));
END;
CREATE TRIGGER text_index_update AFTER UPDATE OF text_key ON orders WHEN
    old.text_key <> new.text_key OR NOT EXISTS
        (SELECT 1 FROM text_index_orders WHERE workshop = new.workshop AND order_id = new.id)
BEGIN
    INSERT INTO text_index (text_index, rowid, grams)
    SELECT 'delete', number, grams(old.text_key)
    FROM text_index_orders WHERE workshop = old.workshop AND order_id = old.id;
    INSERT OR IGNORE INTO text_index_orders (workshop, order_id) VALUES (new.workshop, new.id);
    INSERT INTO text_index (rowid, grams)
    SELECT number, grams(new.text_key)
    FROM text_index_orders WHERE workshop = new.workshop AND order_id = new.id;
END;
CREATE TRIGGER text_index_delete AFTER DELETE ON orders BEGIN
    INSERT INTO text_index (text_index, rowid, grams)
    SELECT 'delete', number, grams(old.text_key)
    FROM text_index_orders WHERE workshop = old.workshop AND order_id = old.id;
    DELETE FROM text_index_orders WHERE workshop = old.workshop AND order_id = old.id;
END;
"""


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        op.execute(sa.text(_SQLITE.replace(":", r"\:")))
    else:
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        op.create_index(
            "orders_by_text",
            "orders",
            ["text_key"],
            postgresql_using="gin",
            postgresql_ops={"text_key": "gin_trgm_ops"},
        )
    shown = sa.text("deleted_at IS NULL")
    op.create_index(
        "orders_by_missing_parts",
        "orders",
        ["workshop", "archived", "missing_parts", sa.text("shop_day DESC"), "id"],
        sqlite_where=shown,
        postgresql_where=shown,
    )
    op.drop_index("orders_by_finish_day", "orders")
    op.create_index(
        "orders_by_finish_day",
        "orders",
        ["workshop", "archived", "finish_day", "id"],
        sqlite_where=shown,
        postgresql_where=shown,
    )
    # The mark that every order has what it is looked up by.
    op.execute("DELETE FROM lookup_keys WHERE kind = ''")
