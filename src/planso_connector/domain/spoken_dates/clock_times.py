"""Find the times of day in tokens, and what hour a workshop's caller means by `um zwei`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time

from planso_connector.domain.spoken_dates.moment import DayPart

Opening = tuple[time, time]
"""From when to when somebody is there."""
USUAL_OPENING: Opening = (time(7), time(19))

_HOURS = r"n(?P<h>\d{1,2})"
_MINUTES = r"n(?P<m>\d{1,2})"
_LEAD = r"(?:at )*"
_HALF_OF_DAY = r"(?: uhr)?(?: (?P<ampm>am_|pm_))?"


@dataclass(frozen=True, slots=True)
class SpokenTime:
    """Hours 0 to 23 as said: 2 may be 14 o'clock, unless `is_exact`."""

    hour: int
    minute: int
    is_exact: bool = False
    half: str | None = None
    """`am_` or `pm_`, where it was said."""

    @property
    def is_possible(self) -> bool:
        return 0 <= self.hour <= 23 and 0 <= self.minute <= 59 and not (self.half and not 1 <= self.hour <= 12)


def _shifted(match: re.Match[str], minutes: int) -> tuple[int, int]:
    """`minutes` from the full hour: `dreiviertel neun` is 15 before 9. An hour of 0 is 12 on the clock's face."""
    hour, minute = divmod(int(match["h"]) * 60 + minutes, 60)
    return (hour or 12 if int(match["h"]) <= 12 else hour), minute


def _signed(match: re.Match[str]) -> int:
    return (-1 if match["rel"] in ("before", "to") else 1) * int(match["m"])


_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], tuple[int, int]], bool]


def _rule(pattern: str, read: Callable[[re.Match[str]], tuple[int, int]], *, is_exact: bool = False) -> _Rule:
    return re.compile(f"(?<= ){_LEAD}{pattern}{_HALF_OF_DAY}(?= )"), read, is_exact


_RULES: tuple[_Rule, ...] = (
    _rule(r"C(?P<h>\d\d):(?P<m>\d\d)", lambda m: (int(m["h"]), int(m["m"])), is_exact=True),
    _rule(r"c(?P<h>\d{1,2}):(?P<m>\d\d)", lambda m: (int(m["h"]), int(m["m"]))),
    _rule(rf"{_MINUTES} (?:minute )?(?P<rel>before|after) halb {_HOURS}", lambda m: _shifted(m, _signed(m) - 30)),
    _rule(rf"halb {_HOURS}", lambda m: _shifted(m, -30)),
    _rule(rf"(?:halfpast|half) {_HOURS}", lambda m: _shifted(m, 30)),
    _rule(rf"dreiviertel {_HOURS}", lambda m: _shifted(m, -15)),
    _rule(rf"quarter (?:after|past) {_HOURS}", lambda m: _shifted(m, 15)),
    _rule(rf"quarter (?:before|to) {_HOURS}", lambda m: _shifted(m, -15)),
    _rule(rf"quarter {_HOURS}", lambda m: _shifted(m, -45)),
    _rule(
        rf"(?<!from )(?<!between )n(?P<m>5|10|15|20|25) (?:minute )?(?P<rel>before|after|past|to) {_HOURS}",
        lambda m: _shifted(m, _signed(m)),
    ),
    _rule(rf"{_HOURS} uhr(?: and)? [no](?P<m>[0-5]?\d)(?! (?:M\d|o\d))", lambda m: (int(m["h"]), int(m["m"]))),
    _rule(rf"{_HOURS} uhr", lambda m: (int(m["h"]), 0)),
    _rule(r"noon", lambda _: (12, 0), is_exact=True),
    _rule(rf"at {_HOURS} n(?P<m>[0-5]\d)(?! (?:M\d|uhr))", lambda m: (int(m["h"]), int(m["m"]))),
    _rule(r"at [no](?P<h>\d{1,2})(?! (?:M\d|o\d))", lambda m: (int(m["h"]), 0)),
    _rule(r"at x n(?P<h>\d{1,2})(?! (?:M\d|o\d|day|week|month|minute))", lambda m: (int(m["h"]), 0)),
    _rule(rf"{_HOURS}(?= (?:am_|pm_))", lambda m: (int(m["h"]), 0)),
)
_ALTERNATIVE = re.compile(
    r"(?<= )(?:(?P<before>T\d+ or (?:at )?)n(?P<h>\d{1,2})(?: uhr)?|n(?P<h2>\d{1,2}) or (?=T\d))(?= ?)"
)
"""`um neun oder zehn`, `neun oder zehn Uhr`."""
_RANGE_OF_HOURS = re.compile(
    r"(?<= )(?:between|from) n\d{1,2}(?: uhr)? (?:and|until|to) n\d{1,2}(?: uhr)?(?= )(?! (?:M\d|day|week))"
)
_RANGE_OF_TIMES = re.compile(r"(?<= )(?:between|from) T\d+ (?:and|until|to) T\d+|T\d+ until T\d+")
_AFTER_DAY = re.compile(r"(?<= )(?P<lead>Y\d+(?: P[a-z]+)?) n(?P<h>\d{1,2})(?: n(?P<m>[0-5]\d))?(?= )")


