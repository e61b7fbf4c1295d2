"""For writes that can't be lost: the outbox, the history of each order, when an order was first seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("orders", sa.Column("first_seen_at", key(), nullable=False, server_default=""))
    op.create_index("orders_by_plate", "orders", ["workshop", "plate_key"])
    make_operations_an_outbox()
    create_changes()


def make_operations_an_outbox() -> None:
    for column in (
        sa.Column("notes", sa.Text(), nullable=False, server_default=""),
        sa.Column("caller", sa.Text(), nullable=False, server_default=""),
        sa.Column("idempotency_key", key(), nullable=True),
        sa.Column("request", sa.Text(), nullable=True),
        sa.Column("deadline_at", key(), nullable=False, server_default=""),
        sa.Column("next_at", key(), nullable=False, server_default=""),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("undoes", key(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("sent_at", key(), nullable=True),
        sa.Column("first_sent_at", key(), nullable=True),
        sa.Column("sent", sa.Text(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("held_until", key(), nullable=True),
    ):
        op.add_column("operations", column)
    # What an earlier version left pending may have been sent; its caller was told that nothing more would be: a last
    # look decides. What it settled has no failure written down; its message says it.
    op.execute("UPDATE operations SET sent_at = created_at WHERE state = 'pending'")
    op.create_index(
        "operations_by_key",
        "operations",
        ["workshop", "caller", "idempotency_key"],
        unique=True,
        sqlite_where=sa.text("idempotency_key IS NOT NULL"),
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_index("operations_by_creation", "operations", ["workshop", "created_at", "id"])


def create_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("version", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("by", key(), nullable=False),
        sa.Column("at", key(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("operation", key(), nullable=True),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "order_id", "version", "by"),
        sa.ForeignKeyConstraint(["workshop", "order_id"], ["orders.workshop", "orders.id"], name="changes_order"),
    )
