"""Rules for the test files themselves."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.conftest import LONG

TESTS = Path(__file__).parent


def test_no_file_has_over_500_lines() -> None:
    """A longer file has more than one subject."""
    lengths = {str(path.relative_to(TESTS)): len(path.read_text("utf-8").splitlines()) for path in TESTS.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_nothing_is_imported_from_a_test_module() -> None:
    """What test modules share is in helper modules."""
    imports = [
        f"{path.relative_to(TESTS)}: {node.module}"
        for path in TESTS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").rpartition(".")[2].startswith("test_")
    ]
    assert imports == []


def test_the_slow_tests_exist() -> None:
    """Every entry of LONG in conftest.py names a file, or a test in it, or the group of a browser's tests."""
    for entry in LONG:
        if entry == "chromium":
            continue
        name, _, test = entry.partition("::")
        path = TESTS / name
        assert path.is_file(), entry
        assert not test or f"def {test}(" in path.read_text("utf-8"), entry
