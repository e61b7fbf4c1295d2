"""The fields of the invented workshop's form, with their groups and options (protocol, sections 3 and 7)."""

from dataclasses import dataclass
from typing import Literal

InputKind = Literal[
    "text", "date", "datetime", "long", "select", "multi", "checkbox", "radio", "file", "locked", "hidden"
]


@dataclass(frozen=True)
class Option:
    """`value`: what is submitted. `text`: what people read. `group`: the optgroup's label."""

    value: str
    text: str
    group: str = ""


@dataclass(frozen=True)
class FormField:
    """One field. `label`: its usual label, which is unique. `caption`: the label that is shown, where it is another.

    The kinds `locked` and `file` are shown and never submitted.
    """

    label: str
    kind: InputKind = "text"
    options: tuple[Option, ...] = ()
    caption: str = ""


def _options(*texts: str, first: int = 1, blank: str = "") -> tuple[Option, ...]:
    named = tuple(Option(str(first + index), text) for index, text in enumerate(texts))
    return (Option(blank, "bitte wählen"), *named)


MAKES: dict[int, tuple[str, tuple[tuple[int, str], ...]]] = {
    2: ("Audi", ((201, "A1"), (202, "A3"), (203, "A4 Avant"), (204, "Q5"))),
    5: ("BMW", ((501, "118i"), (502, "320d Touring"), (503, "X1"))),
    9: ("Citroën", ((901, "C3"), (902, "Berlingo"))),
    14: ("Fiat", ((1401, "500"), (1402, "Ducato"), (1403, "Panda"))),
    17: ("Ford", ((1701, "Fiesta"), (1702, "Focus Turnier"), (1703, "Transit"))),
    28: ("Mercedes-Benz", ((2801, "A 180"), (2802, "C 220 d"), (2803, "Vito"), (2804, "Sprinter"))),
    33: ("Opel", ((3301, "Astra"), (3302, "Corsa"), (3303, "Mokka"))),
    41: ("Renault", ((4101, "Clio"), (4102, "Mégane"), (4103, "Kangoo"))),
    47: ("Škoda", ((4701, "Fabia"), (4702, "Octavia Combi"), (4703, "Superb"))),
    52: ("Toyota", ((5201, "Yaris"), (5202, "Corolla"), (5203, "RAV4"))),
    58: ("VW", ((5801, "Polo"), (5802, "Golf"), (5803, "Passat Variant"), (5804, "Tiguan"), (5805, "Caddy"))),
    61: ("Volvo", ((6101, "V60"), (6102, "XC40"))),
}
"""Name and models (id, name) by the make's id."""

_MAKE_OPTIONS = (Option("0", "bitte wählen"), *(Option(str(number), name) for number, (name, _) in MAKES.items()))
_MODEL_OPTIONS = (
    Option("0", "bitte wählen"),
    *(Option(str(number), name, group=make) for make, models in MAKES.values() for number, name in models),
)
_CATEGORIES = _options("Privatkunde", "Firmenkunde", "Leasing / Flotte", "Autohaus", "Mitarbeiter", first=11, blank="0")
_DAMAGES = _options("KL 1", "KL 1-2", "KL 2", "KL 2-3", "KL 3", "KL 3-4", "KL 4", "KL 5", first=31)
STATUS_STATIONS = {
    "Anfrage": 1,
    "Kalkulation": 1,
    "Termin bestätigt": 2,
    "Teile bestellt": 2,
    "in Arbeit": 3,
    "Lackierung": 4,
    "Endkontrolle": 5,
    "abholbereit": 6,
    "ausgeliefert": 6,
}
"""The order's station by its Projekt-Status."""
STATIONS = {1: "Kalkulation", 2: "KoVo", 3: "Karo", 4: "Lackierer", 5: "Finish", 6: "fertig"}
PARTS_STATES = (
    "ohne E-Teile",
    "E-Teile offen",
    "E-Teile bestellt",
    "E-Teile teilweise da",
    "E-Teile Rückstand",
    "E-Teile vollständig",
)
PICKUP_SERVICES = ("kommt", "bringt", "wird gebracht", "wir holen", "wir holen & bringen", "Abschleppdienst")

