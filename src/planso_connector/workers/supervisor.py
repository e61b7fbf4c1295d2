"""
Supervisor of background loops. One that ends is restarted, whatever ended it; one that is stuck shows by its missing
heartbeat. Readiness reports both.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic, time

import structlog

from planso_connector.flows.operating.heartbeat import Heartbeat

log = structlog.get_logger(__name__)

FIRST_RESTART_DELAY, MAX_RESTART_DELAY = 1.0, 60.0
"""Seconds before a worker is restarted, doubled each time."""

STABLE_AFTER = 60.0
"""Seconds after which a worker is stable: its next restart delay is the first one again."""

CANCEL_AGAIN_AFTER = 20.0
"""
Seconds until a worker that was cancelled and goes on is cancelled again: libraries lose cancellations now and then.
Longer than the database is waited for while the process stops.
"""

FIRST_HEARTBEAT_TIMEOUT = 60.0
"""Seconds that a worker has for its first heartbeat."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A loop that runs until it is cancelled; one that `ends` may return when it is done."""

    name: str
    run: Callable[[Heartbeat], Awaitable[None]]
    may_end: bool = False


class Supervisor:
    def __init__(self, cancel_again_after: float = CANCEL_AGAIN_AFTER) -> None:
        self._cancel_again_after = cancel_again_after
        self._watched: list[_Watched] = []

    @asynccontextmanager
    async def run_workers(self, workers: Iterable[Worker]) -> AsyncIterator[None]:
        """Run the workers while inside."""
        self._watched = [_Watched(worker) for worker in workers]
        tasks = {
            asyncio.create_task(_keep_running(watched, self._cancel_again_after), name=f"supervises {watched.name}")
            for watched in self._watched
        }
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def find_problem(self) -> tuple[str, float] | None:
        """Which workers ended or are stuck, in words, and since when (seconds since 1970). None if all run."""
        problems = [problem for worker in self._watched if (problem := worker.find_problem()) is not None]
        if not problems:
            return None
        longest = max(seconds for _, seconds in problems)
        advice = "restart the connector if it stays so; `worker_ended` in the log says why"
        return f"{'; '.join(words for words, _ in problems)}: {advice}", time() - longest

    def restart_counts(self) -> dict[str, int]:
        return {watched.name: watched.restarts for watched in self._watched}

    def heartbeat_ages(self) -> dict[str, float]:
        """Seconds since the last heartbeat of each worker that is not done."""
        return {watched.name: watched.age for watched in self._watched if not watched.is_done}


class _Watched:
    """The state of one worker."""

    def __init__(self, worker: Worker) -> None:
        self.worker, self.name = worker, worker.name
        self.restarts = 0
        self.is_done = False
        self._started_at = self._heartbeat_at = monotonic()
        self._within = FIRST_HEARTBEAT_TIMEOUT
        self._end_count = 0
        """Ends in a row, without being stable in between."""
        self._first_end_at = 0.0
        self._error = ""
        self._restart_at: float | None = None
        """None while it runs."""

    @property
    def age(self) -> float:
        return monotonic() - self._heartbeat_at

    def record_start(self) -> None:
        self._restart_at, self._started_at = None, monotonic()
        self.beat(FIRST_HEARTBEAT_TIMEOUT)

    def beat(self, within: float) -> None:
        self._heartbeat_at, self._within = monotonic(), within

    def record_end(self, error: str) -> float:
        """Returns the seconds until it is to be restarted."""
        if self._is_stable:
            self._end_count = 0
        if not self._end_count:
            self._first_end_at = monotonic()
        self._end_count += 1
        self._error = error
        pause = min(MAX_RESTART_DELAY, FIRST_RESTART_DELAY * 2.0 ** min(self._end_count - 1, 30))
        self._restart_at = monotonic() + pause
        return pause

    @property
    def _is_stable(self) -> bool:
        return self._restart_at is None and monotonic() - self._started_at >= STABLE_AFTER

    def find_problem(self) -> tuple[str, float] | None:
        """What is wrong, and for how many seconds."""
        if self._restart_at is not None:
            since = monotonic() - self._first_end_at
            left = max(0.0, self._restart_at - monotonic())
            return f"{self.name} {self._end_description} and restarts in {left:.0f} s", since
        if self._end_count > 1 and not self._is_stable:
            return f"{self.name} {self._end_description} and runs again", monotonic() - self._first_end_at
        if not self.is_done and self.age > self._within:
            return f"{self.name} is stuck, no sign of it for {self.age:.0f} s", self.age
        return None

    @property
    def _end_description(self) -> str:
        return (
            f"ended by {self._error}" if self._end_count == 1 else f"ended {self._end_count} times, by {self._error},"
        )


async def _keep_running(watched: _Watched, cancel_again_after: float) -> None:
    """Run and restart a worker until cancelled, or until it is done."""
    worker = watched.worker
    while True:
        watched.record_start()
        # A task of its own: a cancellation that comes out of it, and not from here, is an error like others.
        task = asyncio.create_task(_run(watched), name=worker.name)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            while not (await asyncio.wait({task}, timeout=cancel_again_after))[0]:
                log.warning("worker_not_ended", worker=worker.name)
                task.cancel()
            raise
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None and worker.may_end:
            watched.is_done = True
            return
        pause = watched.record_end("returning" if error is None else _error_name(error))
        log.critical("worker_ended", worker=worker.name, restarts_in=pause, exc_info=error)
        await asyncio.sleep(pause)
        watched.restarts += 1
        log.warning("worker_restarted", worker=worker.name, restarts=watched.restarts)


async def _run(watched: _Watched) -> None:
    await watched.worker.run(watched.beat)


def _error_name(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__
