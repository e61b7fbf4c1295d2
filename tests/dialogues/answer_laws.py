"""
What is true of every tool answer, whatever was asked.

`say` comes first, is one speakable line, names no date that the data lacks, quotes no text that somebody typed into
PlanSo, and claims no success that `ok` denies. Nothing of an answer shows personal data that the caller did not name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from planso_connector.domain.folding import fold
from planso_connector.domain.language import MONTHS, NUMBERS

MAX_SPOKEN = 600
"""Characters of a line that somebody listens to."""
TYPED_LABELS = ("Bemerkungen", "Schadenbeschreibung", "Notiz intern", "Werkstattverteilung", "Adresshinweise")
"""Fields of free text: their content is never said."""
PERSONAL_LABELS = ("Fahrername", "Telefon", "Kunden E-Mail")

_SPOKEN_DATE = re.compile(rf"\b(\d{{1,2}})\. ({'|'.join(MONTHS['de'])})(?: (\d{{4}}))?")
_UNSPEAKABLE = re.compile(
    r"\d{4}-\d\d|\d\dT\d\d:|\b\d{1,2}\.\d{1,2}\.\d{2,4}|\b(?:op|hold)_\w|\b(?:None|null|True|False|HTTP|JSON|ISO)\b"
    r"|[{}\[\]<>_|`*#\\]|https?:"
)
_DIGIT_WORDS = dict(zip((*NUMBERS["de"][:10], "null", "eins", "zwo"), "0123456789012", strict=True))
_NUMBER = re.compile(r"\d[\d ()/-]{5,}\d")
_CLAIMED = re.compile(
    r"\b(?:ist|sind|habe|wurde|wurden|steht)\b[^.;,]*\b(?:eingetragen|gebucht|verschoben|notiert|vermerkt|angelegt"
    r"|weitergegeben|reserviert|erledigt)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(?:nicht|nichts|kein\w*|noch|bereits|schon)\b", re.IGNORECASE)


@dataclass
class Known:
    """What answers are checked against: the orders of PlanSo, texts by label, and all that the caller said."""

    orders: dict[int, Mapping[str, str]]
    said: list[str] = field(default_factory=list)
    days: list[str] = field(default_factory=list)
    """Days that the caller named, ISO 8601."""

    def has_said(self, text: str) -> bool:
        """Whether the caller, or the model for the caller, named each word of it, or for a number its last digits."""
        digits = _digits(text)
        if len(digits) >= 6:
            said_digits = [_digits(_spell_digits(said)) for said in self.said]
            return any(digits.endswith(said[-4:]) for said in said_digits if len(said) >= 4)
        said_words = " ".join(fold(said) for said in self.said)
        return any(word in said_words for word in fold(text).split() if len(word) > 2)


def _spell_digits(text: str) -> str:
    """The digits that were said as words."""
    return re.sub(r"\b[a-zäöüß]+\b", lambda match: _DIGIT_WORDS.get(match[0], match[0]), text.lower())


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def check_answer(text: str, known: Known, own_orders: Iterable[int]) -> Iterator[str]:
    """Yield what is wrong with an answer, its JSON text. `own_orders`: those that the dialogue is about."""
    answer = json.loads(text)
    if not isinstance(answer, dict) or next(iter(answer), None) != "say":
        yield f"does not begin with `say`: {text[:80]}"
        return
    say, ok = answer["say"], answer.get("ok")
    if not isinstance(say, str) or not say.strip() or not isinstance(ok, bool):
        yield f"`say` must be a text and `ok` a boolean: {say!r}, {ok!r}"
        return
    if len(say.splitlines()) != 1 or len(say) > MAX_SPOKEN:
        yield f"`say` is not one short line: {say!r}"
    if unspeakable := _UNSPEAKABLE.search(say):
        yield f"can't be read out: {unspeakable[0]!r} in {say!r}"
    for sentence in re.split(r"(?<=[.;!?]) ", say):
        if not ok and _CLAIMED.search(sentence) and not _DENIED.search(sentence):
            yield f"claims success though `ok` is false: {sentence!r}"
    yield from _check_dates(say, answer, known, own_orders)
    yield from _check_typed_texts(say, known)
    yield from _check_personal_data(text, known)


def _check_dates(say: str, answer: Mapping[str, Any], known: Known, own_orders: Iterable[int]) -> Iterator[str]:
    rest = json.dumps({name: value for name, value in answer.items() if name != "say"}, ensure_ascii=False)
    orders = " ".join(" ".join(known.orders[order].values()) for order in own_orders)
    for day, month, year in _SPOKEN_DATE.findall(say):
        number = MONTHS["de"].index(month) + 1
        years = [int(year)] if year else [2026, 2027]
        forms = [f"{y}-{number:02}-{int(day):02}" for y in years]
        forms += [f"{int(day):02}.{number:02}.{y}" for y in years]
        if not any(form in rest or form in orders or form in known.days for form in forms):
            yield f"the {day}. {month} is in no data: {say!r}"


def _check_typed_texts(say: str, known: Known) -> Iterator[str]:
    said = fold(say)
    for order, texts in known.orders.items():
        for label in TYPED_LABELS:
            for line in texts.get(label, "").splitlines():
                if len(line) > 12 and fold(line) in said and not known.has_said(line):
                    yield f"reads out {label} of order {order}: {line!r}"


def _check_personal_data(text: str, known: Known) -> Iterator[str]:
    folded, numbers = fold(text), [_digits(number) for number in _NUMBER.findall(text)]
    for order, texts in known.orders.items():
        for label in PERSONAL_LABELS:
            value = texts.get(label, "")
            number = _digits(value)[-7:] if label == "Telefon" else ""
            is_shown = len(value) > 4 and (any(number in one for one in numbers) if number else fold(value) in folded)
            if is_shown and not known.has_said(value):
                yield f"shows {label} of order {order}, which the caller did not name: {value!r}"
