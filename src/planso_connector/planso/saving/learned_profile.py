"""Render what was learned from a recording as profile TOML, with the source of each line."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from planso_connector.planso.saving.browser_comparison import BrowserComparison
from planso_connector.planso.saving.har import HarEntry

SettingValue = str | int | bool | Sequence[str] | Mapping[str, str]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z_.-]{0,40}")


@dataclass(frozen=True)
class LearnedSetting:
    """A line of the profile. `table`: the steps of its dotted table, empty for the top; `source`: where it was seen."""

    table: tuple[str, ...]
    key: str
    value: SettingValue
    source: str


@dataclass
class LearnedProfile:
    settings: list[LearnedSetting] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    """What the recording does not show, one sentence each."""
    warnings: list[str] = field(default_factory=list)
    comparisons: list[BrowserComparison] = field(default_factory=list)
    fields: list[tuple[str, str, str]] = field(default_factory=list)
    """Field path, its column or label and control, and the ambiguity that keeps it from being written."""
    unmapped_labels: list[str] = field(default_factory=list)
    """Labels of the form that belong to no field, without those that may be personal data."""

    def add_setting(self, table: str | tuple[str, ...], key: str, value: SettingValue, *entries: HarEntry) -> None:
        """`table`: dotted, or its steps where one may contain a dot; `entries`: where the value was seen."""
        steps = tuple(filter(None, table.split("."))) if isinstance(table, str) else table
        self.settings.append(LearnedSetting(steps, key, value, "; ".join(map(_describe_entry, entries))))

    def to_toml(self) -> str:
        """The profile. It contains names, labels and constants of the installation, and nothing of any order."""
        tables: dict[tuple[str, ...], list[LearnedSetting]] = {}
        for setting in self.settings:
            tables.setdefault(setting.table, []).append(setting)
        lines = [
            "# Learned from a recording by `planso-connector learn`. What is not here is as in the built-in profile.",
            "# Name this file in PLANSO_PROFILE; `planso-connector doctor` reads with it and writes nothing.",
        ]
        for table, settings in sorted(tables.items(), key=lambda item: (item[0][:1] == ("save",), len(item[0]) > 0)):
            lines.append("")
            if table:
                lines.append(f"[{'.'.join(map(_format_key, table))}]")
            lines += [f"{_format_key(s.key)} = {_format_value(s.value)}  # {_to_one_line(s.source)}" for s in settings]
        lines += ["", "# What each field is read from and written to in the recorded form:"]
        lines += [
            _format_comment(f"{path}: {location}" + ("; not written, `doctor` says why" if ambiguity else ""))
            for path, location, ambiguity in self.fields
        ]
        if self.unmapped_labels:
            lines += ["# Labels of the form that belong to no field:"]
            lines += [_format_comment(f"'{label}'") for label in self.unmapped_labels]
        lines += ["", "# What stays assumed, because the recording does not show it:"]
        lines += map(_format_comment, self.assumptions or ["nothing"])
        if self.warnings:
            lines += ["# To be looked at:", *map(_format_comment, self.warnings)]
        return "\n".join(lines) + "\n"


def _describe_entry(entry: HarEntry) -> str:
    """`entry 6: POST /do`, without path segments that may name an order or a person."""
    segments = [segment if _WORD.fullmatch(segment) else "..." for segment in entry.path.split("/") if segment]
    return f"entry {entry.number}: {entry.method} /{'/'.join(segments)}"


def _format_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _format_value(value: SettingValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        members = ", ".join(f"{_format_key(key)} = {_format_value(held)}" for key, held in value.items())
        return f"{{ {members} }}" if value else "{}"
    return f"[{', '.join(map(_format_value, value))}]"


def _to_one_line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _format_comment(text: str) -> str:
    return f"#   {_to_one_line(text)}"
