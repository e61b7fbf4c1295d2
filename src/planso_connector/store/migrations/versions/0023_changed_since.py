"""Add the index by which orders that changed since an instant are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None
oldest_code = "0017"


def upgrade() -> None:
    where = sa.text("deleted_at IS NULL")
    op.create_index(
        "orders_by_change", "orders", ["workshop", "archived", "changed_at"], sqlite_where=where, postgresql_where=where
    )
