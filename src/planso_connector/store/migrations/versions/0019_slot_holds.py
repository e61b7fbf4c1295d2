"""Add the slots that calls hold until they book."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None
oldest_code = "0017"


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "slot_holds",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("call", key(), nullable=False),
        sa.Column("id", key(), nullable=False),
        sa.Column("kind", key(), nullable=False),
        sa.Column("day", key(), nullable=False),
        sa.Column("slot", key(), nullable=False),
        sa.Column("hours_karo", sa.Double(), nullable=False),
        sa.Column("hours_lack", sa.Double(), nullable=False),
        sa.Column("expires_at", key(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "call"),
    )
