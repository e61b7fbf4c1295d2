"""
The one table of an order's fields. The request and answer schemas, the mapping to PlanSo's form, the columns of the
mirror and the tables in the docs are made from it.

Labels: the PlanSo protocol's sections 3 and 7, in the order in which they are tried, then the captions of section 9
(`columns`). A profile can replace them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, Flag, StrEnum, auto

from planso_connector.domain.german_formats import SlotEnd
from planso_connector.domain.planso_columns import ALTERNATIVE_LABELS

Value = str | int | float | bool | None
"""A canonical value: text, canonical date or time (see `german`), id, number, flag; None where PlanSo holds nothing."""


class FieldKind(StrEnum):
    """What a field holds, which decides what is accepted, how it is written to PlanSo and how it is compared."""

    TEXT = "text"
    """One line."""
    LONG_TEXT = "long text"
    """Line breaks allowed."""
    IDENTIFIER = "identifier"
    """A plate or VIN: case, blanks and hyphens mean nothing, but they are written as the caller gave them."""
    PHONE = "phone"
    """A line with a phone number, which can be written in many ways."""
    EMAIL = "e-mail"
    """A line with an e-mail address; its case means nothing."""
    AMOUNT = "amount"
    """A line with a whole number of km, kg, EUR and so on: `84210` and `84.210` are the same."""
    DATE = "date"
    """A day, a time may follow."""
    MONTH = "date or month"
    """A day, or a month alone: vehicle papers name no day for HU/AU."""
    PAST_MONTH = "past date or month"
    """The same, of what lies in the past: registrations. It decides the century of a year of two digits."""
    TIME = "time"
    """A time of day, a date may stand in front."""
    DATETIME = "datetime"
    """A day and a time; the time may be missing."""
    NUMBER = "number"
    """A decimal number, 0 or more, of hours: a dot is a decimal point."""
    ID = "id"
    """The id of an option of a select."""
    FLAG = "flag"
    """A check box."""


TEXT_KINDS = frozenset(
    {FieldKind.TEXT, FieldKind.LONG_TEXT, FieldKind.IDENTIFIER, FieldKind.PHONE, FieldKind.EMAIL, FieldKind.AMOUNT}
)
"""Kinds whose canonical value is the text as it was given."""
MONTH_KINDS = frozenset({FieldKind.MONTH, FieldKind.PAST_MONTH})
TEMPORAL_KINDS = frozenset({FieldKind.DATE, FieldKind.TIME, FieldKind.DATETIME}) | MONTH_KINDS

MAX_NOTATION_LENGTH = 60
"""Characters of the longest text that is read as a date, a time, a number, an id, or yes or no."""
_LONGEST = {
    FieldKind.TEXT: 500,
    FieldKind.LONG_TEXT: 20_000,
    FieldKind.IDENTIFIER: 40,
    FieldKind.PHONE: 200,
    FieldKind.EMAIL: 254,
}
"""Characters of a value. PlanSo's own columns are not known; databases of its kind hold 255 in a line of text."""
MAX_SHOWN_LENGTH = max(_LONGEST.values())
"""Characters of what a label of the form shows."""
MAX_LABEL_LENGTH = 200
"""Characters of a label; what is longer names nothing."""
MAX_LISTED_LENGTH = 200
"""Characters of what PlanSo's list says of an order, in each of its members."""


class RequestKind(Flag):
    """On which request bodies a field appears."""

    NONE = 0
    UPDATE = auto()
    """PUT and PATCH."""
    CREATE = auto()
    """POST."""


class FieldGroup(Enum):
    """Where a field stands in an answer."""

    ORDER = ""
    """At the top."""
    DETAILS = "vehicle_details"
    """In `vehicle_details`, as the update and create requests name it."""
    VEHICLE = "vehicle"
    """In `vehicle`, read only."""


