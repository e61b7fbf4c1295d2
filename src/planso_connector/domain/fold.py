"""Folding: what two writings of one plate, name or phone number have in common. Look-up compares folded text only."""

from __future__ import annotations

import re
import unicodedata

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "ł": "l", "đ": "d"})


def fold(text: str) -> str:
    """Lower case, `ä`=`ae`, `ß`=`ss`, no accents, runs of white space as one blank."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).casefold().translate(_UMLAUTS)
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    # Here too for what is not ASCII: only NFKD makes a letter of ℌ, and a capital one.
    return " ".join(text.casefold().split())


def fold_plate(text: str) -> str:
    """Letters and digits alone, upper case: `WN-AE 2309`, `wnae2309` and `WN AE2309` are `WNAE2309`."""
    return re.sub(r"[^A-Z0-9]", "", fold(text).upper())


def fold_phone(text: str) -> str:
    """The digits after German prefixes: `0151 234`, `+49151234` and `0049 (0)151-234` are all `151234`."""
    plain = text.replace("(0)", "").strip()
    digits = re.sub(r"\D", "", plain)
    if plain.startswith("+49"):
        digits = digits[2:]
    elif digits.startswith("0049"):
        digits = digits[4:]
    return digits.lstrip("0")
