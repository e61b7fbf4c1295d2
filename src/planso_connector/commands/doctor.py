"""`doctor`: examine a PlanSo installation, or try how it saves on one of its orders."""

from contextlib import aclosing
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from planso_connector import app as root
from planso_connector.commands.console import configure_logs, err, fail, load_settings, out, report_errors, run
from planso_connector.flows.operating import doctor as doctor_flow
from planso_connector.flows.trial.trial import TrialPlan
from planso_connector.planso.pages.form_parser import Form
from planso_connector.settings import Settings
from planso_connector.store import unreadable_pages


def doctor(
    order: Annotated[int | None, typer.Option(min=1, help="The order to read; without it the list's first.")] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Parse the unreadable pages again, without PlanSo.")] = False,
    try_write: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="ORDER",
            help="Try on this order of no consequence how PlanSo saves. Says what it will do, and asks first.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --try-write: begin without asking.")] = False,
    may_lose: Annotated[
        bool,
        typer.Option("--may-lose", help="With --try-write: also where the form has values that saving it may empty."),
    ] = False,
    forget_trial: Annotated[
        bool, typer.Option("--forget-trial", help="Forget what was tried: saves go as the profile says. Sends nothing.")
    ] = False,
) -> None:
    """
    Examine this PlanSo: log in, list, read one form and its parts, report what maps and how saving is known. Writes
    only with --try-write.
    """
    if try_write is None and (yes or may_lose):
        fail("--yes and --may-lose go with --try-write ORDER.", code=2)
    with report_errors():
        settings = load_settings()
        configure_logs(settings, quiet=True)
        if forget_trial:
            run(_forget(settings))
        elif try_write is not None:
            if not run(_try(settings, try_write, yes=yes, may_lose=may_lose)):
                raise typer.Exit(1)
        elif not run(_replay(settings) if replay else _doctor(settings, order)):
            raise typer.Exit(1)


async def _doctor(settings: Settings, order: int | None) -> bool:
    is_ok = True
    async with root.open_connector(settings) as built:
        stops = built.write_stops

        async def record(form: Form) -> None:
            await stops.compare_form_with_trial(control.name for control in form.markup.controls)

        async for finding in doctor_flow.examine(built.planso, order, record):
            is_ok = is_ok and finding.is_ok
            _print(finding)
        status = await stops.get_status()
        pages = await built.database.read(unreadable_pages.list_all)
    writes = doctor_flow.report_writes(status)
    _print(writes)
    if pages:
        is_one = len(pages) == 1
        words = "1 page that could not be read is" if is_one else f"{len(pages)} pages that could not be read are"
        out.print(f"{words} kept; `planso-connector doctor --replay` reads them again.", highlight=False)
    _print(doctor_flow.report_saving(status.saving))
    return is_ok and writes.is_ok


async def _replay(settings: Settings) -> bool:
    async with root.open_connector(settings) as built:
        findings = list(doctor_flow.reread_pages(await built.database.read(unreadable_pages.list_all), built.profile))
    for finding in findings:
        _print(finding)
    return all(finding.is_ok for finding in findings)


async def _try(settings: Settings, order: int, *, yes: bool, may_lose: bool) -> bool:
    is_ok = True
    async with root.open_connector(settings) as built:
        prepared = await built.trial.prepare(order, may_lose=may_lose)
        _announce(prepared)
        if not yes and not typer.confirm("Begin?"):
            fail("Nothing was done.")
        async with aclosing(built.trial.run(prepared)) as findings:
            async for finding in findings:
                is_ok = is_ok and finding.is_ok
                _print(finding)
        _print(doctor_flow.report_saving(await built.write_stops.get_save_knowledge()))
    return is_ok


async def _forget(settings: Settings) -> None:
    async with root.open_connector(settings) as built:
        was = await built.write_stops.forget_trial()
    words = "Forgotten; restart a connector that runs." if was else "Nothing was tried here."
    out.print(words, highlight=False)


def _announce(prepared: TrialPlan) -> None:
    """Print what the trial will do, and the order's plate and person, to check that it is the right one."""
    out.print(f"Order {prepared.order_id}: {prepared.order_summary}", markup=False, highlight=False)
    out.print("This is done to it in PlanSo. After each save all controls are read again and compared:")
    for number, step in enumerate(prepared.steps, 1):
        out.print(f"  {number}. {step}", markup=False, highlight=False)
    err.print(
        "Nobody should have it open in PlanSo meanwhile. Where a save does damage, it ends at once, and all writes "
        "stop: take an order that nobody needs.",
        style="yellow",
        highlight=False,
    )


def _print(finding: doctor_flow.Finding) -> None:
    mark = "[green]ok[/]" if finding.is_ok else "[red]look[/]"
    out.print(f"{mark}  [bold]{escape(finding.step)}[/]: ", end="")
    out.print(finding.message, markup=False, highlight=False)
    if finding.rows:
        table = Table(show_header=False, box=None, padding=(0, 2))
        for row in finding.rows:
            table.add_row("", *map(escape, row))
        out.print(table)
