"""Parse the JSON value of a knob."""

from collections.abc import Collection
from typing import Any

from planso_connector.sandbox.save_style import SaveStyle, StyleError

CHOICES: dict[str, tuple[str, ...]] = {
    "lose_answers_by": ("close", "hang", "504"),
    "applied_but": ("login_page", "redirect_app", "429", "425", "refuse", "403", "html"),
    "script_filled_by": ("data", "functions"),
    "garble_encoding": ("none", "mojibake", "question"),
}
"""The words of which a knob takes one."""
PARTS_OF: dict[str, tuple[str, ...]] = {
    "normalise": ("plate", "phone", "email", "blanks", "decimals", "date_only", "date_time", "round"),
    "derive": ("model_emptied", "model_first", "week", "copy"),
}
"""The words of which a knob takes any."""
_LABELS = frozenset({"lose_on_save", "script_filled", "twin_labels", "shift_values", "alter_saved"})
_SETS_OF_TEXT = frozenset({"locked_accounts", "missing_labels", *_LABELS, *PARTS_OF})
_OPTIONAL_TEXT = frozenset({"refuse_saves", "shift_values"})
_OPTIONAL_NUMBER = frozenset({"expire_sessions_after", "insert_names", "take_pairs", "cut_text"})


class KnobError(ValueError):
    """An unknown knob, or a value that it doesn't take."""


def parse_knob_value(name: str, value: Any, default: Any, labels: Collection[str] | None) -> Any:
    """The value in the knob's type, which is that of its default. Raises `KnobError`."""
    if isinstance(default, SaveStyle):
        try:
            return SaveStyle.from_json(value)
        except StyleError as error:
            raise KnobError(str(error)) from error
    parsed = _of_type(name, value, default)
    if labels is not None and name in _LABELS:
        _check_labels(name, [parsed] if isinstance(parsed, str) else parsed or (), labels)
    return parsed


def _check_labels(name: str, checked_labels: Collection[str], labels: Collection[str]) -> None:
    for label in checked_labels:
        if label not in labels:
            raise KnobError(f"{name}: the form has no field {label!r}.")


def _of_type(name: str, value: Any, default: Any) -> Any:
    error = KnobError(f"{name} can't be {value!r}.")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    is_count = is_number and isinstance(value, int)
    if name in CHOICES:
        return _require(value, value in CHOICES[name], f"{error} Accepted: {', '.join(CHOICES[name])}.")
    if name in _OPTIONAL_NUMBER:
        return _require(value, value is None or is_count, error)
    if name in _OPTIONAL_TEXT:
        return _require(value, value is None or isinstance(value, str), error)
    if name == "cap_number":
        return _require(value, value is None or is_number, error)
    if name == "fail_status":
        return _require(value, is_count and 400 <= value <= 599, error)
    if isinstance(default, bool):
        return _require(value, isinstance(value, bool), error)
    if isinstance(default, float):
        return float(_require(value, is_number and value < 3600, error))
    if isinstance(default, int):
        return _require(value, is_count and value < 1_000_000_000, error)
    return _of_several(name, value, default, error)


def _of_several(name: str, value: Any, default: Any, error: KnobError) -> Any:
    if isinstance(default, dict):
        fits = isinstance(value, dict) and all(isinstance(inner, (str, int)) for inner in value.values())
        return dict(_require(value, fits, error))
    if not isinstance(value, list):
        raise error
    if isinstance(default, set):
        kind = str if name in _SETS_OF_TEXT else int
        _require(value, all(isinstance(entry, kind) for entry in value), error)
        words = PARTS_OF.get(name)
        if words is not None:
            _require(value, set(value) <= set(words), f"{error} Accepted: {', '.join(words)}.")
        return set(value)
    fits = all(isinstance(e, list) and [type(part) for part in e] == [int, str, str] for e in value)
    return [(edit[0], edit[1], edit[2]) for edit in _require(value, fits, error)]


def _require(value: Any, fits: bool, error: KnobError | str) -> Any:
    if not fits:
        raise KnobError(str(error))
    return value
