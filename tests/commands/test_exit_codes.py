"""Exit codes are those of the table in docs/operating.md."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from planso_connector.sandbox import Sandbox
from tests.command_line import command_here
from tests.process import connector_process, free_port
from tests.terminal import terminal

DOCS = Path(__file__).parents[2] / "docs/operating.md"

SUCCESS: tuple[tuple[str, ...], ...] = (
    ("--version",),
    ("--help",),
    ("migrate",),
    ("keys", "list"),
    ("accesses",),
    ("writes", "status"),
    ("writes", "resume"),
    ("privacy", "erase", "--plate", "WN-TE 1234"),
    ("backup", "copy.db"),
)
FAILURE: tuple[tuple[str, ...], ...] = (
    ("doctor",),
    ("sync",),
    ("keys", "revoke", "0123456789"),
    ("writes", "restore", "op_00000000000000000000"),
    ("restore", "text"),
    ("learn", "text"),
    ("sandbox", "--like", "text"),
)
WRONG: tuple[tuple[str, ...], ...] = (
    (),
    ("frobnicate",),
    ("keys",),
    ("serve", "--port", "99999"),
    ("serve", "--demo", "--sandbox-port", "-1"),
    ("serve", "--host", "a..b"),
    ("sandbox", "--orders", "0"),
    ("sandbox", "--workshops", "1001"),
    ("sandbox", "--save-style", "body"),
    ("sandbox", "--like", "missing.har"),
    ("doctor", "--order", "zero"),
    ("doctor", "--yes"),
    ("keys", "create", "x", "--scope", "all"),
    ("keys", "create", "x", "--scope", "sync", "--expires", "soon"),
    ("privacy", "export"),
    ("privacy", "export", "--plate", "x"),
    ("privacy", "export", "--plate", "WN-TE 1234", "--output", "text"),
    ("learn", "missing.har"),
    ("backup", "text"),
    ("restore",),
    ("restore", "missing.db"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database, and a text file that is neither a recording nor a backup."""
    folder = tmp_path_factory.mktemp("codes")
    (folder / "text").write_text("text")
    assert command_here(folder, "migrate").exit_code == 0
    return folder


def documented(code: int) -> str:
    """What docs/operating.md says of this exit code."""
    row = re.search(rf"^\| {code} \| (.+) \|$", DOCS.read_text("utf-8"), re.MULTILINE)
    assert row is not None, f"exit code {code} is not in the table"
    return row[1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(arguments, code) for code, table in enumerate((SUCCESS, FAILURE, WRONG)) for arguments in table],
)
def test_each_command_ends_as_documented(folder: Path, arguments: tuple[str, ...], code: int) -> None:
    """0, or 1 and 2 with a message on standard error (`doctor`: on standard output)."""
    planso = {"PLANSO_URL": f"http://127.0.0.1:{free_port()}", "PLANSO_USER": "u", "PLANSO_PASSWORD": "p"}
    done = command_here(folder, *arguments, **planso)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    assert code == 0 or (done.stdout if arguments in (("doctor",), (), ("keys",)) else done.stderr)
    assert documented(code)


def test_a_port_in_use_and_a_missing_database_are_wrong_settings(tmp_path: Path) -> None:
    """Exit code 2, as documented."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert command_here(tmp_path, "sandbox", "--port", port).exit_code == 2
        assert command_here(tmp_path, "serve", "--demo", "--sandbox-port", port).exit_code == 2
    assert command_here(tmp_path, "keys", "list").exit_code == 2
    assert command_here(tmp_path, "doctor", "--replay", PLANSO_URL="http://127.0.0.1:9").exit_code == 2
    assert "port" in documented(2)
    assert "database" in documented(2)


@pytest.fixture
def slow_planso() -> Iterator[dict[str, str]]:
    sandbox = Sandbox(orders=50)
    sandbox.knobs.latency = 0.5
    with sandbox.serve() as url:
        login = sandbox.installation
        yield {"PLANSO_URL": url, "PLANSO_USER": login.username, "PLANSO_PASSWORD": login.password}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_sync_says_so(
    tmp_path: Path, slow_planso: dict[str, str], number: signal.Signals, code: int
) -> None:
    """Ctrl-C and SIGTERM end a sync with 128 and the signal's number."""
    with terminal(tmp_path, "sync", **slow_planso) as shown:
        shown.read_until("/50")
        shown.process.send_signal(number)
        shown.read_until("")
        assert shown.process.wait(30) == code
    assert documented(code)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_service_succeeds(tmp_path: Path, number: signal.Signals) -> None:
    """`serve` ends with 0 after a signal."""
    with connector_process({}, tmp_path, "--demo", "--sandbox-port", str(free_port())) as connector:
        connector.process.send_signal(number)
        assert connector.process.wait(30) == 0


def test_a_no_to_a_question_is_a_failure(tmp_path: Path, slow_planso: dict[str, str]) -> None:
    """`doctor --try-write` that is answered with no: nothing was done, exit code 1."""
    with terminal(tmp_path, "doctor", "--try-write", "123", **slow_planso) as shown:
        shown.read_until("Begin? [y/N]")
        shown.type("n\n")
        assert "Nothing was done." in shown.read_until("")
        assert shown.process.wait(30) == 1
