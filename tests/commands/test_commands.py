from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from planso_connector import __version__
from planso_connector.sandbox import Installation, Sandbox
from tests.command_line import command, command_here
from tests.process import connector_process, free_port


@pytest.fixture
def planso() -> Iterator[tuple[Sandbox, dict[str, str]]]:
    sandbox = Sandbox(orders=20, installation=Installation(missing_labels={"ExpressLink"}))
    with sandbox.serve() as url:
        environment = {
            "PLANSO_URL": url,
            "PLANSO_USER": sandbox.installation.username,
            "PLANSO_PASSWORD": sandbox.installation.password,
        }
        yield sandbox, environment


def test_version_and_help(tmp_path: Path) -> None:
    """--version prints the version, --help every command."""
    assert command(tmp_path, "--version").stdout == f"planso-connector {__version__}\n"
    listed = command(tmp_path, "--help").stdout
    assert all(name in listed for name in ("serve", "sandbox", "sync", "doctor", "migrate"))


def test_exit_codes_say_whether_to_try_again(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """2 for wrong arguments or settings, 1 for what may succeed another time; both with a message."""
    _, environment = planso
    for arguments, changed, code, told in (
        (("frobnicate",), {}, 2, "frobnicate"),
        (("serve", "--port", "viele"), {}, 2, "--port"),
        (("serve",), {"CONNECTOR_WRITE_WAIT": "lange"}, 2, "CONNECTOR_WRITE_WAIT"),
        (("sync",), {"PLANSO_URL": f"http://127.0.0.1:{free_port()}"}, 1, "can't be reached"),
        (("migrate",), {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/none/x.db"}, 1, "can't be opened"),
    ):
        done = command(tmp_path, *arguments, **(environment | changed))
        assert (done.returncode, told in done.stderr) == (code, True), done.stderr


def test_a_name_that_is_no_setting_is_reported(tmp_path: Path) -> None:
    """Unknown variables in the environment and in `.env` are reported with the name that may be meant."""
    (tmp_path / ".env").write_text("CONNECTOR_PROT=8103\nPLANSO_USER=x\n")
    (tmp_path / "password").write_text("x")
    done = command(tmp_path, "migrate", CONNECTOR_KEEP_RUN="1 d", PLANSO_PASSWORD_FILE=str(tmp_path / "password"))
    assert done.returncode == 0, done.stderr
    assert "CONNECTOR_PROT is not a setting and has no effect. Did you mean CONNECTOR_PORT?" in done.stderr
    assert "Did you mean CONNECTOR_KEEP_RUNS?" in done.stderr
    assert done.stderr.count("is not a setting") == 2


def test_a_password_that_others_can_read_is_reported(tmp_path: Path) -> None:
    """A `.env` with a password and for all to read is reported with the remedy; not after it, or without a password."""
    file = tmp_path / ".env"
    for content, mode, is_reported in (
        ("PLANSO_PASSWORD=x", 0o644, True),
        ("PLANSO_PASSWORD=x", 0o600, False),
        ("CONNECTOR_DATABASE_URL=sqlite:///connector.db", 0o644, False),
    ):
        file.write_text(content)
        file.chmod(mode)
        assert ("`chmod 600 .env`" in command_here(tmp_path, "migrate").stderr) is is_reported


def test_commands_make_no_empty_database(tmp_path: Path) -> None:
    """Commands that read a missing database say where it was looked for, and do not create it."""
    for arguments in (
        ("keys", "list"),
        ("accesses",),
        ("backup", "b.db"),
        ("privacy", "export", "--plate", "WN-AE 2309"),
    ):
        done = command_here(tmp_path, *arguments)
        assert done.exit_code in (1, 2), done.stderr
        assert "connector.db" in done.stderr
        assert not (tmp_path / "connector.db").exists()


def test_doctor_reports_what_maps_and_never_writes(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """doctor logs in, lists, reads a form and its parts, names the missing label and a dry run; PlanSo is unchanged."""
    sandbox, environment = planso
    before = {order_id: sandbox.snapshot(order_id) for order_id in sandbox.order_ids()}
    done = command(tmp_path, "doctor", **environment)
    assert "20 current orders" in done.stdout
    assert "express_link" in done.stdout
    assert "ExpressLink" in done.stdout
    assert "Nothing was sent" in done.stdout
    assert done.returncode == 1
    assert {order_id: sandbox.snapshot(order_id) for order_id in sandbox.order_ids()} == before
    assert not any(request.saving for request in sandbox.requests)
    assert sandbox.value(sandbox.order_ids()[0], "Fahrername") not in done.stdout


def test_sync_fills_a_database(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """sync reads every order into the database and says how many."""
    _, environment = planso
    done = command(tmp_path, "sync", **environment)
    assert (done.returncode, done.stdout.split(",")[0]) == (0, "20 orders read")
    assert (tmp_path / "connector.db").exists()
    assert command(tmp_path, "migrate", **environment).returncode == 0


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "PLANSO_URL, PLANSO_USER, PLANSO_PASSWORD"),
        ({"PLANSO_URL": "workshop.planso.de"}, "PLANSO_URL: accepted: an address"),
        ({"CONNECTOR_PORT": "viele"}, "CONNECTOR_PORT"),
        ({"CONNECTOR_WORKSHOP": "Zwei Worte"}, "CONNECTOR_WORKSHOP"),
        ({"PLANSO_PROFILE": "gibt-es-nicht.toml"}, "gibt-es-nicht.toml"),
        ({"CONNECTOR_DATABASE_URL": "mysql://localhost/x"}, "accepted: sqlite"),
        ({"CONNECTOR_DATABASE_URL": "sqlite:////nirgendwo/x.db"}, "folder"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, environment: dict[str, str], named: str) -> None:
    """A wrong or missing setting ends the command with its name and what would be accepted, and no traceback."""
    basis = {} if not environment else {"PLANSO_URL": "http://127.0.0.1:9", "PLANSO_USER": "a", "PLANSO_PASSWORD": "b"}
    done = command_here(tmp_path, "serve", **{**basis, **environment})
    assert done.exit_code in (1, 2)
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    """A second connector on the same port says so and ends."""
    with connector_process({}, tmp_path, "--demo", "--sandbox-port", str(free_port())) as connector:
        port = connector.address.rpartition(":")[2]
        second = command(tmp_path, "serve", "--demo", "--port", port, "--sandbox-port", str(free_port()))
        assert second.returncode == 2
        assert f"can't listen on 127.0.0.1:{port}" in second.stderr


def test_what_is_made_late_is_made_silently(tmp_path: Path) -> None:
    """Building the models and the OpenAPI document later, at the first request, causes no warning."""
    with connector_process({}, tmp_path, "--demo", "--sandbox-port", str(free_port())) as connector:
        asked = connector.http.get("/openapi.json"), connector.http.post("/api/auth/login", json={})
        assert [answer.status_code for answer in asked] == [200, 422]
        assert "Warning" not in connector.log()


def test_the_demo_keeps_its_changes(tmp_path: Path) -> None:
    """serve --demo needs no setting; a change is there after a restart, in the sandbox and in the mirror."""
    for expected in ("", "nothing was sent"):
        with connector_process({}, tmp_path, "--demo", "--sandbox-port", str(free_port())) as connector:
            connector.wait_for_sync()
            body = {"order_id": 123, "person": "Dora Dauerhaft"}
            answer = connector.http.put("/api/orders/123", json=body)
            assert (answer.status_code, expected in answer.json()["message"]) == (200, True)
            assert connector.http.get("/api/orders/123").json()["order"]["person"] == "Dora Dauerhaft"
            assert connector.stop() == 0
