"""Private names of other packages, which may change with any release of theirs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"


def iter_imports(path: Path) -> Iterator[str]:
    """The dotted names that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nothing_private_is_imported() -> None:
    """No module imports a module or a name that begins with an underscore, of ours or of another package."""
    private = [
        f"{path.relative_to(SOURCE)}: {name}"
        for path in SOURCE.rglob("*.py")
        for name in iter_imports(path)
        if any(part.startswith("_") and not part.endswith("__") for part in name.split("."))
    ]
    assert private == []
