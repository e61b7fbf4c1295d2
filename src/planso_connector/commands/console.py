"""Shared by all commands: output, error messages with exit codes, settings, running coroutines."""

import asyncio
import codecs
import io
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console

from planso_connector import app, logs
from planso_connector.domain.errors import ConnectorError
from planso_connector.settings import Settings, SettingsError, describe_unknown
from planso_connector.store.engine.database import Database, parse_database_url

T = TypeVar("T")

out = Console()
err = Console(stderr=True)

FLUSH_TIMEOUT = 1.0
"""Seconds that a message waits for standard error."""


def escape_unencodable() -> None:
    """Print characters that the terminal's character set lacks as `\\xfc`, in place of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(document: object) -> None:
    """Print JSON: UTF-8, or ASCII where standard output has another encoding."""
    is_utf_8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    typer.echo(json.dumps(document, ensure_ascii=not is_utf_8, indent=2))


@contextmanager
def report_errors() -> Iterator[None]:
    """Print expected errors as a sentence and exit: code 2 for settings, 1 for the rest."""
    try:
        yield
    except SettingsError as error:
        fail(str(error), code=2)
    except ConnectorError as error:
        fail(str(error))


def print_message(message: str, **style: Any) -> None:
    """
    Print on standard error, like `err.print`, but without failing or blocking when nobody reads it: a service must
    start, and a command must end with its exit code.
    """
    shown = io.StringIO()
    like: dict[str, Any] = {"force_terminal": err.is_terminal, "color_system": err.color_system, "width": err.width}
    Console(file=shown, **like).print(message, highlight=False, **style)
    logs.output.start()
    logs.output.put(shown.getvalue().removesuffix("\n"))
    logs.output.flush(FLUSH_TIMEOUT)


def fail(message: str, code: int = 1) -> NoReturn:
    print_message(message, style="red", markup=False)
    raise typer.Exit(code)


def load_settings() -> Settings:
    """Load the settings; warn on standard error of variables that look like settings and are none."""
    settings = Settings.load()
    for line in describe_unknown():
        print_message(line, style="yellow", markup=False)
    return settings


def require_database(settings: Settings) -> Settings:
    """Return the settings. Raises SettingsError if their database does not exist: no command creates an empty one."""
    where = parse_database_url(settings.connector_database_url)
    if isinstance(where, Path) and not where.exists():
        raise SettingsError(
            f"There is no database '{where}'; CONNECTOR_DATABASE_URL names it. That of `serve --demo` is "
            "sqlite:///.demo/connector.db, seen from where it was started."
        )
    return settings


def configure_logs(settings: Settings, *, quiet: bool = False) -> None:
    level = "warning" if quiet and settings.connector_log_level == "info" else settings.connector_log_level
    logs.configure(level, settings.secrets())


@contextmanager
def cancel_on_sigterm() -> Iterator[None]:
    """While inside, SIGTERM cancels the current task, as Ctrl-C does; a second one ends the process."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "called within one"

    def cancel(*_: object) -> None:
        signal.signal(signal.SIGTERM, before)
        loop.call_soon_threadsafe(task.cancel)

    before = signal.signal(signal.SIGTERM, cancel)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run(main_coroutine: Coroutine[Any, Any, T]) -> T:
    if sys.platform == "win32":
        return asyncio.run(main_coroutine)
    import uvloop

    return uvloop.run(main_coroutine)


def run_with_database(work: Callable[[Database], Awaitable[T]], *, create: bool = False) -> T:
    """Run `work` on the configured database; `create`: the database may not exist yet. Exits on expected errors."""

    async def open_and_work(settings: Settings) -> T:
        async with app.open_database(settings) as database:
            return await work(database)

    with report_errors():
        settings = load_settings() if create else require_database(load_settings())
        configure_logs(settings, quiet=True)
        return run(open_and_work(settings))
