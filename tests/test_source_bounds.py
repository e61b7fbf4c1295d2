"""Bounds of the source files: what is longer has more than one subject."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "planso_connector"

MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60

LONG_FILES = {
    "planso/http/client.py": 456,  # all requests to PlanSo, in one class
    "domain/capacity/assessment.py": 403,
}
LONG_FUNCTIONS = {
    "store/migrations/versions/0001_first.py: create_orders": 117  # a schema of the past: it is never changed
}


def test_no_file_is_longer_than_its_bound() -> None:
    """Files have at most 400 lines, and the exceptions do not grow."""
    lengths = {
        str(path.relative_to(SOURCE)): len(path.read_text("utf-8").splitlines()) for path in SOURCE.rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > LONG_FILES.get(name, MAX_FILE_LINES)} == {}


def test_no_function_is_longer_than_its_bound() -> None:
    """Functions have at most 60 lines, and the exceptions do not grow."""
    lengths = {
        f"{path.relative_to(SOURCE)}: {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    long = {n: length for n, length in lengths.items() if length > LONG_FUNCTIONS.get(n, MAX_FUNCTION_LINES)}
    assert long == {}
