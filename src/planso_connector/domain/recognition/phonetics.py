"""
Cologne phonetics (Kölner Phonetik): one code for German words that sound alike.

Source: Hans Joachim Postel, Die Kölner Phonetik. Ein Verfahren zur Identifizierung von Personennamen auf der Grundlage
der Gestaltanalyse, IBM-Nachrichten 19 (1969), 925-931. Own code: the one Python package that follows it was last
released in 2024, and the rules are the table below.
"""

from functools import lru_cache

from planso_connector.domain.folding import fold

_CODES = {
    letter: code
    for letters, code in {
        "aeijouy": "0", "bp": "1", "dt": "2", "fvw": "3", "gkq": "4", "x": "48", "l": "5", "mn": "6", "r": "7",
        "sz": "8",
    }.items()
    for letter in letters
}  # fmt: skip
"""Codes of letters whose neighbours don't matter; `h` has none, `c` always depends on its neighbours."""


@lru_cache(maxsize=16384)
def cologne_code(word: str) -> str:
    """The digits of a word, folded or not: `Müller-Lüdenscheidt` is `65752682`; empty where no letter has a code."""
    letters = [c for c in fold(word) if "a" <= c <= "z"]
    digits = "".join(map(_code, ["", *letters], letters, [*letters[1:], ""]))
    single = "".join(d for i, d in enumerate(digits) if i == 0 or d != digits[i - 1])
    return single[:1] + single[1:].replace("0", "")


def _code(before: str, letter: str, after: str) -> str:
    if letter == "h":
        return ""
    if letter == "c":
        return _code_of_c(before, after)
    if letter == "p" and after == "h":
        return "3"
    if letter in "dt" and after in {"c", "s", "z"}:
        return "8"
    if letter == "x" and before in {"c", "k", "q"}:
        return "8"
    return _CODES[letter]


def _code_of_c(before: str, after: str) -> str:
    if not before:
        return "4" if after and after in "ahkloqrux" else "8"
    if before in "sz":
        return "8"
    # Postel leaves a last letter open, and his general rule gives 8; but Dominic and Dominik are one name.
    return "4" if not after or after in "ahkoqux" else "8"
