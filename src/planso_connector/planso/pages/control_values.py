"""
From a canonical value to what a control is given, and back: whether a control holds a value. Source: the PlanSo
protocol's sections 3 (German dates and decimals, a select's option text), 9 and 10 (the notation that stands there
decides), and HTML's input types.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from planso_connector.domain import german_formats, values
from planso_connector.domain.fields import TEMPORAL_KINDS, TEXT_KINDS, FieldKind, Value
from planso_connector.domain.notes import shorten
from planso_connector.domain.saving import equivalence, notation
from planso_connector.domain.saving.equivalence import Equivalence
from planso_connector.planso.pages.control import (
    MACHINE_TYPES,
    Control,
    FormEntry,
    Option,
    parse_flag,
    parse_machine_number,
)
from planso_connector.planso.pages.text import collapse_whitespace, label_key

_TIME_COLUMN = re.compile(r"_time\]?")
"""How the name of a column ends that holds a time of day alone, unless a date stands there."""
_SHOWN_OPTIONS = 40
_SHOWN_OF_OPTION = 80
"""Characters."""
_NOTHING = re.compile(r"[0\s\xa0.:/-]*")
"""An empty date or time; some databases show it as `00.00.0000`."""


class NotOffered(ValueError):
    """The control can't be given this value; the text lists what it offers."""


@dataclass(frozen=True)
class ControlText:
    """What the input is given, the canonical value that it then holds, and what was lost on the way."""

    text: str
    value: Value
    note: str = ""


def holds_value(entry: FormEntry, kind: FieldKind, asked: Value) -> bool:
    """Whether a control holds the asked value, as far as it can hold it."""
    if entry.is_choice:
        try:
            return (
                values.are_equal(kind, entry.read_value(kind), asked)
                or choose_options(entry, kind, asked) == entry.selected_indexes
            )
        except NotOffered:
            return False
    if entry.control.type == "checkbox":
        try:
            return entry.control.checked == choose_checked(kind, asked)
        except NotOffered:
            return False
    if asked is None:
        return (
            _NOTHING.fullmatch(entry.control.value) is not None
            if kind in TEMPORAL_KINDS
            else not entry.control.value.strip()
        )
    try:
        return values.are_equal(kind, _held(entry, kind), format_for_control(entry, kind, asked).value)
    except NotOffered:
        return False


def check_equivalence(entry: FormEntry, kind: FieldKind, asked: Value, saved: FormEntry | None = None) -> Equivalence:
    """
    Whether a control, read back after a save, holds what was asked. `saved` is the control as it stood in the form that
    was saved, whose notation was written; without it the notation that stands there now is taken for it.
    """
    if entry.is_choice or entry.control.type == "checkbox":
        return Equivalence.EQUAL if holds_value(entry, kind, asked) else Equivalence.DIFFERENT
    shown = entry.control.value
    if asked is None:
        is_zero = kind is FieldKind.NUMBER and values.is_empty_value(shown)
        return Equivalence.EQUAL if holds_value(entry, kind, asked) else _normalised_if(is_zero)
    if kind is FieldKind.ID:
        return Equivalence.EQUAL if holds_value(entry, kind, asked) else Equivalence.DIFFERENT
    is_known = saved is not None and not saved.is_choice and saved.control.type == entry.control.type
    try:
        written = format_for_control(saved if saved is not None and is_known else entry, kind, asked)
    except NotOffered:
        return Equivalence.DIFFERENT
    held = entry.read_value(kind)
    if values.are_equal(kind, held, written.value):
        return _as_sent(kind, written, entry, is_known=is_known)
    if equivalence.is_equivalent(kind, written.value, held, shown):
        return Equivalence.NORMALISED
    return _normalised_if(_is_time_column(entry.control) and _is_time_of(held, written.value))


def _normalised_if(condition: bool) -> Equivalence:
    return Equivalence.NORMALISED if condition else Equivalence.DIFFERENT


def _as_sent(kind: FieldKind, written: ControlText, entry: FormEntry, *, is_known: bool) -> Equivalence:
    """Of a control that holds the same value: whether it is also written as it was sent."""
    if entry.control.type in MACHINE_TYPES or (kind not in TEXT_KINDS and not is_known):
        return Equivalence.EQUAL
    return equivalence.compare_notation(kind, written.text, entry.control.value)


