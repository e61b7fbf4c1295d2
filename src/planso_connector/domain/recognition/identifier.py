"""A phone number, plate or e-mail address that identifies a person, found in text in any notation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.folding import fold, fold_plate, normalize_unicode, strip_invisible
from planso_connector.domain.recognition import emails, phones, plate

_DIGIT_GROUP = re.compile(r"\+?\d+")
_BETWEEN_GROUPS = re.compile(r"[\s/().·_‐-―−-]*")
_LAST_DIGITS = 6
"""Compared before a number is parsed, which takes a thousand times as long."""
_BETWEEN_SIGNS = "[^a-z0-9]{0,3}"
_MIN_PLATE_LENGTH = 4
_MIN_DIGITS = 6


class IdentifierKind(StrEnum):
    PHONE = "phone"
    PLATE = "plate"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Identifier:
    kind: IdentifierKind
    key: str
    """The canonical form, equal for all notations."""
    _phone_keys: frozenset[str] = field(default=frozenset(), repr=False)
    _pattern: re.Pattern[str] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, kind: IdentifierKind, text: str) -> Identifier:
        """Raises Invalid for a part of an identifier, which would find other people."""
        if kind is IdentifierKind.PHONE:
            key = phones.normalize(text)
            if len(key) < _MIN_DIGITS or len(phones.index_keys(text)) > 1:
                raise _not_whole(kind, "one whole phone number, such as 030 23125118")
            return cls(kind, key, phones.search_keys(text))
        if kind is IdentifierKind.EMAIL:
            key = emails.normalize(text)
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", key):
                raise _not_whole(kind, "an e-mail address, such as jana@example.de")
            written = re.escape(key).replace("@gmail\\.com", "@(?:gmail|googlemail)\\.com").replace("@", " ?@ ?")
            return cls(kind, key, _pattern=re.compile(rf"(?<![\w.+%-]){written}(?!-*[a-z0-9]|\.[a-z0-9])"))
        key = plate.strip_season(fold_plate(text))
        if len(key) < _MIN_PLATE_LENGTH or key.isdigit() or key.isalpha():
            raise _not_whole(kind, "a whole plate, such as WN-AE 2309")
        pattern = f"(?<![a-z0-9]){_BETWEEN_SIGNS.join(key.lower())}(?![a-z0-9])"
        return cls(kind, key, _pattern=re.compile(pattern))

    def occurs_in(self, text: str) -> bool:
        """Whether `text`, of a field or longer, contains the identifier in any notation."""
        text = strip_invisible(text)
        if self._pattern is None:
            return self._phone_occurs_in(normalize_unicode("NFKC", text))
        if self._pattern.search(fold(text)):
            return True
        return (
            self.kind is IdentifierKind.PLATE
            and len(text) <= 2 * plate.MAX_LENGTH
            and plate.strip_season(fold_plate(text)) == self.key
        )

    def _phone_occurs_in(self, text: str) -> bool:
        ends = {key[-_LAST_DIGITS:] for key in self._phone_keys}
        return any(
            not self._phone_keys.isdisjoint(phones.index_keys(number))
            for number, digits in _possible_numbers(text)
            if any(end in digits[-_LAST_DIGITS - 1 :] for end in ends)  # one more: a switchboard's `-0`
        )


def _possible_numbers(text: str) -> Iterator[tuple[str, str]]:
    """
    Parts of a text that may be a phone number, with their digits: groups of digits in a row with only blanks and the
    like between them, since a date or another number may come before and after. A number of several groups begins with
    the first group of its row, or with 0 or +: else the end of one number would be another.
    """
    row: list[re.Match[str]] = []
    for group in _DIGIT_GROUP.finditer(text):
        if row and not _BETWEEN_GROUPS.fullmatch(text, row[-1].end(), group.start()):
            yield from _numbers_in_row(text, row)
            row = []
        row.append(group)
    yield from _numbers_in_row(text, row)


def _numbers_in_row(text: str, groups: Sequence[re.Match[str]]) -> Iterator[tuple[str, str]]:
    for first, begin in enumerate(groups):
        digits = ""
        for group in groups[first : first + phones.MAX_DIGITS]:
            digits += group[0].removeprefix("+")
            if len(digits) > phones.MAX_DIGITS:
                break
            yield text[begin.start() : group.end()], digits
            if first and not begin[0].startswith(("+", "0")):
                break


def _not_whole(kind: IdentifierKind, accepted: str) -> Invalid:
    return Invalid([Problem(("command", f"--{kind}"), f"accepted: {accepted}", "value_error")])
