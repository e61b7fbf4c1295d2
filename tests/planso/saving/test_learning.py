"""What a recording teaches of addresses, parameters, tokens and answers; what it does not show is never made up."""

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
from tests.planso.saving.test_learned import learned

TOKEN = "9f8e7d6c5b4a39281706f5e4"


def saved(
    url: str = hars.CALL.format("update", 4711), extra: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    body = urlencode({**(extra or {}), "fields": urlencode(hars.pairs(f_1="Neu"))})
    return hars.entry("POST", url, more.pop("answer", {"saved": 1}), body=body, **more)


def taught(tmp_path: Path, *entries: dict[str, Any]) -> dict[str, Any]:
    """The `[save]` of the profile, which can be loaded."""
    file = tmp_path / "profile.toml"
    file.write_text(learned(hars.har(tmp_path / "a.har", hars.login(), hars.board(4711), *entries)).to_toml(), "utf-8")
    assert Profile.load(file).save.source
    save: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))["save"]
    return save


PAGE = f"<html><head><meta name='csrf' content='{TOKEN}'></head><body>Werkstatt</body></html>"
SOURCES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], dict[str, str]]] = {
    "a meta element of a page": (
        [hars.entry("GET", "/app?m=start", PAGE), hars.form()],
        {"extra": {"csrf": TOKEN}},
        {"in": "body", "from": "meta", "key": "csrf", "page": "/app?m=start"},
    ),
    "a hidden input of a page": (
        [hars.entry("GET", "/app", f"<form><input type=hidden name=tok value={TOKEN}></form>"), hars.form()],
        {"headers": {"X-Token": TOKEN}},
        {"in": "header", "from": "input", "key": "tok", "page": "/app"},
    ),
    "the form's answer": (
        [hars.form(answer={"meta": {"nonce": TOKEN}})],
        {"url": hars.CALL.format("update", 4711) + f"&nonce={TOKEN}"},
        {"in": "query", "from": "answer", "key": "meta.nonce"},
    ),
    "a hidden input of the form": (
        [hars.form(row=TOKEN)],
        {"url": hars.CALL.format("update", 4711) + f"&row={TOKEN}"},
        {"in": "query", "from": "form", "key": "rowID"},
    ),
    "a cookie": (
        [hars.form()],
        {"headers": {"X-Xsrf-Token": "a/b12345678"}, "cookies": {"XSRF": "a%2Fb12345678"}},
        {"in": "header", "from": "cookie", "key": "XSRF"},
    ),
}


@pytest.mark.parametrize(("before", "sent", "token"), SOURCES.values(), ids=SOURCES)
def test_a_token_is_followed_to_where_it_came_from(
    tmp_path: Path, before: list[dict[str, Any]], sent: dict[str, Any], token: dict[str, str]
) -> None:
    """Seen in a page, a form, an answer or a cookie before it was sent; its value is not in the profile."""
    save = taught(tmp_path, *before, saved(**sent))

    assert list(save["tokens"].values()) == [token]
    assert TOKEN not in json.dumps(save)


def test_a_token_from_nowhere_is_no_constant(tmp_path: Path) -> None:
    """Where it comes from is not in the recording: it is left out, and said, not written as if it never changed."""
    url = hars.CALL.format("update", 4711) + f"&secret={TOKEN}"
    lesson = learned(hars.har(tmp_path / "a.har", hars.login(), hars.form(), saved(url), hars.form(), saved(url)))

    assert TOKEN not in lesson.to_toml()
    assert any("'secret' is left out" in warning for warning in lesson.warnings)


def test_an_address_is_learned_with_the_order_in_its_path(tmp_path: Path) -> None:
    """REST-like: the order in the path and as a JSON number, the form in a member, constants as they are."""
    body = json.dumps(
        {"id": 4711, "table": "12565", "final": True, "mode": "edit", "data": dict(hars.pairs(f_1="Neu"))}
    )
    put = hars.entry("PUT", "/orders/4711/save?_=1764489600123", {"ok": True}, body=body, kind="application/json")
    save = taught(tmp_path, hars.form(), put)

    assert (save["body"], save["parameter"]) == ("json", "data")
    assert save["update"] == {
        "method": "PUT",
        "path": "/orders/{order}/save",
        "query": {},
        "body": {"id": "{order_number}", "table": "{table}", "final": True, "mode": "edit"},
    }


