"""
Sentences about an order's progress, one or two, to be read out: German and English.

They consist of stages, counts and dates alone. Text that people typed, statuses among it, is never read out: it may
contain a name, a plate or a phone number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial

from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.language import MONTHS, NUMBERS, WEEKDAYS, Language
from planso_connector.domain.progress.assess import OrderProgress, PromisedDate
from planso_connector.domain.progress.moment import Moment
from planso_connector.domain.progress.reasons import FetchReason, PromiseReason
from planso_connector.domain.progress.stages import ProgressStage

STAGE_COUNT = len(ProgressStage)

_APPOINTMENTS: Mapping[str, Mapping[Language, str]] = {
    "estimate_date": {"de": "Besichtigung", "en": "inspection"},
    "repair_date": {"de": "Fahrzeugannahme", "en": "vehicle drop-off"},
    "shop_date": {"de": "Beginn der Arbeiten", "en": "start of work"},
    "parts_delivery_date": {"de": "Lieferung der Teile", "en": "delivery of the parts"},
    "paint_date": {"de": "Lackierung", "en": "painting"},
    "shop_back_date": {"de": "Rückkehr aus der Werkstatt", "en": "return from the workshop"},
    "finish_date": {"de": "Fertigstellung", "en": "completion"},
    "planned_delivery_date": {"de": "Auslieferung", "en": "hand-over"},
    "return_date_time": {"de": "Rückgabe", "en": "return of the vehicle"},
}


def name_appointment(path: str, language: Language) -> str:
    """What a date of the order is for, as in the middle of a sentence."""
    return _APPOINTMENTS[path][language]


def _year(day: date, today: date) -> str:
    return "" if day.year == today.year else f" {day.year}"


def format_day_de(day: date, today: date, article: str = "den") -> str:
    """`heute`, `morgen, Dienstag, den 24. November`, `Donnerstag, den 10. Dezember`; another year's with the year."""
    if day == today:
        return "heute"
    named = f"{WEEKDAYS['de'][day.weekday()]}, {article} {day.day}. {MONTHS['de'][day.month - 1]}{_year(day, today)}"
    return f"morgen, {named}" if day == today + timedelta(days=1) else named


def format_day_en(day: date, today: date) -> str:
    """`today`, `tomorrow, Tuesday, the 24th of November`, `Thursday, the 10th of December`."""
    if day == today:
        return "today"
    ending = "th" if 10 < day.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    month = MONTHS["en"][day.month - 1]
    named = f"{WEEKDAYS['en'][day.weekday()]}, the {day.day}{ending} of {month}{_year(day, today)}"
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


@dataclass(frozen=True, slots=True)
class _Phrases:
    """One language. Phrases have no full stop: `compose_sentence` adds it."""

    stages: dict[ProgressStage, str]
    step: str
    in_work: str
    unknown: str
    not_released: str
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
    day: Callable[[date, date], str]
    dative_day: Callable[[date, date], str]
    """In the case that German prepositions ask for."""
    on: str
    time: Callable[[time], str]
    at: str
    as_of: str
    yesterday: str
    some_missing: str
    one_missing: str
    many_missing: str
    numbers: tuple[str, ...]

    def format_moment(self, moment: Moment, today: date) -> str:
        day = self.day(moment.day, today)
        if moment.time is None:
            return day
        return f"{day}{'' if moment.day == today else ','} {self.at} {self.time(moment.time)}"

    def format_expected(self, day: date, today: date) -> str:
        return ("" if (day - today).days in (0, 1) else self.on) + self.dative_day(day, today)

    def format_as_of(self, read_at: datetime, today: date) -> str:
        when, age = self.time(read_at.time()), (today - read_at.date()).days
        if age:
            when = f"{self.yesterday if age == 1 else self.dative_day(read_at.date(), today)}, {when}"
        return self.as_of.format(when=when)

    def format_missing(self, count: int | None) -> str:
        """None: some, the number is unknown."""
        if count is None:
            return self.some_missing
        number = self.numbers[count] if count < len(self.numbers) else str(count)
        return self.one_missing if count == 1 else self.many_missing.format(count=number)


