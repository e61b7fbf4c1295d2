"""
What a recording holds of PlanSo: the login, lists, pages, forms that were read, and what was saved, created or deleted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from planso_connector.domain.errors import PageChanged
from planso_connector.planso.http.decoding import LOGIN_FIELD
from planso_connector.planso.pages.board import parse_board, parse_order_id
from planso_connector.planso.pages.form import Form
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.body_decoding import DecodedBody, decode_body, decode_parameters
from planso_connector.planso.saving.har import HarEntry, RecordingError, read_har
from planso_connector.planso.saving.save_response import format_scalar, is_truthy_in_php
from planso_connector.planso.saving.save_style import ParameterValue
from planso_connector.planso.saving.tokens import extract_page_values

WriteAction = Literal["update", "insert", "delete"]

REDACTED_ORIGIN = "https://redacted.invalid"
"""Stands in a redacted recording in place of the installation's address."""

_DELETES = re.compile(r"delete|remove|destroy|l(oe|ö|%c3%b6)sch|entfern", re.IGNORECASE)
_ORDER_NAME = re.compile(r"(?!table|filter|session|station|employee)\w*id", re.IGNORECASE)
_FAILED = re.compile(r"false|0|error|fail\w*|fehler", re.IGNORECASE)


@dataclass(frozen=True)
class RecordedForm:
    """A form as an answer brought it. `order_id` is None for the empty form of an order to be."""

    entry: HarEntry
    response_json: Mapping[str, Any]
    form: Form
    order_id: int | None
    order_parameter: str
    """The parameter that named the order."""
    table_id: int | None


@dataclass(frozen=True)
class RecordedWrite:
    """A save, creation or deletion. `decoded` is None where no form went along."""

    action: WriteAction
    entry: HarEntry
    decoded: DecodedBody | None
    form: RecordedForm | None
    order_id: int | None
    response_json: Any
    """The answer's JSON; None where there is none."""
    is_refused: bool

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """The parameters in the body beside the form."""
        if self.decoded is not None:
            return self.decoded.members
        return decode_parameters(self.entry.body_type, self.entry.body or "")


@dataclass
class Recording:
    """Entries in their order. `ids` are the orders that lists and forms named."""

    origin: str
    login: HarEntry | None = None
    pages: list[tuple[HarEntry, dict[tuple[str, str], str]]] = field(default_factory=list)
    boards: list[tuple[HarEntry, tuple[int, ...]]] = field(default_factory=list)
    forms: list[RecordedForm] = field(default_factory=list)
    possible_writes: list[HarEntry] = field(default_factory=list)
    """Those that may have changed something: with a body, or named a deletion."""
    writes: list[RecordedWrite] = field(default_factory=list)
    entries_without_body: list[HarEntry] = field(default_factory=list)

    @property
    def order_ids(self) -> frozenset[int]:
        listed = {order_id for _, ids in self.boards for order_id in ids}
        return frozenset(listed | {form.order_id for form in self.forms if form.order_id is not None})

    @property
    def score(self) -> int:
        return 10 * len(self.forms) + 5 * len(self.boards) + 5 * (self.login is not None)


def read_recording(path: Path, profile: Profile, host: str = "") -> Recording:
    """
    What the file holds of the PlanSo at `host`, or of the one that it is about. Raises RecordingError where nothing can
    be learned from it.
    """
    found: dict[str, Recording] = {}
    requests: Counter[str] = Counter()
    for entry in read_har(path):
        requests[entry.host] += 1
        recording = found.setdefault(entry.origin, Recording(entry.origin))
        _sort(recording, entry, profile)
    wanted = [one for one in found.values() if not host or one.origin == REDACTED_ORIGIN or _host(one.origin) == host]
    if not wanted:
        most = requests.most_common(1)[0][0]
        raise RecordingError(f"{path} is a recording of {most}, not of {host} (PLANSO_URL).")
    recording = max(wanted, key=lambda one: (one.score, len(one.entries_without_body)))
    if not recording.score and not recording.entries_without_body and not recording.possible_writes:
        raise RecordingError(f"{path} holds no request to a PlanSo: no login, no list and no form of an order.")
    recording.writes = list(_writes(recording))
    return recording


