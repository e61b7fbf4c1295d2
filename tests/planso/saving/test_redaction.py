"""A redacted recording holds nothing of anybody, in no encoding, and teaches what the raw one does."""

from __future__ import annotations

import base64
import html
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.recording import read_recording
from planso_connector.planso.saving.redaction import redact_recording
from tests.planso.saving import hars
from tests.planso.saving.test_learned import learned

LETTERS = "bcdfghjklmnpqrstvwzBCDFGHJKLMNPQRSTVWZäöüßé"


def invented(dice: Random) -> str:
    """A datum of a person, a vehicle or an appointment. Without x and 9, of which masks are made."""

    def word(letters: str = LETTERS, least: int = 6) -> str:
        return "".join(dice.choices(letters, k=dice.randint(least, 10)))

    def number(digits: int) -> str:
        return "".join(dice.choices("12345678", k=digits))

    kinds: list[Callable[[], str]] = [
        word,
        lambda: f"{word()} {word()}",
        lambda: f"{word('bcdfgh')}@{word('klmn')}.de",
        lambda: f"WN-{word('BCDFG', 2)[:2]} {number(4)}",
        lambda: f"0{number(4)} {number(7)}",
        lambda: f"WVWZZZ{number(11)}",
        lambda: f'{word()}weg {number(2)}\n<{word()}> & "{word()}"',
        lambda: f"{dice.randint(10, 28)}.{dice.randint(10, 12)}.20{number(2)}",
    ]
    return dice.choice(kinds)()


def planted(dice: Random, data: list[str]) -> dict[str, Any]:
    """A recording with invented data, which is added to `data`, at every place that a recording has."""

    def hidden() -> str:
        data.append(invented(dice))
        return data[-1]

    held = {key: html.escape(hidden(), quote=True) for key in hars.HELD}
    opened = hars.form(
        4711, "update", {"functions": f"alert({json.dumps(hidden())});", "user": {"name": hidden()}}, **held
    )
    content = json.loads(opened["response"]["content"]["text"])
    extra = (
        f"<!-- {html.escape(hidden())} --><script>var k = {json.dumps(hidden())};</script>"
        f"<p title='{html.escape(hidden(), quote=True)}' data-kunde='{html.escape(hidden(), quote=True)}'>"
        f"{html.escape(hidden())}</p><label>{html.escape(hidden())} <input name=f_8 value='x'></label>"
        f"<select name=f_9><option value='{html.escape(hidden(), quote=True)}' selected>{html.escape(hidden())}"
        "</select>"
        f"<a href='tel:{html.escape(hidden(), quote=True)}'>x</a><h2>{html.escape(hidden())}</h2>"
    )
    content["center"]["content"] = content["center"]["content"].replace("</form>", extra + "</form>")
    text = json.dumps(content)
    opened["response"]["content"] |= {"text": base64.b64encode(text.encode()).decode(), "encoding": "base64"}
    saved = hars.save(
        answer={"saved": 1, "message": hidden(), "order": {"owner": hidden()}}, f_1=hidden(), f_4=hidden()
    )
    saved["request"]["url"] += f"&q={quote(hidden())}&_=1764489600123"
    saved["request"]["postData"]["params"] = [{"name": "fields", "value": hidden()}]
    entries = [hars.login(), hars.board(4711, 4712), opened, saved]
    listed = json.loads(entries[1]["response"]["content"]["text"])
    listed["0"]["short_name"] = hidden()
    entries[1]["response"]["content"]["text"] = json.dumps(listed)
    entries.append(hars.entry("GET", f"/do?m=tab&name={quote_plus(hidden())}", {"html": f"<b>{hidden()}</b>"}))
    for raw in entries:
        raw["comment"] = hidden()
        raw["serverIPAddress"] = "192.0.2.77"
        raw["pageref"] = hidden()
    for raw, message in ((saved["request"], "cookie"), (saved["response"], "set-cookie")):
        raw["headers"] += [{"name": "X-Note", "value": hidden()}, {"name": message, "value": f"PHPSESSID={hidden()}"}]
        raw["cookies"] = [{"name": "PHPSESSID", "value": hidden()}]
    saved["_initiator"] = {"stack": {"callFrames": [{"url": f"https://x.de/?{quote(hidden())}"}]}}
    saved["_webSocketMessages"] = [{"data": hidden()}]
    saved["timings"] = {"comment": hidden()}
    pages = [{"title": hidden(), "id": "page_1"}]
    return {
        "log": {
            "version": "1.2",
            "pages": pages,
            "creator": {"name": hidden()},
            "browser": {"comment": hidden()},
            "entries": entries,
        }
    }


