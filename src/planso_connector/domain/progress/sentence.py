"""
How far an order is, in one or two sentences that can be read out: German and English.

Made of the ladder's words, counts and dates alone. What people typed, statuses among it, is never read out: it may
hold a name, a plate or a phone number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.progress.assess import OrderProgress, PromisedDate
from planso_connector.domain.progress.moment import Moment
from planso_connector.domain.progress.reasons import FetchReason, PromiseReason
from planso_connector.domain.progress.stages import ProgressStage

Language = Literal["de", "en"]

STAGE_COUNT = len(ProgressStage)

_DAYS_DE = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
_DAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS_DE = (
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
)
_MONTHS_EN = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
MONTHS: dict[Language, tuple[str, ...]] = {"de": _MONTHS_DE, "en": _MONTHS_EN}

_NUMBERS_DE = (
    "kein",
    "ein",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
)
_NUMBERS_EN = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def _number(words: tuple[str, ...], count: int) -> str:
    return words[count] if count < len(words) else str(count)


def _year(day: date, today: date) -> str:
    return "" if day.year == today.year else f" {day.year}"


def format_day_de(day: date, today: date, article: str = "den") -> str:
    """`heute`, `morgen, Dienstag, den 24. November`, `Donnerstag, den 10. Dezember`; another year's with the year."""
    if day == today:
        return "heute"
    named = f"{_DAYS_DE[day.weekday()]}, {article} {day.day}. {_MONTHS_DE[day.month - 1]}{_year(day, today)}"
    return f"morgen, {named}" if day == today + timedelta(days=1) else named


def format_day_en(day: date, today: date) -> str:
    """`today`, `tomorrow, Tuesday, the 24th of November`, `Thursday, the 10th of December`."""
    if day == today:
        return "today"
    ending = "th" if 10 < day.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    month = _MONTHS_EN[day.month - 1]
    named = f"{_DAYS_EN[day.weekday()]}, the {day.day}{ending} of {month}{_year(day, today)}"
    return f"tomorrow, {named}" if day == today + timedelta(days=1) else named


def format_time_de(clock: time) -> str:
    """`16 Uhr`, `9:40 Uhr`."""
    return f"{clock.hour}:{clock.minute:02} Uhr" if clock.minute else f"{clock.hour} Uhr"


def format_time_en(clock: time) -> str:
    """`4 pm`, `9:40 am`, `noon`."""
    if clock.minute == 0 and clock.hour in (0, 12):
        return "noon" if clock.hour else "midnight"
    minutes = f":{clock.minute:02}" if clock.minute else ""
    return f"{clock.hour % 12 or 12}{minutes} {'am' if clock.hour < 12 else 'pm'}"


def _moment_de(moment: Moment, today: date) -> str:
    named = format_day_de(moment.day, today)
    if moment.time is None:
        return named
    return f"{named}{'' if moment.day == today else ','} um {format_time_de(moment.time)}"


def _moment_en(moment: Moment, today: date) -> str:
    named = format_day_en(moment.day, today)
    if moment.time is None:
        return named
    return f"{named}{'' if moment.day == today else ','} at {format_time_en(moment.time)}"


def _expected_de(day: date, today: date) -> str:
    named = format_day_de(day, today, "dem")
    return named if named == "heute" or named.startswith("morgen") else f"am {named}"


def _expected_en(day: date, today: date) -> str:
    return format_day_en(day, today)


def _as_of_de(at: datetime, today: date) -> str:
    clock = format_time_de(at.time())
    if at.date() == today:
        return f"Stand von {clock}: "
    if at.date() == today - timedelta(days=1):
        return f"Stand von gestern, {clock}: "
    return f"Stand von {format_day_de(at.date(), today, 'dem')}, {clock}: "


def _as_of_en(at: datetime, today: date) -> str:
    clock = format_time_en(at.time())
    if at.date() == today:
        return f"As of {clock}: "
    if at.date() == today - timedelta(days=1):
        return f"As of yesterday, {clock}: "
    return f"As of {format_day_en(at.date(), today)}, {clock}: "


def _missing_de(count: int | None) -> str:
    """None: some, nobody says how many."""
    if count is None:
        return "es fehlen noch Teile"
    return "ein Teil fehlt noch" if count == 1 else f"{_number(_NUMBERS_DE, count)} Teile fehlen noch"


