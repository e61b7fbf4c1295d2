"""What all commands share: where they print, how they fail, how they run."""

from __future__ import annotations

import asyncio
import codecs
import io
import json
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console

from planso_connector import logs
from planso_connector.domain.errors import ConnectorError
from planso_connector.settings import Settings, SettingsError, unknown
from planso_connector.store.engine import address

T = TypeVar("T")

out = Console()
err = Console(stderr=True)


def accept_any_text() -> None:
    """What the character set of a terminal or a pipe lacks comes out as `\\xfc`; without this it is a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(document: object) -> None:
    """In UTF-8, or in ASCII where standard output takes something else: valid JSON in either case."""
    is_utf_8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    typer.echo(json.dumps(document, ensure_ascii=not is_utf_8, indent=2))


@contextmanager
def told() -> Iterator[None]:
    """What can go wrong in the open becomes a sentence and an exit code."""
    try:
        yield
    except SettingsError as error:
        fail(str(error), code=2)
    except ConnectorError as error:
        fail(str(error))


def fail(message: str, code: int = 1) -> NoReturn:
    err.print(message, style="red", markup=False, highlight=False)
    raise typer.Exit(code)


def loaded() -> Settings:
    """The settings; on standard error, names that look like settings and are none."""
    settings = Settings.load()
    for line in unknown():
        err.print(line, style="yellow", markup=False, highlight=False)
    return settings


def database_there(settings: Settings) -> Settings:
    """The same settings. Raises SettingsError where their database is not there: no command makes an empty one."""
    where = address(settings.connector_database_url)
    if isinstance(where, Path) and not where.exists():
        raise SettingsError(
            f"There is no database '{where}'; CONNECTOR_DATABASE_URL names it. That of `serve --demo` is "
            "sqlite:///.demo/connector.db, seen from where it was started."
        )
    return settings


def configure_logs(settings: Settings, *, quiet: bool = False) -> None:
    level = "warning" if quiet and settings.connector_log_level == "info" else settings.connector_log_level
    logs.configure(level, settings.secrets())


def run(main_coroutine: Coroutine[Any, Any, T]) -> T:
    if sys.platform == "win32":
        return asyncio.run(main_coroutine)
    import uvloop

    return uvloop.run(main_coroutine)
