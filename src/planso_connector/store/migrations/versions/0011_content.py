"""What a create asked for, by which a repetition without an idempotency key is recognised."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
HAS_CONTENT = sa.text("content IS NOT NULL")


def upgrade() -> None:
    op.add_column("operations", sa.Column("content", KEY, nullable=True))
    op.create_index(
        "operations_by_content",
        "operations",
        ["workshop", "content", "created_at"],
        sqlite_where=HAS_CONTENT,
        postgresql_where=HAS_CONTENT,
    )
