"""
The profile of an installation: labels, table id, calls, parts headers. What the PlanSo protocol marks as "varies"
stands here and nowhere else. `default_profile.toml` beside this file is the built-in profile and the manual.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from planso_connector.domain.fields import BY_PATH, FIELDS
from planso_connector.domain.planso_columns import CANDIDATE_COLUMNS, COLUMNS
from planso_connector.planso.pages.text import label_key
from planso_connector.planso.profile_section import ProfileSection
from planso_connector.planso.saving.save_style import SaveStyle, parse_save_style

BUILT_IN_FILE = "default_profile.toml"

Names = tuple[str, ...]

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+/?")
"""Nothing in it may lead to another host, whoever reads it: no //, no backslash, no @, nothing encoded."""

_COLUMN = re.compile(r"[\w-]*[^\W\d_][\w-]*")


@dataclass(frozen=True)
class Paths:
    app: str
    do: str


@dataclass(frozen=True)
class Calls:
    board: str
    form: str
    parts: str
    logout: str
    form_call_back_class: str
    tabs: Mapping[str, str]
    """Tab to its call."""


@dataclass(frozen=True)
class PartsVocabulary:
    """How the parts page is read. `headers`: column to header words; `status_words`: flag to words."""

    table_classes: Names
    no_parts: Names
    """What a page says that has no parts."""
    headers: Mapping[str, Names]
    status_words: Mapping[str, Names]

    @cached_property
    def header_keys(self) -> tuple[tuple[str, str], ...]:
        """The words of `headers` as they are compared, each with its column's name."""
        return tuple((label_key(word), name) for name, words in self.headers.items() for word in words)


@dataclass(frozen=True)
class Profile:
    table_id: int
    paths: Paths
    calls: Calls
    labels: Mapping[str, Names]
    """Field path to the labels that are tried, in order."""
    columns: Mapping[str, Names]
    """Field path to the columns of PlanSo's table that are tried, in order."""
    parts: PartsVocabulary
    save: SaveStyle
    """How this installation saves; placeholders for the profile's own values are replaced."""

    @cached_property
    def fields_by_column(self) -> dict[str, Names]:
        """The fields of every column that says something, by the column in lower case; none where it is a hint only."""
        fields: dict[str, Names] = dict.fromkeys(self.fields_by_unsure_column, ())
        for path, columns in self.columns.items():
            for column in columns:
                fields[column.casefold()] = (*fields.get(column.casefold(), ()), path)
        return fields

    @cached_property
    def fields_by_unsure_column(self) -> dict[str, Names]:
        """The fields that a column may carry, without being sure, by the column in lower case."""
        fields: dict[str, Names] = {}
        for path, columns in CANDIDATE_COLUMNS.items():
            for column in columns:
                fields[column.casefold()] = (*fields.get(column.casefold(), ()), path)
        return fields

    @cached_property
    def label_keys(self) -> dict[str, Names]:
        """The keys of every field's labels."""
        return {path: tuple(map(label_key, labels)) for path, labels in self.labels.items()}

    @cached_property
    def fields_by_label(self) -> dict[str, Names]:
        """The fields of every label, by the label's key."""
        fields: dict[str, Names] = {}
        for path, labels in self.labels.items():
            for label in labels:
                fields[label_key(label)] = (*fields.get(label_key(label), ()), path)
        return fields

    @property
    def page_kinds(self) -> dict[str, str]:
        """What kind of page each call fetches."""
        calls = self.calls
        named = {calls.board: "list", calls.form: "form", calls.parts: "parts", calls.logout: "logout"}
        return named | {call: f"tab {name}" for name, call in calls.tabs.items()}

    @classmethod
    def load(cls, path: Path | None = None, table_id: int | None = None) -> Profile:
        """
        The built-in profile with what the file at `path` says differently; `table_id` wins over both.

        Raises ValueError naming the file, the key and what would be accepted.
        """
        content = load_built_in()
        if path is not None:
            content = _merged(content, ProfileSection(_toml(path), f"profile {path}"))
        paths, calls = Paths(**content["paths"]), Calls(**content["calls"])
        own = {"{do}": paths.do, "{app}": paths.app, "{form}": calls.form}
        return cls(
            table_id=content["table_id"] if table_id is None else table_id,
            paths=paths,
            calls=calls,
            labels=content["labels"],
            columns=content["columns"],
            parts=PartsVocabulary(**content["parts"]),
            save=content["save"].resolve_placeholders(own | {"{call_back_class}": calls.form_call_back_class}),
        )


@cache
def load_built_in() -> dict[str, Any]:
    """The content of the built-in profile, lists as tuples."""
    text = resources.files(__package__).joinpath(BUILT_IN_FILE).read_text(encoding="utf-8")
    return _merged(_blank(), ProfileSection(tomllib.loads(text), BUILT_IN_FILE))


