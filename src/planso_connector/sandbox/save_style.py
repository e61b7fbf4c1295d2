"""How a PlanSo saves: what its browser sends and what it answers. The values are described in docs/sandbox.md."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Body = Literal["fields", "plain", "json", "fields_json", "fields_json_pairs", "multipart"]
Sends = Literal["whole", "changed"]
Space = Literal["%20", "+"]
LineBreak = Literal["crlf", "lf"]
Address = Literal["query", "body", "own"]
AnswerShape = Literal["saved", "success", "status", "empty", "redirect", "form"]
Token = Literal["form", "meta_header", "meta_parameter", "meta_query"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "body": get_args(Body),
    "sends": get_args(Sends),
    "space": get_args(Space),
    "line_break": get_args(LineBreak),
    "address": get_args(Address),
    "answer": get_args(AnswerShape),
}
TOKENS: tuple[str, ...] = get_args(Token)
TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105 - a header's name
TOKEN_PARAMETER = "csrf_token"  # noqa: S105 - a parameter's name


class StyleError(ValueError):
    """A style of saving that doesn't exist."""


@dataclass(frozen=True, kw_only=True)
class SaveStyle:
    """One style of saving. A save in another style is refused, in the way of `answer`."""

    body: Body = "fields"
    """How the form travels: `fields` and the `fields_json` ones in one urlencoded parameter, the others as the body."""
    sends: Sends = "whole"
    """`whole`: what doesn't arrive is cleared. `changed`: only the names that arrive are changed; a control that
    would send nothing any more (an unchecked box) is sent as one empty value."""
    parameter: str = "fields"
    """Name of the one parameter."""
    space: Space = "%20"
    """How the browser page writes a blank; both are understood."""
    line_break: LineBreak = "crlf"
    """How the browser page writes the line breaks of text areas; both are understood."""
    address: Address = "query"
    """`query`: the form's call. `body`: `submode` and `dataID` travel in the body. `own`: `POST /save?
    m=visual_forms_save&tableID=<table>&mode=<update, insert, delete>&id=<id>`."""
    tokens: tuple[Token, ...] = ()
    """`form`: the hidden input `form_token` is checked, and travels in `changed` as well. `meta_header`,
    `meta_parameter`, `meta_query`: the `<meta name="csrf-token">` of `/app` must come as header `X-CSRF-Token`,
    or as `csrf_token` in the body or in the query."""
    answer: AnswerShape = "saved"
    """What success and refusal look like, and where a new order's id stands."""

    @property
    def has_meta_token(self) -> bool:
        """Whether `/app` carries the token that a save must bring."""
        return any(token.startswith("meta_") for token in self.tokens)

    def as_json(self) -> dict[str, Any]:
        """All values; the tokens as a list."""
        return {**asdict(self), "tokens": list(self.tokens)}

    @classmethod
    def from_json(cls, given: object) -> "SaveStyle":
        """The style with these values and the usual ones for the rest. Raises `StyleError`."""
        if not isinstance(given, Mapping):
            raise StyleError(f"save_style can't be {given!r}; an object like {{'body': 'json'}} is accepted.")
        known = [field.name for field in fields(cls)]
        ready: dict[str, Any] = {}
        for name, value in given.items():
            if name not in known:
                raise StyleError(f"save_style has no {name!r}. It has: {', '.join(known)}.")
            ready[name] = _checked(name, value)
        return cls(**ready)

    @classmethod
    def from_text(cls, text: str) -> "SaveStyle":
        """The style of `body=json,sends=changed,tokens=form/meta_header`. Raises `StyleError`."""
        given: dict[str, Any] = {}
        for pair in filter(None, text.split(",")):
            name, equals, value = pair.strip().partition("=")
            if not equals:
                raise StyleError(f"save_style: {pair!r} is not name=value, as in body=json,sends=changed.")
            given[name] = [token for token in value.split("/") if token] if name == "tokens" else value
        return cls.from_json(given)


def _checked(name: str, value: object) -> object:
    if name == "tokens":
        if isinstance(value, list) and all(token in TOKENS for token in value):
            return tuple(value)
        raise StyleError(f"save_style: tokens can't be {value!r}; a list of {', '.join(TOKENS)} is accepted.")
    if name == "parameter":
        if isinstance(value, str) and value.isidentifier():
            return value
        raise StyleError(f"save_style: parameter can't be {value!r}; a name like fields is accepted.")
    if value not in _CHOICES[name]:
        raise StyleError(f"save_style: {name} can't be {value!r}; accepted: {', '.join(_CHOICES[name])}.")
    return value
