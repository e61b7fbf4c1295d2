"""Which JSON values a knob takes."""

from collections.abc import Collection
from typing import Any

from planso_connector.sandbox.save_style import SaveStyle, StyleError

CHOICES: dict[str, tuple[str, ...]] = {
    "lose_answers_by": ("close", "hang", "504"),
    "applied_but": ("login_page", "redirect_app", "429", "425", "refuse", "403", "html"),
    "script_filled_by": ("data", "functions"),
    "garble_encoding": ("none", "mojibake", "question"),
}
"""Knobs with one of several words."""
PARTS_OF: dict[str, tuple[str, ...]] = {
    "normalise": ("plate", "phone", "email", "blanks", "decimals", "date_only", "date_time", "round"),
    "derive": ("model_emptied", "model_first", "week", "copy"),
}
"""Knobs with any of several words."""
_LABELS = frozenset({"lose_on_save", "script_filled", "twin_labels", "shift_values", "alter_saved"})
_SETS_OF_TEXT = frozenset({"locked_accounts", "missing_labels", *_LABELS, *PARTS_OF})
_OPTIONAL_TEXT = frozenset({"refuse_saves", "shift_values"})
_OPTIONAL_NUMBER = frozenset({"expire_sessions_after", "insert_names", "take_pairs", "cut_text"})


class KnobError(ValueError):
    """A knob that doesn't exist, or a value that it can't take."""


def parse_knob_value(name: str, value: Any, default: Any, labels: Collection[str] | None) -> Any:
    """A JSON value as the knob's own type; the default tells the type. Raises `KnobError`."""
    if isinstance(default, SaveStyle):
        try:
            return SaveStyle.from_json(value)
        except StyleError as error:
            raise KnobError(str(error)) from error
    ready = _of_type(name, value, default)
    if labels is not None and name in _LABELS:
        _check_labels(name, [ready] if isinstance(ready, str) else ready or (), labels)
    return ready


def _check_labels(name: str, given: Collection[str], labels: Collection[str]) -> None:
    for label in given:
        if label not in labels:
            raise KnobError(f"{name}: the form has no field {label!r}.")


def _of_type(name: str, value: Any, default: Any) -> Any:
    wrong = KnobError(f"{name} can't be {value!r}.")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    is_count = is_number and isinstance(value, int)
    if name in CHOICES:
        return _require(value, value in CHOICES[name], f"{wrong} Accepted: {', '.join(CHOICES[name])}.")
    if name in _OPTIONAL_NUMBER:
        return _require(value, value is None or is_count, wrong)
    if name in _OPTIONAL_TEXT:
        return _require(value, value is None or isinstance(value, str), wrong)
    if name == "cap_number":
        return _require(value, value is None or is_number, wrong)
    if name == "fail_status":
        return _require(value, is_count and 400 <= value <= 599, wrong)
    if isinstance(default, bool):
        return _require(value, isinstance(value, bool), wrong)
    if isinstance(default, float):
        return float(_require(value, is_number and value < 3600, wrong))
    if isinstance(default, int):
        return _require(value, is_count and value < 1_000_000_000, wrong)
    return _of_several(name, value, default, wrong)


def _of_several(name: str, value: Any, default: Any, wrong: KnobError) -> Any:
    if isinstance(default, dict):
        fits = isinstance(value, dict) and all(isinstance(kept, (str, int)) for kept in value.values())
        return dict(_require(value, fits, wrong))
    if not isinstance(value, list):
        raise wrong
    if isinstance(default, set):
        kind = str if name in _SETS_OF_TEXT else int
        _require(value, all(isinstance(entry, kind) for entry in value), wrong)
        words = PARTS_OF.get(name)
        if words is not None:
            _require(value, set(value) <= set(words), f"{wrong} Accepted: {', '.join(words)}.")
        return set(value)
    fits = all(isinstance(e, list) and [type(part) for part in e] == [int, str, str] for e in value)
    return [(edit[0], edit[1], edit[2]) for edit in _require(value, fits, wrong)]


def _require(value: Any, fits: bool, wrong: KnobError | str) -> Any:
    if not fits:
        raise KnobError(str(wrong))
    return value