def _blank() -> dict[str, Any]:
    """What a profile must hold, with nothing in it; the built-in file fills all of it."""
    return {
        "table_id": 0,
        "paths": dict.fromkeys(Paths.__dataclass_fields__, ""),
        "calls": {**dict.fromkeys(Calls.__dataclass_fields__, ""), "tabs": dict.fromkeys(TAB_NAMES, "")},
        "labels": {field.path: field.labels for field in FIELDS},
        "columns": {field.path: COLUMNS.get(field.path, ()) for field in FIELDS},
        "parts": {
            "table_classes": (),
            "no_parts": (),
            "headers": dict.fromkeys(PART_HEADERS, ()),
            "status_words": dict.fromkeys(PART_STATUSES, ()),
        },
        "save": SaveStyle(),
    }


PART_HEADERS = (
    "part_no",
    "description",
    "lead_no",
    "price_each",
    "price_total",
    "qty",
    "dates",
    "order_no",
    "status",
    "order_date",
    "delivery_date",
    "eta_date",
)
TAB_NAMES = (
    "shop_view",
    "damagedareas",
    "details",
    "documents",
    "images",
    "invoice",
    "planung",
    "projects",
    "rental_car",
    "setting",
    "stamped_timings",
    "stats",
    "todo_list",
    "work",
    "zusammenfassung",
)
"""The order's other tabs, by the last words of their calls."""
PART_STATUSES = ("delivered", "ordered", "backorder", "to_order")


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"profile {path} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"profile {path} is not UTF-8 text; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"profile {path} is not TOML: {error}; see {BUILT_IN_FILE} for an example") from error


def _merged(base: dict[str, Any], file: ProfileSection) -> dict[str, Any]:
    """`base` with what `file` says differently."""
    merged = dict(base)
    for key in file.check_keys(base):
        if key == "table_id":
            merged[key] = _table_id(file)
        elif key == "labels":
            merged[key] = _labels(base[key], file.subsection(key))
        elif key == "columns":
            merged[key] = _columns(base[key], file.subsection(key))
        elif key == "parts":
            merged[key] = _parts(base[key], file.subsection(key))
        elif key == "calls":
            merged[key] = _calls(base[key], file.subsection(key))
        elif key == "save":
            merged[key] = parse_save_style(base[key], file.subsection(key))
        else:
            merged[key] = _texts(base[key], file.subsection(key))
    return merged


def _table_id(file: ProfileSection) -> int:
    given = file.content["table_id"]
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise file.error("table_id", "accepted: a whole number from 1, such as 12565")
    return given


def _texts(base: Mapping[str, str], section: ProfileSection) -> dict[str, str]:
    texts = {**base, **{key: section.read_text(key) for key in section.check_keys(base)}}
    if section.prefix == "paths.":
        for key, path in texts.items():
            if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
                raise section.error(key, "accepted: a path that begins with / and names no host, such as /do")
    return texts


def _calls(base: dict[str, Any], section: ProfileSection) -> dict[str, Any]:
    merged = dict(base)
    for key in section.check_keys(base):
        merged[key] = _texts(base[key], section.subsection(key)) if key == "tabs" else section.read_text(key)
    return merged


def _parts(base: dict[str, Any], section: ProfileSection) -> dict[str, Any]:
    merged = dict(base)
    for key in section.check_keys(base):
        if key in ("table_classes", "no_parts"):
            merged[key] = section.read_names(key)
        else:
            words = section.subsection(key)
            merged[key] = {**base[key], **{name: words.read_names(name) for name in words.check_keys(base[key])}}
    return merged


def _labels(base: Mapping[str, Names], section: ProfileSection) -> dict[str, Names]:
    """`person = [...]`, and `"vehicle_details.vin" = [...]` or a table `[labels.vehicle_details]`."""
    given: dict[str, Names] = {}
    groups = {path.partition(".")[0] for path in base if "." in path}
    for key, value in section.content.items():
        if key in groups and isinstance(value, dict):
            group = section.subsection(key)
            known = {path.partition(".")[2]: path for path in base if path.startswith(f"{key}.")}
            given |= {known[name]: group.read_names(name) for name in group.check_keys(known)}
        elif key in base:
            given[key] = section.read_names(key)
        else:
            raise section.error(key, f"unknown field; accepted: {', '.join(base)}")
    followers = {
        path: given[leader]
        for path, field in BY_PATH.items()
        for leader in given
        if path not in given and field.labels == BY_PATH[leader].labels
    }
    return {**base, **followers, **given}


def _columns(base: Mapping[str, Names], section: ProfileSection) -> dict[str, Names]:
    """`person = [...]`, and `"vehicle_details.vin" = [...]`; an empty list for none."""
    merged = dict(base)
    for key in section.check_keys(base):
        given = section.content[key]
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list) or not all(isinstance(name, str) and _COLUMN.fullmatch(name) for name in names):
            raise section.error(key, 'accepted: a column or a list of columns, such as ["shop_date"]; [] for none')
        merged[key] = tuple(names)
        merged |= {path: tuple(names) for path in base if path not in section.content and base[path] == base[key] != ()}
    return merged
