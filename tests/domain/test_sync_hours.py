from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planso_connector.domain.public_holidays import FEDERAL_STATES
from planso_connector.domain.sync_hours import SyncHours

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

HOURS = [
    "07:00-19:00",
    "00:00-24:00",
    "Mo-Fr 07:00-12:00, 13:00-18:00, Sa 08:00-12:00",
    "22:00-06:00",
    "Fr-Mo 20:00-02:30",
    "Mo-So 02:30-03:10",
    "So 01:00-02:30",
    "Su 02:10-02:50, Mo 23:59-00:01",
]
ZONES = ["Europe/Berlin", "UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Beirut"]

work_hours = st.builds(
    SyncHours.parse, st.sampled_from(HOURS), st.sampled_from(ZONES), st.sampled_from([None, *sorted(FEDERAL_STATES)])
)
# Mostly the days on which clocks change, and the turn of a year.
instants = st.one_of(
    [
        st.timedeltas(timedelta(), timedelta(days=length)).map(
            datetime.fromisoformat(begin).replace(tzinfo=UTC).__add__
        )
        for begin, length in [("2025-01-01", 1460), ("2026-03-27", 3), ("2026-10-23", 3), ("2026-12-30", 8)]
    ]
)
jitters = st.floats(0, 1, exclude_max=True)
intervals = st.timedeltas(timedelta(seconds=1), timedelta(days=2))


def berlin(text: str, *, fold: int = 0) -> datetime:
    """What the wall clock in Berlin shows; `fold` 1 is the second time round."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


@settings(deadline=None)  # the first example loads the calendar
@given(instants, st.sampled_from([None, *sorted(FEDERAL_STATES)]))
def test_hours_are_wall_clock_time(now: datetime, state: str | None) -> None:
    """Open from 07:00 until before 19:00 by the clock on the wall, Monday to Friday, on no public holiday."""
    hours = SyncHours.parse("07:00-19:00", holidays_of=state)
    local = now.astimezone(BERLIN)
    workday = local.strftime("%a") not in ("Sat", "Sun") and local.date() not in holidays.country_holidays(
        "DE", subdiv=state, years=local.year
    )
    assert hours.is_open(now) == (workday and "07:00" <= local.strftime("%H:%M") < "19:00")


@settings(deadline=None)
@given(instants, st.sampled_from(ZONES))
def test_hours_over_midnight_belong_to_the_evening(now: datetime, zone: str) -> None:
    """22:00-06:00 of a workday ends the next morning, be that a Saturday or a holiday; only its evening counts."""
    hours = SyncHours.parse("22:00-06:00", zone)
    local = now.astimezone(ZoneInfo(zone))
    shown = local.strftime("%H:%M")
    evening = local.date() - timedelta(days=shown < "06:00")
    workday = evening.weekday() < 5 and evening not in holidays.country_holidays("DE", years=evening.year)
    assert hours.is_open(now) == (workday and (shown < "06:00" or shown >= "22:00"))


@given(instants, st.sampled_from(ZONES))
def test_always_is_always(now: datetime, zone: str) -> None:
    """00:00-24:00 alone is open at every instant, Sundays and holidays too."""
    assert SyncHours.parse("00:00-24:00", zone).is_open(now)


@settings(deadline=None)
@given(work_hours, instants, st.lists(jitters, max_size=200))
@example(SyncHours.parse("So 01:00-02:30"), datetime(2026, 10, 25, 0, 45, tzinfo=UTC), [])
@example(SyncHours.parse("Mo-So 02:30-03:10"), datetime(2026, 3, 29, 0, 45, tzinfo=UTC), [])
def test_nothing_before_the_next_opening_is_open(hours: SyncHours, after: datetime, shares: list[float]) -> None:
    """The next opening is open and not before `after`; no instant from `after` until it is open."""
    opening = hours.next_opening(after)

    assert hours.is_open(opening)
    assert opening >= after
    before = {after + (opening - after) * share for share in shares}
    before |= {opening - MINUTE * ahead for ahead in range(1, 300)} | {opening - timedelta(microseconds=1), after}
    assert not any(hours.is_open(moment) for moment in before if after <= moment < opening)


@settings(deadline=None)
@given(work_hours, instants)
def test_while_open_the_next_opening_is_now(hours: SyncHours, now: datetime) -> None:
    """And an opening is its own next opening."""
    opening = hours.next_opening(now)
    assert hours.next_opening(opening) == opening
    assert (opening == now) == hours.is_open(now)


@settings(deadline=None)
@given(work_hours, instants, intervals, jitters)
def test_next_run_is_open_and_an_interval_later(
    hours: SyncHours, after: datetime, interval: timedelta, jitter: float
) -> None:
    """The next run is in the hours, at least an interval later, and at most a tenth of it after what that allows."""
    run = hours.next_run(after, interval, jitter)

    assert hours.is_open(run)
    assert run >= after + interval
    assert run <= hours.next_opening(after + interval + interval / 10) + interval / 10


@given(instants, intervals, jitters)
def test_the_interval_is_elapsed_time(after: datetime, interval: timedelta, jitter: float) -> None:
    """Without hours, interval and jitter are all there is, however the zone's clocks jump meanwhile."""
    always = SyncHours.parse("00:00-24:00")
    expected = after + interval + interval / 10 * jitter
    assert always.next_run(after.astimezone(BERLIN), interval, jitter).astimezone(UTC) == expected


