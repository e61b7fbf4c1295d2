"""Whether a process is known to be dead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from planso_connector.flows.operating.process_identity import describe_process, is_known_dead

DESCRIBE = "from planso_connector.flows.operating import process_identity as p; print(p.describe_process(), flush=True)"
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells")


def test_a_killed_process_is_known_to_be_dead() -> None:
    """Not while it lives; once it is killed, before and after its parent took notice of it."""
    with subprocess.Popen(
        [sys.executable, "-c", f"{DESCRIBE}; input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        description = process.stdout.readline().strip()
        assert description
        assert not is_known_dead(description)
        process.kill()
        process.wait(30)
        assert is_known_dead(description)


def test_others_are_not_known_to_be_dead() -> None:
    """Those of another boot or namespace, and what is no description."""
    own = describe_process()
    assert not is_known_dead(own)
    place, _, process = own.partition(":")
    pid, _, _ = process.partition(":")
    assert is_known_dead(f"{place}:{pid}:1")  # the id was given to this process later
    for other in ("", "x", f"{place}", f"{place}:{pid}", f"{place}:x:1", f"{place[::-1]}:{process}", f"0/0:{process}"):
        assert not is_known_dead(other)
