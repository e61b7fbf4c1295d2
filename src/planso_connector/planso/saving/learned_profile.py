"""What was learned from a recording, as lines of a profile with where each comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from planso_connector.planso.saving.browser_comparison import BrowserComparison
from planso_connector.planso.saving.har import HarEntry

SettingValue = str | int | bool | Sequence[str] | Mapping[str, str]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z_.-]{0,40}")


@dataclass(frozen=True)
class LearnedSetting:
    """A line of the profile. `table` is its dotted table, empty for the top; `source` says where it was seen."""

    table: tuple[str, ...]
    key: str
    value: SettingValue
    source: str


@dataclass
class LearnedProfile:
    settings: list[LearnedSetting] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    """What no entry of the recording shows, one sentence each."""
    warnings: list[str] = field(default_factory=list)
    comparisons: list[BrowserComparison] = field(default_factory=list)
    fields: list[tuple[str, str, str]] = field(default_factory=list)
    """Field path, its column or label and control, and the doubt that keeps it from being written."""
    unmapped_labels: list[str] = field(default_factory=list)
    """Labels of the form that belong to no field, as far as they are surely the installation's own."""

    def add_setting(self, table: str | tuple[str, ...], key: str, value: SettingValue, source: str) -> None:
        path = tuple(filter(None, table.split("."))) if isinstance(table, str) else table
        self.settings.append(LearnedSetting(path, key, value, source))

    def to_toml(self) -> str:
        """The profile. It holds nothing of any order: only names, labels and what the installation says by itself."""
        tables: dict[tuple[str, ...], list[LearnedSetting]] = {}
        for fact in self.settings:
            tables.setdefault(fact.table, []).append(fact)
        lines = [
            "# Learned from a recording by `planso-connector learn`. What is not here is as in the built-in profile.",
            "# Name this file in PLANSO_PROFILE; `planso-connector doctor` reads with it and writes nothing.",
        ]
        for table, facts in sorted(tables.items(), key=lambda one: (one[0][:1] == ("save",), len(one[0]) > 0)):
            lines.append("")
            if table:
                lines.append(f"[{'.'.join(map(_key, table))}]")
            lines += [f"{_key(fact.key)} = {_value(fact.value)}  # {_comment(fact.source)}" for fact in facts]
        lines += ["", "# What each field is read from and written to in the recorded form:"]
        lines += [
            _commented(f"{path}: {handle}" + ("; not written, `doctor` says why" if doubt else ""))
            for path, handle, doubt in self.fields
        ]
        if self.unmapped_labels:
            lines += ["# Labels of the form that belong to no field:"]
            lines += [_commented(f"'{label}'") for label in self.unmapped_labels]
        lines += ["", "# What stays assumed, because the recording does not show it:"]
        lines += [_commented(sentence) for sentence in self.assumptions] or ["#   nothing"]
        if self.warnings:
            lines += ["# To be looked at:", *map(_commented, self.warnings)]
        return "\n".join(lines) + "\n"


def describe_entry(entry: HarEntry) -> str:
    """`entry 6: POST /do`, without what a path could hold of an order or a person."""
    steps = [step if _WORD.fullmatch(step) else "..." for step in entry.path.split("/") if step]
    return f"entry {entry.number}: {entry.method} /{'/'.join(steps)}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _value(value: SettingValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {_value(held)}' for key, held in value.items())} }}" if value else "{}"
    return f"[{', '.join(map(_value, value))}]"


def _comment(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _commented(text: str) -> str:
    return f"#   {_comment(text)}"
