"""Unreadable pages are kept without personal data, and `doctor --replay` reads them again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from planso_connector.planso.profile import Profile
from planso_connector.sandbox import Installation, Sandbox
from planso_connector.sandbox.form_fields import FIELDS
from tests.command_line import command_here

StoredPages = list[tuple[str, int | None, str, str]]
PERSONAL_LABELS = ("Fahrername", "Kennzeichen", "Telefon", "Kunden E-Mail", "VIN")
PAGES = {
    "form": '{"center": {"content": "<div><label>Fahrername</label><input name=a value=Xxxx></div>"}}',
    "parts": (
        '{"html": "<table><tr><th>Teilenummer</th><th>Bezeichnung</th></tr><tr><td>X9</td><td>Xx</td></tr></table>"}'
    ),
    "list": '[{"ID": 123, "short_name": "Xxxx"}]',
}


@pytest.fixture
def planso() -> Iterator[tuple[Sandbox, dict[str, str]]]:
    sandbox = Sandbox(orders=15, installation=Installation())
    with sandbox.serve() as url:
        yield (
            sandbox,
            {
                "PLANSO_URL": url,
                "PLANSO_USER": sandbox.installation.username,
                "PLANSO_PASSWORD": sandbox.installation.password,
                "CONNECTOR_PLANSO_CONCURRENCY": "1",
            },
        )


def load_pages(folder: Path) -> StoredPages:
    with sqlite3.connect(folder / "connector.db") as database:
        rows = database.execute("SELECT kind, order_id, reason, content FROM unreadable_pages").fetchall()
    database.close()
    return rows


def personal_values(sandbox: Sandbox) -> set[str]:
    found = set()
    for order in sandbox.order_ids():
        values = sandbox.values(order)
        found |= {values[label] for label in PERSONAL_LABELS if len(values.get(label, "")) > 3}
    return found


def remove_labels(sandbox: Sandbox) -> None:
    """Leave no labels in the forms."""
    sandbox.knobs.missing_labels = set(FIELDS)


def keep_pages(folder: Path, environment: dict[str, str]) -> None:
    """Sync, and keep one page of each kind."""
    assert command_here(folder, "sync", **environment).exit_code == 0
    with sqlite3.connect(folder / "connector.db") as database:
        for kind, content in PAGES.items():
            database.execute(
                "INSERT INTO unreadable_pages (workshop, id, kind, order_id, reason, content, kept_at) VALUES "
                "((SELECT workshop FROM orders LIMIT 1), ?, ?, 123, 'it moved', ?, '2026-11-23T10:00:00Z')",
                (f"page_{kind}", kind, content),
            )
    database.close()


def test_an_unreadable_board_is_kept_and_replayed(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """HTML in place of the board fails the sync and is kept; replay reports it with 1, without a request."""
    sandbox, environment = planso
    sandbox.knobs.html_for_json_next = 1
    assert command_here(tmp_path, "sync", **environment).exit_code == 1
    assert [(kind, order) for kind, order, _, _ in load_pages(tmp_path)] == [("list", None)]
    requests = len(sandbox.requests)
    done = command_here(tmp_path, "doctor", "--replay", **environment)
    assert done.exit_code == 1
    assert "list" in done.stdout
    assert "PlanSo's answer is not JSON" in " ".join(done.stdout.split())
    assert "now: not JSON" in done.stdout
    assert len(sandbox.requests) == requests


def test_pages_are_dropped_after_a_successful_sync(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """After a sync that read everything no page is kept, and replay exits with 0."""
    sandbox, environment = planso
    remove_labels(sandbox)
    assert command_here(tmp_path, "sync", **environment).exit_code == 1
    assert load_pages(tmp_path)
    sandbox.knobs.missing_labels = set()
    assert command_here(tmp_path, "sync", **environment).exit_code == 0
    assert load_pages(tmp_path) == []
    assert command_here(tmp_path, "doctor", "--replay", **environment).exit_code == 0


def test_kept_forms_are_bounded(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """A sync keeps a bounded number of unreadable forms; replay names the order and the reason."""
    sandbox, environment = planso
    remove_labels(sandbox)
    assert command_here(tmp_path, "sync", **environment).exit_code == 1
    pages = load_pages(tmp_path)
    assert {kind for kind, *_ in pages} == {"form"}
    assert 1 <= len(pages) <= 20
    assert sum(len(content.encode()) for *_, content in pages) <= 500_000
    done = command_here(tmp_path, "doctor", "--replay", **environment)
    assert done.exit_code == 1
    assert f"form of order {pages[0][1]}" in done.stdout
    assert "holds no labelled control" in done.stdout


def test_unreadable_pages_hold_no_personal_data(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """A board in place of parts is kept, without the names and plates of its orders."""
    sandbox, environment = planso
    profile = tmp_path / "mine.toml"
    profile.write_text(f'[calls]\nparts = "{Profile.load().calls.board}"\n')
    assert command_here(tmp_path, "sync", **environment, PLANSO_PROFILE=str(profile)).exit_code == 1
    pages = [content for kind, _, _, content in load_pages(tmp_path) if kind == "parts"]
    names, plates = personal_values(sandbox), {plate for plate in sandbox.plates().values() if plate}
    assert pages
    assert len(names) > 10
    assert all('"short_name": "X' in content for content in pages)
    assert not [value for value in names | plates for content in pages if value in content]


def test_replay_reports_what_is_read(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """For each kind of page, replay reports the labels, fields, rows, columns or orders that are read now."""
    _, environment = planso
    keep_pages(tmp_path, environment)
    done = command_here(tmp_path, "doctor", "--replay", **environment)
    assert done.exit_code == 0
    output = " ".join(done.stdout.split())
    assert "1 labels, 1 of" in output
    assert "field person found" in output
    assert "no label: Bemerkungen" in output
    assert "a table, 1 rows" in output
    assert "column part_no" in output
    assert "1 orders: 123" in output
    assert "it moved" in output


def test_replay_uses_the_current_profile(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """Replay finds a label that was added to the profile since."""
    _, environment = planso
    keep_pages(tmp_path, environment)
    profile = tmp_path / "mine.toml"
    profile.write_text('[labels]\nremarks = ["Fahrername"]\n')
    done = command_here(tmp_path, "doctor", "--replay", **{**environment, "PLANSO_PROFILE": str(profile)})
    assert done.exit_code == 0, done.stderr
    assert "field remarks found" in " ".join(done.stdout.split())


def test_a_missing_form_is_not_kept(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """A regular response without a form is not kept; replay exits with 0, and doctor mentions no pages."""
    sandbox, environment = planso
    sandbox.knobs.no_content_orders = set(sandbox.order_ids()[:2])
    command_here(tmp_path, "sync", **environment)
    assert load_pages(tmp_path) == []
    done = command_here(tmp_path, "doctor", "--replay", **environment)
    assert (done.exit_code, "No pages are kept" in done.stdout) == (0, True)
    assert "--replay" not in command_here(tmp_path, "doctor", **environment).stdout


def test_doctor_counts_the_unreadable_pages(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """`doctor` says how many pages are kept and how to replay them."""
    sandbox, environment = planso
    sandbox.knobs.html_for_json_next = 1
    command_here(tmp_path, "sync", **environment)
    done = command_here(tmp_path, "doctor", **environment)
    assert "1 page that could not be read is kept" in done.stdout
    assert "doctor --replay" in done.stdout
