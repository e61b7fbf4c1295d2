"""
Definitions of an order's fields: name, kind, documented PlanSo labels, and which requests accept each. Request and
response schemas, the mirror's columns and the tables in the docs are generated from them.

A form is read by the labels in `planso/default_profile.toml`, which a test holds equal to these. Source of the labels:
the PlanSo protocol's sections 3 and 7, in the order in which they are tried, then section 9 (`planso_columns`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, Flag, StrEnum, auto
from typing import Any

from planso_connector.domain.german_formats import SlotEnd

Value = str | int | float | bool | None
"""A canonical value: text, date or time (see `german_formats`), id, number, flag; None where PlanSo holds nothing."""


class FieldKind(StrEnum):
    """The type of a field. It decides what is accepted, how it is written to PlanSo and how it is compared."""

    TEXT = "text"
    """One line."""
    LONG_TEXT = "long text"
    """Line breaks allowed."""
    IDENTIFIER = "identifier"
    """A plate or VIN. Compared without case, blanks and hyphens; written as given."""
    PHONE = "phone"
    """One line with a phone number, in any notation."""
    EMAIL = "e-mail"
    """One line with an e-mail address. Compared without case."""
    KBA = "KBA key numbers"
    """One line with HSN and TSN, `0603/BGU`, in any notation; a text that is neither is kept as given."""
    AMOUNT = "amount"
    """One line with a whole number of km, kg, EUR and so on: `84210` equals `84.210`."""
    DATE = "date"
    """A day, optionally with a time."""
    MONTH = "date or month"
    """A day, or a month alone: vehicle papers name no day for HU/AU."""
    PAST_MONTH = "past date or month"
    """The same, in the past (registrations), which decides the century of a two-digit year."""
    TIME = "time"
    """A time of day, optionally after a date."""
    DATETIME = "datetime"
    """A day and usually a time."""
    NUMBER = "number"
    """A decimal number of hours, 0 or more; a dot is a decimal point."""
    ID = "id"
    """The id of an option of a select."""
    FLAG = "flag"
    """A check box."""


TEXT_KINDS = frozenset(
    {
        FieldKind.TEXT,
        FieldKind.LONG_TEXT,
        FieldKind.IDENTIFIER,
        FieldKind.PHONE,
        FieldKind.EMAIL,
        FieldKind.KBA,
        FieldKind.AMOUNT,
    }
)
"""Kinds whose canonical value is a text; but for KBA it is as given."""
MONTH_KINDS = frozenset({FieldKind.MONTH, FieldKind.PAST_MONTH})
TEMPORAL_KINDS = frozenset({FieldKind.DATE, FieldKind.TIME, FieldKind.DATETIME}) | MONTH_KINDS

MAX_NOTATION_LENGTH = 60
"""Characters of the longest text that is parsed as a date, time, number, id or flag."""
_LONGEST = {
    FieldKind.TEXT: 500,
    FieldKind.LONG_TEXT: 20_000,
    FieldKind.IDENTIFIER: 40,
    FieldKind.PHONE: 200,
    FieldKind.EMAIL: 254,
    FieldKind.KBA: 500,
}
"""Characters of a value. PlanSo's own limits are unknown; text columns of such databases usually hold 255."""
MAX_SHOWN_LENGTH = max(_LONGEST.values())
"""Characters of the text that a label of the form shows."""
MAX_LABEL_LENGTH = 200
"""Characters of a label; a longer text is none."""
MAX_LISTED_LENGTH = 200
"""Characters of each member of an entry in PlanSo's list."""


class RequestKind(Flag):
    """The request bodies that accept a field."""

    NONE = 0
    UPDATE = auto()
    """PUT and PATCH."""
    CREATE = auto()
    """POST."""


