"""A connector with a profile learned from a recording of Chromium saves as the browser does."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from planso_connector.planso.profile import Profile
from planso_connector.sandbox import Installation, Sandbox, SaveStyle
from tests.planso.saving import hars
from tests.service import running_on_sqlite

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


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_a_connector_saves_in_the_learned_style(recording: Any, tmp_path: Path, style: str) -> None:
    """
    In every style, a connector with the learned profile changes, creates and deletes orders on an installation that
    refuses all other styles, and changes nothing else. The same is learned from the redacted copy.
    """
    har: Path = recording(style)
    learned = hars.learn(har)
    profile = tmp_path / "profile.toml"
    profile.write_text(learned.to_toml(), encoding="utf-8")
    assert Profile.load(profile).save.source == "learned"

    copy = hars.redact(har, tmp_path / "redacted.har")
    assert tomllib.loads(hars.learn(copy).to_toml()) == tomllib.loads(learned.to_toml())

    sandbox = Sandbox(orders=12, installation=Installation(save_style=SaveStyle.from_text(style)))
    with running_on_sqlite(tmp_path, sandbox, planso_profile=profile) as service:
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


def test_only_the_person_s_changes_differ_from_our_serialisation(recording: Any) -> None:
    """Our serialisation of the recorded form equals what Chromium sent, but for the person's changes."""
    update, insert = hars.learn(recording("")).comparisons

    assert [(d.label, d.reason.name) for d in update.differences] == [("Bemerkungen", "CHANGED")]
    assert [d.label for d in insert.differences] == ["Fahrername", "Kennzeichen"]
    assert min(update.equal_count, insert.equal_count) > 70


def test_actions_that_were_not_recorded_stay_assumed(recording: Any) -> None:
    """Without a recorded creation and deletion, the profile has no setting for them and lists the assumptions."""
    learned = hars.learn(recording("", steps=("change",)))
    content = tomllib.loads(learned.to_toml())

    assert set(content["save"]) == {"source", "sends", "body", "parameter", "space", "line_break", "update", "answer"}
    assumptions = " ".join(learned.assumptions)
    assert all(text in assumptions for text in ("creation", "deletion", "new order's id", "refusal"))


def test_recorded_script_values_are_sent(recording: Any, tmp_path: Path) -> None:
    """
    A form with controls that a script fills can be saved once Chromium was recorded sending what the script fills in,
    and these controls keep their values. The same is learned from the redacted copy.
    """
    labels = ["Werkstattstart", "Fahrername"]
    for how in ("data", "functions"):
        knobs = {"script_filled": labels, "script_filled_by": how}
        har: Path = recording("", knobs=knobs, steps=("change",))
        learned = hars.learn(har)
        content = tomllib.loads(learned.to_toml())
        assert len(content["save"]["known"]) == 2
        copy = hars.redact(har, tmp_path / f"{how}.har")
        assert tomllib.loads(hars.learn(copy).to_toml()) == content

        sandbox = Sandbox(orders=12)
        sandbox.knobs.set_json(knobs)
        profile = tmp_path / f"{how}.toml"
        profile.write_text(learned.to_toml(), encoding="utf-8")
        order_id = sandbox.order_ids()[3]
        before = dict(sandbox.snapshot(order_id))
        (tmp_path / how).mkdir()
        with running_on_sqlite(tmp_path / how, sandbox, planso_profile=profile) as service:
            assert service.put(order_id, remarks="kurz").status_code == 200
        after = dict(sandbox.snapshot(order_id))
        assert len({name for name in before if before[name] != after[name]}) == 1
