"""
The style in which an installation saves: which address, how the form is encoded, which tokens go along, what an answer
looks like. The built-in style is the assumption of the PlanSo protocol's section 6; others come from a recording.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from planso_connector.planso.profile_section import Section

Constant = str | int | bool
"""A parameter that travels in a body; anything but a text only where the body is JSON."""

SOURCES = ("assumed", "learned")
SENDS = ("whole", "changed")
BODIES = ("fields", "plain", "json", "json_pairs", "fields_json", "fields_json_pairs", "multipart")
SPACES = ("%20", "+")
LINE_BREAKS = ("crlf", "lf")
ACTIONS = ("update", "insert", "delete")
METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")
PLACES = ("query", "body", "header")
ORIGINS = ("meta", "input", "form", "answer", "cookie")

SUCCESSES = ("empty", "form", "redirect")

ORDER, TABLE = "{order}", "{table}"
NUMBERS = {"{order_number}": ORDER, "{table_number}": TABLE}
"""Placeholders that stand for a JSON number in place of a text."""
LOADED = ("{do}", "{app}", "{form}", "{call_back_class}")
"""Placeholders for other values of the profile; replaced when it is loaded."""

_PATH = re.compile(r"(/(?:[A-Za-z0-9._~-]+|\{order\}))+/?|\{do\}|\{app\}")
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")


@dataclass(frozen=True)
class Address:
    """Where one action goes. `query` and `body` are parameters beside the form, in their order."""

    method: str = "POST"
    path: str = "{do}"
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Constant] = field(default_factory=dict)


@dataclass(frozen=True)
class Token:
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
class AnswerStyle:
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
    update: Address = field(default_factory=Address)
    insert: Address = field(default_factory=Address)
    delete: Address = field(default_factory=Address)
    tokens: tuple[Token, ...] = ()
    answer: AnswerStyle = field(default_factory=AnswerStyle)

    @property
    def form_parameter(self) -> str:
        """The parameter or JSON member that holds the form; empty where its pairs stand in the body themselves."""
        if self.body in ("plain", "multipart"):
            return ""
        return self.parameter or ("fields" if self.body.startswith("fields") else "")

    def address(self, action: str) -> Address:
        return {"update": self.update, "insert": self.insert, "delete": self.delete}[action]

    def resolved(self, values: Mapping[str, str]) -> SaveStyle:
        """With the placeholders in `values` (see LOADED) replaced."""

        def plain(address: Address) -> Address:
            return Address(
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


def read_style(base: SaveStyle, section: Section) -> SaveStyle:
    """`base` with what the profile's `[save]` says differently. Raises ValueError with the key and what is accepted."""
    changes: dict[str, Any] = {}
    for key in section.keys(SaveStyle.__dataclass_fields__):
        match key:
            case "source" | "sends" | "body" | "space" | "line_break":
                accepted = {
                    "source": SOURCES,
                    "sends": SENDS,
                    "body": BODIES,
                    "space": SPACES,
                    "line_break": LINE_BREAKS,
                }[key]
                changes[key] = section.choice(key, accepted)
            case "parameter":
                changes[key] = section.text(key)
            case "unchecked":
                changes[key] = _value(section, key)
            case "known" | "unfilled" | "always":
                changes[key] = section.texts(key)
            case "tokens":
                tokens = section.section(key)
                changes[key] = tuple(_token(name, tokens.section(name)) for name in tokens.content)
            case "answer":
                changes[key] = _answer(base.answer, section.section(key))
            case _:
                changes[key] = _address(base.address(key), section.section(key))
    return replace(base, **changes)


def _address(base: Address, section: Section) -> Address:
    changes: dict[str, Any] = {}
    for key in section.keys(Address.__dataclass_fields__):
        if key == "method":
            changes[key] = section.choice(key, METHODS)
        elif key == "path":
            changes[key] = _path(section, key)
        else:
            parameters = section.section(key)
            changes[key] = {name: _parameter(parameters, name, in_body=key == "body") for name in parameters.content}
    return replace(base, **changes)


def _path(section: Section, key: str) -> str:
    path = section.text(key)
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise section.error(
            key, "accepted: a path that begins with / and names no host, such as /do or /orders/{order}"
        )
    return path


def _parameter(section: Section, name: str, *, in_body: bool) -> Constant:
    given = section.content[name]
    if in_body and isinstance(given, bool | int):
        return given
    value = _value(section, name)
    placeholders = (ORDER, TABLE, *(NUMBERS if in_body else ()), *LOADED)
    if _PLACEHOLDER.fullmatch(value) and value not in placeholders:
        raise section.error(name, f"accepted in braces: {', '.join(placeholders)}")
    return value


def _value(section: Section, key: str) -> str:
    """A text that may be empty."""
    given = section.content[key]
    if isinstance(given, str) and given.isprintable():
        return given
    raise section.error(key, 'accepted: a text in quotes, "" for an empty one')


def _token(name: str, section: Section) -> Token:
    section.keys({"in": None, "from": None, "key": None, "page": None})
    for needed in ("in", "from"):
        if needed not in section.content:
            raise section.error(needed, f"missing; accepted: one of {', '.join(PLACES if needed == 'in' else ORIGINS)}")
    place = section.choice("in", PLACES)
    if place == "header" and not _HEADER.fullmatch(name):
        raise section.error("", "a header's name holds only letters, digits and hyphens")
    key = section.text("key") if "key" in section.content else name
    page = section.text("page") if "page" in section.content else "{app}"
    if not re.fullmatch(rf"(?:{_PATH.pattern})(?:\?[\w.~%=&-]*)?", page, re.ASCII):
        raise section.error("page", "accepted: an address on PlanSo such as /app")
    return Token(name, place, section.choice("from", ORIGINS), key, page)


def _answer(base: AnswerStyle, section: Section) -> AnswerStyle:
    changes: dict[str, Any] = {}
    for key in section.keys(AnswerStyle.__dataclass_fields__):
        if key == "refusal":
            changes[key] = section.texts(key)
        elif key == "success":
            changes[key] = section.texts(key)
            if not all(rule in SUCCESSES or re.fullmatch(r"[^=]+=.*", rule) for rule in changes[key]):
                raise section.error(key, 'accepted: a list of "empty", "form", "redirect" and "member=value"')
        else:
            changes[key] = _value(section, key)
    return replace(base, **changes)
