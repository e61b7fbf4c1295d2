"""A save as the request that carries it, in an installation's style. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

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
"""What encodeURIComponent leaves alone beside letters and digits."""
_NEEDS_NO_CODE = re.compile(rf"[A-Za-z0-9{re.escape(_UNRESERVED)}]*")
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
    """
    The request of one action (`update`, `insert`, `delete`); `pairs` is None where no form goes along. `tokens` holds
    the value of each of the style's tokens by its name.
    """
    address = style.get_template(action)
    values = {ORDER_PLACEHOLDER: "" if order_id is None else str(order_id), TABLE_PLACEHOLDER: str(table_id)}
    members: dict[str, ParameterValue] = {name: _filled(value, values) for name, value in address.body.items()}
    query = [(name, values.get(value, value)) for name, value in address.query.items()]
    headers: dict[str, str] = {}
    for token in style.tokens:
        value = tokens[token.name]
        if token.place == "query":
            query.append((token.name, value))
        elif token.place == "body":
            members[token.name] = value
        else:
            headers[token.name] = value
    kind, body = _body(pairs, members, style)
    if kind:
        headers["Content-Type"] = kind
    path = address.path.replace(ORDER_PLACEHOLDER, quote(values[ORDER_PLACEHOLDER], safe=""))
    return EncodedRequest(address.method, path, tuple(query), headers, body)


def urlencode(pairs: Iterable[tuple[str, str]], space: str = "%20") -> str:
    """As jQuery's serialize() and `$.param` write pairs; `space` is `%20` or `+`."""
    return "&".join(f"{_quoted(name, space)}={_quoted(value, space)}" for name, value in pairs)


def convert_line_breaks(text: str, style: SaveStyle) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines if style.line_break == "lf" else lines.replace("\n", "\r\n")


def _filled(value: ParameterValue, values: Mapping[str, str]) -> ParameterValue:
    if not isinstance(value, str):
        return value
    if value in NUMBER_PLACEHOLDERS:
        number = values[NUMBER_PLACEHOLDERS[value]]
        return int(number) if number else ""
    return values.get(value, value)


def _body(pairs: Pairs | None, members: Mapping[str, ParameterValue], style: SaveStyle) -> tuple[str, bytes]:
    """The body's content type and bytes; both empty where nothing goes in it."""
    if pairs is None and not members:
        return "", b""
    texts = [(name, _text(value)) for name, value in members.items()]
    match style.body:
        case "json" | "json_pairs":
            return "application/json; charset=UTF-8", _json(_json_body(pairs, members, style)).encode()
        case "multipart":
            return _multipart([*texts, *(pairs or ())])
        case "plain":
            return _URLENCODED, urlencode([*texts, *(pairs or ())], style.space).encode()
        case "fields":
            form = None if pairs is None else urlencode(pairs, style.space)
        case _:
            form = None if pairs is None else _json(_json_form(pairs, as_pairs=style.body.endswith("pairs")))
    if form is not None:
        texts.append((style.form_parameter, form))
    return _URLENCODED, urlencode(texts, style.space).encode()


def _json_body(pairs: Pairs | None, members: Mapping[str, ParameterValue], style: SaveStyle) -> Any:
    if pairs is None:
        return dict(members)
    form = _json_form(pairs, as_pairs=style.body == "json_pairs")
    if style.form_parameter:
        return {**members, style.form_parameter: form}
    if isinstance(form, dict):
        return {**members, **form}
    return [*({"name": name, "value": value} for name, value in members.items()), *form]


def _json_form(pairs: Pairs, *, as_pairs: bool) -> dict[str, Any] | list[dict[str, str]]:
    """`[{"name": .., "value": ..}]` as serializeArray() makes it, or `{name: value}` with a list for repeated names."""
    if as_pairs:
        return [{"name": name, "value": value} for name, value in pairs]
    form: dict[str, Any] = {}
    for name, value in pairs:
        if name not in form:
            form[name] = value
        elif isinstance(form[name], list):
            form[name].append(value)
        else:
            form[name] = [form[name], value]
    return form


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()


def _text(value: ParameterValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _multipart(pairs: Iterable[tuple[str, str]]) -> tuple[str, bytes]:
    """multipart/form-data as browsers write it (RFC 7578; names escaped as HTML's standard says)."""
    parts = []
    for name, value in pairs:
        escaped = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
        head = f'Content-Disposition: form-data; name="{escaped}"\r\n\r\n'
        parts.append((head + value).encode("utf-8", "replace"))
    content = b"\r\n".join(parts)
    boundary = "----planso" + hashlib.sha256(content).hexdigest()[:32]
    while boundary.encode() in content:
        boundary = "----planso" + hashlib.sha256(boundary.encode()).hexdigest()[:32]
    lines = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
    return f"multipart/form-data; boundary={boundary}", lines + b"--%s--\r\n" % boundary.encode()


def _quoted(text: str, space: str) -> str:
    if _NEEDS_NO_CODE.fullmatch(text):
        return text
    coded = quote(text, safe=_UNRESERVED, errors="replace")
    return coded.replace("%20", "+") if space == "+" else coded
