"""Decode a recorded request's body in every way in which it can hold a form: the inverse of `encoding`. Pure."""

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
    A body decoded in one way. `style`: one of `save_style.BODIES`; `parameter`: the one that holds the form, if any;
    `members`: parameters besides the form; `raw`: the urlencoded text, which shows how blanks are written.
    """

    style: str
    parameter: str
    pairs: Pairs
    members: Mapping[str, ParameterValue]
    raw: str = ""


def decode_body(body_type: str, body: str) -> list[DecodedBody]:
    """All ways in which the body can be decoded."""
    text = body.strip()
    media_type = body_type.partition(";")[0].strip().lower()
    if not text:
        return []
    if media_type == "multipart/form-data" or text.startswith("--"):
        return list(_decode_multipart(body_type, body))
    if text[0] in "{[":
        return list(_decode_json(text))
    return list(_decode_urlencoded(text)) if "=" in text else []


def decode_parameters(body_type: str, body: str) -> dict[str, ParameterValue]:
    """The parameters of a body without a form, by name."""
    decoded = decode_body(body_type, body)
    flat = next((one for one in decoded if one.style in ("plain", "json", "multipart")), None)
    return {**dict(flat.pairs), **flat.members} if flat is not None else {}


def parse_json_container(text: str | None) -> Any:
    """An object or a list; None for anything else."""
    if text is None or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _decode_urlencoded(text: str) -> Iterator[DecodedBody]:
    parameters = parse_qsl(text, keep_blank_values=True)
    yield DecodedBody("plain", "", parameters, {}, text)
    for name, value in parameters:
        others = {other: held for other, held in parameters if other != name}
        if value[:1] in ("{", "["):
            pairs = _json_pairs(parse_json_container(value))
            if pairs is not None:
                yield DecodedBody("fields_json" if value[0] == "{" else "fields_json_pairs", name, pairs, others)
        elif "=" in value and _URLENCODED.fullmatch(value):
            yield DecodedBody("fields", name, parse_qsl(value, keep_blank_values=True), others, value)


def _decode_json(text: str) -> Iterator[DecodedBody]:
    content = parse_json_container(text)
    members = content if isinstance(content, dict) else {}
    pairs = _json_pairs(content)
    if pairs is not None:  # numbers and booleans may be parameters: which members are controls is not known here
        others = {name: value for name, value in members.items() if isinstance(value, bool | int)}
        yield DecodedBody("json" if isinstance(content, dict) else "json_pairs", "", pairs, others)
    for name, member in members.items():
        pairs = _json_pairs(member)
        if pairs is not None:
            others = {other: value for other, value in members.items() if other != name and _is_scalar(value)}
            yield DecodedBody("json" if isinstance(member, dict) else "json_pairs", name, pairs, others)


def _decode_multipart(body_type: str, body: str) -> Iterator[DecodedBody]:
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
            unescaped = name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
            pairs.append((unescaped, value.decode("utf-8", "replace") if isinstance(value, bytes) else ""))
    yield DecodedBody("multipart", "", pairs, {})


def _json_pairs(content: Any) -> Pairs | None:
    """The pairs of `{name: value or list}`, without other members, or of `[{"name", "value"}]`; None for neither."""
    if isinstance(content, dict):
        lists = {name: held if isinstance(held, list) else [held] for name, held in content.items()}
        return [(name, format_scalar(value)) for name, held in lists.items() for value in held if _is_scalar(value)]
    if isinstance(content, list) and content and all(isinstance(pair, dict) and "name" in pair for pair in content):
        return [(str(pair["name"]), format_scalar(pair.get("value"))) for pair in content]
    return None


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)
