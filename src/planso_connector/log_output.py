"""
Where log lines go: through a bounded queue to one thread, which writes them on standard error.

Whoever logs neither waits for that nor sees it fail. A full disk, a pipe without a reader or one whose reader stopped
cost lines, which are counted; the next one that can be written is preceded by a line that says how many are missing.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

FLUSH = 2.0
"""Seconds that the end of the process waits for lines that are not written yet."""

QUEUE, QUEUE_SIZE = 5_000, 4_000_000
"""Lines, and characters of them, that wait for the thread at most. Those that come on top are lost."""

GATHER = 0.02
"""
Seconds that the thread waits for more lines after a first one. Under load one write takes them all: a hand-over to the
thread for each line would cost whoever logs more than writing it.
"""


@dataclass(frozen=True, slots=True)
class Lost:
    """Lines lost since the last one that was written. `since` is in seconds since 1970."""

    lines: int
    since: float
    reason: str


class LogOutput:
    """Of the whole process. `report` makes the line that says what was lost."""

    def __init__(self, report: Callable[[Lost], str]) -> None:
        self.lost_lines = 0
        """Since the start."""
        self.trouble: Lost | None = None
        """What is being lost now; None where lines can be written."""
        self._report = report
        self._counting = threading.Lock()
        self._waiting: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._waiting_size = 0
        self._thread: threading.Thread | None = None
        self._fault = ""
        self._is_mid_line = False

    def start(self) -> None:
        """Raises RuntimeError where the system gives no thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()
            atexit.register(self.flush, FLUSH)

    def put(self, line: str) -> None:
        """Never raises, never waits."""
        with self._counting:
            has_room = self._waiting.qsize() < QUEUE and self._waiting_size + len(line) <= QUEUE_SIZE
            if has_room:
                self._waiting_size += len(line)
                self._waiting.put(line)
        if not has_room:
            self.lose(1, "nobody reads it")

    def lose(self, lines: int, reason: str) -> None:
        """Count lines that are not written."""
        with self._counting:
            self.lost_lines += lines
            before = self.trouble or Lost(0, time.time(), reason)
            self.trouble = Lost(before.lines + lines, before.since, reason)

    def flush(self, seconds: float) -> None:
        """Wait until what was put before is written, for so many seconds at most."""
        if self._thread is not None:
            written = threading.Event()
            self._waiting.put(written)
            written.wait(seconds)

    def _run(self) -> None:
        while True:
            taken = [self._waiting.get()]
            if isinstance(taken[0], str):
                time.sleep(GATHER)
            taken += [self._waiting.get() for _ in range(self._waiting.qsize())]
            lines = [one for one in taken if isinstance(one, str)]
            with self._counting:
                self._waiting_size -= sum(map(len, lines))
            try:
                self._write_lines(lines)
            except Exception as error:  # noqa: BLE001 - nobody would start this thread again
                self.lose(len(lines), type(error).__name__)
            for one in taken:
                if isinstance(one, threading.Event):
                    one.set()

    def _write_lines(self, lines: list[str]) -> None:
        trouble = self.trouble
        if not lines:
            return
        if trouble is not None:
            report = _encoded([*([""] if self._is_mid_line else []), self._report(trouble)])
            if self._written(report) < len(report):
                self.lose(len(lines), self._fault)
                return
            self._reported(trouble)
        data = _encoded(lines)
        written = self._written(data)
        if written < len(data):
            self.lose(data.count(b"\n", written), self._fault)

    def _reported(self, told: Lost) -> None:
        with self._counting:
            now = self.trouble
            more = now.lines - told.lines if now is not None else 0
            self.trouble = Lost(more, time.time(), told.reason) if more else None

    def _written(self, data: bytes) -> int:
        """How many bytes were; `_fault` says why not more."""
        done = 0
        try:
            descriptor = _descriptor()
            if descriptor is None:
                sys.stderr.write(data.decode())
                return len(data)
            while done < len(data):
                try:
                    done += os.write(descriptor, data[done:])
                except BlockingIOError:  # whoever started this process shares the pipe with it, and set it so
                    select.select([], [descriptor], [])
        except (OSError, ValueError) as error:
            self._fault = getattr(error, "strerror", None) or type(error).__name__
        if done:
            self._is_mid_line = not data.endswith(b"\n", 0, done)
        return done


def _encoded(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def _descriptor() -> int | None:
    """
    Of standard error as it is at this moment; None where it is a stream in memory. Raises OSError where it is closed.
    """
    stream: object = sys.stderr
    if stream is None:
        raise OSError(0, "it is closed")
    try:
        return sys.stderr.fileno()
    except io.UnsupportedOperation:
        return None