_PHRASES: dict[Language, _Phrases] = {
    "de": _Phrases(
        stages={
            ProgressStage.ANNOUNCED: "Ihr Auftrag ist in Vorbereitung",
            ProgressStage.RECEIVED: "Ihr Fahrzeug ist in der Werkstatt angenommen",
            ProgressStage.PARTS: "Für Ihr Fahrzeug werden die Ersatzteile beschafft",
            ProgressStage.BODY: "Ihr Fahrzeug ist in der Karosserieabteilung",
            ProgressStage.PAINT: "Ihr Fahrzeug ist in der Lackierung",
            ProgressStage.FINISH: "Ihr Fahrzeug ist bei den Abschlussarbeiten",
            ProgressStage.READY: "Ihr Fahrzeug ist abholbereit",
        },
        step=", Schritt {n} von {m}",
        in_work="Ihr Auftrag ist in Arbeit",
        unknown="Wie weit Ihr Fahrzeug ist, kann ich gerade nicht sicher sagen",
        not_released="Ihr Auftrag steht bei Schritt {n} von {m}; ob Sie das Fahrzeug schon abholen können, kann ich "
        "nicht sicher sagen",
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
        day=format_day_de,
        dative_day=partial(format_day_de, article="dem"),
        on="am ",
        time=format_time_de,
        at="um",
        as_of="Stand von {when}: ",
        yesterday="gestern",
        some_missing="es fehlen noch Teile",
        one_missing="ein Teil fehlt noch",
        many_missing="{count} Teile fehlen noch",
        numbers=NUMBERS["de"],
    ),
    "en": _Phrases(
        stages={
            ProgressStage.ANNOUNCED: "Your order is being prepared",
            ProgressStage.RECEIVED: "Your vehicle has been taken in at the workshop",
            ProgressStage.PARTS: "The parts for your vehicle are being procured",
            ProgressStage.BODY: "Your vehicle is in the body shop",
            ProgressStage.PAINT: "Your vehicle is in the paint shop",
            ProgressStage.FINISH: "Your vehicle is at the finishing stage",
            ProgressStage.READY: "Your vehicle is ready to be collected",
        },
        step=", step {n} of {m}",
        in_work="Your order is in progress",
        unknown="I can't say for certain right now how far your vehicle is",
        not_released="Your order is at step {n} of {m}; I can't say for certain whether you can collect the vehicle "
        "yet",
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
        day=format_day_en,
        dative_day=format_day_en,
        on="",
        time=format_time_en,
        at="at",
        as_of="As of {when}: ",
        yesterday="yesterday",
        some_missing="parts are still missing",
        one_missing="one part is still missing",
        many_missing="{count} parts are still missing",
        numbers=NUMBERS["en"],
    ),
}


def compose_sentence(progress: OrderProgress, language: Language) -> str:
    """Begins with the time of the reading where the mirror is stale or the reading is not of today."""
    phrases = _PHRASES[language]
    today = progress.now.astimezone(BERLIN).date()
    read_at = progress.as_of.astimezone(BERLIN)
    opening = phrases.format_as_of(read_at, today) if progress.is_stale or read_at.date() != today else ""
    sentences = [
        _describe_stage(progress, phrases),
        _describe_promise(progress, phrases, today),
        phrases.on_its_way if progress.pending else "",
    ]
    return opening + " ".join(f"{sentence}." for sentence in sentences if sentence)


def _describe_stage(progress: OrderProgress, phrases: _Phrases) -> str:
    current, stage = progress.stage, progress.stage.stage
    if stage is None:
        return phrases.in_work if current.is_in_work else phrases.unknown
    if stage is ProgressStage.CLOSED:
        return phrases.handed_over if current.is_handed_over else phrases.archived
    if stage is ProgressStage.READY and not progress.fetch_readiness.value:
        return phrases.not_released.format(n=int(stage), m=STAGE_COUNT)
    return phrases.stages[stage] + phrases.step.format(n=int(stage), m=STAGE_COUNT)


def _describe_promise(progress: OrderProgress, phrases: _Phrases, today: date) -> str:
    promised, parts = progress.promised, progress.parts
    if progress.stage.is_closed:
        return ""
    if progress.fetch_readiness.reason is FetchReason.RELEASED:
        return _describe_plan(phrases.planned, promised, phrases, today) if promised.holds else ""
    missing = phrases.format_missing(parts.missing) if parts.missing != 0 and parts.total is not None else ""
    also_missing = f"; {missing}" if missing else ""
    if promised.moment is None:
        is_unreadable = promised.reason is PromiseReason.DATE_UNREADABLE
        return (phrases.unreadable_date if is_unreadable else phrases.no_date) + also_missing
    if promised.is_past:
        verdict = phrases.passed if promised.holds is False else phrases.passed_unknown
        plan = _describe_plan(phrases.was_planned, promised, phrases, today)
        return plan + verdict + (f"{phrases.conjunction}{missing}" if missing else "")
    plan = _describe_plan(phrases.planned, promised, phrases, today)
    if promised.part_expected is not None:
        return plan + phrases.part_later.format(when=phrases.format_expected(promised.part_expected, today))
    if promised.holds is None:
        return plan + (also_missing + phrases.unsure_and if missing else phrases.unsure)
    return plan + also_missing


def _describe_plan(template: str, promised: PromisedDate, phrases: _Phrases, today: date) -> str:
    if promised.moment is None or promised.source is None:
        return ""
    what = phrases.promises[promised.source.path]
    return template.format(what=what, when=phrases.format_moment(promised.moment, today))
