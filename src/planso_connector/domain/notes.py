"""Sentences for callers, marked by whether they reveal anything of an order."""

from collections.abc import Iterable, Sequence

MAX_QUOTED_LENGTH = 300
"""Characters of a value that a message quotes."""


def shorten(text: str, at_most: int = MAX_QUOTED_LENGTH) -> str:
    """`text`, cut with an ellipsis where it is longer."""
    return text if len(text) <= at_most else f"{text[: at_most - 1]}…"


def join_names(names: Sequence[str], at_most: int) -> str:
    """`a, b and 3 more`, with at most so many names."""
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


class RequestNote(str):
    """
    A sentence about the request alone: its fields and the values that came with it. Callers that may not read orders
    may read it; any other text is withheld from them.
    """

    __slots__ = ()


def split_notes(notes: Iterable[str]) -> tuple[list[str], list[str]]:
    """The request notes, and the others, each in their order."""
    request_notes: list[str] = []
    others: list[str] = []
    for note in notes:
        (request_notes if isinstance(note, RequestNote) else others).append(note)
    return request_notes, others