def _is_time_of(held: Value, moment: Value) -> bool:
    """Whether a time of day alone is the time of a day and time."""
    clock = str(moment).partition("T")[2]
    return bool(clock) and isinstance(held, str) and clock == (held if held.count(":") == 2 else f"{held}:00")


def _held(entry: FormEntry, kind: FieldKind) -> Value:
    """The value as compared after a write; an id of 0 is what it says here, not nothing."""
    if kind is FieldKind.ID and entry.control.value.strip() == "0":
        return 0
    return entry.read_value(kind)


def choose_checked(kind: FieldKind, asked: Value) -> bool:
    """Whether the box is to be checked. Raises NotOffered for words that mean neither yes nor no."""
    if asked is None or isinstance(asked, bool):
        return bool(asked)
    if kind in (FieldKind.NUMBER, FieldKind.ID) and asked in (0, 1):
        return bool(asked)
    try:
        return values.parse_flag(str(asked))
    except ValueError as error:
        raise NotOffered("is a check box in PlanSo; accepted: ja, nein") from error


def choose_options(entry: FormEntry, kind: FieldKind, asked: Value) -> tuple[int, ...]:
    """The options to choose. Raises NotOffered. An option that is chosen now is preferred among equal ones."""
    offered = [at for at, option in enumerate(entry.choices) if not option.disabled or at in entry.selected_indexes]
    offered.sort(key=lambda at: at not in entry.selected_indexes)
    if asked is None or (kind is FieldKind.ID and asked == 0):
        chosen = _nothing_chosen(entry, kind, offered)
        if chosen is None and kind is FieldKind.FLAG:
            return choose_options(entry, kind, asked=False)
        if chosen is None:
            told = f"PlanSo's '{entry.label}' can't be cleared: it has no empty choice; {_offer(entry, kind)}"
            raise NotOffered(told)
        return chosen
    for fits in _tests(kind, asked):
        for at in offered:
            if fits(entry.choices[at]):
                return (at,)
    if entry.control.multiple and isinstance(asked, str):
        several = _several(entry, asked, offered)
        if several:
            return several
    words = shorten(_asked_words(kind, asked), _SHOWN_OF_OPTION)
    raise NotOffered(f"'{words}' is not offered by PlanSo's '{entry.label}'; {_offer(entry, kind)}")


def _tests(kind: FieldKind, asked: Value) -> list[Callable[[Option], bool]]:
    """How an option is found, strictest first."""
    if kind is FieldKind.ID:
        return [lambda option: values.parse_planso_value(kind, option.value) == asked]
    if kind is FieldKind.FLAG:
        return [lambda option: parse_flag(option) is asked]
    words = collapse_whitespace(_asked_words(kind, asked))
    tests: list[Callable[[Option], bool]] = [
        lambda option: option.text == words,
        lambda option: option.text.casefold() == words.casefold(),
        lambda option: option.value.strip() == words,
    ]
    if kind not in TEXT_KINDS:
        tests.append(
            lambda option: (
                bool(option.text) and values.are_equal(kind, values.parse_planso_value(kind, option.text), asked)
            )
        )
    return tests


def _several(entry: FormEntry, asked: str, offered: list[int]) -> tuple[int, ...] | None:
    texts = {entry.choices[at].text: at for at in reversed(offered)}
    wanted = [collapse_whitespace(word) for word in asked.split(",")]
    return tuple(sorted({texts[word] for word in wanted})) if all(word in texts for word in wanted) else None


def _nothing_chosen(entry: FormEntry, kind: FieldKind, offered: list[int]) -> tuple[int, ...] | None:
    """The choice that says nothing, None where there is none: an empty value, else no text, else a placeholder."""
    if not entry.selected_indexes or entry.control.multiple:
        return ()
    tests: list[Callable[[Option, bool], bool]] = [
        lambda option, first: option.value == "",
        lambda option, first: not option.text,
        lambda option, first: option.is_nothing(first=first) or (kind is FieldKind.ID and _is_zero(option)),
    ]
    return next(((at,) for fits in tests for at in offered if fits(entry.choices[at], at == 0)), None)


