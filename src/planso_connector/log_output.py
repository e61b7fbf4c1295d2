"""
Write log lines to standard error from one thread, through a bounded queue.

Logging neither blocks nor fails: when the disk is full or the pipe's reader is gone or has stopped, lines are dropped
and counted, and the next line that can be written is preceded by one that says how many are missing.
"""

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

FLUSH_TIMEOUT = 2.0
"""Seconds to wait at exit for lines not written yet."""

MAX_QUEUED_LINES, MAX_QUEUED_CHARACTERS = 5_000, 4_000_000
"""Further lines are dropped."""

BATCH_DELAY = 0.02
"""Seconds to wait for more lines, written with one call: waking the thread for each line costs more than writing it."""


@dataclass(frozen=True, slots=True)
class LostLines:
    """Lines dropped since the last one that was written. `since`: Unix time."""

    lines: int
    since: float
    reason: str


class LogOutput:
    """The output of the whole process. `report` formats the line that says what was lost."""

    def __init__(self, report: Callable[[LostLines], str]) -> None:
        self.lost_lines = 0
        """Since the process started."""
        self.losing: LostLines | None = None
        """What is being lost now; None while lines are written."""
        self._report = report
        self._lock = threading.Lock()
        self._queue: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._queued_characters = 0
        self._thread: threading.Thread | None = None
        self._last_error = ""
        self._is_mid_line = False

    def start(self) -> None:
        """Raises RuntimeError if no thread can be started."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()
            atexit.register(self.flush, FLUSH_TIMEOUT)

    def put(self, line: str) -> None:
        """Queue a line; never raises, never blocks."""
        with self._lock:
            has_room = (
                self._queue.qsize() < MAX_QUEUED_LINES and self._queued_characters + len(line) <= MAX_QUEUED_CHARACTERS
            )
            if has_room:
                self._queued_characters += len(line)
                self._queue.put(line)
        if not has_room:
            self.lose(1, "nobody reads it")

    def lose(self, lines: int, reason: str) -> None:
        """Count dropped lines."""
        with self._lock:
            self.lost_lines += lines
            before = self.losing or LostLines(0, time.time(), reason)
            self.losing = LostLines(before.lines + lines, before.since, reason)

    def flush(self, seconds: float) -> None:
        """Wait until all queued lines are written, at most `seconds`."""
        if self._thread is not None:
            written = threading.Event()
            self._queue.put(written)
            written.wait(seconds)

    def _run(self) -> None:
        while True:
            taken = [self._queue.get()]
            if isinstance(taken[0], str):
                time.sleep(BATCH_DELAY)
            taken += [self._queue.get() for _ in range(self._queue.qsize())]
            lines = [item for item in taken if isinstance(item, str)]
            with self._lock:
                self._queued_characters -= sum(map(len, lines))
            try:
                self._write_lines(lines)
            except Exception as error:  # noqa: BLE001 - nothing would restart this thread
                self.lose(len(lines), type(error).__name__)
            for item in taken:
                if isinstance(item, threading.Event):
                    item.set()

    def _write_lines(self, lines: list[str]) -> None:
        lost = self.losing
        if not lines:
            return
        if lost is not None:
            report = _encode_lines([*([""] if self._is_mid_line else []), self._report(lost)])
            if self._write(report) < len(report):
                self.lose(len(lines), self._last_error)
                return
            self._subtract_reported(lost)
        data = _encode_lines(lines)
        written = self._write(data)
        if written < len(data):
            self.lose(data.count(b"\n", written), self._last_error)

    def _subtract_reported(self, reported: LostLines) -> None:
        with self._lock:
            now = self.losing
            more = now.lines - reported.lines if now is not None else 0
            self.losing = LostLines(more, time.time(), reported.reason) if more else None

    def _write(self, data: bytes) -> int:
        """Return how many bytes were written; `_last_error` says why not all."""
        done = 0
        try:
            descriptor = _stderr_descriptor()
            if descriptor is None:
                sys.stderr.write(data.decode())
                return len(data)
            while done < len(data):
                try:
                    done += os.write(descriptor, data[done:])
                except BlockingIOError:  # the parent process made the shared pipe non-blocking
                    select.select([], [descriptor], [])
        except (OSError, ValueError) as error:
            self._last_error = getattr(error, "strerror", None) or type(error).__name__
        if done:
            self._is_mid_line = not data.endswith(b"\n", 0, done)
        return done


def _encode_lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def _stderr_descriptor() -> int | None:
    """None if standard error is an in-memory stream, as in tests. Raises OSError if it is closed."""
    stream: object = sys.stderr
    if stream is None:
        raise OSError(0, "it is closed")
    try:
        return sys.stderr.fileno()
    except io.UnsupportedOperation:
        return None
