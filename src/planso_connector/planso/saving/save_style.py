"""
The save style of a PlanSo: where a save is sent, how the form is encoded, which tokens it needs, what a response means.
The built-in style is the assumption of the PlanSo protocol's section 6; others are learned from a recording.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from planso_connector.planso.profile_section import ProfileSection

ParameterValue = str | int | bool
"""A parameter in a body; a number or boolean only where the body is JSON."""

BODIES = ("fields", "plain", "json", "json_pairs", "fields_json", "fields_json_pairs", "multipart")
SPACES = ("%20", "+")
TOKEN_PLACES = ("query", "body", "header")

_CHOICES = {
    "source": ("assumed", "learned"),
    "sends": ("whole", "changed"),
    "body": BODIES,
    "space": SPACES,
    "line_break": ("crlf", "lf"),
}
_METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")
_TOKEN_ORIGINS = ("meta", "input", "form", "answer", "cookie")
_SUCCESS_RULE = re.compile(r"empty|form|redirect|[^=]+=.*")

ORDER_PLACEHOLDER, TABLE_PLACEHOLDER = "{order}", "{table}"
NUMBER_PLACEHOLDERS = {"{order_number}": ORDER_PLACEHOLDER, "{table_number}": TABLE_PLACEHOLDER}
"""Placeholders for a JSON number in place of a text."""
PROFILE_PLACEHOLDERS = ("{do}", "{app}", "{form}", "{call_back_class}")
"""Placeholders for other values of the profile, replaced when the profile is loaded."""

_PATH = re.compile(r"(/(?:[A-Za-z0-9._~-]+|\{order\}))+/?|\{do\}|\{app\}")
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")


@dataclass(frozen=True)
class RequestTemplate:
    """The request of one action. `query` and `body` are parameters besides the form, in their order."""

    method: str = "POST"
    path: str = "{do}"
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, ParameterValue] = field(default_factory=dict)


@dataclass(frozen=True)
class SaveToken:
    """
    A value that a save must carry. `place`: where it is sent. `origin`: where it comes from, a `meta` element or hidden
    `input` called `key` on `page`, a hidden input of the order's `form`, a member of the form's JSON `answer` (a path
    such as `data.token`), or a `cookie`.
    """

    name: str
    place: str
    origin: str
    key: str
    page: str = "{app}"


@dataclass(frozen=True)
class ResponseStyle:
    """
    `success`: how an accepted save is answered, any of `empty`, `form`, `redirect`, `member=value`; where nothing is
    listed, any JSON that is no refusal. `refusal`: members that are true, or `member=value`. `new_id`: a JSON path,
    `location:parameter`, or empty for the first `dataID` anywhere.
    """

    success: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ("error", "errors", "success=false", "status=error")
    new_id: str = ""


@dataclass(frozen=True)
class SaveStyle:
    """The names of all fields are keys of the profile's `[save]`."""

    source: str = "assumed"
    sends: str = "whole"
    body: str = "fields"
    parameter: str = ""
    space: str = "%20"
    line_break: str = "crlf"
    always: tuple[str, ...] = ()
    """With `sends = "changed"`: controls that are sent though they did not change."""
    unchecked: str | None = None
    """With `sends = "changed"`: the value sent for an unchecked box; None where it is not known."""
    known: tuple[str, ...] = ()
    """Controls of which a recording showed that a browser sends what a script fills in."""
    unfilled: tuple[str, ...] = ()
    """Controls that a script seems to fill, and that a browser sent as the form holds them."""
    update: RequestTemplate = field(default_factory=RequestTemplate)
    insert: RequestTemplate = field(default_factory=RequestTemplate)
    delete: RequestTemplate = field(default_factory=RequestTemplate)
    tokens: tuple[SaveToken, ...] = ()
    answer: ResponseStyle = field(default_factory=ResponseStyle)

    @property
    def form_parameter(self) -> str:
        """The parameter or JSON member that holds the form; empty where the body consists of the form's pairs."""
        if self.body in ("plain", "multipart"):
            return ""
        return self.parameter or ("fields" if self.body.startswith("fields") else "")

    def get_template(self, action: str) -> RequestTemplate:
        return {"update": self.update, "insert": self.insert, "delete": self.delete}[action]

    def resolve_placeholders(self, values: Mapping[str, str]) -> SaveStyle:
        """Replace the placeholders in `values`, see PROFILE_PLACEHOLDERS."""

        def resolve(template: RequestTemplate) -> RequestTemplate:
            return RequestTemplate(
                template.method,
                values.get(template.path, template.path),
                {name: values.get(value, value) for name, value in template.query.items()},
                {name: values.get(str(value), value) for name, value in template.body.items()},
            )

        return replace(
            self,
            update=resolve(self.update),
            insert=resolve(self.insert),
            delete=resolve(self.delete),
            tokens=tuple(replace(token, page=values.get(token.page, token.page)) for token in self.tokens),
        )


