"""Fold text to the form in which searches compare it: case, accents and notation don't matter."""

import re
import unicodedata
from functools import cache
from typing import Literal

MAX_KEY_LENGTH = 250
"""In characters of up to four bytes: an index row of PostgreSQL holds 2,700 bytes."""

_MIN_DIGITS_WITH_COUNTRY = 10

_LETTERS = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "oe", "ł": "l", "đ": "d", "ı": "i"}
_INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Soft hyphens, joiners, marks of direction and the like, which come along when text is copied."""
_TYPOGRAPHIC = dict.fromkeys("\u2018\u2019\u201b\u02bc\u02b9\u2032`\u00b4", "'") | dict.fromkeys(
    "\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"
)
_REPLACED = str.maketrans({**_LETTERS, **_TYPOGRAPHIC, **dict.fromkeys(_INVISIBLE, "")})
_VISIBLE = str.maketrans(dict.fromkeys(_INVISIBLE, ""))

_MAY_HAVE_LONG_MARK_RUN = re.compile("[\u0300-\U0001ffff]{31}")
"""Rules out `_long_mark_run` for usual texts, in a fortieth of the time."""


@cache
def _long_mark_run() -> re.Pattern[str]:
    """More combining marks than a stream-safe text has (UAX 15); none is beyond U+20000. Compiling it takes 9 ms."""
    marks = "".join(map(re.escape, (c for c in map(chr, range(0x300, 0x20000)) if unicodedata.combining(c))))
    return re.compile(f"[{marks}]{{30}}(?=[{marks}])")


def normalize_unicode(form: Literal["NFC", "NFKC", "NFKD"], text: str) -> str:
    """
    As `unicodedata.normalize`, whose time grows with the square of the marks on one letter: a million would take hours.
    So U+034F is put in after every 30 of them, as UAX 15 says.
    """
    if not text.isascii() and _MAY_HAVE_LONG_MARK_RUN.search(text):
        text = _long_mark_run().sub("\\g<0>\u034f", text)
    return unicodedata.normalize(form, text)


def fold(text: str) -> str:
    """
    Lower case, `ä`=`ae`, `ß`=`ss`, without accents and invisible signs, one blank for white space; apostrophes and
    hyphens are the plain ones.
    """
    if not text.isascii():
        text = normalize_unicode("NFC", text).casefold().translate(_REPLACED)
        if not text.isascii():  # umlauts are replaced by now
            text = _remove_marks(normalize_unicode("NFKD", text))
    # After NFKD too, which turns ℌ into a capital letter.
    return " ".join(text.casefold().replace("`", "'").split())


def _remove_marks(text: str) -> str:
    marks = [c for c in set(text) if c == "\u034f" or unicodedata.combining(c)]
    return text.translate(dict.fromkeys(map(ord, marks))) if marks else text


def strip_invisible(text: str) -> str:
    """`text` without soft hyphens and the like, which end no word."""
    return text if text.isascii() else text.translate(_VISIBLE)


def fold_plate(text: str) -> str:
    """Letters and digits in upper case: `WN-AE 2309`, `wnae2309` and `WN AE2309` are `WNAE2309`."""
    return re.sub(r"[^A-Z0-9]", "", fold(text[: 4 * MAX_KEY_LENGTH]).upper())[:MAX_KEY_LENGTH]


def fold_key(text: str) -> str:
    """As `fold`, short enough for an index."""
    return fold(text[:MAX_KEY_LENGTH])[:MAX_KEY_LENGTH]


def fold_phone(text: str) -> str:
    """The digits after German prefixes: `0151 234`, `+49151234` and `00 49 (0)151-234` are all `151234`."""
    plain = text.replace("(0)", "").strip()
    digits = re.sub(r"\D", "", plain)
    if plain.startswith("+49"):
        digits = digits[2:]
    elif digits.startswith("0049"):
        digits = digits[4:]
    return digits.lstrip("0")


def fold_asked_phone(text: str) -> str:
    """
    What to look for in folded numbers. A plus that was lost, as from a URL in which it was not encoded, counts as said:
    ` 49151234` and `491512345678` are numbers with a country code.
    """
    if re.match(r"\s\d", text):
        text = f"+{text.strip()}"
    folded = fold_phone(text)
    # Of a number with an area code that begins with 49, the rest finds it too.
    is_plus_lost = len(folded) >= _MIN_DIGITS_WITH_COUNTRY and re.match(r"\D*49", text) and folded.startswith("49")
    return folded[2:].lstrip("0") if is_plus_lost else folded
