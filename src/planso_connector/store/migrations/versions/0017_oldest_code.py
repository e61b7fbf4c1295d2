"""The schema says which versions of the connector may use it, so that an older one goes on beside a newer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None
oldest_code = "0017"


def upgrade() -> None:
    op.add_column("alembic_version", sa.Column("oldest_code", sa.Text(), nullable=True))
