"""Threads that each own a database connection, and the work that is handed to them from an event loop."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

import structlog

from planso_connector.domain.errors import CommitUnknown, StoreTimeout, StoreUnavailable
from planso_connector.domain.priority import has_priority
from planso_connector.store.engine.transaction import Transaction

log = structlog.get_logger(__name__)

TIMEOUT = 10.0
"""Seconds that a unit of work may take: CONNECTOR_DATABASE_TIMEOUT."""
LEEWAY = 2.0
"""Seconds beyond its time, in which the database itself reports that a statement took too long."""


class Responsiveness:
    """When a crew's database answered last, and since when it is silent; seconds as `time.monotonic` has."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.answered_at = monotonic()
        self.silent_since: float | None = None
        self.timeouts = 0
        """Units of work that were given up because the database did not answer."""

    def record_answer(self) -> None:
        self.answered_at = monotonic()
        if self.silent_since is not None:
            silent, self.silent_since = self.answered_at - self.silent_since, None
            log.info("database_answers_again", kind=self._kind, silent_seconds=round(silent, 1))

    def record_timeout(self, since: float) -> None:
        """What was asked at `since` got no answer in its time."""
        self.timeouts += 1
        if self.silent_since is None:
            self.silent_since = max(self.answered_at, since)
            log.warning("database_silent", kind=self._kind, seconds=round(monotonic() - self.silent_since, 1))


@dataclass(slots=True, eq=False)
class QueuedWork:
    """One unit of work, who waits for it, and how it ended."""

    function: Callable[[Transaction], Any]
    workshop: str | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    time_limit: float | None = None
    """Seconds after which it is given up, from `since` on."""
    queued_at: float = field(default_factory=monotonic)
    result: Any = None
    error: BaseException | None = field(default=None)
    has_begun: bool = False
    deadline: float | None = None
    """When its thread gives it up, as `time.monotonic`; its thread decides when it begins it."""
    _decided: threading.Lock = field(default_factory=threading.Lock)
    """Held from when on it is begun, or given up before that: whichever comes first."""

    @property
    def is_abandoned(self) -> bool:
        """Nobody waits for it any more."""
        return self.future.done()

    def begin(self) -> bool:
        """For its thread: whether it may be done. Not where its caller was told that nothing of it was."""
        if not self.has_begun and not self.is_abandoned:
            self.has_begun = self._decided.acquire(blocking=False)
        return self.has_begun

    def withdraw(self) -> bool:
        """For its caller: whether it was not begun, and now never is."""
        return self._decided.acquire(blocking=False)

    @property
    def seconds_left(self) -> float | None:
        """Seconds that are left; None where it may take as long as it takes."""
        return None if self.time_limit is None else self.queued_at + self.time_limit - monotonic()

    @property
    def is_late(self) -> bool:
        """Whether its time is over before it was begun; its error says so then."""
        if self.seconds_left is None or self.seconds_left > 0:
            return False
        self.error = StoreUnavailable("The connector has more questions to answer than it can: ask again in a moment.")
        return True


def resolve_futures(done: Iterable[QueuedWork]) -> None:
    """Wakes those who wait; one wake-up for each event loop. A caller that left, or its loop, is passed over."""
    by_loop: dict[asyncio.AbstractEventLoop, list[QueuedWork]] = {}
    for work in done:
        by_loop.setdefault(work.loop, []).append(work)
    for loop, works in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, works)
        except RuntimeError:
            continue  # the loop is closed: nobody waits any more


def _resolve(works: list[QueuedWork]) -> None:
    for work in works:
        if work.future.done():
            continue
        if isinstance(work.error, StopIteration):  # no future takes it, and those behind it would wait for ever
            work.future.set_exception(RuntimeError("a unit of work raised StopIteration"))
        elif work.error is not None:
            work.future.set_exception(work.error)
        else:
            work.future.set_result(work.result)
        work.error = None  # an exception and the frame that holds it are a cycle


