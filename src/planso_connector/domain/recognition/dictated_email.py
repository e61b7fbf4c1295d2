"""E-mail addresses as dictated: `jana unterstrich beispiel ät t minus online punkt de`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from planso_connector.domain.folding import fold
from planso_connector.domain.recognition.spelling import parse_number_word
from planso_connector.domain.recognition.vocabulary import FILLER_WORDS

_AT = frozenset(["@", "at", "aet", "ett", "klammeraffe", "klammeraffen", "affenschwanz", "affe"])
_JOINTS = {
    ".": ".", "punkt": ".", "dot": ".", "point": ".",
    "-": "-", "minus": "-", "bindestrich": "-", "strich": "-", "dash": "-", "hyphen": "-",
    "_": "_", "unterstrich": "_", "underscore": "_", "+": "+",
}  # fmt: skip
_ENDS = frozenset("de com net org eu at ch info io biz email me online shop gmbh app dev fr it nl pl uk tv".split())  # noqa: SIM905
_KNOWN = {
    "gmail": "com", "googlemail": "com", "web": "de", "gmx": "de", "t-online": "de", "outlook": "de", "hotmail": "com",
    "yahoo": "de", "icloud": "com", "freenet": "de", "posteo": "de", "aol": "com",
}  # fmt: skip
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_CHUNK = re.compile(r"[^\W_]+|[@._+-]|[^\s\w]")
_NOT_LOCAL = FILLER_WORDS - {"punkt", "minus", "bindestrich", "strich", "info", "auto", "werkstatt"} | {
    "mail", "email", "emailadresse", "mailadresse", "adresse",
}  # fmt: skip


def extract_emails(text: str) -> tuple[tuple[str, ...], str]:
    """The addresses, and `text` without them."""
    found: list[str] = []

    def cut(match: re.Match[str]) -> str:
        found.append(match[0].casefold())
        return " ; "

    text = _EMAIL.sub(cut, text)
    chunks = list(_CHUNK.finditer(text))
    words = [fold(chunk[0]) for chunk in chunks]
    left, spans = 0, []
    for at, word in enumerate(words):
        if word not in _AT or at < left:
            continue
        domain, end = _domain(words, at + 1)
        locals_, start = _locals(words, at, left)
        if domain and locals_:
            found += [f"{local}@{domain}" for local in locals_]
            spans.append((chunks[start].start(), chunks[end - 1].end()))
            left = end
    for first, last in reversed(spans):
        text = f"{text[:first]} ; {text[last:]}"
    return tuple(dict.fromkeys(found)), text


def _domain(words: Sequence[str], i: int) -> tuple[str, int]:
    """`gmail punkt com`, `t minus online de`, `firma minus mueller punkt de`: the domain and where it ends."""
    parts: list[str] = []
    joined = True
    while i < len(words) and len(parts) < 12:
        word = words[i]
        joint = _JOINTS.get(word)
        if joint is not None and parts and not joined:
            parts.append(joint)
            joined = True
        elif joint is None and word.isalnum() and (joined or (word in _ENDS and "." not in parts)):
            parts += [word] if joined else [".", word]
            joined = False
            if word in _ENDS and "." in parts:
                return "".join(parts).replace("tonline", "t-online"), i + 1
        elif parts == ["t"] and word == "online":
            parts.append("-online")
        else:
            break
        i += 1
    name = "".join(parts)
    if name in _KNOWN:
        return f"{name}.{_KNOWN[name]}", i
    return ("".join(parts), i) if "." in parts and not joined else ("", i)


def _locals(words: Sequence[str], at: int, left: int) -> tuple[list[str], int]:
    """What stands before the `at`, the likeliest first, and where the longest begins."""
    start = at
    parts: list[str] = []
    found: list[str] = []
    while start > left and len(parts) < 16:
        word = words[start - 1]
        joint = _JOINTS.get(word)
        if joint is None and (not word.isalnum() or word in _NOT_LOCAL or word in _AT):
            break
        part = joint or _spelled(word)
        if parts and joint is None and parts[0] not in ".-_+" and len(part) > 1 and len(parts[0]) > 1:
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


def _spelled(word: str) -> str:
    value = parse_number_word(word)
    return str(value) if value is not None and len(word) > 2 else word
