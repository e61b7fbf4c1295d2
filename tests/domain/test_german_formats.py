from __future__ import annotations

from datetime import date, datetime, time
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain import german_formats
from planso_connector.domain.german_formats import TwoDigitYears

DAYS = st.dates(date(1900, 1, 1), date(2199, 12, 31))


@given(DAYS)
def test_every_notation_of_a_day_is_that_day(day: date) -> None:
    """DD.MM.YYYY, D.M.YYYY and ISO are the same day, and PlanSo's format parses back to it."""
    canonical = day.isoformat()
    assert german_formats.parse_date(f"{day:%d.%m.}{day.year}") == canonical
    assert german_formats.parse_date(f"{day.day}.{day.month}.{day.year}") == canonical
    assert german_formats.parse_date(canonical) == canonical
    assert german_formats.parse_date(german_formats.format_planso_date(canonical)) == canonical


@given(DAYS, st.times().map(lambda t: t.replace(microsecond=0)))
def test_a_day_with_a_time_keeps_it(day: date, clock: time) -> None:
    """A date and time in PlanSo's format parse back to the same; midnight is the day alone."""
    moment = datetime.combine(day, clock)
    canonical = german_formats.parse_date(moment.isoformat())
    assert german_formats.parse_date(german_formats.format_planso_date(canonical)) == canonical
    assert canonical == (day.isoformat() if clock == time() else moment.isoformat())


@given(st.dates(date(2000, 1, 1), date(2150, 1, 1)), st.integers(-75, 26))
def test_a_year_of_two_digits_is_completed_by_field(today: date, away: int) -> None:
    """A registration is in the past; an appointment is within 25 years, and any other year is refused."""
    year = today.year + away
    text = f"01.07.{year % 100:02d}"
    registered = int(german_formats.parse_date(text, years=TwoDigitYears.PAST, today=today)[:4])
    assert registered % 100 == year % 100
    assert today.year + 1 - 100 < registered <= today.year + 1
    if abs(away) <= 25:
        assert german_formats.parse_date(text, today=today) == f"{year}-07-01"
    elif abs(away + 100) > 25:
        with pytest.raises(ValueError, match="with four digits"):
            german_formats.parse_date(text, today=today)


def test_years_of_two_digits_on_papers() -> None:
    """`01.07.65` is a registration in 1965; `03/27` is the month of the next HU."""
    today = date(2026, 11, 23)
    assert german_formats.parse_date("01.07.65", years=TwoDigitYears.PAST, today=today) == "1965-07-01"
    assert german_formats.parse_date("01.07.27", years=TwoDigitYears.PAST, today=today) == "2027-07-01"
    assert german_formats.parse_date("01.07.28", years=TwoDigitYears.PAST, today=today) == "1928-07-01"
    for words in ("03/27", "3/27", "03.27", "03 / 27", "03/2027"):
        assert german_formats.parse_date(words, month_allowed=True, today=today) == "2027-03"
    for words in ("03.12", "03-27", "13/27", "3/7"):
        with pytest.raises(ValueError, match="accepted: a date such as"):
            german_formats.parse_date(words, month_allowed=True, today=today)


@pytest.mark.parametrize(
    "words",
    ["31.02.2026", "29.02.2025", "32.01.2026", "2026-13-01", "0.1.2026", "morgen", "KW 12", "16.12.",
     "16.12.2025 25:00", "16.12.2025 heute", "05.12.2026 14:00-16:00", "05.12.2026 14:00 -16",
     "05.12.2026 14:00 - 16:00",
     "05.12.2026 14-16 Uhr", "2026-12-05T14:00-16:00", "2026-12-05T14:00:00-16:00", "05.12.2026 14:00+02:00",
     "05.12.2026T14:00:00+02:00", "2026-12-05 14:00-06", "Mo, 07.12.2026", "Montag 07.12.2026", "07.12.2026 (Mo)",
     "07.12.2026 - 09.12.2026", "ab 07.12.2026", "16.12.2025 ,,", "2025-12-16TT08:00", "16.12.2025-08:00",
     "1.1.1", "12/2026", "2025-12-16T08:00:00+99:00", "", "  ", "16.12.20255",
     "1e3", "16.12.2025 8"],
)  # fmt: skip
def test_an_invalid_date_is_refused(words: str) -> None:
    """Words, ranges, and days that are on no calendar raise an error that says what is accepted."""
    with pytest.raises(ValueError, match="accepted: a date such as"):
        german_formats.parse_date(words)


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("8 Uhr", "08:00"),
        ("08:30", "08:30"),
        ("8:30 Uhr", "08:30"),
        ("08:30:15", "08:30:15"),
        ("08:30:00", "08:30"),
        ("16.12.2025 08:30", "2025-12-16T08:30:00"),
        ("16.12.25 8 Uhr", "2025-12-16T08:00:00"),
        ("2025-12-16T08:30", "2025-12-16T08:30:00"),
        ("16.12.2025 00:00", "2025-12-16T00:00:00"),
    ],
)
def test_times_as_people_write_them(words: str, canonical: str) -> None:
    """HH:MM, HH:MM:SS, HH Uhr, HH:MM Uhr, or with a date in front; PlanSo's format parses back to the same."""
    assert german_formats.parse_time(words) == canonical
    assert german_formats.parse_time(german_formats.format_planso_date(canonical)) == canonical


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("05.12.2026 14:00-16:00", "2026-12-05T14:00:00", "2026-12-05T16:00:00"),
        ("05.12.2026, 14:00 - 16:00", "2026-12-05T14:00:00", "2026-12-05T16:00:00"),
        ("2026-12-05 14:00–16:30", "2026-12-05T14:00:00", "2026-12-05T16:30:00"),
        ("2026-12-05T14:00-16:00", "2026-12-05T14:00:00", "2026-12-05T16:00:00"),
        ("14-16 Uhr", "14:00", "16:00"),
        ("14 Uhr bis 16 Uhr", "14:00", "16:00"),
        ("14:00 - 16:00", "14:00", "16:00"),
        ("8:15-9", None, None),
        ("14-16", None, None),
        ("16:00-14:00", None, None),
        ("14:00-16:00-18:00", None, None),
        ("14:00-", None, None),
    ],
)
def test_a_range_names_both_ends_of_a_time_slot(words: str, start: str | None, end: str | None) -> None:
    """A slot's `from` is the start of a range, its `to` the end; without a slot a range is no time."""
    for slot, expected in (("from", start), ("to", end), (None, None)):
        if expected is None:
            with pytest.raises(ValueError, match="accepted: a time such as"):
                german_formats.parse_time(words, slot=cast("german_formats.SlotEnd | None", slot))
        else:
            assert german_formats.parse_time(words, slot=cast("german_formats.SlotEnd", slot)) == expected


