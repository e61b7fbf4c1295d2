"""`planso-connector workshops`, and `--workshop` of other commands."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from planso_connector.sandbox import Sandbox
from tests.command_line import command_here
from tests.terminal import show

URL = "https://reit.planso.de"
PASSWORD = "geheim ü#"
FILE = """
# Two workshops.
[mueller]
planso_url = "https://mueller.planso.de"
planso_user = "connector"
password_file = "password"
profile_file = "profile.toml"
table_id = 77

[mueller.settings]
CONNECTOR_SYNC_HOURS = "Mo-Sa 06:00-20:00"
CONNECTOR_PENDING = 7

[schulz]
planso_url = "https://schulz.planso.de"
planso_user = "connector"
password = "auch geheim"
"""


class CommandLine:
    """Runs commands in a folder with a key for passwords, and files with a password and a profile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outputs: list[str] = []
        (folder / "password").write_text(f"{PASSWORD}\n")
        (folder / "profile.toml").write_text('[labels]\nperson = "Halter"\n')
        self.run("workshops", "new-key", "keys")

    def run(self, *arguments: str, code: int = 0, **environment: str) -> Result:
        done = command_here(self.folder, *arguments, **{"CONNECTOR_SECRETS_KEY_FILE": "keys", **environment})
        assert done.exit_code == code, (done.stdout, done.stderr)
        self.outputs += [done.stdout, done.stderr]
        return done

    def add(self, name: str, *options: str, code: int = 0, url: str = URL, **environment: str) -> Result:
        login = ("--url", url, "--user", "anna", "--password-file", "password")
        return self.run("workshops", "add", name, *login, *options, code=code, **environment)

    def show(self, name: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.run("workshops", "show", name, "--json").stdout)
        return shown


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_a_workshops_life(line: CommandLine) -> None:
    """Added, listed, changed, paused, resumed, removed; its password is in no output and not in the database."""
    line.add("reit", "--table-id", "77", "--set", "connector_pending=7", "--profile", "profile.toml")
    shown = line.show("reit")
    assert (shown["planso_url"], shown["table_id"], shown["settings"]) == (URL, 77, {"CONNECTOR_PENDING": "7"})
    assert "Halter" in shown["profile"]
    assert "CONNECTOR_PENDING" in line.run("workshops", "show", "reit").stdout

    line.run(
        "workshops",
        "change",
        "reit",
        "--user",
        "berta",
        "--unset",
        "CONNECTOR_PENDING",
        "--set",
        "CONNECTOR_WRITES=off",
    )
    changed = line.show("reit")
    assert (changed["planso_user"], changed["settings"]) == ("berta", {"CONNECTOR_WRITES": "off"})
    line.run("workshops", "pause", "reit")
    assert "paused" in line.run("workshops", "list").stdout
    line.run("workshops", "resume", "reit")
    assert line.show("reit")["state"] == "active"

    key = line.run("keys", "create", "agent", "--workshop", "reit", "--scope", "orders:read")
    assert "first one" not in key.stderr
    assert len(json.loads(line.run("keys", "list", "--workshop", "reit", "--json").stdout)) == 1
    assert json.loads(line.run("keys", "list", "--json").stdout) == []
    for command in (("writes", "status"), ("accesses",), ("privacy", "erase", "--plate", "WN-TE 1234")):
        line.run(*command, "--workshop", "reit")
        assert "no workshop 'other'" in line.run(*command, "--workshop", "other", code=1).stderr
    line.run("workshops", "remove", "reit", code=1)  # nobody says yes
    line.run("workshops", "remove", "reit", "--yes")
    assert json.loads(line.run("workshops", "list", "--json").stdout) == []
    assert "no workshop 'reit'" in line.run("workshops", "show", "reit", code=1).stderr
    files = [file.read_bytes() for file in line.folder.glob("connector.db*")]
    assert not any("geheim" in output for output in line.outputs)
    assert not any(b"geheim" in content for content in files)


