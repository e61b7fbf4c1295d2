"""A tool: its definition, as models read it, and the function that it runs."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from planso_connector.agents.tool_answer import ToolAnswer
from planso_connector.agents.tool_session import ToolSession
from planso_connector.domain.caller import Caller
from planso_connector.domain.scopes import Scope

MAX_TEXT_LENGTH = 1000
_SLOT = re.compile(r"\b(\d{1,2}:\d\d) ?[-–] ?\d{1,2}:\d\d\b")
MAX_CLEANED_LENGTH = 4 * MAX_TEXT_LENGTH


class ToolArguments(BaseModel):
    """
    The arguments of a tool, flat. Empty texts and null count as absent, blanks and control characters as one blank, and
    a number is taken where a text is meant. Unknown arguments are ignored: models invent some, and a caller waits.
    Where the tool does nothing, `problems` names them.
    """

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, arguments: Any) -> Any:
        if not isinstance(arguments, dict):
            return arguments
        known = {name: arguments[name] for name in cls.model_fields if name in arguments}
        cleaned = {name: _clean(value) if isinstance(value, str) else value for name, value in known.items()}
        return {name: value for name, value in cleaned.items() if value is not None and value != ""}


TOLERATED = ("date", "day", "time")
"""What models send in place of `when`."""


def join_date_and_time(arguments: Any) -> Any:
    """
    For tools that take `when`: models split it in two, `date` or `day` and `time`, as most tools have it; and pass on a
    slot, `07:30-09:00`, as an earlier answer had it.
    """
    if not isinstance(arguments, dict):
        return arguments
    when, day, clock = (arguments.get("when"), arguments.get("date") or arguments.get("day"), arguments.get("time"))
    if not when:
        when = ", ".join([*([str(day)] if day else []), *([f"at {clock}"] if clock else [])])
    return arguments | {"when": _SLOT.sub(r"\1", when) if isinstance(when, str) else when}


def _read_flag(given: Any) -> Any:
    """Also `ja` and `nein`."""
    words = {"ja": True, "wahr": True, "nein": False, "falsch": False}
    return words.get(given.lower(), given) if isinstance(given, str) else given


Flag = Annotated[bool, BeforeValidator(_read_flag)]


def _clean(text: str) -> str:
    """On one line. Lone surrogates, which JSON from some platforms has, can't be stored. Too long a text stays so."""
    if len(text) > MAX_CLEANED_LENGTH:  # it is refused, and cleaning 200,000 characters takes 30 ms
        return text
    printable = (sign if sign.isprintable() else " " for sign in text)
    return " ".join("".join(printable).split())


def _simplify(argument: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in argument.items() if name != "title" and (name, value) != ("default", None)}
    choices = [choice for choice in kept.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        del kept["anyOf"]
        return {**choices[0], **kept}
    return kept


Arguments = TypeVar("Arguments", bound=ToolArguments)
Answer = TypeVar("Answer", bound=ToolAnswer)


@dataclass(frozen=True)
class Tool(Generic[Arguments, Answer]):
    """
    `description`: for models, in English, with German examples of what callers say. `scopes`: a key needs one of them.
    `is_destructive`: whether it may overwrite what is there; `is_idempotent`: whether the same call twice does no more.
    """

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    answer: type[Answer]
    scopes: tuple[Scope, ...]
    run: Callable[[ToolSession, Arguments], Awaitable[Answer]]
    is_read_only: bool
    only_holds: bool = False
    """Whether a hold is all that it may change."""
    is_destructive: bool = False
    is_idempotent: bool = True

    def find_unknown(self, given: Iterable[str]) -> list[str]:
        """The names among those given that are none of its arguments."""
        known = {*self.arguments.model_fields, *(TOLERATED if "when" in self.arguments.model_fields else ())}
        return [name for name in given if name not in known]

    def is_allowed(self, caller: Caller) -> bool:
        return caller.has_any_scope(*self.scopes)

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, without what tells models nothing: titles, and that null is absent."""
        schema = self.arguments.model_json_schema()
        properties = {name: _simplify(argument) for name, argument in schema.get("properties", {}).items()}
        definitions = {name: schema[name] for name in ("$defs",) if name in schema}
        return {"type": "object", "properties": properties, "required": schema.get("required", []), **definitions}

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the answer, where members that are null are left out."""
        return self.answer.model_json_schema()
