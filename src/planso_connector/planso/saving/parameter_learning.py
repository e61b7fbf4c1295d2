"""Which parameters go along with a save beside the form, and where their values come from. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from planso_connector.planso.saving.har import HarEntry
from planso_connector.planso.saving.learned_profile import LearnedProfile, describe_entry
from planso_connector.planso.saving.recording import RecordedWrite, Recording
from planso_connector.planso.saving.save_response import format_scalar
from planso_connector.planso.saving.save_style import ORDER_PLACEHOLDER, TABLE_PLACEHOLDER, ParameterValue
from planso_connector.planso.saving.vocabulary import Vocabulary

_CACHE_BUSTER = re.compile(r"1[5-9]\d{8}(\d{3})?|0\.\d{8,}")
_STEP = re.compile(r"[A-Za-z0-9._~-]+")
_NOWHERE = "where its value comes from is not in the recording."


class TokenOrigin(NamedTuple):
    """Where a token was seen before it was sent: as in `style.Token`, and in which entry."""

    kind: str
    key: str
    page: str
    entry: HarEntry


class SentToken(NamedTuple):
    """A token that a write carried."""

    name: str
    place: str
    value: str
    origin: TokenOrigin
    write: RecordedWrite


class ParameterLearner:
    """Learns the addresses of one recording's writes. `prefix` stands before every path (`/planso`)."""

    def __init__(self, recording: Recording, vocabulary: Vocabulary, prefix: str = "") -> None:
        self._recording = recording
        self._vocabulary = vocabulary
        self._prefix = prefix
        self._table = next((form.table_id for form in recording.forms if form.table_id is not None), None)
        self._order_names = frozenset(_order_names(recording))

    def learn_request(self, lesson: LearnedProfile, action: str, write: RecordedWrite) -> None:
        """The address of one action."""
        source = describe_entry(write.entry)
        lesson.add_setting(("save", action), "method", write.entry.method, source)
        path = self._path(write)
        if path:
            lesson.add_setting(("save", action), "path", path, source)
        else:
            lesson.assumptions.append(f"The path of entry {write.entry.number}: it holds more than letters and digits.")
        for place, members in (("query", dict(write.entry.query)), ("body", dict(write.parameters))):
            found = self._found(lesson, write, members)
            table = ("save", action, place)
            for name, value in found.items():
                lesson.add_setting(table, name, value, source)
            if place == "query" and not found:
                lesson.add_setting(("save", action), "query", {}, source)
        for name, value in _own_headers(write.entry):
            if self._origin(write, value) is None:
                lesson.warnings.append(
                    f"entry {write.entry.number}: the header '{_shown(name)}' is left out: {_NOWHERE}"
                )

    def learn_tokens(self, lesson: LearnedProfile) -> None:
        for token in self.find_tokens():
            table = ("save", "tokens", token.name)
            source = describe_entry(token.origin.entry)
            lesson.add_setting(table, "in", token.place, describe_entry(token.write.entry))
            lesson.add_setting(table, "from", token.origin.kind, source)
            lesson.add_setting(table, "key", token.origin.key, source)
            if token.origin.kind in ("meta", "input"):
                lesson.add_setting(table, "page", token.origin.page, source)

    def find_tokens(self) -> list[SentToken]:
        """The tokens of all writes, each name once."""
        found: dict[str, SentToken] = {}
        for write in self._recording.writes:
            sent = [("query", name, value) for name, value in write.entry.query]
            sent += [("body", name, format_scalar(value)) for name, value in write.parameters.items()]
            sent += [("header", _header_name(name), value) for name, value in _own_headers(write.entry)]
            for place, name, value in sent:
                if not write.is_refused and not self._is_id(write, value) and name not in found:
                    origin = self._origin(write, value)
                    if origin is not None and self._vocabulary.is_name(name) and self._vocabulary.is_name(origin.key):
                        found[name] = SentToken(name, place, value, origin, write)
        return list(found.values())

    def _is_id(self, write: RecordedWrite, text: str) -> bool:
        """Whether it names the order or the table."""
        return text in (str(write.order_id), str(self._table)) or _CACHE_BUSTER.fullmatch(text) is not None

    def _path(self, write: RecordedWrite) -> str:
        path = write.entry.path.removeprefix(self._prefix)
        order = "" if write.order_id is None else str(write.order_id)
        steps = [ORDER_PLACEHOLDER if order and step == order else step for step in path.split("/")]
        fits = path.startswith("/") and all(step in ("", ORDER_PLACEHOLDER) or _STEP.fullmatch(step) for step in steps)
        is_clean = (
            not any(step.casefold() in self._vocabulary.personal_values for step in steps)
            and "//" not in path
            and path != "/"
        )
        return "/".join(steps) if fits and is_clean else ""

    def _found(
        self, lesson: LearnedProfile, write: RecordedWrite, members: Mapping[str, ParameterValue]
    ) -> dict[str, ParameterValue]:
        """The parameters by name, as a profile writes them, without tokens."""
        found: dict[str, ParameterValue] = {}
        for name, value in members.items():
            text = format_scalar(value)
            is_number = isinstance(value, int) and not isinstance(value, bool)
            if write.order_id is not None and text == str(write.order_id):
                found[name] = "{order_number}" if is_number else ORDER_PLACEHOLDER
            elif write.action == "insert" and text == "" and name in self._order_names:
                found[name] = ORDER_PLACEHOLDER
            elif self._table is not None and text == str(self._table):
                found[name] = "{table_number}" if is_number else TABLE_PLACEHOLDER
            elif name == "_" or _CACHE_BUSTER.fullmatch(text) or self._origin(write, text) is not None:
                continue
            elif self._vocabulary.is_constant(name, text):
                found[name] = value
            else:
                lesson.warnings.append(
                    f"entry {write.entry.number}: the parameter '{_shown(name)}' is left out: {_NOWHERE} Where it is a "
                    "word of the installation, a recording with two saves shows it."
                )
        return found

    def _origin(self, write: RecordedWrite, value: str) -> TokenOrigin | None:
        """Where a token was seen before it was sent; None for what is none, or comes from nowhere that is recorded."""
        is_token = len(value) >= 8 and any(sign.isdigit() for sign in value)
        if not is_token and not (value.isdigit() and len(value) >= 5):
            return None
        before = write.entry.number
        form = write.form
        if form is not None:
            for control in form.form.markup.controls:
                if control.type == "hidden" and control.value == value and control.name:
                    return TokenOrigin("form", control.name, "", form.entry)
            for path, held in _members(form.response_json):
                if held == value:
                    return TokenOrigin("answer", path, "", form.entry)
        for entry, values in reversed(self._recording.pages):
            for (kind, key), held in values.items():
                if entry.number < before and held == value:
                    return TokenOrigin(kind, key, self._page(entry), entry)
        for name, held in write.entry.cookies.items():
            if unquote(held) == value:
                return TokenOrigin("cookie", name, "", write.entry)
        return None

    def _page(self, entry: HarEntry) -> str:
        path = entry.path.removeprefix(self._prefix)
        query = [f"{name}={value}" for name, value in entry.query if name != "_"]
        is_plain = all(re.fullmatch(r"\w+=\w*", one) and self._vocabulary.is_constant(*one.split("=")) for one in query)
        return path + ("?" + "&".join(query) if query and is_plain else "")


