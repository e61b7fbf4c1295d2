"""Requests, parameters, tokens and responses are learned from a recording, and nothing that it does not show."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.browser_comparison import DifferenceReason
from tests.planso.saving import hars

TOKEN = "9f8e7d6c5b4a39281706f5e4"


def build_plain_save(
    url: str = hars.CALL.format("update", 4711), extra: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    body = urlencode({**(extra or {}), "fields": urlencode(hars.build_pairs(f_1="Neu"))})
    return hars.build_entry("POST", url, more.pop("answer", {"saved": 1}), body=body, **more)


def learn_save_section(tmp_path: Path, *entries: dict[str, Any]) -> dict[str, Any]:
    """The `[save]` of the learned profile, after loading it."""
    file = tmp_path / "profile.toml"
    file.write_text(
        hars.learn(hars.write_har(tmp_path / "a.har", hars.build_login(), hars.build_board(4711), *entries)).to_toml(),
        "utf-8",
    )
    assert Profile.load(file).save.source
    save: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))["save"]
    return save


PAGE = f"<html><head><meta name='csrf' content='{TOKEN}'></head><body>Werkstatt</body></html>"
TOKEN_ORIGINS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], dict[str, str]]] = {
    "a meta element of a page": (
        [hars.build_entry("GET", "/app?m=start", PAGE), hars.build_form()],
        {"extra": {"csrf": TOKEN}},
        {"in": "body", "from": "meta", "key": "csrf", "page": "/app?m=start"},
    ),
    "a hidden input of a page": (
        [
            hars.build_entry("GET", "/app", f"<form><input type=hidden name=tok value={TOKEN}></form>"),
            hars.build_form(),
        ],
        {"headers": {"X-Token": TOKEN}},
        {"in": "header", "from": "input", "key": "tok", "page": "/app"},
    ),
    "the form's answer": (
        [hars.build_form(answer={"meta": {"nonce": TOKEN}})],
        {"url": hars.CALL.format("update", 4711) + f"&nonce={TOKEN}"},
        {"in": "query", "from": "answer", "key": "meta.nonce"},
    ),
    "a hidden input of the form": (
        [hars.build_form(row=TOKEN)],
        {"url": hars.CALL.format("update", 4711) + f"&row={TOKEN}"},
        {"in": "query", "from": "form", "key": "rowID"},
    ),
    "a cookie": (
        [hars.build_form()],
        {"headers": {"X-Xsrf-Token": "a/b12345678"}, "cookies": {"XSRF": "a%2Fb12345678"}},
        {"in": "header", "from": "cookie", "key": "XSRF"},
    ),
}


@pytest.mark.parametrize(("before", "sent", "token"), TOKEN_ORIGINS.values(), ids=TOKEN_ORIGINS)
def test_a_token_s_origin_is_found(
    tmp_path: Path, before: list[dict[str, Any]], sent: dict[str, Any], token: dict[str, str]
) -> None:
    """A token is found in the page, form, response or cookie before it was sent; the profile lacks its value."""
    save = learn_save_section(tmp_path, *before, build_plain_save(**sent))

    assert list(save["tokens"].values()) == [token]
    assert TOKEN not in json.dumps(save)


def test_a_token_without_an_origin_is_left_out(tmp_path: Path) -> None:
    """A token whose origin was not recorded is left out with a warning, rather than written as a constant."""
    url = hars.CALL.format("update", 4711) + f"&secret={TOKEN}"
    learned = hars.learn(
        hars.write_har(
            tmp_path / "a.har",
            hars.build_login(),
            hars.build_form(),
            build_plain_save(url),
            hars.build_form(),
            build_plain_save(url),
        )
    )

    assert TOKEN not in learned.to_toml()
    assert any("'secret' is left out" in warning for warning in learned.warnings)


def test_order_ids_become_placeholders(tmp_path: Path) -> None:
    """The order's id in the path and as a JSON number becomes a placeholder; constants are kept."""
    body = json.dumps(
        {"id": 4711, "table": "12565", "final": True, "mode": "edit", "data": dict(hars.build_pairs(f_1="Neu"))}
    )
    put = hars.build_entry("PUT", "/orders/4711/save?_=1764489600123", {"ok": True}, body=body, kind="application/json")
    save = learn_save_section(tmp_path, hars.build_form(), put)

    assert (save["body"], save["parameter"]) == ("json", "data")
    assert save["update"] == {
        "method": "PUT",
        "path": "/orders/{order}/save",
        "query": {},
        "body": {"id": "{order_number}", "table": "{table}", "final": True, "mode": "edit"},
    }


def test_personal_data_never_becomes_a_constant(tmp_path: Path) -> None:
    """A parameter with a plate, a user or a telephone number is left out with a warning."""
    url = hars.CALL.format("update", 4711) + "&plate=WN-A+12&user=meister.roehrich&tel=07151+1234567&view=board_main"
    learned = hars.learn(
        hars.write_har(tmp_path / "a.har", hars.build_login(), hars.build_form(), build_plain_save(url))
    )
    query = tomllib.loads(learned.to_toml())["save"]["update"]["query"]

    assert set(query) == {"m", "tableID", "submode", "dataID", "call_back_class", "callback", "view"}
    assert sum("is left out" in warning for warning in learned.warnings) == 3


