"""Processing time grows linearly with the length of a text, whatever it contains."""

from __future__ import annotations

import html
import re
import time
import unicodedata
from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planso_connector.domain import german_formats, values
from planso_connector.domain.character_references import unescape_html
from planso_connector.domain.fields import FIELDS, TEXT_KINDS, FieldKind, OrderField
from planso_connector.domain.folding import MAX_KEY_LENGTH, fold, fold_key, fold_plate, normalize_unicode
from planso_connector.domain.saving.appending import AppendableText
from planso_connector.domain.saving.harmless_differences import RequestedChange, is_audit_stamp, is_derived
from planso_connector.domain.saving.snapshot import ControlState
from planso_connector.domain.saving.text_damage import is_garbled, is_same_after_normalisation
from planso_connector.planso.pages.text import has_tags, label_key, to_one_line, unescape_markup
from planso_connector.store.lookup_keys import build_keys
from tests.long_texts import PATTERNS

SMALL, LARGE = 2000, 64_000


def control(shown: str, column: str = "f_1") -> ControlState:
    return ControlState(column, "Notiz", values=(shown,), shown=shown)


def appended(text: str) -> object:
    lines = AppendableText(text), AppendableText(text, is_one_line=True)
    return [
        (one.count_line(text[: len(text) // 2] or "x"), one.without_line(text[: len(text) // 2] or "x"))
        for one in lines
    ]


WORK: dict[str, Callable[[str], object]] = {
    "fold": fold,
    "plate": fold_plate,
    "key": fold_key,
    "label": label_key,
    "tags": has_tags,
    "one line": to_one_line,
    "unescaped": unescape_markup,
    "plain": values.normalize_text,
    "read": lambda text: [values.parse_planso_value(kind, text) for kind in FieldKind],
    "same": lambda text: [values.are_equal(kind, text, text + "x") for kind in FieldKind],
    "notation": lambda text: values.is_equivalent_text(text, text[:-1]),
    "value": lambda text: is_same_after_normalisation(text, text[:-1] + "?"),
    "garbled": lambda text: is_garbled(text, re.sub(r"[^\x00-\x7f]", "?", text)) or is_garbled(text, f"{text}?x"),
    "derived": lambda text: is_derived(
        control(text), control(text + "1"), RequestedChange(control(text), control("1"))
    ),
    "column": lambda text: is_derived(
        control("1", text), control("2", text), RequestedChange(control("3", text), control("4"))
    ),
    "stamp": lambda text: is_audit_stamp(control(text), control(text + "1"), None),
    "appended": appended,
    "keys": lambda text: build_keys(text, text, text, text),
}


def measure(work: Callable[[str], object], text: str) -> float:
    begin = time.process_time()
    work(text)
    return time.process_time() - begin


@pytest.mark.parametrize("name", WORK)
def test_work_grows_with_the_length(name: str) -> None:
    """32 times the text takes less than 256 times the processor time; quadratic work would take 1,024 times."""
    for pattern in PATTERNS.values():
        small, large = pattern(SMALL), pattern(LARGE)
        usual = min(measure(WORK[name], small) for _ in range(3))
        assert measure(WORK[name], large) < 256 * max(usual, 0.002)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.path)
@pytest.mark.parametrize("length", [1, 100, 10_000, 1_000_000])
def test_too_long_a_value_is_refused(field: OrderField, length: int) -> None:
    """Every field has a maximum length, and a text field accepts a text of that length."""
    text = "1" * length
    if length > field.max_length:
        with pytest.raises(ValueError, match=f"has {length} characters; accepted: up to {field.max_length}"):
            values.parse_caller_value(field, text)
    elif field.kind in TEXT_KINDS:
        assert values.parse_caller_value(field, text) == text


@given(st.text(st.characters(codec="utf-8"), max_size=80))
@example("000000-" * 50)
@example("\ufdfa" * 200)
@settings(max_examples=30)
def test_keys_are_bounded(text: str) -> None:
    """Number and length of an order's keys fit an index, whatever its fields contain."""
    for long in (text, text * 5, text + "\ufdfa" * 20):
        keys = build_keys(long, long, long, long)
        assert len(keys) < 400
        assert all(len(key) <= 254 for _, key in keys)
        assert max(len(fold_key(long)), len(fold_plate(long))) <= MAX_KEY_LENGTH


@given(
    st.text(st.sampled_from("aée\u0323\u0301\u0308한ᄒ\u1161\u11ab日"), max_size=29), st.sampled_from(["NFC", "NFKD"])
)
def test_normalization_is_that_of_unicode(text: str, form: Literal["NFC", "NFKD"]) -> None:
    """For up to 30 combining marks in a row; longer runs are split."""
    assert normalize_unicode(form, text) == unicodedata.normalize(form, text)
    assert fold("u" + "\u0323\u0308" * 500) == "u"


@given(st.text(st.sampled_from("&#x0123456789;aA< "), max_size=40))
def test_character_references_are_decoded_as_in_html(text: str) -> None:
    """Also where a number has thousands of digits: it is the replacement character."""
    assert unescape_html(text) == html.unescape(text)
    assert unescape_html("&#" + "9" * 5000 + ";") == unescape_html("&#" + "0" * 5000 + ";") == "\ufffd"
    assert unescape_html("&#" + "0" * 5000 + "65;") == "A"


@given(st.text(st.sampled_from("<>a/! x"), max_size=12))
def test_tags_are_found_as_by_the_plain_pattern(text: str) -> None:
    """The linear search finds what a quadratic pattern finds."""
    assert has_tags(text) is (re.search(r"<[a-zA-Z/!?][^>]*>", text) is not None)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Käß", "K??", True),
        ("Käß", "K????", True),
        ("Käß", "K?", False),
        ("Wer? Käß", "Wer? K??", True),
        ("ü?", "??", True),
        ("ü" * 40, "?" * 60 + "x", False),
        ("Käß", "Kä?", False),
    ],
)
def test_question_marks_for_letters_are_damage(before: str, after: str, expected: bool) -> None:
    """One to four question marks for each letter, also in long rows."""
    assert is_garbled(before, after) is expected


def test_zero_is_never_negative() -> None:
    """`-0`, which PlanSo may write, is 0."""
    for text in ("-0,00", "-0", "-0.0"):
        assert str(german_formats.parse_decimal(text)) == "0.0"
