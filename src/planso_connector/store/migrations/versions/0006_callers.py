"""API keys, and who read which order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("id", key(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("previous_digest", sa.Text(), nullable=True),
        sa.Column("previous_until", key(), nullable=True),
        sa.Column("created_at", key(), nullable=False),
        sa.Column("expires_at", key(), nullable=True),
        sa.Column("revoked_at", key(), nullable=True),
        sa.Column("last_used_at", key(), nullable=True),
        sa.PrimaryKeyConstraint("workshop", "id"),
    )
    op.create_table(
        "accesses",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("at", key(), nullable=False),
        sa.Column("id", key(), nullable=False),
        sa.Column("caller", key(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("order_ids", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "at", "id"),
        sqlite_with_rowid=False,
    )