class FieldGroup(Enum):
    """The object of a response that has the field."""

    ORDER = ""
    """The order itself."""
    DETAILS = "vehicle_details"
    """As in update and create requests."""
    VEHICLE = "vehicle"
    """Read only."""


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
    """Sent on create when the caller omits the field and the form has the label."""
    min_length_on_create: int = 0
    slot: SlotEnd | None = None
    """With FieldKind.TIME: which end of a time range the field holds."""
    max_length_override: int | None = None
    """Replaces the usual maximum of its kind."""
    path: str = field(init=False)
    """The name in profiles, operations and messages: `vehicle_details.vin`, `person`."""
    column: str = field(init=False)
    """The column of the table `orders`."""

    def __post_init__(self) -> None:
        group = self.group.value
        object.__setattr__(self, "path", f"{group}.{self.name}" if group else self.name)
        object.__setattr__(self, "column", f"vehicle_{self.name}" if self.group is FieldGroup.VEHICLE else self.name)

    @property
    def max_length(self) -> int:
        """Characters of a value. A caller's longer value is 422, PlanSo's is null with a doubt."""
        return self.max_length_override or _LONGEST.get(self.kind, MAX_NOTATION_LENGTH)

    @property
    def is_mirrored(self) -> bool:
        """Whether the mirror has a column for it and responses a member; create-only fields are in `fields` alone."""
        return RequestKind.UPDATE in self.accepted_in or self.accepted_in is RequestKind.NONE


K = FieldKind
"""In the rows below labels are separated by `; `."""


def _field(name: str, kind: FieldKind, labels: str, meaning: str, example: Value, **more: Any) -> OrderField:
    return OrderField(name, kind, tuple(labels.split("; ")), meaning, example, **more)


def _contact(name: str, kind: FieldKind, labels: str, meaning: str, example: Value) -> OrderField:
    return _field(name, kind, labels, meaning, example, min_length_on_create=1)


def _details(name: str, kind: FieldKind, labels: str, meaning: str, example: Value) -> OrderField:
    return _field(name, kind, labels, meaning, example, group=FieldGroup.DETAILS)


def _create_only(
    name: str, labels: str, meaning: str, example: str, default: str | None = None, kind: FieldKind = K.TEXT
) -> OrderField:
    return _field(name, kind, labels, meaning, example, accepted_in=RequestKind.CREATE, default=default)


def _read_only(
    name: str, kind: FieldKind, labels: str, meaning: str, example: Value, group: FieldGroup = FieldGroup.ORDER
) -> OrderField:
    return _field(name, kind, labels, meaning, example, accepted_in=RequestKind.NONE, group=group)


