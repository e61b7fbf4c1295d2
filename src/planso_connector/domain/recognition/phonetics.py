"""
Kölner Phonetik: one code for German words that sound alike.

Source: Hans Joachim Postel, Die Kölner Phonetik. Ein Verfahren zur Identifizierung von Personennamen auf der Grundlage
der Gestaltanalyse, IBM-Nachrichten 19 (1969), 925-931. Own code: the one Python package that keeps to it had its last
release in 2024, and the rules are the table below.
"""

from __future__ import annotations

from functools import lru_cache

from planso_connector.domain.folding import fold

_ALONE = {
    **dict.fromkeys("aeijouy", "0"),
    "b": "1",
    "p": "1",
    "d": "2",
    "t": "2",
    **dict.fromkeys("fvw", "3"),
    **dict.fromkeys("gkq", "4"),
    "x": "48",
    "l": "5",
    **dict.fromkeys("mn", "6"),
    "r": "7",
    **dict.fromkeys("sz", "8"),
}
"""What a letter is where its neighbours say nothing else; `h` has no code, `c` always looks at its neighbours."""


@lru_cache(maxsize=16384)
def cologne_code(word: str) -> str:
    """The digits of a word, folded or not: `Müller-Lüdenscheidt` is `65752682`; empty where no letter sounds."""
    letters = [c for c in fold(word) if "a" <= c <= "z"]
    digits = "".join(
        _digit(before, letter, after)
        for before, letter, after in zip(["", *letters], letters, [*letters[1:], ""], strict=False)
    )
    single = "".join(d for i, d in enumerate(digits) if i == 0 or d != digits[i - 1])
    return single[:1] + single[1:].replace("0", "")


def _digit(before: str, letter: str, after: str) -> str:
    if letter == "h":
        return ""
    if letter == "c":
        return _digit_of_c(before, after)
    if letter == "p" and after == "h":
        return "3"
    if letter in "dt" and after in {"c", "s", "z"}:
        return "8"
    if letter == "x" and before in {"c", "k", "q"}:
        return "8"
    return _ALONE[letter]


def _digit_of_c(before: str, after: str) -> str:
    if not before:
        return "4" if after and after in "ahkloqrux" else "8"
    if before in "sz":
        return "8"
    # Postel leaves the last letter open, and says 8 by his general rule; Dominic and Dominik are one name.
    return "4" if not after or after in "ahkoqux" else "8"
