"""
The profile of an installation: labels, columns, table id, calls, words of the parts page, style of saving; all that
the PlanSo protocol marks as "varies". `default_profile.toml` beside this file is the built-in profile and the manual.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from planso_connector.domain.fields import BY_PATH
from planso_connector.domain.planso_columns import CANDIDATE_COLUMNS
from planso_connector.planso.pages.text import label_key
from planso_connector.planso.profile_section import ProfileSection
from planso_connector.planso.saving.save_style import SaveStyle, parse_save_style

BUILT_IN_FILE = "default_profile.toml"

Names = tuple[str, ...]

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+/?")
"""No path may lead to another host, however it is parsed: no //, no backslash, no @, nothing percent-encoded."""

_COLUMN = re.compile(r"[\w-]*[^\W\d_][\w-]*")


@dataclass(frozen=True)
class Paths:
    app: str
    do: str


@dataclass(frozen=True)
class Calls:
    """The `m=` of each call; `tabs`: by the tab's name."""

    board: str
    form: str
    parts: str
    logout: str
    form_call_back_class: str
    tabs: Mapping[str, str]


@dataclass(frozen=True)
class PartsVocabulary:
    """
    The words by which the parts page is parsed. `no_parts`: what a page without parts says; `headers`: the header words
    of each column; `status_words`: the words of each status.
    """

    table_classes: Names
    no_parts: Names
    headers: Mapping[str, Names]
    status_words: Mapping[str, Names]

    @cached_property
    def header_keys(self) -> tuple[tuple[str, str], ...]:
        """Each header word as it is compared, with its column's name."""
        return tuple((label_key(word), name) for name, words in self.headers.items() for word in words)


@dataclass(frozen=True)
class Profile:
    """`labels` and `columns`: by field path, in the order in which they are tried."""

    table_id: int
    paths: Paths
    calls: Calls
    labels: Mapping[str, Names]
    columns: Mapping[str, Names]
    parts: PartsVocabulary
    save: SaveStyle

    @cached_property
    def fields_by_column(self) -> dict[str, Names]:
        """Field paths by casefolded column; none for a column that is only in `fields_by_candidate_column`."""
        return dict.fromkeys(self.fields_by_candidate_column, ()) | _invert(self.columns, str.casefold)

    @cached_property
    def fields_by_candidate_column(self) -> dict[str, Names]:
        """The fields that a column may hold, by casefolded column."""
        return _invert(CANDIDATE_COLUMNS, str.casefold)

    @cached_property
    def label_keys(self) -> dict[str, Names]:
        """The keys of every field's labels."""
        return {path: tuple(map(label_key, labels)) for path, labels in self.labels.items()}

    @cached_property
    def fields_by_label(self) -> dict[str, Names]:
        """Field paths by the label's key."""
        return _invert(self.labels, label_key)

    @classmethod
    def load(cls, path: Path | None = None, table_id: int | None = None) -> Profile:
        """
        The built-in profile, overridden by the file at `path` and by `table_id`. Raises ValueError naming the file, the
        key and what is accepted.
        """
        return cls.parse("" if path is None else _read_text(path), table_id, f"profile {path}")

    @classmethod
    def parse(cls, text: str, table_id: int | None = None, name: str = "profile") -> Profile:
        """As `load`, overridden by the text of a profile file; errors call it `name`."""
        content = load_built_in()
        if text:
            content = _override_profile(content, ProfileSection(_parse_toml(text, name), name))
        paths, calls = Paths(**content["paths"]), Calls(**content["calls"])
        placeholders = {
            "{do}": paths.do,
            "{app}": paths.app,
            "{form}": calls.form,
            "{call_back_class}": calls.form_call_back_class,
        }
        return cls(
            table_id=content["table_id"] if table_id is None else table_id,
            paths=paths,
            calls=calls,
            labels=content["labels"],
            columns=content["columns"],
            parts=PartsVocabulary(**content["parts"]),
            save=content["save"].resolve_placeholders(placeholders),
        )


