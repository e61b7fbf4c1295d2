"""The profile's `[save]` is parsed and checked, and the client saves in its style."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from planso_connector.domain.errors import ConnectorError, Invalid, PlansoRefused, PlansoUnavailable, PlansoUnsure
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.save_style import ResponseStyle, SaveToken
from tests.planso.conftest import client, form_of
from tests.planso.odd_server import LOGIN_PAGE, START_PAGE, answer, odd

CONTENT = "<div><label>VIN</label><input name=v value=1></div><input type=hidden name=csrf value=in-form-1>"
FORM = json.dumps({"center": {"content": CONTENT}, "meta": {"token": "in-answer-2"}})

WHOLE = """
[save]
source = "learned"
sends = "changed"
body = "json"
parameter = "data"
space = "+"
line_break = "lf"
always = ["rowID"]
unchecked = "0"
known = ["f_1"]
[save.update]
path = "/speichern/{order}"
method = "PUT"
query = { tableID = "{table}", m = "{form}" }
body = { id = "{order_number}", final = true }
[save.tokens.X-CSRF]
in = "header"
from = "meta"
key = "csrf-token"
page = "/app?m=start"
[save.answer]
success = ["ok=true"]
refusal = ["errors", "ok=false"]
new_id = "data.id"
"""


def load_profile(tmp_path: Path, content: str) -> Profile:
    file = tmp_path / "reit.toml"
    file.write_text(content, encoding="utf-8")
    return Profile.load(file)


def test_all_settings_are_parsed(tmp_path: Path) -> None:
    """All settings are read; others stay as built in, with this profile's values in place of placeholders."""
    loaded = load_profile(tmp_path, f'[paths]\ndo = "/tu"\n[calls]\nform = "formular"\n{WHOLE}')
    style = loaded.save

    assert (style.source, style.sends, style.body, style.form_parameter) == ("learned", "changed", "json", "data")
    assert (style.space, style.line_break, style.always, style.unchecked) == ("+", "lf", ("rowID",), "0")
    assert style.update.path == "/speichern/{order}"
    assert dict(style.update.query) == {"tableID": "{table}", "m": "formular"}
    assert dict(style.update.body) == {"id": "{order_number}", "final": True}
    assert style.tokens == (SaveToken("X-CSRF", "header", "meta", "csrf-token", "/app?m=start"),)
    assert style.answer == ResponseStyle(("ok=true",), ("errors", "ok=false"), "data.id")
    assert (style.insert.path, style.insert.query["m"], style.insert.query["submode"]) == ("/tu", "formular", "insert")


@pytest.mark.parametrize(
    ("content", "key", "accepted"),
    [
        ("sends = 'all'", "save.sends", "whole, changed"),
        ("body = 'xml'", "save.body", "multipart"),
        ("space = ' '", "save.space", "%20, +"),
        ("line_break = 1", "save.line_break", "crlf, lf"),
        ("source = 'tried'", "save.source", "assumed, learned"),
        ("known = 'f_1'", "save.known", "list of texts"),
        ("unchecked = 0", "save.unchecked", "text in quotes"),
        ("saves = 1", "save.saves", "unknown key; accepted: source"),
        ("[save.update]\npath = '//evil.example/do'", "save.update.path", "begins with /"),
        ("[save.update]\npath = '/../do'", "save.update.path", "begins with /"),
        ("[save.update]\nmethod = 'TRACE'", "save.update.method", "POST"),
        ("[save.update.query]\nid = '{ordre}'", "save.update.query.id", "{order}, {table}"),
        ("[save.update.query]\nid = 5", "save.update.query.id", "text in quotes"),
        ("[save.tokens.t]\nfrom = 'meta'", "save.tokens.t.in", "query, body, header"),
        ("[save.tokens.t]\nin = 'header'\nfrom = 'nowhere'", "save.tokens.t.from", "cookie"),
        ("[save.tokens.t]\nin = 'query'\nfrom = 'meta'\npage = 'https://evil.example/'", "save.tokens.t.page", "/app"),
        ("[save.tokens.'a b']\nin = 'header'\nfrom = 'meta'", "save.tokens.a b", "hyphens"),
        ("[save.answer]\nsuccess = ['fine']", "save.answer.success", "member=value"),
        ("[save.answer]\nrefusal = 'error'", "save.answer.refusal", "list of texts"),
    ],
)
def test_an_invalid_setting_is_an_error_with_its_key(tmp_path: Path, content: str, key: str, accepted: str) -> None:
    """The error names the file, the key and what is accepted."""
    with pytest.raises(ValueError, match=r"reit\.toml") as error:
        load_profile(tmp_path, f"[save]\n{content}" if not content.startswith("[") else content)

    assert f" {key}: " in str(error.value)
    assert accepted in str(error.value)


