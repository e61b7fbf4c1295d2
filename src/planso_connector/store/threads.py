"""Threads that each own a database connection, and the work that is handed to them from an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.store.transaction import Transaction

goes_first: ContextVar[bool] = ContextVar("goes_first", default=False)
"""Whether work of this request, and of tasks begun for it, is done before that of others which waits already."""


@dataclass(slots=True, eq=False)
class Work:
    """One unit of work, who waits for it, and how it ended."""

    unit: Callable[[Transaction], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    within: float | None = None
    """Seconds after which it is given up, from `since` on."""
    since: float = field(default_factory=monotonic)
    result: Any = None
    error: BaseException | None = field(default=None)

    @property
    def abandoned(self) -> bool:
        return self.future.cancelled()

    @property
    def left(self) -> float | None:
        """Seconds that are left; None where it may take as long as it takes."""
        return None if self.within is None else self.since + self.within - monotonic()

    @property
    def is_late(self) -> bool:
        """Whether its time is over before it was begun; its error says so then."""
        if self.left is None or self.left > 0:
            return False
        self.error = StoreUnavailable("The connector has more questions to answer than it can: ask again in a moment.")
        return True


def tell(done: Iterable[Work]) -> None:
    """Wakes those who wait; one wake-up for each event loop. A caller that left, or its loop, is passed over."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Work]] = {}
    for work in done:
        by_loop.setdefault(work.loop, []).append(work)
    for loop, works in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, works)
        except RuntimeError:
            continue  # the loop is closed: nobody waits any more


def _resolve(works: list[Work]) -> None:
    for work in works:
        if work.future.done():
            continue
        if work.error is not None:
            work.future.set_exception(work.error)
        else:
            work.future.set_result(work.result)
        work.error = None  # an exception and the frame that holds it are a cycle


class Inbox:
    """
    Where work waits for a crew of threads, that which goes first before all other. Once closed, it takes no more, and
    what it holds is still done.
    """

    def __init__(self) -> None:
        self._first: deque[Work] = deque()
        self._others: deque[Work] = deque()
        self._count: SimpleQueue[bool] = SimpleQueue()
        """An entry for each work that waits: True; and one for each thread of a closed inbox: False."""
        self._lock = threading.Lock()
        self._closed = False

    async def do(self, unit: Callable[[Transaction], Any], within: float | None = None) -> Any:
        loop = asyncio.get_running_loop()
        work = Work(unit, loop, loop.create_future(), within)
        with self._lock:
            if self._closed:
                raise StoreUnavailable("The connector's database is closed.")
            (self._first if goes_first.get() else self._others).append(work)
            self._count.put(True)
        return await work.future

    @property
    def waiting(self) -> int:
        return self._count.qsize()

    def close(self, threads: int) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in range(threads):
                    self._count.put(False)

    def take(self) -> Work | None:
        """The next work, waiting for it; None: the inbox is closed, this thread can go."""
        return self._next() if self._count.get() else None

    def take_waiting(self, at_most: int) -> tuple[list[Work], bool]:
        """Work as soon as there is any, and what else waits then; and whether the inbox closed."""
        is_more = self._count.get()
        batch: list[Work] = []
        while is_more:
            batch.append(self._next())
            if len(batch) == at_most:
                return batch, False
            try:
                is_more = self._count.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _next(self) -> Work:
        try:
            return self._first.popleft()
        except IndexError:
            return self._others.popleft()
