"""`planso-connector writes`: the state of writes to PlanSo, resuming them, restoring a damaged order."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

import typer

from planso_connector import app as root
from planso_connector import configuration
from planso_connector.commands.console import (
    AsJson,
    OfWorkshop,
    configure_logs,
    err,
    fail,
    load_settings,
    load_workshop_settings,
    out,
    print_json,
    print_table,
    report_errors,
    require_database,
    run,
    seconds,
    whole_number,
)
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.domain.saving.restoring import select_restorable
from planso_connector.domain.saving.verdicts import Difference
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.writing.write_stops import WritesStatus, WriteStops
from planso_connector.settings import Settings
from planso_connector.store.write_stops import WriteStop

T = TypeVar("T")

POLL_SECONDS = 0.5
"""Interval between two checks of a restore."""

cli = typer.Typer(
    name="writes",
    help="Stopped writes: after a save did damage nothing is written until a person resumes.",
    no_args_is_help=True,
)
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


@cli.command()
def status(as_json: AsJson = False, workshop: OfWorkshop = None) -> None:
    """Print whether writes reach PlanSo, and what is stopped since when and why. Exit code 1 while something is."""
    status = _with_stops(lambda stops, _: stops.get_status(), workshop)
    if as_json:
        print_json(_describe(status))
    else:
        saves = "save" if status.clean_saves == 1 else "saves"
        out.print(
            f"Writes: {status.state}; {status.pending} pending. How this PlanSo saves is {status.saving.state}: "
            f"{status.saving.reason}; {status.clean_saves} {saves} compared clean."
        )
        _print_stops(status.stops)
    if status.stops:
        raise typer.Exit(1)


@cli.command()
def resume(
    order: Annotated[
        int | None,
        typer.Option(parser=whole_number(1), metavar="ORDER", help="Only this order; without it everything stopped."),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(help="A damaged control, by name, that changes with every save; may be given again."),
    ] = None,
    yes: Yes = False,
    workshop: OfWorkshop = None,
) -> None:
    """Resume writes, once somebody has looked at the damage. A running connector continues within a second."""
    status = _with_stops(lambda stops, _: stops.get_status(), workshop)
    selected = [stop for stop in status.stops if order is None or stop.order_id == order]
    if not selected:
        out.print("Nothing is stopped there." if status.stops else "Nothing is stopped.")
        return
    _print_stops(selected)
    pending = f"{status.pending} pending writes are sent then" if status.pending else "no write is pending"
    _confirm(f"Resume? ({pending})", yes=yes)
    ended = _with_stops(lambda stops, _: stops.resume(order, accept or ()), workshop)
    resumed = ["all orders" if stop.order_id is None else f"order {stop.order_id}" for stop in ended]
    out.print(f"Resumed: {', '.join(resumed) or 'somebody else had done so'}.")


@cli.command()
def restore(
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="The damaged operation, `op_...`.")],
    only: Annotated[
        list[str] | None, typer.Option(help="Only the control of this label or name; may be given again.")
    ] = None,
    yes: Yes = False,
    wait: Annotated[
        float, typer.Option(parser=seconds(3600), metavar="SECONDS", help="Seconds to wait for what becomes of it.")
    ] = 60.0,
    workshop: OfWorkshop = None,
) -> None:
    """Write back to PlanSo what a damaged operation's save took: it is recorded, a running connector carries it out."""
    names = only or []

    async def select(stops: WriteStops, _: Settings) -> tuple[Operation, list[Difference]]:
        damaged = await stops.get_operation(operation)
        return damaged, select_restorable(damaged, names)

    damaged, differences = _with_stops(select, workshop)
    rows = [(one.label, one.column, ", ".join(one.after), ", ".join(one.before)) for one in differences]
    print_table(rows, ("label", "control", "after the save", "is written back"))
    _confirm(f"Write these values back to order {damaged.order_id}?", yes=yes)

    async def record(stops: WriteStops, settings: Settings) -> Operation:
        recorded = await stops.record_restore(operation, names, settings.connector_write_deadline)
        err.print(f"Recorded as {recorded.id}.")
        return await _wait_until_settled(stops, recorded, wait)

    _report(_with_stops(record, workshop), wait)


async def _wait_until_settled(stops: WriteStops, operation: Operation, wait: float) -> Operation:
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while operation.state is OperationState.PENDING and (left := until - loop.time()) > 0:
        await asyncio.sleep(min(POLL_SECONDS, left))
        operation = await stops.get_operation(operation.id)
    return operation


def _report(restore: Operation, wait: float) -> None:
    """Print what became of the restore. Exit code 1 where it is not confirmed."""
    message = " ".join(part for part in (restore.message, restore.notes) if part)
    if restore.state is OperationState.CONFIRMED:
        out.print(f"Written back, read again and compared. {message}".strip())
        return
    if restore.state is not OperationState.PENDING:
        fail(f"{restore.id} is {restore.state}: {message}")
    if not restore.attempts:
        assert restore.deadline_at is not None, "accepted writes have a deadline"
        fail(
            f"No running connector took {restore.id} up within {wait:g} s. It stays recorded and is carried out by the "
            f"next one that serves, until {restore.deadline_at[:19]}Z."
        )
    fail(f"{restore.id} is not confirmed within {wait:g} s; the connector continues with it. {message}".strip())


def _describe(status: WritesStatus) -> dict[str, Any]:
    """As in GET /api/writes."""
    return {
        "state": status.state,
        "stops": [{**asdict(stop), "message": stop.message} for stop in status.stops],
        "pending": status.pending,
        "saving": status.saving.state,
        "saving_reason": status.saving.reason,
        "clean_saves": status.clean_saves,
    }


def _print_stops(stops: Iterable[WriteStop]) -> None:
    for stop in stops:
        err.print(stop.message, style="yellow")
        if stop.columns:
            columns = ", ".join(stop.columns)
            err.print(f"  damaged controls: {columns}")


def _confirm(question: str, *, yes: bool) -> None:
    if not yes and not typer.confirm(question):
        fail("Nothing was done.")


def _with_stops(work: Callable[[WriteStops, Settings], Awaitable[T]], workshop: str | None) -> T:
    async def open_and_work(settings: Settings) -> T:
        async with root.open_database(settings) as database:
            stops = WriteStops(
                database,
                await DatabaseClock.create(database),
                setting=settings.connector_writes,
                profile=configuration.save_style_origin(settings),
            )
            return await work(stops, settings)

    with report_errors():
        settings = load_workshop_settings(require_database(load_settings()), workshop, with_login=False)
        configure_logs(settings, quiet=True)
        return run(open_and_work(settings))
