"""
Run a command so that nothing of it outlives it: neither processes, mounts, network devices nor files.

As root the command runs in its own network, mount and PID namespaces: the kernel removes them when its first process
ends, however it ends. Otherwise it is told to end when its parent does, and cleans up itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from tests.cluster.programs import list_missing_for_isolation

INSIDE = "PLANSO_CLUSTER_INSIDE"
"""Set in the isolated process: `namespaces` or `plain`."""
_PR_SET_PDEATHSIG = 1
_MOUNT_POINTS = ("/mnt", "/media", "/srv", "/opt")
"""Folders of which one is hidden by a file system in memory, inside the namespace only."""


def can_use_namespaces() -> bool:
    """Whether this process may make namespaces, and the programs for it are there."""
    if os.geteuid() != 0 or list_missing_for_isolation():
        return False
    probe = [
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--mount-proc",
        "ip",
        "link",
        "add",
        "probe",
        "type",
        "bridge",
    ]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """For `preexec_fn`: this process gets the signal when its parent ends. Source: prctl(2)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def run_isolated(command: Sequence[str], *, use_namespaces: bool) -> int:
    """Run a command isolated, end it at SIGTERM, SIGHUP and Ctrl+C, and return its exit code as a shell does."""
    environment = {**os.environ, INSIDE: "namespaces" if use_namespaces else "plain"}
    if use_namespaces:
        # A shell is the first process, since it reaps those whose parent has ended; Patroni takes a zombie for alive.
        shell = ("sh", "-c", 'ip link set lo up; "$@"; exit $?', "sh")
        unshare = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        command = (*unshare, *shell, *command)
    process = subprocess.Popen(
        command,
        env=environment,
        preexec_fn=lambda: die_with_parent(signal.SIGKILL if use_namespaces else signal.SIGTERM),
    )

    def end(_number: int, _frame: FrameType | None) -> None:
        process.send_signal(signal.SIGKILL if use_namespaces else signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    code = process.wait()
    return code if code >= 0 else 128 - code


def clean_up_at_sigterm() -> None:
    """Turn SIGTERM into SystemExit, and ignore Ctrl+C, which the parent process turns into SIGTERM."""

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def find_mount_point() -> Path:
    """Return an existing folder that has neither this checkout nor Python in it."""
    used = (Path(__file__).resolve(), Path(sys.executable).resolve(), Path(sys.prefix).resolve())
    for name in _MOUNT_POINTS:
        if Path(name).is_dir() and not any(path.is_relative_to(name) for path in used):
            return Path(name)
    raise RuntimeError(f"this checkout is in each of {', '.join(_MOUNT_POINTS)}, of which one is hidden by a mount")


def mount_in_memory(folder: Path, *, megabytes: int) -> None:
    """Mount a file system in memory; it vanishes with the mount namespace."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=True)
