"""
Whether what PlanSo holds after a save is what was asked: equal, the same written otherwise, or something else. Pure.

PlanSo, as any web form, may store a value in a notation of its own: plates in capitals, phone numbers regrouped, hours
rounded to the decimals of a column. That is neither a refusal nor somebody's edit. Everything else is: a text that was
cut, a number that was capped, letters that became `?`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from planso_connector.domain import german_formats, values
from planso_connector.domain.fields import MONTH_KINDS, TEMPORAL_KINDS, FieldKind, Value
from planso_connector.domain.recognition import phones


class Equivalence(StrEnum):
    """How what is held relates to what was asked."""

    EQUAL = "equal"
    """It is written as it was sent."""
    NORMALISED = "normalised"
    """It means the same and is written otherwise: a success that is reported."""
    DIFFERENT = "different"
    """It means something else: PlanSo kept or made another value."""


def compare_notation(kind: FieldKind, sent: str, held: str) -> Equivalence:
    """
    Of two texts that are the same canonical value: whether what PlanSo holds is also written as it was sent. Zeros at
    the end of a number are no other writing.
    """
    if kind is FieldKind.NUMBER:
        sent, held = _without_trailing_zeros(sent), _without_trailing_zeros(held)
    return Equivalence.EQUAL if values.normalize_text(sent) == values.normalize_text(held) else Equivalence.NORMALISED


def _without_trailing_zeros(number: str) -> str:
    return re.sub(r"([.,]\d*?)0+$", r"\1", number.strip()).rstrip(".,")


def is_equivalent(kind: FieldKind, asked: Value, held: Value, shown: str = "") -> bool:
    """
    Whether a canonical value that PlanSo holds means what was asked. `shown` is how PlanSo writes it, which tells a
    number's decimals.
    """
    if values.are_equal(kind, asked, held):
        return True
    if kind is FieldKind.NUMBER:
        return _is_rounded(asked, held, shown)
    if not isinstance(asked, str) or not isinstance(held, str):
        return False
    if kind in MONTH_KINDS:
        return held == f"{asked}-01"
    if kind in TEMPORAL_KINDS:
        return False
    match kind:
        case FieldKind.IDENTIFIER:
            return _is_same_identifier(asked, held)
        case FieldKind.PHONE if phones.is_equivalent_text(asked, held):
            return True
        case FieldKind.EMAIL if asked.strip().casefold() == held.strip().casefold():
            return True
    return _lines(asked) == _lines(held)


def _lines(text: str) -> list[list[str]]:
    """The words of each line: runs of blanks count as one, line breaks as they are."""
    return [line.split() for line in values.normalize_text(text).split("\n")]


def _is_rounded(asked: Value, held: Value, shown: str) -> bool:
    """Whether a number is the asked one, rounded to the decimals that PlanSo shows; nothing counts as 0."""
    one, other = _number(asked), _number(held)
    if one is None or other is None:
        return False
    if one and not other:
        return False
    try:
        decimals = german_formats.parse_exact_decimal(shown, dot_groups=False) if shown.strip() else other
    except ValueError:
        decimals = other
    exponent = decimals.as_tuple().exponent
    assert isinstance(exponent, int), "a finite number"
    return abs(one - other) <= Decimal(5).scaleb(min(exponent, 0) - 1)


def _number(value: Value) -> Decimal | None:
    if value is None:
        return Decimal(0)
    return None if isinstance(value, str) else Decimal(str(float(value)))


def _is_same_identifier(one: str, other: str) -> bool:
    """
    Without case, blanks and hyphens; but where both part the letters in front, they must part them alike: `B-NO 1` is
    another plate than `BN-O 1`.
    """
    mine, theirs = _pieces(one), _pieces(other)
    if "".join(mine) != "".join(theirs) or not mine:
        return False
    cuts = [_cuts(pieces) for pieces in (mine, theirs)]
    return cuts[0] == cuts[1] or not cuts[0] or not cuts[1]


def _pieces(text: str) -> list[str]:
    return re.findall(r"[^\s\xa0\-\u2010-\u2015.·]+", values.normalize_text(text).casefold())


def _cuts(pieces: list[str]) -> set[int]:
    """Where a gap stands between two letters."""
    found, at = set(), 0
    for before, after in pairwise(pieces):
        at += len(before)
        if before[-1].isalpha() and after[0].isalpha():
            found.add(at)
    return found
