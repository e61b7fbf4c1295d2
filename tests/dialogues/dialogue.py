"""
Dialogues as data: a caller's turns, the tool calls that a sensible model makes of them, and what must be true.

A TOML file has `[[dialogue]]` tables; `Dialogue` and `Turn` have their members. An argument or an expected value
`$golf` stands for the id of that order, `$last.path` for a member of the last answer (`$last.orders.0.order_id`),
`$ten_thousand` for as many characters.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

FOLDER = Path(__file__).parent / "data"

_REFERENCE = re.compile(r"\$(\w+)((?:\.\w+)*)")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Order(_Entry):
    """An order in PlanSo: texts by label, and which parts it has: `missing`, `complete` or `none`."""

    texts: dict[str, str]
    parts: str = "none"

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, entry: dict[str, str]) -> dict[str, Any]:
        texts = {label: text for label, text in entry.items() if label != "parts"}
        return {"texts": texts, "parts": entry.get("parts", "none")}


class Turn(_Entry):
    """One tool call, and what must be true of its answer."""

    tool: str = Field(alias="use")
    arguments: dict[str, Any] = Field({}, alias="with")
    caller: str = ""
    """What the caller said before it, as a speech-to-text gives it; empty where the model calls a second tool."""
    call: str = "a"
    """Which phone call it belongs to: two callers are two calls. Empty: the platform names none."""
    meanwhile: dict[str, dict[str, str]] = {}
    """What somebody edits in PlanSo before it: texts by label, by order."""
    ok: bool | None = None
    says: list[str] = []
    """Each is a regular expression that `say` has to contain; case doesn't count."""
    never: list[str] = []
    """Each is one that nothing of the answer may contain."""
    unsaid: list[str] = []
    """Each is one that `say` may not contain."""
    data: dict[str, Any] = {}
    """Members of the answer by path. `*`: there is something; `""`: nothing, or it is absent."""
    understood: list[str] = []
    """Days that the caller named, ISO 8601: `say` may name them though the answer's data has only others."""
    same_as: int | None = None
    """The answer names the same operation as this turn's answer, counted from 1."""


class Dialogue(_Entry):
    name: str
    turns: list[Turn] = Field(alias="turn")
    orders: dict[str, Order] = {}
    end: dict[str, dict[str, str]] = {}
    """What stands in PlanSo at the end, by order: texts by label; `~text`: it contains this, `!text`: it does not."""
    saves: dict[str, int] = {}
    """How many saves an order got, by name."""
    created: list[dict[str, str]] = []
    """The new orders that PlanSo has at the end, found by their plate: exactly one for each."""
    not_created: list[str] = []
    """Plates for which PlanSo has no new order at the end."""
    full: list[str] = []
    """Days, ISO 8601, on which the workshop has no room for another drop-off."""
    taken: list[str] = []
    """Slots that another order has: `2026-12-08 08:00` for a drop-off, `estimate 2026-12-08 09:00`."""
    writes: str = "on"
    """`stopped`: the workshop's writes are stopped during the dialogue."""
    planso: dict[str, Any] = {}
    """Knobs of the sandbox during the dialogue."""
    language: str = "de"


def load(folder: Path = FOLDER) -> list[Dialogue]:
    """All dialogues of a folder, by file name. Raises ValidationError for a member that does not exist."""
    files = [tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))]
    return [Dialogue.model_validate(entry) for file in files for entry in file["dialogue"]]


def resolve(value: Any, order_ids: Mapping[str, int], last: Mapping[str, Any]) -> Any:
    """The value that a reference stands for, or the value itself. Raises KeyError."""
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    name, path = match.groups()
    if name == "ten_thousand":
        return "x" * 10_000
    return find_member(last, path[1:]) if name == "last" else order_ids[name]


def find_member(answer: Any, path: str) -> Any:
    """A member of JSON by its path, `matches.0.order_id`; None where there is none."""
    for name in path.split("."):
        if isinstance(answer, list):
            answer = answer[int(name)] if name.isdecimal() and int(name) < len(answer) else None
        elif isinstance(answer, dict):
            answer = answer.get(name)
        else:
            return None
    return answer
