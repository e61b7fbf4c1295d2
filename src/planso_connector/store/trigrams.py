"""
Pieces of one to three characters for SQLite's full-text index, so that a search finds any part of a word. They only
narrow a search down: its result is compared with the texts.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

MAX_PIECE_LENGTH = 3
MAX_QUERY_PIECES = 32
"""More narrow a search down no further, and each costs an index lookup."""

_MAX_KNOWN_LENGTH = 32

_RUN = re.compile(r"[^\W_]+")


def extract_runs(folded: str) -> list[str]:
    """The runs of letters and digits in a folded text, each once, the longest first."""
    return sorted(dict.fromkeys(_RUN.findall(folded)), key=len, reverse=True)


def index_text(folded: str) -> str:
    """The text to index: every piece of every run, each once, with blanks between; for FTS5's `ascii` tokenizer."""
    pieces: set[str] = set()
    for run in set(_RUN.findall(folded)):
        pieces.update(_cut_known(run) if len(run) <= _MAX_KNOWN_LENGTH else _cut(run))
    text = " ".join(pieces)
    return text if text.isascii() else " ".join(map(_token, pieces))


def _cut(run: str) -> tuple[str, ...]:
    """Every piece of a run."""
    lengths = range(1, MAX_PIECE_LENGTH + 1)
    return tuple({run[start : start + length] for length in lengths for start in range(len(run) - length + 1)})


# Most runs of an order are in other orders too, and nearly all in the text that its next one replaces.
_cut_known = lru_cache(maxsize=2048)(_cut)


def fts_query(runs: Iterable[str]) -> str:
    """The FTS5 query for texts with all these runs: their longest pieces, in any order."""
    pieces: dict[str, None] = {}
    for run in runs:
        last = max(len(run) - MAX_PIECE_LENGTH, 0)
        pieces.update(dict.fromkeys(run[start : start + MAX_PIECE_LENGTH] for start in range(last + 1)))
    return " ".join(f'"{_token(piece)}"' for piece in list(pieces)[:MAX_QUERY_PIECES])


def _token(piece: str) -> str:
    # Longer than any piece, so that it is no other piece's token.
    return piece if piece.isascii() else f"u{piece.encode('utf-8', 'surrogatepass').hex()}"
