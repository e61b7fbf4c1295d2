"""Run a `planso-connector` command on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.service import PATIENCE

_STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """A running command and what its terminal shows, without colours."""

    def __init__(self, folder: Path, *arguments: str, environment: dict[str, str]) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PLANSO_", "CONNECTOR_", "COLUMNS"))}
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        # As an interactive shell starts it; a job in the background of a script ignores SIGINT, and so would this.
        self.process = subprocess.Popen(
            ["env", "--default-signal=INT", sys.executable, "-m", "planso_connector", *arguments],
            env={**clean, "TERM": "xterm", **environment},
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self._bytes = b""

    @property
    def text(self) -> str:
        return _STYLE.sub("", self._bytes.decode("utf-8", "replace")).replace("\r\n", "\n")

    def read_until(self, words: str) -> str:
        """Read until `words` are shown, or to the end. Raises AssertionError if neither happens in time."""
        until = time.monotonic() + PATIENCE
        while not words or words not in self.text:
            assert time.monotonic() < until, self.text
            if select.select([self._master], [], [], 1)[0]:
                try:
                    self._bytes += os.read(self._master, 65_536)
                except OSError:  # the command ended
                    return self.text
        return self.text

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        os.close(self._master)


@contextmanager
def terminal(folder: Path, *arguments: str, **environment: str) -> Iterator[Terminal]:
    """
    Run the command in `folder` on 80 columns, with no setting in its environment but the given ones; stop it at the
    end.
    """
    shown = Terminal(folder, *arguments, environment=environment)
    try:
        yield shown
    finally:
        shown.close()


def show(folder: Path, *arguments: str) -> str:
    """Everything that the command shows until it ends."""
    with terminal(folder, *arguments) as shown:
        return shown.read_until("")
