"""
Write a copy of a recording without personal data, passwords and cookies, from which the same is learned. Nothing is
copied: each entry is rebuilt from what was parsed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from planso_connector import __version__
from planso_connector.planso.pages.page_masking import mask_page
from planso_connector.planso.saving.body_decoding import parse_json_container
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
)
from planso_connector.planso.saving.save_response import format_scalar
from planso_connector.planso.saving.save_style import ParameterValue, RequestTemplate, SaveStyle
from planso_connector.planso.saving.vocabulary import Vocabulary

_MAX_PAGE_LENGTH = 4_000_000
_FORM_TYPE = "application/x-www-form-urlencoded"
_LOGIN = "system_login_username=xxxx&system_login_password=xxxx&user_lat=&user_lng=&user_accuracy="
_STARTED_AT = "2000-01-01T00:00:00.000Z"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass
class _Request:
    body_type: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)


def redact_recording(recording: Recording) -> str:
    """The copy as HAR 1.2."""
    return json.dumps(_Redaction(recording).build_har(), ensure_ascii=False, indent=1)


class _Redaction:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        vocabulary = Vocabulary(recording)
        table_ids = frozenset(form.table_id for form in recording.forms if form.table_id is not None)
        self._masks = RecordingMasks(vocabulary, recording.order_ids, table_ids)
        self._tokens = ParameterLearner(recording, vocabulary).find_tokens()

    def build_har(self) -> dict[str, Any]:
        entries: dict[int, dict[str, Any]] = {}
        for entry, _ in self._recording.pages:
            if any(token.origin.entry.number == entry.number for token in self._tokens):
                entries[entry.number] = self._build_entry(
                    entry, self._mask_read(entry), self._build_page(entry), "text/html"
                )
        login = self._recording.login
        if login is not None:
            request = _Request(_FORM_TYPE, _LOGIN)
            entries[login.number] = self._build_entry(login, request, self._build_page(login), "text/html")
        for entry, order_ids in self._recording.boards:
            ids = map(self._masks.mask_json, order_ids)
            board = {str(position): {"ID": order_id, "short_name": "xxxx"} for position, order_id in enumerate(ids)}
            entries[entry.number] = self._build_entry(entry, self._mask_read(entry), json.dumps(board))
        for form in self._recording.forms:
            request = self._mask_read(form.entry)
            entries[form.entry.number] = self._build_entry(form.entry, request, self._mask_form_response(form))
        for write in self._recording.writes:
            entries[write.entry.number] = self._build_write(write)
        ordered = [entries[number] for number in sorted(entries)]
        creator = {"name": "planso-connector", "version": __version__}
        return {"log": {"version": "1.2", "creator": creator, "entries": ordered}}

    # -- entries

    def _build_page(self, entry: HarEntry) -> str:
        """A page with nothing but the tokens that a save took from it."""
        elements = {}
        for token in self._tokens:
            origin = token.origin
            if origin.entry.number != entry.number or origin.kind not in ("meta", "input"):
                continue
            name, value = self._masks.mask_parameter_name(origin.key), self._masks.mask_value(token.value)
            if origin.kind == "meta":
                element = f'<meta name="{name}" content="{value}">'
            else:
                element = f'<input type="hidden" name="{name}" value="{value}">'
            elements[origin.kind, origin.key] = element
        return f"<html><body>{''.join(elements.values())}</body></html>"

    def _mask_read(self, entry: HarEntry) -> _Request:
        """A request that reads, with its parameters in the body where it had some there."""
        parameters = get_request_parameters(entry).items()
        body = [parameter for parameter in parameters if parameter not in entry.query]
        if entry.method == "GET" or not body:
            return _Request()
        return _Request(_FORM_TYPE, urlencode(self._mask_parameters(body)))

    def _build_write(self, write: RecordedWrite) -> dict[str, Any]:
        form = next((form for form in self._recording.forms if form.entry.number == write.entry.number), None)
        request, text = self._mask_write(write), write.entry.text or ""
        if form is not None:
            return self._build_entry(write.entry, request, self._mask_form_response(form))
        if text.strip():
            answer = parse_json_container(text)
            text = json.dumps(self._masks.mask_json(_remove_form(answer))) if answer is not None else "xxxx"
        return self._build_entry(write.entry, request, text, "application/json" if text else "text/html")

    def _mask_write(self, write: RecordedWrite) -> _Request:
        decoded, mask_name = write.decoded, self._masks.mask_parameter_name
        members = {mask_name(name): self._mask_member(name, value) for name, value in write.parameters.items()}
        template = RequestTemplate(path="/", body=members)
        if decoded is None:
            pairs, style = None, SaveStyle(body=_detect_body_style(write.entry), update=template)
        else:
            pairs = [(mask_name(name), self._masks.mask_value(value)) for name, value in decoded.pairs]
            space = "+" if "+" in decoded.raw else "%20"
            style = SaveStyle(body=decoded.style, parameter=mask_name(decoded.parameter), space=space, update=template)
        encoded = encode_save(pairs, style, "update", None, 0, {})
        headers, cookies = {}, {}
        for token in self._tokens:
            if token.place == "header" and token.name.lower() in write.entry.headers:
                headers[token.name] = self._masks.mask_value(token.value)
            if token.origin.kind == "cookie":
                cookies[token.origin.key] = self._masks.mask_value(token.value)
        return _Request(encoded.headers.get("Content-Type", ""), encoded.body.decode(), headers, cookies)

    def _mask_form_response(self, form: RecordedForm) -> str:
        answer = self._masks.mask_json(_remove_form(form.response_json))
        content = mask_page(str(form.response_json["center"]["content"]), self._masks, _MAX_PAGE_LENGTH)
        center = answer.get("center")
        answer["center"] = {**(center if isinstance(center, dict) else {}), "content": content}
        answer["functions"] = self._build_script(form)
        return json.dumps(answer, ensure_ascii=False)

    def _build_script(self, form: RecordedForm) -> str:
        """What the page's scripts fill in, in code of our own."""
        lines = []
        for control in form.form.markup.controls:
            filled = control.script_value
            if filled is not None and filled.source == "a script":
                value = "x()" if filled.value is None else json.dumps(self._masks.mask_value(filled.value))
                name = self._masks.mask_parameter_name(control.name)
                lines.append(f"$('[name=\"{name}\"]').val({value});")
        return "\n".join(lines)

    # -- pieces

    def _mask_member(self, name: str, value: ParameterValue) -> ParameterValue:
        if isinstance(value, bool):
            return value
        masked = self._masks.mask_parameter(name, format_scalar(value))
        return int(masked) if isinstance(value, int) and masked.isdecimal() else masked

    def _mask_parameters(self, parameters: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        return [
            (self._masks.mask_parameter_name(name), self._masks.mask_parameter(name, value))
            for name, value in parameters
            if name != "_"
        ]

    def _mask_url(self, path: str, query: Iterable[tuple[str, str]]) -> str:
        segments = [self._masks.mask_path_segment(segment) if segment else "" for segment in path.split("/")]
        parameters = urlencode(self._mask_parameters(query))
        return REDACTED_ORIGIN + "/".join(segments) + (f"?{parameters}" if parameters else "")

    def _build_entry(
        self, entry: HarEntry, request: _Request, text: str, content_type: str = "application/json"
    ) -> dict[str, Any]:
        location = urlsplit(entry.location)
        redirect_query = parse_qsl(location.query, keep_blank_values=True)
        content: dict[str, Any] = {"size": 1, "mimeType": content_type}
        if entry.text is not None:
            content |= {"size": len(text), "text": text}
        posted = {"postData": {"mimeType": request.body_type, "text": request.body}} if request.body else {}
        message = {"httpVersion": "HTTP/1.1", "headersSize": -1}
        return {
            "startedDateTime": _STARTED_AT,
            "time": 0,
            "request": {
                "method": entry.method if entry.method in _METHODS else "POST",
                "url": self._mask_url(entry.path, entry.query),
                "cookies": _to_har_pairs(request.cookies),
                "headers": _to_har_pairs(request.headers),
                "queryString": [],
                "bodySize": len(request.body),
                **message,
                **posted,
            },
            "response": {
                "status": entry.status,
                "statusText": "",
                "cookies": [],
                "headers": [],
                "content": content,
                "redirectURL": self._mask_url(location.path or "/", redirect_query) if entry.location else "",
                "bodySize": -1,
                **message,
            },
            "cache": {},
            "timings": {"send": 0, "wait": 0, "receive": 0},
        }


def _remove_form(answer: Any) -> Any:
    if isinstance(answer, Mapping) and isinstance(answer.get("center"), Mapping):
        return {**answer, "center": {**answer["center"], "content": ""}}
    return answer


def _to_har_pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _detect_body_style(entry: HarEntry) -> str:
    """The style of a body without a form."""
    body_type = entry.body_type.lower()
    return "json" if "json" in body_type else "multipart" if "multipart" in body_type else "plain"
