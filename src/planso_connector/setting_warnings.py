"""What is odd about the settings, though each can be used: a line for a person each."""

import os
import stat
from difflib import get_close_matches
from pathlib import Path

from pydantic_settings import DotEnvSettingsSource

from planso_connector.settings import DATABASE_SECRETS, Settings


def describe_unknown() -> list[str]:
    """One line for each variable that looks like a setting but is none, with the setting it may mean."""
    known = {name.upper() for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    found = {*os.environ, *DotEnvSettingsSource(Settings).env_vars}
    lines = []
    for name in sorted(name.upper() for name in found):
        if name.startswith(("PLANSO_", "CONNECTOR_")) and name not in known:
            near = get_close_matches(name, known, 1)
            lines.append(f"{name} is not a setting and has no effect." + (f" Did you mean {near[0]}?" if near else ""))
    return lines


def describe_readable_env_file() -> list[str]:
    """One line if every user of this machine can read a `.env` with a password; else none."""
    path = Path(str(Settings.model_config["env_file"]))
    try:
        is_readable = bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return []
    held = DotEnvSettingsSource(Settings).env_vars
    has_password = held.get("planso_password") or DATABASE_SECRETS.search(held.get("connector_database_url") or "")
    if not is_readable or not has_password:
        return []
    return [f"Every user of this machine can read {path}, which holds a password; `chmod 600 {path}` prevents that."]
