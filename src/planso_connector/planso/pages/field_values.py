"""What the entries of a field hold beside its value: nothing, or content that the field can't have."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from planso_connector.domain.fields import BY_PATH, TEMPORAL_KINDS, FieldKind, Value
from planso_connector.domain.input_warnings import looks_like_plate
from planso_connector.domain.order import MAX_UNREADABLE_LENGTH, OversizedText, UnreadableValue
from planso_connector.planso.pages.control import FormEntry
from planso_connector.planso.pages.control_values import EMPTY_MOMENT


class FieldValues(NamedTuple):
    """The fields of a form by path: canonical values, None where nothing is; what is not a value; what is ambiguous."""

    values: dict[str, Value]
    unreadable: dict[str, UnreadableValue]
    ambiguous: set[str]


STRICT_KINDS = TEMPORAL_KINDS | {FieldKind.NUMBER}
"""Kinds that not every text is of."""


def find_unreadable(path: str, value: Value, find_text: Callable[[], str | None]) -> UnreadableValue | None:
    """
    Content that is not the field's value, or too long to be kept; None for nothing. `find_text` is called where the
    field has no value, for a text that it can't hold.
    """
    if isinstance(value, str):
        return OversizedText.from_text(value) if len(value) > BY_PATH[path].max_length else None
    text = find_text() if value is None else None
    return OversizedText.from_text(text) if text is not None and len(text) > MAX_UNREADABLE_LENGTH else text


def find_unparsed(path: str, entries: Iterable[FormEntry]) -> str | None:
    """The text of the first entry that is neither empty nor of the field's kind, a date or number."""
    kind = BY_PATH[path].kind
    for entry in entries:
        text = entry.display_text
        if not entry.is_choice and EMPTY_MOMENT.fullmatch(text) is None and entry.read_value(kind) is None:
            return text.strip()
    return None


def may_hold_plate(entry: FormEntry) -> bool:
    text = entry.display_text
    return not text.strip() or looks_like_plate(text)


def is_empty_value(value: Value) -> bool:
    return value is None or value is False or value == ""