@dataclass(frozen=True, slots=True)
class OrderField:
    name: str
    kind: FieldKind
    labels: tuple[str, ...]
    meaning: str
    example: Value
    accepted_in: RequestKind = RequestKind.UPDATE | RequestKind.CREATE
    group: FieldGroup = FieldGroup.ORDER
    default: str | None = None
    """Sent on create when the caller says nothing and the form has the label."""
    min_length_on_create: int = 0
    slot: SlotEnd | None = None
    """With Kind.TIME: which end of a range of times the field holds."""
    max_length_override: int | None = None
    """Characters of a value where that is not what is usual for its kind."""

    @property
    def max_length(self) -> int:
        """Characters of a value at most: callers' is 422 beyond, PlanSo's is null with a doubt."""
        return self.max_length_override or _LONGEST.get(self.kind, MAX_NOTATION_LENGTH)

    @property
    def path(self) -> str:
        """`vehicle_details.vin`, `person`: the name in profiles, operations and messages."""
        return f"{self.group.value}.{self.name}" if self.group.value else self.name

    @property
    def column(self) -> str:
        """The column of the mirror's table `orders`."""
        return f"vehicle_{self.name}" if self.group is FieldGroup.VEHICLE else self.name

    @property
    def is_mirrored(self) -> bool:
        """Whether the mirror has a column for it and answers show it; create-only fields stand in `fields` alone."""
        return RequestKind.UPDATE in self.accepted_in or self.accepted_in is RequestKind.NONE


_T, _L, _A, _D, _P, _C, _W, _N, _I, _F = (
    FieldKind.TEXT,
    FieldKind.LONG_TEXT,
    FieldKind.AMOUNT,
    FieldKind.DATE,
    FieldKind.PAST_MONTH,
    FieldKind.TIME,
    FieldKind.DATETIME,
    FieldKind.NUMBER,
    FieldKind.ID,
    FieldKind.FLAG,
)


def _details(name: str, kind: FieldKind, labels: tuple[str, ...], meaning: str, example: Value) -> OrderField:
    return OrderField(name, kind, labels, meaning, example, group=FieldGroup.DETAILS)


def _create_only(
    name: str, label: str, meaning: str, example: str, default: str | None = None, kind: FieldKind = FieldKind.TEXT
) -> OrderField:
    return OrderField(name, kind, (label,), meaning, example, accepted_in=RequestKind.CREATE, default=default)


def _read_only(
    name: str, kind: FieldKind, label: str, meaning: str, example: Value, group: FieldGroup = FieldGroup.ORDER
) -> OrderField:
    return OrderField(name, kind, (label,), meaning, example, accepted_in=RequestKind.NONE, group=group)