def _is_zero(option: Option) -> bool:
    """The id 0 under words that say so; under a name it would be somebody's choice."""
    words = label_key(option.text)
    return option.value.strip() == "0" and (not words or words.startswith(("kein", "ohne", "nicht", "unbekannt")))


def _offer(entry: FormEntry, kind: FieldKind) -> str:
    """`accepted: Karo, Lack`; for ids `42 (VW)`; at most 40, then how many more there are."""
    choices = [option for at, option in enumerate(entry.choices) if not option.disabled]
    choices = [option for option in choices if option.text and not option.is_nothing(first=option is choices[0])]
    texts = [(shorten(option.text, _SHOWN_OF_OPTION), option.value) for option in choices[:_SHOWN_OPTIONS]]
    told = [f"{shorten(value, _SHOWN_OF_OPTION)} ({text})" if kind is FieldKind.ID else text for text, value in texts]
    more = f", … and {len(choices) - _SHOWN_OPTIONS} more" if len(choices) > _SHOWN_OPTIONS else ""
    return f"accepted: {', '.join(told) or 'nothing'}{more}"


def _asked_words(kind: FieldKind, asked: Value) -> str:
    return values.format_planso_value(kind, asked)


def format_for_control(entry: FormEntry, kind: FieldKind, asked: Value) -> ControlText:
    """What a text input, a text area or a machine input is given."""
    control_type = entry.control.type
    if asked is None:
        return ControlText("", None)
    if control_type in MACHINE_TYPES:
        return _machine(control_type, kind, asked)
    if kind in TEMPORAL_KINDS:
        return _dated(entry.control, kind, str(asked))
    words = values.format_planso_value(kind, asked)
    if kind is FieldKind.NUMBER and not isinstance(asked, str):
        return ControlText(notation.format_hours(entry.control.value, float(asked)), asked)
    if kind is FieldKind.FLAG:
        now = entry.control.value.strip().casefold()
        words = ("ja" if asked else "nein") if now in ("ja", "nein") else words
        return ControlText(words, asked)
    if kind is not FieldKind.LONG_TEXT:
        return ControlText(words, asked)
    lines = words.replace("\r\n", "\n").replace("\r", "\n")
    if control_type == "textarea" or "\n" not in lines:
        return ControlText(lines.replace("\n", "\r\n"), asked)
    flat = " ".join(lines.split("\n"))
    return ControlText(flat, flat, "holds one line in PlanSo; line breaks were written as blanks")


def _is_time_column(control: Control) -> bool:
    return _TIME_COLUMN.search(control.name, max(0, len(control.name) - 6)) is not None


def _dated(control: Control, kind: FieldKind, asked: str) -> ControlText:
    """A date or time in a text input, in the notation that stands there. Raises NotOffered."""
    stands = notation.parse_date_notation(control.value)
    day, _, clock = asked.partition("T") if "-" in asked else ("", "", asked)
    if not day:
        return _clock_alone(control, kind, clock)
    if len(day) == 7:
        if stands is None or not stands.has_day:
            return ControlText(notation.format_month(control.value, day), day)
        first = f"{day}-01"
        note = "holds a whole date in PlanSo; the first of the month was written"
        return ControlText(_in(stands, kind, first), first, note)
    if stands is None:
        return ControlText(values.format_planso_value(kind, asked), asked)
    if stands.has_day:
        return ControlText(_in(stands, kind, asked), asked)
    if kind is not FieldKind.TIME and not _is_time_column(control):
        return ControlText(values.format_planso_value(kind, asked), asked)
    if not clock:
        raise NotOffered("holds a time of day in PlanSo; accepted: a date with a time, or a time such as 16:00")
    clock = clock.removesuffix(":00") if clock.count(":") == 2 else clock
    return ControlText(
        notation.format_clock(stands, clock), clock, "holds a time of day in PlanSo; the date was not written"
    )