FIELDS: tuple[OrderField, ...] = (
    _details("number_plate", K.IDENTIFIER, "Kennzeichen; Fahrzeug", "Number plate", "WN-AE 2309"),
    _details("vin", K.IDENTIFIER, "VIN", "Vehicle identification number, 17 characters", "WVWZZZ1KZAW123456"),
    _details("makeID", K.ID, "Hersteller", "Make, the id that PlanSo's select offers", 58),
    _details("modelID", K.ID, "Modell", "Model, the id that PlanSo's select offers", 5802),
    _details("first_registration", K.PAST_MONTH, "Erstzulassung", "First registration", "14.03.2019"),
    _details("kba", K.KBA, "KBA", "KBA key numbers, HSN/TSN", "0603/BGU"),
    _details("hu_au", K.MONTH, "HU/AU", "Next main and exhaust inspection", "03/2027"),
    _details("engine", K.TEXT, "Motor", "Engine", "1.5 TSI Benzin"),
    _details("engine_size", K.AMOUNT, "Hubraum", "Engine size in cm³", "1498"),
    _details("curb_weight", K.AMOUNT, "Leergewicht", "Curb weight in kg", "1320"),
    _details("gross_weight", K.AMOUNT, "Gesamtgewicht", "Gross weight in kg", "1850"),
    _details("engine_power", K.AMOUNT, "Leistung", "Engine power in kW", "96"),
    _details("last_registration", K.PAST_MONTH, "Letzte Zulassung", "Last registration", "02.05.2023"),
    _details("km_stand", K.AMOUNT, "Kilometerstand; KM", "Mileage in km", "84210"),
    _details("engine_code", K.TEXT, "Motorcode", "Engine code", "DPCA"),
    _details("all_details", K.FLAG, "Alle Fahrzeugdaten", "All vehicle details are known", True),
    _contact("person", K.TEXT, "Fahrername; Halter; Fahrer", "Customer or driver", "Jana Petersen"),
    _contact("phone", K.PHONE, "Telefon; Telefonnummer", "Phone number", "030 23125 118"),
    _contact("email", K.EMAIL, "Kunden E-Mail; E-Mail", "E-mail address", "jana.petersen@example.de"),
    _field("customer_category", K.ID, "Kundenkategorie", "Customer category, the id that PlanSo's select offers", 11),
    _field("damage", K.TEXT, "Kategorie; Damage", "Damage class", "KL 2-3"),
    _field("repair_date", K.DATE, "Fahrzeugeingang (Soll); Fahrzeugeingang (Ist)", "Vehicle comes in", "07.12.2026"),
    _field("shop_date", K.DATE, "Werkstattstart", "Work in the shop starts", "08.12.2026"),
    _field("est_hours_karo", K.NUMBER, "Sollstunden Karo", "Estimated hours, body", 11.3),
    _field("est_hours_lack", K.NUMBER, "Sollstunden Lack", "Estimated hours, paint", 6.5),
    _field(
        "appointment_date",
        K.DATETIME,
        "Termin angelegt; Termin vom",
        "When the appointment was made",
        "23.11.2026 09:41:00",
    ),
    _field("service_advisor", K.TEXT, "Serviceberater; Annehmer", "Service advisor, initials or name", "MK"),
    _field(
        "pickup_service",
        K.TEXT,
        "Hol-/Bringservice; Hol-/Bring-Dienst",
        "How the vehicle comes: `kommt`, `bringt`, ...",
        "kommt",
    ),
    _field("remarks", K.LONG_TEXT, "Bemerkungen", "Remarks", "Kundin wartet auf Rückruf.\nErsatzwagen ist bestellt."),
    _field("parts_delivery_date", K.DATE, "Teile Liefertermin", "Parts are delivered", "04.12.2026"),
    _field("paint_date", K.DATE, "Lackiertermin", "Painting", "10.12.2026"),
    _field("shop_back_date", K.DATE, "Werkstatt zurück", "Back from the shop", "14.12.2026"),
    _field("repair_date_time_from", K.TIME, "Reparatur von", "Time slot, from", "08:00", slot="from"),
    _field("repair_date_time_to", K.TIME, "Reparatur bis", "Time slot, to", "16:30", slot="to"),
    _field("estimate_date", K.DATE, "Besichtigung", "Inspection for the estimate", "25.11.2026"),
    _field("return_date_time", K.DATETIME, "Rückgabe", "Vehicle is handed back", "15.12.2026 16:00"),
    _field(
        "damage_description", K.LONG_TEXT, "Schadenbeschreibung", "Damage", "Stoßfänger hinten gerissen, Heckklappe."
    ),
    _field(
        "workshop_distribution", K.LONG_TEXT, "Werkstattverteilung", "Distribution over the shops", "Karo 2, Lack 1"
    ),
    _field("external_calculation", K.LONG_TEXT, "Externe Kalkulation", "External calculation", "DAT 2026-118"),
    _field(
        "express_link", K.TEXT, "ExpressLink", "ExpressLink", "https://express.example/k/118", max_length_override=2000
    ),
    _create_only("type_of_date", "Terminart", "Kind of appointment", "0", default="0"),
    _create_only("parts_needed", "E-Teile benötigt; Teile benötigt", "Parts are needed", "ja"),
    _create_only(
        "rental_car_deductible",
        "Mietwagen Selbstbeteiligung; Lwg Selbstbeteiligung",
        "Rental car, deductible",
        "500",
        kind=K.AMOUNT,
    ),
    _create_only("rental_car_type", "Mietwagen Typ; LWg Typ", "Rental car, type", "Kompakt"),
    _create_only("rental_car_motor", "Mietwagen Motor; LWg Motorart", "Rental car, engine", "Benzin"),
    _create_only(
        "rental_car_transmission", "Mietwagen Getriebe; LWg Getriebe", "Rental car, transmission", "Automatik"
    ),
    _create_only("rental_car_navi", "Mietwagen Navi; LWg Navi", "Rental car, navigation", "ja"),
    _create_only("rental_car_bluetooth", "Mietwagen Bluetooth; LWg Bluetooth", "Rental car, Bluetooth", "ja"),
    _create_only("rental_car_hitch", "Mietwagen Anhängerkupplung; LWg Anh. Kupplung", "Rental car, tow hitch", "nein"),
    _create_only("rental_car_isofix", "Mietwagen Isofix; LWg Isofix", "Rental car, Isofix", "ja"),
    _create_only("external_calculation_done", "Externe Kalkulation erledigt", "External calculation is done", "nein"),
    _create_only("insurance_adjuster", "Gutachter", "Insurance adjuster", "Sachverständigenbüro Lindner"),
    _create_only("activate_invoice", "Rechnung aktivieren", "Activate the invoice", "ja"),
    _create_only("deductible", "Selbstbeteiligung", "Deductible in EUR", "150", kind=K.AMOUNT),
    _create_only("pickup_location", "Abholort", "Where the vehicle is fetched", "Ahornweg 4, 71332 Waiblingen"),
    _create_only("distance", "Entfernung", "Distance in km", "12", kind=K.AMOUNT),
    _create_only("pickup_company", "Abholfirma; Abhol-Firmenname", "Who fetches it", "Abschleppdienst Beispiel GmbH"),
    _create_only("address_notes", "Adresshinweise", "Notes on the address", "Hofeinfahrt, bitte klingeln"),
    _create_only("vehicle_class", "Fahrzeugklasse; Klasse", "Vehicle class", "Kompakt"),
    _create_only("reclamation", "Reklamation", "Reclamation", "nein"),
    _read_only("project_status", K.TEXT, "Projekt-Status", "Project status", "In Arbeit"),
    _read_only("finish_date", K.DATE, "Termin Fertigstellung", "Work is finished", "2026-12-14"),
    _read_only("planned_delivery_date", K.DATE, "Plan Auslieferung", "Planned hand-over", "2026-12-15"),
    _read_only("parts_status", K.TEXT, "E-Teile Status", "Parts status in words", "teilweise geliefert"),
    _read_only("est_hours_mech", K.NUMBER, "Sollstunden Mech", "Estimated hours, mechanics", 1.5),
    _read_only("vin", K.IDENTIFIER, "VIN", "Vehicle identification number", "WVWZZZ1KZAW123456", FieldGroup.VEHICLE),
    _read_only("kba", K.KBA, "KBA", "KBA key numbers", "0603/BGU", FieldGroup.VEHICLE),
    _read_only("color_code", K.TEXT, "Farbe Nummer; Farbe Nr", "Paint code", "LC9X", FieldGroup.VEHICLE),
    _read_only("color_name", K.TEXT, "Farbton", "Paint name", "Deep Black Perleffekt", FieldGroup.VEHICLE),
    _read_only("mileage", K.AMOUNT, "Kilometerstand; KM", "Mileage in km", "84210", FieldGroup.VEHICLE),
    _read_only("vehicle", K.TEXT, "Fahrzeug", "Vehicle in words", "VW Golf VIII", FieldGroup.VEHICLE),
    _read_only("class", K.TEXT, "Klasse", "Vehicle class", "Kompakt", FieldGroup.VEHICLE),
    _read_only("leasing", K.TEXT, "Leasing/Flotte", "Leasing or fleet", "Flotte", FieldGroup.VEHICLE),
)

