"""E-mail addresses: one canonical form, and how well an address that was dictated fits one."""

import re
from functools import lru_cache

from planso_connector.domain.folding import fold
from planso_connector.domain.recognition.edits import is_one_edit_apart

EXACT = "email exact"
LOCAL_PART = "email local part"
ONE_TYPO = "email one letter off"

NO_MATCH = (0.0, "")

MAX_LENGTH = 254
"""Longest address that mail servers accept."""
_MIN_LOCAL_LENGTH = 4
_SHARED_LOCAL = re.compile("info|kontakt|contact|office|e?mail|post|service|team|werkstatt|buero|zentrale|kfz")
_SEPARATORS = re.compile(r"[._-]")


@lru_cache(maxsize=4096)
def normalize(text: str) -> str:
    """
    The canonical form of the first address in `text`: folded, with `ü`=`ue`, since addresses have the one where callers
    say the other. ` Jana.Müller@Googlemail.com ` is `jana.mueller@gmail.com`.
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
    How well an asked address fits one, 0 to 1, and the reason: 1 the same; 0.9 the same without dots and hyphens, which
    nobody hears; 0.8 one typo; the same local part with no domain asked (0.7) or another one (0.6).
    """
    address, other = normalize(asked), normalize(held)
    if not address or "@" not in other:
        return NO_MATCH
    if address == other:
        return 1.0, EXACT
    local, at, domain = address.partition("@")
    if at and (_SEPARATORS.sub("", address) == _SEPARATORS.sub("", other) != "@"):
        return 0.9, ONE_TYPO
    if at and min(len(address), len(other)) > _MIN_LOCAL_LENGTH + 2 and is_one_edit_apart(address, other):
        return 0.8, ONE_TYPO
    if local == other.partition("@")[0] and len(local) >= _MIN_LOCAL_LENGTH and not _SHARED_LOCAL.fullmatch(local):
        return (0.6 if domain else 0.7), LOCAL_PART
    return NO_MATCH
