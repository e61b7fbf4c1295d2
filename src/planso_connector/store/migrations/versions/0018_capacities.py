"""Add each workshop's capacity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None
oldest_code = "0017"


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "capacities",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("changed_at", key(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("workshop"),
    )
