"""
Run the collected tests in worker processes, `--workers N`. The workers are forks of the process that collected, so that
importing and collecting, 5 s of CPU time, is done once. The tests of a group, mostly those of a file, run in one worker
one after the other and share its fixtures. A worker that is done with its group takes the next one.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import tempfile
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, Literal

import pytest

Group = Sequence[int]
"""Indexes of `session.items`."""

_fork = multiprocessing.get_context("fork")


def run(session: pytest.Session, groups: Iterable[Group], workers: int, begin: Callable[[], None]) -> None:
    """
    Run the groups, begun in this order, and report to pytest as if the tests had run in this process. `begin` is called
    in each worker before its first test.
    """
    assert threading.active_count() == 1, f"a fork has the calling thread alone: {threading.enumerate()}"
    capture: Any = session.config.pluginmanager.get_plugin("capturemanager")
    folder = Path(tempfile.mkdtemp(prefix="planso-tests-"))
    capture.suspend(in_=True)
    try:
        _Run(session, deque(groups), folder, begin).run(workers)
        if not session.testsfailed:
            shutil.rmtree(folder)
    finally:
        capture.resume()


@dataclass(eq=False)
class _Worker:
    number: int
    process: ForkProcess
    connection: Connection
    unfinished: deque[int] = field(default_factory=deque)
    """Tests of its group, the one that runs first."""


class _Run:
    def __init__(self, session: pytest.Session, groups: deque[Group], folder: Path, begin: Callable[[], None]) -> None:
        self._session = session
        self._groups = groups
        self._folder = folder
        self._begin = begin
        self._workers: dict[Connection, _Worker] = {}

    def run(self, workers: int) -> None:
        try:
            for number in range(min(workers, len(self._groups))):
                self._start(number)
            while self._workers:
                for ready in wait(list(self._workers)):
                    assert isinstance(ready, Connection)
                    self._receive(self._workers[ready])
                    if self._session.shouldfail:
                        raise self._session.Failed(self._session.shouldfail)
                    if self._session.shouldstop:
                        raise self._session.Interrupted(self._session.shouldstop)
        finally:
            for worker in self._workers.values():
                worker.process.kill()
                worker.process.join()

    def _start(self, number: int) -> None:
        ours, theirs = _fork.Pipe()
        process = _fork.Process(target=self._run_groups, args=(number, theirs, ours))
        process.start()
        theirs.close()
        self._workers[ours] = _Worker(number, process, ours)

    def _receive(self, worker: _Worker) -> None:
        message = b""
        with suppress(EOFError, ConnectionResetError):
            message = worker.connection.recv_bytes()
        if not message:
            self._end(worker)
            return
        kind, content = pickle.loads(message)  # noqa: S301 - from a fork of this process
        if kind == "report":
            hook = self._session.config.hook
            report = hook.pytest_report_from_serializable(config=self._session.config, data=content)
            hook.pytest_runtest_logreport(report=report)
        elif kind == "finished":
            worker.unfinished.popleft()
        elif kind == "fault":
            self._report_fault(f"worker {worker.number}", content, "teardown")
        else:
            group = self._groups.popleft() if self._groups else ()
            worker.unfinished.extend(group)
            worker.connection.send_bytes(pickle.dumps(group))

    def _end(self, worker: _Worker) -> None:
        """A worker ended. If not because it was done, its test failed, and another one has the rest of its group."""
        del self._workers[worker.connection]
        worker.connection.close()
        worker.process.join()
        if worker.process.exitcode == 0:
            return
        item = self._session.items[worker.unfinished.popleft()] if worker.unfinished else None
        reason = f"The worker process ended with {worker.process.exitcode}."
        self._report_fault(item.nodeid if item is not None else f"worker {worker.number}", reason)
        if worker.unfinished:
            self._groups.appendleft(list(worker.unfinished))
        if self._groups:
            self._start(worker.number)

    def _report_fault(self, nodeid: str, reason: str, when: Literal["call", "teardown"] = "call") -> None:
        report = pytest.TestReport(nodeid, ("", None, nodeid), {}, "failed", reason, when)
        self._session.config.hook.pytest_runtest_logreport(report=report)

    def _run_groups(self, number: int, connection: Connection, other_end: Connection) -> None:
        """The work of a worker, in its process, which ends when there are no more groups."""
        for other in (other_end, *self._workers):
            other.close()
        _become_worker(self._session.config, number, self._folder, connection)
        self._begin()
        nothing = _NoItem.from_parent(self._session, name="no item")
        connection.send_bytes(pickle.dumps(("next", None)))
        while group := pickle.loads(connection.recv_bytes()):  # noqa: S301 - from the process that collected
            for index, following in zip(group, [*group[1:], None], strict=True):
                item = self._session.items[index]
                nextitem = nothing if following is None else self._session.items[following]
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
                connection.send_bytes(pickle.dumps(("finished", None)))
            connection.send_bytes(pickle.dumps(("next", None)))
        try:
            self._session.config.hook.pytest_sessionfinish(session=self._session, exitstatus=0)
        except Exception:  # noqa: BLE001 - of a fixture, it is reported
            connection.send_bytes(pickle.dumps(("fault", traceback.format_exc())))
        os._exit(0)  # a thread that a failed test left behind would be waited for


class _NoItem(pytest.Item):
    """Follows a group's last test: all fixtures but the session's end."""

    def runtest(self) -> None:
        raise NotImplementedError


def _become_worker(config: pytest.Config, number: int, folder: Path, connection: Connection) -> None:
    os.environ |= {"TEST_WORKER": str(number), "PYTEST_DEBUG_TEMPROOT": str(folder / str(number))}
    (folder / str(number)).mkdir(exist_ok=True)
    config.workerinput = {"workerid": str(number)}  # type: ignore[attr-defined]  # as plugins know it of pytest-xdist
    config.pluginmanager.unregister(name="terminalreporter")
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    capture.stop_global_capturing()  # the process that collected has the same files
    capture.start_global_capturing()
    config.pluginmanager.register(_Reporter(config, connection), "worker reporter")


class _Reporter:
    """Sends each result to the process that collected."""

    def __init__(self, config: pytest.Config, connection: Connection) -> None:
        self._config = config
        self._connection = connection

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._connection.send_bytes(pickle.dumps(("report", data)))
