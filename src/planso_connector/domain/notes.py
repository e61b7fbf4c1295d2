"""Sentences for callers, marked by whether they tell of an order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MAX_QUOTED_LENGTH = 300
"""Characters of a value in a message."""


def shorten(text: str, at_most: int = MAX_QUOTED_LENGTH) -> str:
    """`text` for a message, cut where it is longer."""
    return text if len(text) <= at_most else f"{text[: at_most - 1]}…"


def join_names(names: Sequence[str], at_most: int) -> str:
    """`a, b and 3 more`, with at most so many names."""
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


class RequestNote(str):
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
        (own if isinstance(note, RequestNote) else others).append(note)
    return own, others
