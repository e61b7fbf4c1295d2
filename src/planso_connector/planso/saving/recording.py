"""Extract the login, boards, pages, forms and writes from a recorded HAR file."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from planso_connector.domain.errors import PageChanged
from planso_connector.planso.http.decoding import LOGIN_FIELD
from planso_connector.planso.pages.board_parser import parse_board, parse_order_id
from planso_connector.planso.pages.form_parser import Form
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.body_decoding import (
    DecodedBody,
    decode_body,
    decode_parameters,
    parse_json_container,
)
from planso_connector.planso.saving.har import HarEntry, RecordingError, read_har
from planso_connector.planso.saving.save_response import format_scalar, get_member, is_truthy_in_php
from planso_connector.planso.saving.save_style import ParameterValue
from planso_connector.planso.saving.tokens import extract_page_values

WriteAction = Literal["update", "insert", "delete"]

REDACTED_ORIGIN = "https://redacted.invalid"
"""Replaces the installation's address in a redacted recording."""

_DELETE_WORD = re.compile(r"delete|remove|destroy|l(oe|ö|%c3%b6)sch|entfern", re.IGNORECASE)
_ORDER_PARAMETER = re.compile(r"(?!table|filter|session|station|employee)\w*id", re.IGNORECASE)
_FAILURE_WORD = re.compile(r"false|0|error|fail\w*|fehler", re.IGNORECASE)


@dataclass(frozen=True)
class RecordedForm:
    """A form that a response brought. `order_id`: None for the empty form of an order to be created."""

    entry: HarEntry
    response_json: Mapping[str, Any]
    form: Form
    order_id: int | None
    order_parameter: str
    table_id: int | None


@dataclass(frozen=True)
class RecordedWrite:
    """A save, creation or deletion. `decoded`: None where no form was sent."""

    action: WriteAction
    entry: HarEntry
    decoded: DecodedBody | None
    form: RecordedForm | None
    order_id: int | None
    response_json: Any
    """None where the response was no JSON."""
    is_refused: bool

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """The parameters in the body beside the form."""
        if self.decoded is not None:
            return self.decoded.members
        return decode_parameters(self.entry.body_type, self.entry.body or "")


@dataclass
class Recording:
    """All lists are in the recording's order. `pages`: with their values, see `extract_page_values`."""

    origin: str
    login: HarEntry | None = None
    pages: list[tuple[HarEntry, dict[tuple[str, str], str]]] = field(default_factory=list)
    boards: list[tuple[HarEntry, tuple[int, ...]]] = field(default_factory=list)
    """With the ids of the listed orders."""
    forms: list[RecordedForm] = field(default_factory=list)
    possible_writes: list[HarEntry] = field(default_factory=list)
    """Requests with a body, and those that look like a deletion."""
    writes: list[RecordedWrite] = field(default_factory=list)
    entries_without_body: list[HarEntry] = field(default_factory=list)

    @property
    def order_ids(self) -> frozenset[int]:
        """The orders that boards and forms named."""
        listed = {order_id for _, order_ids in self.boards for order_id in order_ids}
        return frozenset(listed | {form.order_id for form in self.forms if form.order_id is not None})

    @property
    def score(self) -> int:
        """How much of a PlanSo it shows."""
        return 10 * len(self.forms) + 5 * len(self.boards) + 5 * (self.login is not None)


def read_recording(path: Path, profile: Profile, host: str = "") -> Recording:
    """
    What the file shows of the PlanSo at `host`, by default of the one with the most requests about orders. Raises
    RecordingError where nothing can be learned from it.
    """
    by_origin: dict[str, Recording] = {}
    requests: Counter[str] = Counter()
    for entry in read_har(path):
        requests[entry.host] += 1
        recording = by_origin.setdefault(entry.origin, Recording(entry.origin))
        _add_entry(recording, entry, profile)
    hosts = (host, REDACTED_ORIGIN.partition("://")[2])
    candidates = [one for one in by_origin.values() if not host or one.origin.partition("://")[2] in hosts]
    if not candidates:
        most_requested = requests.most_common(1)[0][0]
        raise RecordingError(f"{path} is a recording of {most_requested}, not of {host} (PLANSO_URL).")
    recording = max(candidates, key=lambda candidate: (candidate.score, len(candidate.entries_without_body)))
    if not recording.score and not recording.entries_without_body and not recording.possible_writes:
        raise RecordingError(f"{path} holds no request to a PlanSo: no login, no list and no form of an order.")
    recording.writes = list(_find_writes(recording))
    return recording


