"""
Append to a text and take out again what was appended: which fields can be appended to, and how a text changes. Pure.

An operation keeps the line, not the text around it: what stands there is only known when it is saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from planso_connector.domain.fields import APPEND_FIELDS, Value
from planso_connector.domain.operation import Operation

_APPENDED = {field.name: field.name.removesuffix("_append") for field in APPEND_FIELDS}
_REMOVED = {f"{target}_remove": target for target in _APPENDED.values()}
"""What an undo asks for: no request can."""
_INVERSE = {f"{target}_append": f"{target}_remove" for target in _APPENDED.values()}


def target_field(path: str) -> str:
    """The field that holds what is asked under `path`: `remarks` for `remarks_append`, else `path` itself."""
    return _APPENDED.get(path) or _REMOVED.get(path) or path


def target_fields(asked: Iterable[str]) -> frozenset[str]:
    return frozenset(map(target_field, asked))


def is_append(path: str) -> bool:
    return path in _APPENDED


def sign_appended_lines(asked: Mapping[str, Value], name: str, day: date) -> dict[str, Value]:
    """The same with `(30.11.2026, phone agent)` at the end of each appended line."""
    words = ", ".join([f"{day:%d.%m.%Y}", *([" ".join(name.split())] if name else [])])
    return {path: f"{value} ({words})" if is_append(path) else value for path, value in asked.items()}


def plan_undo(done: Operation) -> tuple[dict[str, Value], dict[str, Value]]:
    """
    What undoes a confirmed update: the fields to write, and what they have to hold still. A line that was appended is
    taken out again, whatever else was added to the text since.
    """
    asked: dict[str, Value] = {}
    base: dict[str, Value] = {}
    lines = {target_field(path): path for path in done.requested if target_field(path) != path}
    inverse = _INVERSE | {removal: append for append, removal in _INVERSE.items()}
    for path, before in (done.before or {}).items():
        if path in lines:
            asked[inverse[lines[path]]] = done.requested[lines[path]]
        else:
            asked[path], base[path] = before, done.requested[path]
    return asked, base


@dataclass(frozen=True, slots=True)
class AppendableText:
    """A text as a control holds it; one that holds no line breaks is extended by a blank and the line."""

    value: str
    is_one_line: bool = False

    def with_line(self, line: str) -> str:
        line = _flat(line) if self.is_one_line else _plain(line)
        return f"{self.value}{' ' if self.is_one_line else chr(10)}{line}" if self.value.strip() else line

    def count_line(self, line: str) -> int:
        """How often the line stands in it, blanks aside. Of several lines: as they stand one below the other."""
        return self._compared(self.value).count(self._compared(line))

    def without_line(self, line: str) -> str | None:
        """The text without the last place where the line stands; None where nothing is left."""
        held, wanted = self._compared(self.value), self._compared(line)
        pieces = self.value.split() if self.is_one_line else _plain(self.value).split("\n")
        place = held.rfind(wanted)
        if place >= 0:
            first = held.count("\t", 0, place)
            del pieces[first : first + wanted.count("\t")]
        return (" " if self.is_one_line else "\n").join(pieces) or None

    def _compared(self, text: str) -> str:
        """
        What is compared: whole lines, of which PlanSo may collapse the blanks; words where there are no lines. As one
        text, each between a tab and a line break, which stand in none: so it is searched in linear time.
        """
        pieces = text.split() if self.is_one_line else map(_flat, _plain(text).split("\n"))
        return "".join(f"\t{piece}\n" for piece in pieces)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _flat(text: str) -> str:
    return " ".join(text.split())