@pytest.mark.parametrize(
    ("answer", "more", "rules"),
    [
        ({"saved": 1}, {}, ["saved=1"]),
        ({"success": True, "data": {}}, {}, ["success=true"]),
        ({"status": "ok"}, {}, ["status=ok"]),
        ({"center": {"content": "<form></form>"}}, {}, ["form"]),
        ("", {}, ["empty"]),
        ("", {"status": 302, "redirect": hars.URL + "/app"}, ["redirect"]),
        ({"functions": "x();"}, {}, None),
        ("<p>Gespeichert</p>", {}, None),
    ],
)
def test_a_success_rule_is_learned_from_the_response(
    tmp_path: Path, answer: Any, more: Any, rules: list[str] | None
) -> None:
    """A member with a word of success, the form, an empty body or a redirect; otherwise it stays assumed."""
    assert (
        learn_save_section(tmp_path, hars.build_form(), build_plain_save(answer=answer, **more))
        .get("answer", {})
        .get("success")
        == rules
    )


@pytest.mark.parametrize(
    ("answer", "more", "path"),
    [
        ({"dataID": "4713"}, {}, "dataID"),
        ({"ok": 1, "data": {"id": 4713, "station": 5}}, {}, "data.id"),
        ({"ok": 1, "customerID": 88, "id": 4713}, {}, "id"),
        ({"ok": 1, "rows": [{"ID": 4713}]}, {}, "rows.0.ID"),
        ("", {"status": 302, "redirect": hars.URL + "/do?m=visual_forms_plain&dataID=4713"}, "location:dataID"),
        ({"ok": 1, "customerID": 88, "houseID": 89}, {}, None),
        ({"ok": 1, "dataID": 4711}, {}, None),
    ],
)
def test_a_new_order_s_id_is_confirmed_by_the_board(tmp_path: Path, answer: Any, more: Any, path: str | None) -> None:
    """The new id is one that the next board lists; a known order, or one of several unlisted numbers, is none."""
    blank = hars.build_form("", "insert", row="", person="", phone="", plate="", remarks="", vin="")
    body = urlencode({"fields": urlencode(hars.build_pairs(f_1="Neu", f_3="WN-B 1"))})
    made = hars.build_entry("POST", hars.CALL.format("insert", ""), answer, body=body, **more)
    after = [hars.build_board(4711, 4713)] if path else []
    save = learn_save_section(tmp_path, hars.build_form(), build_plain_save(), blank, made, *after)

    assert save["answer"].get("new_id") == path
    assert save["insert"]["query"]["dataID"] == "{order}"


def test_a_refusal_rule_is_learned(tmp_path: Path) -> None:
    """The member that says no becomes a rule; its message may be personal data and is not kept."""
    refused = build_plain_save(answer={"saved": 0, "msg": "Frau Roth hat das offen"})
    learned = hars.learn(
        hars.write_har(tmp_path / "a.har", hars.build_login(), hars.build_form(), refused, build_plain_save())
    )

    assert "saved=0" in tomllib.loads(learned.to_toml())["save"]["answer"]["refusal"]
    assert "Roth" not in learned.to_toml()


def test_saves_of_only_changes_are_recognised(tmp_path: Path) -> None:
    """Where most controls are not sent: hidden ones that always are, and the value of an unchecked box."""
    changed = hars.build_entry("POST", hars.CALL.format("update", 4711), {"ok": 1}, body="rowID=600123&f_1=Neu")
    unchecked = hars.build_entry("POST", hars.CALL.format("update", 4711), {"ok": 1}, body="rowID=600123&f_5=")
    save = learn_save_section(tmp_path, hars.build_form(), changed, hars.build_form(), unchecked)

    assert (save["sends"], save["body"], save["always"], save["unchecked"]) == ("changed", "plain", ["rowID"], "")


def test_differences_not_made_by_the_person_are_warned_of(tmp_path: Path) -> None:
    """A warning for a control left out, added by script, or sent with a value that was not saved."""
    sent = [*(pair for pair in hars.build_pairs(f_1="Neu", f_7="anders") if pair[0] != "f_6"), ("extra", "1")]
    body = urlencode({"fields": urlencode(sent)})
    changed = hars.build_entry("POST", hars.CALL.format("update", 4711), {"saved": 1}, body=body)
    learned = hars.learn(
        hars.write_har(
            tmp_path / "a.har", hars.build_login(), hars.build_form(), changed, hars.build_form(person="Neu")
        )
    )

    assert {d.name: d.reason for d in learned.comparisons[0].differences} == {
        "f_1": DifferenceReason.CHANGED,
        "f_6": DifferenceReason.LEFT_OUT,
        "f_7": DifferenceReason.SCRIPT,
        "extra": DifferenceReason.ADDED,
    }
    assert sum("'KBA'" in text or "'VIN'" in text or "extra" in text for text in learned.warnings) == 3


def test_a_recording_without_a_login_is_usable(tmp_path: Path) -> None:
    """Without a recorded login there is a warning, and all else is learned."""
    learned = hars.learn(hars.write_har(tmp_path / "a.har", hars.build_form(), hars.build_save()))

    assert "login" in learned.warnings[0]
    assert ("save",) in [setting.table for setting in learned.settings]


def test_an_installation_may_have_a_path_prefix(tmp_path: Path) -> None:
    """A prefix of all paths belongs to PLANSO_URL and not to the profile."""
    entries = [hars.build_login(), hars.build_form(), hars.build_save()]
    for entry in entries:
        entry["request"]["url"] = entry["request"]["url"].replace(hars.URL, hars.URL + "/planso")
    content = tomllib.loads(hars.learn(hars.write_har(tmp_path / "a.har", *entries)).to_toml())

    assert (content["paths"], content["save"]["update"]["path"]) == ({"app": "/app", "do": "/do"}, "/do")
