"""Add write stops, save evidence, save effects and the differences of operations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("operations", sa.Column("differences", sa.Text(), nullable=True))
    op.add_column("operations", sa.Column("controls", sa.Text(), nullable=True))
    op.create_table(
        "write_stops",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("operation", key(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("stopped_at", key(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "order_id"),
    )
    op.create_table(
        "save_evidence",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("clean_saves", sa.BigInteger(), nullable=False),
        sa.Column("most_pairs", sa.BigInteger(), nullable=False),
        sa.Column("trial", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("workshop"),
    )
    op.create_table(
        "save_effects",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("column", key(), nullable=False),
        sa.Column("cause", key(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("operation", key(), nullable=False),
        sa.Column("seen_at", key(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "column", "cause"),
    )
