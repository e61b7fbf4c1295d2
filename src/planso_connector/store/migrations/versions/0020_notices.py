"""Add the notices that phone agents leave for the workshop's people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None
oldest_code = "0017"


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("id", key(), nullable=False),
        sa.Column("created_at", key(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("content", key(), nullable=False),
        sa.Column("order_id", sa.BigInteger()),
        sa.Column("operation", key()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("plate", sa.Text(), nullable=False),
        sa.Column("done_at", key()),
        sa.Column("done_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "id"),
    )
    op.create_index("notices_by_content", "notices", ["workshop", "content"])
