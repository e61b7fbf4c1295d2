"""What a unit of work is given: a transaction that runs Core statements, each compiled once per connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

from sqlalchemy import ClauseElement, Executable
from sqlalchemy.engine import Dialect

Row = dict[str, Any]
"""One row of an answer, by column name."""


class Transaction(Protocol):
    """
    One open transaction of one workshop. Parameters go by the names of the statement's `bindparam`s; those named
    `workshop` (in an INSERT) and `of_workshop` (in a WHERE) are the transaction's own workshop unless given.

    Statements are kept compiled for as long as they live: build each once, at module level or in a cache.
    """

    @property
    def workshop(self) -> str:
        """Raises NoWorkshop where the database was not opened for one."""
        ...

    def use_workshop(self, workshop: str | None) -> None:
        """From here on the transaction is this workshop's; None: of no workshop alone."""
        ...

    def fetch_all(self, statement: Executable, /, **parameters: object) -> list[Row]: ...

    def execute(self, statement: Executable, /, **parameters: object) -> int:
        """How many rows it touched."""
        ...

    def execute_many(self, statement: Executable, rows: Iterable[Mapping[str, object]], /) -> None:
        """The statement once for each of `rows`."""
        ...

    def lock(self, name: str) -> None:
        """Waits until no other writing transaction holds this name, and holds it to the end."""
        ...


class NoWorkshop(LookupError):
    """A transaction of the whole database was asked for one workshop's rows; use `database.for_workshop(name)`."""


def workshop_parameters(workshop: str | None) -> dict[str, Any]:
    """The parameters that every statement of the workshop's transaction has."""
    return {} if workshop is None else {"workshop": workshop, "of_workshop": workshop}


@dataclass(slots=True)
class CompiledStatement:
    text: str
    names: tuple[str, ...]
    """The parameters' names in the order of the text's placeholders, where these have no names."""
    defaults: dict[str, Any]
    """Literals of the statement that became parameters."""
    columns: tuple[str, ...] | None = None
    """Names of the answer's columns, known once it has given a row."""


class StatementCache:
    """The statements of one connection, compiled. Not for use from two threads."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: WeakKeyDictionary[Executable, CompiledStatement] = WeakKeyDictionary()

    def __getitem__(self, statement: Executable) -> CompiledStatement:
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = self._compiled[statement] = self._compile(statement)
        return compiled

    def _compile(self, statement: Executable) -> CompiledStatement:
        made = cast("ClauseElement", statement).compile(dialect=self._dialect)
        binds = cast("Any", made).binds
        defaults = {name: value for name, value in (made.params or {}).items() if not binds[name].required}
        return CompiledStatement(str(made), tuple(cast("Any", made).positiontup or ()), defaults)
