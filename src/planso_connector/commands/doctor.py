"""`doctor`: examine a PlanSo installation, or try how it saves on one of its orders."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.text import Text

from planso_connector import app as root
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
    whole_number,
)
from planso_connector.flows.operating import doctor as doctor_flow
from planso_connector.flows.operating.doctor import Finding
from planso_connector.flows.trial.trial import TrialPlan
from planso_connector.planso.pages.form_parser import Form
from planso_connector.settings import Settings
from planso_connector.store import unreadable_pages
from planso_connector.store.maintenance import migrate


def doctor(
    order: Annotated[
        int | None,
        typer.Option(parser=whole_number(1), metavar="ORDER", help="The order to read; without it the list's first."),
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Parse the unreadable pages again, without PlanSo.")] = False,
    try_write: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1),
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
    as_json: AsJson = False,
    workshop: OfWorkshop = None,
) -> None:
    """
    Examine this PlanSo: log in, list, read one form and its parts, report what maps and how saving is known. Writes
    only with --try-write.
    """
    if try_write is None and (yes or may_lose):
        fail("--yes and --may-lose go with --try-write ORDER.", code=2)
    if as_json and (try_write is not None or forget_trial):
        fail("--json goes with neither --try-write nor --forget-trial.", code=2)
    with report_errors():
        settings = load_workshop_settings(load_settings(), workshop)
        configure_logs(settings, quiet=True)
        if forget_trial:
            run(_forget(require_database(settings)))
            return
        if try_write is not None:
            is_ok = run(_try(settings, try_write, yes=yes, may_lose=may_lose))
        else:
            examination = _replay(require_database(settings)) if replay else _examine(settings, order)
            is_ok = run(_report(examination, as_json=as_json))
        if not is_ok:
            raise typer.Exit(1)


async def _report(examination: AsyncGenerator[Finding, None], *, as_json: bool) -> bool:
    """Print the findings, as they come or as one JSON list; return whether all are ok."""
    findings = []
    async with aclosing(examination) as found:
        async for finding in found:
            findings.append(finding)
            if not as_json:
                _print(finding)
    if as_json:
        print_json([{**asdict(finding), "rows": [list(row) for row in finding.rows]} for finding in findings])
    return all(finding.is_ok for finding in findings)


async def _examine(settings: Settings, order: int | None) -> AsyncGenerator[Finding, None]:
    if err.shows_to_person:
        err.print(f"Each page of PlanSo may take up to {settings.planso_timeout:g} s (PLANSO_TIMEOUT).")
    with _keep_no_new_database(settings) as kept:
        async with root.open_connector(kept, beside_others=True) as built:
            stops = built.default.write_stops

            async def record(form: Form) -> None:
                await stops.compare_form_with_trial(control.name for control in form.markup.controls)

            async for finding in doctor_flow.examine(built.default.planso, order, record):
                yield finding
            status = await stops.get_status()
            pages = await built.default.database.read(unreadable_pages.list_all)
            advice = await built.database.check_server()
    yield doctor_flow.report_database(advice)
    yield doctor_flow.report_writes(status)
    if pages:
        yield doctor_flow.report_unreadable_pages(len(pages))
    yield doctor_flow.report_saving(status.saving)


@contextmanager
def _keep_no_new_database(settings: Settings) -> Iterator[Settings]:
    """Settings with a temporary database if theirs does not exist yet: an examination leaves nothing behind."""
    if migrate.current_revision(settings.connector_database_url) is not None:
        yield settings
        return
    with TemporaryDirectory(prefix="planso-connector-") as folder:
        yield settings.model_copy(update={"connector_database_url": f"sqlite:///{folder}/doctor.db"})


async def _replay(settings: Settings) -> AsyncGenerator[Finding, None]:
    async with root.open_connector(settings, beside_others=True) as built:
        pages = await built.default.database.read(unreadable_pages.list_all)
        for finding in doctor_flow.reread_pages(pages, built.default.profile):
            yield finding


async def _try(settings: Settings, order: int, *, yes: bool, may_lose: bool) -> bool:
    is_ok = True
    async with root.open_connector(settings, beside_others=True) as built:
        prepared = await built.default.trial.prepare(order, may_lose=may_lose)
        _announce(prepared)
        if not yes and not typer.confirm("Begin?"):
            fail("Nothing was done.")
        async with aclosing(built.default.trial.run(prepared)) as findings:
            async for finding in findings:
                is_ok = is_ok and finding.is_ok
                _print(finding)
        _print(doctor_flow.report_saving(await built.default.write_stops.get_save_knowledge()))
    return is_ok


async def _forget(settings: Settings) -> None:
    async with root.open_connector(settings, beside_others=True) as built:
        was = await built.default.write_stops.forget_trial()
    words = "Forgotten; restart a connector that runs." if was else "Nothing was tried here."
    out.print(words)


def _announce(prepared: TrialPlan) -> None:
    """Print what the trial will do, and the order's plate and person, to check that it is the right one."""
    out.print(f"Order {prepared.order_id}: {prepared.order_summary}")
    out.print("This is done to it in PlanSo. After each save all controls are read again and compared:")
    for number, step in enumerate(prepared.steps, 1):
        out.print(f"  {number}. {step}")
    err.print(
        "Nobody should have it open in PlanSo meanwhile. Where a save does damage, it ends at once, and all writes "
        "stop: take an order that nobody needs.",
        style="yellow",
    )


def _print(finding: Finding) -> None:
    mark = ("ok", "green") if finding.is_ok else ("look", "red")
    out.print(Text.assemble(mark, "  ", (f"{finding.step}: ", "bold")), end="")
    out.print(finding.message)
    print_table([("", *row) for row in finding.rows])
