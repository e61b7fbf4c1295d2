"""What listings show: data as it is and whole, on a narrow terminal and in a pipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandbox
from tests.command_line import command_here
from tests.service import running_on_sqlite
from tests.terminal import show

NAMES = ("Telefonagent :9 :smile: [b]fett[/b]", "Werkstatt Nordpol, Empfang und Ersatzteillager im Erdgeschoss links")
SCOPES = tuple(option for scope in Scope for option in ("--scope", scope.value))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with two keys, whose names look like markup and are long, and several rows of the access log."""
    folder = tmp_path_factory.mktemp("listings")
    with running_on_sqlite(folder, Sandbox(orders=3)) as service:
        for order_id in service.sandbox.order_ids():
            assert service.http.get(f"/api/orders/{order_id}").status_code == 200
            assert service.http.get(f"/api/orders/{order_id}/parts").status_code == 200
    for name in NAMES:
        assert command_here(folder, "keys", "create", name, *SCOPES, "--expires", "90d").exit_code == 0
    return folder


def test_keys_are_readable_on_a_narrow_terminal(folder: Path) -> None:
    """At 80 columns each value is shown whole and as it is: no markup, no emoji, no ellipsis."""
    shown = show(folder, "keys", "list")
    for key in json.loads(command_here(folder, "keys", "list", "--json").stdout):
        assert f"id             {key['id']}" in shown
        assert f"name           {key['name']}" in shown
        assert ", ".join(key["scopes"]) in shown.replace("\n", "")
        assert key["expires_at"][:10] in shown
    assert "…" not in shown


def test_keys_in_a_pipe_are_a_line_each(folder: Path) -> None:
    """In a pipe each key is one line with all its values, whatever the width."""
    lines = command_here(folder, "keys", "list", COLUMNS="40").stdout.splitlines()
    assert len(lines) == 1 + len(NAMES)
    for line, name in zip(lines[1:], NAMES, strict=True):
        assert name in line
        assert ", ".join(sorted(Scope)) in line


def test_a_listing_says_that_it_is_cut(folder: Path) -> None:
    """`accesses --limit` says on standard error when there is more, as a table and as JSON; else it says nothing."""
    for options in ((), ("--json",)):
        cut = command_here(folder, "accesses", "--limit", "1", *options)
        assert "Only the newest 1 are shown" in cut.stderr
        assert command_here(folder, "accesses", *options).stderr == ""
    assert len(json.loads(command_here(folder, "accesses", "--limit", "1", "--json").stdout)) == 1


def test_names_in_messages_are_shown_as_they_are(folder: Path) -> None:
    """A message shows data as it is, on a terminal too."""
    first = json.loads(command_here(folder, "keys", "list", "--json").stdout)[0]
    assert NAMES[0] in show(folder, "keys", "revoke", first["id"])
    assert "':9 [b]x'" in command_here(folder, "restore", ":9 [b]x").stderr


@pytest.mark.parametrize(
    "arguments", [("keys", "list"), ("accesses",), ("writes", "status"), ("privacy", "erase", "--plate", "WN-TE 1234")]
)
def test_every_listing_is_json_too(folder: Path, arguments: tuple[str, ...]) -> None:
    """With `--json`, standard output is one JSON document."""
    assert json.loads(command_here(folder, *arguments, "--json").stdout) is not None
