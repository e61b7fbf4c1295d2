"""
The tools' definitions as files: `python -m tests.agents.tool_snapshots` writes them anew.

Some platforms ask a person to approve a tool again when its name, description or schema changes, and models behave
differently by them, so a change has to be deliberate: it shows in the diff of these files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planso_connector.agents.tool import Tool
from planso_connector.agents.toolbox import TOOLS

FOLDER = Path(__file__).parent / "snapshots"
COMMAND = "python -m tests.agents.tool_snapshots"


def describe(tool: Tool[Any, Any]) -> str:
    """All that a client may show of a tool, or act upon."""
    definition = {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "scopes": list(tool.scopes),
        "read_only": tool.is_read_only,
        "destructive": tool.is_destructive,
        "idempotent": tool.is_idempotent,
        "input_schema": tool.input_schema,
        "output_schema": tool.output_schema,
    }
    return json.dumps(definition, ensure_ascii=False, indent=2) + "\n"


def write() -> None:
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for tool in TOOLS.values():
        (FOLDER / f"{tool.name}.json").write_text(describe(tool), "utf-8")


if __name__ == "__main__":
    write()
