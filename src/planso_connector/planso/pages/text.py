"""How texts of PlanSo's pages are normalised and compared: labels, headers, option texts."""

import re
from functools import lru_cache

from planso_connector.domain.character_references import unescape_html
from planso_connector.domain.fields import MAX_LABEL_LENGTH
from planso_connector.domain.folding import normalize_unicode
from planso_connector.domain.notes import MAX_QUOTED_LENGTH, shorten

_AROUND_LABELS = " \t\r\n\f\xa0*:"
_TAG_START = re.compile(r"<[a-zA-Z/!?]")
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_PLACEHOLDER = re.compile(r"(bitte|please)?(wähle|auswähle|auswahl|select|choose).*|bitte")
"""`- bitte wählen -` as a label key. `kein` and `ohne` are not among them: `ohne E-Teile` is an answer."""


def name_set(names: str) -> frozenset[str]:
    """The names in a blank-separated list."""
    return frozenset(names.split())


def label_key(text: str) -> str:
    """The letters and digits in lower case: `Sollstunden Karo *:` is `sollstundenkaro`, `HU/AU` is `huau`."""
    return _remembered_key(text) if len(text) <= MAX_LABEL_LENGTH else _key(text)


@lru_cache(maxsize=4096)
def _remembered_key(text: str) -> str:
    return _key(text)


def _key(text: str) -> str:
    return "".join(filter(str.isalnum, normalize_unicode("NFC", text).casefold()))


def collapse_whitespace(text: str) -> str:
    """Every run of white space (no-break spaces too) as one blank, and none around the text."""
    return " ".join(text.split())


def clean_label(text: str) -> str:
    """A label as a person would name it: white space collapsed, no soft hyphens, no `*` and `:` around it."""
    return collapse_whitespace(text.replace("\xad", "")).strip(_AROUND_LABELS)


def is_placeholder(text: str) -> bool:
    """Whether an option's text only asks to choose: `- bitte wählen -`."""
    return _PLACEHOLDER.fullmatch(label_key(text)) is not None


def has_tags(content: str) -> bool:
    # Not one pattern for both: `<a<a<a` would be gone through to its end from each `<`.
    start = _TAG_START.search(content)
    return start is not None and ">" in content[start.end() :]


def to_one_line(text: object, limit: int = MAX_QUOTED_LENGTH) -> str:
    """PlanSo's words for a message of ours: without tags, on one line, cut at `limit` characters."""
    return shorten(collapse_whitespace(unescape_html(_TAG.sub(" ", str(text)))), limit)


def unescape_markup(content: str) -> str:
    """Unescape HTML that is entity-escaped once more; content with tags is left as it is."""
    return content if has_tags(content) or "&lt;" not in content else unescape_html(content)
