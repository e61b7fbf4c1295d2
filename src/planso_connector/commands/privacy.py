"""`privacy`: export and erase what is held of a person."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from planso_connector.commands.console import (
    AsJson,
    OfWorkshop,
    err,
    fail,
    out,
    print_json,
    report_errors,
    require_new_file,
    run_with_database,
)
from planso_connector.domain import clock
from planso_connector.domain.recognition.identifier import Identifier, IdentifierKind
from planso_connector.flows.operating.personal_data import ErasureResult, PersonalData
from planso_connector.settings import Settings
from planso_connector.store.engine.database import Database
from planso_connector.store.maintenance.vacuum import vacuum

cli = typer.Typer(help="What is held of a person, by phone number, plate or e-mail address.", no_args_is_help=True)

Phone = Annotated[str | None, typer.Option("--phone", help="A whole phone number, in any spelling.")]
Plate = Annotated[str | None, typer.Option("--plate", help="A whole number plate, in any spelling.")]
Email = Annotated[str | None, typer.Option("--email", help="An e-mail address.")]


@cli.command()
def export(
    phone: Phone = None,
    plate: Plate = None,
    email: Email = None,
    output: Annotated[Path | None, typer.Option(help="File to write; it must not exist yet.")] = None,
    workshop: OfWorkshop = None,
) -> None:
    """Export all that is held of a person, with its sources: one JSON document, for the person to read."""
    with report_errors():
        identifier = _identifier(phone, plate, email)
    if output is not None:
        require_new_file(output, "--output")

    async def work(database: Database) -> dict[str, Any]:
        return await PersonalData(database, clock.now).export(identifier)

    document = run_with_database(work, workshop=workshop)
    if not any(document[kind] for kind in ("orders", "operations", "notices")):
        err.print("Nothing is held of it.")
    if output is None:
        print_json(document)
        return
    try:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    except OSError as error:
        fail(f"--output: '{output}' can't be written: {error.strerror}; accepted: the name of a new file")
    err.print(f"Written: {output}, which only you may read.")


@cli.command()
def erase(
    phone: Phone = None,
    plate: Plate = None,
    email: Email = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase. Without it, only say what would be erased.")] = False,
    as_json: AsJson = False,
    workshop: OfWorkshop = None,
) -> None:
    """
    Erase what is held of a person. Orders that PlanSo lists follow PlanSo: delete or anonymise them there first.

    Exit code 1 where something stays.
    """
    with report_errors():
        identifier = _identifier(phone, plate, email)

    async def work(database: Database) -> ErasureResult:
        personal_data = PersonalData(database, clock.now)
        return await (personal_data.erase(identifier) if yes else personal_data.plan_erasure(identifier))

    result = run_with_database(work, workshop=workshop)
    with report_errors():
        is_vacuumed = not yes or vacuum(Settings.load().connector_database_url)
    if as_json:
        print_json(_describe(result))
    else:
        _print_result(result, is_done=yes)
    if not is_vacuumed:
        err.print("The write-ahead log could not be emptied: somebody reads all the time. Try again.", style="yellow")
    if yes and (result.still_in_planso or not is_vacuumed):
        raise typer.Exit(1)


def _identifier(phone: str | None, plate: str | None, email: str | None) -> Identifier:
    options = ((IdentifierKind.PHONE, phone), (IdentifierKind.PLATE, plate), (IdentifierKind.EMAIL, email))
    given = [(kind, text) for kind, text in options if text is not None]
    if len(given) != 1:
        fail("accepted: one of --phone, --plate and --email", code=2)
    return Identifier.parse(*given[0])


def _describe(result: ErasureResult) -> dict[str, Any]:
    """`erasure_log` is null and `erased` empty where nothing was erased."""
    return {
        "orders": {str(order_id): sorted(tables) for order_id, tables in sorted(result.records.orders.items())},
        "operations": sorted(result.records.operations),
        "notices": sorted(result.records.notices),
        "still_in_planso": result.still_in_planso,
        "pending": result.pending,
        "erased": dict(sorted(result.counts.items())),
        "erasure_log": result.id,
    }


def _print_result(result: ErasureResult, *, is_done: bool) -> None:
    if result.records.is_empty:
        out.print("Nothing is held.")
        return
    for order_id, tables in sorted(result.records.orders.items()):
        out.print(f"order {order_id}: named in {', '.join(sorted(tables))}")
    for operation_id in sorted(result.records.operations):
        out.print(f"operation {operation_id}: named in what it asked, made no order")
    for notice_id in sorted(result.records.notices):
        out.print(f"{notice_id}: names it")
    if result.pending:
        err.print(f"Pending, settle or cancel first: {', '.join(result.pending)}", style="yellow")
    if is_done:
        rows = ", ".join(f"{count} {table}" for table, count in sorted(result.counts.items())) or "none"
        out.print(f"Erased, rows: {rows}. Erasure log: {result.id}")
    else:
        out.print("Would be erased: history, tabs, unreadable pages, what operations asked; with --yes.")
    if result.still_in_planso:
        orders = ", ".join(map(str, result.still_in_planso))
        err.print(
            f"Still in PlanSo, and so in the mirror: {orders}. Delete or anonymise them there, run "
            "`planso-connector sync --full`, then this again; whatever is erased here would return with the next sync.",
            style="yellow",
        )
