"""Tests in worker processes give the results that they give in one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFTEST = """
import pytest
from tests import parallel


@pytest.fixture(scope="session")
def shared():
    yield
    raise ValueError("the session's fixture ends")


def pytest_runtestloop(session):
    groups = {}
    for index, item in enumerate(session.items):
        groups.setdefault(item.path.name, []).append(index)
    parallel.run(session, groups.values(), 2, lambda: None)
    return True
"""
TESTS = """
import os
import pytest


@pytest.fixture(scope="module")
def server():
    return []


def test_passes(server):
    server.append(os.getpid())


def test_shares_the_fixture(server, tmp_path):
    assert server == [os.getpid()]


def test_fails():
    print("what it printed")
    assert 1 == 2


def test_ends_its_process():
    os._exit(7)


def test_runs_after_that(server):
    assert server == []


def test_has_parts(subtests):
    for number in range(3):
        with subtests.test(number=number):
            assert number != 1


@pytest.mark.skip(reason="not now")
def test_is_skipped():
    pass
"""
OTHERS = """
import os


def test_takes_the_session_s_fixture(shared):
    pass
"""


def test_the_results_are_those_of_one_process(tmp_path: Path) -> None:
    """Passed, failed with what was printed, skipped, with subtests; a process that ends fails its test alone."""
    for name, content in (("conftest.py", CONFTEST), ("test_one.py", TESTS), ("test_other.py", OTHERS)):
        (tmp_path / name).write_text(content)
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "-c", "/dev/null", str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=120)

    assert done.returncode == 1, done.stderr
    lines = [line.partition(" - ")[0] for line in done.stdout.splitlines()]
    names = {line.rpartition("::")[2] for line in lines if line.startswith(("FAILED", "SUBFAILED"))}
    assert names == {"test_fails", "test_ends_its_process", "test_has_parts"}
    assert "what it printed" in done.stdout
    assert "ended with 7" in done.stdout
    assert "the session's fixture ends" in done.stdout
    assert "3 failed, 5 passed, 1 skipped, 1 error" in done.stdout
