"""Writing in the notation that stands there."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain import values
from planso_connector.domain.fields import FieldKind
from planso_connector.domain.saving import notation

DAYS = st.dates(date(2010, 1, 1), date(2040, 12, 31))
STANDING = ["2026-12-16", "16.12.2026", "16.12.26", "0000-00-00", "2026-12-16 00:00:00", "2026-12-16T08:00",
            "16.12.2026 12:08:59", "16.12.2026, 12:08 Uhr", "00.00.0000 00:00:00"]  # fmt: skip


@given(DAYS, st.times().map(lambda t: t.replace(microsecond=0)), st.sampled_from(STANDING))
def test_what_is_written_reads_back(day: date, clock: time, standing: str) -> None:
    """In every notation, a day and a day with a time read back as what was written."""
    stands = notation.parse_date_notation(standing)
    assert stands is not None
    for canonical in (day.isoformat(), datetime.combine(day, clock).isoformat()):
        text = notation.format_moment(stands, canonical)
        read = values.parse_planso_value(FieldKind.DATETIME, text, today=date(2026, 11, 23))
        assert values.are_equal(FieldKind.DATETIME, read, canonical), text


@pytest.mark.parametrize(
    ("standing", "canonical", "text"),
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
def test_dates_as_they_stand(standing: str, canonical: str, text: str) -> None:
    """ISO stays ISO, a time stays where one stands, seconds are never lost."""
    stands = notation.parse_date_notation(standing)
    assert stands is not None
    assert notation.format_moment(stands, canonical) == text


@pytest.mark.parametrize("standing", ["", "KW 51", "offen", "ab 14 Uhr", "12/08/26", "16.12.2026 - 18.12.2026"])
def test_what_is_no_date_has_no_notation(standing: str) -> None:
    """Then PlanSo's German one is written."""
    assert notation.parse_date_notation(standing) is None


@pytest.mark.parametrize(
    ("standing", "hours", "text"),
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
def test_hours_as_they_stand(standing: str, hours: float, text: str) -> None:
    """Point or comma, groups, decimals and unit as they stand there; German, two decimals, where nothing does."""
    assert notation.format_hours(standing, hours) == text


@given(
    st.sampled_from(["", "5", "11,30", "11.30", "12.250", "1.234,50", "12.345.678", "3,5 h", "x"]),
    st.decimals(0, 1_000_000, places=4).map(float),
)
def test_hours_read_back(standing: str, hours: float) -> None:
    """Whatever stands there, what is written reads back as the number asked for."""
    assert values.parse_planso_value(FieldKind.NUMBER, notation.format_hours(standing, hours)) == hours


@pytest.mark.parametrize(
    ("standing", "text"),
    [("03/2026", "04/2027"), ("03/26", "04/27"), ("03.2026", "04.2027"), ("2026-03", "2027-04"), ("", "04/2027")],
)
def test_months_as_they_stand(standing: str, text: str) -> None:
    """A month of papers in the notation of the one that stands there."""
    assert notation.format_month(standing, "2027-04") == text