def _missing_en(count: int | None) -> str:
    if count is None:
        return "parts are still missing"
    return "one part is still missing" if count == 1 else f"{_number(_NUMBERS_EN, count)} parts are still missing"


@dataclass(frozen=True, slots=True)
class _Tongue:
    """All that one language says. Sentences end where the caller says so."""

    rungs: dict[ProgressStage, str]
    step: str
    in_work: str
    unknown: str
    not_released: str
    released: str
    handed_over: str
    archived: str
    promises: dict[str, str]
    """By field path, what is planned."""
    planned: str
    was_planned: str
    no_date: str
    unreadable_date: str
    passed: str
    passed_unknown: str
    part_later: str
    unsure: str
    unsure_and: str
    conjunction: str
    on_its_way: str
    moment: Callable[[Moment, date], str]
    expected: Callable[[date, date], str]
    as_of: Callable[[datetime, date], str]
    missing: Callable[[int | None], str]


_TONGUES: dict[Language, _Tongue] = {
    "de": _Tongue(
        rungs={
            ProgressStage.ANNOUNCED: "Ihr Auftrag ist in Vorbereitung",
            ProgressStage.RECEIVED: "Ihr Fahrzeug ist in der Werkstatt angenommen",
            ProgressStage.PARTS: "Für Ihr Fahrzeug werden die Ersatzteile beschafft",
            ProgressStage.BODY: "Ihr Fahrzeug ist in der Karosserieabteilung",
            ProgressStage.PAINT: "Ihr Fahrzeug ist in der Lackierung",
            ProgressStage.FINISH: "Ihr Fahrzeug ist bei den Abschlussarbeiten",
        },
        step=", Schritt {n} von {m}",
        in_work="Ihr Auftrag ist in Arbeit",
        unknown="Wie weit Ihr Fahrzeug ist, kann ich gerade nicht sicher sagen",
        not_released="Ihr Auftrag steht bei Schritt {n} von {m}; ob Sie das Fahrzeug schon abholen können, kann ich "
        "nicht sicher sagen",
        released="Ihr Fahrzeug ist abholbereit",
        handed_over="Ihr Fahrzeug wurde bereits übergeben",
        archived="Dieser Auftrag ist in der Werkstatt nicht mehr offen",
        promises={
            "planned_delivery_date": "die Auslieferung",
            "finish_date": "die Fertigstellung",
            "shop_back_date": "die Rückkehr aus der Werkstatt",
            "return_date_time": "die Rückgabe",
        },
        planned="Geplant ist {what} für {when}",
        was_planned="Geplant war {what} für {when}",
        no_date="Ein Termin für die Fertigstellung ist noch nicht eingetragen",
        unreadable_date="Einen festen Termin für die Fertigstellung kann ich gerade nicht nennen",
        passed="; dieser Termin ist verstrichen",
        passed_unknown="; ob dieser Termin gehalten wurde, kann ich nicht sagen",
        part_later="; ein Teil wird aber erst {when}, erwartet",
        unsure="; sicher ist dieser Termin aber nicht",
        unsure_and=", und der Termin ist nicht sicher",
        conjunction=", und ",
        on_its_way="Eine Änderung an Ihrem Auftrag wird gerade erst eingetragen",
        moment=_moment_de,
        expected=_expected_de,
        as_of=_as_of_de,
        missing=_missing_de,
    ),
    "en": _Tongue(
        rungs={
            ProgressStage.ANNOUNCED: "Your order is being prepared",
            ProgressStage.RECEIVED: "Your vehicle has been taken in at the workshop",
            ProgressStage.PARTS: "The parts for your vehicle are being procured",
            ProgressStage.BODY: "Your vehicle is in the body shop",
            ProgressStage.PAINT: "Your vehicle is in the paint shop",
            ProgressStage.FINISH: "Your vehicle is at the finishing stage",
        },
        step=", step {n} of {m}",
        in_work="Your order is in progress",
        unknown="I can't say for certain right now how far your vehicle is",
        not_released="Your order is at step {n} of {m}; I can't say for certain whether you can collect the vehicle "
        "yet",
        released="Your vehicle is ready to be collected",
        handed_over="Your vehicle has already been handed over",
        archived="This order is no longer open at the workshop",
        promises={
            "planned_delivery_date": "The hand-over",
            "finish_date": "Completion",
            "shop_back_date": "The return from the workshop",
            "return_date_time": "The return of the vehicle",
        },
        planned="{what} is planned for {when}",
        was_planned="{what} was planned for {when}",
        no_date="No completion date has been entered yet",
        unreadable_date="I can't name a fixed completion date right now",
        passed="; that date has passed",
        passed_unknown="; I can't say whether that date was kept",
        part_later="; but a part is not expected before {when}",
        unsure="; but that date is not certain",
        unsure_and=", and the date is not certain",
        conjunction=", and ",
        on_its_way="A change to your order is only just being entered",
        moment=_moment_en,
        expected=_expected_en,
        as_of=_as_of_en,
        missing=_missing_en,
    ),
}


