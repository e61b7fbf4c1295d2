"""A simulated browser: logs in, parses a form as HTML5 parsers do, and submits it as jQuery would."""

import html
import json
from typing import Any, Self
from urllib.parse import urlencode

import httpx2
from selectolax.lexbor import LexborHTMLParser, LexborNode

from planso_connector.sandbox import Installation, Sandbox

Pairs = list[tuple[str, str]]


class Browser:
    """One person's browser at one sandbox."""

    def __init__(self, sandbox: Sandbox, url: str) -> None:
        self.sandbox = sandbox
        self.installation: Installation = sandbox.installation
        self.http = httpx2.Client(base_url=url, timeout=60, verify=False)  # plain HTTP; a TLS context takes 0.1 s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def log_in(self, password: str | None = None, encoding: str = "utf-8") -> httpx2.Response:
        """Open `/app` and send the login form."""
        self.http.get("/app")
        form = {
            "system_login_username": self.installation.username,
            "system_login_password": self.installation.password if password is None else password,
            "user_lat": "",
            "user_lng": "",
            "user_accuracy": "",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.http.post("/app", content=urlencode(form, encoding=encoding), headers=headers)

    def json(self, response: httpx2.Response) -> Any:
        """The JSON of a response, whose charset may be undeclared."""
        assert response.status_code == 200, response.text
        if self.installation.charset == "utf-8":
            return response.json()
        return json.loads(response.content.decode("iso-8859-1"))

    def list(self) -> Any:
        """The board's JSON."""
        return self.json(self.http.post("/do?m=resourceplanner_get_project_stations&filterID="))

    def call(self, order_id: int | str, submode: str = "update", fields: Pairs | None = None) -> httpx2.Response:
        """The call of section 3; with `fields` it saves."""
        query: dict[str, str | int] = {
            "m": "visual_forms_plain",
            "tableID": self.installation.table_id,
            "submode": submode,
            "dataID": order_id,
            "call_back_class": "resourceplanner_single_project_wrapper",
            "callback": "",
        }
        data = {} if fields is None else {"fields": urlencode(fields)}
        return self.http.post("/do", params=query, data=data)

    def form(self, order_id: int | str = "", submode: str = "update") -> LexborHTMLParser:
        """The parsed form."""
        content = self.json(self.call(order_id, submode))["center"]["content"]
        return LexborHTMLParser(html.unescape(content) if self.installation.escaped_markup else content)

    def pairs(self, order_id: int | str = "", submode: str = "update") -> Pairs:
        """The pairs of jQuery's `serialize()` for the form now."""
        return serialize(self.form(order_id, submode))

    def save(self, order_id: int | str, pairs: Pairs, submode: str = "update") -> Any:
        """Submit a form; returns PlanSo's JSON."""
        return self.json(self.call(order_id, submode, pairs))

    def change(self, order_id: int, label: str, value: str) -> Any:
        """Read the form, change one field to a submitted value, and submit all of it."""
        return self.save(order_id, replace_value(self.pairs(order_id), self.name(label), value))

    def name(self, label: str) -> str:
        """The `name` attribute by label, from an empty form in the `div` markup."""
        for block in self.form().css("div.field"):
            shown = block.css_first("label")
            if shown is not None and shown.text() == label:
                return str(block.css("[name]")[-1].attributes["name"])
        raise AssertionError(f"no {label} in the form")


def replace_value(pairs: Pairs, name: str, value: str) -> Pairs:
    """The pairs with one name's value changed."""
    assert name in dict(pairs)
    return [(key, value if key == name else kept) for key, kept in pairs]


def serialize(form: LexborHTMLParser) -> Pairs:
    """By jQuery's rules: named, enabled, no buttons and files, checked boxes; line breaks as CR LF."""
    pairs: Pairs = []
    for node in form.css("input, select, textarea"):
        attributes = node.attributes
        name, kind = attributes.get("name"), attributes.get("type")
        if not name or "disabled" in attributes or kind in ("submit", "button", "image", "reset", "file"):
            continue
        if kind in ("checkbox", "radio") and "checked" not in attributes:
            continue
        pairs += [(name, value.replace("\r\n", "\n").replace("\n", "\r\n")) for value in _values(node)]
    return pairs


def _values(node: LexborNode) -> list[str]:
    if node.tag == "textarea":
        return [node.text()]
    if node.tag != "select":
        return [node.attributes.get("value") or ""]
    options = node.css("option")
    chosen = [option for option in options if "selected" in option.attributes]
    if not chosen and "multiple" not in node.attributes:
        chosen = options[:1]
    return [option.attributes.get("value") or "" for option in chosen]
