"""`backup` and `restore`."""

import re
from pathlib import Path
from typing import Annotated

import typer

from planso_connector.commands.console import (
    err,
    fail,
    load_settings,
    out,
    report_errors,
    require_file,
    require_new_file,
    whole_number,
)
from planso_connector.domain import clock
from planso_connector.store.engine.database import parse_database_url
from planso_connector.store.maintenance import backup as store_backup

_NAMED_BY_TIME = re.compile(r"planso-connector-\d{8}T\d{6}Z\.db")


def backup(
    file: Annotated[
        Path | None, typer.Argument(help="File to write; it must not exist yet. By default named by time.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option(help="Directory for a file named by time, in place of FILE.")
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1),
            metavar="N",
            help="With --directory: afterwards delete all but the newest N of the files named so there.",
        ),
    ] = None,
) -> None:
    """Copy the database while the connector runs, verify the copy, and print what is in it."""
    if directory is not None and file is not None:
        fail("accepted: FILE, or --directory DIR", code=2)
    if keep is not None and directory is None:
        fail("--keep goes with --directory.", code=2)
    if directory is not None and not directory.is_dir():
        fail(f"--directory: there is no directory '{directory}'.", code=2)
    with report_errors():
        where = parse_database_url(load_settings().connector_database_url)
        file = file or (directory or Path()) / f"planso-connector-{clock.now():%Y%m%dT%H%M%SZ}.db"
        if not isinstance(where, Path):
            from planso_connector.store.maintenance import postgresql_backup  # here: psycopg loads libpq

            dump = postgresql_backup.backup_command(where, file.with_suffix(".dump"))
            fail(f"PostgreSQL has its own tool for this:\n  {dump}")
        require_new_file(file, "FILE")
        copied = store_backup.copy_database(where, file)
        out.print(f"{file}: whole, {_rows(copied)}, revision {copied.revision}.")
    if directory is not None and keep is not None:
        _delete_old_backups(directory, keep)


def _delete_old_backups(directory: Path, keep: int) -> None:
    """Delete all but the newest `keep` backups that were named by time."""
    by_time = sorted((file for file in directory.iterdir() if _NAMED_BY_TIME.fullmatch(file.name)), reverse=True)
    for file in by_time[keep:]:
        try:
            file.unlink()
        except OSError as error:
            fail(f"{file} can't be deleted: {error.strerror or error}.")
        out.print(f"{file}: deleted, {keep} newer ones are kept.")


def restore(
    file: Annotated[Path | None, typer.Argument(help="The backup.")] = None,
    only_mark: Annotated[
        bool, typer.Option("--only-mark", help="Mark a database that pg_restore or a snapshot brought back.")
    ] = False,
) -> None:
    """Replace the database by a backup; the old one is kept. The connector must be stopped."""
    with report_errors():
        if (file is None) != only_mark:
            fail("accepted: restore FILE, or restore --only-mark", code=2)
        where, now = parse_database_url(load_settings().connector_database_url), clock.now()
        if not isinstance(where, Path):
            from planso_connector.store.maintenance import postgresql_backup  # here: psycopg loads libpq

            if file is not None:
                fail(
                    "PostgreSQL has its own tool for this. With the connector stopped:\n"
                    f"  {postgresql_backup.restore_command(where, file)}\n"
                    "  planso-connector restore --only-mark\n"
                    "The second keeps writes that were pending in the backup from being sent again.\n"
                    "On a server that never had this database, as a superuser before both:\n"
                    f"  {postgresql_backup.create_roles_command(where)}"
                )
            marks = postgresql_backup.mark_restored(where, now)
        elif file is None:
            marks = store_backup.mark_restored(where, now)
        else:
            require_file(file)
            result = store_backup.restore(file, where, now)
            marks = result.marks
            if marks.erasures:
                out.print(f"{marks.erasures} erasures of personal data since the backup were repeated.")
            out.print(f"Restored: {_rows(result.backup)}.")
            if result.previous_database is not None:
                out.print(f"The previous database is kept: {result.previous_database}")
        out.print("It is marked as restored: the next sync reads every order.")
        if marks.revoked:
            err.print(
                f"{marks.revoked} API keys were revoked: they were valid in the backup, and may have been "
                "revoked since. Make new ones with `planso-connector keys create`.",
                style="yellow",
            )
        if marks.pending:
            err.print(
                f"{marks.pending} pending: each is looked for in PlanSo, none is sent again. "
                "GET /api/operations?state=conflict lists those that PlanSo does not show.",
                style="yellow",
            )


def _rows(backup: store_backup.VerifiedBackup) -> str:
    return ", ".join(f"{backup.rows.get(table, 0):,} {table}" for table in ("orders", "operations", "history"))
