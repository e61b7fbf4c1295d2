"""The grammar of numbers in texts: what is taken has one reading, and it is that one."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planso_connector.domain.messages import InvalidValue
from planso_connector.domain.number_grammar import parse_number, parse_whole_number

WHOLE = st.integers(0, 10**17)
DECIMALS = st.text("0123456789", min_size=1, max_size=6)
TAKEN = re.compile(r"\d+|\d+[.,]\d+|[1-9]\d{0,2}(\.\d{3})+,\d+|[1-9]\d{0,2}\.\d{3}(\.\d{3})+", re.ASCII)
TWO_READINGS = re.compile(r"[1-9]\d{0,2}\.\d{3}", re.ASCII)


@given(WHOLE, DECIMALS)
def test_every_notation_of_a_number_is_that_number(whole: int, decimals: str) -> None:
    """With a comma, a dot, and with groups before a comma; with a dot unless the text has another reading."""
    number = Decimal(f"{whole}.{decimals}")
    grouped = f"{whole:,}".replace(",", ".")
    assert parse_number(f"{whole},{decimals}") == parse_number(f"{grouped},{decimals}") == number
    if not TWO_READINGS.fullmatch(f"{whole}.{decimals}"):
        assert parse_number(f"{whole}.{decimals}") == number
    assert parse_number(str(whole)) == parse_whole_number(str(whole)) == whole
    if whole >= 10**6:
        assert parse_number(grouped) == whole


@given(st.integers(1, 999), st.integers(0, 999))
def test_a_text_with_two_readings_is_refused_with_both(first: int, last: int) -> None:
    """`1.500` may be 1.5 or 1500: the message has both, and each is taken."""
    text = f"{first}.{last:03}"
    with pytest.raises(InvalidValue) as refused:
        parse_number(text)
    readings = re.findall('"(.*?)"', str(refused.value))
    assert [parse_number(reading) for reading in readings] == [Decimal(text), first * 1000 + last]


@given(st.text("0123456789.,_ -+eE'x\u0665\u00a0", max_size=12) | st.text(max_size=8))
@example("true")
@example("1_000")
@example("inf")
@example("nan")
@example("0x10")
@example("1e3")
@example("-1")
@example("+1")
@example(" 1")
@example("1 ")
@example("")
@example(",5")
@example("5,")
@example("1,5,0")
@example("1,234.5")
@example("1.23.456")
@example("\u0661\u0662")
@example("1.2.3")
def test_what_is_outside_the_grammar_is_refused(text: str) -> None:
    """A text is taken exactly if it is in the grammar, written here once more; else both languages quote it."""
    if TAKEN.fullmatch(text) and not TWO_READINGS.fullmatch(text):
        has_groups = "," in text or text.count(".") > 1
        plain = text.replace(".", "").replace(",", ".") if has_groups else text
        assert parse_number(text) == Decimal(plain)
    else:
        with pytest.raises(InvalidValue) as refused:
            parse_number(text)
        assert text in refused.value.message.en
        assert text in refused.value.message.de


@pytest.mark.parametrize("text", ["12,5", "0.5", "1.234,5"])
def test_an_id_is_whole(text: str) -> None:
    """`123,0` is 123, as JSON's 123.0 is; a fraction is refused."""
    assert parse_whole_number("123,0") == 123
    with pytest.raises(InvalidValue):
        parse_whole_number(text)


def test_a_long_text_is_no_number() -> None:
    """However many digits: no megabyte is parsed."""
    with pytest.raises(InvalidValue) as refused:
        parse_number("9" * 1_000_000)
    assert len(str(refused.value)) < 200
