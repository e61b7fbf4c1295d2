"""What a person is known by here: a phone number, a plate or an e-mail address, found in every writing of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.folding import fold, fold_plate, normalize_unicode
from planso_connector.domain.recognition import emails, phones, plate

_GROUPS = re.compile(r"\+?\d+")
_BETWEEN_GROUPS = re.compile(r"[\s/().·_‐-―−-]*")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_ENDS = 6
"""Digits by which a number is found before it is read: reading it takes a thousand times as long."""
_BETWEEN = "[^a-z0-9]{0,3}"
_PLATE_AT_LEAST = 4
_DIGITS_AT_LEAST = 6


class IdentifierKind(StrEnum):
    PHONE = "phone"
    PLATE = "plate"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Identifier:
    """`key` is the canonical form, by which two writings of one thing are the same."""

    kind: IdentifierKind
    key: str
    _probes: frozenset[str] = field(default=frozenset(), repr=False)
    _pattern: re.Pattern[str] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, kind: IdentifierKind, text: str) -> Identifier:
        """Raises Invalid where `text` is no whole one: a part would find other people."""
        if kind is IdentifierKind.PHONE:
            key = phones.normalize(text)
            if len(key) < _DIGITS_AT_LEAST or len(phones.index_keys(text)) > 1:
                raise _not_whole(kind, "one whole phone number, such as 030 23125118")
            return cls(kind, key, phones.search_keys(text))
        if kind is IdentifierKind.EMAIL:
            key = emails.normalize(text)
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", key):
                raise _not_whole(kind, "an e-mail address, such as jana@example.de")
            written = re.escape(key).replace("@gmail\\.com", "@(?:gmail|googlemail)\\.com").replace("@", " ?@ ?")
            return cls(kind, key, _pattern=re.compile(rf"(?<![\w.+%-]){written}(?!-*[a-z0-9]|\.[a-z0-9])"))
        key = plate.strip_season(fold_plate(text))
        if len(key) < _PLATE_AT_LEAST or key.isdigit() or key.isalpha():
            raise _not_whole(kind, "a whole plate, such as WN-AE 2309")
        pattern = f"(?<![a-z0-9]){_BETWEEN.join(key.lower())}(?![a-z0-9])"
        return cls(kind, key, _pattern=re.compile(pattern))

    def occurs_in(self, text: str) -> bool:
        """Whether `text`, a field's value or a longer one, holds it in any writing."""
        text = _UNSEEN.sub("", text)
        if self.kind is IdentifierKind.PHONE:
            ends = {probe[-_ENDS:] for probe in self._probes}
            return any(
                not self._probes.isdisjoint(phones.index_keys(number))
                for number, digits in _numbers(normalize_unicode("NFKC", text))
                if any(end in digits[-_ENDS - 1 :] for end in ends)  # one more: `-0` at the end is the central's
            )
        assert self._pattern is not None, "every plate and address has one"
        if self._pattern.search(fold(text)):
            return True
        return (
            self.kind is IdentifierKind.PLATE
            and len(text) <= 2 * plate.MAX_LENGTH
            and plate.strip_season(fold_plate(text)) == self.key
        )


def _numbers(text: str) -> Iterator[tuple[str, str]]:
    """
    What may be a phone number, and its digits: each run of groups of digits with only blanks and the like between them,
    since a date or another number may stand before and after. In the middle of a run a number of several groups begins
    with its 0 or +: else the end of one would be another's.
    """
    before: re.Match[str] | None = None
    run: list[re.Match[str]] = []
    for group in [*_GROUPS.finditer(text), None]:
        if before is not None and (group is None or not _BETWEEN_GROUPS.fullmatch(text, before.end(), group.start())):
            yield from _runs(text, run)
            run = []
        if group is not None:
            run.append(group)
        before = group


def _runs(text: str, groups: Sequence[re.Match[str]]) -> Iterator[tuple[str, str]]:
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
