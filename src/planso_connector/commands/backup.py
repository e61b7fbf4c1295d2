"""Backup and restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from planso_connector.commands.console import err, fail, out, report_errors
from planso_connector.domain import clock
from planso_connector.settings import Settings
from planso_connector.store.engine.database import parse_database_url
from planso_connector.store.maintenance import backup as store_backup


def backup(
    file: Annotated[
        Path | None, typer.Argument(help="File to write, which must not be there yet; without it one named by time.")
    ] = None,
) -> None:
    """Copy the database while the connector runs, verify the copy, and tell what is in it."""
    with report_errors():
        where = parse_database_url(Settings.load().connector_database_url)
        file = file or Path(f"planso-connector-{clock.now():%Y%m%dT%H%M%SZ}.db")
        if not isinstance(where, Path):
            from planso_connector.store.maintenance import postgresql_backup  # here: psycopg loads libpq

            dump = postgresql_backup.backup_command(where, file.with_suffix(".dump"))
            fail(f"PostgreSQL has its own tool for this:\n  {dump}")
        found = store_backup.copy_database(where, file)
        out.print(f"{file}: whole, {_rows(found)}, revision {found.revision}.", highlight=False, soft_wrap=True)


def restore(
    file: Annotated[Path | None, typer.Argument(help="The backup.")] = None,
    only_mark: Annotated[
        bool,
        typer.Option("--only-mark", help="It was put back already, by pg_restore or a snapshot: mark it as restored."),
    ] = False,
) -> None:
    """Put a backup in the place of the database, which is kept aside. The connector must be stopped."""
    with report_errors():
        if (file is None) != only_mark:
            fail("accepted: restore FILE, or restore --only-mark", code=2)
        where, now = parse_database_url(Settings.load().connector_database_url), clock.now()
        if not isinstance(where, Path):
            from planso_connector.store.maintenance import postgresql_backup  # here: psycopg loads libpq

            if file is not None:
                fail(
                    "PostgreSQL has its own tool for this. With the connector stopped:\n"
                    f"  {postgresql_backup.restore_command(where, file)}\n"
                    "  planso-connector restore --only-mark\n"
                    "The second keeps writes that were pending in the backup from being sent again."
                )
            marked = postgresql_backup.mark_restored(where, now)
        elif file is None:
            marked = store_backup.mark_restored(where, now)
        else:
            done = store_backup.restore(file, where, now)
            marked = done.marks
            if done.repeated_erasures:
                out.print(
                    f"{done.repeated_erasures} erasures of people's data since the backup: made again.", highlight=False
                )
            out.print(f"Restored: {_rows(done.backup)}.", highlight=False)
            if done.previous_database is not None:
                out.print(f"The database of before is kept: {done.previous_database}", highlight=False, soft_wrap=True)
        out.print("It is marked as restored: the next sync reads every order.", highlight=False)
        if marked.revoked:
            err.print(
                f"{marked.revoked} API keys were revoked: they were valid in the backup, and nothing tells whether "
                "they still are. Make new ones with `planso-connector keys create`.",
                style="yellow",
                highlight=False,
                soft_wrap=True,
            )
        if marked.pending:
            err.print(
                f"{marked.pending} pending: each is looked for in PlanSo, none is sent again. "
                "GET /api/operations?state=conflict lists those that PlanSo does not show.",
                style="yellow",
                highlight=False,
                soft_wrap=True,
            )


def _rows(found: store_backup.VerifiedBackup) -> str:
    return ", ".join(f"{found.rows.get(table, 0):,} {table}" for table in ("orders", "operations", "changes"))
