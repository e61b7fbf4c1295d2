"""
The languages of sentences for callers, which of them a caller wants, and their names of days, months and small numbers.
"""

import re
from collections.abc import Sequence
from typing import Literal, get_args

Language = Literal["de", "en"]

WEEKDAYS: dict[Language, tuple[str, ...]] = {
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
MONTHS: dict[Language, tuple[str, ...]] = {
    "de": ("Januar", "Februar", "März", "April", "Mai", "Juni",
           "Juli", "August", "September", "Oktober", "November", "Dezember"),
    "en": ("January", "February", "March", "April", "May", "June",
           "July", "August", "September", "October", "November", "December"),
}  # fmt: skip
NUMBERS: dict[Language, tuple[str, ...]] = {
    "de": ("kein", "ein", "zwei", "drei", "vier", "fünf", "sechs",
           "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
    "en": ("no", "one", "two", "three", "four", "five", "six",
           "seven", "eight", "nine", "ten", "eleven", "twelve"),
}  # fmt: skip

_RANGE = re.compile(
    r"\s*(?P<tag>\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)\s*(?:;\s*q=(?P<q>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?\s*",
    re.IGNORECASE | re.ASCII,
)
_OFFERED: tuple[Language, ...] = get_args(Language)
"""In order of preference among equals."""


def negotiate_language(header: str, offered: Sequence[Language] = _OFFERED) -> Language:
    """
    By `Accept-Language` (RFC 9110, 12.5.4): the offered language with the greatest q, then the one
    named first. `en-GB` asks for English.

    Unreadable parts are ignored; where no offered language is acceptable, it is the first one all the same.
    """
    preferences: dict[str, tuple[float, int]] = {}
    for position, text in enumerate(header.split(",")):
        match = _RANGE.fullmatch(text)
        if match is not None:
            tag = match["tag"].lower().partition("-")[0]
            preference = float(match["q"] or 1), -position
            preferences[tag] = max(preferences.get(tag, (0.0, 0)), preference)

    def rank(language: Language) -> tuple[float, int]:
        preference = preferences.get(language, preferences.get("*", (0.0, 0)))
        return preference if preference[0] else (0.0, 0)

    return max(offered, key=rank)
