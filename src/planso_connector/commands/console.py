"""Shared by all commands: output, error messages with exit codes, settings, running coroutines."""

import asyncio
import codecs
import io
import json
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from planso_connector import app, configuration, logs
from planso_connector.domain.errors import ConnectorError, EncryptionKeyMissing, Invalid, StoreUnavailable
from planso_connector.setting_warnings import describe_readable_env_file, describe_unknown
from planso_connector.settings import Settings, SettingsError
from planso_connector.store.engine.database import Database, parse_database_url

T = TypeVar("T")
OfWorkshop = Annotated[
    str | None,
    typer.Option("--workshop", metavar="NAME", help="A registered workshop, instead of the one of the environment."),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]

FLUSH_TIMEOUT = 1.0
"""Seconds that a message waits for standard error."""

_GAP = "  "
_CONTROL_CHARACTERS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}


class PlainConsole(Console):
    """
    rich's console without markup, emoji codes (`:9`) and highlighting, since most texts hold data. Control characters
    are escaped. Lines are left to the terminal to wrap, so that a command copied from a message stays whole.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    @property
    def shows_to_person(self) -> bool:
        """Whether it writes to a terminal; `is_terminal` may be forced by FORCE_COLOR in a pipe."""
        return self.file.isatty()

    def print(self, *objects: Any, **options: Any) -> None:
        options.setdefault("soft_wrap", True)
        super().print(*(_escape_control(one) if isinstance(one, str) else one for one in objects), **options)


out = PlainConsole()
err = PlainConsole(stderr=True)


def escape_unencodable() -> None:
    """Print characters that the terminal's character set lacks as `\\xfc`, in place of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(document: object) -> None:
    """Print JSON: UTF-8, or ASCII where standard output has another encoding."""
    is_utf_8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    typer.echo(json.dumps(document, ensure_ascii=not is_utf_8, indent=2))


def print_table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> None:
    """
    Print rows in columns, cutting nothing; short rows end in empty cells. In a pipe each row is one line. On a terminal
    that is too narrow, each row becomes a block of `name  value` lines, or is wrapped within its columns if there is no
    header.
    """
    count = max(map(len, (header, *rows)))
    cells = [[_escape_control(cell).replace("\n", " ") for cell in row] + [""] * (count - len(row)) for row in rows]
    table = [[*header], *cells] if header else cells
    if not table:
        return
    widths = [max(cell_len(cell) for cell in column) for column in zip(*table, strict=True)]
    if not out.shows_to_person or sum(widths) + len(_GAP) * (len(widths) - 1) <= out.width:
        for number, row in enumerate(table):
            _print_line(row, widths, is_header=bool(header) and number == 0)
    elif header:
        for row in cells:
            for pair in zip(header, row, strict=True):
                _print_line(pair, [max(map(cell_len, header)), 0])
            out.print()
    else:
        grid = Table.grid(padding=(0, len(_GAP), 0, 0))
        for _ in widths:
            grid.add_column(overflow="fold")
        for row in cells:
            grid.add_row(*map(Text, row))
        out.print(grid, soft_wrap=False)


def _print_line(cells: Sequence[str], widths: Sequence[int], *, is_header: bool = False) -> None:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    out.print(_GAP.join(padded).rstrip(), style="bold" if is_header else None)


def _escape_control(text: str) -> str:
    """`text` with control characters as `\\x1b`, except tabs and line ends: a terminal would obey them."""
    return text.translate(_CONTROL_CHARACTERS)


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """A parser of an option's value that names what is accepted."""

    def parse(text: str | int) -> int:
        if re.fullmatch(r"-?[0-9]{1,18}", str(text)):
            number = int(text)
            if lowest <= number and (highest is None or number <= highest):
                return number
        limits = f"from {lowest} to {highest}" if highest is not None else f"from {lowest}"
        raise typer.BadParameter(f"accepted: a whole number {limits}")

    return parse


def seconds(highest: float) -> Callable[[str], float]:
    """A parser of an option's value in seconds, from 0."""

    def parse(text: str | float) -> float:
        with suppress(ValueError):
            number = float(text)
            if 0 <= number <= highest:
                return number
        raise typer.BadParameter(f"accepted: seconds from 0 to {highest:g}")

    return parse


@contextmanager
def report_errors() -> Iterator[None]:
    """Print expected errors as a sentence and exit: code 2 for settings and arguments, 1 for the rest."""
    try:
        yield
    except (SettingsError, Invalid, EncryptionKeyMissing) as error:
        fail(str(error), code=2)
    except ConnectorError as error:
        fail(str(error))


def print_message(message: str | Text, **style: Any) -> None:
    """
    Print on standard error, like `err.print`, but without failing or blocking when nobody reads it: a service must
    start, and a command must end with its exit code.
    """
    shown = io.StringIO()
    like: dict[str, Any] = {"force_terminal": err.is_terminal, "color_system": err.color_system, "width": err.width}
    PlainConsole(file=shown, **like).print(message, **style)
    logs.output.start()
    logs.output.put(shown.getvalue().removesuffix("\n"))
    logs.output.flush(FLUSH_TIMEOUT)


def fail(message: str, code: int = 1) -> NoReturn:
    print_message(message, style="red")
    raise typer.Exit(code)


def load_settings() -> Settings:
    """
    Load the settings; warn on standard error of variables that look like settings and are none, and of a `.env` that
    others can read. Raises SettingsError.
    """
    settings = Settings.load()
    try:
        parse_database_url(settings.connector_database_url)
    except StoreUnavailable as error:
        raise SettingsError(f"CONNECTOR_DATABASE_URL: {error}") from error
    for line in (*describe_unknown(), *describe_readable_env_file()):
        print_message(line, style="yellow")
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


def require_file(path: Path) -> None:
    """Exit with code 2 if an argument names a file that does not exist."""
    if not path.exists():
        fail(f"There is no file '{path}'.", code=2)


def require_new_file(path: Path, option: str) -> None:
    """Exit with code 2 if an argument names a file to write that exists already."""
    if path.exists():
        fail(f"{option}: '{path}' exists already; accepted: the name of a new file", code=2)


def configure_logs(settings: Settings, *, quiet: bool = False) -> None:
    level = "warning" if quiet and settings.connector_log_level == "info" else settings.connector_log_level
    as_text = settings.connector_log_format == "text" or (
        settings.connector_log_format == "auto" and err.shows_to_person
    )
    logs.configure(level, settings.secrets(), as_text=as_text)


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


def load_workshop_settings(settings: Settings, workshop: str | None, *, with_login: bool = True) -> Settings:
    """
    The settings of a registered workshop; None: those of the environment. Without `with_login` its password is left
    out, and need not be readable. Raises NotFound, WorkshopUnusable.
    """
    if workshop is None:
        return settings

    async def load() -> Settings:
        async with app.open_database(require_database(settings)) as database:
            return await configuration.load_workshop_settings(settings, database, workshop, with_login=with_login)

    return run(load())


def run_with_database(
    work: Callable[[Database], Awaitable[T]], *, create: bool = False, workshop: str | None = None
) -> T:
    """
    Run `work` on the configured database, for the workshop of the environment or the named one. `create`: the database
    may not exist yet. Exits on expected errors.
    """

    async def open_and_work(settings: Settings) -> T:
        async with app.open_database(settings) as database:
            if workshop is None:
                return await work(database)
            await configuration.load_workshop_settings(settings, database, workshop, with_login=False)
            return await work(database.for_workshop(workshop))

    with report_errors():
        settings = load_settings() if create else require_database(load_settings())
        configure_logs(settings, quiet=True)
        return run(open_and_work(settings))