def parse_save_style(base: SaveStyle, section: ProfileSection) -> SaveStyle:
    """`base` with the changes of the profile's `[save]`. Raises ValueError with the key and what is accepted."""
    changes: dict[str, Any] = {}
    for key in section.check_keys(SaveStyle.__dataclass_fields__):
        if key in _CHOICES:
            changes[key] = section.read_choice(key, _CHOICES[key])
        elif key == "parameter":
            changes[key] = section.read_text(key)
        elif key == "unchecked":
            changes[key] = _read_possibly_empty(section, key)
        elif key in ("known", "unfilled", "always"):
            changes[key] = section.read_texts(key)
        elif key == "tokens":
            tokens = section.subsection(key)
            changes[key] = tuple(_parse_token(name, tokens.subsection(name)) for name in tokens.content)
        elif key == "answer":
            changes[key] = _parse_response_style(base.answer, section.subsection(key))
        else:
            changes[key] = _parse_template(base.get_template(key), section.subsection(key))
    return replace(base, **changes)


def _parse_template(base: RequestTemplate, section: ProfileSection) -> RequestTemplate:
    changes: dict[str, Any] = {}
    for key in section.check_keys(RequestTemplate.__dataclass_fields__):
        if key == "method":
            changes[key] = section.read_choice(key, _METHODS)
        elif key == "path":
            changes[key] = _read_path(section, key)
        else:
            parameters = section.subsection(key)
            names = parameters.content
            changes[key] = {name: _read_parameter(parameters, name, in_body=key == "body") for name in names}
    return replace(base, **changes)


def _read_path(section: ProfileSection, key: str) -> str:
    path = section.read_text(key)
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        accepted = "a path that begins with / and names no host, such as /do or /orders/{order}"
        raise section.error(key, f"accepted: {accepted}")
    return path


def _read_parameter(section: ProfileSection, name: str, *, in_body: bool) -> ParameterValue:
    given = section.content[name]
    if in_body and isinstance(given, bool | int):
        return given
    value = _read_possibly_empty(section, name)
    numbers = NUMBER_PLACEHOLDERS if in_body else ()
    placeholders = (ORDER_PLACEHOLDER, TABLE_PLACEHOLDER, *numbers, *PROFILE_PLACEHOLDERS)
    if _PLACEHOLDER.fullmatch(value) and value not in placeholders:
        raise section.error(name, f"accepted in braces: {', '.join(placeholders)}")
    return value


def _read_possibly_empty(section: ProfileSection, key: str) -> str:
    given = section.content[key]
    if isinstance(given, str) and given.isprintable():
        return given
    raise section.error(key, 'accepted: a text in quotes, "" for an empty one')


def _parse_token(name: str, section: ProfileSection) -> SaveToken:
    section.check_keys(("in", "from", "key", "page"))
    for key, accepted in (("in", TOKEN_PLACES), ("from", _TOKEN_ORIGINS)):
        if key not in section.content:
            raise section.error(key, f"missing; accepted: one of {', '.join(accepted)}")
    place = section.read_choice("in", TOKEN_PLACES)
    if place == "header" and not _HEADER.fullmatch(name):
        raise section.error("", "a header's name holds only letters, digits and hyphens")
    key = section.read_text("key") if "key" in section.content else name
    page = section.read_text("page") if "page" in section.content else "{app}"
    if not re.fullmatch(rf"(?:{_PATH.pattern})(?:\?[\w.~%=&-]*)?", page, re.ASCII):
        raise section.error("page", "accepted: an address on PlanSo such as /app")
    return SaveToken(name, place, section.read_choice("from", _TOKEN_ORIGINS), key, page)


def _parse_response_style(base: ResponseStyle, section: ProfileSection) -> ResponseStyle:
    changes: dict[str, Any] = {}
    for key in section.check_keys(ResponseStyle.__dataclass_fields__):
        if key == "new_id":
            changes[key] = _read_possibly_empty(section, key)
        else:
            changes[key] = section.read_texts(key)
    if not all(map(_SUCCESS_RULE.fullmatch, changes.get("success", ()))):
        raise section.error("success", 'accepted: a list of "empty", "form", "redirect" and "member=value"')
    return replace(base, **changes)