def require_accepted_writes(recording: Recording, path: Path) -> list[RecordedWrite]:
    """The writes that PlanSo accepted. Raises RecordingError where no save or creation is among them."""
    if not recording.forms:
        _check_bodies(recording, path)
        raise RecordingError(f"{path} holds no form of an order; open an order while recording, change it and save it.")
    saves = [write for write in recording.writes if write.action != "delete"]
    if not saves:
        _check_bodies(recording, path)
        raise RecordingError(f"{path} holds no save: change a field of an order and save it while recording.")
    if all(write.is_refused for write in saves):
        numbers = ", ".join(str(write.entry.number) for write in saves)
        raise RecordingError(f"PlanSo refused the save in {path} (entry {numbers}); record one that it takes.")
    return [write for write in recording.writes if not write.is_refused]


def _check_bodies(recording: Recording, path: Path) -> None:
    if recording.entries_without_body:
        numbers = ", ".join(str(entry.number) for entry in recording.entries_without_body[:5])
        raise RecordingError(
            f"{path} was exported without the contents of requests or answers (entry {numbers}); export it with them "
            "(Chrome: 'Export HAR (with sensitive data)'), and record less, because browsers leave out large ones."
        )


def _add_entry(recording: Recording, entry: HarEntry, profile: Profile) -> None:
    answer = parse_json_container(entry.text)
    is_write = bool(entry.body) or is_deletion(entry)
    if LOGIN_FIELD in (entry.body or ""):
        recording.login = entry
        is_write = False
    elif isinstance(get_member(answer, "center.content"), str) and not is_deletion(entry):
        form = _parse_form(entry, answer, profile)
        if form is not None:
            recording.forms.append(form)
    elif answer is not None and not is_write:
        order_ids = _list_orders(answer)
        if order_ids:
            recording.boards.append((entry, order_ids))
    if is_write:
        recording.possible_writes.append(entry)
    if entry.body is None or (entry.text is None and entry.status == 200):
        recording.entries_without_body.append(entry)
    if answer is None and entry.text and "<" in entry.text and LOGIN_FIELD not in entry.text:
        values = extract_page_values(entry.text)
        if values:
            recording.pages.append((entry, values))
    _drop_excess(recording)