def compose_sentence(standing: OrderProgress, language: Language) -> str:
    """
    One or two sentences. The time of the reading stands in front where the mirror is stale or the reading is not
    today's.
    """
    tongue = _TONGUES[language]
    today = standing.now.astimezone(BERLIN).date()
    read = standing.as_of.astimezone(BERLIN)
    front = tongue.as_of(read, today) if standing.is_stale or read.date() != today else ""
    said = [_stage(standing, tongue), _plan(standing, tongue, today)]
    said.append(tongue.on_its_way if standing.pending else "")
    return front + " ".join(f"{part}." for part in said if part)


def name_appointment(path: str, language: Language) -> str:
    """What a date of the order is for, as it stands in the middle of a sentence."""
    return _APPOINTMENTS[path][0 if language == "de" else 1]


_APPOINTMENTS = {
    "estimate_date": ("Besichtigung", "inspection"),
    "repair_date": ("Fahrzeugannahme", "vehicle drop-off"),
    "shop_date": ("Beginn der Arbeiten", "start of work"),
    "parts_delivery_date": ("Lieferung der Teile", "delivery of the parts"),
    "paint_date": ("Lackierung", "painting"),
    "shop_back_date": ("Rückkehr aus der Werkstatt", "return from the workshop"),
    "finish_date": ("Fertigstellung", "completion"),
    "planned_delivery_date": ("Auslieferung", "hand-over"),
    "return_date_time": ("Rückgabe", "return of the vehicle"),
}


def _stage(standing: OrderProgress, tongue: _Tongue) -> str:
    stage = standing.stage
    if stage.stage is None:
        return tongue.in_work if stage.is_in_work else tongue.unknown
    if stage.stage is ProgressStage.CLOSED:
        return tongue.handed_over if stage.is_handed_over else tongue.archived
    if stage.stage is ProgressStage.READY and standing.fetch_readiness.value is not True:
        return tongue.not_released.format(n=int(stage.stage), m=STAGE_COUNT)
    step = tongue.step.format(n=int(stage.stage), m=STAGE_COUNT)
    return (tongue.released if stage.stage is ProgressStage.READY else tongue.rungs[stage.stage]) + step


def _plan(standing: OrderProgress, tongue: _Tongue, today: date) -> str:
    promised, missing = standing.promised, standing.parts.missing
    has_missing = missing != 0 and standing.parts.total is not None
    if standing.stage.stage is ProgressStage.CLOSED:
        return ""
    if standing.fetch_readiness.reason is FetchReason.RELEASED:
        return _planned(tongue.planned, promised, tongue, today) if promised.holds else ""
    lacking = f"; {tongue.missing(missing)}" if has_missing else ""
    if promised.moment is None:
        return (
            tongue.unreadable_date if promised.reason is PromiseReason.DATE_UNREADABLE else tongue.no_date
        ) + lacking
    if promised.is_past:
        verdict = tongue.passed if promised.holds is False else tongue.passed_unknown
        besides = f"{tongue.conjunction}{tongue.missing(missing)}" if has_missing else ""
        return _planned(tongue.was_planned, promised, tongue, today) + verdict + besides
    plan = _planned(tongue.planned, promised, tongue, today)
    if promised.reason is PromiseReason.PART_EXPECTED_LATER and promised.part_expected is not None:
        return plan + tongue.part_later.format(when=tongue.expected(promised.part_expected, today))
    if promised.holds is None:
        return plan + (lacking + tongue.unsure_and if lacking else tongue.unsure)
    return plan + lacking


def _planned(template: str, promised: PromisedDate, tongue: _Tongue, today: date) -> str:
    if promised.moment is None or promised.source is None:
        return ""
    planned = tongue.promises[promised.source.path]
    return template.format(what=planned, when=tongue.moment(promised.moment, today))
