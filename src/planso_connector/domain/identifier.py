"""What a person is known by here: a phone number, a plate or an e-mail address, found in every writing of it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

from planso_connector.domain import emails, phones, plate
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.fold import fold, fold_plate

_NUMBER = re.compile(r"[+(]?\d[\d\s/().–-]{4,}\d")
_ADDRESS = re.compile(r"[^\s,;:=<>\"'()\[\]]+\s*@\s*[^\s,;:=<>\"'()\[\]]+")
_BETWEEN = "[^a-z0-9]{0,3}"
_PLATE_AT_LEAST = 4
_DIGITS_AT_LEAST = 6


class Kind(StrEnum):
    PHONE = "phone"
    PLATE = "plate"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Identifier:
    """`key` is the canonical form, by which two writings of one thing are the same."""

    kind: Kind
    key: str
    _probes: frozenset[str] = field(default=frozenset(), repr=False)
    _pattern: re.Pattern[str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, kind: Kind, text: str) -> Identifier:
        """Raises Invalid where `text` is no whole one: a part would find other people."""
        if kind is Kind.PHONE:
            key = phones.key(text)
            if len(key) < _DIGITS_AT_LEAST or len(phones.keys(text)) > 1:
                raise _not_whole(kind, "one whole phone number, such as 030 23125118")
            return cls(kind, key, phones.probes(text))
        if kind is Kind.EMAIL:
            key = emails.key(text)
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", key):
                raise _not_whole(kind, "an e-mail address, such as jana@example.de")
            return cls(kind, key)
        key = plate.plain(fold_plate(text))
        if len(key) < _PLATE_AT_LEAST or key.isdigit() or key.isalpha():
            raise _not_whole(kind, "a whole plate, such as WN-AE 2309")
        pattern = f"(?<![a-z0-9]){_BETWEEN.join(key.lower())}(?![a-z0-9])"
        return cls(kind, key, _pattern=re.compile(pattern))

    def stands_in(self, text: str) -> bool:
        """Whether `text`, a field's value or a longer one, holds it in any writing."""
        if self.kind is Kind.PHONE:
            plain = unicodedata.normalize("NFKC", text)
            return any(not self._probes.isdisjoint(phones.keys(found[0])) for found in _NUMBER.finditer(plain))
        if self.kind is Kind.EMAIL:
            return "@" in text and any(emails.key(found[0]) == self.key for found in _ADDRESS.finditer(text))
        assert self._pattern is not None, "every plate has one"
        return bool(self._pattern.search(fold(text))) or (
            len(text) <= 2 * plate.LONGEST and plate.plain(fold_plate(text)) == self.key
        )


def _not_whole(kind: Kind, accepted: str) -> Invalid:
    return Invalid([Problem(("command", f"--{kind}"), f"accepted: {accepted}", "value_error")])
