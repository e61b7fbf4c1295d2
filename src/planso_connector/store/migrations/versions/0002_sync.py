"""Add leases, sections, kept pages, and what a sync run was for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def key() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    tell_runs_apart()
    create_leases()
    create_sections()
    create_kept_pages()


def tell_runs_apart() -> None:
    op.add_column("runs", sa.Column("kind", key(), nullable=False, server_default="full"))
    op.add_column("runs", sa.Column("trigger", sa.Text(), nullable=False, server_default="request"))
    op.add_column("runs", sa.Column("doubts", sa.Text(), nullable=False, server_default="[]"))


def create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("name", key(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", key(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "name"),
    )


def create_sections() -> None:
    op.create_table(
        "sections",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("name", key(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("read_at", key(), nullable=False),
        sa.Column("synced_at", key(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "order_id", "name"),
        sa.ForeignKeyConstraint(["workshop", "order_id"], ["orders.workshop", "orders.id"], name="sections_order"),
    )
    op.create_index("sections_by_reading", "sections", ["workshop", "order_id", "read_at"])


def create_kept_pages() -> None:
    op.create_table(
        "kept_pages",
        sa.Column("workshop", key(), nullable=False),
        sa.Column("id", key(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("kept_at", key(), nullable=False),
        sa.PrimaryKeyConstraint("workshop", "id"),
    )