def test_next_run_after_closing_time_is_jittered_after_the_opening() -> None:
    """A run due on Friday evening comes on Monday at seven, and its jitter with it, unless the hours are shorter."""
    friday = berlin("2026-06-12T18:58")
    monday = berlin("2026-06-15T07:00")
    assert SyncHours.parse("07:00-19:00").next_run(friday, HOUR, 0.5) == monday + 3 * MINUTE
    assert SyncHours.parse("07:00-07:01").next_run(friday, HOUR, 0.5) == monday


@given(instants)
def test_results_are_in_utc(now: datetime) -> None:
    """Openings and runs, whatever the zone of the argument."""
    hours = SyncHours.parse("00:00-24:00")
    assert hours.next_opening(now.astimezone(BERLIN)).tzinfo is UTC
    assert hours.next_run(now.astimezone(BERLIN), HOUR, 0.5).tzinfo is UTC


def test_a_span_that_begins_in_the_skipped_hour_opens_at_its_end() -> None:
    """On 2026-03-29 there is no 02:30: a span from then opens at three, one that ends in that hour not at all."""
    midnight = berlin("2026-03-29T00:00")
    three = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert berlin("2026-03-29T03:00") == three
    assert SyncHours.parse("Mo-So 02:30-04:00").next_opening(midnight) == three
    assert SyncHours.parse("Mo-So 02:10-02:50").next_opening(midnight) == berlin("2026-03-30T02:10")
    assert _open_minutes("Mo-So 00:00-24:00", date(2026, 3, 29)) == 23 * 60


def test_an_hour_that_comes_twice_is_open_twice() -> None:
    """On 2026-10-25 the wall clock shows 02:00 to 03:00 twice, and hours hold for both."""
    hours = SyncHours.parse("So 01:00-02:30")
    second_two = berlin("2026-10-25T02:00", fold=1).astimezone(UTC)
    assert hours.next_opening(berlin("2026-10-25T02:30").astimezone(UTC)) == second_two
    assert hours.is_open(second_two + 29 * MINUTE)
    assert not hours.is_open(second_two + 30 * MINUTE)
    assert _open_minutes("So 01:00-02:30", date(2026, 10, 25)) == 90 + 30
    assert _open_minutes("Mo-So 00:00-24:00", date(2026, 10, 25)) == 25 * 60


@pytest.mark.parametrize(
    ("day", "utc_hour"), [("2026-03-27", 6), ("2026-03-30", 5), ("2026-10-23", 5), ("2026-10-26", 6)]
)
def test_opening_time_is_the_same_in_summer_and_winter(day: str, utc_hour: int) -> None:
    """The workshop opens at 07:00 by its wall clock, before and after each change of the clocks."""
    opening = SyncHours.parse("07:00-19:00").next_opening(berlin(f"{day}T00:00"))
    assert opening == datetime.fromisoformat(day).replace(hour=utc_hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "state", "is_open"),
    [
        ("2026-01-06", "BY", False),
        ("2026-01-06", "by", False),
        ("2026-01-06", "BE", True),
        ("2026-01-06", None, True),
        ("2027-03-08", "BE", False),
        ("2027-03-08", "BY", True),
        ("2026-11-18", "SN", False),
        ("2026-11-18", "BW", True),
        ("2026-06-04", "BY", False),
        ("2026-06-04", "", True),
        ("2026-04-03", None, False),
        ("2026-12-25", "HH", False),
        ("2026-12-31", "HH", True),
    ],
)
def test_each_state_has_its_holidays(day: str, state: str | None, is_open: bool) -> None:
    """Nationwide holidays close every workshop; a state's own those of that state, none where no state is named."""
    assert SyncHours.parse("07:00-19:00", holidays_of=state).is_open(berlin(f"{day}T12:00")) is is_open


@pytest.mark.parametrize(
    ("state", "opening"), [("BY", "2027-01-04T07:00"), ("BE", "2027-01-04T07:00"), (None, "2027-01-04T07:00")]
)
def test_new_year_is_found_from_the_old_year(state: str | None, opening: str) -> None:
    """After New Year's Eve 2026, a Thursday, the holiday of the next year counts, and its weekend."""
    hours = SyncHours.parse("07:00-19:00", holidays_of=state)
    assert hours.next_opening(berlin("2026-12-31T19:00")) == berlin(opening)


