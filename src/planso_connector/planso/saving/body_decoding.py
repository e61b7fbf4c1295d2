"""The ways in which a recorded request's body can be read as a form: the inverse of `encoding`. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qsl

from planso_connector.planso.saving.encoding import Pairs
from planso_connector.planso.saving.save_response import format_scalar
from planso_connector.planso.saving.save_style import ParameterValue

_URLENCODED = re.compile(r"[^\s=&{}\[\]\"<>]*=[^\s&{}\"<>]*(?:&[^\s=&{}\"<>]*=[^\s&{}\"<>]*)*")


@dataclass(frozen=True)
class DecodedBody:
    """
    One reading of a body. `style` is one of `style.BODIES`; `members` are parameters beside the form; `raw` is the
    urlencoded text in which blanks show, empty where there is none.
    """

    style: str
    parameter: str
    pairs: Pairs
    members: Mapping[str, ParameterValue]
    raw: str = ""


def decode_body(body_type: str, body: str) -> list[DecodedBody]:
    """All readings that the body allows; none for an empty one."""
    text = body.strip()
    kind = body_type.partition(";")[0].strip().lower()
    if not text:
        return []
    if kind == "multipart/form-data" or text.startswith("--"):
        return list(_multipart(body_type, body))
    if text[0] in "{[":
        return list(_of_json(text))
    if "=" in text:
        return list(_urlencoded(text))
    return []


def decode_parameters(body_type: str, body: str) -> dict[str, ParameterValue]:
    """A body without a form: its parameters by name."""
    found = decode_body(body_type, body)
    flat = next((reading for reading in found if reading.style in ("plain", "json", "multipart")), None)
    if flat is None:
        return {}
    return {**dict(flat.pairs), **flat.members}


def _urlencoded(text: str) -> Iterator[DecodedBody]:
    params = parse_qsl(text, keep_blank_values=True)
    yield DecodedBody("plain", "", params, {}, text)
    for name, value in params:
        rest = {other: held for other, held in params if other != name}
        if value[:1] in ("{", "["):
            pairs = _json_pairs(_loaded(value))
            if pairs is not None:
                style = "fields_json" if value[0] == "{" else "fields_json_pairs"
                yield DecodedBody(style, name, pairs, rest)
        elif "=" in value and _URLENCODED.fullmatch(value):
            yield DecodedBody("fields", name, parse_qsl(value, keep_blank_values=True), rest, value)


def _of_json(text: str) -> Iterator[DecodedBody]:
    loaded = _loaded(text)
    pairs = _json_pairs(loaded)
    if pairs is not None:
        yield DecodedBody("json" if isinstance(loaded, dict) else "json_pairs", "", pairs, _numbers(loaded))
    if not isinstance(loaded, dict):
        return
    for name, member in loaded.items():
        inner = _json_pairs(member)
        if inner is not None:
            rest = {other: held for other, held in loaded.items() if other != name and _is_scalar(held)}
            yield DecodedBody("json" if isinstance(member, dict) else "json_pairs", name, inner, rest)


def _numbers(loaded: Any) -> dict[str, ParameterValue]:
    """Members of a flat object that are no texts: which of them is a control is not known here."""
    if not isinstance(loaded, dict):
        return {}
    return {name: value for name, value in loaded.items() if isinstance(value, bool | int)}


def _multipart(body_type: str, body: str) -> Iterator[DecodedBody]:
    if "boundary" not in body_type.lower():
        body_type = f"multipart/form-data; boundary={body.lstrip().splitlines()[0].removeprefix('--')}"
    content = f"Content-Type: {body_type}\r\n\r\n".encode() + body.encode("utf-8", "replace")
    message = message_from_bytes(content, policy=policy.HTTP)
    if not message.is_multipart():
        return
    pairs = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str) and part.get_filename() is None:
            value = part.get_payload(decode=True)
            plain = name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
            pairs.append((plain, value.decode("utf-8", "replace") if isinstance(value, bytes) else ""))
    yield DecodedBody("multipart", "", pairs, {})


def _json_pairs(loaded: Any) -> Pairs | None:
    """`{name: value or list}` or `[{"name", "value"}]`; members that are neither are passed over."""
    if isinstance(loaded, dict):
        pairs: list[tuple[str, str]] = []
        for name, held in loaded.items():
            values = held if isinstance(held, list) else [held]
            pairs += [(name, format_scalar(value)) for value in values if _is_scalar(value)]
        return pairs
    if isinstance(loaded, list) and loaded and all(isinstance(one, dict) and "name" in one for one in loaded):
        return [(str(one["name"]), format_scalar(one.get("value"))) for one in loaded]
    return None


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
