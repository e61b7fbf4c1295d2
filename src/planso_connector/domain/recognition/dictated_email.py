"""E-mail addresses as dictated: `jana unterstrich beispiel ät t minus online punkt de`."""

import re
from collections.abc import Sequence

from planso_connector.domain.folding import fold
from planso_connector.domain.recognition.spoken_numbers import parse_number_word
from planso_connector.domain.recognition.spoken_words import FILLER_WORDS

_AT = frozenset(["@", "at", "aet", "ett", "klammeraffe", "klammeraffen", "affenschwanz", "affe"])
_SEPARATORS = {
    ".": ".", "punkt": ".", "dot": ".", "point": ".",
    "-": "-", "minus": "-", "bindestrich": "-", "strich": "-", "dash": "-", "hyphen": "-",
    "_": "_", "unterstrich": "_", "underscore": "_", "+": "+",
}  # fmt: skip
_TOP_LEVEL_DOMAINS = frozenset(
    "de com net org eu at ch info io biz email me online shop gmbh app dev fr it nl pl uk tv".split()  # noqa: SIM905
)
_PROVIDERS = {
    "gmail": "com", "googlemail": "com", "web": "de", "gmx": "de", "t-online": "de", "outlook": "de", "hotmail": "com",
    "yahoo": "de", "icloud": "com", "freenet": "de", "posteo": "de", "aol": "com",
}  # fmt: skip
"""Domains that callers name without the end."""
_WRITTEN_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_CHUNK = re.compile(r"[^\W_]+|[@._+-]|[^\s\w]")
_NOT_LOCAL = FILLER_WORDS - {"punkt", "minus", "bindestrich", "strich", "info", "auto", "werkstatt"} | {
    "mail", "email", "emailadresse", "mailadresse", "adresse",
}  # fmt: skip
_MAX_DOMAIN_PARTS = 12
_MAX_LOCAL_PARTS = 16


def extract_emails(text: str) -> tuple[tuple[str, ...], str]:
    """The addresses in `text`, written or dictated, and `text` without them."""
    found = [match.casefold() for match in _WRITTEN_EMAIL.findall(text)]
    text = _WRITTEN_EMAIL.sub(" ; ", text)
    chunks = list(_CHUNK.finditer(text))
    words = [fold(chunk[0]) for chunk in chunks]
    spans: list[tuple[int, int]] = []
    used = 0
    for at, word in enumerate(words):
        if word not in _AT or at < used:
            continue
        domain, end = _read_domain(words, at + 1)
        locals_, start = _read_local_parts(words, at, used)
        if domain and locals_:
            found += [f"{local}@{domain}" for local in locals_]
            spans.append((chunks[start].start(), chunks[end - 1].end()))
            used = end
    for start, end in reversed(spans):
        text = f"{text[:start]} ; {text[end:]}"
    return tuple(dict.fromkeys(found)), text


def _read_domain(words: Sequence[str], i: int) -> tuple[str, int]:
    """The domain that begins at word `i`, and where it ends: `t minus online de`, `firma minus mueller punkt de`."""
    parts: list[str] = []
    is_open = True
    while i < len(words) and len(parts) < _MAX_DOMAIN_PARTS:
        word = words[i]
        separator = _SEPARATORS.get(word)
        if separator is not None and parts and not is_open:
            parts.append(separator)
            is_open = True
        elif separator is None and word.isalnum() and (is_open or (word in _TOP_LEVEL_DOMAINS and "." not in parts)):
            parts += [word] if is_open else [".", word]
            is_open = False
            if word in _TOP_LEVEL_DOMAINS and "." in parts:
                return "".join(parts).replace("tonline", "t-online"), i + 1
        elif parts == ["t"] and word == "online":
            parts.append("-online")
        else:
            break
        i += 1
    name = "".join(parts)
    if name in _PROVIDERS:
        return f"{name}.{_PROVIDERS[name]}", i
    return (name, i) if "." in parts and not is_open else ("", i)


def _read_local_parts(words: Sequence[str], at: int, first: int) -> tuple[list[str], int]:
    """What may come before the `@` at word `at`, likeliest first, and where the longest begins, not before `first`."""
    start = at
    parts: list[str] = []
    found: list[str] = []
    while start > first and len(parts) < _MAX_LOCAL_PARTS:
        word = words[start - 1]
        separator = _SEPARATORS.get(word)
        if separator is None and (not word.isalnum() or word in _NOT_LOCAL or word in _AT):
            break
        part = separator or _digits_or_word(word)
        if parts and separator is None and parts[0] not in ".-_+" and len(part) > 1 and len(parts[0]) > 1:
            found.append("".join(parts))
            if len(found) > 1:
                break
        parts.insert(0, part)
        start -= 1
    while parts and parts[0] in ".-_+":
        parts.pop(0)
        start += 1
    whole = "".join(parts)
    return list(dict.fromkeys([local for local in [*found, whole] if local])), start


def _digits_or_word(word: str) -> str:
    value = parse_number_word(word)
    return str(value) if value is not None and len(word) > 2 else word
