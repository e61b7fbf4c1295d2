"""Number words as people say them and speech-to-text writes them: `vierzich`, `fuffzehn`, `hunnert`."""

import re
from functools import lru_cache


def _forms(text: str) -> dict[str, str]:
    """Parse `in writing: as said, as said | ...`: the word in writing by each form of it."""
    found: dict[str, str] = {}
    for entry in text.split("|"):
        written, _, said = entry.partition(":")
        found |= dict.fromkeys([written.strip(), *said.split()], written.strip())
    return found


_UNITS = _forms(
    """
    null: nul nulle | ein: oin oan | eins: ains oins oans aans | zwei: zwo zwoa zwai zwee zwoi twee
    | drei: drai drui dree dreie
    | vier: fier viere | fuenf: fuemf fumf fuff funf finf fimf fuenfe fuemfe fuenef fuenwe foif fuempf fumpf fuench
    | sechs: sex seggs sechse segs secks seks sechsa zechs | sieben: siebn siebm siewe sibbe sibben siebene siebe
    | acht: achd ocht | neun: noin neune nain noine
    """
)
_STEMS = _forms(
    """
    zwan: zwon | drei: drai drui | vier: via fier vir viea | fuenf: fuff fumf fuemf funf fuch fuf fimf finf fuempf
    | sech: sechs sex segg sesch seck | sieb: sieben siebn sib sibb siebm | acht: ach ocht och achd
    | neun: noin nein nain
    """
)
_OTHERS = _forms(
    "zehn: zehne zehen zeen | elf: elfe oelf elwe | zwoelf: zwoelfe zwelf zwelfe zwoif zwoelwe zwolf zwoolf"
    " | hundert: hunnert hunnat hundat hundad hunderd hundet hunder hunnerd | tausend: dausend tausnd tausent dausnd"
)
_TEENS_END = "zehne|zehen|zehn|zehm|zeen|zen"
_TENS_END = "zig|zich|zisch|zsch|zick|zik|zech|zge|zg|ssig|ssich|ssisch|ssick|sich|sig|ssg|ssge"
_BETWEEN = "undd|und|unn|un|ond|on|en|ne|nd|an|n|e|a"


def _any_of(words: object) -> str:
    return "|".join(sorted(words, key=len, reverse=True))  # type: ignore[call-overload]


_TENS = rf"(?P<stem>{_any_of(_STEMS)})(?:{_TENS_END})"
_NUMBER = re.compile(
    rf"(?:(?P<unit>{_any_of(_UNITS)})(?:{_BETWEEN}))?{_TENS}"
    rf"|(?P<teen>{_any_of(_STEMS)})(?:{_TEENS_END})|(?P<single>{_any_of(_UNITS | _OTHERS)})|(?P<and>und|un)"
)


@lru_cache(maxsize=4096)
def standardize(word: str) -> str:
    """A folded number word as it is written: `vierzich` is `vierzig`; any other word as it is."""
    found: list[str] = []
    at = 0
    while at < len(word):
        match = _NUMBER.match(word, at)
        if match is None:
            return word
        found.append(_written(match))
        at = match.end()
    return "".join(found)


def _written(match: re.Match[str]) -> str:
    if stem := match["stem"]:
        tens = _STEMS[stem]
        unit = f"{_UNITS[match['unit']]}und" if match["unit"] else ""
        return f"{unit}{tens}{'ssig' if tens == 'drei' else 'zig'}"
    if teen := match["teen"]:
        return f"{_STEMS[teen]}zehn"
    if single := match["single"]:
        return (_UNITS | _OTHERS)[single]
    return "und"