def require_accepted_writes(recording: Recording, path: Path) -> list[RecordedWrite]:
    """The writes that were taken. Raises RecordingError where there is none."""
    if not recording.forms:
        _check_bodies(recording, path)
        raise RecordingError(f"{path} holds no form of an order; open an order while recording, change it and save it.")
    saves = [write for write in recording.writes if write.action != "delete"]
    taken = [write for write in recording.writes if not write.is_refused]
    if not saves:
        _check_bodies(recording, path)
        raise RecordingError(f"{path} holds no save: change a field of an order and save it while recording.")
    if not any(write.action != "delete" for write in taken):
        numbers = ", ".join(str(write.entry.number) for write in saves)
        raise RecordingError(f"PlanSo refused the save in {path} (entry {numbers}); record one that it takes.")
    return taken


def _check_bodies(recording: Recording, path: Path) -> None:
    if recording.entries_without_body:
        numbers = ", ".join(str(entry.number) for entry in recording.entries_without_body[:5])
        raise RecordingError(
            f"{path} was exported without the contents of requests or answers (entry {numbers}); export it with them "
            "(Chrome: 'Export HAR (with sensitive data)'), and record less, because browsers leave out large ones."
        )


def parse_json(text: str | None) -> Any:
    """JSON, or None."""
    if text is None or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _host(origin: str) -> str:
    return origin.partition("://")[2]


def _sort(recording: Recording, entry: HarEntry, profile: Profile) -> None:
    """Keep of an entry what may matter."""
    answer = parse_json(entry.text)
    is_write = bool(entry.body) or is_deletion(entry)
    if LOGIN_FIELD in (entry.body or ""):
        recording.login = entry
        is_write = False
    elif isinstance(answer, Mapping) and _content(answer) is not None and not is_deletion(entry):
        form = _form_read(entry, answer, profile)
        if form is not None:
            recording.forms.append(form)
    elif answer is not None and not is_write:
        ids = _listed(answer)
        if ids:
            recording.boards.append((entry, ids))
    if is_write:
        recording.possible_writes.append(entry)
    if entry.body is None or (entry.text is None and entry.status == 200):
        recording.entries_without_body.append(entry)
    if answer is None and entry.text and "<" in entry.text and LOGIN_FIELD not in entry.text:
        values = extract_page_values(entry.text)
        if values:
            recording.pages.append((entry, values))
    _bound(recording)


