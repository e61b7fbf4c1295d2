"""Texts of any length that are hard on parsers and regular expressions."""

from __future__ import annotations

from collections.abc import Callable

MARKS = "\u0323\u0301"
"""Two combining marks in the order that Unicode's canonical ordering swaps."""
PATTERNS: dict[str, Callable[[int], str]] = {
    "letters": lambda n: "A" * n,
    "letters and digits": lambda n: ("A1" * n)[:n],
    "digits": lambda n: "9" * n,
    "blanks": lambda n: "x" + " " * (n - 2) + "y" if n > 1 else "x",
    "dashes": lambda n: "-" * n,
    "tags": lambda n: ("<a" * n)[:n],
    "references": lambda n: ("&#" + "9" * n)[:n],
    "words": lambda n: ("offen " * n)[: n - 1] + "x",
    "umlauts": lambda n: "ü" * n,
    "emoji": lambda n: "🚗" * n,
    "marks": lambda n: ("a" + MARKS * n)[:n],
}
"""By name: a function from the length to a text of that length."""
ASCII_PATTERNS = [name for name, pattern in PATTERNS.items() if pattern(10).isascii()]
