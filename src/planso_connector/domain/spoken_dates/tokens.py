"""
Read a caller's words into tokens of one small vocabulary for both languages, joined by blanks, for patterns to match.

`n8` number, `o3` ordinal, `W1` weekday (0 is Monday), `M12` month, `D2026-12-03` or `D-12-03` date, `S3/12` date
whose month may be either number, `C08:00` time as written, `c8:30` time as spoken, `Pmorning` part of the day; words of
`words.TOKENS`. Words that say nothing about time become `x`.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from planso_connector.domain.folding import fold
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.recognition.colloquial_numbers import standardize
from planso_connector.domain.recognition.spoken_numbers import parse_number_word
from planso_connector.domain.spoken_dates import words

MAX_CHARACTERS = 500
_MAX_WORD_LENGTH = 40

_WRITTEN = (
    (re.compile(r"\b(\d{4})-(\d\d)-(\d\d)(?:t|\s+|\b)"), lambda m: f" D{m[1]}-{m[2]}-{m[3]} "),
    (re.compile(r"\b(0\d|1\d|2[0-4]):([0-5]\d)(?::\d\d)?\b"), lambda m: f" C{m[1]}:{m[2]} "),
    (re.compile(r"\b(\d{1,2}):([0-5]\d)\b"), lambda m: f" c{m[1]}:{m[2]} "),
    (re.compile(r"\b(um|gegen|ab|bis|at)\s+(\d{1,2})[.]([0-5]\d)\b(?!\.)"), lambda m: f"{m[1]} c{m[2]}:{m[3]} "),
    (re.compile(r"\b(\d{1,2})[.]([0-5]\d)(?=\s*uhr)"), lambda m: f" c{m[1]}:{m[2]} "),
    (
        re.compile(r"\b(\d{1,2})\.\s?(\d{1,2})(?:\.\s?(\d{4})\b|\.(\d\d)\b|\.|(?![\d.:]))"),
        lambda m: f" D{m[3] or (f'20{m[4]}' if m[4] else '')}-{int(m[2]):02}-{int(m[1]):02} ",
    ),
    (re.compile(r"\b(\d{1,2})/(\d{1,2})(?:/(\d{4}))?\b"), lambda m: f" S{m[1]}/{m[2]} "),
    (re.compile(r"\b(\d{1,2})(?:\.|st\b|nd\b|rd\b|th\b|ten\b|ter\b|te\b)(?!\d)"), lambda m: f" o{m[1]} "),
    (re.compile(r"(?<=\d)\s?p\.?\s?m\b\.?|\bp\.?m\b\.?"), lambda m: " ampm_pm "),
)
"""Dates and times in digits, by what they become; in this order."""
_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:z|[+-]\d\d:?\d\d)")
_MONTH_WEEK = re.compile(rf"\b(?:{'|'.join(words.MONTH_TOKENS)})woche\b")
_AM = re.compile(r"(?<=\d)\s?a\.?\s?m\b\.?|\b(?<= )a\.m\b\.?|(?<=o'clock )am\b|(?<=oclock )am\b")
_SHORT_WEEKDAY = re.compile(r"\b(mo|di|mi|do|fr|sa|so)[.,]?\s+(?=D|o\d)|\b(mo|di|mi|do|fr|sa|so)[.,]\s*(?=\d|de[nr]\b)")
_COMPOUND = re.compile(
    rf"({'|'.join(words.WEEKDAY_TOKENS)}|heute|uebermorgen)(morgen|vormittag|mittag|nachmittag|abend|nacht|frueh)s?"
)
_ORDINAL_ENDING = re.compile(r"(.+?)s?te[nrsm]?")
_WORD = re.compile(r"[DSCco]-?\d[\d:/-]*|W\d|[a-z_]+|\d+")
_MORGEN = "?morgen"
"""Tomorrow or the morning."""
_READ = re.compile(r"[DSCcoW]-?\d")
_DAY_BEFORE_MORNING = re.compile(r"W\d|today|overmorrow|overovermorrow|yesterday|o\d+|M\d+|D.*")


def tokenize(text: str) -> str:
    """The tokens of the first `MAX_CHARACTERS` of `text`, with a blank before and behind each."""
    plain = f" {fold(text[:MAX_CHARACTERS])} "
    for phrase, replacement in words.PHRASES:
        plain = re.sub(rf"\b{re.escape(phrase)}\b", replacement, plain)
    is_german = not words.GERMAN_WORDS.isdisjoint(re.findall("[a-z]+", plain))
    plain = _MONTH_WEEK.sub("woche_of_month", _INSTANT.sub(_to_local, plain))
    if not is_german:
        plain = _AM.sub(" ampm_am ", plain)
    for pattern, replacement_of in _WRITTEN:
        plain = pattern.sub(replacement_of, plain)
    plain = _SHORT_WEEKDAY.sub(lambda m: f" {words.SHORT_WEEKDAYS[m[1] or m[2]]} ", plain)
    tokens = _join_numbers(_read_articles(_read_words(plain)))
    return f" {' '.join(_read_morning(tokens))} "


def _to_local(match: re.Match[str]) -> str:
    """The workshop's date and time of an instant with an offset."""
    try:
        return f"{datetime.fromisoformat(match[0].upper()).astimezone(BERLIN):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError):
        return " "


