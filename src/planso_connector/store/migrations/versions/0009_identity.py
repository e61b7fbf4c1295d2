"""Add `operations.identity`: the identifying values of the order when the write was recorded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("operations", sa.Column("identity", sa.Text(), nullable=True))