def test_an_import_is_all_or_nothing(line: CommandLine) -> None:
    """A file with faults names each by its workshop, and adds none; a good one adds all."""
    (line.folder / "good.toml").write_text(FILE)
    faults = '[mueller]\nplanso_url = 1\n[kurz]\nplanso_user = "x"\nhours = "x"\n'
    (line.folder / "odd.toml").write_text(faults)
    told = line.run("workshops", "import", "odd.toml", code=2).stderr
    for named in ("mueller.planso_url: accepted: a text", "kurz.hours: unknown key", "kurz.password: required"):
        assert named in told
    (line.folder / "wrong.toml").write_text(FILE + '[Gross]\nplanso_url = "x"\nplanso_user = ""\npassword = "x"\n')
    told = line.run("workshops", "import", "wrong.toml", code=2).stderr
    assert "Gross.name: accepted: 1 to 63" in told
    assert json.loads(line.run("workshops", "list", "--json").stdout) == []

    assert "2 workshops are registered" in line.run("workshops", "import", "good.toml").stdout
    mueller = line.show("mueller")
    assert mueller["settings"] == {"CONNECTOR_SYNC_HOURS": "Mo-Sa 06:00-20:00", "CONNECTOR_PENDING": 7}
    assert (mueller["table_id"], "Halter" in mueller["profile"]) == (77, True)
    told = line.run("workshops", "import", "good.toml", code=2).stderr
    assert "mueller: There is a workshop 'mueller' already" in told


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("add", "A", "--url", URL, "--user", "x", "--password-file", "password"), 2, "name: accepted: 1 to 63"),
        (("add", "a", "--url", "a", "--user", "x", "--password-file", "password"), 2, "planso_url: accepted"),
        (("add", "a", "--url", URL, "--user", "x", "--password-file", "none"), 2, "--password-file: 'none' can't be"),
        (("add", "a", "--url", URL, "--user", "x"), 2, "--password-file: required where nobody can be asked"),
        (("add", "a", "--url", URL, "--user", "x", "--password-file", "password", "--set", "x"), 2, "NAME=VALUE"),
        (("change", "a"), 2, "accepted: at least one of"),
        (("change", "a", "--user", "b"), 1, "no workshop 'a'"),
        (("pause", "a"), 1, "no workshop 'a'"),
        (("remove", "a", "--yes"), 1, "no workshop 'a'"),
        (("import", "none"), 2, "no file 'none'"),
        (("import", "password"), 2, "is not TOML"),
    ],
)
def test_a_wrong_call_is_reported(line: CommandLine, arguments: tuple[str, ...], code: int, named: str) -> None:
    """What is wrong is named, with what is accepted, and the exit code is the documented one."""
    line.run("migrate")
    assert named in " ".join(line.run("workshops", *arguments, code=code).stderr.split())


def test_keys_of_passwords(line: CommandLine) -> None:
    """Without a key the setting is named; with a new one first `rotate-key` makes the old one needless."""
    assert "CONNECTOR_SECRETS_KEY: not set" in line.add("reit", code=2, CONNECTOR_SECRETS_KEY_FILE="").stderr
    line.add("reit")
    old = (line.folder / "keys").read_text()
    line.run("workshops", "new-key", "keys")
    both = (line.folder / "keys").read_text()
    assert both.endswith(old)
    assert stat.S_IMODE((line.folder / "keys").stat().st_mode) == 0o600
    assert "1 password was encrypted" in line.run("workshops", "rotate-key").stdout
    (line.folder / "keys").write_text(both.removesuffix(old))
    assert line.show("reit")["fault"] is None
    (line.folder / "keys").write_text(old)
    assert line.show("reit")["fault"]["kind"] == "password_unreadable"
    assert "No key decrypts the passwords of: reit" in line.run("workshops", "rotate-key", code=1).stderr


def test_a_listing_fits_a_narrow_terminal(line: CommandLine) -> None:
    """At 80 columns every value of a workshop is shown whole."""
    line.add("ein-langer-name-einer-werkstatt", url="https://ein-langer-name-einer-werkstatt.planso.de")
    shown = show(line.folder, "workshops", "list")
    assert "ein-langer-name-einer-werkstatt" in shown
    assert "https://ein-langer-name-einer-werkstatt.planso.de" in shown
    assert "…" not in shown


def test_a_registered_workshop_is_examined_and_synced(line: CommandLine) -> None:
    """`doctor` and `sync` with `--workshop` log in with the stored password, and fill its own rows."""
    sandbox = Sandbox(orders=3)
    (line.folder / "password").write_text(sandbox.installation.password)
    with sandbox.serve() as url:
        line.add("reit", "--table-id", str(sandbox.installation.table_id), url=url)
        line.run("workshops", "change", "reit", "--user", sandbox.installation.username)
        line.run("doctor", "--workshop", "reit")
        line.run("sync", "--workshop", "reit")
    listed = json.loads(line.run("workshops", "list", "--json").stdout)
    assert [(one["name"], one["synced_at"] is not None, one["fault"]) for one in listed] == [("reit", True, None)]
