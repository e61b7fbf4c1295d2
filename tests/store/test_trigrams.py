"""Pieces of texts: whoever asks for a part of a text asks only for pieces that the text has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.folding import fold
from planso_connector.store import trigrams

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30) | st.text("abcäß1 -ıł漢", max_size=30)


@given(TEXTS, TEXTS, TEXTS)
def test_a_part_asks_only_for_pieces_of_the_whole(before: str, part: str, after: str) -> None:
    """For any text and any part of it, each piece asked for is one of the text's."""
    whole = fold(before + part + after)
    for asked in (fold(part), *fold(part).split()):
        if asked in whole:
            pieces = trigrams.fts_query(trigrams.extract_runs(asked)).replace('"', "").split()
            assert set(pieces) <= set(trigrams.index_text(whole).split())


@given(TEXTS)
def test_a_piece_is_plain_ascii(text: str) -> None:
    """FTS5's `ascii` tokenizer takes each for one token, and for no other than it is."""
    for piece in trigrams.index_text(fold(text)).split():
        assert piece.isascii()
        assert piece.isalnum()
        assert piece == piece.lower()


def test_a_question_is_bounded() -> None:
    """A long word asks for no more pieces than help."""
    assert (
        len(trigrams.fts_query(["".join(chr(97 + n % 26) + str(n) for n in range(200))]).split())
        == trigrams.MAX_QUERY_PIECES
    )