def test_the_night_into_the_new_year_belongs_to_the_old_one() -> None:
    """A night shift that begins on a working New Year's Eve ends on New Year's morning; none begins on New Year."""
    hours = SyncHours.parse("22:00-06:00")
    assert hours.is_open(berlin("2027-01-01T05:59"))
    assert hours.next_opening(berlin("2027-01-01T06:00")) == berlin("2027-01-04T22:00")


@pytest.mark.parametrize(
    ("hours", "other"),
    [
        ("07:00-19:00", "Mo-Fr 07:00-19:00"),
        ("Mo-Fr 7:00-19:00", "mon - fri 07:00 – 19:00"),
        ("Mo. 07:00-12:00,Di. 07:00-12:00", "Mo 07:00-12:00, Tu 07:00-12:00"),
        ("Sa-So 07:00-12:00", "Sat-Sun 07:00-12:00"),
        ("Do 07:00-12:00, Mi 08:00-09:00", "Thu 07:00-12:00, Wed 08:00-09:00"),
        ("Sa 08:00-12:00, 13:00-14:00", "Sa 08:00-12:00, Sa 13:00-14:00"),
        ("22:00-00:00", "22:00-24:00"),
        ("00:00-24:00", " 0:00 - 24:00 "),
    ],
)
def test_notations_with_one_meaning(hours: str, other: str) -> None:
    """Days in both languages, with or without zeros, blanks, dots; a span without days takes those before it."""
    assert SyncHours.parse(hours) == SyncHours.parse(other)


def test_every_day_with_days_named_still_keeps_holidays() -> None:
    """With days named, 00:00-24:00 is closed on holidays and on other days: only alone it is always."""
    christmas = berlin("2026-12-25T12:00")
    assert not SyncHours.parse("Mo-So 00:00-24:00").is_open(christmas)
    assert not SyncHours.parse("Mo-Fr 00:00-24:00").is_open(berlin("2026-06-13T12:00"))
    assert SyncHours.parse("00:00-24:00").is_open(christmas)


@pytest.mark.parametrize(
    ("hours", "zone", "state", "accepted"),
    [
        ("", "UTC", None, "07:00-19:00"),
        ("always", "UTC", None, "00:00-24:00 is always"),
        ("07:00-19:00,", "UTC", None, "07:00-19:00"),
        ("7-19", "UTC", None, "07:00-19:00"),
        ("07:00-07:00", "UTC", None, "no length"),
        ("24:00-07:00", "UTC", None, "no length"),
        ("07:00-24:01", "UTC", None, "24:01 is no time of day"),
        ("07:60-19:00", "UTC", None, "07:60 is no time of day"),
        ("Xy 07:00-19:00", "UTC", None, "Mo Di Mi Do Fr Sa So.*'Xy'"),
        ("Mo-Foo 07:00-19:00", "UTC", None, "'Foo'"),
        ("07:00-19:00", "Mars/Olympus", None, "Europe/Berlin; not 'Mars/Olympus'"),
        ("07:00-19:00", "Europe", None, "Europe/Berlin"),
        ("07:00-19:00", "", None, "Europe/Berlin"),
        ("07:00-19:00", "../etc/passwd", None, "Europe/Berlin"),
        ("07:00-19:00", "UTC", "XX", "BB BE BW BY .*'XX'"),
        ("07:00-19:00", "UTC", "Augsburg", "BB BE BW BY"),
    ],
)
def test_invalid_hours_are_refused(hours: str, zone: str, state: str | None, accepted: str) -> None:
    """The message says what is accepted."""
    with pytest.raises(ValueError, match=f"^accepted: .*{accepted}"):
        SyncHours.parse(hours, zone, state)


@given(st.text(alphabet="MoDiFr0123456789:-, –."))
def test_any_text_is_hours_or_is_refused(text: str) -> None:
    """Any text is parsed, or refused with a ValueError."""
    try:
        SyncHours.parse(text)
    except ValueError as error:
        assert str(error).startswith("accepted: ")  # noqa: PT017 - most texts raise, some do not


def test_holidays_are_loaded_at_first_use() -> None:
    """Neither import, parse nor `00:00-24:00` loads `holidays`, which takes most of a second and 45 MB."""
    code = (
        "import sys; from datetime import UTC, datetime; from planso_connector.domain.sync_hours import SyncHours;"
        "SyncHours.parse('07:00-19:00', holidays_of='BY');"
        "SyncHours.parse('00:00-24:00').is_open(datetime(2026, 12, 25, tzinfo=UTC));"
        "sys.exit('holidays' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _open_minutes(hours: str, day: date) -> int:
    """How many minutes of a day in Berlin are open, real minutes, one by one."""
    parsed = SyncHours.parse(hours)
    midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
    minutes = (midnight + MINUTE * ahead for ahead in range(26 * 60))
    return sum(parsed.is_open(minute) for minute in minutes if minute.astimezone(BERLIN).date() == day)
