"""The commands. Exit codes: 0 done, 1 it went wrong and says why, 2 the call or a setting is wrong."""

from __future__ import annotations

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

from planso_connector import __version__, signals
from planso_connector import app as root
from planso_connector.commands import backup as backup_commands
from planso_connector.commands import doctor as doctor_command
from planso_connector.commands import keys, writes
from planso_connector.commands import learn as learn_command
from planso_connector.commands import privacy as privacy_commands
from planso_connector.commands.console import (
    cancel_on_sigterm,
    configure_logs,
    err,
    fail,
    load_settings,
    out,
    print_message,
    report_errors,
    run,
)
from planso_connector.domain.recognition import phones
from planso_connector.server import listening_sockets, open_files
from planso_connector.server.graceful_shutdown import GracefulServer
from planso_connector.settings import Settings, SettingsError
from planso_connector.store.engine import file_system
from planso_connector.store.engine.database import parse_database_url
from planso_connector.store.maintenance import migrate as store_migrate
from planso_connector.store.sync_runs import RunState, StoredRun, Trigger

cli = typer.Typer(
    name="planso-connector",
    help="A REST service in front of PlanSo. Settings come from the environment or `.env`; the README lists them.\n\n"
    "To look around: `serve --demo`. With a PlanSo of your own: set PLANSO_URL, PLANSO_USER and PLANSO_PASSWORD, run "
    "`doctor`, which writes nothing, then `serve`.",
    epilog="Exit codes: 0 done; 1 it went wrong and says why; 2 the call or a setting is wrong.",
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

DEMO_FOLDER = Path(".demo")
SWITCH_INTERVAL = 0.0005
"""Seconds that one thread of Python may keep the others waiting: an answer goes through two, and passes in between."""


@cli.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"planso-connector {__version__}")
        raise typer.Exit


@cli.command()
def serve(
    demo: Annotated[bool, typer.Option(help="Use the sandbox as PlanSo; data lies in .demo/.")] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of CONNECTOR_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, instead of CONNECTOR_PORT.")] = None,
    sandbox_port: Annotated[int, typer.Option(help="Port of the sandbox's own page, with --demo.")] = 8190,
) -> None:
    """
    Serve the API. The first sync starts by itself when the database is empty.

    /docs explains the API, /health/ready and /metrics tell how it is. SIGTERM or Ctrl-C lets what is under way finish,
    a second one does not.
    """
    with report_errors():
        settings = load_settings()
        changes = {"connector_host": host, "connector_port": port}
        settings = settings.model_copy(update={k: v for k, v in changes.items() if v is not None})
        _tell_shortage(settings)
        if not demo:
            configure_logs(settings)
            run(_serve(settings))
            return
        with _demo_planso(settings, sandbox_port) as demo_settings:
            configure_logs(demo_settings)
            run(_serve(demo_settings))


def _tell_shortage(settings: Settings) -> None:
    """On standard error, how many connections there are file descriptors for. Raises SettingsError for too few."""
    try:
        line = open_files.describe_shortage(settings.connector_connections)
    except ValueError as error:
        raise SettingsError(f"CONNECTOR_CONNECTIONS: {error}") from error
    if line is not None:
        print_message(line, style="yellow", markup=False, soft_wrap=True)


@contextmanager
def _demo_planso(settings: Settings, port: int) -> Iterator[Settings]:
    DEMO_FOLDER.mkdir(exist_ok=True)
    # Taken before the thread starts, so that a port in use is told here and not in its log.
    with _listening("127.0.0.1", port, "--sandbox-port", "--sandbox-port"):
        pass
    with (
        _sandbox_told() as sandbox,
        (planso := sandbox.Sandbox(state=DEMO_FOLDER / "planso.json")).serve("127.0.0.1", port) as url,
    ):
        print_message(f"The sandbox plays PlanSo: [bold]{url}/[/] shows its orders.")
        changes: dict[str, Any] = {
            "planso_url": url,
            "planso_user": planso.installation.username,
            "planso_password": SecretStr(planso.installation.password),
            "planso_table_id": planso.installation.table_id,
            "planso_profile": None,
        }
        if "connector_database_url" not in settings.model_fields_set:
            changes["connector_database_url"] = f"sqlite:///{DEMO_FOLDER / 'connector.db'}"
        yield settings.model_copy(update=changes)


@contextmanager
def _sandbox_told() -> Iterator[ModuleType]:
    """The sandbox, and what can go wrong with it as a sentence. Loaded only where it is wanted: a start is quicker."""
    from planso_connector import sandbox

    try:
        yield sandbox
    except (
        sandbox.PortTakenError,
        sandbox.RecordingError,
        sandbox.StateFileError,
        sandbox.StyleError,
    ) as error:
        fail(str(error))


