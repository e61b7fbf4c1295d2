"""Masks that keep equal things equal and different ones different: a masked recording can still be learned from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from planso_connector.planso.pages.redact import MaskingRules, mask_text
from planso_connector.planso.pages.text import collapse_whitespace
from planso_connector.planso.saving.vocabulary import Vocabulary

_PLAIN = frozenset({"", "0", "1", "on", "off", "true", "false"})
"""Values that say nothing of anybody: of check boxes, and of empty fields."""
_BREAKS = re.compile(r"\r\n|\r|\n")
_KEY = re.compile(r"[A-Za-z_][\w-]{0,40}", re.ASCII)
_CLASS = re.compile(r"[a-z][a-z0-9_-]{0,40}", re.ASCII)
_OUTCOME = re.compile(r"ok|okay|success|saved|done|deleted|error|fail(ed)?", re.IGNORECASE)
_OUTCOME_KEYS = frozenset({"saved", "deleted", "success", "ok", "status", "result", "state", "done"})
_MARKS = str.maketrans("01", "xX")
_CODE = frozenset({"js", "functions", "script", "scripts", "css"})
_TYPES = re.compile(r"[a-z-]{1,20}", re.IGNORECASE)


class RecordingMasks(MaskingRules):
    """Of one recording. Ids of orders become other ids, everything else `x` and `9`."""

    def __init__(self, vocabulary: Vocabulary, ids: frozenset[int], tables: frozenset[int]) -> None:
        """`tables`: ids of tables, which stay."""
        self._vocabulary = vocabulary
        self._tables = frozenset(map(str, tables))
        self._masked: dict[str, str] = {}
        self._taken: dict[str, str] = {}
        self._used: Counter[str] = Counter()
        base = 900_001
        while any(base <= order_id < base + len(ids) for order_id in ids):
            base += 100_000
        self._ids = {str(order_id): str(base + at) for at, order_id in enumerate(sorted(ids))}

    def mask_value(self, text: str) -> str:
        if text.strip() in _PLAIN:
            return text
        if text in self._ids:
            return self._ids[text]
        breaks = _BREAKS.findall(text)
        if not breaks:
            return self._distinct(text)
        lines = self._distinct(_BREAKS.sub("\n", text)).split("\n")
        return lines[0] + "".join(end + line for end, line in zip(breaks, lines[1:], strict=True))

    def mask_words(self, text: str, *, is_label: bool) -> str:
        if is_label and self._vocabulary.is_caption(text):
            return text
        return self.mask_value(text)

    def mask_option(self, text: str) -> str:
        """An option without a value is sent by its text, blanks collapsed."""
        return self.mask_value(collapse_whitespace(text))

    def mask_name(self, key: str, text: str) -> str:
        if key == "class":
            return " ".join(step for step in text.split() if _CLASS.fullmatch(step) and self._vocabulary.is_name(step))
        if key == "type":
            return text if _TYPES.fullmatch(text) else "text"
        return self.mask_parameter_name(text)

    def mask_parameter_name(self, name: str) -> str:
        return name if not name or self._vocabulary.is_name(name) else self.mask_value(name)

    def mask_parameter(self, name: str, value: str) -> str:
        """A parameter of a request."""
        if value in self._ids:
            return self._ids[value]
        is_own = value in self._tables or self._vocabulary.is_constant(name, value)
        return value if is_own else self.mask_value(value)

    def mask_path_segment(self, step: str) -> str:
        """A step of a path."""
        if step in self._ids:
            return self._ids[step]
        return step if self._vocabulary.is_path_segment(step) else "".join(filter(str.isalnum, self.mask_value(step)))

    def mask_json(self, value: Any, key: str = "") -> Any:
        """JSON with its members' names, ids of orders and words of success and failure; the rest masked."""
        if isinstance(value, Mapping):
            return {
                name if _KEY.fullmatch(name) and self._vocabulary.is_name(name) else self.mask_value(name): (
                    "" if name in _CODE else self.mask_json(held, name)
                )
                for name, held in value.items()
            }
        if isinstance(value, list):
            return [self.mask_json(held) for held in value]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            is_outcome = key in _OUTCOME_KEYS and _OUTCOME.fullmatch(value) is not None
            return value if is_outcome else self.mask_value(value)
        masked = self.mask_value(str(value))
        return int(masked) if masked.isdecimal() else 9

    def _distinct(self, text: str) -> str:
        masked = self._masked.get(text)
        if masked is None:
            masked = shape = mask_text(text)
            while self._taken.setdefault(masked, text) != text:
                self._used[shape] += 1
                masked = f"{shape}-{self._used[shape]:b}".translate(_MARKS)
            self._masked[text] = masked
        return masked
