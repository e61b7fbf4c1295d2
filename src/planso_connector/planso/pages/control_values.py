"""
Translate canonical values into what a control is given, and tell whether a control holds a value. Source: the PlanSo
protocol's sections 3 (German dates and decimals, a select's option text), 9 and 10 (the control's present notation
decides), and HTML's input types.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from planso_connector.domain import german_formats, values
from planso_connector.domain.fields import TEMPORAL_KINDS, TEXT_KINDS, FieldKind, Value
from planso_connector.domain.messages import MESSAGES, InvalidValue, Message
from planso_connector.domain.notes import shorten
from planso_connector.domain.saving import equivalence, notation
from planso_connector.domain.saving.equivalence import Equivalence
from planso_connector.domain.values import are_equal, format_planso_value, parse_planso_value
from planso_connector.planso.pages.control import (
    MACHINE_TYPES,
    Control,
    FormEntry,
    Option,
    parse_flag,
    parse_machine_number,
)
from planso_connector.planso.pages.text import collapse_whitespace, label_key

EMPTY_MOMENT = re.compile(r"[0\s\xa0.:/-]*")
"""An empty date or time; some databases show it as `00.00.0000`."""

_TIME_COLUMN = re.compile(r"_time\]?")
"""The end of a column's name that holds a time of day alone, unless it holds a date."""
_MAX_OFFERED_OPTIONS = 40
_MAX_OPTION_LENGTH = 80

_FIRST_OF_MONTH = "holds a whole date in PlanSo; the first of the month was written"
_DATE_NOT_WRITTEN = "holds a time of day in PlanSo; the date was not written"


class NotOffered(InvalidValue):
    """The control can't be given this value; the text lists what it offers."""


@dataclass(frozen=True)
class ControlText:
    """What an input is given, the canonical value that it then holds, and a note on what was lost."""

    text: str
    value: Value
    note: str = ""


def split_moment(text: str) -> tuple[str, str]:
    """The day and the time of day of a canonical date, moment or time; empty where there is none."""
    day, _, time = text.partition("T") if "-" in text else ("", "", text)
    return day, time


def _with_seconds(time: str) -> str:
    return time if time.count(":") == 2 else f"{time}:00"


def _without_zero_seconds(time: str) -> str:
    return time.removesuffix(":00") if time.count(":") == 2 else time


# Comparing -----------------------------------------------------------------------------------------------------------


def holds_value(entry: FormEntry, kind: FieldKind, value: Value) -> bool:
    """Whether a control holds the value, as far as it can hold it."""
    control = entry.control
    try:
        if entry.is_choice:
            is_equal = are_equal(kind, entry.read_value(kind), value)
            return is_equal or choose_options(entry, kind, value) == entry.selected_indexes
        if control.type == "checkbox":
            return control.checked == choose_checked(kind, value)
        if value is None:
            is_moment = kind in TEMPORAL_KINDS
            return EMPTY_MOMENT.fullmatch(control.value) is not None if is_moment else not control.value.strip()
        # An id of 0 is an answer here, not nothing.
        is_zero = kind is FieldKind.ID and control.value.strip() == "0"
        held = 0 if is_zero else entry.read_value(kind)
        return are_equal(kind, held, format_for_control(entry, kind, value).value)
    except NotOffered:
        return False


def check_equivalence(entry: FormEntry, kind: FieldKind, value: Value, saved: FormEntry | None = None) -> Equivalence:
    """
    Compare a control, read back after a save, with the value. `saved` is the control as it was in the form that was
    saved, whose notation was written; by default the notation that is there now is taken for it.
    """
    shown = entry.control.value
    is_exact = entry.is_choice or entry.control.type == "checkbox" or kind is FieldKind.ID
    if is_exact or value is None:
        if holds_value(entry, kind, value):
            return Equivalence.EQUAL
        return _normalised_if(not is_exact and kind is FieldKind.NUMBER and values.is_empty_value(shown))
    is_known = saved is not None and not saved.is_choice and saved.control.type == entry.control.type
    try:
        written = format_for_control(saved if saved is not None and is_known else entry, kind, value)
    except NotOffered:
        return Equivalence.DIFFERENT
    held = entry.read_value(kind)
    if are_equal(kind, held, written.value):
        if entry.control.type in MACHINE_TYPES or (kind not in TEXT_KINDS and not is_known):
            return Equivalence.EQUAL
        return equivalence.compare_notation(kind, written.text, shown)
    if equivalence.is_equivalent(kind, written.value, held, shown):
        return Equivalence.NORMALISED
    return _normalised_if(_is_time_column(entry.control) and _is_time_of(held, written.value))


