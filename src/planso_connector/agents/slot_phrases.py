"""Say days and times with room: `am Dienstag, dem 8. Dezember, um 8 Uhr oder um 9 Uhr`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time

from planso_connector.agents.tool_answer import Phrase
from planso_connector.domain.capacity.assessment import DayAssessment, Reason
from planso_connector.domain.language import Language
from planso_connector.domain.spoken_dates.phrases import say_day, say_time

MAX_SPOKEN_TIMES = 3

_CLOSED = Phrase("{on_day} ist die Werkstatt geschlossen.", "{on_day} the workshop is closed.")
_REASONS = {
    Reason.CLOSED_WEEKDAY: _CLOSED,
    Reason.HOLIDAY: _CLOSED,
    Reason.EXCEPTION: _CLOSED,
    Reason.PAST: Phrase("Dieser Tag ist schon vorbei.", "That day has passed."),
    Reason.TOO_SOON: Phrase("So kurzfristig geht es leider nicht.", "That is too soon, I am afraid."),
    Reason.TOO_FAR: Phrase(
        "So weit im Voraus kann ich noch keinen Termin vergeben.", "I can't give appointments that far ahead yet."
    ),
}
_FULL = Phrase("{on_day} ist leider nichts mehr frei.", "{on_day} there is no room left, I am afraid.")
_OR = {"de": "oder", "en": "or"}


@dataclass(frozen=True, slots=True)
class Offer:
    """A day with room, and its times with room; without times where the workshop has none for this."""

    day: date
    level: str
    times: tuple[time, ...]


def say_on_day(day: date, today: date, language: Language) -> str:
    """`heute`, `morgen, Mittwoch, dem 2. Dezember`, `am Dienstag, dem 8. Dezember`."""
    is_near = 0 <= (day - today).days <= 1
    prefix = "" if is_near else ("am " if language == "de" else "on ")
    return prefix + say_day(day, today, language, "dem")


def say_offer(offer: Offer, today: date, language: Language) -> str:
    day = say_on_day(offer.day, today, language)
    return f"{day}, {say_times(offer.times, language)}" if offer.times else day


def say_times(times: Sequence[time], language: Language) -> str:
    at = "um" if language == "de" else "at"
    return _join([f"{at} {say_time(clock, language)}" for clock in times[:MAX_SPOKEN_TIMES]], ", ", language)


def say_offers(offers: Sequence[Offer], today: date, language: Language) -> str:
    """At least one; of several, each with its first time alone."""
    if len(offers) == 1:
        return say_offer(offers[0], today, language)
    firsts = [Offer(offer.day, offer.level, offer.times[:1]) for offer in offers]
    return _join([say_offer(offer, today, language) for offer in firsts], "; ", language)


def _join(parts: list[str], separator: str, language: Language) -> str:
    if len(parts) == 1:
        return parts[0]
    last = f"{separator if separator == '; ' else ' '}{_OR[language]} {parts[-1]}"
    return separator.join(parts[:-1]) + last


def say_why_not(day: DayAssessment, today: date, language: Language) -> str:
    """Why there is no room on a day, without the reason that people typed for an exception."""
    phrase = next((_REASONS[reason] for reason in day.reasons if reason in _REASONS), _FULL)
    on_day = say_on_day(day.day, today, language)
    return capitalize(phrase.render(language, on_day=f"{on_day}," if "," in on_day else on_day))


def capitalize(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
