"""Settings read from files, and the error of a wrong setting."""

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

log = logging.getLogger(__name__)

_MAX_FILE_SIZE = 64 * 1024
"""Bytes."""


class SettingsError(Exception):
    """A setting is wrong or missing."""


class FileSource(PydanticBaseSettingsSource):
    """
    Read settings from files: `PLANSO_PASSWORD_FILE=/run/secrets/planso` in place of `PLANSO_PASSWORD`, and systemd's
    credentials (`LoadCredential=planso_password:...`) by the setting's name in lower case.

    `variables`: the environment and `.env`, names in lower case, highest priority first. Raises SettingsError naming
    the setting, the file and what is wrong.
    """

    def __init__(self, settings: type[BaseSettings], *variables: Mapping[str, str | None]) -> None:
        super().__init__(settings)
        self._variables = variables

    def __call__(self) -> dict[str, Any]:
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                found[name] = value
        return found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        sources = self._sources(field_name)
        if len(sources) > 1:
            raise SettingsError(f"{' and '.join(sources)}: both are set; accepted: one of them.")
        for name, path in sources.items():
            if path is not None:
                return _read_setting_file(name, path), field_name, False
        return None, field_name, False

    def _sources(self, setting: str) -> dict[str, Path | None]:
        """Every source that sets it, with the file it names, if any."""
        found: dict[str, Path | None] = {}
        if any(variables.get(setting) for variables in self._variables):
            found[setting.upper()] = None
        for variables in self._variables:
            path = variables.get(f"{setting}_file")
            if path:
                found.setdefault(f"{setting}_file".upper(), Path(path))
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        if credentials and (credential := Path(credentials, setting)).exists():
            found[f"$CREDENTIALS_DIRECTORY/{setting}"] = credential
        return found


def _read_setting_file(name: str, path: Path) -> str:
    try:
        if path.stat().st_mode & stat.S_IROTH:
            log.warning("%s: every user of this machine can read %s; `chmod o-r` prevents that.", name, path)
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_SIZE + 1)
    except OSError as error:
        raise SettingsError(f"{name}: {path} can't be read: {error.strerror or error}.") from error
    if len(content) > _MAX_FILE_SIZE:
        raise SettingsError(f"{name}: {path} is too large for a setting; accepted: up to {_MAX_FILE_SIZE} bytes.")
    try:
        return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SettingsError(f"{name}: {path} is not UTF-8 text.") from None