def _normalised_if(condition: bool) -> Equivalence:
    return Equivalence.NORMALISED if condition else Equivalence.DIFFERENT


def _is_time_of(held: Value, moment: Value) -> bool:
    """Whether a time of day alone is the time of a day and time."""
    time = str(moment).partition("T")[2]
    return bool(time) and isinstance(held, str) and time == _with_seconds(held)


# Check boxes and options ---------------------------------------------------------------------------------------------


def choose_checked(kind: FieldKind, value: Value) -> bool:
    """Whether to check the box. Raises NotOffered for words that mean neither yes nor no."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if kind in (FieldKind.NUMBER, FieldKind.ID) and value in (0, 1):
        return bool(value)
    try:
        return values.parse_flag(str(value))
    except ValueError as error:
        raise NotOffered("planso_check_box") from error


def choose_options(entry: FormEntry, kind: FieldKind, value: Value) -> tuple[int, ...]:
    """The indexes of the options to choose; one that is chosen now is preferred. Raises NotOffered."""
    indexes = [i for i, option in enumerate(entry.choices) if not option.disabled or i in entry.selected_indexes]
    indexes.sort(key=lambda i: i not in entry.selected_indexes)
    if value is None or (kind is FieldKind.ID and value == 0):
        chosen = _choose_nothing(entry, kind, indexes)
        if chosen is None and kind is FieldKind.FLAG:
            return choose_options(entry, kind, value=False)
        if chosen is None:
            offer = _describe_offer(entry, kind)
            raise NotOffered("planso_not_clearable", label=entry.label, offer=offer)
        return chosen
    for matches in _option_matchers(kind, value):
        for i in indexes:
            if matches(entry.choices[i]):
                return (i,)
    several = _choose_several(entry, value, indexes) if entry.control.multiple and isinstance(value, str) else ()
    if several:
        return several
    words = shorten(format_planso_value(kind, value), _MAX_OPTION_LENGTH)
    raise NotOffered("planso_not_offered", text=words, label=entry.label, offer=_describe_offer(entry, kind))


def _option_matchers(kind: FieldKind, value: Value) -> list[Callable[[Option], bool]]:
    """How an option is found, strictest first."""
    if kind is FieldKind.ID:
        return [lambda option: parse_planso_value(kind, option.value) == value]
    if kind is FieldKind.FLAG:
        return [lambda option: parse_flag(option) is value]
    words = collapse_whitespace(format_planso_value(kind, value))
    matchers: list[Callable[[Option], bool]] = [
        lambda option: option.text == words,
        lambda option: option.text.casefold() == words.casefold(),
        lambda option: option.value.strip() == words,
    ]
    if kind not in TEXT_KINDS:
        matchers.append(lambda o: bool(o.text) and are_equal(kind, parse_planso_value(kind, o.text), value))
    return matchers


def _choose_several(entry: FormEntry, value: str, indexes: list[int]) -> tuple[int, ...]:
    """The options of a comma-separated list; none where one is not offered."""
    by_text = {entry.choices[i].text: i for i in reversed(indexes)}
    texts = {collapse_whitespace(text) for text in value.split(",")}
    return tuple(sorted(by_text[text] for text in texts)) if texts <= by_text.keys() else ()


def _choose_nothing(entry: FormEntry, kind: FieldKind, indexes: list[int]) -> tuple[int, ...] | None:
    """The choice that says nothing, None where there is none: an empty value, else no text, else a placeholder."""
    if not entry.selected_indexes or entry.control.multiple:
        return ()
    matchers: list[Callable[[Option, bool], bool]] = [
        lambda option, first: option.value == "",
        lambda option, first: not option.text,
        lambda option, first: option.is_nothing(first=first) or (kind is FieldKind.ID and _is_zero(option)),
    ]
    return next(((i,) for matches in matchers for i in indexes if matches(entry.choices[i], i == 0)), None)


def _is_zero(option: Option) -> bool:
    """The id 0 under words that say so; under a name it would be somebody's choice."""
    words = label_key(option.text)
    return option.value.strip() == "0" and (not words or words.startswith(("kein", "ohne", "nicht", "unbekannt")))