@pytest.mark.parametrize("words", ["8", "24:00", "12:60", "16.12.2025", "früh", "", "08:30+01:00", "-1:00"])
def test_an_invalid_time_is_refused(words: str) -> None:
    """A bare number, an hour past 23, or a date alone raises an error that says what is accepted."""
    with pytest.raises(ValueError, match="accepted: a time such as"):
        german_formats.parse_time(words)


@given(st.integers(0, 999), st.integers(0, 999))
def test_hours_are_never_thousands(whole: int, thousandths: int) -> None:
    """A dot in hours is a decimal point; in prices it groups thousands, except after a lone 0."""
    text = f"{whole}.{thousandths:03d}"
    assert german_formats.parse_decimal(text, dot_groups=False) == float(text)
    assert german_formats.parse_decimal(text) == (whole * 1000 + thousandths if whole else float(text))


@given(st.decimals(0, 1_000_000, places=4).map(float))
def test_a_number_in_planso_format_parses_back(number: float) -> None:
    """Formatting for PlanSo gives a comma, and parsing that gives the same number."""
    written = german_formats.format_planso_decimal(number)
    assert "." not in written
    assert german_formats.parse_decimal(written) == number


@pytest.mark.parametrize(
    ("words", "number"),
    [("1.234,56", 1234.56), ("11,30", 11.3), ("11.3", 11.3), ("1.234", 1234.0), ("12.345.678", 12345678.0), ("5", 5.0),
     ("0,5 h", 0.5), ("1.234,50 €", 1234.5), ("-3,25", -3.25), (",5", 0.5), ("1 234,5", 1234.5)],
)  # fmt: skip
def test_german_decimals(words: str, number: float) -> None:
    """A comma is the decimal point; a dot groups thousands, or is a decimal point where it can't group."""
    assert german_formats.parse_decimal(words) == number


@pytest.mark.parametrize("words", ["", "elf", "1,2,3", "1.2.3", "NaN", "inf", "1e5", ",", "--1"])
def test_an_invalid_number_is_refused(words: str) -> None:
    """Anything else raises an error."""
    with pytest.raises(ValueError, match="is not a number"):
        german_formats.parse_decimal(words)


def test_an_instant_becomes_local_time() -> None:
    """An instant with an offset becomes the workshop's local time, in summer and in winter."""
    assert german_formats.parse_date("2026-07-01T10:00:00Z") == "2026-07-01T12:00:00"
    assert german_formats.parse_date("2026-12-01T10:00:00+00:00") == "2026-12-01T11:00:00"
    assert german_formats.parse_date("2026-12-01T23:30:00Z") == "2026-12-02T00:30:00"
    assert german_formats.parse_date("2026-12-05T14:00:00+02:00") == "2026-12-05T13:00:00"
    assert german_formats.parse_date("2026-12-05T14:00:00.250-0500") == "2026-12-05T20:00:00"
    assert german_formats.parse_time("2026-12-05T14:00+02:00", slot="from") == "2026-12-05T13:00:00"


def test_a_month_is_accepted_only_where_allowed() -> None:
    """`03/2027` is accepted where months are allowed, and formats back to the same."""
    assert german_formats.parse_date("03/2027", month_allowed=True) == "2027-03"
    assert german_formats.format_planso_date("2027-03") == "03/2027"
    with pytest.raises(ValueError, match="not a date"):
        german_formats.parse_date("03/2027")
    with pytest.raises(ValueError, match="a month such as"):
        german_formats.parse_date("13/2027", month_allowed=True)
