"""`planso-connector sync`."""

import asyncio
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from planso_connector import app
from planso_connector.commands.console import (
    OfWorkshop,
    cancel_on_sigterm,
    configure_logs,
    err,
    fail,
    load_settings,
    load_workshop_settings,
    out,
    report_errors,
    run,
)
from planso_connector.settings import Settings
from planso_connector.store.sync_runs import RunState, StoredRun, Trigger


def sync(
    full: Annotated[
        bool, typer.Option("--full", help="Read every order, even if its list entry is unchanged.")
    ] = False,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept-removals", help="Accept PlanSo's state: apply mass removals and values of changed pages."
        ),
    ] = False,
    workshop: OfWorkshop = None,
) -> None:
    """Sync the database with PlanSo once, with a progress bar."""
    with report_errors():
        settings = load_workshop_settings(load_settings(), workshop)
        configure_logs(settings, quiet=True)
        try:
            run(_sync(settings, full=full, accept=accept))
        except asyncio.CancelledError:
            fail("Stopped by SIGTERM. What was read is stored; the next sync continues from there.", 143)


async def _sync(settings: Settings, *, full: bool, accept: bool) -> None:
    async with app.open_connector(settings) as built:
        with cancel_on_sigterm():
            async with app.renew_leases(built):
                finished = await _follow(built, full=full, accept=accept)
    out.print(f"{finished.done} orders read, {finished.changed} changed, {finished.requests} requests to PlanSo.")
    for failure in finished.failed:
        err.print(f"  {failure}")
    if finished.state is not RunState.DONE:
        fail(finished.message)
    if finished.message:
        err.print(finished.message, style="yellow")


async def _follow(built: app.Connector, *, full: bool, accept: bool) -> StoredRun:
    """
    Start a run or join the running one, and show its progress until it ends. Where a serving process has the PlanSo
    lease, that one runs it.
    """
    await built.default.access.acquire_unless_renewed()  # else a dead process would be asked
    run_id, joined = await built.default.calls.start_sync(Trigger.COMMAND, full=full, accept=accept)
    if joined:
        err.print("A sync is already running; showing its progress.")
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as bar:
        task = bar.add_task("list", total=None)
        while (running := (await built.default.sync.status()).running) is not None:
            bar.update(task, description=running.phase, completed=running.done, total=running.total or None)
            await asyncio.sleep(0.1)
        ended = await built.default.sync.find_run(run_id)
        assert ended is not None, "runs are stored"
        bar.update(task, description=ended.state, completed=ended.done, total=ended.total)
    return ended