START = answer(
    START_PAGE.replace("<html>", "<html><head><meta name='csrf-token' content='on-page-3'></head>"),
    "200 OK",
    "Set-Cookie: XSRF-TOKEN=in%2Fcookie; path=/",
)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("token", "name", "value"),
    [
        ("in = 'header'\nfrom = 'form'\nkey = 'csrf'", "x-t", "in-form-1"),
        ("in = 'header'\nfrom = 'answer'\nkey = 'meta.token'", "x-t", "in-answer-2"),
        ("in = 'header'\nfrom = 'meta'\nkey = 'csrf-token'", "x-t", "on-page-3"),
        ("in = 'header'\nfrom = 'cookie'\nkey = 'XSRF-TOKEN'", "x-t", "in/cookie"),
    ],
)
async def test_a_token_is_read_from_its_origin(tmp_path: Path, token: str, name: str, value: str) -> None:
    """Saves and deletions carry a token of the form, the form's response, a page or a cookie."""
    own = load_profile(tmp_path, f"[save.tokens.X-T]\n{token}\n")
    pages = iter([answer(LOGIN_PAGE), START, START, START])
    async with (
        odd(app=lambda _: next(pages), do=lambda asked: answer(FORM)) as server,
        client(server.url, profile=own) as planso,
    ):
        form = await planso.read_form(5)
        await planso.save(form, form.plan({"vehicle_details.vin": "W"}))
        await planso.delete(5)
        saves = [
            asked for asked in server.requests if asked.body.startswith(b"fields") or "submode=delete" in asked.target
        ]

    assert [asked.headers[name] for asked in saves] == [value, value]


@pytest.mark.anyio
async def test_nothing_is_sent_without_a_token(tmp_path: Path) -> None:
    """Without its token a save is not sent: PlanSo would refuse it, or attribute it to somebody else."""
    own = load_profile(tmp_path, "[save.tokens.t]\nin = 'query'\nfrom = 'answer'\nkey = 'elsewhere'\n")
    async with odd(do=lambda _: answer(FORM)) as server, client(server.url, profile=own) as planso:
        form = await planso.read_form(5)
        before = len(server.requests)
        with pytest.raises(PlansoUnavailable, match=r"'elsewhere'.*nothing was sent"):
            await planso.save(form, form.plan({"vehicle_details.vin": "W"}))
        assert len(server.requests) == before


MARKUP = (
    "<input type=hidden name=rowID value=9><div><label>VIN</label><input name=v value=alt></div>"
    "<div><label>Bemerkungen</label><textarea name=r>eins\r\nzwei</textarea></div>"
    "<div><label>Mietwagen Navi</label><input type=checkbox name=n value=1 checked></div>"
    "<div><label>Mietwagen Isofix</label>"
    "<input type=hidden name=i value=0><input type=checkbox name=i value=1 checked></div>"
)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("asked", "more", "sent"),
    [
        ({"vehicle_details.vin": "neu"}, "", [("rowID", "9"), ("v", "neu")]),
        ({"remarks": "a\nb"}, "line_break = 'lf'", [("rowID", "9"), ("r", "a\nb")]),
        ({"remarks": "a\nb"}, "", [("rowID", "9"), ("r", "a\r\nb")]),
        ({"rental_car_isofix": False}, "", [("rowID", "9"), ("i", "0")]),
        ({"rental_car_navi": False}, "unchecked = '0'", [("rowID", "9"), ("n", "0")]),
    ],
)
async def test_only_what_changes_is_sent(tmp_path: Path, asked: dict[str, Any], more: str, sent: list[Any]) -> None:
    """With `sends = "changed"`, all pairs of changed names are sent, and those of `always`."""
    own = load_profile(tmp_path, f"[save]\nsends = 'changed'\nbody = 'plain'\nalways = ['rowID']\n{more}")
    form = form_of(MARKUP, own)
    async with odd(do=lambda _: answer("{}")) as server, client(server.url, profile=own) as planso:
        await planso.save(form, form.plan(asked))

    assert parse_qsl(server.requests[-1].body.decode(), keep_blank_values=True) == sent


