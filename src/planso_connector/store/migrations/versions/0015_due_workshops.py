"""Indexes to find, over all workshops, those with pending operations, and the keys of one id."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

IS_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.create_index(
        "operations_pending", "operations", ["workshop"], sqlite_where=IS_PENDING, postgresql_where=IS_PENDING
    )
    op.create_index("api_keys_by_id", "api_keys", ["id"])
