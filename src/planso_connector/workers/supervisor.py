"""
Supervisor: the background loops that must not end. One that ends is restarted, whatever ended it; one that is stuck is
told by its heartbeat. Readiness names both.
"""

from __future__ import annotations

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
"""Seconds after which a worker runs well: its next pause is the first one again."""

FIRST_HEARTBEAT_TIMEOUT = 60.0
"""Seconds that a worker has for its first heartbeat."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A loop that runs until it is cancelled; one that `ends` may return when it is done."""

    name: str
    run: Callable[[Heartbeat], Awaitable[None]]
    may_end: bool = False


class Supervisor:
    """Lives as long as one connector."""

    def __init__(self) -> None:
        self._watched: list[_Watched] = []

    @asynccontextmanager
    async def run_workers(self, workers: Iterable[Worker]) -> AsyncIterator[None]:
        """They run while this lasts."""
        self._watched = [_Watched(worker) for worker in workers]
        tasks = {asyncio.create_task(_kept_running(one), name=f"keeps {one.name}") for one in self._watched}
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def find_problem(self) -> tuple[str, float] | None:
        """Which workers ended or are stuck, for a person; since when, in seconds since 1970. None where all run."""
        troubles = [trouble for one in self._watched if (trouble := one.trouble()) is not None]
        if not troubles:
            return None
        longest = max(seconds for _, seconds in troubles)
        what = "restart the connector if it stays so; `worker_ended` in the log says why"
        return f"{'; '.join(words for words, _ in troubles)}: {what}", time() - longest

    def restart_counts(self) -> dict[str, int]:
        return {one.name: one.restarts for one in self._watched}

    def heartbeat_ages(self) -> dict[str, float]:
        """Seconds, of the workers that are not done."""
        return {one.name: one.age for one in self._watched if not one.is_done}


class _Watched:
    """One worker as it is now."""

    def __init__(self, worker: Worker) -> None:
        self.worker, self.name = worker, worker.name
        self.restarts = 0
        self.is_done = False
        self._began = self._beaten = monotonic()
        self._within = FIRST_HEARTBEAT_TIMEOUT
        self._ends = 0
        """In a row: it did not run well in between."""
        self._first_end = 0.0
        self._error = ""
        self._restart: float | None = None
        """When; None while it runs."""

    @property
    def age(self) -> float:
        return monotonic() - self._beaten

    def began(self) -> None:
        self._restart, self._began = None, monotonic()
        self.beat(FIRST_HEARTBEAT_TIMEOUT)

    def beat(self, within: float) -> None:
        self._beaten, self._within = monotonic(), within

    def ended(self, error: str) -> float:
        """Seconds until it is to be restarted."""
        if self._runs_well:
            self._ends = 0
        if not self._ends:
            self._first_end = monotonic()
        self._ends += 1
        self._error = error
        pause = min(MAX_RESTART_DELAY, FIRST_RESTART_DELAY * 2.0 ** min(self._ends - 1, 30))
        self._restart = monotonic() + pause
        return pause

    @property
    def _runs_well(self) -> bool:
        return self._restart is None and monotonic() - self._began >= STABLE_AFTER

    def trouble(self) -> tuple[str, float] | None:
        """And for how many seconds."""
        if self._restart is not None:
            since = monotonic() - self._first_end
            left = max(0.0, self._restart - monotonic())
            return f"{self.name} {self._how_often} and restarts in {left:.0f} s", since
        if self._ends > 1 and not self._runs_well:
            return f"{self.name} {self._how_often} and runs again", monotonic() - self._first_end
        if not self.is_done and self.age > self._within:
            return f"{self.name} is stuck, no sign of it for {self.age:.0f} s", self.age
        return None

    @property
    def _how_often(self) -> str:
        return f"ended by {self._error}" if self._ends == 1 else f"ended {self._ends} times, by {self._error},"


async def _kept_running(watched: _Watched) -> None:
    """Until it is cancelled, or the worker is done."""
    worker = watched.worker
    while True:
        watched.began()
        # A task of its own: a cancellation that comes out of it, and was not asked for here, is a fault like others.
        task = asyncio.create_task(_run(watched), name=worker.name)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            raise
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None and worker.may_end:
            watched.is_done = True
            return
        pause = watched.ended("returning" if error is None else _named(error))
        log.critical("worker_ended", worker=worker.name, restarts_in=pause, exc_info=error)
        await asyncio.sleep(pause)
        watched.restarts += 1
        log.warning("worker_restarted", worker=worker.name, restarts=watched.restarts)


async def _run(watched: _Watched) -> None:
    await watched.worker.run(watched.beat)


def _named(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__
