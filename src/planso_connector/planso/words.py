"""How texts of PlanSo's pages are compared: labels, headers, option texts."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

_OUTER = " \t\r\n\f\xa0*:"
_TAGS = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_INVITATION = re.compile(r"(bitte|please)?(wähle|auswähle|auswahl|select|choose).*|bitte")
"""`- bitte wählen -` as a label key. `kein` and `ohne` are not among them: `ohne E-Teile` is an answer."""


_LOOKED_THROUGH = 20_000
"""Characters of PlanSo's words that are looked through for a line."""
_REMEMBERED = 200
"""Characters of a text that is remembered: 4096 whole pages would take gigabytes."""


def label_key(text: str) -> str:
    """Letters and digits alone, without case: `Sollstunden Karo *:` is `sollstundenkaro`, `HU/AU` is `huau`."""
    return _known_key(text) if len(text) <= _REMEMBERED else _key(text)


def _key(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFC", text).casefold() if c.isalnum())


_known_key = lru_cache(maxsize=4096)(_key)


def collapsed(text: str) -> str:
    """`text` with every run of white space (no-break spaces too) as one blank, and none around it."""
    return " ".join(text.split())


def shown_label(text: str) -> str:
    """A label as a person would name it: white space collapsed, no soft hyphens, no `*` and `:` around it."""
    return collapsed(text.replace("\xad", "")).strip(_OUTER)


def is_invitation(text: str) -> bool:
    """Whether an option's text only asks to choose: `- bitte wählen -`."""
    return _INVITATION.fullmatch(label_key(text)) is not None


def has_tags(content: str) -> bool:
    return _TAGS.search(content) is not None


def one_line(told: object, limit: int = 300) -> str:
    """Words of PlanSo for a message of ours: tags stripped, one line, cut at `limit` characters."""
    text = collapsed(html.unescape(_TAGS.sub(" ", str(told)[:_LOOKED_THROUGH])))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def unescaped_once(content: str) -> str:
    """HTML that arrived entity-escaped once more, as HTML; content that has tags is left as it is."""
    return content if has_tags(content) or "&lt;" not in content else html.unescape(content)
