"""
Pieces of one to three signs: what the full-text index of SQLite holds of a text, so that any part of any word is found,
those of one or two letters too. They only narrow down: who asks by them compares the texts afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

MAX_PIECE_LENGTH = 3
MAX_QUERY_PIECES = 32
"""Pieces of one question. More narrow it down no further, and each costs a walk through an index."""

_RUN = re.compile(r"[^\W_]+")


def extract_runs(folded: str) -> list[str]:
    """The stretches of letters and digits in a folded text, each once, the longest first."""
    return sorted(dict.fromkeys(_RUN.findall(folded)), key=len, reverse=True)


def index_text(folded: str) -> str:
    """Every piece of every run in the text, each once, between blanks; in ASCII alone, as `ascii` tokens."""
    found: set[str] = set()
    for run in set(_RUN.findall(folded)):
        found.update(run)
        found.update(map("".join, pairwise(run)))
        found.update(map("".join, zip(run, run[1:], run[2:], strict=False)))
    return " ".join(map(_token, found))


def fts_query(asked: Iterable[str]) -> str:
    """The pieces that a text with all these runs has, as FTS5 asks for them: all of them, in any order."""
    found: dict[str, None] = {}
    for run in asked:
        last = max(len(run) - MAX_PIECE_LENGTH, 0)
        found.update(dict.fromkeys(run[at : at + MAX_PIECE_LENGTH] for at in range(last + 1)))
    return " ".join(f'"{_token(gram)}"' for gram in list(found)[:MAX_QUERY_PIECES])


def _token(gram: str) -> str:
    # Longer than any piece, so that no other is meant by it.
    return gram if gram.isascii() else f"u{gram.encode('utf-8', 'surrogatepass').hex()}"
