"""Pages that could not be read: kept without what they say of customers, and read again by `doctor --replay`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from planso_connector.planso.profile import Profile
from planso_connector.sandbox import Installation, Sandbox
from planso_connector.sandbox.form_fields import FIELDS
from tests.commands.test_commands import command_here as command

Kept = list[tuple[str, int | None, str, str]]
CUSTOMER = ("Fahrername", "Kennzeichen", "Telefon", "Kunden E-Mail", "VIN")


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


def kept(folder: Path) -> Kept:
    with sqlite3.connect(folder / "connector.db") as database:
        rows = database.execute("SELECT kind, order_id, reason, content FROM kept_pages").fetchall()
    database.close()
    return rows


def customers(sandbox: Sandbox) -> set[str]:
    told = set()
    for order in sandbox.order_ids():
        values = sandbox.values(order)
        told |= {values[label] for label in CUSTOMER if len(values.get(label, "")) > 3}
    return told


def without_labels(sandbox: Sandbox) -> None:
    """Nothing that reads as a label is left in the forms."""
    sandbox.knobs.missing_labels = set(FIELDS)


def test_garbage_for_the_list_is_kept_and_replayed(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """HTML for the list ends the run with 1; it is kept, replay shows it with 1 and asks PlanSo nothing."""
    sandbox, environment = planso
    sandbox.knobs.html_for_json_next = 1
    assert command(tmp_path, "sync", **environment).exit_code == 1
    assert [(kind, order) for kind, order, _, _ in kept(tmp_path)] == [("list", None)]
    asked = len(sandbox.requests)
    done = command(tmp_path, "doctor", "--replay", **environment)
    assert done.exit_code == 1
    assert "list" in done.stdout
    assert "PlanSo's answer is not JSON" in " ".join(done.stdout.split())
    assert "now: not JSON" in done.stdout
    assert len(sandbox.requests) == asked


def test_a_page_that_can_be_read_again_is_let_go(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """After a run that read everything nothing is kept, and replay ends with 0."""
    sandbox, environment = planso
    without_labels(sandbox)
    assert command(tmp_path, "sync", **environment).exit_code == 1
    assert kept(tmp_path)
    sandbox.knobs.missing_labels = set()
    assert command(tmp_path, "sync", **environment).exit_code == 0
    assert kept(tmp_path) == []
    assert command(tmp_path, "doctor", "--replay", **environment).exit_code == 0


def test_forms_without_labels_are_kept_and_bounded(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """A sync that meets forms that moved keeps them, bounded; replay names the order and the reason."""
    sandbox, environment = planso
    without_labels(sandbox)
    assert command(tmp_path, "sync", **environment).exit_code == 1
    pages = kept(tmp_path)
    assert {kind for kind, *_ in pages} == {"form"}
    assert 1 <= len(pages) <= 20
    assert sum(len(content.encode()) for *_, content in pages) <= 500_000
    done = command(tmp_path, "doctor", "--replay", **environment)
    assert done.exit_code == 1
    assert f"form of order {pages[0][1]}" in done.stdout
    assert "holds no labelled control" in done.stdout


def test_what_is_kept_names_no_customer(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """An answer full of customers where parts were asked for is kept, and none of them stands in what is kept."""
    sandbox, environment = planso
    profile = tmp_path / "mine.toml"
    profile.write_text(f'[calls]\nparts = "{Profile.load().calls.board}"\n')
    assert command(tmp_path, "sync", **environment, PLANSO_PROFILE=str(profile)).exit_code == 1
    pages = [content for kind, _, _, content in kept(tmp_path) if kind == "parts"]
    names, plates = customers(sandbox), {plate for plate in sandbox.plates().values() if plate}
    assert pages
    assert len(names) > 10
    assert all('"short_name": "X' in content for content in pages)
    assert not [told for told in names | plates for content in pages if told in content]


def test_replay_says_what_the_readers_find(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """Of each kind replay says what the readers find now: labels, fields, rows, columns, orders."""
    _, environment = planso
    assert command(tmp_path, "sync", **environment).exit_code == 0
    with sqlite3.connect(tmp_path / "connector.db") as database:
        for kind, content in KEPT_AS.items():
            database.execute(
                "INSERT INTO kept_pages (workshop, id, kind, order_id, reason, content, kept_at) VALUES "
                "((SELECT workshop FROM orders LIMIT 1), ?, ?, 123, 'it moved', ?, '2026-11-23T10:00:00Z')",
                (f"page_{kind}", kind, content),
            )
    database.close()
    done = command(tmp_path, "doctor", "--replay", **environment)
    assert done.exit_code == 0
    told = " ".join(done.stdout.split())
    assert "1 labels, 1 of" in told
    assert "field person found" in told
    assert "no label: Bemerkungen" in told
    assert "a table, 1 rows" in told
    assert "column part_no" in told
    assert "1 orders: 123" in told
    assert "it moved" in told


KEPT_AS = {
    "form": '{"center": {"content": "<div><label>Fahrername</label><input name=a value=Xxxx></div>"}}',
    "parts": (
        '{"html": "<table><tr><th>Teilenummer</th><th>Bezeichnung</th></tr><tr><td>X9</td><td>Xx</td></tr></table>"}'
    ),
    "list": '[{"ID": 123, "short_name": "Xxxx"}]',
}


def test_a_mended_profile_reads_what_could_not_be(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """Replay reads with the profile of now: a label that was named there is found, and PlanSo is not asked."""
    _, environment = planso
    test_replay_says_what_the_readers_find(tmp_path, planso)
    profile = tmp_path / "mine.toml"
    profile.write_text('[labels]\nremarks = ["Fahrername"]\n')
    done = command(tmp_path, "doctor", "--replay", **{**environment, "PLANSO_PROFILE": str(profile)})
    assert done.exit_code == 0, done.stderr
    assert "field remarks found" in " ".join(done.stdout.split())


def test_an_empty_form_is_no_page_to_keep(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """An ordinary answer without a form keeps nothing; replay says so with 0, doctor says nothing of pages."""
    sandbox, environment = planso
    sandbox.knobs.no_content_orders = set(sandbox.order_ids()[:2])
    command(tmp_path, "sync", **environment)
    assert kept(tmp_path) == []
    done = command(tmp_path, "doctor", "--replay", **environment)
    assert (done.exit_code, "No pages are kept" in done.stdout) == (0, True)
    assert "--replay" not in command(tmp_path, "doctor", **environment).stdout


def test_doctor_says_where_the_pages_are(tmp_path: Path, planso: tuple[Sandbox, dict[str, str]]) -> None:
    """An ordinary doctor ends with how many pages are kept and how to read them again."""
    sandbox, environment = planso
    sandbox.knobs.html_for_json_next = 1
    command(tmp_path, "sync", **environment)
    done = command(tmp_path, "doctor", **environment)
    assert "1 page that could not be read is kept" in done.stdout
    assert "doctor --replay" in done.stdout
