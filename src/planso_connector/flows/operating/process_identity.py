"""
Tell for certain that another process of this machine is dead, so that what it held need not expire first.

Only Linux says enough: a process is identified by the boot of the kernel, the namespace of process ids, its id and the
time it began, none of which comes again.
"""

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def describe_process() -> str:
    """This process, for `is_known_dead`; empty where that can't be told."""
    pid = os.getpid()
    place, began = _describe_place(), _read_start(pid)
    return f"{place}:{pid}:{began}" if place and began else ""


def is_known_dead(description: str) -> bool:
    """Whether a process that described itself so has ended. False for one of another machine, container or boot."""
    place, _, process = description.partition(":")
    pid, _, began = process.partition(":")
    if not (place and pid.isdecimal() and began) or place != _describe_place():
        return False
    return _read_start(int(pid)) != began


def _describe_place() -> str:
    """Kernel and namespace within which process ids are unique."""
    with suppress(OSError):
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink().name.partition('[')[2].rstrip(']')}"
    return ""


def _read_start(pid: int) -> str:
    """When a process began, in ticks since the boot; empty for one that is no more, or is a zombie."""
    with suppress(OSError, IndexError):
        # The name, in brackets, may hold blanks and brackets.
        fields = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    return ""
