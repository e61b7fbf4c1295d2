"""
Compare a value that PlanSo holds after a save with the requested one: equal, normalised or different. Pure.

PlanSo stores some values in a notation of its own: plates in capitals, phone numbers regrouped, hours rounded to the
decimals of a column. That is a success. A truncated text, a capped number or `?` in place of letters are not.
"""

import re
from decimal import Decimal
from enum import StrEnum
from itertools import accumulate, pairwise

from planso_connector.domain import german_formats, values
from planso_connector.domain.fields import MONTH_KINDS, TEMPORAL_KINDS, FieldKind, Value
from planso_connector.domain.recognition import phones


class Equivalence(StrEnum):
    """How the held value relates to the requested one."""

    EQUAL = "equal"
    """The same text."""
    NORMALISED = "normalised"
    """The same value in another notation: a success that is reported."""
    DIFFERENT = "different"
    """Another value."""


def compare_notation(kind: FieldKind, sent: str, held: str) -> Equivalence:
    """Compare two texts of the same canonical value: EQUAL or NORMALISED. Trailing zeros of a number don't count."""
    if kind is FieldKind.NUMBER:
        sent, held = _strip_trailing_zeros(sent), _strip_trailing_zeros(held)
    return Equivalence.EQUAL if values.normalize_text(sent) == values.normalize_text(held) else Equivalence.NORMALISED


def _strip_trailing_zeros(number: str) -> str:
    return re.sub(r"([.,]\d*?)0+$", r"\1", number.strip()).rstrip(".,")


def is_equivalent(kind: FieldKind, requested: Value, held: Value, display_text: str = "") -> bool:
    """
    Whether two canonical values mean the same. `display_text` is how PlanSo writes the held one; its decimals decide
    how far a number may be rounded.
    """
    if values.are_equal(kind, requested, held):
        return True
    if kind is FieldKind.NUMBER:
        return _is_rounded(requested, held, display_text)
    if not isinstance(requested, str) or not isinstance(held, str):
        return False
    if kind in MONTH_KINDS:
        return held == f"{requested}-01"
    if kind in TEMPORAL_KINDS:
        return False
    match kind:
        case FieldKind.IDENTIFIER:
            return _is_same_identifier(requested, held)
        case FieldKind.PHONE if phones.is_equivalent_text(requested, held):
            return True
        case FieldKind.EMAIL if requested.strip().casefold() == held.strip().casefold():
            return True
    return _split_words_by_line(requested) == _split_words_by_line(held)


def _split_words_by_line(text: str) -> list[list[str]]:
    return [line.split() for line in values.normalize_text(text).split("\n")]


def _is_rounded(requested: Value, held: Value, display_text: str) -> bool:
    """Whether a number is the requested one, rounded to the decimals that PlanSo shows; None counts as 0."""
    exact, rounded = _to_decimal(requested), _to_decimal(held)
    if exact is None or rounded is None or (exact and not rounded):
        return False
    try:
        shown = german_formats.parse_exact_decimal(display_text, dot_groups=False) if display_text.strip() else rounded
    except ValueError:
        shown = rounded
    exponent = shown.as_tuple().exponent
    assert isinstance(exponent, int), "a finite number"
    return abs(exact - rounded) <= Decimal(5).scaleb(min(exponent, 0) - 1)


def _to_decimal(value: Value) -> Decimal | None:
    if value is None:
        return Decimal(0)
    return None if isinstance(value, str) else Decimal(str(float(value)))


def _is_same_identifier(first: str, second: str) -> bool:
    """
    Compare without case, blanks and hyphens. Where both separate the leading letters, they must do so at the same
    place: `B-NO 1` is another plate than `BN-O 1`.
    """
    pieces, others = _split_identifier(first), _split_identifier(second)
    if "".join(pieces) != "".join(others) or not pieces:
        return False
    gaps, other_gaps = _find_letter_gaps(pieces), _find_letter_gaps(others)
    return gaps == other_gaps or not gaps or not other_gaps


def _split_identifier(text: str) -> list[str]:
    return re.findall(r"[^\s\xa0\-\u2010-\u2015.·]+", values.normalize_text(text).casefold())


def _find_letter_gaps(pieces: list[str]) -> set[int]:
    """Offsets at which one piece ends with a letter and the next begins with one."""
    ends = accumulate(map(len, pieces))
    neighbours = zip(ends, pairwise(pieces), strict=False)
    return {end for end, (piece, following) in neighbours if piece[-1].isalpha() and following[0].isalpha()}
