"""Queues that hand units of work from event loops to threads with a database connection each."""

import asyncio
import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

import structlog

from planso_connector.domain.errors import CommitUnknown, StoreTimeout, StoreUnavailable
from planso_connector.domain.priority import has_priority
from planso_connector.store.engine.fair_queue import FairQueue
from planso_connector.store.engine.transaction import Transaction

log = structlog.get_logger(__name__)

TIMEOUT = 10.0
"""Seconds that a unit of work may take: CONNECTOR_DATABASE_TIMEOUT."""
LEEWAY = 2.0
"""Seconds beyond its time, in which the database itself reports that a statement took too long."""


class Responsiveness:
    """When the database last answered a queue's work, and since when it is silent; seconds of `time.monotonic`."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.answered_at = monotonic()
        self.silent_since: float | None = None
        self.timeouts = 0
        """Units of work given up because the database did not answer."""

    def record_answer(self) -> None:
        self.answered_at = monotonic()
        if self.silent_since is not None:
            silent, self.silent_since = self.answered_at - self.silent_since, None
            log.info("database_answers_again", kind=self._kind, silent_seconds=round(silent, 1))

    def record_timeout(self, since: float) -> None:
        """Record that work queued at `since` got no answer in its time."""
        self.timeouts += 1
        if self.silent_since is None:
            self.silent_since = max(self.answered_at, since)
            log.warning("database_silent", kind=self._kind, seconds=round(monotonic() - self.silent_since, 1))


@dataclass(slots=True, eq=False)
class QueuedWork:
    """A unit of work, the future that waits for it, and its result."""

    function: Callable[[Transaction], Any]
    workshop: str | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    time_limit: float | None = None
    """Seconds from `queued_at` after which it is given up."""
    max_steps: int | None = None
    """Steps of SQLite after which it is given up."""
    queued_at: float = field(default_factory=monotonic)
    result: Any = None
    error: BaseException | None = None
    has_begun: bool = False
    deadline: float | None = None
    """When its thread gives it up, as `time.monotonic`; set by the thread when it begins."""
    _claimed: threading.Lock = field(default_factory=threading.Lock)
    """Taken for good by whoever comes first: the thread that begins it, or the caller that withdraws it."""

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.future.done()

    def begin(self) -> bool:
        """For its thread: whether it may run. Not if its caller was told that nothing of it was done."""
        if not self.has_begun and not self.is_abandoned:
            self.has_begun = self._claimed.acquire(blocking=False)
        return self.has_begun

    def withdraw(self) -> bool:
        """For its caller: whether it has not begun, and now never will."""
        return self._claimed.acquire(blocking=False)

    @property
    def seconds_left(self) -> float | None:
        """Seconds left; None without a time limit."""
        return None if self.time_limit is None else self.queued_at + self.time_limit - monotonic()

    def expire(self) -> bool:
        """Whether its time was over before it began; then `error` is set."""
        if self.seconds_left is None or self.seconds_left > 0:
            return False
        self.error = StoreUnavailable("The connector has more questions to answer than it can: ask again in a moment.")
        return True


def resolve_futures(done: Iterable[QueuedWork]) -> None:
    """Resolve the futures of finished work, with one wake-up for each event loop."""
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
        if isinstance(work.error, StopIteration):  # a future does not accept it, and work behind it would never resolve
            work.future.set_exception(RuntimeError("a unit of work raised StopIteration"))
        elif work.error is not None:
            work.future.set_exception(work.error)
        else:
            work.future.set_result(work.result)
        work.error = None  # an exception and the frame that holds it are a cycle


class WorkQueue:
    """
    A queue of units of work and the threads that do them; work with priority first, and workshops take turns. Once
    closed it accepts no more, and what it holds is still done.

    No caller waits longer than `timeout` seconds, whatever the threads do; except for a write that has begun: its
    thread knows what became of it, and has twice the time until its commit counts as unknown.
    """

    def __init__(self, kind: str, database: str, timeout: float, *, is_writing: bool = False) -> None:
        """`kind` is `read`, `search` or `write`, for logs; `database` says where it is, for messages."""
        self.responsiveness = Responsiveness(kind)
        self._kind = kind
        self._database = database
        self._timeout = timeout
        self._is_writing = is_writing
        self._first: FairQueue[QueuedWork] = FairQueue()
        self._others: FairQueue[QueuedWork] = FairQueue()
        self._tokens: SimpleQueue[bool] = SimpleQueue()
        """True for each work that is queued; False for each thread once the queue is closed."""
        self._lock = threading.Lock()
        self._is_closed = False
        self._awaited: set[QueuedWork] = set()
        self._ends_at = math.inf
        self._threads: list[threading.Thread] = []

    def start_thread(self, target: Callable[..., None], *arguments: object) -> None:
        """Start a thread that does this queue's work until the queue is closed."""
        name = f"database-{self._kind}-{len(self._threads)}"
        thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    @property
    def max_wait(self) -> float:
        """Seconds that a caller waits at most."""
        return 2 * (self._timeout + LEEWAY) if self._is_writing else self._timeout

    async def run(
        self,
        function: Callable[[Transaction], Any],
        time_limit: float | None = None,
        *,
        workshop: str | None = None,
        priority_timeout: float | None = None,
        max_steps: int | None = None,
    ) -> Any:
        """Wait for `function`'s result. With `priority_timeout` it comes first, and is given up after those seconds."""
        loop = asyncio.get_running_loop()
        work = QueuedWork(function, workshop, loop, loop.create_future(), time_limit, max_steps)
        with self._lock:
            if self._is_closed or work.queued_at >= self._ends_at:
                raise StoreUnavailable("The connector's database is closed.")
            (self._others if priority_timeout is None and not has_priority.get() else self._first).append(work)
            self._tokens.put(True)
        seconds = priority_timeout or min(self._timeout, math.inf if time_limit is None else time_limit + LEEWAY)
        seconds_to_end = self._ends_at - work.queued_at
        is_final = priority_timeout is not None or seconds_to_end <= seconds
        timer = loop.call_later(min(seconds, seconds_to_end), self._give_up, work, is_final)
        self._awaited.add(work)
        try:
            return await work.future
        finally:
            timer.cancel()
            self._awaited.discard(work)

    def _give_up(self, work: QueuedWork, is_final: bool) -> None:
        if work.future.done():
            return
        has_begun_write = not work.withdraw() and self._is_writing
        if has_begun_write and not is_final:
            work.loop.call_later(self._timeout + 2 * LEEWAY, self._give_up, work, True)
            return
        now = monotonic()
        waited = now - work.queued_at
        silent = min(waited, now - self.responsiveness.answered_at)
        is_busy = silent < waited / 2  # else it fell silent while this waited
        if not is_busy:
            self.responsiveness.record_timeout(work.queued_at)
        error: StoreUnavailable
        if has_begun_write:
            error = CommitUnknown(
                f"The connector's database ({self._database}) has not said for {waited:.0f} s whether it took a write."
            )
        elif is_busy:
            error = StoreTimeout(
                f"The connector's database did not answer in {waited:.1f} s, but another request {silent:.1f} s "
                "ago: it is overloaded, or has just stopped; ask again soon."
            )
        else:
            error = StoreTimeout(
                f"The connector's database ({self._database}) can't be used: it has not answered for {silent:.1f} s."
            )
        work.future.set_exception(error)

    def stop_waiting_after(self, seconds: float) -> None:
        """After so many seconds nobody waits any more, and no work is accepted. The earliest end counts."""
        self._ends_at = min(self._ends_at, monotonic() + seconds)
        for work in self._awaited:
            work.loop.call_later(self._ends_at - monotonic(), self._give_up, work, True)

    @property
    def length(self) -> int:
        return self._tokens.qsize()

    def close(self) -> None:
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                for _ in self._threads:
                    self._tokens.put(False)

    def take(self) -> QueuedWork | None:
        """Wait for the next work; None once the queue is closed: the thread ends."""
        return self._next() if self._tokens.get() else None

    def take_batch(self, at_most: int) -> tuple[list[QueuedWork], bool]:
        """Wait for work, and take what else is queued then; and whether the queue was closed."""
        has_more = self._tokens.get()
        batch: list[QueuedWork] = []
        while has_more:
            batch.append(self._next())
            if len(batch) == at_most:
                return batch, False
            try:
                has_more = self._tokens.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    @property
    def join_deadline(self) -> float:
        """Until when ending threads are waited for, as `time.monotonic`; one that is stuck ends with the process."""
        return min(monotonic() + self._timeout + LEEWAY, max(self._ends_at, monotonic() + 1.0))

    async def join(self, deadline: float) -> None:
        for thread in self._threads:
            await asyncio.to_thread(thread.join, max(0.0, deadline - monotonic()))

    def _next(self) -> QueuedWork:
        with self._lock:
            try:
                return self._first.popleft()
            except IndexError:
                return self._others.popleft()
