"""
Append a line to a text field, and take it out again. Pure.

An operation keeps the line alone: the text around it is only known when the operation is saved.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from planso_connector.domain.fields import APPEND_FIELDS, Value
from planso_connector.domain.operation import Operation

_TARGETS = {field.name: field.name.removesuffix("_append") for field in APPEND_FIELDS}
"""Field of a request to the text field: `remarks_append` to `remarks`."""
_REMOVALS = {name: f"{target}_remove" for name, target in _TARGETS.items()}
"""Field of a request to the one that an undo of it uses; no request may name that one."""
_INVERSES = _REMOVALS | {removal: append for append, removal in _REMOVALS.items()}
_ALL_TARGETS = _TARGETS | {_REMOVALS[name]: target for name, target in _TARGETS.items()}


def target_field(path: str) -> str:
    """The field that `path` changes: `remarks` for `remarks_append`, else `path` itself."""
    return _ALL_TARGETS.get(path, path)


def target_fields(requested: Iterable[str]) -> frozenset[str]:
    return frozenset(map(target_field, requested))


def is_append(path: str) -> bool:
    return path in _TARGETS


def sign_appended_lines(requested: Mapping[str, Value], name: str, day: date) -> dict[str, Value]:
    """Put `(30.11.2026, phone agent)` at the end of each appended line."""
    signature = ", ".join([f"{day:%d.%m.%Y}", *([" ".join(name.split())] if name else [])])
    return {path: f"{value} ({signature})" if is_append(path) else value for path, value in requested.items()}


def plan_undo(operation: Operation) -> tuple[dict[str, Value], dict[str, Value]]:
    """
    What undoes a confirmed update: the fields to write, and the values that they must still have. An appended line is
    taken out whatever else was added to the text since.
    """
    fields: dict[str, Value] = {}
    base: dict[str, Value] = {}
    lines = {target_field(path): path for path in operation.requested if path in _INVERSES}
    for path, before in (operation.before or {}).items():
        if path in lines:
            fields[_INVERSES[lines[path]]] = operation.requested[lines[path]]
        else:
            fields[path], base[path] = before, operation.requested[path]
    return fields, base


@dataclass(frozen=True, slots=True)
class AppendableText:
    """The text of a control. `is_one_line`: it can't hold line breaks, so lines are separated by a blank."""

    value: str
    is_one_line: bool = False

    def with_line(self, line: str) -> str:
        line = _collapse_blanks(line) if self.is_one_line else _normalize_line_breaks(line)
        return f"{self.value}{self._separator}{line}" if self.value.strip() else line

    def count_line(self, line: str) -> int:
        """How often the line occurs in the text, ignoring blanks. Several lines count where they are consecutive."""
        return self._to_searchable(self.value).count(self._to_searchable(line))

    def without_line(self, line: str) -> str | None:
        """The text without the last occurrence of the line; None where nothing is left."""
        text, searched = self._to_searchable(self.value), self._to_searchable(line)
        pieces = self.value.split() if self.is_one_line else _normalize_line_breaks(self.value).split("\n")
        position = text.rfind(searched)
        if position >= 0:
            first = text.count("\t", 0, position)
            del pieces[first : first + searched.count("\t")]
        return self._separator.join(pieces) or None

    @property
    def _separator(self) -> str:
        return " " if self.is_one_line else "\n"

    def _to_searchable(self, text: str) -> str:
        """
        The pieces to compare as one text that can be searched in linear time, each between a tab and a line break:
        lines with collapsed blanks, as PlanSo may collapse them, or words where there are no lines.
        """
        pieces = text.split() if self.is_one_line else map(_collapse_blanks, _normalize_line_breaks(text).split("\n"))
        return "".join(f"\t{piece}\n" for piece in pieces)


def _normalize_line_breaks(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _collapse_blanks(text: str) -> str:
    return " ".join(text.split())