@cache
def load_built_in() -> dict[str, Any]:
    """The content of the built-in profile: lists as tuples, `columns` for every field, `save` as a SaveStyle."""
    content = tomllib.loads(resources.files(__package__).joinpath(BUILT_IN_FILE).read_text(encoding="utf-8"))
    save = parse_save_style(SaveStyle(), ProfileSection(content.pop("save"), BUILT_IN_FILE, "save."))
    content = _lists_to_tuples(content)
    return {**content, "columns": dict.fromkeys(BY_PATH, ()) | content["columns"], "save": save}


def _lists_to_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists_to_tuples(inner) for key, inner in value.items()}
    return tuple(value) if isinstance(value, list) else value


def _invert(names_by_path: Mapping[str, Names], to_key: Callable[[str], str]) -> dict[str, Names]:
    paths: dict[str, Names] = {}
    for path, names in names_by_path.items():
        for key in map(to_key, names):
            paths[key] = (*paths.get(key, ()), path)
    return paths


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"profile {path} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"profile {path} is not UTF-8 text; save it as UTF-8") from error


def _parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name} is not TOML: {error}; see {BUILT_IN_FILE} for an example") from error


def _override_profile(base: dict[str, Any], file: ProfileSection) -> dict[str, Any]:
    overridden = dict(base)
    for key in file.check_keys(base):
        match key:
            case "table_id":
                overridden[key] = _read_table_id(file)
            case "labels":
                overridden[key] = _override_labels(base[key], file.subsection(key))
            case "columns":
                overridden[key] = _override_columns(base[key], file.subsection(key))
            case "save":
                overridden[key] = parse_save_style(base[key], file.subsection(key))
            case _:
                overridden[key] = _override(base[key], file, key)
    return overridden


def _override(base: Any, section: ProfileSection, key: str) -> Any:
    """The file's value of a key, of the type of the built-in one: a text, names, or a table of these."""
    if isinstance(base, tuple):
        return section.read_names(key)
    if isinstance(base, str):
        text = section.read_text(key)
        if section.prefix == "paths." and (not _PATH.fullmatch(text) or {".", ".."} & set(text.split("/"))):
            raise section.error(key, "accepted: a path that begins with / and names no host, such as /do")
        return text
    table = section.subsection(key)
    return {**base, **{name: _override(base[name], table, name) for name in table.check_keys(base)}}


def _read_table_id(file: ProfileSection) -> int:
    value = file.content["table_id"]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise file.error("table_id", "accepted: a whole number from 1, such as 12565")
    return value


def _override_labels(base: Mapping[str, Names], section: ProfileSection) -> dict[str, Names]:
    """`person = [...]`, and `"vehicle_details.vin" = [...]` or a table `[labels.vehicle_details]`."""
    given: dict[str, Names] = {}
    for key, value in section.content.items():
        group = {path.removeprefix(f"{key}."): path for path in base if path.startswith(f"{key}.")}
        if group and isinstance(value, dict):
            table = section.subsection(key)
            given |= {group[name]: table.read_names(name) for name in table.check_keys(group)}
        elif key in base:
            given[key] = section.read_names(key)
        else:
            raise section.error(key, f"unknown field; accepted: {', '.join(base)}")
    return _override_names(base, given)


def _override_columns(base: Mapping[str, Names], section: ProfileSection) -> dict[str, Names]:
    """`person = [...]`, and `"vehicle_details.vin" = [...]`; an empty list for none."""
    given: dict[str, Names] = {}
    for key in section.check_keys(base):
        value = section.content[key]
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) and _COLUMN.fullmatch(name) for name in names):
            raise section.error(key, 'accepted: a column or a list of columns, such as ["shop_date"]; [] for none')
        given[key] = tuple(names)
    return _override_names(base, given)


def _override_names(base: Mapping[str, Names], given: Mapping[str, Names]) -> dict[str, Names]:
    """A field that is not given follows a given one with the same built-in names: `vehicle.vin`, the other's twin."""
    followers = {path: names for leader, names in given.items() for path in base if base[path] == base[leader] != ()}
    return {**base, **followers, **given}
