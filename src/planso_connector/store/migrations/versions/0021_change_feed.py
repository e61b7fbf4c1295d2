"""Add the change feed: every change of every order, numbered once it is committed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
oldest_code = "0017"


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "change_feed",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("id", key(), nullable=False),
        sa.Column("number", sa.BigInteger()),
        sa.Column("type", key(), nullable=False),
        sa.Column("at", key(), nullable=False),
        sa.Column("order_id", sa.BigInteger()),
        sa.Column("version", sa.BigInteger()),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("by", key(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("operation", key()),
        sa.Column("details", sa.Text()),
        sa.PrimaryKeyConstraint("workshop", "id"),
    )
    numbered = sa.text("number IS NOT NULL")
    op.create_index(
        "change_feed_by_number",
        "change_feed",
        ["workshop", "number"],
        unique=True,
        sqlite_where=numbered,
        postgresql_where=numbered,
    )
    not_numbered = sa.text("number IS NULL")
    op.create_index(
        "change_feed_unnumbered",
        "change_feed",
        ["workshop", "at"],
        sqlite_where=not_numbered,
        postgresql_where=not_numbered,
    )
    op.create_index("change_feed_by_order", "change_feed", ["workshop", "order_id", "number"])
    op.create_table(
        "change_feed_bounds",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("epoch", key(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("dropped_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workshop"),
    )