async def _serve(settings: Settings) -> None:
    async with AsyncExitStack() as lasting:
        sockets = lasting.enter_context(
            _listening(settings.connector_host, settings.connector_port, "CONNECTOR_HOST", "CONNECTOR_PORT")
        )
        database = parse_database_url(settings.connector_database_url)
        if isinstance(database, Path) and (told := file_system.shared_file_system_warning(database)) is not None:
            print_message(told, style="yellow", markup=False, soft_wrap=True)
        phones.load_metadata()
        built = await lasting.enter_async_context(root.connector(settings))
        for one in sockets:
            await root.require_authentication(built, one.getsockname()[0])
        await lasting.enter_async_context(root.run_workers(built))
        server = GracefulServer(built.server, built.drain)
        sys.setswitchinterval(SWITCH_INTERVAL)
        gc.collect()
        gc.freeze()
        print_message(f"The connector listens on {listening_sockets.format_urls(sockets)}; /docs explains it.")
        # uvicorn drains at a signal and then raises it again, which would end the process before our own clearing up.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, server.handle_exit)
        await server.serve(sockets=sockets)
        for number in (signal.SIGINT, signal.SIGTERM):  # who asks a second time does not want to wait
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
        for one in sockets:
            one.close()


@cli.command()
def sync(
    full: Annotated[
        bool, typer.Option("--full", help="Read every order, whether its list entry changed or not.")
    ] = False,
    accept: Annotated[
        bool,
        typer.Option(
            "--accept-removals", help="PlanSo is right: take over removals and pages that seem to have moved."
        ),
    ] = False,
) -> None:
    """Bring the database in step with PlanSo, with a progress bar."""
    with report_errors():
        settings = load_settings()
        configure_logs(settings, quiet=True)
        try:
            run(_sync(settings, full=full, accept=accept))
        except asyncio.CancelledError:
            fail("Stopped by SIGTERM. What was read until then is stored; the next sync goes on from there.", 143)


async def _sync(settings: Settings, *, full: bool, accept: bool) -> None:
    async with root.connector(settings) as built:
        with cancel_on_sigterm():
            ended = await _follow(built, full=full, accept=accept)
    out.print(f"{ended.done} orders read, {ended.changed} changed, {ended.requests} requests to PlanSo.")
    for failure in ended.failed:
        err.print(f"  {failure}", highlight=False)
    if ended.state is not RunState.DONE:
        fail(ended.message)
    if ended.message:
        err.print(ended.message, style="yellow", markup=False, highlight=False)


async def _follow(built: root.Connector, *, full: bool, accept: bool) -> StoredRun:
    """Begin a run, or join the one under way, and show how far it is until it has ended."""
    run_id, joined = await built.sync.start(Trigger.COMMAND, full=full, accept=accept)
    if joined:
        err.print("A sync is under way already; this is it.")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as bar:
        task = bar.add_task("list", total=None)
        while (running := (await built.sync.status()).running) is not None:
            bar.update(task, description=running.phase, completed=running.done, total=running.total or None)
            await asyncio.sleep(0.1)
        ended = await built.sync.find_run(run_id)
        assert ended is not None, "a run is kept"
        bar.update(task, description=ended.state, completed=ended.done, total=ended.total)
    return ended


@cli.command()
def migrate() -> None:
    """Bring the database's tables up to date. `serve` and `sync` do so by themselves."""
    with report_errors():
        settings = load_settings()
        store_migrate.migrate(settings.connector_database_url)
        out.print("The database is up to date.")


@cli.command()
def reindex() -> None:
    """Write anew what orders are found by. Look-ups answer meanwhile from what is written so far, and say so."""
    with report_errors():
        asyncio.run(_reindex(load_settings()))


async def _reindex(settings: Settings) -> None:
    async with root.connector(settings) as built:
        with err.status("Writing the look-up keys"):
            await built.reindexer.run(anew=True)
    out.print("The look-up keys are written.")


@cli.command(name="sandbox")
def run_sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8190,
    state: Annotated[Path | None, typer.Option(help="File to keep changes in beyond this run.")] = None,
    orders: Annotated[int, typer.Option(min=1, max=100_000, help="How many orders to invent.")] = 260,
    seed: Annotated[int, typer.Option(help="Other numbers invent other orders.")] = 1,
    latency: Annotated[float, typer.Option(min=0, help="Seconds that each page takes.")] = 0.0,
    save_style: Annotated[
        str, typer.Option(help="How it saves, such as `body=json,sends=changed`; see docs/sandbox.md.")
    ] = "",
    like: Annotated[
        Path | None, typer.Option(help="Play the PlanSo of a browser's network log (HAR), with invented values.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="A name it is reached by, besides localhost and addresses; may be given again."),
    ] = None,
) -> None:
    """A small PlanSo to try things on, user `werkstatt`, password `demo`."""
    with report_errors(), _sandbox_told() as stand_in:
        installation = stand_in.Installation() if like is None else stand_in.load_recorded_installation(like)
        if save_style:
            installation = replace(installation, save_style=stand_in.SaveStyle.from_text(save_style))
        planso = stand_in.Sandbox(
            orders=orders,
            seed=seed,
            state=state,
            installation=installation,
            allowed_hosts=[host, *(allowed_host or [])],
        )
        planso.knobs.latency = latency
        with _listening(host, port, "--host", "--port") as sockets:
            login = f"user {planso.installation.username}, password {planso.installation.password}"
            shown = listening_sockets.format_urls(sockets)
            err.print(f"The sandbox plays PlanSo at {shown} ({login}).", markup=False, highlight=False)
            planso.run(sockets)