def test_nobody_s_data_becomes_a_constant(tmp_path: Path) -> None:
    """A parameter that holds the plate, the user or a telephone number is left out, and said."""
    url = hars.CALL.format("update", 4711) + "&plate=WN-A+12&user=meister.roehrich&tel=07151+1234567&view=board_main"
    lesson = learned(hars.har(tmp_path / "a.har", hars.login(), hars.form(), saved(url)))
    query = tomllib.loads(lesson.to_toml())["save"]["update"]["query"]

    assert set(query) == {"m", "tableID", "submode", "dataID", "call_back_class", "callback", "view"}
    assert sum("is left out" in warning for warning in lesson.warnings) == 3


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
def test_a_success_is_known_by_what_says_so(tmp_path: Path, answer: Any, more: Any, rules: list[str] | None) -> None:
    """A member and its value, the form again, nothing, a redirect; where nothing says so, it stays assumed."""
    assert taught(tmp_path, hars.form(), saved(answer=answer, **more)).get("answer", {}).get("success") == rules


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
def test_a_new_order_s_id_is_found_where_it_is_seen_again(
    tmp_path: Path, answer: Any, more: Any, path: str | None
) -> None:
    """By the list that follows; a number that was there before, or several that are not seen again, are none."""
    blank = hars.form("", "insert", row="", person="", phone="", plate="", remarks="", vin="")
    body = urlencode({"fields": urlencode(hars.pairs(f_1="Neu", f_3="WN-B 1"))})
    made = hars.entry("POST", hars.CALL.format("insert", ""), answer, body=body, **more)
    after = [hars.board(4711, 4713)] if path else []
    save = taught(tmp_path, hars.form(), saved(), blank, made, *after)

    assert save["answer"].get("new_id") == path
    assert save["insert"]["query"]["dataID"] == "{order}"


def test_a_refusal_beside_a_save_is_learned(tmp_path: Path) -> None:
    """The member that says no; its words are somebody's and are not kept."""
    refused = saved(answer={"saved": 0, "msg": "Frau Roth hat das offen"})
    lesson = learned(hars.har(tmp_path / "a.har", hars.login(), hars.form(), refused, saved()))

    assert "saved=0" in tomllib.loads(lesson.to_toml())["save"]["answer"]["refusal"]
    assert "Roth" not in lesson.to_toml()


def test_only_what_changed_is_known_by_what_is_missing(tmp_path: Path) -> None:
    """Most controls do not go; those hidden ones that do go always; what an unchecked box sends."""
    changed = hars.entry("POST", hars.CALL.format("update", 4711), {"ok": 1}, body="rowID=600123&f_1=Neu")
    unchecked = hars.entry("POST", hars.CALL.format("update", 4711), {"ok": 1}, body="rowID=600123&f_5=")
    save = taught(tmp_path, hars.form(), changed, hars.form(), unchecked)

    assert (save["sends"], save["body"], save["always"], save["unchecked"]) == ("changed", "plain", ["rowID"], "")


def test_what_differs_without_a_person_is_said(tmp_path: Path) -> None:
    """Left out or added by script, and a value that the form does not hold after the save either."""
    sent = [*(pair for pair in hars.pairs(f_1="Neu", f_7="anders") if pair[0] != "f_6"), ("extra", "1")]
    body = urlencode({"fields": urlencode(sent)})
    changed = hars.entry("POST", hars.CALL.format("update", 4711), {"saved": 1}, body=body)
    lesson = learned(hars.har(tmp_path / "a.har", hars.login(), hars.form(), changed, hars.form(person="Neu")))

    assert {d.name: d.reason for d in lesson.comparisons[0].differences} == {
        "f_1": DifferenceReason.CHANGED,
        "f_6": DifferenceReason.LEFT_OUT,
        "f_7": DifferenceReason.SCRIPT,
        "extra": DifferenceReason.ADDED,
    }
    assert sum("'KBA'" in one or "'VIN'" in one or "extra" in one for one in lesson.warnings) == 3


def test_a_recording_without_a_login_is_learned_from(tmp_path: Path) -> None:
    """It says so; all else is learned."""
    lesson = learned(hars.har(tmp_path / "a.har", hars.form(), hars.save()))

    assert "login" in lesson.warnings[0]
    assert ("save",) in [fact.table for fact in lesson.settings]


def test_an_installation_may_lie_under_a_path(tmp_path: Path) -> None:
    """What stands before every path is part of PLANSO_URL, not of the profile."""
    entries = [hars.login(), hars.form(), hars.save()]
    for entry in entries:
        entry["request"]["url"] = entry["request"]["url"].replace(hars.URL, hars.URL + "/planso")
    content = tomllib.loads(learned(hars.har(tmp_path / "a.har", *entries)).to_toml())

    assert (content["paths"], content["save"]["update"]["path"]) == ({"app": "/app", "do": "/do"}, "/do")