def _describe_offer(entry: FormEntry, kind: FieldKind) -> Message:
    """`accepted: Karo, Lack`; for ids `42 (VW)`; at most 40, then how many more there are."""
    enabled = [option for option in entry.choices if not option.disabled]
    options = [option for option in enabled if option.text and not option.is_nothing(first=option is enabled[0])]
    texts = []
    for option in options[:_MAX_OFFERED_OPTIONS]:
        text = shorten(option.text, _MAX_OPTION_LENGTH)
        texts.append(f"{shorten(option.value, _MAX_OPTION_LENGTH)} ({text})" if kind is FieldKind.ID else text)
    more = len(options) - _MAX_OFFERED_OPTIONS
    listed: str | Message = ", ".join(texts) or MESSAGES["nothing"]
    if more > 0:
        listed = MESSAGES["planso_more"].format(options=listed, more=more)
    return MESSAGES["planso_offer"].format(options=listed)


# Texts ---------------------------------------------------------------------------------------------------------------


def format_for_control(entry: FormEntry, kind: FieldKind, value: Value) -> ControlText:
    """What a text input, a text area or a machine input is given. Raises NotOffered."""
    control = entry.control
    if value is None:
        return ControlText("", None)
    if control.type in MACHINE_TYPES:
        return _format_machine(control.type, kind, value)
    if kind in TEMPORAL_KINDS:
        return _format_moment(control, kind, str(value))
    if kind is FieldKind.NUMBER and not isinstance(value, str):
        return ControlText(notation.format_hours(control.value, float(value)), value)
    if kind is FieldKind.FLAG and control.value.strip().casefold() in ("ja", "nein"):
        return ControlText("ja" if value else "nein", value)
    words = format_planso_value(kind, value)
    if kind is not FieldKind.LONG_TEXT:
        return ControlText(words, value)
    lines = words.replace("\r\n", "\n").replace("\r", "\n")
    if control.type == "textarea" or "\n" not in lines:
        return ControlText(lines.replace("\n", "\r\n"), value)
    one_line = lines.replace("\n", " ")
    return ControlText(one_line, one_line, "holds one line in PlanSo; line breaks were written as blanks")


def _is_time_column(control: Control) -> bool:
    return _TIME_COLUMN.search(control.name, max(0, len(control.name) - 6)) is not None


def _format_moment(control: Control, kind: FieldKind, value: str) -> ControlText:
    """A date or time in a text input, in the notation that the control has. Raises NotOffered."""
    current = notation.parse_date_notation(control.value)
    day, time = split_moment(value)
    if not day:
        return _format_time(control, kind, time)
    if len(day) == 7:
        if current is None or not current.has_day:
            return ControlText(notation.format_month(control.value, day), day)
        return ControlText(_format_in(current, kind, f"{day}-01"), f"{day}-01", _FIRST_OF_MONTH)
    if current is not None and current.has_day:
        return ControlText(_format_in(current, kind, value), value)
    if current is None or (kind is not FieldKind.TIME and not _is_time_column(control)):
        return ControlText(format_planso_value(kind, value), value)
    if not time:
        raise NotOffered("planso_moment_column")
    time = _without_zero_seconds(time)
    return ControlText(notation.format_clock(current, time), time, _DATE_NOT_WRITTEN)


