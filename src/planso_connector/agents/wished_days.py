"""Which days and times a caller asks about: `nächste Woche`, `ab Donnerstag`, `am Dienstag um acht`."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from planso_connector.domain.folding import fold
from planso_connector.domain.spoken_dates.moment import DateQuestion, QuestionReason, SpokenMoment
from planso_connector.domain.spoken_dates.resolve import resolve_spoken_date

DEFAULT_DAYS = 14
MAX_DAYS = 60

_SOON = re.compile(
    r"\b(bald|schnell|frueh(?!stueck)|naechst(e[nrs]?)?( freie[nrs]?)? (termin|zeit|moeglich)|naechstmoeglich|egal|"
    r"irgendwann|sofort|immer|flexibel|asap|soon|earliest|any|whenever|next (free|available)|first available)"
)
_UNTIL = re.compile(r"\b(bis|vor|spaetestens|until|before|by)\b")
_EXCEPT = re.compile(r"\b(nicht|kein(e[nmrs]?)?|ausser|not|except)\b")
_AFTER = re.compile(r"\b(nach|after)\b")


@dataclass(frozen=True, slots=True)
class WishedDays:
    """
    The days from `first` on, `days` of them, without those `excluded`. `day`: the only one that was named. `time`: a
    time or a part of the day, of whichever day.
    """

    first: date
    days: int = DEFAULT_DAYS
    day: SpokenMoment | None = None
    time: SpokenMoment | None = None
    only: frozenset[date] | None = None
    """Where several days were named: these."""
    excluded: frozenset[date] = frozenset()

    def includes(self, day: date) -> bool:
        is_named = self.only is None or day in self.only
        return self.first <= day < self.first + timedelta(days=self.days) and is_named and day not in self.excluded


def read_wished_days(text: str | None, now: datetime) -> WishedDays | DateQuestion:
    """`now`: in German time. A question where the words name no day, an impossible one or one that has passed."""
    today = now.date()
    if not text:
        return WishedDays(today)
    found = resolve_spoken_date(text, now)
    if isinstance(found, SpokenMoment):
        return WishedDays(found.day, 1, day=found, time=found)
    if found.span is not None:
        first = max(found.span[0], today)
        return WishedDays(first, min(MAX_DAYS, max(1, (found.span[1] - first).days + 1)), time=_read_time(text, now))
    if found.reason in (QuestionReason.WHICH_OF, QuestionReason.WHICH_TIME, QuestionReason.WHICH_DAY) and found.options:
        return _read_options(text, found.options, today)
    if found.reason is QuestionReason.WHICH_DAY or _SOON.search(fold(text)):
        return WishedDays(today, time=_read_time(text, now))
    return found


def _read_options(text: str, options: tuple[SpokenMoment, ...], today: date) -> WishedDays:
    """Several days or times, or a day that is only a limit."""
    folded = fold(text)
    days = sorted({option.day for option in options})
    if len(days) == 1 and _EXCEPT.search(folded):
        return WishedDays(today, excluded=frozenset(days))
    if len(days) == 1 and _UNTIL.search(folded) and days[0] >= today:
        return WishedDays(today, min(MAX_DAYS, (days[0] - today).days + 1))
    if len(days) == 1 and re.search(r"\b(ab|from|fruehestens|nach|after|seit|earliest)\b", folded):
        return WishedDays(days[0] + timedelta(days=1 if _AFTER.search(folded) else 0))
    if len(days) == 1:
        return WishedDays(days[0], 1, day=SpokenMoment(days[0]))
    last = min(days[-1], days[0] + timedelta(days=MAX_DAYS - 1))
    times = {(option.clock, option.part) for option in options}
    time = options[0] if len(times) == 1 else None
    return WishedDays(days[0], (last - days[0]).days + 1, time=time, only=frozenset(days))


def _read_time(text: str, now: datetime) -> SpokenMoment | None:
    """Of words that name a time or a part of the day and no single day."""
    found = resolve_spoken_date(f"morgen {text}", now)
    return found if isinstance(found, SpokenMoment) and (found.clock or found.part) else None
