"""The style in which a PlanSo saves: what its browser sends and what it answers (docs/sandbox.md)."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal, get_args, get_type_hints

Body = Literal["fields", "plain", "json", "fields_json", "fields_json_pairs", "multipart"]
Sends = Literal["whole", "changed"]
Space = Literal["%20", "+"]
LineBreak = Literal["crlf", "lf"]
Address = Literal["query", "body", "own"]
AnswerShape = Literal["saved", "success", "status", "empty", "redirect", "form"]
Token = Literal["form", "header", "parameter", "query"]
TokenSource = Literal["meta", "input", "member", "cookie"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "body": get_args(Body),
    "sends": get_args(Sends),
    "space": get_args(Space),
    "line_break": get_args(LineBreak),
    "address": get_args(Address),
    "answer": get_args(AnswerShape),
    "token_from": get_args(TokenSource),
}
TOKENS: tuple[str, ...] = get_args(Token)


class StyleError(ValueError):
    """An invalid style of saving."""


@dataclass(frozen=True, kw_only=True)
class SaveStyle:
    """One style of saving. A save in another style is refused as `answer` says."""

    body: Annotated[
        Body,
        "How the form travels. `fields`: urlencoded in one parameter, as jQuery's `serialize()` makes it; `plain`: the "
        "pairs are the body; `json`: an object name to value, a list for several; `fields_json`: one parameter holds "
        "that object; `fields_json_pairs`: one parameter holds `[{name, value}]`; `multipart`.",
    ] = "fields"
    sends: Annotated[
        Sends,
        "`whole`: what doesn't arrive is cleared. `changed`: only the names that arrive are changed; a control that "
        "would send nothing any more (an unchecked box) is sent as one empty value.",
    ] = "whole"
    parameter: Annotated[str, "Name of the one parameter."] = "fields"
    space: Annotated[Space, "`%20`, `+`: how the browser page writes a blank; both are understood."] = "%20"
    line_break: Annotated[
        LineBreak, "`crlf`, `lf`: how the browser page writes line breaks of text areas; both are understood."
    ] = "crlf"
    address: Annotated[
        Address,
        "`query`: the form's call, `submode` and `dataID` in the query. `body`: those two travel in the body besides "
        "the form. `own`: `POST /save?m=visual_forms_save&tableID=T&mode=update&id=123`.",
    ] = "query"
    tokens: Annotated[
        tuple[Token, ...],
        "Where a token must go along. `form`: the hidden input `form_token` is checked, and is sent in `changed` too. "
        "`header`, `parameter` (in the body), `query`: the session's token must come there, under the names below; it "
        "is new with each login. As text: `tokens=form/header`.",
    ] = ()
    token_from: Annotated[
        TokenSource,
        "Where a browser finds the session's token: a `meta` element or a hidden `input` of `/app`, a `member` of the "
        "form's JSON answer, a `cookie`.",
    ] = "meta"
    token_source: Annotated[str, "The name of that element, member or cookie."] = "csrf-token"
    token_header: Annotated[str, "The header that carries the token."] = "X-CSRF-Token"
    token_parameter: Annotated[str, "The parameter that carries the token."] = "csrf_token"
    answer: Annotated[
        AnswerShape,
        "`saved`: `saved: 1` or `deleted: 1`, `dataID`; a refusal has `error`. `success`: `success: true`, `data.id`; "
        "else `success: false`, `message`. `status`: `status: ok`, `id`; else `errors: [{text}]`. `empty`: 200 without "
        "a body, an insert redirects to the new form; a refusal is 422 with `message`. `redirect`: 302 to the form, or "
        "to the list after a delete; a refusal is 200 with `errors: [text]`. `form`: the form again, after an insert "
        "with `dataID`; a refusal has `errors: [text]`.",
    ] = "saved"

    def shows_token(self, where: TokenSource) -> bool:
        """Whether a browser finds the session's token there."""
        return self.token_from == where and any(token != "form" for token in self.tokens)

    @classmethod
    def descriptions(cls) -> dict[str, str]:
        """The description of each value, by name."""
        return {name: hint.__metadata__[0] for name, hint in get_type_hints(cls, include_extras=True).items()}

    def as_json(self) -> dict[str, Any]:
        """All values; the tokens as a list."""
        return {**asdict(self), "tokens": list(self.tokens)}

    @classmethod
    def from_json(cls, values: object) -> "SaveStyle":
        """The style with these values and defaults for the rest. Raises `StyleError`."""
        if not isinstance(values, Mapping):
            raise StyleError(f"save_style can't be {values!r}; an object like {{'body': 'json'}} is accepted.")
        names = [field.name for field in fields(cls)]
        parsed: dict[str, Any] = {}
        for name, value in values.items():
            if name not in names:
                raise StyleError(f"save_style has no {name!r}. It has: {', '.join(names)}.")
            parsed[name] = _parse_value(name, value)
        return cls(**parsed)

    @classmethod
    def from_text(cls, text: str) -> "SaveStyle":
        """Parse a text such as `body=json,sends=changed,tokens=form/header`. Raises `StyleError`."""
        values: dict[str, Any] = {}
        for pair in filter(None, text.split(",")):
            name, equals, value = pair.strip().partition("=")
            if not equals:
                raise StyleError(f"save_style: {pair!r} is not name=value, as in body=json,sends=changed.")
            values[name] = [token for token in value.split("/") if token] if name == "tokens" else value
        return cls.from_json(values)


def _parse_value(name: str, value: object) -> object:
    if name == "tokens":
        if isinstance(value, list) and all(token in TOKENS for token in value):
            return tuple(value)
        raise StyleError(f"save_style: tokens can't be {value!r}; a list of {', '.join(TOKENS)} is accepted.")
    if name not in _CHOICES:
        if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w-]*", value):
            return value
        raise StyleError(f"save_style: {name} can't be {value!r}; a name like fields is accepted.")
    if value not in _CHOICES[name]:
        raise StyleError(f"save_style: {name} can't be {value!r}; accepted: {', '.join(_CHOICES[name])}.")
    return value
