"""Run by Alembic to write a migration's SQL as text, which `store/maintenance/migrate.py` runs in one transaction."""

from __future__ import annotations

from alembic import context

from planso_connector.store.tables import metadata

context.configure(
    dialect_name=context.config.attributes["dialect"],
    target_metadata=metadata,
    transactional_ddl=False,
    dialect_opts={"paramstyle": "named"},
)
with context.begin_transaction():
    context.run_migrations()