def test_unchecking_without_a_value_is_refused(tmp_path: Path) -> None:
    """With `sends = "changed"` an unchecked box needs a value; in the whole form it is left out."""
    own = load_profile(tmp_path, "[save]\nsends = 'changed'")
    with pytest.raises(Invalid, match="Mietwagen Navi"):
        form_of(MARKUP, own).plan({"rental_car_navi": False})

    assert form_of(MARKUP).plan({"rental_car_navi": False}).changes


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("style", "reply", "outcome"),
    [
        ("success = ['saved=1']", answer('{"saved": 1}'), None),
        ("success = ['ok=true']", answer('{"ok": true}'), None),
        ("success = ['ok=true']", answer('{"ok": null}'), PlansoUnsure),
        ("success = ['empty']", answer(""), None),
        ("success = ['form']", answer(FORM), None),
        ("success = ['form']", answer("{}"), PlansoUnsure),
        ("success = ['redirect']", answer("", "302 Found", "Location: /app"), None),
        ("", answer("", "302 Found", "Location: /do?m=x"), PlansoUnsure),
        ("refusal = ['errors']", answer('{"errors": ["gesperrt"]}'), PlansoRefused),
        ("refusal = ['success=false']", answer('{"success": false, "message": "gesperrt"}'), PlansoRefused),
        ("refusal = ['success=false']", answer('{"success": true}'), None),
    ],
)
async def test_responses_are_interpreted_by_the_style(
    tmp_path: Path, style: str, reply: bytes, outcome: type[ConnectorError] | None
) -> None:
    """A response is a success, a refusal, or unknown where it matches neither."""
    own = load_profile(tmp_path, f"[save.answer]\n{style}\n")
    form = form_of(CONTENT, own)
    async with odd(do=lambda _: reply) as server, client(server.url, profile=own) as planso:
        if outcome is None:
            await planso.save(form, form.plan({"vehicle_details.vin": "W"}))
        else:
            with pytest.raises(outcome, match="gesperrt" if outcome is PlansoRefused else "order 123"):
                await planso.save(form, form.plan({"vehicle_details.vin": "W"}))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("new_id", "reply", "found"),
    [
        ("data.id", answer('{"dataID": 1, "data": {"id": "77"}}'), 77),
        ("data.id", answer('{"dataID": 1}'), None),
        ("rows.0.ID", answer('{"rows": [{"ID": 77}]}'), 77),
        ("location:dataID", answer("", "302 Found", "Location: /do?m=x&dataID=77"), 77),
    ],
)
async def test_a_new_order_s_id_is_read_where_the_style_says(
    tmp_path: Path, new_id: str, reply: bytes, found: int | None
) -> None:
    """Other numbers in the response are ignored."""
    success = "success = ['redirect']\n" if new_id.startswith("location") else ""
    own = load_profile(tmp_path, f"[save.answer]\n{success}new_id = '{new_id}'\n")
    form = form_of(CONTENT, own)
    async with odd(do=lambda _: reply) as server, client(server.url, profile=own) as planso:
        if found is None:
            with pytest.raises(PlansoUnsure, match="names no id"):
                await planso.create(form, form.plan({}))
        else:
            assert await planso.create(form, form.plan({})) == found
        assert urlsplit(server.requests[-1].target).path == "/do"
