"""A workshop of the registry: its PlanSo, its login there, and its own settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from planso_connector.domain.clock import Instant

SettingValue = str | int | float | bool

MAX_NAME_LENGTH = 63

MAX_PROFILE_LENGTH = 50_000
"""Characters, several times the built-in profile's; a body of /api holds them however they are escaped."""

_NAME = re.compile(rf"[a-z0-9](?:[a-z0-9-]{{0,{MAX_NAME_LENGTH - 2}}}[a-z0-9])?")

NAME_ACCEPTED = (
    f"accepted: 1 to {MAX_NAME_LENGTH} of the characters a-z, 0-9 and -, not beginning or ending with -, as in the "
    "first label of a host name"
)


@dataclass(frozen=True, slots=True)
class Workshop:
    """
    A row of the registry. `version` grows with each change of any workshop: the highest one is the registry's.

    `profile` is the text of a profile file (TOML), `settings` holds the workshop's own values by setting,
    `CONNECTOR_SYNC_HOURS`; for all others the process's apply.
    """

    name: str
    planso_url: str
    planso_user: str
    encrypted_password: str = field(repr=False)
    created_at: Instant
    changed_at: Instant
    version: int
    table_id: int | None = None
    profile: str = ""
    settings: Mapping[str, SettingValue] = field(default_factory=dict)
    paused_at: Instant | None = None
    removed_at: Instant | None = None
    """Since when it is removed: of a removed one only the name is kept, so that other processes learn of it."""

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None


def check_name(name: str) -> str:
    """Return the name. Raises ValueError for one that is no DNS label in lower case."""
    if not _NAME.fullmatch(name):
        raise ValueError(NAME_ACCEPTED)
    return name
