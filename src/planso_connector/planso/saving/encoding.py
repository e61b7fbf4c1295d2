"""Encode a save as a request, in the save style of a PlanSo. Pure."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib import parse

from planso_connector.planso.saving.save_style import (
    NUMBER_PLACEHOLDERS,
    ORDER_PLACEHOLDER,
    TABLE_PLACEHOLDER,
    ParameterValue,
    SaveStyle,
)

Pairs = Sequence[tuple[str, str]]
"""Names and values of a form's controls, decoded, in document order."""

_UNRESERVED = "-_.!~*'()"
"""What encodeURIComponent leaves alone besides letters and digits."""
_ESCAPES = (("%", "%25"), ("&", "%26"), ("=", "%3D"), ("+", "%2B"))
_UNRESERVED_TEXT = re.compile(rf"[A-Za-z0-9{re.escape(_UNRESERVED)}]*")
_URLENCODED_TEXT = re.compile(rf"[A-Za-z0-9{re.escape(_UNRESERVED)}%&=+]*")
_URLENCODED = "application/x-www-form-urlencoded; charset=UTF-8"


@dataclass(frozen=True)
class EncodedRequest:
    """A request without host and cookies. `query` is decoded."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def encode_save(
    pairs: Pairs | None, style: SaveStyle, action: str, order_id: int | None, table_id: int, tokens: Mapping[str, str]
) -> EncodedRequest:
    """`action`: `update`, `insert` or `delete`; `pairs`: None without a form; `tokens`: the style's, by name."""
    template = style.get_template(action)
    values = {ORDER_PLACEHOLDER: "" if order_id is None else str(order_id), TABLE_PLACEHOLDER: str(table_id)}
    members = {name: _fill_placeholder(value, values) for name, value in template.body.items()}
    query = [(name, values.get(value, value)) for name, value in template.query.items()]
    headers: dict[str, str] = {}
    for token in style.tokens:
        value = tokens[token.name]
        if token.place == "query":
            query.append((token.name, value))
        elif token.place == "body":
            members[token.name] = value
        else:
            headers[token.name] = value
    content_type, body = _encode_body(pairs, members, style)
    if content_type:
        headers["Content-Type"] = content_type
    path = template.path.replace(ORDER_PLACEHOLDER, parse.quote(values[ORDER_PLACEHOLDER], safe=""))
    return EncodedRequest(template.method, path, tuple(query), headers, body)


def urlencode(pairs: Iterable[tuple[str, str]], space: str = "%20") -> str:
    """As jQuery's serialize() and `$.param` do it; `space` is `%20` or `+`."""
    return "&".join([f"{_quote(name, space)}={_quote(value, space)}" for name, value in pairs])


def _quote(text: str, space: str) -> str:
    if _UNRESERVED_TEXT.fullmatch(text):
        return text
    if _URLENCODED_TEXT.fullmatch(text):  # such as a whole form, which urllib would quote character by character
        for reserved, escaped in _ESCAPES:
            text = text.replace(reserved, escaped)
        return text
    quote = parse.quote_plus if space == "+" else parse.quote
    return quote(text, safe=_UNRESERVED, errors="replace")


def convert_line_breaks(text: str, line_break: str) -> str:
    """`line_break`: `lf` or `crlf`."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines if line_break == "lf" else lines.replace("\n", "\r\n")


def _fill_placeholder(value: ParameterValue, values: Mapping[str, str]) -> ParameterValue:
    if not isinstance(value, str):
        return value
    if value in NUMBER_PLACEHOLDERS:
        number = values[NUMBER_PLACEHOLDERS[value]]
        return int(number) if number else ""
    return values.get(value, value)


def _encode_body(pairs: Pairs | None, members: Mapping[str, ParameterValue], style: SaveStyle) -> tuple[str, bytes]:
    """The body's content type and bytes; both empty where nothing is to be sent."""
    if pairs is None and not members:
        return "", b""
    if style.body in ("json", "json_pairs"):
        return "application/json; charset=UTF-8", _dump_json(_build_json(pairs, members, style)).encode()
    parameters = [
        (name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in members.items()
    ]
    if pairs is not None:
        match style.body:
            case "plain" | "multipart":
                parameters += pairs
            case "fields":
                parameters.append((style.form_parameter, urlencode(pairs, style.space)))
            case _:
                form = _form_to_json(pairs, as_pairs=style.body == "fields_json_pairs")
                parameters.append((style.form_parameter, _dump_json(form)))
    if style.body == "multipart":
        return _encode_multipart(parameters)
    return _URLENCODED, urlencode(parameters, style.space).encode()


def _build_json(pairs: Pairs | None, members: Mapping[str, ParameterValue], style: SaveStyle) -> Any:
    if pairs is None:
        return dict(members)
    form = _form_to_json(pairs, as_pairs=style.body == "json_pairs")
    if style.form_parameter:
        return {**members, style.form_parameter: form}
    if isinstance(form, dict):
        return {**members, **form}
    return [*({"name": name, "value": value} for name, value in members.items()), *form]


def _form_to_json(pairs: Pairs, *, as_pairs: bool) -> dict[str, Any] | list[dict[str, str]]:
    """`[{"name": .., "value": ..}]` as serializeArray() makes it, or `{name: value}` with a list for repeated names."""
    if as_pairs:
        return [{"name": name, "value": value} for name, value in pairs]
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: held[0] if len(held) == 1 else held for name, held in values.items()}


def _dump_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()


def _encode_multipart(pairs: Iterable[tuple[str, str]]) -> tuple[str, bytes]:
    """multipart/form-data as browsers write it (RFC 7578; names escaped as in the HTML standard)."""
    parts = []
    for name, value in pairs:
        escaped = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
        disposition = f'Content-Disposition: form-data; name="{escaped}"\r\n\r\n'
        parts.append((disposition + value).encode("utf-8", "replace"))
    boundary = "----planso" + hashlib.sha256(b"\r\n".join(parts)).hexdigest()[:32]
    lines = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
    return f"multipart/form-data; boundary={boundary}", lines + b"--%s--\r\n" % boundary.encode()
