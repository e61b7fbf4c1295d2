"""An order as the mirror holds it, composed from PlanSo's list, form and parts page."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from planso_connector.domain import german_formats
from planso_connector.domain.fields import MEMBERS, FieldGroup, Value
from planso_connector.domain.kba import parse_key_numbers
from planso_connector.domain.part import Part, count_missing, needs_no_parts, says_parts_missing

PLATE = "vehicle_details.number_plate"
VEHICLE = "vehicle.vehicle"
KBA = "vehicle.kba"
DAMAGE = "damage"

IDENTIFYING_PATHS = (PLATE, "vehicle_details.vin", "person", "phone", "email")
"""Every real order has a value in one of these fields."""

VEHICLE_IDENTIFIERS = (PLATE, "vehicle_details.vin")
CREATE_NEEDS_ONE_OF = ("person", *VEHICLE_IDENTIFIERS)
"""A new order needs one of these: without any it would look like an empty form."""

IN_WORKSHOP_DATES = (
    "shop_date",
    "repair_date",
    "paint_date",
    "finish_date",
    "shop_back_date",
    "planned_delivery_date",
    "return_date_time",
)
"""Dates at which the vehicle is in the workshop."""

FROM_OTHER_PAGES = ("damage", "parts_status")
"""Fields that the list or the parts page supply where the form does not."""

LABEL_PREFIX = "fields."
"""Begins the path of a label that is no field of its own."""

EMPTIED_MIN_VALUES = 3
EMPTIED_MAX_SHARE = 0.2
"""A form counts as emptied with less than this share of its order's values left, if there were so many."""

MAX_UNREADABLE_LENGTH = 500
"""Characters of an unreadable text up to which it is kept as it is."""


class OversizedText(NamedTuple):
    """
    Stands for a text in PlanSo that is longer than its field may hold. The text is not kept, and never cut: what is
    read may be written back. `text` is empty beyond `MAX_UNREADABLE_LENGTH`; `fingerprint` tells texts apart.
    """

    text: str
    length: int
    fingerprint: str

    @classmethod
    def from_text(cls, text: str) -> OversizedText:
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return cls(text if len(text) <= MAX_UNREADABLE_LENGTH else "", len(text), digest)

    def __str__(self) -> str:
        return self.text or f"{self.length} characters (fingerprint {self.fingerprint})"


UnreadableValue = str | OversizedText
"""What PlanSo holds in a field that has no value because of it: text of the wrong kind (`KW 51`), or too much of it."""


class BoardEntry(NamedTuple):
    """
    One order in PlanSo's list of current orders. Source: the PlanSo protocol's section 2. A tuple, because a sync makes
    one for every order.
    """

    order_id: int
    short_name: str = ""
    station_id: str = ""
    station_state: str = ""
    employee_id: str = ""
    position: str = ""
    finish_date: str = ""
    """Free text; on some installations the damage class."""
    too_long: tuple[tuple[str, OversizedText], ...] = ()
    """Name and text of each of these members that is empty because PlanSo's text is too long."""


class _FieldValues:
    """What forms and orders have in common."""

    __slots__ = ()
    values: Mapping[str, Value]
    unreadable: Mapping[str, UnreadableValue]

    def value_or_unreadable(self, path: str) -> Value:
        """The value to compare with before a write: the field's, or the text that PlanSo holds instead of one."""
        unreadable = self.unreadable.get(path)
        return self.values.get(path) if unreadable is None else str(unreadable)


@dataclass(frozen=True, slots=True)
class FormReading(_FieldValues):
    """One order's parsed form. `values` are canonical, by field path; `fields`: the text shown by each label."""

    values: Mapping[str, Value]
    fields: Mapping[str, str]
    is_blank: bool = False
    """No label holds anything: PlanSo shows this for an order that does not exist."""
    labelled_paths: frozenset[str] = frozenset()
    """Paths of the fields for which the form has a label."""
    unreadable: Mapping[str, UnreadableValue] = field(default_factory=dict)
    """What PlanSo holds where `values` has None (by path) or `fields` has "" (by `fields.` and label) because of it."""
    ambiguous: frozenset[str] = frozenset()
    """Paths of the fields without a value because several controls may hold it and disagree."""