def _format_in(current: notation.DateNotation, kind: FieldKind, value: str) -> str:
    """In the present notation, unless that would read as something else (a year of two digits)."""
    text = notation.format_moment(current, value)
    return text if are_equal(kind, parse_planso_value(kind, text), value) else format_planso_value(kind, value)


def _format_time(control: Control, kind: FieldKind, time: str) -> ControlText:
    """A time of day: alone where one is there alone, else after the day that is there. Raises NotOffered."""
    current = notation.parse_date_notation(control.value)
    if current is not None and not current.has_day:
        return ControlText(notation.format_clock(current, time), time)
    try:
        day = german_formats.parse_date(control.value)[:10] if current is not None else ""
    except ValueError:
        day = ""
    if current is not None and day:
        moment = f"{day}T{_with_seconds(time)}"
        try:
            german_formats.reject_skipped_hour(datetime.fromisoformat(moment))
        except ValueError as error:
            shown = german_formats.format_planso_date(day)
            reason = error.message if isinstance(error, InvalidValue) else error
            raise NotOffered("planso_skipped_hour", day=shown, reason=reason) from error
        return ControlText(notation.format_moment(current, moment), moment, "keeps the date that it holds in PlanSo")
    if kind is not FieldKind.TIME and not _is_time_column(control):
        raise NotOffered("planso_no_date", accepted=MESSAGES["date_help"])
    return ControlText(format_planso_value(kind, time), time)


def _format_machine(control_type: str, kind: FieldKind, value: Value) -> ControlText:
    """For inputs of type date, time, number and so on, in HTML's notation. Raises NotOffered."""
    if control_type in ("number", "range"):
        number = _format_machine_number(kind, value)
        return ControlText(number, value if kind in (FieldKind.NUMBER, FieldKind.ID, FieldKind.FLAG) else number)
    if kind not in TEMPORAL_KINDS:
        return _format_machine_text(control_type, value)
    day, time = split_moment(str(value))
    if control_type == "time":
        if not time and day:
            raise NotOffered("planso_time_column")
        return ControlText(time, _without_zero_seconds(time), _DATE_NOT_WRITTEN if day else "")
    if control_type == "month":
        note = "holds a month in PlanSo; the day was not written" if len(day) > 7 else ""
        return ControlText(day[:7], day[:7], note)
    return _format_machine_day(control_type, day, time)


def _format_machine_day(control_type: str, day: str, time: str) -> ControlText:
    if not day:
        raise NotOffered("planso_date", accepted=MESSAGES["date_help"])
    note = ""
    if len(day) == 7:
        day, note = f"{day}-01", _FIRST_OF_MONTH
    if control_type == "date":
        return ControlText(day, day, "holds a date in PlanSo; the time of day was not written" if time else note)
    return ControlText(f"{day}T{time or '00:00'}", f"{day}T{time}" if time else day, note)


def _format_machine_number(kind: FieldKind, value: Value) -> str:
    if kind is FieldKind.NUMBER and isinstance(value, (int, float)):
        text = repr(float(value)) if abs(value) < 1e15 else f"{value:f}"
        return text.removesuffix(".0")
    words = format_planso_value(kind, value)
    amount = values.parse_amount(words) if kind is FieldKind.AMOUNT else None
    if amount is not None:
        return f"{amount:f}"
    if parse_machine_number(words) is not None:
        return words
    try:
        return repr(german_formats.parse_decimal(words)).removesuffix(".0")
    except ValueError:
        return words


def _format_machine_text(control_type: str, value: Value) -> ControlText:
    """A field of text that this installation shows as a date or time: in HTML's notation where it is one."""
    parse = german_formats.parse_time if control_type == "time" else german_formats.parse_date
    try:
        text = parse(str(value))
    except ValueError:
        return ControlText(str(value), value)
    return ControlText(text, text)
