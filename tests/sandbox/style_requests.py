"""Submit a form in each style of saving, as a browser would."""

import json
from typing import Any
from urllib.parse import urlencode

import httpx2

from planso_connector.sandbox import SaveStyle

from .browser import Browser, Pairs

BODIES = ("fields", "plain", "json", "fields_json", "fields_json_pairs", "multipart")
ANSWERS = ("saved", "success", "status", "empty", "redirect", "form")


def send(
    browser: Browser, style: SaveStyle, order_id: int | str, pairs: Pairs | None, submode: str, token: str = ""
) -> httpx2.Response:
    """Save in a style, or delete for `pairs` None, without following redirects. `token`: put where the style says."""
    where = {"submode": submode, "dataID": str(order_id)}
    outer = dict(where) if style.address == "body" else {}
    query = {"m": "visual_forms_plain", "tableID": str(browser.installation.table_id)}
    if style.address == "query":
        query |= where
    elif style.address == "own":
        query |= {"m": "visual_forms_save", "mode": submode, "id": str(order_id)}
    headers = {}
    for place in style.tokens:
        if place == "header":
            headers[style.token_header] = token
        elif place == "parameter":
            outer[style.token_parameter] = token
        elif place == "query":
            query[style.token_parameter] = token
    path = "/save" if style.address == "own" else "/do"
    body = _body(style, outer, pairs)
    return browser.http.post(path, params=query, **{**body, "headers": headers | body.get("headers", {})})


def _body(style: SaveStyle, outer: dict[str, str], pairs: Pairs | None) -> dict[str, Any]:
    beside = list(outer.items())
    match style.body:
        case "json":
            return {"json": outer | _object(pairs or [])} if outer or pairs else {}
        case "multipart":
            return {"files": [(name, (None, value.encode())) for name, value in [*beside, *(pairs or [])]]}
        case "plain":
            sent = [*beside, *(pairs or [])]
        case _ if pairs is None:
            sent = beside
        case "fields":
            sent = [*beside, (style.parameter, urlencode(pairs))]
        case "fields_json":
            sent = [*beside, (style.parameter, json.dumps(_object(pairs)))]
        case _:
            objects = [{"name": name, "value": value} for name, value in pairs]
            sent = [*beside, (style.parameter, json.dumps(objects))]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return {"content": urlencode(sent), "headers": form} if sent else {}


def _object(pairs: Pairs) -> dict[str, str | list[str]]:
    names: dict[str, list[str]] = {}
    for name, value in pairs:
        names.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in names.items()}