def _read_words(text: str) -> list[str]:
    found: list[str] = []
    for word in _WORD.findall(text):
        compound = _COMPOUND.fullmatch(word)
        if compound is not None:
            found += (words.TOKENS[compound[1]], words.PARTS.get(compound[2], "Pmorning"))
        else:
            found.append(_read_word(word))
    return found


def _read_word(word: str) -> str:
    if _READ.match(word):
        return word
    if word.isdigit():
        return f"n{int(word[:6])}"
    if word in words.ARTICLES_OF_NUMBER or word == "morgen":
        return f"?{word}"
    known = words.TOKENS.get(word) or words.TOKENS.get(word.removesuffix("s")) or words.FIXED_DAYS.get(word)
    if known is not None:
        return known
    if len(word) > _MAX_WORD_LENGTH:
        return "x"
    ordinal = _parse_ordinal(word)
    if ordinal is not None:
        return f"o{ordinal}"
    number = parse_number_word(word)
    if number is None:
        number = parse_number_word(standardize(word))
    return "x" if number is None else f"n{number}"


def _parse_ordinal(word: str) -> int | None:
    """1 to 31, of `dritten`, `einundzwanzigster`, `third`; None for any other word."""
    if word in words.ENGLISH_ORDINALS:
        return words.ENGLISH_ORDINALS[word]
    match = _ORDINAL_ENDING.fullmatch(word)
    if match is None:
        return None
    stems = (match[1], re.sub(r"te[nrsm]?$", "", word))
    for stem in stems:
        number = words.IRREGULAR_ORDINAL_STEMS.get(stem)
        if number is None and len(stem) > 2:
            number = parse_number_word(standardize(stem))
        if number is not None and 1 <= number <= 31:
            return number
    return None


def _read_articles(tokens: list[str]) -> list[str]:
    """`?eine` is 1 before a unit, as part of a number, and where it can't be an article."""
    found = []
    for i, token in enumerate(tokens):
        if not token.startswith("?") or token == _MORGEN:
            found.append(token)
            continue
        following = tokens[i + 1] if i + 1 < len(tokens) else ""
        tens = tokens[i + 2] if i + 2 < len(tokens) else ""
        is_unit = token in ("?ein", "?eins") and following == "and" and tens[:1] in ("n", "o")
        is_number = token in ("?eins", "?one") or following in words.UNITS or is_unit
        found.append("n1" if is_number else "x")
    return found


def _join_numbers(tokens: list[str]) -> list[str]:
    """`drei und zwanzigsten`, `twenty first`, `twenty five` are one number each."""
    found: list[str] = []
    i = 0
    while i < len(tokens):
        joined, used = _join_at(tokens, i)
        found.append(joined)
        i += used
    return found


def _join_at(tokens: list[str], i: int) -> tuple[str, int]:
    value = _value_of(tokens[i], "n")
    if value is None:
        return tokens[i], 1
    if 1 <= value <= 9 and tokens[i + 1 : i + 2] == ["and"] and i + 2 < len(tokens):
        for kind in "no":
            tens = _value_of(tokens[i + 2], kind)
            if tens is not None and tens in range(20, 100, 10):
                return f"{kind}{tens + value}", 3
    if value in range(20, 60, 10) and i + 1 < len(tokens):
        for kind in "no":
            unit = _value_of(tokens[i + 1], kind)
            if unit is not None and 1 <= unit <= 9:
                return f"{kind}{value + unit}", 2
    return tokens[i], 1


def _value_of(token: str, kind: str) -> int | None:
    return int(token[1:]) if token.startswith(kind) and token[1:].isdigit() else None


def _read_morning(tokens: list[str]) -> Iterator[str]:
    """`morgen` is the morning behind a day (`Dienstag morgen`) and behind `am`, else tomorrow."""
    before = ""
    for token in tokens:
        if token != _MORGEN:
            yield token
        elif before == "on" or _DAY_BEFORE_MORNING.fullmatch(before):
            yield "Pmorning"
        else:
            yield "tomorrow"
        before = "tomorrow" if token == _MORGEN else token
