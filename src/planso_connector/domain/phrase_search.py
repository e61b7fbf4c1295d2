"""Whether a status, in German or English, contains a phrase; negations count within their clause."""

import re
from collections.abc import Iterator
from functools import lru_cache

from planso_connector.domain.folding import fold

_CLAUSE = re.compile(r"[,;/|()!]|\.(?:\s|$)|\s[-–—]\s|\b(?:aber|und|sowie|but|and)\b")
_WORD = re.compile(r"[a-z0-9]+")
_ENDINGS = ("", "e", "en", "em", "er", "es", "n", "s")
_NEGATIONS = frozenset(
    {"nicht", "nie", "nichts", "kein", "keine", "keinen", "keiner", "keinerlei", "ohne", "0", "null"}
    | {"not", "never", "no", "none", "nothing", "without"}
)
_SKIPPED = frozenset(
    {"noch", "mehr", "bisher", "alle", "alles", "ganz", "vollstaendig", "komplett", "im", "in", "den", "der", "die"}
    | {"das", "e", "et", "teil", "teile", "eteile", "ersatzteil", "ersatzteile", "weitere", "weiteren"}
    | {"wurde", "wurden", "worden", "yet", "all", "fully", "been", "on", "any", "longer", "part", "parts"}
)
"""Words that may come between a negation and what it negates: `nicht alle Teile geliefert`."""
_NEGATED_AFTER = frozenset({"nein", "nichts", "kein", "keine", "keiner", "no", "none", "nothing", "0"})
"""Negations after the phrase: `offen: nein`, `fehlt nichts`, `Rückstand: keiner`."""


@lru_cache(maxsize=1024)  # a workshop uses few statuses, and reading an order asks several times
def contains_any_phrase(text: str, phrases: tuple[str, ...]) -> bool:
    """
    Whether `text` says one of `phrases`, regardless of case, umlauts, punctuation and German endings.

    A phrase that begins with `nicht` matches where its other words are negated, also at a distance: `nicht geliefert`
    matches `noch nicht alle Teile geliefert`. Any other phrase matches only where it is not negated.
    """
    clauses = [_WORD.findall(clause) for clause in _CLAUSE.split(fold(text))]
    for phrase in phrases:
        words = _WORD.findall(fold(phrase))
        is_negative = len(words) > 1 and words[0] == "nicht"
        words = words[1:] if is_negative else words
        if words and any(is_negated is is_negative for clause in clauses for is_negated in _matches(clause, words)):
            return True
    return False


def _matches(clause: list[str], words: list[str]) -> Iterator[bool]:
    """For each occurrence of `words` in `clause`, whether it is negated."""
    for start in range(len(clause) - len(words) + 1):
        end = start + len(words)
        if clause[start : end - 1] == words[:-1] and _is_form_of(clause[end - 1], words[-1]):
            yield _is_negated(clause[:start], clause[end:])


def _is_form_of(word: str, stem: str) -> bool:
    return word.startswith(stem) and word[len(stem) :] in _ENDINGS


def _is_negated(before: list[str], after: list[str]) -> bool:
    while before and before[-1] in _SKIPPED:
        before = before[:-1]
    if before and before[-1] in _NEGATIONS:
        return True
    if after[:1] == ["noch"]:
        after = after[1:]
    return bool(after) and (after[0] in _NEGATED_AFTER or after == ["nicht"] or after[:2] == ["nicht", "mehr"])
