"""
What workshops write in `Projekt-Status`, and which stage of an order it means.

A status is looked up as a whole: `noch nicht abholbereit` contains `abholbereit` and means the opposite. Ambiguous ones
are omitted on purpose: `abgeholt` (by the customer, or by the workshop's driver), `Instandsetzung` (body or engine),
`freigegeben` (by the insurance, or for the customer).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from planso_connector.domain.folding import fold
from planso_connector.domain.progress.stages import ProgressStage


@dataclass(frozen=True, slots=True)
class StatusMeaning:
    """What a workshop's status says. `stage` None: work is going on, at an unknown stage."""

    stage: ProgressStage | None
    is_released: bool = False
    """The customer can fetch the vehicle."""
    is_handed_over: bool = False
    """The customer has the vehicle."""


IN_WORK = StatusMeaning(None)
RELEASED = StatusMeaning(ProgressStage.READY, is_released=True)
HANDED_OVER = StatusMeaning(ProgressStage.CLOSED, is_handed_over=True)

_STATUSES: dict[StatusMeaning, str] = {
    StatusMeaning(ProgressStage.ANNOUNCED): (
        "anfrage, angefragt, kalkulation, in kalkulation, kostenvoranschlag, kva, angebot, angebot erstellt,"
        "angekündigt, angebot versendet, besichtigung, termin vereinbart, termin bestätigt, termin vergeben,"
        "terminiert, geplant, eingeplant"
    ),
    StatusMeaning(ProgressStage.RECEIVED): (
        "angenommen, annahme, fahrzeugannahme, fahrzeug angenommen, fahrzeug da, fahrzeug ist da,"
        "fahrzeug eingetroffen, fahrzeug im haus, fahrzeug vor ort"
    ),
    StatusMeaning(ProgressStage.PARTS): (
        "teile bestellt, e-teile bestellt, ersatzteile bestellt, teilebestellung, teile offen, e-teile offen,"
        "teile fehlen, teil fehlt, ersatzteile fehlen, wartet auf teile, warten auf teile, wartet auf ersatzteile,"
        "warten auf ersatzteile, warten auf e-teile, teile im rückstand, teilerückstand, e-teile rückstand"
    ),
    StatusMeaning(ProgressStage.BODY): (
        "karosserie, in karosserie, karo, in karo, karosseriearbeiten, karosseriebau, karosserieabteilung,"
        "spenglerei, in der karosserie, demontage, richtbank, auf der richtbank, ausbeulen"
    ),
    StatusMeaning(ProgressStage.PAINT): (
        "lack, lackierung, in lackierung, in der lackierung, lackieren, wird lackiert, lackierer, beim lackierer,"
        "lackiererei, in der lackiererei, in lack, lackvorbereitung, vorbereitung lack, lackierkabine"
    ),
    StatusMeaning(ProgressStage.FINISH): (
        "montage, in montage, in der montage, endmontage, zusammenbau, finish, im finish, endkontrolle,"
        "in endkontrolle, in der endkontrolle, abschlusskontrolle, qualitätskontrolle, aufbereitung,"
        "in aufbereitung, fahrzeugaufbereitung, fahrzeugreinigung, endreinigung, politur"
    ),
    StatusMeaning(ProgressStage.READY): (
        "fertig, fertiggestellt, reparatur fertig, reparatur abgeschlossen, arbeiten abgeschlossen,"
        "fahrzeug fertig, auslieferbereit, auslieferungsbereit"
    ),
    RELEASED: (
        "abholbereit, zur abholung bereit, bereit zur abholung, abholfertig, fertig zur abholung,"
        "fertig und abholbereit, fahrzeug abholbereit, kann abgeholt werden"
    ),
    HANDED_OVER: (
        "ausgeliefert, fahrzeug ausgeliefert, an kunden übergeben, an den kunden übergeben, dem kunden übergeben,"
        "an kunde übergeben, vom kunden abgeholt, vom kunde abgeholt, an kunden ausgeliefert, ausgehändigt"
    ),
    StatusMeaning(ProgressStage.CLOSED): "archiviert, auftrag archiviert, auftrag abgeschlossen",
    IN_WORK: "in arbeit, in reparatur, reparatur, in der werkstatt, wird repariert, reparatur begonnen",
}

_NUMBERED = re.compile(r"^\d{1,2}\s*[.):–-]\s*")
_SEPARATORS = re.compile(r"[^a-z0-9]+")


def _key(status: str) -> str:
    return _SEPARATORS.sub(" ", _NUMBERED.sub("", fold(status))).strip()


STATUS_MEANINGS: Mapping[str, StatusMeaning] = {
    _key(status): meaning for meaning, statuses in _STATUSES.items() for status in statuses.split(",")
}


def interpret_status(status: str) -> StatusMeaning | None:
    """The meaning of a status, `04 - Lackierung` like `Lackierung`; None for an unknown one."""
    # Other punctuation than `?` changes no meaning: `NICHT abholbereit!` is unknown by its first word.
    return None if "?" in status else STATUS_MEANINGS.get(_key(status))