_FIELDS: tuple[OrderField, ...] = (
    _details("number_plate", FieldKind.IDENTIFIER, ("Kennzeichen", "Fahrzeug"), "Number plate", "WN-AE 2309"),
    _details(
        "vin", FieldKind.IDENTIFIER, ("VIN",), "Vehicle identification number, 17 characters", "WVWZZZ1KZAW123456"
    ),
    _details("makeID", _I, ("Hersteller",), "Make, the id that PlanSo's select offers", 58),
    _details("modelID", _I, ("Modell",), "Model, the id that PlanSo's select offers", 5802),
    _details("first_registration", _P, ("Erstzulassung",), "First registration", "14.03.2019"),
    _details("kba", _T, ("KBA",), "KBA key numbers, HSN/TSN", "0603/BGU"),
    _details("hu_au", FieldKind.MONTH, ("HU/AU",), "Next main and exhaust inspection", "03/2027"),
    _details("engine", _T, ("Motor",), "Engine", "1.5 TSI Benzin"),
    _details("engine_size", _A, ("Hubraum",), "Engine size in cm³", "1498"),
    _details("curb_weight", _A, ("Leergewicht",), "Curb weight in kg", "1320"),
    _details("gross_weight", _A, ("Gesamtgewicht",), "Gross weight in kg", "1850"),
    _details("engine_power", _A, ("Leistung",), "Engine power in kW", "96"),
    _details("last_registration", _P, ("Letzte Zulassung",), "Last registration", "02.05.2023"),
    _details("km_stand", _A, ("Kilometerstand",), "Mileage in km", "84210"),
    _details("engine_code", _T, ("Motorcode",), "Engine code", "DPCA"),
    _details("all_details", _F, ("Alle Fahrzeugdaten",), "All vehicle details are known", True),
    OrderField("person", _T, ("Fahrername", "Halter"), "Customer or driver", "Jana Petersen", min_length_on_create=1),
    OrderField(
        "phone", FieldKind.PHONE, ("Telefon", "Telefonnummer"), "Phone number", "030 23125 118", min_length_on_create=1
    ),
    OrderField(
        "email",
        FieldKind.EMAIL,
        ("Kunden E-Mail", "E-Mail"),
        "E-mail address",
        "jana.petersen@example.de",
        min_length_on_create=1,
    ),
    OrderField(
        "customer_category", _I, ("Kundenkategorie",), "Customer category, the id that PlanSo's select offers", 11
    ),
    OrderField("damage", _T, ("Kategorie",), "Damage class", "KL 2-3"),
    OrderField(
        "repair_date", _D, ("Fahrzeugeingang (Soll)", "Fahrzeugeingang (Ist)"), "Vehicle comes in", "07.12.2026"
    ),
    OrderField("shop_date", _D, ("Werkstattstart",), "Work in the shop starts", "08.12.2026"),
    OrderField("est_hours_karo", _N, ("Sollstunden Karo",), "Estimated hours, body", 11.3),
    OrderField("est_hours_lack", _N, ("Sollstunden Lack",), "Estimated hours, paint", 6.5),
    OrderField("appointment_date", _W, ("Termin angelegt",), "When the appointment was made", "23.11.2026 09:41:00"),
    OrderField("service_advisor", _T, ("Serviceberater",), "Service advisor, initials or name", "MK"),
    OrderField("pickup_service", _T, ("Hol-/Bringservice",), "How the vehicle comes: `kommt`, `bringt`, ...", "kommt"),
    OrderField("remarks", _L, ("Bemerkungen",), "Remarks", "Kundin wartet auf Rückruf.\nErsatzwagen ist bestellt."),
    OrderField("parts_delivery_date", _D, ("Teile Liefertermin",), "Parts are delivered", "04.12.2026"),
    OrderField("paint_date", _D, ("Lackiertermin",), "Painting", "10.12.2026"),
    OrderField("shop_back_date", _D, ("Werkstatt zurück",), "Back from the shop", "14.12.2026"),
    OrderField("repair_date_time_from", _C, ("Reparatur von",), "Time slot, from", "08:00", slot="from"),
    OrderField("repair_date_time_to", _C, ("Reparatur bis",), "Time slot, to", "16:30", slot="to"),
    OrderField("estimate_date", _D, ("Besichtigung",), "Inspection for the estimate", "25.11.2026"),
    OrderField("return_date_time", _W, ("Rückgabe",), "Vehicle is handed back", "15.12.2026 16:00"),
    OrderField("damage_description", _L, ("Schadenbeschreibung",), "Damage", "Stoßfänger hinten gerissen, Heckklappe."),
    OrderField("workshop_distribution", _L, ("Werkstattverteilung",), "Distribution over the shops", "Karo 2, Lack 1"),
    OrderField("external_calculation", _L, ("Externe Kalkulation",), "External calculation", "DAT 2026-118"),
    OrderField(
        "express_link", _T, ("ExpressLink",), "ExpressLink", "https://express.example/k/118", max_length_override=2000
    ),
    _create_only("type_of_date", "Terminart", "Kind of appointment", "0", default="0"),
    _create_only("parts_needed", "E-Teile benötigt", "Parts are needed", "ja"),
    _create_only("rental_car_deductible", "Mietwagen Selbstbeteiligung", "Rental car, deductible", "500", kind=_A),
    _create_only("rental_car_type", "Mietwagen Typ", "Rental car, type", "Kompakt"),
    _create_only("rental_car_motor", "Mietwagen Motor", "Rental car, engine", "Benzin"),
    _create_only("rental_car_transmission", "Mietwagen Getriebe", "Rental car, transmission", "Automatik"),
    _create_only("rental_car_navi", "Mietwagen Navi", "Rental car, navigation", "ja"),
    _create_only("rental_car_bluetooth", "Mietwagen Bluetooth", "Rental car, Bluetooth", "ja"),
    _create_only("rental_car_hitch", "Mietwagen Anhängerkupplung", "Rental car, tow hitch", "nein"),
    _create_only("rental_car_isofix", "Mietwagen Isofix", "Rental car, Isofix", "ja"),
    _create_only("external_calculation_done", "Externe Kalkulation erledigt", "External calculation is done", "nein"),
    _create_only("insurance_adjuster", "Gutachter", "Insurance adjuster", "Sachverständigenbüro Lindner"),
    _create_only("activate_invoice", "Rechnung aktivieren", "Activate the invoice", "ja"),
    _create_only("deductible", "Selbstbeteiligung", "Deductible in EUR", "150", kind=_A),
    _create_only("pickup_location", "Abholort", "Where the vehicle is fetched", "Ahornweg 4, 71332 Waiblingen"),
    _create_only("distance", "Entfernung", "Distance in km", "12", kind=_A),
    _create_only("pickup_company", "Abholfirma", "Who fetches it", "Abschleppdienst Beispiel GmbH"),
    _create_only("address_notes", "Adresshinweise", "Notes on the address", "Hofeinfahrt, bitte klingeln"),
    _create_only("vehicle_class", "Fahrzeugklasse", "Vehicle class", "Kompakt"),
    _create_only("reclamation", "Reklamation", "Reclamation", "nein"),
    _read_only("project_status", _T, "Projekt-Status", "Project status", "In Arbeit"),
    _read_only("finish_date", _D, "Termin Fertigstellung", "Work is finished", "2026-12-14"),
    _read_only("planned_delivery_date", _D, "Plan Auslieferung", "Planned hand-over", "2026-12-15"),
    _read_only("parts_status", _T, "E-Teile Status", "Parts status in words", "teilweise geliefert"),
    _read_only("est_hours_mech", _N, "Sollstunden Mech", "Estimated hours, mechanics", 1.5),
    _read_only(
        "vin", FieldKind.IDENTIFIER, "VIN", "Vehicle identification number", "WVWZZZ1KZAW123456", FieldGroup.VEHICLE
    ),
    _read_only("kba", _T, "KBA", "KBA key numbers", "0603/BGU", FieldGroup.VEHICLE),
    _read_only("color_code", _T, "Farbe Nummer", "Paint code", "LC9X", FieldGroup.VEHICLE),
    _read_only("color_name", _T, "Farbton", "Paint name", "Deep Black Perleffekt", FieldGroup.VEHICLE),
    _read_only("mileage", _A, "Kilometerstand", "Mileage in km", "84210", FieldGroup.VEHICLE),
    _read_only("vehicle", _T, "Fahrzeug", "Vehicle in words", "VW Golf VIII", FieldGroup.VEHICLE),
    _read_only("class", _T, "Klasse", "Vehicle class", "Kompakt", FieldGroup.VEHICLE),
    _read_only("leasing", _T, "Leasing/Flotte", "Leasing or fleet", "Flotte", FieldGroup.VEHICLE),
)

