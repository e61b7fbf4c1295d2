"""Whether a status in German or English words says something: negations and clauses are heeded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from planso_connector.domain.folding import fold

_CLAUSE = re.compile(r"[,;/|()!]|\.(?:\s|$)|\s[-–—]\s|\b(?:aber|und|sowie|but|and)\b")
_WORD = re.compile(r"[a-z0-9]+")
_ENDINGS = ("", "e", "en", "em", "er", "es", "n", "s")
_NEGATIONS = frozenset(
    {"nicht", "nie", "nichts", "kein", "keine", "keinen", "keiner", "keinerlei", "ohne", "0", "null"}
    | {"not", "never", "no", "none", "nothing", "without"}
)
_PASSED_OVER = frozenset(
    {"noch", "mehr", "bisher", "alle", "alles", "ganz", "vollstaendig", "komplett", "im", "in", "den", "der", "die"}
    | {"das", "e", "et", "teil", "teile", "eteile", "ersatzteil", "ersatzteile", "weitere", "weiteren"}
    | {"wurde", "wurden", "worden", "yet", "all", "fully", "been", "on", "any", "longer", "part", "parts"}
)
"""Words between a negation and what it negates: `nicht alle Teile geliefert`."""
_NEGATED_AFTER = frozenset({"nein", "nichts", "kein", "keine", "keiner", "no", "none", "nothing", "0"})
"""`offen: nein`, `fehlt nichts`, `Rückstand: keiner`."""


def says_any(text: str, phrases: Iterable[str]) -> bool:
    """
    Whether `text` says one of `phrases`, whatever case, umlauts, punctuation and German endings it is written with.

    A phrase that begins with `nicht` is said where its other words stand negated, also at a distance: `nicht geliefert`
    by `noch nicht alle Teile geliefert`. Any other is said only where it is not negated.
    """
    clauses = [_WORD.findall(clause) for clause in _CLAUSE.split(fold(text))]
    for phrase in phrases:
        words = _WORD.findall(fold(phrase))
        wanted = words[0] == "nicht" and len(words) > 1 if words else False
        words = words[1:] if wanted else words
        if words and any(is_negated is wanted for clause in clauses for is_negated in _found(clause, words)):
            return True
    return False


def _found(clause: list[str], words: list[str]) -> Iterator[bool]:
    """For each place in `clause` at which `words` stand, whether they are negated there."""
    for at in range(len(clause) - len(words) + 1):
        end = at + len(words)
        if clause[at : end - 1] == words[:-1] and _is_form_of(clause[end - 1], words[-1]):
            yield _is_negated(clause[:at], clause[end:])


def _is_form_of(word: str, stem: str) -> bool:
    return word.startswith(stem) and word[len(stem) :] in _ENDINGS


def _is_negated(before: list[str], after: list[str]) -> bool:
    while before and before[-1] in _PASSED_OVER:
        before = before[:-1]
    if before and before[-1] in _NEGATIONS:
        return True
    if after[:1] == ["noch"]:
        after = after[1:]
    return bool(after) and (after[0] in _NEGATED_AFTER or after == ["nicht"] or after[:2] == ["nicht", "mehr"])
