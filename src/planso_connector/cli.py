"""Command line interface. Exit codes: 0 success, 1 failure with a message, 2 wrong arguments or settings."""

import asyncio
import gc
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from planso_connector import __version__, background, signals
from planso_connector import app as root
from planso_connector.commands import backup as backup_commands
from planso_connector.commands import capacity as capacity_commands
from planso_connector.commands import demo as demo_command
from planso_connector.commands import doctor as doctor_command
from planso_connector.commands import keys, workshops, writes
from planso_connector.commands import learn as learn_command
from planso_connector.commands import mcp as mcp_command
from planso_connector.commands import notices as notice_commands
from planso_connector.commands import privacy as privacy_commands
from planso_connector.commands import sandbox as sandbox_command
from planso_connector.commands import sync as sync_command
from planso_connector.commands import tools as tool_commands
from planso_connector.commands import webhooks as webhook_commands
from planso_connector.commands.console import (
    OfWorkshop,
    configure_logs,
    err,
    fail,
    load_settings,
    load_workshop_settings,
    out,
    print_message,
    report_errors,
    run,
    whole_number,
)
from planso_connector.commands.listening import MAX_PORT, listen
from planso_connector.domain.recognition import phones
from planso_connector.server import listening_sockets, open_files
from planso_connector.server.graceful_shutdown import GracefulServer
from planso_connector.settings import Settings, SettingsError
from planso_connector.store.engine import file_system
from planso_connector.store.engine.database import parse_database_url
from planso_connector.store.maintenance import migrate as store_migrate

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
cli.command()(mcp_command.mcp)
cli.command()(sync_command.sync)
cli.command(name="sandbox")(sandbox_command.run_sandbox)
cli.add_typer(privacy_commands.cli, name="privacy")
cli.add_typer(writes.cli, name="writes")
cli.add_typer(capacity_commands.cli, name="capacity")
cli.add_typer(notice_commands.cli, name="notices")
cli.add_typer(webhook_commands.cli, name="webhooks")
cli.add_typer(workshops.cli, name="workshops")
cli.add_typer(tool_commands.cli, name="tools")

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
        with demo_command.demo_planso(settings, sandbox_port, workshops) as (demo_settings, registered):
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


async def _serve(settings: Settings, sandbox_url: str | None = None) -> None:
    async with AsyncExitStack() as stack:
        sockets = stack.enter_context(
            listen(settings.connector_host, settings.connector_port, "CONNECTOR_HOST", "CONNECTOR_PORT")
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