def _in(stands: notation.DateNotation, kind: FieldKind, canonical: str) -> str:
    """In the notation that stands there, unless that would read as something else (a year of two digits)."""
    text = notation.format_moment(stands, canonical)
    return (
        text
        if values.are_equal(kind, values.parse_planso_value(kind, text), canonical)
        else values.format_planso_value(kind, canonical)
    )


def _clock_alone(control: Control, kind: FieldKind, clock: str) -> ControlText:
    """A time of day: alone where one stands alone, else behind the day that stands there. Raises NotOffered."""
    stands = notation.parse_date_notation(control.value)
    if stands is not None and not stands.has_day:
        return ControlText(notation.format_clock(stands, clock), clock)
    try:
        day = german_formats.parse_date(control.value)[:10] if stands is not None else ""
    except ValueError:
        day = ""
    if stands is not None and day:
        moment = f"{day}T{clock if clock.count(':') == 2 else f'{clock}:00'}"
        try:
            german_formats.reject_skipped_hour(datetime.fromisoformat(moment))
        except ValueError as error:
            raise NotOffered(
                f"on the {german_formats.format_planso_date(day)} that it holds in PlanSo {error}"
            ) from error
        return ControlText(notation.format_moment(stands, moment), moment, "keeps the date that it holds in PlanSo")
    if kind is not FieldKind.TIME and not _is_time_column(control):
        raise NotOffered(
            f"holds no date in PlanSo that a time alone could go with; accepted: {german_formats.DATE_HELP}"
        )
    return ControlText(values.format_planso_value(kind, clock), clock)


def _machine(control_type: str, kind: FieldKind, asked: Value) -> ControlText:
    """Inputs of type date, time, number and so on, whose notation is HTML's."""
    text = str(asked)
    if control_type in ("number", "range"):
        number = _machine_words(kind, asked)
        return ControlText(number, asked if kind in (FieldKind.NUMBER, FieldKind.ID, FieldKind.FLAG) else number)
    if kind not in TEMPORAL_KINDS:
        return _machine_text(control_type, asked)
    day, _, clock = text.partition("T") if "-" in text else ("", "", text)
    if control_type == "time":
        if not clock and day:
            raise NotOffered("holds a time of day in PlanSo; accepted: a time such as 16:00")
        note = "holds a time of day in PlanSo; the date was not written" if day else ""
        return ControlText(clock, clock.removesuffix(":00") if clock.count(":") == 2 else clock, note)
    if control_type == "month":
        note = "holds a month in PlanSo; the day was not written" if len(day) > 7 else ""
        return ControlText(day[:7], day[:7], note)
    return _machine_day(control_type, day, clock)


def _machine_day(control_type: str, day: str, clock: str) -> ControlText:
    if not day:
        raise NotOffered(f"holds a date in PlanSo; accepted: {german_formats.DATE_HELP}")
    note = ""
    if len(day) == 7:
        day, note = f"{day}-01", "holds a whole date in PlanSo; the first of the month was written"
    if control_type == "date":
        note = "holds a date in PlanSo; the time of day was not written" if clock else note
        return ControlText(day, day, note)
    whole = f"{day}T{clock or '00:00'}"
    return ControlText(whole, f"{day}T{clock}" if clock else day, note)


def _machine_words(kind: FieldKind, asked: Value) -> str:
    if kind is FieldKind.NUMBER and isinstance(asked, (int, float)):
        text = repr(float(asked)) if abs(asked) < 1e15 else f"{asked:f}"
        return text.removesuffix(".0")
    words = values.format_planso_value(kind, asked)
    amount = values.parse_amount(words) if kind is FieldKind.AMOUNT else None
    if amount is not None:
        return f"{amount:f}"
    if parse_machine_number(words) is not None:
        return words
    try:
        return repr(german_formats.parse_decimal(words)).removesuffix(".0")
    except ValueError:
        return words


def _machine_text(control_type: str, asked: Value) -> ControlText:
    """A field of text that this installation shows as a date or time: in HTML's notation where it is one."""
    try:
        parse = german_formats.parse_time if control_type == "time" else german_formats.parse_date
        words = parse(str(asked))
        return ControlText(words, words)
    except ValueError:
        return ControlText(str(asked), asked)
