"""What all commands share: where they print, how they fail, how they run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console

from planso_connector import logs
from planso_connector.domain.errors import ConnectorError
from planso_connector.settings import Settings, SettingsError

T = TypeVar("T")

out = Console()
err = Console(stderr=True)


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


def configure_logs(settings: Settings, *, quiet: bool = False) -> None:
    level = "warning" if quiet and settings.connector_log_level == "info" else settings.connector_log_level
    logs.configure(level, settings.secrets())


def run(main_coroutine: Coroutine[Any, Any, T]) -> T:
    if sys.platform == "win32":
        return asyncio.run(main_coroutine)
    import uvloop

    return uvloop.run(main_coroutine)
