"""A real MCP client in a process and an environment of its own; `packaging/test-clients/drive.py` drives it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
DRIVER = ROOT / "packaging/test-clients/drive.py"
_NEW, _OLD = (ROOT / ".venv" / name / "bin/python" for name in ("test-clients", "test-clients-old-sdk"))
CLIENTS: dict[str, Path] = {
    "official-2026": _NEW,
    "official-auto": _NEW,
    "official-2025": _NEW,
    "old-sdk": _OLD,
    "livekit": _NEW,
    "pipecat": _NEW,
    "openai-agents": _NEW,
}
"""The interpreter of each client of the driver."""


@dataclass(frozen=True)
class Answer:
    """`text`: what the model gets; `has_failed`: whether the client takes it for an error."""

    text: str
    has_failed: bool
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """Raises AssertionError where the model gets no JSON object."""
        try:
            document = json.loads(self.text)
        except ValueError:
            document = None
        assert isinstance(document, dict), f"the model gets no JSON: {self.text[:300]!r}"
        return document


class DrivenClient:
    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin: IO[str] = process.stdin
        self._stdout: IO[str] = process.stdout
        self._errors = errors

    def list_tools(self) -> list[str]:
        tools: list[str] = self._do({"do": "list"})["tools"]
        return tools

    def call(self, name: str, arguments: Mapping[str, Any]) -> Answer:
        found = self._do({"do": "call", "name": name, "arguments": arguments})
        return Answer(found["text"], found["failed"], found["seconds"])

    def _do(self, step: Mapping[str, Any]) -> dict[str, Any]:
        self._stdin.write(json.dumps(step) + "\n")
        self._stdin.flush()
        line = self._stdout.readline()
        assert line, f"the client ended: {self._errors.read_text('utf-8', 'replace')[-2000:]}"
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def driven_client(name: str, address: str, headers: Mapping[str, str], folder: Path) -> Iterator[DrivenClient]:
    errors = folder / f"{name}.log"
    with errors.open("w") as log:
        process = subprocess.Popen(
            [CLIENTS[name], DRIVER, name, f"{address}/mcp", json.dumps(headers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=folder,
        )
    try:
        yield DrivenClient(process, errors)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)
