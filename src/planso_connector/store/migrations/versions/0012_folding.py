"""
Rebuild the search index: names have keys for words that are said as one, and searches take typographic signs for plain
ones.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM lookup_keys WHERE kind = ''")
