"""Parse the body of a save in the installation's style; a body in another style is refused."""

import json
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from planso_connector.sandbox.forms import SaveRefusedError
from planso_connector.sandbox.php import Pairs, parse_pairs
from planso_connector.sandbox.save_style import SaveStyle

_NAME = re.compile(rb'name="([^"]*)"', re.IGNORECASE)
_BOUNDARY = re.compile(r'boundary="?([^";]+)', re.IGNORECASE)
_NOT_UNDERSTOOD = "Die Anfrage wurde nicht verstanden: Es kamen keine Formularfelder an."


def parse_body(
    style: SaveStyle, content_type: str, body: bytes, outer: AbstractSet[str]
) -> tuple[dict[str, str], Pairs | None]:
    """The parameters besides the form, and the form's pairs in their order; None where there is no form.

    `outer`: the names of parameters besides the form. Raises `SaveRefusedError` for another style.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return {}, None
    if style.body == "json":
        return _split_pairs(_json_pairs(body, kind), outer)
    if style.body == "multipart":
        return _split_pairs(_multipart_pairs(body, kind, content_type), outer)
    if kind not in ("", "application/x-www-form-urlencoded"):
        raise SaveRefusedError(_NOT_UNDERSTOOD)
    if style.body == "plain":
        return _split_pairs(parse_pairs(body), outer)
    return _parse_parameter(style, parse_pairs(body), outer)


def _parse_parameter(style: SaveStyle, sent: Pairs, names: AbstractSet[str]) -> tuple[dict[str, str], Pairs | None]:
    """Parse a form in one parameter."""
    outer = {name: value for name, value in sent if name in names}
    form = [value for name, value in sent if name == style.parameter]
    if not form:
        if any(name not in names for name, _ in sent):
            raise SaveRefusedError(_NOT_UNDERSTOOD)
        return outer, None
    if style.body == "fields":
        if form[-1].lstrip().startswith(("{", "[")):
            raise SaveRefusedError(_NOT_UNDERSTOOD)
        return outer, parse_pairs(form[-1])
    parsed = _parse_json(form[-1])
    return outer, _parse_object(parsed) if style.body == "fields_json" else _parse_list(parsed)


def _split_pairs(sent: Pairs, names: AbstractSet[str]) -> tuple[dict[str, str], Pairs | None]:
    """Split pairs into the parameters besides the form and the form's own."""
    outer = {name: value for name, value in sent if name in names}
    form = [(name, value) for name, value in sent if name not in names]
    return outer, form or None


def _json_pairs(body: bytes, kind: str) -> Pairs:
    if kind != "application/json":
        raise SaveRefusedError(_NOT_UNDERSTOOD)
    return _parse_object(_parse_json(body))


def _parse_json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise SaveRefusedError(_NOT_UNDERSTOOD) from None


def _parse_object(parsed: Any) -> Pairs:
    """`{name: value}`, with a list for several values."""
    if not isinstance(parsed, dict):
        raise SaveRefusedError(_NOT_UNDERSTOOD)
    return [
        (name, _parse_scalar(value))
        for name, given in parsed.items()
        for value in (given if isinstance(given, list) else [given])
    ]


def _parse_list(parsed: Any) -> Pairs:
    """`[{"name": ..., "value": ...}]`, as jQuery's `serializeArray()` makes it."""
    if not isinstance(parsed, list) or not all(isinstance(e, dict) and "name" in e and "value" in e for e in parsed):
        raise SaveRefusedError(_NOT_UNDERSTOOD)
    return [(str(entry["name"]), _parse_scalar(entry["value"])) for entry in parsed]


def _parse_scalar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "1" if value else ""
    if not isinstance(value, (str, int, float)):
        raise SaveRefusedError(_NOT_UNDERSTOOD)
    return str(value)


def _multipart_pairs(body: bytes, kind: str, content_type: str) -> Pairs:
    boundary = _BOUNDARY.search(content_type)
    if kind != "multipart/form-data" or boundary is None:
        raise SaveRefusedError(_NOT_UNDERSTOOD)
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())
    return list(_parse_parts(pieces[1:-1]))


def _parse_parts(pieces: Iterable[bytes]) -> Iterable[tuple[str, str]]:
    for piece in pieces:
        head, _, value = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is None:
            raise SaveRefusedError(_NOT_UNDERSTOOD)
        if b"filename=" not in head:
            # Browsers escape the characters that would end the name.
            plain = name[1].replace(b"%22", b'"').replace(b"%0D", b"\r").replace(b"%0A", b"\n")
            yield plain.decode("utf-8", "replace"), value.decode("utf-8", "replace")