FIELDS: tuple[OrderField, ...] = tuple(
    replace(field, labels=(*field.labels, *ALTERNATIVE_LABELS.get(field.path, ()))) for field in _FIELDS
)
APPEND_FIELDS: tuple[OrderField, ...] = (
    OrderField(
        "remarks_append",
        _L,
        ("Bemerkungen",),
        "A line to add to `remarks`, below what stands there when it is saved",
        "Kundin bittet um Rückruf.",
        accepted_in=RequestKind.UPDATE,
    ),
    OrderField(
        "damage_description_append",
        _L,
        ("Schadenbeschreibung",),
        "The same for `damage_description`",
        "Auch die Tür hat einen Kratzer.",
        accepted_in=RequestKind.UPDATE,
    ),
)
"""
What requests can add to a text instead of replacing it, named after the field that it stands in then. They are no
fields of an order: no form has a control of their own, and no answer shows them.
"""

BY_PATH: dict[str, OrderField] = {field.path: field for field in FIELDS}
MIRRORED: tuple[OrderField, ...] = tuple(field for field in FIELDS if field.is_mirrored)
APPOINTMENT_PATHS: frozenset[str] = frozenset(
    field.path
    for field in FIELDS
    if RequestKind.UPDATE in field.accepted_in and field.kind in (FieldKind.DATE, FieldKind.TIME, FieldKind.DATETIME)
)
"""Paths of the dates and times of the work on an order; those of the vehicle's papers are of another kind."""


def fields_accepted_in(body: RequestKind) -> tuple[OrderField, ...]:
    return tuple(field for field in FIELDS if body in field.accepted_in)
