"""Values are written in the notation that a control holds."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain import values
from planso_connector.domain.fields import FieldKind
from planso_connector.domain.saving import notation

DAYS = st.dates(date(2010, 1, 1), date(2040, 12, 31))
HELD = ["2026-12-16", "16.12.2026", "16.12.26", "0000-00-00", "2026-12-16 00:00:00", "2026-12-16T08:00",
            "16.12.2026 12:08:59", "16.12.2026, 12:08 Uhr", "00.00.0000 00:00:00"]  # fmt: skip


@given(DAYS, st.times().map(lambda t: t.replace(microsecond=0)), st.sampled_from(HELD))
def test_moments_read_back(day: date, clock: time, held: str) -> None:
    """In every notation, a day, and a day with a time, read back as the same value."""
    parsed = notation.parse_date_notation(held)
    assert parsed is not None
    for canonical in (day.isoformat(), datetime.combine(day, clock).isoformat()):
        text = notation.format_moment(parsed, canonical)
        read = values.parse_planso_value(FieldKind.DATETIME, text, today=date(2026, 11, 23))
        assert values.are_equal(FieldKind.DATETIME, read, canonical), text


@pytest.mark.parametrize(
    ("held", "canonical", "text"),
    [
        ("2026-12-16", "2026-12-17", "2026-12-17"),
        ("2026-12-16", "2026-12-17T08:30:00", "2026-12-17 08:30:00"),
        ("2026-12-16 00:00:00", "2026-12-17", "2026-12-17 00:00:00"),
        ("2026-12-16T08:00", "2026-12-17T09:15:00", "2026-12-17T09:15"),
        ("16.12.26", "2026-12-17", "17.12.26"),
        ("16.12.2026 00:00", "2026-12-17", "17.12.2026 00:00"),
        ("16.12.2026 08:00 Uhr", "2026-12-17T09:15:00", "17.12.2026 09:15 Uhr"),
        ("16.12.2026 08:00", "2026-12-17T09:15:30", "17.12.2026 09:15:30"),
    ],
)
def test_moments_keep_the_held_notation(held: str, canonical: str, text: str) -> None:
    """ISO stays ISO, a time stays a time, and seconds are never lost."""
    parsed = notation.parse_date_notation(held)
    assert parsed is not None
    assert notation.format_moment(parsed, canonical) == text


@pytest.mark.parametrize("held", ["", "KW 51", "offen", "ab 14 Uhr", "12/08/26", "16.12.2026 - 18.12.2026"])
def test_other_texts_have_no_date_notation(held: str) -> None:
    """A text that is no date has no notation, so that PlanSo's German one is written."""
    assert notation.parse_date_notation(held) is None


@pytest.mark.parametrize(
    ("held", "hours", "text"),
    [
        ("", 12.5, "12,50"),
        ("elf", 12.5, "12,50"),
        ("11", 12.5, "12,50"),
        ("11,3", 12.5, "12,50"),
        ("11.30", 12.5, "12.50"),
        ("12.250", 13.5, "13.500"),
        ("1.500", 0.125, "0.125"),
        ("1.234,50", 2345.5, "2.345,50"),
        ("1.234,50", 5.0, "5,00"),
        ("1234,50", 2345.5, "2345,50"),
        ("11,30 h", 12.5, "12,50 h"),
    ],
)
def test_hours_keep_the_held_notation(held: str, hours: float, text: str) -> None:
    """Point or comma, grouping, decimals and unit stay; without a held number, German with two decimals."""
    assert notation.format_hours(held, hours) == text


@given(
    st.sampled_from(["", "5", "11,30", "11.30", "12.250", "1.234,50", "12.345.678", "3,5 h", "x"]),
    st.decimals(0, 1_000_000, places=4).map(float),
)
def test_hours_read_back(held: str, hours: float) -> None:
    """Whatever the control holds, the formatted number reads back as the same number."""
    assert values.parse_planso_value(FieldKind.NUMBER, notation.format_hours(held, hours)) == hours


@pytest.mark.parametrize(
    ("held", "text"),
    [("03/2026", "04/2027"), ("03/26", "04/27"), ("03.2026", "04.2027"), ("2026-03", "2027-04"), ("", "04/2027")],
)
def test_months_keep_the_held_notation(held: str, text: str) -> None:
    """A month is written in the notation of the held one."""
    assert notation.format_month(held, "2027-04") == text
