"""
Settings from files: `PLANSO_PASSWORD_FILE=/run/secrets/planso` instead of `PLANSO_PASSWORD`, and the same of every
other setting; and what systemd hands over (`LoadCredential=planso_password:...`), by its name in small letters.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

_LARGEST = 64 * 1024
"""Bytes."""

log = logging.getLogger(__name__)


class FileError(Exception):
    """A setting's file can't be read, or the setting is given twice."""


class Files(PydanticBaseSettingsSource):
    """`variables`: what the environment and `.env` hold, by names in small letters, the stronger first."""

    def __init__(self, settings: type[BaseSettings], *variables: Mapping[str, str | None]) -> None:
        super().__init__(settings)
        self._variables = variables

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Raises FileError naming the setting, the file and what is wrong with it."""
        given = self._named(field_name)
        if len(given) > 1:
            raise FileError(f"{' and '.join(given)}: both are set; accepted: one of them.")
        for name, path in given.items():
            if path is not None:
                return self._content(name, path), field_name, False
        return None, field_name, False

    def _named(self, setting: str) -> dict[str, Path | None]:
        """Every place that gives a value, and the file that it names."""
        found: dict[str, Path | None] = {}
        if any(variables.get(setting) for variables in self._variables):
            found[setting.upper()] = None
        for variables in self._variables:
            path = variables.get(f"{setting}_file")
            if path:
                found.setdefault(f"{setting}_file".upper(), Path(path))
        handed_over = os.environ.get("CREDENTIALS_DIRECTORY")
        if handed_over and (credential := Path(handed_over, setting)).exists():
            found[f"$CREDENTIALS_DIRECTORY/{setting}"] = credential
        return found

    def _content(self, name: str, path: Path) -> str:
        try:
            if path.stat().st_mode & stat.S_IROTH:
                log.warning("%s: everybody on this machine can read %s; `chmod o-r` takes that from them.", name, path)
            with path.open("rb") as file:
                content = file.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                raise FileError(f"{name}: {path} is no setting, it is too large; accepted: up to {_LARGEST} bytes.")
            return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except OSError as error:
            raise FileError(f"{name}: {path} can't be read: {error.strerror or error}.") from error
        except UnicodeDecodeError:
            raise FileError(f"{name}: {path} is not UTF-8 text.") from None

    def __call__(self) -> dict[str, Any]:
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                found[name] = value
        return found
