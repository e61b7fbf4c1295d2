"""Folding: what two writings of one plate, name or phone number have in common. Look-up compares folded text only."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Literal

MAX_KEY_LENGTH = 250
"""Characters of a key: PostgreSQL's indices hold 2,700 bytes a row, of which a character takes up to four."""

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "ł": "l", "đ": "d"})


_MAY_HAVE_LONG_MARK_RUN = re.compile("[\u0300-\U0001ffff]{31}")
"""As `_many_marks`, at a fortieth of the time, for what is usual here."""


@cache
def _long_mark_run() -> re.Pattern[str]:
    """
    Unicode's bound for a stream-safe text (UAX 15). Beyond U+20000 no character combines with the one before. Made when
    it is needed: it takes 9 ms.
    """
    marks = "".join(map(re.escape, (c for c in map(chr, range(0x300, 0x20000)) if unicodedata.combining(c))))
    return re.compile(f"[{marks}]{{30}}(?=[{marks}])")


def normalize_unicode(form: Literal["NFC", "NFKC", "NFKD"], text: str) -> str:
    """
    As `unicodedata.normalize`, which sorts the marks on one letter by insertion: a million of them would take hours.
    Runs of more than 30 are parted by U+034F, as UAX 15 has it.
    """
    if not text.isascii() and _MAY_HAVE_LONG_MARK_RUN.search(text):
        text = _long_mark_run().sub("\\g<0>\u034f", text)
    return unicodedata.normalize(form, text)


def fold(text: str) -> str:
    """Lower case, `ä`=`ae`, `ß`=`ss`, no accents, runs of white space as one blank."""
    if not text.isascii():
        text = normalize_unicode("NFC", text).casefold().translate(_UMLAUTS)
        text = "".join(c for c in normalize_unicode("NFKD", text) if not unicodedata.combining(c) and c != "\u034f")
    # Here too for what is not ASCII: only NFKD makes a letter of ℌ, and a capital one.
    return " ".join(text.casefold().split())


def fold_plate(text: str) -> str:
    """Letters and digits alone, upper case: `WN-AE 2309`, `wnae2309` and `WN AE2309` are `WNAE2309`. A key's length."""
    return re.sub(r"[^A-Z0-9]", "", fold(text[: 4 * MAX_KEY_LENGTH]).upper())[:MAX_KEY_LENGTH]


def fold_key(text: str) -> str:
    """As `fold`, and so short that it can stand in an index."""
    return fold(text[:MAX_KEY_LENGTH])[:MAX_KEY_LENGTH]


def fold_phone(text: str) -> str:
    """The digits after German prefixes: `0151 234`, `+49151234` and `0049 (0)151-234` are all `151234`."""
    plain = text.replace("(0)", "").strip()
    digits = re.sub(r"\D", "", plain)
    if plain.startswith("+49"):
        digits = digits[2:]
    elif digits.startswith("0049"):
        digits = digits[4:]
    return digits.lstrip("0")
