"""How texts of PlanSo's pages are compared: labels, headers, option texts."""

from __future__ import annotations

import re
from functools import lru_cache

from planso_connector.domain.character_references import unescape_html
from planso_connector.domain.fields import MAX_LABEL_LENGTH
from planso_connector.domain.folding import normalize_unicode
from planso_connector.domain.notes import MAX_QUOTED_LENGTH, shorten

_OUTER = " \t\r\n\f\xa0*:"
_TAG_BEGINS = re.compile(r"<[a-zA-Z/!?]")
_TAGS = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_INVITATION = re.compile(r"(bitte|please)?(wähle|auswähle|auswahl|select|choose).*|bitte")
"""`- bitte wählen -` as a label key. `kein` and `ohne` are not among them: `ohne E-Teile` is an answer."""


def label_key(text: str) -> str:
    """Letters and digits alone, without case: `Sollstunden Karo *:` is `sollstundenkaro`, `HU/AU` is `huau`."""
    return _remembered_key(text) if len(text) <= MAX_LABEL_LENGTH else _key(text)


@lru_cache(maxsize=4096)
def _remembered_key(text: str) -> str:
    return _key(text)


def _key(text: str) -> str:
    return "".join(c for c in normalize_unicode("NFC", text).casefold() if c.isalnum())


def collapse_whitespace(text: str) -> str:
    """`text` with every run of white space (no-break spaces too) as one blank, and none around it."""
    return " ".join(text.split())


def clean_label(text: str) -> str:
    """A label as a person would name it: white space collapsed, no soft hyphens, no `*` and `:` around it."""
    return collapse_whitespace(text.replace("\xad", "")).strip(_OUTER)


def is_placeholder(text: str) -> bool:
    """Whether an option's text only asks to choose: `- bitte wählen -`."""
    return _INVITATION.fullmatch(label_key(text)) is not None


def has_tags(content: str) -> bool:
    # Not one pattern for both: `<a<a<a` would be gone through to its end from each `<`.
    begins = _TAG_BEGINS.search(content)
    return begins is not None and ">" in content[begins.end() :]


def to_one_line(told: object, limit: int = MAX_QUOTED_LENGTH) -> str:
    """Words of PlanSo for a message of ours: tags stripped, one line, cut at `limit` characters."""
    return shorten(collapse_whitespace(unescape_html(_TAGS.sub(" ", str(told)))), limit)


def unescape_markup(content: str) -> str:
    """HTML that arrived entity-escaped once more, as HTML; content that has tags is left as it is."""
    return content if has_tags(content) or "&lt;" not in content else unescape_html(content)