@dataclass(frozen=True, slots=True)
class PartsReading:
    """One order's parsed parts page. `status`: the order's parts status, None where it has none."""

    parts: tuple[Part, ...]
    status: str | None = None
    has_table: bool = True
    """Without a table, the absence of parts says nothing."""
    too_long: frozenset[str] = frozenset()
    """Members of parts, or `status`, that are None because PlanSo's text is too long."""


@dataclass(frozen=True, slots=True)
class Order(_FieldValues):
    """
    One order of the mirror. `values` holds every field of `domain.fields` by path; the rest is derived from it or
    from the list. Dates are canonical, hours are decimal.
    """

    id: int
    short_name: str
    plate: str | None
    station_id: str | None
    station_state: str | None
    missing_parts: bool
    values: Mapping[str, Value]
    fields: Mapping[str, str]
    parts: tuple[Part, ...] = ()
    archived: bool = False
    employee_id: str | None = None
    position: str | None = None
    list_finish_date: str | None = None
    unreadable: Mapping[str, UnreadableValue] = field(default_factory=dict)
    """As in FormReading."""

    def to_document(self) -> dict[str, object]:
        """The order as in answers, without what changes on its own: `last_synced_at`, `version`, `pending`."""
        document: dict[str, object] = {
            "id": self.id,
            "short_name": self.short_name,
            "plate": self.plate,
            "station_id": self.station_id,
            "station_state": self.station_state,
            "missing_parts": self.missing_parts,
            "archived": self.archived,
        }
        get = self.values.get
        document |= {name: get(path) for name, path in MEMBERS[FieldGroup.ORDER]}
        document[FieldGroup.DETAILS.value] = {name: get(path) for name, path in MEMBERS[FieldGroup.DETAILS]}
        vehicle: dict[str, Value] = {name: get(path) for name, path in MEMBERS[FieldGroup.VEHICLE]}
        if kba := self.values.get(KBA):
            # Only beside a value, so that no other order got a new version by them.
            found = parse_key_numbers(str(kba))
            vehicle |= {"hsn": found and found.hsn, "tsn": found and found.tsn}
        document[FieldGroup.VEHICLE.value] = vehicle
        document["fields"] = {
            label: None if f"{LABEL_PREFIX}{label}" in self.unreadable else text for label, text in self.fields.items()
        }
        if self.unreadable:
            # Only where there are any, so that no other order got a new version by this member; answers add `[]`.
            document["doubts"] = [
                {"field": path, **({"text": held} if isinstance(held, str) else held._asdict())}
                for path, held in self.unreadable.items()
            ]
        return document


def compose_order(entry: BoardEntry | None, order_id: int, form: FormReading, parts: PartsReading | None) -> Order:
    """
    Compose an order from its pages; without a list entry it is archived. The fallbacks are the protocol's: plate from
    `Kennzeichen`, else `Fahrzeug`, else the short name; damage class from the form, else the list's `finish_date` where
    that is no date;
    parts status from the parts page, else the form.
    """
    listed = entry or BoardEntry(order_id)
    values = _with_fallbacks(listed, form, parts)
    rows = parts.parts if parts is not None else ()
    return Order(
        id=order_id,
        short_name=listed.short_name,
        plate=_plate(values, form, listed.short_name),
        station_id=listed.station_id or None,
        station_state=listed.station_state or None,
        missing_parts=is_waiting_for_parts(values.get("parts_status"), rows),
        values=values,
        fields=form.fields,
        parts=rows,
        archived=entry is None,
        employee_id=listed.employee_id or None,
        position=listed.position or None,
        list_finish_date=listed.finish_date or None,
        unreadable={**form.unreadable, **_misplaced_date(form), **dict(listed.too_long)},
    )


