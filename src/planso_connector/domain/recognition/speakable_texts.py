"""
What may be read out of texts that people typed into PlanSo: a vehicle's make and model, a colour.

Anybody can type anything into these fields, also words that a language model takes for an instruction, so only what has
the look of a make and a model, or of a colour, is spoken.
"""

import re
from functools import lru_cache

from planso_connector.domain.folding import fold


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MAKES = _word_set(
    """
    alfa alpine aston audi bentley bmw byd cadillac chevrolet chrysler citroen cupra dacia daewoo daihatsu dodge ds
    ferrari fiat ford genesis honda hyundai infiniti isuzu iveco jaguar jeep kia lada lamborghini lancia land landrover
    lexus lotus lynk man maserati maxus mazda mercedes mercedes-benz mg mini mitsubishi nio nissan opel ora peugeot
    polestar porsche renault saab seat skoda smart ssangyong subaru suzuki tesla toyota volkswagen volvo vw xpeng
    """
)
_SECOND_WORDS = _word_set("romeo martin rover benz co")
"""Of makes with two."""
_BODIES = _word_set(
    """
    active allroad avant break cabrio cabriolet caravan combi coupe cross estate gran gt gti kombi limousine maxi plus
    sport sportback sports sportstourer sportwagon stationwagon sw t-modell tourer touring traveller turnier variant
    """
)
"""What may follow a model."""
_COLORS = (
    *("schwarz", "weiss", "grau", "silber", "rot", "blau", "gruen", "gelb", "orange", "braun", "beige", "lila", "gold"),
    *("bronze", "violett", "anthrazit", "black", "white", "grey", "gray", "silver", "red", "blue", "green", "yellow"),
    *("brown", "purple"),
)
_MODEL = re.compile(r"[A-ZÄÖÜŠ0-9][\w-]{0,14}|[a-z]{2}!?|e-\w{1,10}|e\.GO")
_SUFFIX = re.compile(r"[A-Z]{1,4}|[\w-]{0,5}\d[\w-]{0,5}")
_COLOR_WORD = re.compile(r"[^\W\d_]{2,15}(?:-[^\W\d_]{2,15})?")


@lru_cache(maxsize=4096)
def speak_vehicle(text: str) -> str:
    """`VW Golf VIII` of `VW Golf VIII, Kunde wartet`; empty where it does not begin with a known make."""
    words = text.split()
    spoken = 1 if words and fold(words[0]) in _MAKES else 0
    if not spoken:
        return ""
    if len(words) > 1 and fold(words[1]) in _SECOND_WORDS:
        spoken = 2
    if len(words) > spoken and _MODEL.fullmatch(words[spoken]):
        spoken += 1
        while spoken < min(len(words), 5) and (fold(words[spoken]) in _BODIES or _SUFFIX.fullmatch(words[spoken])):
            spoken += 1
    return " ".join(words[:spoken])


@lru_cache(maxsize=4096)
def speak_color(text: str) -> str:
    """Up to three words, one of them a colour: `Deep Black Perleffekt`, `Mythosschwarz`; else empty."""
    words = text.split()
    if not 1 <= len(words) <= 3 or not all(map(_COLOR_WORD.fullmatch, words)):
        return ""
    is_color = any(fold(word).startswith(_COLORS) or fold(word).endswith(_COLORS) for word in words)
    return " ".join(words) if is_color else ""
