"""Recordings written by hand, as a browser exports them, and what is learned from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.learned_profile import LearnedProfile
from planso_connector.planso.saving.learning import learn_profile
from planso_connector.planso.saving.recording import read_recording, require_accepted_writes
from planso_connector.planso.saving.redacted_har import redact_recording

URL = "https://reit.planso.de"
CALL = "/do?m=visual_forms_plain&tableID=12565&submode={}&dataID={}&call_back_class=wrapper_class&callback="
MARKUP = (
    "<form><input type=hidden name=rowID value='{row}'>"
    "<div><label>Fahrername</label><input name=f_1 value='{person}'></div>"
    "<div><label>Telefon</label><input name=f_2 value='{phone}'></div>"
    "<div><label>Kennzeichen</label><input name=f_3 value='{plate}'></div>"
    "<div><label>Bemerkungen</label><textarea name=f_4>\n{remarks}</textarea></div>"
    "<div><label>Mietwagen Navi</label><input type=checkbox name=f_5 value=1 checked></div>"
    "<div><label>VIN</label><input name=f_6 value='{vin}'></div>"
    "<div><label>KBA</label><input name=f_7 value='7'></div></form>"
)
HELD = {
    "row": "600123",
    "person": "Alt",
    "phone": "07151 1234567",
    "plate": "WN-A 12",
    "remarks": "eins",
    "vin": "WVWZZZ1KZAW000001",
}
FORM_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"


def build_entry(
    method: str, url: str, answer: Any = "", *, body: str = "", kind: str = FORM_TYPE, **more: Any
) -> dict[str, Any]:
    """`answer`: JSON unless it is a text; `more`: status, headers, cookies, redirect."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    headers = [{"name": name, "value": value} for name, value in more.get("headers", {}).items()]
    cookies = [{"name": name, "value": value} for name, value in more.get("cookies", {}).items()]
    posted = {"postData": {"mimeType": kind, "text": body}} if body else {}
    return {
        "startedDateTime": "2026-11-30T08:00:00.000Z",
        "time": 12.5,
        "request": {
            "method": method,
            "url": url if url.startswith("http") else URL + url,
            "httpVersion": "h2",
            "headers": [{"name": ":method", "value": method}, *headers],
            "cookies": cookies,
            "queryString": [],
            "headersSize": -1,
            "bodySize": len(body),
            **posted,
        },
        "response": {
            "status": more.get("status", 200),
            "statusText": "",
            "headers": [],
            "cookies": [],
            "content": {"size": len(text), "mimeType": "application/json", "text": text},
            "redirectURL": more.get("redirect", ""),
        },
        "cache": {},
        "timings": {},
    }


def build_login() -> dict[str, Any]:
    body = "system_login_username=meister.roehrich&system_login_password=streng+geheim%21&user_lat="
    return build_entry("POST", "/app", "<html><body>Werkstatt</body></html>", body=body)


def build_board(*ids: int) -> dict[str, Any]:
    orders = {str(at): {"ID": str(i), "short_name": "WN-A 12 Alt", "station": "2@active"} for at, i in enumerate(ids)}
    return build_entry("POST", "/do?m=resourceplanner_get_project_stations&filterID=", orders)


def build_form(order_id: int | str = 4711, submode: str = "update", answer: Any = None, **held: str) -> dict[str, Any]:
    content = MARKUP.format_map({**HELD, **held})
    return build_entry("POST", CALL.format(submode, order_id), {"center": {"content": content}, **(answer or {})})


def build_pairs(**changed: str) -> list[tuple[str, str]]:
    """What a browser sends of `build_form()`, with controls changed; an empty `f_5` is an unchecked box."""
    sent = {"rowID": HELD["row"], "f_1": HELD["person"], "f_2": HELD["phone"], "f_3": HELD["plate"]}
    sent |= {"f_4": HELD["remarks"], "f_5": "1", "f_6": HELD["vin"], "f_7": "7", **changed}
    return [(name, value) for name, value in sent.items() if name != "f_5" or value]


def build_save(url: str = CALL.format("update", 4711), answer: Any = None, **changed: str) -> dict[str, Any]:
    body = urlencode({"fields": urlencode(build_pairs(**(changed or {"f_1": "Neu"})))})
    return build_entry("POST", url, {"saved": 1} if answer is None else answer, body=body)


def write_har(path: Path, *entries: dict[str, Any], **log: Any) -> Path:
    path.write_text(json.dumps({"log": {"version": "1.2", "creator": {}, "entries": list(entries), **log}}), "utf-8")
    return path


def learn(path: Path) -> LearnedProfile:
    recording = read_recording(path, Profile.load())
    return learn_profile(recording, require_accepted_writes(recording, path))


def redact(path: Path, copy: Path) -> Path:
    """Write a redacted copy of the recording at `path`."""
    copy.write_text(redact_recording(read_recording(path, Profile.load())), "utf-8")
    return copy
