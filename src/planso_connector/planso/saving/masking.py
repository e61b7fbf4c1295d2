"""Mask a recording so that it can still be learned from: equal values stay equal, and different ones different."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from planso_connector.planso.pages.page_masking import MaskingRules, mask_text
from planso_connector.planso.pages.text import collapse_whitespace
from planso_connector.planso.saving.save_response import OUTCOME_MEMBERS
from planso_connector.planso.saving.vocabulary import Vocabulary

_UNMASKED = frozenset({"", "0", "1", "on", "off", "true", "false"})
"""Values of check boxes and of empty fields."""
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_JSON_KEY = re.compile(r"[A-Za-z_][\w-]{0,40}", re.ASCII)
_CLASS_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}", re.ASCII)
_OUTCOME = re.compile(r"ok|okay|success|saved|done|deleted|error|fail(ed)?", re.IGNORECASE)
_BINARY_DIGITS = str.maketrans("01", "xX")
_CODE_MEMBERS = frozenset({"js", "functions", "script", "scripts", "css"})
_INPUT_TYPE = re.compile(r"[a-z-]{1,20}", re.IGNORECASE)


class RecordingMasks(MaskingRules):
    """The masks of one recording: order ids become other ids, letters and digits `x` and `9`."""

    def __init__(self, vocabulary: Vocabulary, order_ids: frozenset[int], table_ids: frozenset[int]) -> None:
        """Table ids are kept."""
        self._vocabulary = vocabulary
        self._table_ids = frozenset(map(str, table_ids))
        self._masked: dict[str, str] = {}
        self._originals: dict[str, str] = {}
        self._repetitions: Counter[str] = Counter()
        first = 900_001
        while any(first <= order_id < first + len(order_ids) for order_id in order_ids):
            first += 100_000
        self._order_ids = {str(order_id): str(new) for new, order_id in enumerate(sorted(order_ids), first)}

    def mask_value(self, text: str) -> str:
        if text.strip() in _UNMASKED:
            return text
        if text in self._order_ids:
            return self._order_ids[text]
        line_breaks = iter(_LINE_BREAK.findall(text))
        masked = self._mask_distinctly(_LINE_BREAK.sub("\n", text))
        return re.sub("\n", lambda _: next(line_breaks), masked)

    def mask_words(self, text: str, *, is_label: bool) -> str:
        return text if is_label and self._vocabulary.is_caption(text) else self.mask_value(text)

    def mask_option(self, text: str) -> str:
        """An option without a value is sent by its text, with collapsed blanks."""
        return self.mask_value(collapse_whitespace(text))

    def mask_name(self, key: str, text: str) -> str:
        if key == "class":
            return " ".join(n for n in text.split() if _CLASS_NAME.fullmatch(n) and self._vocabulary.is_name(n))
        if key == "type":
            return text if _INPUT_TYPE.fullmatch(text) else "text"
        return self.mask_parameter_name(text)

    def mask_parameter_name(self, name: str) -> str:
        return name if not name or self._vocabulary.is_name(name) else self.mask_value(name)

    def mask_parameter(self, name: str, value: str) -> str:
        if value in self._order_ids:
            return self._order_ids[value]
        is_kept = value in self._table_ids or self._vocabulary.is_constant(name, value)
        return value if is_kept else self.mask_value(value)

    def mask_path_segment(self, segment: str) -> str:
        if segment in self._order_ids:
            return self._order_ids[segment]
        is_kept = self._vocabulary.is_path_segment(segment)
        return segment if is_kept else "".join(filter(str.isalnum, self.mask_value(segment)))

    def mask_json(self, value: Any, key: str = "") -> Any:
        """Keeps names of members, booleans and words of success and failure."""
        if isinstance(value, Mapping):
            return {
                name if _JSON_KEY.fullmatch(name) and self._vocabulary.is_name(name) else self.mask_value(name): (
                    "" if name in _CODE_MEMBERS else self.mask_json(held, name)
                )
                for name, held in value.items()
            }
        if isinstance(value, list):
            return [self.mask_json(held) for held in value]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            is_outcome = key in OUTCOME_MEMBERS and _OUTCOME.fullmatch(value) is not None
            return value if is_outcome else self.mask_value(value)
        masked = self.mask_value(str(value))
        return int(masked) if masked.isdecimal() else 9

    def _mask_distinctly(self, text: str) -> str:
        """Texts of the same shape are told apart by a binary number in `x` and `X`."""
        masked = self._masked.get(text)
        if masked is None:
            masked = shape = mask_text(text)
            while self._originals.setdefault(masked, text) != text:
                self._repetitions[shape] += 1
                masked = f"{shape}-{self._repetitions[shape]:b}".translate(_BINARY_DIGITS)
            self._masked[text] = masked
        return masked
