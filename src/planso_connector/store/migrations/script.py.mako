"""${message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
oldest_code = ${repr(up_revision)}
"""The oldest revision whose code may use this schema: the previous migration's where this one only adds."""


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
