"""A redacted recording holds no personal data in any encoding, and the same is learned from it."""

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
from planso_connector.planso.saving.redacted_har import redact_recording
from tests.planso.saving import hars

LETTERS = "bcdfghjklmnpqrstvwzBCDFGHJKLMNPQRSTVWZäöüßé"


def invent(dice: Random) -> str:
    """A value of a person, a vehicle or an appointment, without x and 9, of which masks are made."""

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


def build_recording(dice: Random, data: list[str]) -> dict[str, Any]:
    """A recording with invented values at every place that a recording has; they are added to `data`."""

    def plant() -> str:
        data.append(invent(dice))
        return data[-1]

    held = {key: html.escape(plant(), quote=True) for key in hars.HELD}
    opened = hars.build_form(
        4711, "update", {"functions": f"alert({json.dumps(plant())});", "user": {"name": plant()}}, **held
    )
    content = json.loads(opened["response"]["content"]["text"])
    extra = (
        f"<!-- {html.escape(plant())} --><script>var k = {json.dumps(plant())};</script>"
        f"<p title='{html.escape(plant(), quote=True)}' data-kunde='{html.escape(plant(), quote=True)}'>"
        f"{html.escape(plant())}</p><label>{html.escape(plant())} <input name=f_8 value='x'></label>"
        f"<select name=f_9><option value='{html.escape(plant(), quote=True)}' selected>{html.escape(plant())}"
        "</select>"
        f"<a href='tel:{html.escape(plant(), quote=True)}'>x</a><h2>{html.escape(plant())}</h2>"
    )
    content["center"]["content"] = content["center"]["content"].replace("</form>", extra + "</form>")
    text = json.dumps(content)
    opened["response"]["content"] |= {"text": base64.b64encode(text.encode()).decode(), "encoding": "base64"}
    saved = hars.build_save(
        answer={"saved": 1, "message": plant(), "order": {"owner": plant()}}, f_1=plant(), f_4=plant()
    )
    saved["request"]["url"] += f"&q={quote(plant())}&_=1764489600123"
    saved["request"]["postData"]["params"] = [{"name": "fields", "value": plant()}]
    entries = [hars.build_login(), hars.build_board(4711, 4712), opened, saved]
    listed = json.loads(entries[1]["response"]["content"]["text"])
    listed["0"]["short_name"] = plant()
    entries[1]["response"]["content"]["text"] = json.dumps(listed)
    entries.append(hars.build_entry("GET", f"/do?m=tab&name={quote_plus(plant())}", {"html": f"<b>{plant()}</b>"}))
    for raw in entries:
        raw["comment"] = plant()
        raw["serverIPAddress"] = "192.0.2.77"
        raw["pageref"] = plant()
    for raw, message in ((saved["request"], "cookie"), (saved["response"], "set-cookie")):
        raw["headers"] += [{"name": "X-Note", "value": plant()}, {"name": message, "value": f"PHPSESSID={plant()}"}]
        raw["cookies"] = [{"name": "PHPSESSID", "value": plant()}]
    saved["_initiator"] = {"stack": {"callFrames": [{"url": f"https://x.de/?{quote(plant())}"}]}}
    saved["_webSocketMessages"] = [{"data": plant()}]
    saved["timings"] = {"comment": plant()}
    pages = [{"title": plant(), "id": "page_1"}]
    return {
        "log": {
            "version": "1.2",
            "pages": pages,
            "creator": {"name": plant()},
            "browser": {"comment": plant()},
            "entries": entries,
        }
    }


def encode_variants(datum: str) -> set[str]:
    """The encodings in which a value can stand in a file."""
    plain = {datum, quote(datum), quote_plus(datum), quote(datum, safe=""), html.escape(datum), datum.casefold()}
    plain |= {json.dumps(text)[1:-1] for text in list(plain)}
    for start in range(3):  # base64 depends on where a text begins
        coded = base64.b64encode(b"\0" * start + datum.encode()).decode()
        plain.add(coded[4 if start else 0 : -4])
    return {text for text in plain if len(text) >= 4}


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_no_planted_value_is_left(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """No value is kept of headers, cookies, URLs, bodies, responses, base64, comments, titles and sockets."""
    data: list[str] = []
    raw = tmp_path_factory.getbasetemp() / "planted.har"
    raw.write_text(json.dumps(build_recording(Random(seed), data)), "utf-8")
    copy = redact_recording(read_recording(raw, Profile.load()))

    for text in (copy, copy.casefold(), json.dumps(json.loads(copy))):
        for datum in [*data, "meister.roehrich", "streng geheim!", "192.0.2.77", "4711", "600123", "1764489600123"]:
            assert not [variant for variant in encode_variants(datum) if variant in text]


CASES = {
    "saved as assumed": [hars.build_save()],
    "created and deleted": [
        hars.build_save(),
        hars.build_form("", "insert", row="", person="", phone="", plate="", remarks="", vin=""),
        hars.build_save(hars.CALL.format("insert", ""), {"ok": True, "data": {"id": 4713}}, f_1="Neu", f_3="WN-B 13"),
        hars.build_board(4711, 4712, 4713),
        hars.build_entry("POST", hars.CALL.format("delete", 4713), {"deleted": 1}),
    ],
    "refused once": [hars.build_save(answer={"saved": 0, "msg": "Herr Meier hat das offen"}), hars.build_save()],
    "a number in JSON": [
        hars.build_entry(
            "PUT",
            "/orders/4711",
            {"status": "ok"},
            body=json.dumps({"id": 4711, "final": True, "data": dict(hars.build_pairs(f_1="Neu"))}),
            kind="application/json",
        )
    ],
    "a cookie sent twice": [
        hars.build_entry(
            "POST",
            hars.CALL.format("update", 4711),
            {"saved": 1},
            body=urlencode({"fields": urlencode(hars.build_pairs(f_1="Neu"))}),
            headers={"X-XSRF-TOKEN": "geheim/1234567", "Cookie": "XSRF-TOKEN=geheim%2F1234567; PHPSESSID=abc12345"},
        )
    ],
}


@pytest.mark.parametrize("entries", CASES.values(), ids=CASES)
def test_the_same_is_learned_from_the_copy(tmp_path: Path, entries: list[dict[str, Any]]) -> None:
    """The profile learned from the copy is identical."""
    raw = hars.write_har(
        tmp_path / "raw.har", hars.build_login(), hars.build_board(4711, 4712), hars.build_form(), *entries
    )
    copy = hars.redact(raw, tmp_path / "copy.har")

    assert tomllib.loads(hars.learn(copy).to_toml()) == tomllib.loads(hars.learn(raw).to_toml())
    assert "geheim" not in copy.read_text("utf-8")
