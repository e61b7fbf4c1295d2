"""Commands whose output can't show every character, or is not read."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from planso_connector.sandbox import Sandbox
from tests.command_line import command_here
from tests.service import PATIENCE, running_on_sqlite

NAME = "Müller Ω 😀"
POOR = {"LC_ALL": "C", "PYTHONUTF8": "0", "COLUMNS": "200"}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A mirror with one person, and a key, with texts that no legacy character set can hold together."""
    folder = tmp_path_factory.mktemp("terminals")
    sandbox = Sandbox(orders=3)
    sandbox.edit_field(sandbox.order_ids()[0], "Bemerkungen", NAME)
    sandbox.edit_field(sandbox.order_ids()[0], "Kennzeichen", "WN-TE 1234")
    with running_on_sqlite(folder, sandbox):
        """Filled."""
    url = f"sqlite:///{folder}/connector.db"
    done = command_here(folder, "keys", "create", NAME, "--scope", "orders:read", CONNECTOR_DATABASE_URL=url)
    assert done.exit_code == 0, done.output
    return url


def run(
    database: str, *arguments: str, encoding: str | None = None, stdout: int = subprocess.PIPE
) -> tuple[int, bytes, str]:
    """Exit code, standard output and standard error."""
    environment = {} if encoding is None else {"PYTHONIOENCODING": encoding, **POOR}
    done = subprocess.run(
        [sys.executable, "-m", "planso_connector", *arguments],
        env={**os.environ, "CONNECTOR_DATABASE_URL": database, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_export_is_json_in_any_character_set(database: str, encoding: str) -> None:
    """`privacy export` to a terminal or a pipe of another character set: every program can read what comes out."""
    code, out, err = run(database, "privacy", "export", "--plate", "WN-TE 1234", encoding=encoding)

    assert (code, err) == (0, "")
    assert NAME in json.dumps(json.loads(out.decode("utf-8")), ensure_ascii=False)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_table_shows_what_it_can(database: str, encoding: str) -> None:
    """Characters that the terminal lacks come out as numbers, the rest as it is."""
    code, out, err = run(database, "keys", "list", encoding=encoding)

    assert (code, err) == (0, "")
    shown = out.decode(encoding)
    assert r"ller \u03a9 \U0001f600" in shown
    assert ("Müller" in shown) is (encoding == "latin-1")


@pytest.mark.parametrize("arguments", [("keys", "list"), ("privacy", "export", "--plate", "WN-TE 1234")])
def test_a_pipe_that_nobody_reads_is_no_traceback(database: str, arguments: tuple[str, ...]) -> None:
    """As with `| head -1`: the command ends, and says nothing."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        code, _, err = run(database, *arguments, stdout=writing)
    finally:
        os.close(writing)

    assert (code, err) == (1, "")
