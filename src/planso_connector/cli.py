"""Command line interface. Exit codes: 0 success, 1 failure with a message, 2 wrong arguments or settings."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from planso_connector import __version__, background, signals
from planso_connector import app as root
from planso_connector.commands import backup as backup_commands
from planso_connector.commands import capacity as capacity_commands
from planso_connector.commands import demo as demo_command
from planso_connector.commands import doctor as doctor_command
from planso_connector.commands import keys, workshops, writes
from planso_connector.commands import learn as learn_command
from planso_connector.commands import privacy as privacy_commands
from planso_connector.commands.console import (
    OfWorkshop,
    cancel_on_sigterm,
    configure_logs,
    err,
    fail,
    load_settings,
    load_workshop_settings,
    out,
    print_message,
    report_errors,
    require_file,
    run,
    seconds,
    whole_number,
)
from planso_connector.domain.recognition import phones
from planso_connector.flows.operating.workshops import NewWorkshop
from planso_connector.server import listening_sockets, open_files
from planso_connector.server.graceful_shutdown import GracefulServer
from planso_connector.settings import Settings, SettingsError
from planso_connector.store.engine import file_system
from planso_connector.store.engine.database import parse_database_url
from planso_connector.store.maintenance import migrate as store_migrate
from planso_connector.store.sync_runs import RunState, StoredRun, Trigger

cli = typer.Typer(
    name="planso-connector",
    help="A REST service in front of PlanSo. Settings come from the environment or `.env`: see docs/settings.md.\n\n"
    "To try it: `serve --demo`. With your own PlanSo: set PLANSO_URL, PLANSO_USER and PLANSO_PASSWORD, run "
    "`doctor`, which writes nothing, then `serve`.",
    epilog="Exit codes: 0 success; 1 failure, with a message; 2 wrong arguments or settings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.add_typer(keys.keys)
cli.command()(keys.accesses)
cli.command()(doctor_command.doctor)
cli.command()(backup_commands.backup)
cli.command()(backup_commands.restore)
cli.command()(learn_command.learn)
cli.add_typer(privacy_commands.cli, name="privacy")
cli.add_typer(writes.cli, name="writes")
cli.add_typer(capacity_commands.cli, name="capacity")
cli.add_typer(workshops.cli, name="workshops")

DEMO_FOLDER = Path(".demo")
MAX_PORT = 65_535
SWITCH_INTERVAL = 0.0005
"""Seconds until a thread yields the interpreter: a response passes through two threads."""


@cli.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"planso-connector {__version__}")
        raise typer.Exit


@cli.command()
def serve(
    demo: Annotated[bool, typer.Option(help="Use the sandbox as PlanSo, with data in .demo/.")] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of CONNECTOR_HOST.")] = None,
    port: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(0, MAX_PORT), metavar="PORT", help="Port to listen on, instead of CONNECTOR_PORT."
        ),
    ] = None,
    sandbox_port: Annotated[
        int, typer.Option(parser=whole_number(0, MAX_PORT), metavar="PORT", help="Port of the sandbox, with --demo.")
    ] = 8190,
    workshops: Annotated[
        int,
        typer.Option(
            parser=whole_number(1, 1000),
            metavar="N",
            help="Number of workshops, with --demo: all but the first are registered, and a key of each is printed.",
        ),
    ] = 1,
) -> None:
    """
    Serve the API. If the database is empty, the first sync starts immediately.

    /docs documents the API, /health/ready and /metrics show its state. SIGTERM or Ctrl-C finishes requests in progress
    and stops; a second one stops at once.
    """
    with report_errors():
        settings = load_settings()
        changes = {"connector_host": host, "connector_port": port}
        settings = settings.model_copy(update={k: v for k, v in changes.items() if v is not None})
        _warn_of_few_files(settings)
        if not demo:
            if workshops > 1:
                fail("--workshops: accepted with --demo only; `planso-connector workshops add` adds yours", code=2)
            configure_logs(settings)
            run(_serve(settings))
            return
        with _demo_planso(settings, sandbox_port, workshops) as (demo_settings, registered):
            configure_logs(demo_settings)
            if registered:
                for name, key in run(demo_command.register_workshops(demo_settings, registered)).items():
                    err.print(f"Key of the workshop {name}. It is shown this once:")
                    typer.echo(key)
            run(_serve(demo_settings, sandbox_url=demo_settings.planso_url))


def _warn_of_few_files(settings: Settings) -> None:
    """Warn if the open file limit allows fewer connections than configured. Raises SettingsError if it allows none."""
    try:
        line = open_files.describe_shortage(settings.connector_connections)
    except ValueError as error:
        raise SettingsError(f"CONNECTOR_CONNECTIONS: {error}") from error
    if line is not None:
        print_message(line, style="yellow")


@contextmanager
def _demo_planso(settings: Settings, port: int, workshops: int) -> Iterator[tuple[Settings, list[NewWorkshop]]]:
    """The settings with the sandbox as PlanSo, and the workshops to register beside the one of the settings."""
    DEMO_FOLDER.mkdir(exist_ok=True)
    # Checked before the thread starts, so that a port in use is reported here and not in its log.
    with _listening("127.0.0.1", port, "--sandbox-port", "--sandbox-port"):
        pass
    with _import_sandbox() as sandbox:
        if workshops == 1:
            planso, name = sandbox.Sandbox(state=DEMO_FOLDER / "planso.json"), "connector"
            logins = [("", planso.installation)]
        else:
            planso, name = sandbox.Sandboxes(workshops, state=DEMO_FOLDER / "planso"), "workshops"
            logins = [(workshop, planso.installation(workshop)) for workshop in planso.names]
        with planso.serve("127.0.0.1", port) as url:
            first, *others = (
                NewWorkshop(
                    workshop,
                    f"{url}{planso.path(workshop)}" if workshop else url,
                    login.username,
                    login.password,
                    login.table_id,
                )
                for workshop, login in logins
            )
            changes: dict[str, Any] = {
                "planso_url": first.planso_url,
                "planso_user": first.planso_user,
                "planso_password": SecretStr(first.password),
                "planso_table_id": first.table_id,
                "planso_profile": None,
            }
            if "connector_database_url" not in settings.model_fields_set:
                changes["connector_database_url"] = f"sqlite:///{DEMO_FOLDER / f'{name}.db'}"
            if others and not settings.connector_secrets_key.get_secret_value():
                changes["connector_secrets_key"] = SecretStr(demo_command.load_secrets_key(DEMO_FOLDER / "secrets.key"))
            yield settings.model_copy(update=changes), others


@contextmanager
def _import_sandbox() -> Iterator[ModuleType]:
    """Import the sandbox only where it is needed, for a faster start, and turn its errors into messages."""
    from planso_connector import sandbox

    try:
        yield sandbox
    except (sandbox.PortTakenError, sandbox.StyleError) as error:
        fail(str(error), code=2)
    except (sandbox.RecordingError, sandbox.StateFileError) as error:
        fail(str(error))


async def _serve(settings: Settings, sandbox_url: str | None = None) -> None:
    async with AsyncExitStack() as stack:
        sockets = stack.enter_context(
            _listening(settings.connector_host, settings.connector_port, "CONNECTOR_HOST", "CONNECTOR_PORT")
        )
        database = parse_database_url(settings.connector_database_url)
        if isinstance(database, Path) and (warning := file_system.shared_file_system_warning(database)) is not None:
            print_message(warning, style="yellow")
        phones.load_metadata()
        built = await stack.enter_async_context(root.open_connector(settings))
        for listening in sockets:
            await root.require_authentication(built, listening.getsockname()[0])

        def print_addresses() -> None:
            if sandbox_url is not None:
                print_message(f"The sandbox stands in for PlanSo: {sandbox_url}/ shows its orders.")
            print_message(f"The connector listens on {listening_sockets.format_urls(sockets)}; /docs explains it.")

        def print_filled(workshop: str) -> None:
            # after the log lines of the sync; a log file has them already
            if workshop == built.workshops.default and err.shows_to_person:
                print_message("The mirror is filled.")
                print_addresses()

        if settings.planso_url and err.shows_to_person and await built.default.sync.is_mirror_empty():
            print_message(
                "The mirror is empty: the first sync reads every order from PlanSo, with two requests each. "
                "GET /api/sync/status says how far it is."
            )
        await stack.enter_async_context(background.run_workers(built, print_filled))
        server = GracefulServer(built.server, built.drain, print_addresses)
        sys.setswitchinterval(SWITCH_INTERVAL)
        gc.collect()
        gc.freeze()
        # uvicorn raises the signal again after draining, which would end the process before our own cleanup.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, server.handle_exit)
        await server.serve(sockets=sockets)
        for number in (signal.SIGINT, signal.SIGTERM):  # a second signal ends the process at once
            signal.signal(number, signals.terminate)


def _listen(host: str, port: int, host_setting: str, port_setting: str) -> list[socket.socket]:
    """Raises SettingsError."""
    try:
        return listening_sockets.bind(listening_sockets.resolve(host), port)
    except listening_sockets.HostError as error:
        raise SettingsError(f"{host_setting}: {error}") from error
    except listening_sockets.PortError as error:
        raise SettingsError(f"{port_setting}: {error}") from error


@contextmanager
def _listening(host: str, port: int, host_setting: str, port_setting: str) -> Iterator[list[socket.socket]]:
    sockets = _listen(host, port, host_setting, port_setting)
    try:
        yield sockets
    finally:
        for listening in sockets:
            listening.close()


@cli.command()
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
    async with root.open_connector(settings) as built:
        with cancel_on_sigterm():
            async with root.renew_leases(built):
                finished = await _follow(built, full=full, accept=accept)
    out.print(f"{finished.done} orders read, {finished.changed} changed, {finished.requests} requests to PlanSo.")
    for failure in finished.failed:
        err.print(f"  {failure}")
    if finished.state is not RunState.DONE:
        fail(finished.message)
    if finished.message:
        err.print(finished.message, style="yellow")


async def _follow(built: root.Connector, *, full: bool, accept: bool) -> StoredRun:
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


@cli.command()
def migrate() -> None:
    """Migrate the database to the current schema. `serve` and `sync` do it automatically."""
    with report_errors():
        settings = load_settings()
        store_migrate.migrate(settings.connector_database_url)
        out.print("The database is up to date.")


@cli.command()
def reindex(workshop: OfWorkshop = None) -> None:
    """Rebuild the search index. Lookups answer from the part that is ready meanwhile, and say so."""
    with report_errors():
        settings = load_workshop_settings(load_settings(), workshop)
        configure_logs(settings, quiet=True)
        asyncio.run(_reindex(settings))


async def _reindex(settings: Settings) -> None:
    async with root.open_connector(settings) as built:
        with err.status("Rebuilding the search index"):
            await built.default.reindexer.run(from_start=True)
    out.print("The search index is rebuilt.")


@cli.command(name="sandbox")
def run_sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(parser=whole_number(0, MAX_PORT), metavar="PORT", help="Port to listen on.")
    ] = 8190,
    workshops: Annotated[
        int,
        typer.Option(
            parser=whole_number(1, 1000),
            metavar="N",
            help="Number of workshops; several have a login each, and the addresses /w/w001, /w/w002 and so on.",
        ),
    ] = 1,
    state: Annotated[
        Path | None, typer.Option(help="File to keep changes in after this run; a folder for several workshops.")
    ] = None,
    orders: Annotated[
        int, typer.Option(parser=whole_number(1, 100_000), metavar="N", help="Number of invented orders of a workshop.")
    ] = 260,
    seed: Annotated[int, typer.Option(help="Seed of the invented orders.")] = 1,
    latency: Annotated[
        float, typer.Option(parser=seconds(600), metavar="SECONDS", help="Seconds each response takes.")
    ] = 0.0,
    save_style: Annotated[
        str, typer.Option(help="Save style, such as `body=json,sends=changed`; see docs/sandbox.md.")
    ] = "",
    like: Annotated[
        Path | None,
        typer.Option(help="Imitate the PlanSo recorded in a browser's network log (HAR), with invented values."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Host name to accept besides localhost and addresses; repeatable.")
    ] = None,
) -> None:
    """
    Run the sandbox, a small stand-in for PlanSo: user `werkstatt`, password `demo`.

    Of several workshops: user `werkstatt-w001`, password `demo-w001` and so on; `/` lists them.
    """
    with report_errors(), _import_sandbox() as sandbox:
        if like is not None:
            require_file(like)
        installation = sandbox.Installation() if like is None else sandbox.load_recorded_installation(like)
        if save_style:
            installation = replace(installation, save_style=sandbox.SaveStyle.from_text(save_style))
        options: dict[str, Any] = {
            "orders": orders,
            "seed": seed,
            "state": state,
            "installation": installation,
            "allowed_hosts": [host, *(allowed_host or [])],
        }
        planso = sandbox.Sandbox(**options) if workshops == 1 else sandbox.Sandboxes(workshops, **options)
        planso.set_knobs({"latency": latency})
        with _listening(host, port, "--host", "--port") as sockets:
            shown = listening_sockets.format_urls(sockets)
            login = f"user {installation.username}, password {installation.password}"
            if workshops > 1:
                first, last = planso.names[0], planso.names[-1]
                shown = f"{shown}{planso.path(first)} to {planso.path(last)}"
                login = f"user werkstatt-{first}, password demo-{first} and so on"
            err.print(f"The sandbox stands in for PlanSo at {shown} ({login}).")
            planso.run(sockets)