_CUSTOMER = (
    FormField("Fahrername"),
    FormField("Telefon"),
    FormField("Kunden E-Mail"),
    FormField("Firma"),
    FormField("Kundenkategorie", "select", _CATEGORIES),
    FormField("Adresshinweise", "long"),
)
_VEHICLE = (
    FormField("Kennzeichen"),
    FormField("Fahrzeug"),
    FormField("Hersteller", "select", _MAKE_OPTIONS),
    FormField("Modell", "select", _MODEL_OPTIONS),
    FormField("VIN"),
    FormField("KBA"),
    FormField("Kilometerstand"),
    FormField("Klasse"),
    FormField("Fahrzeugklasse"),
    FormField("Leasing/Flotte"),
    FormField("Farbe Nummer"),
    FormField("Farbton"),
    FormField("Erstzulassung", "date"),
    FormField("Letzte Zulassung", "date"),
    FormField("HU/AU"),
    FormField("Motor"),
    FormField("Hubraum"),
    FormField("Leistung"),
    FormField("Motorcode"),
    FormField("Leergewicht"),
    FormField("Gesamtgewicht"),
    FormField("Alle Fahrzeugdaten", "checkbox"),
    FormField("Fahrbereit", "checkbox"),
)
_JOB = (
    FormField("Auftragsnummer", "locked"),
    FormField("Kategorie", "select", _DAMAGES),
    FormField("Projekt-Status", "select", _options(*STATUS_STATIONS, first=71)),
    FormField("Serviceberater", "select", _options("KV", "TB", "MH", "SÖ", first=161)),
    FormField("Hol-/Bringservice", "select", _options(*PICKUP_SERVICES, first=81)),
    FormField("Abholort"),
    FormField("Abholfirma"),
    FormField("Entfernung"),
    FormField("Termin angelegt", "datetime"),
    FormField("Terminart"),
    FormField("Bemerkungen", "long"),
    FormField("Schadenbeschreibung", "long"),
    FormField("Werkstattverteilung"),
    FormField("Gewerke", "multi", _options("Karosserie", "Lack", "Mechanik", "Smart Repair", "Glas", first=91)[1:]),
    FormField("Notiz intern", "long"),
    FormField("Reklamation"),
)
_DATES = (
    FormField("Besichtigung", "date"),
    FormField("Werkstattstart", "date"),
    FormField("Fahrzeugeingang (Soll)", "date"),
    FormField("Fahrzeugeingang (Ist)", "date"),
    FormField("Reparatur von"),
    FormField("Reparatur bis"),
    FormField("Lackiertermin", "date"),
    FormField("Teile Liefertermin", "date"),
    FormField("Werkstatt zurück", "date"),
    FormField("Termin Fertigstellung", "date"),
    FormField("Plan Auslieferung", "date"),
    FormField("Rückgabe", "datetime"),
    FormField("Sollstunden Karo"),
    FormField("Sollstunden Lack"),
    FormField("Sollstunden Mech"),
)
_PARTS = (FormField("E-Teile benötigt"), FormField("E-Teile Status", "select", _options(*PARTS_STATES, first=41)))
_MONEY = (
    FormField(
        "Kostenträger", "radio", (Option("1", "Haftpflicht"), Option("2", "Vollkasko"), Option("3", "Selbstzahler"))
    ),
    FormField("Versicherung"),
    FormField("Schadennummer"),
    FormField("Selbstbeteiligung"),
    FormField("Gutachter"),
    FormField("Externe Kalkulation"),
    FormField("Externe Kalkulation erledigt"),
    FormField("ExpressLink"),
    FormField("Rechnung aktivieren"),
    FormField("Abtretung unterschrieben", "checkbox"),
    FormField("Datenschutz bestätigt", "checkbox"),
)
_RENTAL = (
    FormField("Mietwagen Selbstbeteiligung"),
    FormField("Mietwagen Typ"),
    FormField("Mietwagen Motor"),
    FormField("Mietwagen Getriebe"),
    FormField("Mietwagen Navi"),
    FormField("Mietwagen Bluetooth"),
    FormField("Mietwagen Anhängerkupplung"),
    FormField("Mietwagen Isofix"),
)

FIELD_GROUPS: tuple[tuple[str, tuple[FormField, ...]], ...] = (
    ("Kunde", _CUSTOMER),
    ("Fahrzeug", _VEHICLE),
    ("Auftrag", _JOB),
    ("Termine & Zeiten", _DATES),
    ("Ersatzteile", _PARTS),
    ("Abrechnung", _MONEY),
    ("Mietwagen", _RENTAL),
    ("Anlagen", (FormField("Foto hochladen", "file"),)),
)
FIELDS: dict[str, FormField] = {field.label: field for _, group in FIELD_GROUPS for field in group}

WEEK_FIELD = FormField("KW")
"""With the knob `derive`: the ISO week of Werkstattstart."""
COPY_FIELD = FormField("Halter")
"""With the knob `derive`: a copy of Fahrername."""
TWIN_BLOCK = "Versicherung"
TWIN_FIELDS: dict[str, FormField] = {
    label: FormField(f"{TWIN_BLOCK}: {label}", field.kind, field.options, caption=label)
    for label, field in FIELDS.items()
}
"""With the knob `twin_labels`: the field with the same caption in the insurer's block, by usual label."""
