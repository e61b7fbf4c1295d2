"""
The style in which an installation saves: which address, how the form is encoded, which tokens go along, what an answer
looks like. The built-in style is the assumption of the PlanSo protocol's section 6; others come from a recording.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from planso_connector.planso.profile_section import ProfileSection

ParameterValue = str | int | bool
"""A parameter that travels in a body; anything but a text only where the body is JSON."""

SOURCES = ("assumed", "learned")
SENDS = ("whole", "changed")
BODIES = ("fields", "plain", "json", "json_pairs", "fields_json", "fields_json_pairs", "multipart")
SPACES = ("%20", "+")
LINE_BREAKS = ("crlf", "lf")
ACTIONS = ("update", "insert", "delete")
METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")
TOKEN_PLACES = ("query", "body", "header")
TOKEN_ORIGINS = ("meta", "input", "form", "answer", "cookie")

SUCCESS_RULES = ("empty", "form", "redirect")

ORDER_PLACEHOLDER, TABLE_PLACEHOLDER = "{order}", "{table}"
NUMBER_PLACEHOLDERS = {"{order_number}": ORDER_PLACEHOLDER, "{table_number}": TABLE_PLACEHOLDER}
"""Placeholders that stand for a JSON number in place of a text."""
PROFILE_PLACEHOLDERS = ("{do}", "{app}", "{form}", "{call_back_class}")
"""Placeholders for other values of the profile; replaced when it is loaded."""

_PATH = re.compile(r"(/(?:[A-Za-z0-9._~-]+|\{order\}))+/?|\{do\}|\{app\}")
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")


@dataclass(frozen=True)
class RequestTemplate:
    """Where one action goes. `query` and `body` are parameters beside the form, in their order."""

    method: str = "POST"
    path: str = "{do}"
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, ParameterValue] = field(default_factory=dict)


@dataclass(frozen=True)
class SaveToken:
    """
    A value that must go along with a save. `place`: where it goes. `origin`: `meta` or hidden `input` called `key` of
    `page`, hidden input of the order's `form`, member of the form's JSON `answer` (a path like `data.token`), `cookie`.
    """

    name: str
    place: str
    origin: str
    key: str
    page: str = "{app}"


@dataclass(frozen=True)
class ResponseStyle:
    """
    `success`: what a save that was taken is answered with, any of `empty`, `form`, `redirect`, `member=value`; without
    one, any JSON that is no refusal. `refusal`: members that are true, or `member=value`. `new_id`: a JSON path,
    `location:parameter`, or empty for the first `dataID` anywhere.
    """

    success: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ("error", "errors", "success=false", "status=error")
    new_id: str = ""


@dataclass(frozen=True)
class SaveStyle:
    """`known`: names of controls of which a recording showed that a browser sends what script fills in."""

    source: str = "assumed"
    sends: str = "whole"
    body: str = "fields"
    parameter: str = ""
    space: str = "%20"
    line_break: str = "crlf"
    always: tuple[str, ...] = ()
    """With `sends = "changed"`: controls that go along though they did not change."""
    unchecked: str | None = None
    """With `sends = "changed"`: the value sent for an unchecked box; None where it is not known."""
    known: tuple[str, ...] = ()
    unfilled: tuple[str, ...] = ()
    """Names of controls that look as if script filled them, and that were sent as the form holds them."""
    update: RequestTemplate = field(default_factory=RequestTemplate)
    insert: RequestTemplate = field(default_factory=RequestTemplate)
    delete: RequestTemplate = field(default_factory=RequestTemplate)
    tokens: tuple[SaveToken, ...] = ()
    answer: ResponseStyle = field(default_factory=ResponseStyle)

    @property
    def form_parameter(self) -> str:
        """The parameter or JSON member that holds the form; empty where its pairs stand in the body themselves."""
        if self.body in ("plain", "multipart"):
            return ""
        return self.parameter or ("fields" if self.body.startswith("fields") else "")

    def get_template(self, action: str) -> RequestTemplate:
        return {"update": self.update, "insert": self.insert, "delete": self.delete}[action]

    def resolve_placeholders(self, values: Mapping[str, str]) -> SaveStyle:
        """With the placeholders in `values` (see LOADED) replaced."""

        def plain(address: RequestTemplate) -> RequestTemplate:
            return RequestTemplate(
                address.method,
                values.get(address.path, address.path),
                {name: values.get(value, value) for name, value in address.query.items()},
                {n: values.get(v, v) if isinstance(v, str) else v for n, v in address.body.items()},
            )

        return replace(
            self,
            update=plain(self.update),
            insert=plain(self.insert),
            delete=plain(self.delete),
            tokens=tuple(replace(token, page=values.get(token.page, token.page)) for token in self.tokens),
        )


def parse_save_style(base: SaveStyle, section: ProfileSection) -> SaveStyle:
    """`base` with what the profile's `[save]` says differently. Raises ValueError with the key and what is accepted."""
    changes: dict[str, Any] = {}
    for key in section.check_keys(SaveStyle.__dataclass_fields__):
        match key:
            case "source" | "sends" | "body" | "space" | "line_break":
                accepted = {
                    "source": SOURCES,
                    "sends": SENDS,
                    "body": BODIES,
                    "space": SPACES,
                    "line_break": LINE_BREAKS,
                }[key]
                changes[key] = section.read_choice(key, accepted)
            case "parameter":
                changes[key] = section.read_text(key)
            case "unchecked":
                changes[key] = _value(section, key)
            case "known" | "unfilled" | "always":
                changes[key] = section.read_texts(key)
            case "tokens":
                tokens = section.subsection(key)
                changes[key] = tuple(_token(name, tokens.subsection(name)) for name in tokens.content)
            case "answer":
                changes[key] = _answer(base.answer, section.subsection(key))
            case _:
                changes[key] = _address(base.get_template(key), section.subsection(key))
    return replace(base, **changes)