def _members(answer: Any, path: str = "", depth: int = 4) -> Iterable[tuple[str, str]]:
    """Texts and numbers of a form's JSON answer by their path, without the form itself."""
    if not isinstance(answer, Mapping):
        return
    for key, value in answer.items():
        if not re.fullmatch(r"[\w-]{1,40}", str(key)) or (path == "center." and key == "content"):
            continue
        if isinstance(value, str | int):
            yield f"{path}{key}", format_scalar(value)
        elif depth:
            yield from _members(value, f"{path}{key}.", depth - 1)


def _order_names(recording: Recording) -> Iterable[str]:
    """Parameters under which an order's id was sent."""
    yield from (form.order_parameter for form in recording.forms if form.order_parameter)
    for write in recording.writes:
        members = {**dict(write.entry.query), **write.parameters}
        yield from (n for n, v in members.items() if write.order_id and format_scalar(v) == str(write.order_id))


def _own_headers(entry: HarEntry) -> list[tuple[str, str]]:
    """Headers that a script of the installation set."""
    return [
        (name, value)
        for name, value in entry.headers.items()
        if (name.startswith("x-") and name != "x-requested-with" and not name.startswith("x-forwarded"))
        or "token" in name
        or "csrf" in name
    ]


def _header_name(name: str) -> str:
    return "-".join(part.upper() if part in ("csrf", "xsrf", "id") else part.capitalize() for part in name.split("-"))


def _shown(name: str) -> str:
    return name if re.fullmatch(r"[\w.\[\]-]{1,60}", name) else "..."
