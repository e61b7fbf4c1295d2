"""
The ladder from the first call to the hand-over, and the words by which workshops name its rungs in `Projekt-Status`.

A word counts only as a whole: `noch nicht abholbereit` holds `abholbereit` and means the opposite. A word that is not
in the table stands on no rung. Left out on purpose are words that mean two things: `abgeholt` (by the customer, or by
the workshop's driver), `Instandsetzung` (body or engine), `freigegeben` (by the insurance, or for the customer).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from planso_connector.domain.folding import fold


class ProgressStage(IntEnum):
    """A step of the ladder; the number is the step's."""

    ANNOUNCED = 1
    """Asked for, estimated, or an appointment is made."""
    RECEIVED = 2
    """The workshop has taken the vehicle in."""
    PARTS = 3
    """Parts are ordered or waited for."""
    BODY = 4
    """Body work."""
    PAINT = 5
    """Painting and what prepares it."""
    FINISH = 6
    """Assembly, cleaning, final checks."""
    READY = 7
    """The work is done."""
    CLOSED = 8
    """Handed over, or the order left PlanSo's list."""


@dataclass(frozen=True, slots=True)
class StatusMeaning:
    """What a workshop's word says. `rung` None: work is going on, on no certain rung."""

    stage: ProgressStage | None
    is_released: bool = False
    """It says that the customer can fetch the vehicle."""
    is_handed_over: bool = False
    """It says that the customer has the vehicle."""


IN_WORK = StatusMeaning(None)
RELEASED = StatusMeaning(ProgressStage.READY, is_released=True)
HANDED_OVER = StatusMeaning(ProgressStage.CLOSED, is_handed_over=True)

_WORDS: tuple[tuple[StatusMeaning, str], ...] = (
    (
        StatusMeaning(ProgressStage.ANNOUNCED),
        (
            "anfrage, angefragt, kalkulation, in kalkulation, kostenvoranschlag, kva, angebot, angebot erstellt,"
            "angekündigt, angebot versendet, besichtigung, termin vereinbart, termin bestätigt, termin vergeben,"
            "terminiert, geplant, eingeplant"
        ),
    ),
    (
        StatusMeaning(ProgressStage.RECEIVED),
        (
            "angenommen, annahme, fahrzeugannahme, fahrzeug angenommen, fahrzeug da, fahrzeug ist da,"
            "fahrzeug eingetroffen, fahrzeug im haus, fahrzeug vor ort"
        ),
    ),
    (
        StatusMeaning(ProgressStage.PARTS),
        (
            "teile bestellt, e-teile bestellt, ersatzteile bestellt, teilebestellung, teile offen, e-teile offen,"
            "teile fehlen, teil fehlt, ersatzteile fehlen, wartet auf teile, warten auf teile, wartet auf ersatzteile,"
            "warten auf ersatzteile, warten auf e-teile, teile im rückstand, teilerückstand, e-teile rückstand"
        ),
    ),
    (
        StatusMeaning(ProgressStage.BODY),
        (
            "karosserie, in karosserie, karo, in karo, karosseriearbeiten, karosseriebau, karosserieabteilung,"
            "spenglerei, in der karosserie, demontage, richtbank, auf der richtbank, ausbeulen"
        ),
    ),
    (
        StatusMeaning(ProgressStage.PAINT),
        (
            "lack, lackierung, in lackierung, in der lackierung, lackieren, wird lackiert, lackierer, beim lackierer,"
            "lackiererei, in der lackiererei, in lack, lackvorbereitung, vorbereitung lack, lackierkabine"
        ),
    ),
    (
        StatusMeaning(ProgressStage.FINISH),
        (
            "montage, in montage, in der montage, endmontage, zusammenbau, finish, im finish, endkontrolle,"
            "in endkontrolle, in der endkontrolle, abschlusskontrolle, qualitätskontrolle, aufbereitung,"
            "in aufbereitung, fahrzeugaufbereitung, fahrzeugreinigung, endreinigung, politur"
        ),
    ),
    (
        StatusMeaning(ProgressStage.READY),
        (
            "fertig, fertiggestellt, reparatur fertig, reparatur abgeschlossen, arbeiten abgeschlossen,"
            "fahrzeug fertig, auslieferbereit, auslieferungsbereit"
        ),
    ),
    (
        RELEASED,
        (
            "abholbereit, zur abholung bereit, bereit zur abholung, abholfertig, fertig zur abholung,"
            "fertig und abholbereit, fahrzeug abholbereit, kann abgeholt werden"
        ),
    ),
    (
        HANDED_OVER,
        (
            "ausgeliefert, fahrzeug ausgeliefert, an kunden übergeben, an den kunden übergeben, dem kunden übergeben,"
            "an kunde übergeben, vom kunden abgeholt, vom kunde abgeholt, an kunden ausgeliefert, ausgehändigt"
        ),
    ),
    (StatusMeaning(ProgressStage.CLOSED), "archiviert, auftrag archiviert, auftrag abgeschlossen"),
    (IN_WORK, "in arbeit, in reparatur, reparatur, in der werkstatt, wird repariert, reparatur begonnen"),
)

_NUMBERED = re.compile(r"^\d{1,2}\s*[.):–-]\s*")
_NO_LETTER = re.compile(r"[^a-z0-9]+")


def _key(text: str) -> str:
    return _NO_LETTER.sub(" ", _NUMBERED.sub("", fold(text))).strip()


STATUS_MEANINGS: Mapping[str, StatusMeaning] = {
    _key(word): place for place, words in _WORDS for word in words.split(",")
}


def interpret_status(words: str) -> StatusMeaning | None:
    """Where an order of this status stands; `04 - Lackierung` is `Lackierung`. None for words that are not known."""
    # `NICHT abholbereit!` keeps its letters, but `?` turns any word into a question.
    return None if "?" in words else STATUS_MEANINGS.get(_key(words))
