"""Which of a form's labels carry which field: for reading the first that holds something, for writing the first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from planso_connector.domain.fields import BY_PATH, DATED, Kind, Value
from planso_connector.domain.order import PLATE
from planso_connector.domain.plausible import looks_like_plate
from planso_connector.planso.control import Entry
from planso_connector.planso.words import label_key

_STRICT = DATED | {Kind.NUMBER}
_NOTHING = re.compile(r"[0\s\xa0.:/-]*")
"""An empty date or time; some databases show it as `00.00.0000`."""


class FieldLabels:
    """The entries of one form by field. Of several equal labels the first counts."""

    def __init__(self, entries: Sequence[Entry], names: Mapping[str, tuple[str, ...]]) -> None:
        self._names = names
        self._by_key: dict[str, Entry] = {}
        self._found: dict[str, list[Entry]] = {}
        for entry in entries:
            self._by_key.setdefault(entry.key, entry)

    def names(self, path: str) -> tuple[str, ...]:
        """The labels that are tried for a field."""
        return self._names[path]

    def entries(self, path: str) -> Sequence[Entry]:
        """The field's labels that this form has, in the order in which they are tried."""
        found = self._found.get(path)
        if found is None:
            keys = map(label_key, self._names[path])
            found = self._found[path] = [self._by_key[key] for key in keys if key in self._by_key]
        return found

    def value(self, path: str) -> Value:
        """The field's canonical value, None where no label holds one."""
        kind = BY_PATH[path].kind
        empty: Value = None
        for entry in self.writable(path):
            value = entry.value(kind)
            if not _is_empty(value):
                return value
            empty = value if empty is None else empty
        return empty

    def unreadable(self, path: str) -> str | None:
        """What stands at one of the field's labels that its kind, a date or number, can't hold; None where nothing."""
        kind = BY_PATH[path].kind
        if kind not in _STRICT:
            return None
        for entry in self.writable(path):
            if not entry.is_choice and _NOTHING.fullmatch(entry.shown) is None and entry.value(kind) is None:
                return entry.shown.strip()
        return None

    def writable(self, path: str) -> Sequence[Entry]:
        """
        The entries that the field may be written to. A plate goes to a later label (`Fahrzeug`) only where that is
        empty or holds a plate: it is the vehicle's name elsewhere.
        """
        found = self.entries(path)
        if path != PLATE:
            return found
        first = label_key(self._names[path][0])
        return [entry for entry in found if entry.key == first or _may_hold_plate(entry)]

    def target(self, path: str) -> Entry | None:
        """
        Where a write goes, to clear as well: the first label that is there. So a repeated request changes nothing, and
        what another label holds (`Halter`, `Fahrzeugeingang (Ist)`) is nobody's by-catch.
        """
        return next(iter(self.writable(path)), None)


def _may_hold_plate(entry: Entry) -> bool:
    return not entry.shown.strip() or looks_like_plate(entry.shown)


def _is_empty(value: Value) -> bool:
    return value is None or value is False or value == ""
