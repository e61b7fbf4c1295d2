"""
A copy of a recording without personal data, passwords and cookies, which can still be learned from. Nothing is copied:
each entry is written anew from what was understood of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from planso_connector import __version__
from planso_connector.planso.pages.redact import mask_page
from planso_connector.planso.saving.encoding import encode_save, urlencode
from planso_connector.planso.saving.har import HarEntry
from planso_connector.planso.saving.masking import RecordingMasks
from planso_connector.planso.saving.parameter_learning import ParameterLearner
from planso_connector.planso.saving.recording import (
    REDACTED_ORIGIN,
    RecordedForm,
    RecordedWrite,
    Recording,
    get_request_parameters,
    parse_json,
)
from planso_connector.planso.saving.save_response import format_scalar
from planso_connector.planso.saving.save_style import ParameterValue, RequestTemplate, SaveStyle
from planso_connector.planso.saving.vocabulary import Vocabulary

_ROOM = 4_000_000
"""Characters of one page."""
_LOGIN = "system_login_username=xxxx&system_login_password=xxxx&user_lat=&user_lng=&user_accuracy="
_WHEN = "2000-01-01T00:00:00.000Z"


@dataclass
class _Request:
    headers: dict[str, str]
    body_type: str = ""
    body: str = ""
    cookies: Mapping[str, str] | None = None


def redact_recording(recording: Recording) -> str:
    """The copy as HAR 1.2."""
    return json.dumps(_Redaction(recording).har(), ensure_ascii=False, indent=1)


class _Redaction:
    """Lives for one recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        vocabulary = Vocabulary(recording)
        tables = frozenset(read.table_id for read in recording.forms if read.table_id is not None)
        self._masks = RecordingMasks(vocabulary, recording.order_ids, tables)
        self._tokens = ParameterLearner(recording, vocabulary).find_tokens()

    def har(self) -> dict[str, Any]:
        entries: dict[int, dict[str, Any]] = {}
        for entry, _ in self._recording.pages:
            if any(token.origin.entry.number == entry.number for token in self._tokens):
                entries[entry.number] = self._page(entry)
        login = self._recording.login
        if login is not None:
            entries[login.number] = self._entry(
                login, _Request({}, _FORM_TYPE, _LOGIN), self._page_text(login), "text/html"
            )
        for entry, ids in self._recording.boards:
            orders = {str(at): {"ID": self._masks.mask_json(i), "short_name": "xxxx"} for at, i in enumerate(ids)}
            entries[entry.number] = self._entry(entry, self._read(entry), json.dumps(orders))
        for read in self._recording.forms:
            entries[read.entry.number] = self._entry(read.entry, self._read(read.entry), self._form_answer(read))
        for write in self._recording.writes:
            entries[write.entry.number] = self._write(write)
        ordered = [entries[number] for number in sorted(entries)]
        creator = {"name": "planso-connector", "version": __version__}
        return {"log": {"version": "1.2", "creator": creator, "entries": ordered}}

    # -- entries

    def _page(self, entry: HarEntry) -> dict[str, Any]:
        return self._entry(entry, self._read(entry), self._page_text(entry), "text/html")

    def _page_text(self, entry: HarEntry) -> str:
        """A page with nothing but the tokens that a save took from it."""
        found = {}
        for token in self._tokens:
            if token.origin.entry.number == entry.number and token.origin.kind in ("meta", "input"):
                found[token.origin.kind, token.origin.key] = self._masks.mask_value(token.value)
        lines = []
        for (kind, key), value in found.items():
            name = self._masks.mask_parameter_name(key)
            is_meta = kind == "meta"
            lines.append(
                f'<meta name="{name}" content="{value}">'
                if is_meta
                else f'<input type="hidden" name="{name}" value="{value}">'
            )
        return f"<html><body>{''.join(lines)}</body></html>"

    def _read(self, entry: HarEntry) -> _Request:
        """A request that reads: its parameters in the body, where it had some there."""
        body = {
            name: value for name, value in get_request_parameters(entry).items() if (name, value) not in entry.query
        }
        if entry.method == "GET" or not body:
            return _Request({})
        return _Request({}, _FORM_TYPE, urlencode(self._parameters(body.items())))

    def _write(self, write: RecordedWrite) -> dict[str, Any]:
        decoded = write.decoded
        style = SaveStyle(body=decoded.style if decoded is not None else _style_of(write.entry))
        members = {self._masks.mask_parameter_name(n): self._constant(n, v) for n, v in write.parameters.items()}
        pairs = None
        if decoded is not None:
            pairs = [
                (self._masks.mask_parameter_name(name), self._masks.mask_value(value)) for name, value in decoded.pairs
            ]
            parameter = self._masks.mask_parameter_name(decoded.parameter)
            style = replace(style, parameter=parameter, space="+" if "+" in decoded.raw else "%20")
        sent = encode_save(pairs, replace(style, update=RequestTemplate(path="/", body=members)), "update", None, 0, {})
        headers = {}
        cookies = {}
        for token in self._tokens:
            if token.place == "header" and token.name.lower() in write.entry.headers:
                headers[token.name] = self._masks.mask_value(token.value)
            if token.origin.kind == "cookie":
                cookies[token.origin.key] = self._masks.mask_value(token.value)
        request = _Request(headers, sent.headers.get("Content-Type", ""), sent.body.decode(), cookies)
        read = next((f for f in self._recording.forms if f.entry.number == write.entry.number), None)
        if read is not None:
            return self._entry(write.entry, request, self._form_answer(read))
        text = write.entry.text or ""
        if text.strip():
            answer = parse_json(text)
            text = json.dumps(self._masks.mask_json(self._without_form(answer))) if answer is not None else "xxxx"
        return self._entry(write.entry, request, text, "application/json" if text else "text/html")

    def _form_answer(self, read: RecordedForm) -> str:
        answer = self._masks.mask_json(self._without_form(read.response_json))
        content = mask_page(str(read.response_json["center"]["content"]), self._masks, _ROOM)
        center = answer.get("center")
        answer["center"] = {**(center if isinstance(center, dict) else {}), "content": content}
        answer["functions"] = self._functions(read)
        return json.dumps(answer, ensure_ascii=False)

    def _functions(self, read: RecordedForm) -> str:
        """What the page's scripts fill in, written anew: their code is not kept."""
        lines = []
        for control in read.form.markup.controls:
            if control.script_value is not None and control.script_value.source == "a script":
                value = (
                    "x()"
                    if control.script_value.value is None
                    else json.dumps(self._masks.mask_value(control.script_value.value))
                )
                name = self._masks.mask_parameter_name(control.name)
                lines.append(f"$('[name=\"{name}\"]').val({value});")
        return "\n".join(lines)

    def _without_form(self, answer: Any) -> Any:
        if isinstance(answer, Mapping) and isinstance(answer.get("center"), Mapping):
            return {**answer, "center": {**answer["center"], "content": ""}}
        return answer

    # -- pieces

    def _constant(self, name: str, value: ParameterValue) -> ParameterValue:
        if isinstance(value, bool):
            return value
        masked = self._masks.mask_parameter(name, format_scalar(value))
        return int(masked) if isinstance(value, int) and masked.isdecimal() else masked

    def _parameters(self, members: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        return [
            (self._masks.mask_parameter_name(name), self._masks.mask_parameter(name, value))
            for name, value in members
            if name != "_"
        ]

    def _address(self, path: str, query: Iterable[tuple[str, str]]) -> str:
        steps = [self._masks.mask_path_segment(step) if step else "" for step in path.split("/")]
        told = urlencode(self._parameters(query))
        return REDACTED_ORIGIN + "/".join(steps) + (f"?{told}" if told else "")

    def _location(self, location: str) -> str:
        if not location:
            return ""
        url = urlsplit(location)
        return self._address(url.path or "/", parse_qsl(url.query, keep_blank_values=True))

    def _entry(self, entry: HarEntry, request: _Request, text: str, kind: str = "application/json") -> dict[str, Any]:
        method = entry.method if entry.method in ("GET", "POST", "PUT", "PATCH", "DELETE") else "POST"
        is_text = entry.text is not None
        content = {"size": len(text) if is_text else 1, "mimeType": kind, **({"text": text} if is_text else {})}
        posted: dict[str, Any] = {}
        if request.body:
            posted = {"postData": {"mimeType": request.body_type, "text": request.body}}
        headers = [{"name": name, "value": value} for name, value in request.headers.items()]
        cookies = [{"name": name, "value": value} for name, value in (request.cookies or {}).items()]
        head = {"httpVersion": "HTTP/1.1", "headersSize": -1}
        location = self._location(entry.location)
        return {
            "startedDateTime": _WHEN,
            "time": 0,
            "request": {
                "method": method,
                "url": self._address(entry.path, entry.query),
                "cookies": cookies,
                "headers": headers,
                "queryString": [],
                "bodySize": len(request.body),
                **head,
                **posted,
            },
            "response": {
                "status": entry.status,
                "statusText": "",
                "cookies": [],
                "headers": [],
                "content": content,
                "redirectURL": location,
                "bodySize": -1,
                **head,
            },
            "cache": {},
            "timings": {"send": 0, "wait": 0, "receive": 0},
        }


_FORM_TYPE = "application/x-www-form-urlencoded"


def _style_of(entry: HarEntry) -> str:
    """The notation of a body without a form."""
    kind = entry.body_type.lower()
    return "json" if "json" in kind else "multipart" if "multipart" in kind else "plain"
