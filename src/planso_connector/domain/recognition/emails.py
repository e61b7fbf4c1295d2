"""E-mail addresses: one canonical form, and how well an address that was dictated fits one."""

from __future__ import annotations

import re
from functools import lru_cache

from planso_connector.domain.folding import fold
from planso_connector.domain.recognition.names import is_one_edit_apart

EXACT = "email exact"
LOCAL_PART = "email local part"
ONE_TYPO = "email one letter off"
REASONS = (EXACT, LOCAL_PART, ONE_TYPO)

NO_MATCH = (0.0, "")

MAX_LENGTH = 254
"""Of an address, as mail servers take it."""
_LOCAL_AT_LEAST = 4
_ANYBODYS = re.compile("info|kontakt|contact|office|e?mail|post|service|team|werkstatt|buero|zentrale|kfz")
_SEPARATORS = re.compile(r"[._-]")


@lru_cache(maxsize=4096)
def normalize(text: str) -> str:
    """
    Folded, without blanks and what surrounds an address; `ü`=`ue`, since callers say the one and addresses hold the
    other: ` Jana.Müller@Googlemail.com ` is `jana.mueller@gmail.com`.
    """
    plain = fold(text[:1000]).replace("mailto:", "")
    plain = re.sub(r"\s*@\s*", "@", plain)
    first = next((word for word in re.split(r"[,;<>]", plain) if "@" in word), plain)
    address = re.sub(r"\s", "", first).strip(".\"'()[]")
    local, at, domain = address.partition("@")
    if domain == "googlemail.com":
        domain = "gmail.com"
    return f"{local}{at}{domain}"[:MAX_LENGTH]


def score_match(asked: str, held: str) -> tuple[float, str]:
    """
    How well an asked address fits one, 0 to 1, and why: 1 the same; 0.9 but for dots and hyphens, which nobody hears;
    0.8 one typo; 0.6 the same name in front of the @, where the other part is missing (0.7) or another.
    """
    one, other = normalize(asked), normalize(held)
    if not one or "@" not in other:
        return NO_MATCH
    if one == other:
        return 1.0, EXACT
    local, at, domain = one.partition("@")
    held_local, _, _ = other.partition("@")
    if at and (_SEPARATORS.sub("", one) == _SEPARATORS.sub("", other) != "@"):
        return 0.9, ONE_TYPO
    if at and min(len(one), len(other)) > _LOCAL_AT_LEAST + 2 and is_one_edit_apart(one, other):
        return 0.8, ONE_TYPO
    if local == held_local and len(local) >= _LOCAL_AT_LEAST and not _ANYBODYS.fullmatch(local):
        return (0.6 if domain else 0.7), LOCAL_PART
    return NO_MATCH
