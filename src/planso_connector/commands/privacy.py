"""What is held of a person: told, and erased."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from planso_connector import app as root
from planso_connector.commands.console import (
    configure_logs,
    err,
    fail,
    out,
    print_json,
    report_errors,
    require_database,
    run,
)
from planso_connector.domain import clock
from planso_connector.domain.recognition.identifier import Identifier, IdentifierKind
from planso_connector.flows.operating.personal_data import ErasureResult, PersonalData
from planso_connector.settings import Settings
from planso_connector.store.maintenance.vacuum import vacuum

cli = typer.Typer(help="What is held of a person, by phone number, plate or e-mail address.", no_args_is_help=True)

Phone = Annotated[str | None, typer.Option("--phone", help="A whole phone number, in any writing.")]
Plate = Annotated[str | None, typer.Option("--plate", help="A whole number plate, in any writing.")]
Email = Annotated[str | None, typer.Option("--email", help="An e-mail address.")]


@cli.command()
def export(
    phone: Phone = None,
    plate: Plate = None,
    email: Email = None,
    output: Annotated[Path | None, typer.Option(help="File to write, which must not be there yet.")] = None,
) -> None:
    """Tell all that is held of a person, with its sources: one JSON document, for the person to read."""
    with report_errors():
        identifier = _identifier(phone, plate, email)
        settings = require_database(Settings.load())
        configure_logs(settings, quiet=True)
        held = run(_export(settings, identifier))
        if not held["orders"] and not held["operations"]:
            err.print("Nothing is held of it.", highlight=False)
        if output is None:
            print_json(held)
            return
        try:
            with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(json.dumps(held, ensure_ascii=False, indent=2) + "\n")
        except OSError as error:
            fail(f"--output: '{output}' can't be written: {error.strerror}; accepted: the name of a new file")
        err.print(f"Written: {output}, which only you may read.", highlight=False)


@cli.command()
def erase(
    phone: Phone = None,
    plate: Plate = None,
    email: Email = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without, it is only told what would be done.")] = False,
) -> None:
    """
    Erase what is held of a person. Orders that PlanSo lists follow PlanSo: delete or anonymise them there first.

    Exit code 1 where something stays.
    """
    with report_errors():
        identifier = _identifier(phone, plate, email)
        settings = require_database(Settings.load())
        configure_logs(settings, quiet=True)
        erased, clean = run(_erase(settings, identifier, do_it=yes))
        _tell(erased, done=yes)
        if not clean:
            err.print(
                "The write-ahead log could not be emptied: somebody reads all the time. Try again.", style="yellow"
            )
        if yes and (erased.still_in_planso or not clean):
            raise typer.Exit(1)


async def _export(settings: Settings, identifier: Identifier) -> dict[str, object]:
    async with _privacy(settings) as privacy:
        return await privacy.export(identifier)


async def _erase(settings: Settings, identifier: Identifier, *, do_it: bool) -> tuple[ErasureResult, bool]:
    async with _privacy(settings) as privacy:
        if not do_it:
            return await privacy.plan_erasure(identifier), True
        erased = await privacy.erase(identifier)
    return erased, await asyncio.to_thread(vacuum, settings.connector_database_url)


@asynccontextmanager
async def _privacy(settings: Settings) -> AsyncIterator[PersonalData]:
    async with root.open_database(settings) as database:
        yield PersonalData(database, clock.now)


def _identifier(phone: str | None, plate: str | None, email: str | None) -> Identifier:
    asked = ((IdentifierKind.PHONE, phone), (IdentifierKind.PLATE, plate), (IdentifierKind.EMAIL, email))
    given = [(kind, text) for kind, text in asked if text is not None]
    if len(given) != 1:
        fail("accepted: one of --phone, --plate and --email", code=2)
    return Identifier.parse(*given[0])


def _tell(erased: ErasureResult, *, done: bool) -> None:
    if erased.records.is_empty:
        out.print("Nothing is held.")
        return
    for order_id, tables in sorted(erased.records.orders.items()):
        out.print(f"order {order_id}: named in {', '.join(sorted(tables))}", highlight=False)
    for operation_id in sorted(erased.records.operations):
        out.print(f"operation {operation_id}: named in what it asked, made no order", highlight=False)
    if erased.pending:
        err.print(f"Pending, settle or cancel first: {', '.join(erased.pending)}", style="yellow", highlight=False)
    if done:
        rows = ", ".join(f"{count} {table}" for table, count in sorted(erased.counts.items())) or "none"
        out.print(f"Erased, rows: {rows}. Protocol: {erased.id}", highlight=False)
    else:
        out.print("Would be erased: history, tabs, kept pages, what operations asked; with --yes.", highlight=False)
    if erased.still_in_planso:
        named = ", ".join(map(str, erased.still_in_planso))
        err.print(
            f"Still in PlanSo, and so in the mirror: {named}. Delete or anonymise them there, run "
            "`planso-connector sync --full`, then this again; whatever is erased here would return with the next sync.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )
