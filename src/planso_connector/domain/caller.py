"""
Callers and their API keys.

A key is `pc_<id>_<secret>`: the id is public and permanent, the secret is 256 random bits. Only the secret's SHA-256 is
stored: 256 random bits can't be guessed, so a slow password hash would gain nothing.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from planso_connector.domain.fields import APPOINTMENT_PATHS
from planso_connector.domain.scopes import Scope

PREFIX = "pc_"
_KEY = re.compile(PREFIX + r"([0-9a-f]{10})_([0-9a-f]{64})")
_KEY_ID = re.compile(PREFIX + r"([0-9a-f]{10})_")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `key_id` is empty where no key was needed."""

    key_id: str
    name: str
    scopes: frozenset[Scope]
    workshop: str = ""
    """Whose orders it sees; empty where no workshop was asked for."""

    @property
    def label(self) -> str:
        """As in operations and the history: `Telefonagent (5f0c2b9e41)`; empty without a key."""
        return f"{self.name} ({self.key_id})" if self.key_id else ""

    def has_any_scope(self, *scopes: Scope) -> bool:
        """`admin` includes every scope but `installation`."""
        is_admin = Scope.ADMIN in self.scopes and scopes != (Scope.INSTALLATION,)
        return is_admin or not self.scopes.isdisjoint(scopes)

    def forbidden_paths(self, paths: Iterable[str]) -> list[str]:
        """Those of the field paths that the caller may not change."""
        return (
            [] if self.has_any_scope(Scope.ORDERS_WRITE) else [path for path in paths if path not in APPOINTMENT_PATHS]
        )


UNRESTRICTED_CALLER = Caller("", "", frozenset({Scope.ADMIN}))
"""Anybody, as long as no API key exists."""
UNKNOWN_CALLER = Caller("", "", frozenset())
"""The caller of a route that needs no key."""


def generate_key_id() -> str:
    return secrets.token_hex(5)


def generate_secret() -> str:
    return secrets.token_hex(32)


def format_key(key_id: str, secret: str) -> str:
    return f"{PREFIX}{key_id}_{secret}"


def parse_key(key: str) -> tuple[str, str] | None:
    """Id and secret; None for anything that is not a key."""
    match = _KEY.fullmatch(key)
    return (match[1], match[2]) if match is not None else None


def extract_key_id(key: str) -> str | None:
    """The id that a key begins with, valid or not; None for text that does not begin like a key."""
    match = _KEY_ID.match(key)
    return match[1] if match is not None else None


def hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def is_same_digest(digest: str, other: str) -> bool:
    """Compare in constant time."""
    return secrets.compare_digest(digest, other)
