"""Sentences for callers, marked by whether they tell of an order."""

from __future__ import annotations

from collections.abc import Iterable

QUOTED_AT_MOST = 300
"""Characters of a value in a message."""


def shortened(text: str, at_most: int = QUOTED_AT_MOST) -> str:
    """`text` for a message, cut where it is longer."""
    return text if len(text) <= at_most else f"{text[: at_most - 1]}…"


class OwnNote(str):
    """
    A sentence about a request alone: its fields and the values that came with it. Its caller may read it without being
    allowed to read orders; of any other text that is not known, so it is kept from such callers.
    """

    __slots__ = ()


def split_notes(notes: Iterable[str]) -> tuple[list[str], list[str]]:
    """The own notes, and the others; each in their order."""
    own: list[str] = []
    others: list[str] = []
    for note in notes:
        (own if isinstance(note, OwnNote) else others).append(note)
    return own, others