@dataclass(slots=True)
class FoundTimes:
    """`text`: the tokens, with `T0`, `T1` in place of the times."""

    text: str
    times: list[SpokenTime]
    is_range: bool = False


def find_times(tokens: str) -> FoundTimes:
    text, hours_ranges = _RANGE_OF_HOURS.subn("TR", tokens)
    times: list[SpokenTime] = []
    for pattern, read, is_exact in _RULES:

        def take(
            match: re.Match[str], read: Callable[[re.Match[str]], tuple[int, int]] = read, is_exact: bool = is_exact
        ) -> str:
            hour, minute = read(match)
            times.append(SpokenTime(hour, minute, is_exact or hour > 12 or hour == 0, match["ampm"]))
            return f"T{len(times) - 1}"

        text = pattern.sub(take, text)

    def take_alternative(match: re.Match[str]) -> str:
        hour = int(match["h"] or match["h2"])
        times.append(SpokenTime(hour, 0, hour > 12 or hour == 0))
        taken = f"T{len(times) - 1}"
        return f"{match['before']}{taken}" if match["h"] else f"{taken} or "

    text = _ALTERNATIVE.sub(take_alternative, text)
    text, time_ranges = _RANGE_OF_TIMES.subn("TR", text)
    return FoundTimes(text, times, is_range=bool(hours_ranges or time_ranges))


def find_time_after_day(found: FoundTimes) -> None:
    """`Donnerstag acht`: a number directly behind a day (`Y0`), where no other time was said."""
    match = _AFTER_DAY.search(found.text)
    if match is not None and not found.times and not found.is_range:
        hour = int(match["h"])
        found.times.append(SpokenTime(hour, int(match["m"] or 0), hour > 12 or hour == 0))
        found.text = f"{found.text[: match.start()]}{match['lead']} T0{found.text[match.end() :]}"


def read_clock(spoken: SpokenTime, part: DayPart | None, opening: Opening) -> list[time]:
    """The times that may be meant, one or two; empty for one that no clock shows."""
    if not spoken.is_possible:
        return []
    hour = spoken.hour
    if spoken.half is not None:
        return [time(hour % 12 + (12 if spoken.half == "pm_" else 0), spoken.minute)]
    if spoken.is_exact or hour == 12:
        return [time(hour, spoken.minute)]
    if part is not None:
        return [time(hour + (12 if _is_second_half(hour, part) else 0), spoken.minute)]
    both = [time(hour, spoken.minute), time(hour + 12, spoken.minute)]
    for begin, end in (opening, USUAL_OPENING):
        fitting = [clock for clock in both if begin <= clock < end]
        if fitting:
            return fitting
    return both[:1]


def _is_second_half(hour: int, part: DayPart) -> bool:
    if part is DayPart.NOON:
        return hour < 11
    if part is DayPart.NIGHT:
        return hour > 6
    return part is not DayPart.MORNING
