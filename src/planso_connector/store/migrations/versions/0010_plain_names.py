"""Tables and their indexes and constraints are named after their subjects."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = {
    "sightings": "last_seen",
    "changes": "history",
    "runs": "sync_runs",
    "kept_pages": "unreadable_pages",
    "keys": "api_keys",
    "accesses": "access_log",
    "erasures": "erasure_log",
}
INDEXES = (
    ("changes_by_age", "history_by_age", "history", ["workshop", "at"]),
    ("runs_by_start", "sync_runs_by_start", "sync_runs", ["workshop", "started_at", "id"]),
)
# Primary and foreign keys, and since PostgreSQL 18 each NOT NULL, have names that begin with the table's.
RENAME_CONSTRAINTS = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = '{new}'::regclass AND starts_with(conname, '{old}_')
    LOOP
        EXECUTE format('ALTER TABLE {new} RENAME CONSTRAINT %I TO %I', name, '{new}' || substr(name, {length}));
    END LOOP;
END $$
"""


def upgrade() -> None:
    is_postgresql = op.get_context().dialect.name == "postgresql"
    for old, new in TABLES.items():
        op.rename_table(old, new)
        if is_postgresql:
            op.execute(RENAME_CONSTRAINTS.format(old=old, new=new, length=len(old) + 1))
    for old, new, table, columns in INDEXES:
        if is_postgresql:
            op.execute(f"ALTER INDEX {old} RENAME TO {new}")
        else:  # SQLite can't rename an index
            op.drop_index(old, table)
            op.create_index(new, table, columns)
