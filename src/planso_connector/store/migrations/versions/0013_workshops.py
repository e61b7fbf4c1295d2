"""The registry of workshops."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "workshops",
        sa.Column("name", KEY, nullable=False),
        sa.Column("planso_url", sa.Text(), nullable=False),
        sa.Column("planso_user", sa.Text(), nullable=False),
        sa.Column("encrypted_password", sa.Text(), nullable=False),
        sa.Column("table_id", sa.BigInteger(), nullable=True),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("paused_at", KEY, nullable=True),
        sa.Column("removed_at", KEY, nullable=True),
        sa.Column("purged_at", KEY, nullable=True),
        sa.Column("created_at", KEY, nullable=False),
        sa.Column("changed_at", KEY, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("workshops_by_version", "workshops", ["version"])