def update_from_form(order: Order, form: FormReading) -> Order:
    """The order with its form's present values; what the list and the parts page supplied stays."""
    entry = BoardEntry(order_id=order.id, short_name=order.short_name, finish_date=order.list_finish_date or "")
    status = order.values.get("parts_status")
    values = _with_fallbacks(entry, form, PartsReading(order.parts, str(status) if status else None))
    listed = {name: held for name, held in order.unreadable.items() if name in BoardEntry._fields}
    return replace(
        order,
        values=values,
        fields=form.fields,
        plate=_plate(values, form, order.short_name),
        missing_parts=is_waiting_for_parts(values.get("parts_status"), order.parts),
        unreadable={**form.unreadable, **_misplaced_date(form), **listed},
    )


def update_from_parts(order: Order, parts: PartsReading) -> Order:
    """The order with the present content of its parts page."""
    values = {**order.values, "parts_status": parts.status or order.values.get("parts_status")}
    missing = is_waiting_for_parts(values["parts_status"], parts.parts)
    return replace(order, values=values, parts=parts.parts, missing_parts=missing)


def is_emptied(held: Mapping[str, Value], form: FormReading) -> bool:
    """
    Whether a form lost nearly all the values that its order held, by field path, or has no label at all. PlanSo shows
    such forms now and then for intact orders: they must be neither saved nor mirrored.
    """
    if not form.fields:
        return True
    paths = [path for path, value in held.items() if value]
    left = sum(bool(form.value_or_unreadable(path)) for path in paths)
    return len(paths) >= EMPTIED_MIN_VALUES and left < len(paths) * EMPTIED_MAX_SHARE


class OrderDocument(NamedTuple):
    """An order as responses show it: `tag` is its ETag without the quotes, `document` JSON text."""

    id: int
    tag: str
    document: str


def compute_etag(version: int, pending: Sequence[str]) -> str:
    """The order's version, and a fingerprint of its pending operations' ids, of which there may be many."""
    if not pending:
        return str(version)
    return f"{version}.{hashlib.blake2b(' '.join(pending).encode(), digest_size=8).hexdigest()}"


def do_stays_overlap(values: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
    """
    Whether two orders, values by field path, may be in the workshop at the same time: each from the first to the last
    of its `IN_WORKSHOP_DATES`, an order without any at any time.
    """
    days, other_days = (
        [str(fields[path])[:10] for path in IN_WORKSHOP_DATES if "-" in str(fields.get(path) or "")]
        for fields in (values, other)
    )
    return not days or not other_days or (min(days) <= max(other_days) and min(other_days) <= max(days))


def has_identifying_value(form: FormReading) -> bool:
    """Whether a form names a person or a vehicle. The form of an order that does not exist may hold defaults."""
    return any(form.value_or_unreadable(path) for path in IDENTIFYING_PATHS)


def _with_fallbacks(entry: BoardEntry, form: FormReading, parts: PartsReading | None) -> dict[str, Value]:
    values = dict(form.values)
    if _misplaced_date(form):
        values[DAMAGE] = None
    elif form.value_or_unreadable(DAMAGE) is None and not german_formats.looks_like_date(entry.finish_date):
        values[DAMAGE] = entry.finish_date or None
    if parts is not None and parts.status:
        values["parts_status"] = parts.status
    return values


def _misplaced_date(form: FormReading) -> dict[str, UnreadableValue]:
    """The damage class of a form that holds a date there: it is none, whatever the label says."""
    text = str(form.values.get(DAMAGE) or "")
    return {DAMAGE: text} if german_formats.looks_like_date(text) else {}


def _plate(values: Mapping[str, Value], form: FormReading, short_name: str) -> str | None:
    if PLATE in form.unreadable:
        return None
    # PlanSo's list names an order by its plate, and one without a plate by its customer.
    is_plate = any(map(str.isdigit, short_name))
    return str(values.get(PLATE) or values.get(VEHICLE) or (short_name if is_plate else "")) or None


def is_waiting_for_parts(status: Value, parts: Sequence[Part]) -> bool:
    """
    Whether an order with this parts status and these parts waits for one. A status that reports missing parts counts
    whatever the rows say: PlanSo may show none of them. Source: the PlanSo protocol's section 4.
    """
    return not needs_no_parts(status) and (says_parts_missing(status) or count_missing(parts) > 0)
