"""
Who calls: API keys and what their scopes allow.

A key is `pc_<id>_<secret>`: the id is public and names the key for good, the secret is 256 random bits. Only the
secret's SHA-256 is kept: what was drawn from so many can't be guessed, so a slow hash, which is for passwords, would
only be slow.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from planso_connector.domain.fields import APPOINTMENT_PATHS

PREFIX = "pc_"
_KEY = re.compile(PREFIX + r"([0-9a-f]{10})_([0-9a-f]{64})")


_BEGINNING = re.compile(PREFIX + r"([0-9a-f]{10})_")


class Scope(StrEnum):
    """What a key is for; `SCOPES` tells each."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    APPOINTMENTS_WRITE = "appointments:write"
    SYNC = "sync"
    METRICS = "metrics"
    ADMIN = "admin"


SCOPE_DESCRIPTIONS: dict[Scope, str] = {
    Scope.ORDERS_READ: "Orders, their parts, progress and history, the look-up, operations; how the sync goes.",
    Scope.ORDERS_WRITE: "Change, create, delete orders; cancel and undo operations.",
    Scope.APPOINTMENTS_WRITE: "Change the dates and times of an order, with PUT or PATCH, and nothing else.",
    Scope.SYNC: "Start a sync; how it goes, and the login with PlanSo.",
    Scope.METRICS: "The figures that monitoring collects; nothing of orders or people.",
    Scope.ADMIN: "All of it, and logging in to PlanSo; resume stopped writes, write a damaged order's values back.",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `key_id` is empty for anyone, who needs no key as long as there is none."""

    key_id: str
    name: str
    scopes: frozenset[Scope]

    @property
    def label(self) -> str:
        """As operations and the history name it: `Telefonagent (5f0c2b9e41)`. Empty for anyone."""
        return f"{self.name} ({self.key_id})" if self.key_id else ""

    def has_any_scope(self, *scopes: Scope) -> bool:
        """Whether it has one of them."""
        return Scope.ADMIN in self.scopes or not self.scopes.isdisjoint(scopes)

    def forbidden_paths(self, paths: Iterable[str]) -> list[str]:
        """Those of the fields that it may not change."""
        return (
            [] if self.has_any_scope(Scope.ORDERS_WRITE) else [path for path in paths if path not in APPOINTMENT_PATHS]
        )


UNRESTRICTED_CALLER = Caller("", "", frozenset({Scope.ADMIN}))
UNKNOWN_CALLER = Caller("", "", frozenset())
"""Who sent a request that nobody was asked a key for."""


def generate_key_id() -> str:
    return secrets.token_hex(5)


def generate_secret() -> str:
    return secrets.token_hex(32)


def format_key(key_id: str, secret: str) -> str:
    """The key as its holder gets it."""
    return f"{PREFIX}{key_id}_{secret}"


def parse_key(key: str) -> tuple[str, str] | None:
    """Id and secret; None for what is no key."""
    match = _KEY.fullmatch(key)
    return (match[1], match[2]) if match is not None else None


def extract_key_id(key: str) -> str | None:
    """The id that a key begins with, be it valid or not; None for what does not begin as a key."""
    match = _BEGINNING.match(key)
    return match[1] if match is not None else None


def hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def is_same_digest(one: str, other: str) -> bool:
    """Whether two digests are, in a time that does not tell where they part."""
    return secrets.compare_digest(one, other)
