"""
Install a SIGTERM handler that ends the process, also as PID 1 of a container, until the server installs its own; and
bound the time that a graceful shutdown takes.
"""

import faulthandler
import os
import signal
from types import FrameType

IS_PID_1 = os.getpid() == 1


def terminate(number: int, _frame: FrameType | None = None) -> None:
    """End the process as the signal does by default. For PID 1 the kernel has no default action."""
    if IS_PID_1:
        os._exit(128 + number)
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def install_sigterm_handler() -> None:
    """
    Call before anything else: a start takes a second until `serve` listens, minutes if it migrates, and commands run as
    long as PlanSo takes. Only for PID 1: elsewhere the kernel ends the process without waiting for Python.
    """
    if IS_PID_1:
        signal.signal(signal.SIGTERM, terminate)


def end_within(seconds: float) -> None:
    """
    If the process has not ended by then, write the stacks of its threads to standard error and end it with exit code 1.
    A thread of the C library does it, so that nothing that is stuck can prevent it.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)
