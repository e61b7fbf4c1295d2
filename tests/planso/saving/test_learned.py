"""What is learned from a recording made in a browser: a connector with that profile saves as the browser does."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.learned_profile import LearnedProfile
from planso_connector.planso.saving.learning import learn_profile
from planso_connector.planso.saving.recording import read_recording, require_accepted_writes
from planso_connector.planso.saving.redaction import redact_recording
from planso_connector.sandbox import Installation, Sandbox, SaveStyle
from tests.service import connected

STYLES = {
    "as assumed": "",
    "plain, changed, cookie": "body=plain,sends=changed,space=+,tokens=form/header,token_from=cookie,token_source=XSRF",
    "JSON, header token": "body=json,address=body,tokens=form/header,answer=success",
    "JSON in a parameter, changed, empty answers": "body=fields_json,sends=changed,tokens=query,token_from=member,"
    "token_source=nonce,answer=empty",
    "pairs in JSON, body token": "body=fields_json_pairs,parameter=daten,address=body,answer=status,tokens=parameter,"
    "token_from=input",
    "multipart, own address, redirects": "body=multipart,address=own,answer=redirect",
    "plus, line feeds, the form again": "body=fields,space=+,line_break=lf,answer=form",
}


def learned(har: Path) -> LearnedProfile:
    recording = read_recording(har, Profile.load())
    return learn_profile(recording, require_accepted_writes(recording, har))


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_a_connector_saves_as_was_learned(recording: Any, tmp_path: Path, style: str) -> None:
    """
    In every style: learned from Chromium, a connector changes, creates and deletes, on an installation that refuses
    what is not in that style; nothing else of the order changes. The redacted copy teaches the same.
    """
    har: Path = recording(style)
    lesson = learned(har)
    profile = tmp_path / "profile.toml"
    profile.write_text(lesson.to_toml(), encoding="utf-8")
    assert Profile.load(profile).save.source == "learned"

    copy = tmp_path / "redacted.har"
    copy.write_text(redact_recording(read_recording(har, Profile.load())), encoding="utf-8")
    assert tomllib.loads(learned(copy).to_toml()) == tomllib.loads(lesson.to_toml())

    sandbox = Sandbox(orders=12, installation=Installation(save_style=SaveStyle.from_text(style)))
    with connected(tmp_path, sandbox, planso_profile=profile) as service:
        order_id = sandbox.order_ids()[3]
        before = dict(sandbox.snapshot(order_id))
        changed = service.put(order_id, remarks="Größe & mehr + %\nzweite Zeile", person="Jörg Meißner")
        assert changed.status_code == 200, changed.text
        assert sandbox.value(order_id, "Bemerkungen").splitlines() == ["Größe & mehr + %", "zweite Zeile"]
        after = dict(sandbox.snapshot(order_id))
        assert len({name for name in before if before[name] != after[name]}) == 2

        created = service.http.post("/api/orders", json={"person": "Ute Neu", "remarks": "neu"})
        assert created.status_code in (200, 201), created.text
        new_id = created.json()["order_id"]
        assert sandbox.value(new_id, "Fahrername") == "Ute Neu"

        deleted = service.http.delete(f"/api/orders/{new_id}")
        assert deleted.status_code == 200, deleted.text
        assert new_id not in sandbox.order_ids()


def test_what_a_person_changed_is_all_that_differs(recording: Any) -> None:
    """Held against what Chromium sent, our own serialisation of the recorded form is equal but for the edits."""
    update, insert = learned(recording("")).comparisons

    assert [(d.label, d.reason.name) for d in update.differences] == [("Bemerkungen", "CHANGED")]
    assert [d.label for d in insert.differences] == ["Fahrername", "Kennzeichen"]
    assert min(update.equal_count, insert.equal_count) > 70


def test_what_is_not_recorded_stays_assumed(recording: Any) -> None:
    """A recording without creation and deletion says so, and writes no line about them."""
    lesson = learned(recording("", steps=("change",)))
    content = tomllib.loads(lesson.to_toml())

    assert set(content["save"]) == {"source", "sends", "body", "parameter", "space", "line_break", "update", "answer"}
    told = " ".join(lesson.assumptions)
    assert all(words in told for words in ("creation", "deletion", "new order's id", "refusal"))


def test_what_script_fills_is_known_once_it_was_seen(recording: Any, tmp_path: Path) -> None:
    """
    A form with controls that script fills is not saved by an assumption; once Chromium was seen to send what the script
    fills in, it is, and these controls keep it. The redacted copy teaches the same.
    """
    labels = ["Werkstattstart", "Fahrername"]
    for how in ("data", "functions"):
        knobs = {"script_filled": labels, "script_filled_by": how}
        har: Path = recording("", knobs=knobs, steps=("change",))
        lesson = learned(har)
        content = tomllib.loads(lesson.to_toml())
        assert len(content["save"]["known"]) == 2
        copy = tmp_path / f"{how}.har"
        copy.write_text(redact_recording(read_recording(har, Profile.load())), encoding="utf-8")
        assert tomllib.loads(learned(copy).to_toml()) == content

        sandbox = Sandbox(orders=12)
        sandbox.knobs.set_json(knobs)
        profile = tmp_path / f"{how}.toml"
        profile.write_text(lesson.to_toml(), encoding="utf-8")
        order_id = sandbox.order_ids()[3]
        before = dict(sandbox.snapshot(order_id))
        (tmp_path / how).mkdir()
        with connected(tmp_path / how, sandbox, planso_profile=profile) as service:
            assert service.put(order_id, remarks="kurz").status_code == 200
        after = dict(sandbox.snapshot(order_id))
        assert len({name for name in before if before[name] != after[name]}) == 1
