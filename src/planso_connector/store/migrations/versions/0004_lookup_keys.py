"""For the lookup by what a caller says: the keys of each order. They are written when the connector starts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "lookup_keys",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("kind", key(), nullable=False),
        sa.Column("key", key(), nullable=False),
        sa.Column("archived", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("workshop", "kind", "key", "archived", "order_id"),
        sqlite_with_rowid=False,
    )
