"""What a repair timeline does not tell, said as such."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.messages import Message
from planso_connector.domain.timeline.changes import format_day
from planso_connector.domain.timeline.milestones import ARRIVED
from planso_connector.domain.timeline.timeline import GapKind, TimelineEntry, TimelineGap

MIN_QUIET_DAYS = 3
"""Days from Monday to Friday without an entry, between two, from which on they are named."""

STEPS: dict[str, tuple[str, Message]] = {
    "inspection": ("estimate_date", Message("inspection", "Besichtigung")),
    "arrival": (ARRIVED, Message("actual arrival of the vehicle", "tatsächlicher Fahrzeugeingang")),
    "parts_ordered": ("parts_ordered", Message("order of the parts", "Bestellung der Teile")),
    "parts_delivered": ("parts_delivered", Message("delivery of the parts", "Lieferung der Teile")),
    "start": ("shop_date", Message("beginning of the work", "Beginn der Arbeiten")),
    "paint": ("paint_date", Message("painting", "Lackierung")),
    "finish": ("finish_date", Message("end of the work", "Fertigstellung")),
    "hand_over": ("return_date_time", Message("hand-over of the vehicle", "Rückgabe des Fahrzeugs")),
}
"""The steps that insurers ask for, each with the entry that tells its date."""

_NO_DATE = Message("No date: {step}.", "Kein Datum: {step}.")
_NOTHING_RECORDED = Message(
    "Nothing is recorded from {begins} to {ends}: {count} days from Monday to Friday.",
    "Vom {begins} bis {ends} ist nichts festgehalten: {count} Tage von Montag bis Freitag.",
)
_NOT_OBSERVED = Message(
    "Changes before {day} are not known; dates before come from what PlanSo shows now.",
    "Änderungen vor dem {day} sind nicht bekannt; frühere Daten stammen aus dem heutigen Stand von PlanSo.",
)
_NEVER_KNOWN = Message(
    "Since when changes are known is not recorded.", "Seit wann Änderungen bekannt sind, ist nicht festgehalten."
)
_IN_WORKSHOP = frozenset({ARRIVED, "repair_date", "shop_date"})


def iter_gaps(
    entries: Sequence[TimelineEntry], now: datetime, observed_since: datetime | None
) -> Iterator[TimelineGap]:
    """`entries` in their order."""
    if observed_since is None:
        yield TimelineGap(GapKind.NOT_OBSERVED, _NEVER_KNOWN)
    else:
        day = observed_since.astimezone(BERLIN).date()
        yield TimelineGap(GapKind.NOT_OBSERVED, _NOT_OBSERVED.format(day=format_day(day)), ends=day)
    dated = {entry.what for entry in entries}
    for step, (what, name) in STEPS.items():
        if what not in dated:
            yield TimelineGap(GapKind.NO_DATE, _NO_DATE.format(step=name), what=step)
    yield from _iter_quiet_times(entries, now)


def _iter_quiet_times(entries: Sequence[TimelineEntry], now: datetime) -> Iterator[TimelineGap]:
    """From the day on which the vehicle came in to its last entry up to today."""
    today = now.astimezone(BERLIN).date()
    past = [entry for entry in entries if entry.moment.day <= today]
    arrivals = [entry.moment.day for entry in past if entry.what in _IN_WORKSHOP]
    if not arrivals:
        return
    days = sorted({entry.moment.day for entry in past if entry.moment.day >= min(arrivals)})
    for before, after in pairwise(days):
        count = _count_working_days(before, after)
        if count >= MIN_QUIET_DAYS:
            begins, ends = before + timedelta(days=1), after - timedelta(days=1)
            text = _NOTHING_RECORDED.format(begins=format_day(begins), ends=format_day(ends), count=count)
            yield TimelineGap(GapKind.NOTHING_RECORDED, text, begins=begins, ends=ends)


def _count_working_days(before: date, after: date) -> int:
    """From Monday to Friday, between the two; holidays count."""
    between = (after - before).days - 1
    weeks, rest = divmod(max(between, 0), 7)
    return weeks * 5 + sum((before + timedelta(days=1 + number)).weekday() < 5 for number in range(rest))
