"""Single edits: one letter inserted, left out or replaced, or two neighbours swapped."""

from collections.abc import Iterator


def is_one_edit_apart(first: str, second: str) -> bool:
    """Whether exactly one edit turns one word into the other (optimal string alignment distance 1)."""
    if abs(len(first) - len(second)) > 1 or first == second:
        return False
    short, long = (first, second) if len(first) <= len(second) else (second, first)
    start = 0
    while start < len(short) and short[start] == long[start]:
        start += 1
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    return short[start + 1 :] == long[start + 1 :] or (
        short[start : start + 2] == long[start : start + 2][::-1] and short[start + 2 :] == long[start + 2 :]
    )


def single_edits(word: str, letters: str) -> Iterator[str]:
    """Every word one edit away from `word`, some twice, and `word` itself; `letters` are those that edits put in."""
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        yield from (head + letter + tail for letter in letters)
        if tail:
            yield head + tail[1:]
            yield head + tail[1:2] + tail[0] + tail[2:]
            yield from (head + letter + tail[1:] for letter in letters)
