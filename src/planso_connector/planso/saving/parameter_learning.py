"""Learn which parameters a save carries besides the form, and where their values come from. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from planso_connector.planso.saving.har import HarEntry
from planso_connector.planso.saving.learned_profile import LearnedProfile
from planso_connector.planso.saving.recording import RecordedWrite, Recording
from planso_connector.planso.saving.save_response import format_scalar, iter_members
from planso_connector.planso.saving.save_style import ORDER_PLACEHOLDER, TABLE_PLACEHOLDER, ParameterValue
from planso_connector.planso.saving.vocabulary import Vocabulary

_CACHE_BUSTER = re.compile(r"1[5-9]\d{8}(\d{3})?|0\.\d{8,}")
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")
_TOKEN = re.compile(r"(?=.*\d).{8,}|\d{5,}", re.DOTALL)
_NOWHERE = "where its value comes from is not in the recording."


class TokenOrigin(NamedTuple):
    """Where a token was seen before it was sent: `kind`, `key` and `page` as in SaveToken, and the entry."""

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
    """Learns the requests of one recording's writes. `prefix`: of all paths, such as `/planso`."""

    def __init__(self, recording: Recording, vocabulary: Vocabulary, prefix: str = "") -> None:
        self._recording = recording
        self._vocabulary = vocabulary
        self._prefix = prefix
        self._table = next((form.table_id for form in recording.forms if form.table_id is not None), None)
        self._order_parameters = frozenset(_find_order_parameters(recording))

    def learn_request(self, learned: LearnedProfile, action: str, write: RecordedWrite) -> None:
        """Learn the request of one action, without its tokens."""
        entry = write.entry
        learned.add_setting(("save", action), "method", entry.method, entry)
        path = self._template_path(write)
        if path:
            learned.add_setting(("save", action), "path", path, entry)
        else:
            learned.assumptions.append(f"The path of entry {entry.number}: it holds more than letters and digits.")
        query = self._select_constants(learned, write, dict(entry.query))
        for name, value in query.items():
            learned.add_setting(("save", action, "query"), name, value, entry)
        if not query:
            learned.add_setting(("save", action), "query", {}, entry)
        for name, value in self._select_constants(learned, write, write.parameters).items():
            learned.add_setting(("save", action, "body"), name, value, entry)
        for name, value in _own_headers(entry):
            if self._find_origin(write, value) is None:
                learned.warnings.append(f"entry {entry.number}: the header '{_mask_odd(name)}' is left out: {_NOWHERE}")

    def learn_tokens(self, learned: LearnedProfile) -> None:
        for token in self.find_tokens():
            table, origin = ("save", "tokens", token.name), token.origin
            learned.add_setting(table, "in", token.place, token.write.entry)
            learned.add_setting(table, "from", origin.kind, origin.entry)
            learned.add_setting(table, "key", origin.key, origin.entry)
            if origin.kind in ("meta", "input"):
                learned.add_setting(table, "page", origin.page, origin.entry)

    def find_tokens(self) -> list[SentToken]:
        """The tokens of all accepted writes, each name once."""
        tokens: dict[str, SentToken] = {}
        for write in self._recording.writes:
            sent = [("query", name, value) for name, value in write.entry.query]
            sent += [("body", name, format_scalar(value)) for name, value in write.parameters.items()]
            sent += [("header", _format_header_name(name), value) for name, value in _own_headers(write.entry)]
            for place, name, value in sent:
                if write.is_refused or self._is_id(write, value) or name in tokens:
                    continue
                origin = self._find_origin(write, value)
                if origin is not None and self._vocabulary.is_name(name) and self._vocabulary.is_name(origin.key):
                    tokens[name] = SentToken(name, place, value, origin, write)
        return list(tokens.values())

    def _is_id(self, write: RecordedWrite, text: str) -> bool:
        """Whether it names the order or the table, or is a cache buster."""
        return text in (str(write.order_id), str(self._table)) or _CACHE_BUSTER.fullmatch(text) is not None

    def _template_path(self, write: RecordedWrite) -> str:
        """The path with a placeholder for the order's id; empty where it may hold something else of the order."""
        path = write.entry.path.removeprefix(self._prefix)
        if not path.startswith("/") or "//" in path or path == "/":
            return ""
        order_id = "" if write.order_id is None else str(write.order_id)
        segments = [ORDER_PLACEHOLDER if order_id and segment == order_id else segment for segment in path.split("/")]
        for segment in segments:
            is_plain = segment in ("", ORDER_PLACEHOLDER) or _SEGMENT.fullmatch(segment)
            if not is_plain or segment.casefold() in self._vocabulary.personal_values:
                return ""
        return "/".join(segments)

    def _select_constants(
        self, learned: LearnedProfile, write: RecordedWrite, parameters: Mapping[str, ParameterValue]
    ) -> dict[str, ParameterValue]:
        """The parameters without tokens, as a profile writes them."""
        constants: dict[str, ParameterValue] = {}
        for name, value in parameters.items():
            text = format_scalar(value)
            is_number = isinstance(value, int) and not isinstance(value, bool)
            if write.order_id is not None and text == str(write.order_id):
                constants[name] = "{order_number}" if is_number else ORDER_PLACEHOLDER
            elif write.action == "insert" and text == "" and name in self._order_parameters:
                constants[name] = ORDER_PLACEHOLDER
            elif self._table is not None and text == str(self._table):
                constants[name] = "{table_number}" if is_number else TABLE_PLACEHOLDER
            elif name == "_" or _CACHE_BUSTER.fullmatch(text) or self._find_origin(write, text) is not None:
                continue
            elif self._vocabulary.is_constant(name, text):
                constants[name] = value
            else:
                learned.warnings.append(
                    f"entry {write.entry.number}: the parameter '{_mask_odd(name)}' is left out: {_NOWHERE} Where it "
                    "is a word of the installation, a recording with two saves shows it."
                )
        return constants

    def _find_origin(self, write: RecordedWrite, value: str) -> TokenOrigin | None:
        """None for what is no token, or was not recorded before it was sent."""
        if not _TOKEN.fullmatch(value):
            return None
        return next((origin for held, origin in self._iter_origins(write) if held == value), None)

    def _iter_origins(self, write: RecordedWrite) -> Iterator[tuple[str, TokenOrigin]]:
        """Values that the browser had before the write, with where they were found."""
        if write.form is not None:
            entry = write.form.entry
            for control in write.form.form.markup.controls:
                if control.type == "hidden" and control.name:
                    yield control.value, TokenOrigin("form", control.name, "", entry)
            for path, member in iter_members(write.form.response_json):
                yield str(member), TokenOrigin("answer", path, "", entry)
        for entry, values in reversed(self._recording.pages):
            if entry.number < write.entry.number:
                page = self._template_page(entry)
                yield from ((value, TokenOrigin(kind, key, page, entry)) for (kind, key), value in values.items())
        for name, value in write.entry.cookies.items():
            yield unquote(value), TokenOrigin("cookie", name, "", write.entry)

    def _template_page(self, entry: HarEntry) -> str:
        path = entry.path.removeprefix(self._prefix)
        query = {name: value for name, value in entry.query if name != "_"}
        if not query or not all(map(self._is_plain_parameter, query, query.values())):
            return path
        return f"{path}?{'&'.join(f'{name}={value}' for name, value in query.items())}"

    def _is_plain_parameter(self, name: str, value: str) -> bool:
        return re.fullmatch(r"\w+=\w*", f"{name}={value}") is not None and self._vocabulary.is_constant(name, value)


def _find_order_parameters(recording: Recording) -> Iterator[str]:
    """Parameters that carried an order's id."""
    yield from (form.order_parameter for form in recording.forms if form.order_parameter)
    for write in recording.writes:
        parameters = {**dict(write.entry.query), **write.parameters}
        yield from (n for n, v in parameters.items() if write.order_id and format_scalar(v) == str(write.order_id))


def _own_headers(entry: HarEntry) -> list[tuple[str, str]]:
    """Headers that a script of the installation set."""
    return [
        (name, value)
        for name, value in entry.headers.items()
        if (name.startswith("x-") and name != "x-requested-with" and not name.startswith("x-forwarded"))
        or "token" in name
        or "csrf" in name
    ]


def _format_header_name(name: str) -> str:
    return "-".join(part.upper() if part in ("csrf", "xsrf", "id") else part.capitalize() for part in name.split("-"))


def _mask_odd(name: str) -> str:
    """The name, unless it may hold a value."""
    return name if re.fullmatch(r"[\w.\[\]-]{1,60}", name) else "..."
