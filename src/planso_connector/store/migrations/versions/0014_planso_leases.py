"""Add the PlanSo leases, and the calls that are forwarded to their holders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "planso_leases",
        sa.Column("address", key(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("holder", key(), nullable=False),
        sa.Column("renewals", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", key(), nullable=False),
        sa.PrimaryKeyConstraint("address"),
    )
    op.create_table(
        "forwarded_calls",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("id", key(), nullable=False),
        sa.Column("kind", key(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("state", key(), nullable=False),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("holder", key(), nullable=True),
        sa.Column("created_at", key(), nullable=False),
        sa.Column("expires_at", key(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "id"),
    )