def _bound(recording: Recording) -> None:
    """Of a very long recording its beginning and its end, so that memory stays bounded."""
    for kept, most in (
        (recording.forms, 200),
        (recording.boards, 50),
        (recording.pages, 50),
        (recording.possible_writes, 2000),
    ):
        if len(kept) > most:
            del kept[most // 2]


def _content(answer: Mapping[str, Any]) -> str | None:
    center = answer.get("center")
    content = center.get("content") if isinstance(center, Mapping) else None
    return content if isinstance(content, str) else None


def is_deletion(entry: HarEntry) -> bool:
    words = [entry.path, *(value for _, value in entry.query), entry.body if len(entry.body or "") < 500 else ""]
    return entry.method == "DELETE" or any(_DELETES.search(word or "") for word in words)


def _listed(answer: Any) -> tuple[int, ...]:
    try:
        entries = parse_board(answer)
    except PageChanged:
        return ()
    return tuple(entry.order_id for entry in entries if entry.short_name or entry.station_id)


def get_request_parameters(entry: HarEntry) -> dict[str, str]:
    """The parameters of a request that reads, in the query or the body."""
    body = {name: format_scalar(value) for name, value in decode_parameters(entry.body_type, entry.body or "").items()}
    return {**dict(entry.query), **(body if len(body) < 20 else {})}


def _form_read(entry: HarEntry, answer: Mapping[str, Any], profile: Profile) -> RecordedForm | None:
    call = get_request_parameters(entry)
    table = next((parse_order_id(value) for name, value in call.items() if name.lower() == "tableid"), None)
    named = [
        (name, number)
        for name, value in call.items()
        if _ORDER_NAME.fullmatch(name) and (number := parse_order_id(value)) is not None
    ]
    name, order_id = min(named, key=lambda one: one[0].lower() != "dataid") if named else ("", None)
    try:
        form = Form.parse(answer, profile, order_id)
    except PageChanged:
        return None
    return RecordedForm(entry, answer, form, order_id, name, table) if form.markup.entries else None


def _writes(recording: Recording) -> Iterable[RecordedWrite]:
    known = {str(order_id) for order_id in recording.order_ids}
    for entry in recording.possible_writes:
        answer = parse_json(entry.text)
        refused = is_refusal(entry, answer)
        decoded, form = _read_with(entry, recording.forms)
        if decoded is None:
            named = [value for value in _named(entry) if value in known]
            if named and is_deletion(entry):
                before = [read for read in recording.forms if read.entry.number < entry.number]
                yield RecordedWrite(
                    "delete", entry, None, before[-1] if before else None, int(named[0]), answer, refused
                )
            continue
        assert form is not None
        action: WriteAction = "insert" if form.order_id is None else "update"
        yield RecordedWrite(action, entry, decoded, form, form.order_id, answer, refused)


def _named(entry: HarEntry) -> list[str]:
    """All that the request's address and body name."""
    members = decode_parameters(entry.body_type, entry.body or "")
    return [*(v for _, v in entry.query), *map(format_scalar, members.values()), *entry.path.split("/")]


def _read_with(entry: HarEntry, forms: Iterable[RecordedForm]) -> tuple[DecodedBody | None, RecordedForm | None]:
    """The reading of the body that fits one of the forms read before best, and that form."""
    readings = decode_body(entry.body_type, entry.body or "")
    best: tuple[tuple[int, ...], DecodedBody, RecordedForm] | None = None
    named = None
    for read in forms:
        if read.entry.number >= entry.number:
            continue
        visible = {c.name for c in read.form.markup.controls if c.type != "hidden" and c.name}
        names = {c.name for c in read.form.markup.controls if c.name}
        for reading in readings:
            sent = {name for name, _ in reading.pairs}
            if not sent & visible:
                continue
            named = _named(entry) if named is None else named
            is_named = read.order_id is not None and str(read.order_id) in named
            rank = (len(sent & names), -len(sent - names), is_named, bool(reading.parameter), read.entry.number)
            if best is None or rank > best[0]:
                best = (rank, _divided(reading, names), read)
    return (best[1], best[2]) if best is not None else (None, None)


def _divided(reading: DecodedBody, names: set[str]) -> DecodedBody:
    """Where form and parameters stand side by side: what is no control of the form is a parameter."""
    if reading.parameter:
        return reading
    numbers = reading.members
    members: dict[str, ParameterValue] = {
        name: numbers.get(name, value) for name, value in reading.pairs if name not in names
    }
    pairs = [pair for pair in reading.pairs if pair[0] in names]
    return DecodedBody(reading.style, "", pairs, members, reading.raw)


def is_refusal(entry: HarEntry, answer: Any) -> bool:
    if entry.status >= 400 or LOGIN_FIELD in (entry.text or "") or entry.status == 0:
        return True
    if not isinstance(answer, Mapping):
        return False
    if is_truthy_in_php(answer.get("error")) or is_truthy_in_php(answer.get("errors")):
        return True
    told = (format_scalar(answer[key]) for key in ("success", "saved", "ok", "status") if key in answer)
    return any(_FAILED.fullmatch(word) for word in told)