class WorkQueue:
    """
    Where work waits for a crew of threads, that which goes first before all other. Once closed, it takes no more, and
    what it holds is still done.

    Nobody waits here for longer than `timeout` seconds, whatever the threads do, but for a unit that `changes`
    something and was begun: what became of that its thread says, and it has twice the time until it counts as unknown.
    """

    def __init__(self, kind: str, name: str, timeout: float, *, changes: bool = False) -> None:
        """`kind` is `read`, `question` or `write`; `name` is where the database is, for messages."""
        self.responsiveness = Responsiveness(kind)
        self._name = name
        self._timeout = timeout
        self._changes = changes
        self._first: deque[QueuedWork] = deque()
        self._others: deque[QueuedWork] = deque()
        self._count: SimpleQueue[bool] = SimpleQueue()
        """An entry for each work that waits: True; and one for each thread of a closed inbox: False."""
        self._lock = threading.Lock()
        self._closed = False
        self._waited_for: set[QueuedWork] = set()
        self._ends_at = math.inf

    @property
    def max_wait(self) -> float:
        """Seconds that a caller waits here at most."""
        return 2 * (self._timeout + LEEWAY) if self._changes else self._timeout

    async def run(
        self,
        unit: Callable[[Transaction], Any],
        within: float | None = None,
        *,
        workshop: str | None = None,
        at_once: float | None = None,
    ) -> Any:
        """With `at_once` it comes before all that waits, and is given up after so many seconds."""
        loop = asyncio.get_running_loop()
        work = QueuedWork(unit, workshop, loop, loop.create_future(), within)
        with self._lock:
            if self._closed or work.queued_at >= self._ends_at:
                raise StoreUnavailable("The connector's database is closed.")
            (self._others if at_once is None and not has_priority.get() else self._first).append(work)
            self._count.put(True)
        seconds = at_once or (self._timeout if within is None else min(within + LEEWAY, self._timeout))
        if work.queued_at + seconds < self._ends_at:
            timer = loop.call_later(seconds, self._give_up, work, at_once is not None)
        else:
            timer = loop.call_later(self._ends_at - work.queued_at, self._give_up, work, True)
        self._waited_for.add(work)
        try:
            return await work.future
        finally:
            timer.cancel()
            self._waited_for.discard(work)

    def _give_up(self, work: QueuedWork, is_final: bool) -> None:
        if work.future.done():
            return
        is_unbegun = work.withdraw()
        if self._changes and not is_unbegun and not is_final:
            work.loop.call_later(self._timeout + 2 * LEEWAY, self._give_up, work, True)
            return
        silent = monotonic() - work.queued_at
        is_busy = self.responsiveness.answered_at > work.queued_at
        if not is_busy:
            self.responsiveness.record_timeout(work.queued_at)
        if self._changes and not is_unbegun:
            told = f"The connector's database ({self._name}) has not said for {silent:.0f} s whether it took a write."
            work.future.set_exception(CommitUnknown(told))
        elif is_busy:
            told = f"The connector's database has more to do than it can: no answer in {silent:.1f} s; ask again soon."
            work.future.set_exception(StoreTimeout(told))
        else:
            told = f"The connector's database ({self._name}) can't be used: it has not answered for {silent:.1f} s."
            work.future.set_exception(StoreTimeout(told))

    def stop_waiting_after(self, seconds: float) -> None:
        """From then on nobody waits here any more, and nothing is taken. The earliest end counts."""
        self._ends_at = min(self._ends_at, monotonic() + seconds)
        for work in self._waited_for:
            work.loop.call_later(self._ends_at - monotonic(), self._give_up, work, True)

    @property
    def length(self) -> int:
        return self._count.qsize()

    def close(self, threads: int) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in range(threads):
                    self._count.put(False)

    def take(self) -> QueuedWork | None:
        """The next work, waiting for it; None: the inbox is closed, this thread can go."""
        return self._next() if self._count.get() else None

    def take_batch(self, at_most: int) -> tuple[list[QueuedWork], bool]:
        """Work as soon as there is any, and what else waits then; and whether the inbox closed."""
        is_more = self._count.get()
        batch: list[QueuedWork] = []
        while is_more:
            batch.append(self._next())
            if len(batch) == at_most:
                return batch, False
            try:
                is_more = self._count.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    async def join(self, threads: Sequence[threading.Thread]) -> None:
        """Waits for the crew to go, but not for a thread that is stuck: it ends with the process."""
        until = min(monotonic() + self._timeout + LEEWAY, max(self._ends_at, monotonic() + 1.0))
        for thread in threads:
            await asyncio.to_thread(thread.join, max(0.0, until - monotonic()))

    def _next(self) -> QueuedWork:
        try:
            return self._first.popleft()
        except IndexError:
            return self._others.popleft()