def spellings(datum: str) -> set[str]:
    """The ways in which a datum can stand in a file."""
    plain = {datum, quote(datum), quote_plus(datum), quote(datum, safe=""), html.escape(datum), datum.casefold()}
    plain |= {json.dumps(text)[1:-1] for text in list(plain)}
    for start in range(3):  # base64 depends on where a text begins
        coded = base64.b64encode(b"\0" * start + datum.encode()).decode()
        plain.add(coded[4 if start else 0 : -4])
    return {text for text in plain if len(text) >= 4}


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_nothing_that_was_planted_is_left(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Headers, cookies, addresses, bodies, answers, base64, comments, titles, sockets: nothing of them is kept."""
    data: list[str] = []
    raw = tmp_path_factory.getbasetemp() / "planted.har"
    raw.write_text(json.dumps(planted(Random(seed), data)), "utf-8")
    copy = redact_recording(read_recording(raw, Profile.load()))

    for text in (copy, copy.casefold(), json.dumps(json.loads(copy))):
        for datum in [*data, "meister.roehrich", "streng geheim!", "192.0.2.77", "4711", "600123", "1764489600123"]:
            assert not [spelling for spelling in spellings(datum) if spelling in text]


CASES = {
    "saved as assumed": [hars.save()],
    "created and deleted": [
        hars.save(),
        hars.form("", "insert", row="", person="", phone="", plate="", remarks="", vin=""),
        hars.save(hars.CALL.format("insert", ""), {"ok": True, "data": {"id": 4713}}, f_1="Neu", f_3="WN-B 13"),
        hars.board(4711, 4712, 4713),
        hars.entry("POST", hars.CALL.format("delete", 4713), {"deleted": 1}),
    ],
    "refused once": [hars.save(answer={"saved": 0, "msg": "Herr Meier hat das offen"}), hars.save()],
    "a number in JSON": [
        hars.entry(
            "PUT",
            "/orders/4711",
            {"status": "ok"},
            body=json.dumps({"id": 4711, "final": True, "data": dict(hars.pairs(f_1="Neu"))}),
            kind="application/json",
        )
    ],
    "a cookie sent twice": [
        hars.entry(
            "POST",
            hars.CALL.format("update", 4711),
            {"saved": 1},
            body=urlencode({"fields": urlencode(hars.pairs(f_1="Neu"))}),
            headers={"X-XSRF-TOKEN": "geheim/1234567", "Cookie": "XSRF-TOKEN=geheim%2F1234567; PHPSESSID=abc12345"},
        )
    ],
}


@pytest.mark.parametrize("entries", CASES.values(), ids=CASES)
def test_the_copy_teaches_what_the_recording_does(tmp_path: Path, entries: list[dict[str, Any]]) -> None:
    """The profile learned from the copy says the same, to the letter."""
    raw = hars.har(tmp_path / "raw.har", hars.login(), hars.board(4711, 4712), hars.form(), *entries)
    copy = tmp_path / "copy.har"
    copy.write_text(redact_recording(read_recording(raw, Profile.load())), "utf-8")

    assert tomllib.loads(learned(copy).to_toml()) == tomllib.loads(learned(raw).to_toml())
    assert "geheim" not in copy.read_text("utf-8")
