"""What `serve` shows a person on a terminal, and a program in a pipe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from planso_connector import logs
from planso_connector.sandbox import Sandbox
from tests.process import connector_process, free_port
from tests.terminal import terminal

LINE = re.compile(r"\d\d:\d\d:\d\d (info   |warning) \S+")


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    sandbox = Sandbox(orders=3)
    with sandbox.serve() as url:
        login = sandbox.installation
        yield {"PLANSO_URL": url, "PLANSO_USER": login.username, "PLANSO_PASSWORD": login.password}


def test_a_terminal_shows_readable_lines_and_the_addresses_last(tmp_path: Path, environment: dict[str, str]) -> None:
    """The log is text; once the first sync has filled the mirror, the last line is where the connector listens."""
    port = str(free_port())
    with terminal(tmp_path, "serve", "--port", port, **environment) as shown:
        until_filled = shown.read_until("The mirror is filled.")
        assert "the first sync reads every order from PlanSo" in until_filled
        assert [line for line in until_filled.splitlines() if "sync_started" in line and LINE.match(line)]
        assert "{" not in until_filled
        last = f"The connector listens on http://127.0.0.1:{port}; /docs explains it.\n"
        assert f"The mirror is filled.\n{last}" in shown.read_until(f"The mirror is filled.\n{last}")


def test_the_log_in_a_file_is_json_unless_text_is_asked_for(tmp_path: Path, environment: dict[str, str]) -> None:
    """Lines between the messages are JSON objects; with CONNECTOR_LOG_FORMAT=text they are text there too."""
    for choice, is_json in (("auto", True), ("text", False)):
        with connector_process({**environment, "CONNECTOR_LOG_FORMAT": choice}, tmp_path) as connector:
            connector.wait_for_sync()
            assert connector.stop() == 0
            lines = [line for line in connector.log().splitlines() if "Started server process" in line]
        assert len(lines) == 1
        assert (json.loads(lines[0])["level"] == "info") if is_json else LINE.match(lines[0])


def test_text_lines_have_no_secret_and_no_control_character(capfd: pytest.CaptureFixture[str]) -> None:
    """Redaction holds for text lines, and a value can't move the cursor of the terminal that shows it."""
    logs.configure("info", ["streng-geheim"], as_text=True)
    try:
        structlog.get_logger("x").info("tried", reason="with streng-geheim", name="a\x1b[2Jb", count=3, route="/api/x")
        logs.output.flush(5)
    finally:
        logs.configure("error", [])
    line = capfd.readouterr().err
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d info    tried reason="with \*\*\*" name="a\\u001b\[2Jb" count=3 route=/api/x\n', line
    )
