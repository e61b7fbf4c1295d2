"""SIGTERM where nothing in particular is to be done by it: it ends the process, also as PID 1 of a container."""

from __future__ import annotations

import os
import signal
from types import FrameType

IS_PID_1 = os.getpid() == 1


def terminate(number: int, _frame: FrameType | None = None) -> None:
    """What the signal does by default. The kernel does nothing by default to PID 1: there it is done here."""
    if IS_PID_1:
        os._exit(128 + number)
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def install_sigterm_handler() -> None:
    """
    To be called first of all: until `serve` listens a start takes a second, or minutes where it migrates, and commands
    run for as long as PlanSo takes. Where the kernel does by default what `end` does it is left to it: it needs not
    wait for Python to get its turn.
    """
    if IS_PID_1:
        signal.signal(signal.SIGTERM, terminate)
