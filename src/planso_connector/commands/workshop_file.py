"""
The file of `workshops import`, TOML: a table for each workshop.

TOML because it is the format of profiles already, takes comments and texts of several lines, and keeps settings apart
from the rest by a table of their own, which CSV can't.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.workshop import SettingValue
from planso_connector.flows.operating.workshops import NewWorkshop

_FROM_FILES = {"password_file": "password", "profile_file": "profile"}
_TEXTS = ("planso_url", "planso_user", "password", "profile", *_FROM_FILES)
_KEYS = (*_TEXTS, "table_id", "settings")
_REQUIRED = ("planso_url", "planso_user", "password")


def read_workshops(path: Path) -> list[NewWorkshop]:
    """Raises Invalid with a problem for each entry that can't be read, by its workshop's name."""
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise Invalid([Problem(("file",), f"'{path}' can't be read: {error.strerror or error}", "file")]) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid([Problem(("file",), f"'{path}' is not TOML: {error}", "file")]) from error
    problems: list[Problem] = []
    found = []
    for name, entry in content.items():
        entry_problems = list(_find_problems(name, entry))
        problems += entry_problems
        if not entry_problems:
            try:
                found.append(_read_entry(name, entry, path.parent))
            except Invalid as error:
                problems += error.problems
    if problems:
        raise Invalid(problems)
    return found


def _find_problems(name: str, entry: Any) -> Iterator[Problem]:
    if not isinstance(entry, dict):
        yield Problem(("file", name), f"accepted: a table, [{name}], with {', '.join(_KEYS)}", "type")
        return
    for key in entry:
        if key not in _KEYS:
            yield Problem(("file", name, key), f"unknown key; accepted: {', '.join(_KEYS)}", "extra_forbidden")
        elif key in _TEXTS and not isinstance(entry[key], str):
            yield Problem(("file", name, key), "accepted: a text in quotes", "type")
    if not isinstance(entry.get("table_id", 1), int):
        yield Problem(("file", name, "table_id"), "accepted: a whole number from 1, such as 12565", "type")
    if not isinstance(entry.get("settings", {}), dict):
        yield Problem(("file", name, "settings"), f"accepted: a table, [{name}.settings]", "type")
    for other, key in _FROM_FILES.items():
        if other in entry and key in entry:
            yield Problem(("file", name, key), f"accepted: {key} or {other}, not both", "type")
    for key in _REQUIRED:
        if key not in entry and f"{key}_file" not in entry:
            or_file = f" or {key}_file" if f"{key}_file" in _FROM_FILES else ""
            yield Problem(("file", name, key), f"required: {key}{or_file}", "missing")


def _read_entry(name: str, entry: dict[str, Any], folder: Path) -> NewWorkshop:
    values = {field.name: entry[field.name] for field in fields(NewWorkshop) if field.name in entry}
    for key, target in _FROM_FILES.items():
        if key in entry:
            values[target] = read_text(folder / entry[key], ("file", name, key))
    settings: dict[str, SettingValue] = values.pop("settings", {})
    return NewWorkshop(name, settings=settings, **values)


def read_text(path: Path, loc: tuple[str, ...]) -> str:
    """A file's text without its last line end. Raises Invalid."""
    try:
        return path.read_bytes().decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise Invalid([Problem(loc, f"'{path}' can't be read: {error.strerror or error}", "file")]) from error
    except UnicodeDecodeError as error:
        raise Invalid([Problem(loc, f"'{path}' is not UTF-8 text", "file")]) from error