def _drop_excess(recording: Recording) -> None:
    """Keep the beginning and the end of a very long recording, so that memory stays bounded."""
    limits = ((recording.forms, 200), (recording.boards, 50), (recording.pages, 50), (recording.possible_writes, 2000))
    for items, limit in limits:
        if len(items) > limit:
            del items[limit // 2]


def is_deletion(entry: HarEntry) -> bool:
    body = entry.body or ""
    texts = [entry.path, *(value for _, value in entry.query), body if len(body) < 500 else ""]
    return entry.method == "DELETE" or any(map(_DELETE_WORD.search, texts))


def _list_orders(answer: Any) -> tuple[int, ...]:
    try:
        orders = parse_board(answer)
    except PageChanged:
        return ()
    return tuple(order.order_id for order in orders if order.short_name or order.station_id)


def get_request_parameters(entry: HarEntry) -> dict[str, str]:
    """The parameters of a request that reads, in the query or the body."""
    body = {name: format_scalar(value) for name, value in decode_parameters(entry.body_type, entry.body or "").items()}
    return {**dict(entry.query), **(body if len(body) < 20 else {})}


def _parse_form(entry: HarEntry, answer: Mapping[str, Any], profile: Profile) -> RecordedForm | None:
    """None where the response holds no form of an order."""
    parameters = get_request_parameters(entry)
    table_id = next((parse_order_id(value) for name, value in parameters.items() if name.lower() == "tableid"), None)
    ids = {name: parse_order_id(value) for name, value in parameters.items() if _ORDER_PARAMETER.fullmatch(name)}
    names = [name for name, order_id in ids.items() if order_id is not None]
    order_parameter = min(names, key=lambda name: name.lower() != "dataid", default="")
    order_id = ids.get(order_parameter)
    try:
        form = Form.parse(answer, profile, order_id)
    except PageChanged:
        return None
    return RecordedForm(entry, answer, form, order_id, order_parameter, table_id) if form.markup.entries else None


def _find_writes(recording: Recording) -> Iterator[RecordedWrite]:
    known = set(map(str, recording.order_ids))
    for entry in recording.possible_writes:
        answer = parse_json_container(entry.text)
        is_refused = is_refusal(entry, answer)
        decoded, form = _match_form(entry, recording.forms)
        if decoded is not None and form is not None:
            action: WriteAction = "insert" if form.order_id is None else "update"
            yield RecordedWrite(action, entry, decoded, form, form.order_id, answer, is_refused)
            continue
        order_id = next((value for value in _list_values(entry) if value in known), None)
        if order_id is not None and is_deletion(entry):
            earlier = [form for form in recording.forms if form.entry.number < entry.number]
            form = earlier[-1] if earlier else None
            yield RecordedWrite("delete", entry, None, form, int(order_id), answer, is_refused)


def _list_values(entry: HarEntry) -> list[str]:
    """All values in the request's address and body."""
    parameters = decode_parameters(entry.body_type, entry.body or "")
    return [*(value for _, value in entry.query), *map(format_scalar, parameters.values()), *entry.path.split("/")]


def _match_form(entry: HarEntry, forms: Iterable[RecordedForm]) -> tuple[DecodedBody, RecordedForm] | tuple[None, None]:
    """How the body is best decoded as one of the forms that were read before, and that form."""
    bodies = decode_body(entry.body_type, entry.body or "")
    best: tuple[tuple[int, ...], DecodedBody, RecordedForm] | None = None
    values: list[str] | None = None
    for form in forms:
        if form.entry.number >= entry.number:
            continue
        names = {control.name for control in form.form.markup.controls if control.name}
        visible = {control.name for control in form.form.markup.controls if control.name and control.type != "hidden"}
        for body in bodies:
            sent = {name for name, _ in body.pairs}
            if not sent & visible:
                continue
            values = _list_values(entry) if values is None else values
            is_named = form.order_id is not None and str(form.order_id) in values
            rank = (len(sent & names), -len(sent - names), is_named, bool(body.parameter), form.entry.number)
            if best is None or rank > best[0]:
                best = (rank, _split_parameters(body, names), form)
    return best[1:] if best is not None else (None, None)


def _split_parameters(body: DecodedBody, names: set[str]) -> DecodedBody:
    """Where form and parameters are side by side: what is no control of the form is a parameter."""
    if body.parameter:
        return body
    members = {name: body.members.get(name, value) for name, value in body.pairs if name not in names}
    return replace(body, pairs=[pair for pair in body.pairs if pair[0] in names], members=members)


def is_refusal(entry: HarEntry, answer: Any) -> bool:
    if entry.status >= 400 or LOGIN_FIELD in (entry.text or "") or entry.status == 0:
        return True
    if not isinstance(answer, Mapping):
        return False
    if is_truthy_in_php(answer.get("error")) or is_truthy_in_php(answer.get("errors")):
        return True
    outcomes = [format_scalar(answer[key]) for key in ("success", "saved", "ok", "status") if key in answer]
    return any(map(_FAILURE_WORD.fullmatch, outcomes))
