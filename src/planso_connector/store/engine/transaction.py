"""A transaction that runs SQLAlchemy Core statements, each compiled once per process."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast
from weakref import WeakKeyDictionary

from sqlalchemy import ClauseElement, Executable
from sqlalchemy.engine import Dialect

Row = dict[str, Any]
"""A result row by column name."""


class NoWorkshop(LookupError):
    """A transaction of the whole database was asked for one workshop's rows; use `database.for_workshop(name)`."""


class NotInstallation(LookupError):
    """A transaction of one workshop was asked for the rows of all; use the `Database` that has no workshop."""


EVERY_WORKSHOP = "*"
"""In place of a workshop's name: the whole installation."""


def check_workshop_name(name: str) -> str:
    """Return the name. Raises ValueError for one that can't be told from no workshop, or from all of them."""
    if not name or name == EVERY_WORKSHOP or "\0" in name:
        raise ValueError(f"{name!r} can't be the name of a workshop; accepted: a text other than '{EVERY_WORKSHOP}'.")
    return name


class Transaction(Protocol):
    """
    An open transaction of one workshop. Parameters are named as the statement's `bindparam`s; `workshop` (in an INSERT)
    and `of_workshop` (in a WHERE) are the transaction's own workshop unless given.

    Statements stay compiled as long as they live: build each once, at module level or in a cache.
    """

    @property
    def workshop(self) -> str:
        """Raises NoWorkshop if the database was not opened for one."""
        ...

    def use_workshop(self, workshop: str | None) -> None:
        """
        From here on the transaction is this workshop's; None: of the whole installation again. Raises NotInstallation
        if the transaction began as one workshop's.
        """
        ...

    def fetch_all(self, statement: Executable, /, **parameters: object) -> list[Row]: ...

    def execute(self, statement: Executable, /, **parameters: object) -> int:
        """Run the statement; how many rows it touched."""
        ...

    def execute_many(self, statement: Executable, rows: Iterable[Mapping[str, object]], /) -> None:
        """Run the statement once for each of `rows`."""
        ...

    def lock(self, name: str) -> None:
        """Hold this name until the transaction ends; wait while another writing transaction holds it."""
        ...

    def notify(self, message: str) -> None:
        """Send a message to all that listen to this database, with the commit. Nothing on SQLite, where they poll."""
        ...


class ReusedTransaction(Transaction, Protocol):
    """One object for the transactions of a connection, one after the other."""

    def begin_as(self, workshop: str | None) -> None:
        """For the engine: the transaction that begins is this workshop's, or with None the whole installation's."""
        ...


class WorkshopScope:
    """The workshop of a transaction, as the parameters that all its statements have."""

    _own: Mapping[str, str] = {}
    _began_as_installation: bool = True

    @property
    def workshop(self) -> str:
        try:
            return self._own["workshop"]
        except KeyError:
            raise NoWorkshop from None

    def begin_as(self, workshop: str | None) -> None:
        self._began_as_installation = workshop is None
        self._own = {} if workshop is None else {"workshop": workshop, "of_workshop": workshop}

    def use_workshop(self, workshop: str | None) -> None:
        if workshop is None and not self._began_as_installation:
            raise NotInstallation
        self._own = {} if workshop is None else {"workshop": workshop, "of_workshop": check_workshop_name(workshop)}


@dataclass(slots=True)
class CompiledStatement:
    text: str
    names: tuple[str, ...]
    """The parameters in the order of the text's placeholders, if these have no names."""
    defaults: dict[str, Any]
    """Literals of the statement that became parameters."""
    columns: tuple[str, ...] | None = None
    """Names of the result's columns, known once it has returned a row."""


class StatementCache:
    """
    The compiled statements of one dialect, for all connections of a process. Thread-safe: two threads at one new
    statement both compile it, and either result is kept.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: WeakKeyDictionary[Executable, CompiledStatement] = WeakKeyDictionary()

    def __getitem__(self, statement: Executable) -> CompiledStatement:
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = self._compiled[statement] = self._compile(statement)
        return compiled

    def _compile(self, statement: Executable) -> CompiledStatement:
        compiled = cast("ClauseElement", statement).compile(dialect=self._dialect)
        binds = cast("Any", compiled).binds
        defaults = {name: value for name, value in (compiled.params or {}).items() if not binds[name].required}
        return CompiledStatement(str(compiled), tuple(cast("Any", compiled).positiontup or ()), defaults)
