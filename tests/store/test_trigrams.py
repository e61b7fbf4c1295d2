"""Pieces of texts: a search for a part of a text needs only pieces that the text has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.folding import fold
from planso_connector.store import trigrams

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30) | st.text("abcäß1 -ıł漢", max_size=30)


@given(TEXTS, TEXTS, TEXTS)
def test_a_query_for_a_part_has_only_pieces_of_the_whole(before: str, part: str, after: str) -> None:
    """For any text and any part of it, each piece in the query is indexed for the text."""
    whole = fold(before + part + after)
    for asked in (fold(part), *fold(part).split()):
        if asked in whole:
            pieces = trigrams.fts_query(trigrams.extract_runs(asked)).replace('"', "").split()
            assert set(pieces) <= set(trigrams.index_text(whole).split())


def test_every_piece_of_a_word_is_indexed() -> None:
    """Up to three characters of one word, from a short word, a long one and one in other letters; none across words."""
    assert set(trigrams.index_text("abc d").split()) == {"a", "b", "c", "ab", "bc", "abc", "d"}
    long = "".join(chr(97 + n % 26) for n in range(100))
    assert {long[at : at + 3] for at in range(98)} <= set(trigrams.index_text(long).split())
    assert len(trigrams.index_text("漢字").split()) == 3


@given(TEXTS)
def test_a_piece_is_one_ascii_token(text: str) -> None:
    """FTS5's `ascii` tokenizer keeps each piece as one token."""
    for piece in trigrams.index_text(fold(text)).split():
        assert piece.isascii()
        assert piece.isalnum()
        assert piece == piece.lower()


def test_a_query_is_bounded() -> None:
    """A query for a long word has at most `MAX_QUERY_PIECES`."""
    assert (
        len(trigrams.fts_query(["".join(chr(97 + n % 26) + str(n) for n in range(200))]).split())
        == trigrams.MAX_QUERY_PIECES
    )