APPEND_FIELDS: tuple[OrderField, ...] = (
    _field(
        "remarks_append",
        K.LONG_TEXT,
        "Bemerkungen",
        "A line to add to `remarks`, below what is there when it is saved",
        "Kundin bittet um Rückruf.",
        accepted_in=RequestKind.UPDATE,
    ),
    _field(
        "damage_description_append",
        K.LONG_TEXT,
        "Schadenbeschreibung",
        "The same for `damage_description`",
        "Auch die Tür hat einen Kratzer.",
        accepted_in=RequestKind.UPDATE,
    ),
)
"""
Request members that add a line to a text field instead of replacing it. They are no fields of an order: forms have no
control for them, and responses don't show them.
"""

BY_PATH: dict[str, OrderField] = {field.path: field for field in FIELDS}
MIRRORED: tuple[OrderField, ...] = tuple(field for field in FIELDS if field.is_mirrored)
MEMBERS: Mapping[FieldGroup, tuple[tuple[str, str], ...]] = {
    group: tuple((field.name, field.path) for field in MIRRORED if field.group is group)
    for group in dict.fromkeys(field.group for field in MIRRORED)
}
"""Name and path of each member that the objects of a response have, in the order of `MIRRORED`."""
APPOINTMENT_PATHS: frozenset[str] = frozenset(
    field.path
    for field in FIELDS
    if RequestKind.UPDATE in field.accepted_in and field.kind in (K.DATE, K.TIME, K.DATETIME)
)
"""Paths of the dates and times of the work on an order, without those of the vehicle's papers."""


def fields_accepted_in(body: RequestKind) -> tuple[OrderField, ...]:
    return tuple(field for field in FIELDS if body in field.accepted_in)