def _address(base: RequestTemplate, section: ProfileSection) -> RequestTemplate:
    changes: dict[str, Any] = {}
    for key in section.check_keys(RequestTemplate.__dataclass_fields__):
        if key == "method":
            changes[key] = section.read_choice(key, METHODS)
        elif key == "path":
            changes[key] = _path(section, key)
        else:
            parameters = section.subsection(key)
            changes[key] = {name: _parameter(parameters, name, in_body=key == "body") for name in parameters.content}
    return replace(base, **changes)


def _path(section: ProfileSection, key: str) -> str:
    path = section.read_text(key)
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise section.error(
            key, "accepted: a path that begins with / and names no host, such as /do or /orders/{order}"
        )
    return path


def _parameter(section: ProfileSection, name: str, *, in_body: bool) -> ParameterValue:
    given = section.content[name]
    if in_body and isinstance(given, bool | int):
        return given
    value = _value(section, name)
    placeholders = (
        ORDER_PLACEHOLDER,
        TABLE_PLACEHOLDER,
        *(NUMBER_PLACEHOLDERS if in_body else ()),
        *PROFILE_PLACEHOLDERS,
    )
    if _PLACEHOLDER.fullmatch(value) and value not in placeholders:
        raise section.error(name, f"accepted in braces: {', '.join(placeholders)}")
    return value


def _value(section: ProfileSection, key: str) -> str:
    """A text that may be empty."""
    given = section.content[key]
    if isinstance(given, str) and given.isprintable():
        return given
    raise section.error(key, 'accepted: a text in quotes, "" for an empty one')


def _token(name: str, section: ProfileSection) -> SaveToken:
    section.check_keys({"in": None, "from": None, "key": None, "page": None})
    for needed in ("in", "from"):
        if needed not in section.content:
            raise section.error(
                needed, f"missing; accepted: one of {', '.join(TOKEN_PLACES if needed == 'in' else TOKEN_ORIGINS)}"
            )
    place = section.read_choice("in", TOKEN_PLACES)
    if place == "header" and not _HEADER.fullmatch(name):
        raise section.error("", "a header's name holds only letters, digits and hyphens")
    key = section.read_text("key") if "key" in section.content else name
    page = section.read_text("page") if "page" in section.content else "{app}"
    if not re.fullmatch(rf"(?:{_PATH.pattern})(?:\?[\w.~%=&-]*)?", page, re.ASCII):
        raise section.error("page", "accepted: an address on PlanSo such as /app")
    return SaveToken(name, place, section.read_choice("from", TOKEN_ORIGINS), key, page)


def _answer(base: ResponseStyle, section: ProfileSection) -> ResponseStyle:
    changes: dict[str, Any] = {}
    for key in section.check_keys(ResponseStyle.__dataclass_fields__):
        if key == "refusal":
            changes[key] = section.read_texts(key)
        elif key == "success":
            changes[key] = section.read_texts(key)
            if not all(rule in SUCCESS_RULES or re.fullmatch(r"[^=]+=.*", rule) for rule in changes[key]):
                raise section.error(key, 'accepted: a list of "empty", "form", "redirect" and "member=value"')
        else:
            changes[key] = _value(section, key)
    return replace(base, **changes)
