"""What SQLite and PostgreSQL have in common as backends of a Database."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from sqlalchemy import Executable

from planso_connector.store.engine.file_watch import FileFault
from planso_connector.store.engine.immediate_reads import ReadLater
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.engine.work_queue import WorkQueue

T = TypeVar("T")


class Listener(Protocol):
    """Receives the messages that are sent while it is open."""

    async def receive(self, seconds: float) -> list[str]:
        """The next messages; none if none come within so many seconds. Raises StoreUnavailable where it is lost."""
        ...


class Backend:
    """Three queues with threads of their own: short reads, searches with a time limit, writes."""

    clock: Executable | None = None
    """Selects the server's time as `epoch`, in seconds; None for a database without a clock of its own."""
    check: Callable[[Transaction], list[str]] | None = None
    """Lists what an operator should change about the server."""

    disk_full_at: float | None = None
    """When a server last refused a write because its disk is full, as `time.monotonic`."""

    def __init__(self, location: str, timeout: float) -> None:
        self.reads, self.searches = (WorkQueue(kind, location, timeout) for kind in ("read", "search"))
        self.writes = WorkQueue("write", location, timeout, is_writing=True)
        self.queues = self.reads, self.searches, self.writes

    @property
    def file_fault(self) -> FileFault | None:
        """What happened to the database's files; None if nothing, and for a server's."""
        return None

    def read_now(self, function: Callable[[Transaction], T], workshop: str | None) -> T:
        """Raises ReadLater, as a server always does: it is another process, which has to be waited for."""
        raise ReadLater

    def data_version(self) -> int | None:
        """A number that changes with each commit of anybody; None if only a server could tell."""
        return None

    def listen(self) -> AbstractAsyncContextManager[Listener] | None:
        """Open a connection that receives the messages of `Transaction.notify`; None for a database that sends none."""
        return None

    async def close(self) -> None:
        """Do the work that waits, then end the threads; a silent database is not waited for."""
        for queue in self.queues:
            queue.close()
        deadline = self.writes.join_deadline
        for queue in self.queues:
            await queue.join(deadline)
