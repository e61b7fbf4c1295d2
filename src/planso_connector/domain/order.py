"""An order as the connector knows it: what the list, the form and the parts page of PlanSo say, put together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from planso_connector.domain.fields import MIRRORED, FieldGroup, Value
from planso_connector.domain.part import Part, count_missing, needs_no_parts, says_parts_missing

PLATE = "vehicle_details.number_plate"
VEHICLE = "vehicle.vehicle"

IDENTIFYING_PATHS = (PLATE, "vehicle_details.vin", "person", "phone", "email")
"""One of these stands in every order that is one."""

CREATE_NEEDS_ONE_OF = ("person", PLATE, "vehicle_details.vin")
"""One of these has to be given for a new order: an order without any can't be told from an empty form."""

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
"""How the path of a label begins that has no field of its own."""

EMPTIED_MIN_VALUES = 3
EMPTIED_MAX_SHARE = 0.2
"""A form that holds less than this share of the values that its order had, if that had so many, has emptied."""


MAX_UNREADABLE_LENGTH = 500
"""Characters of a text that a doubt tells as it stands."""


class OversizedText(NamedTuple):
    """
    More than a field may hold, which stands in PlanSo. It is not kept, and never cut: what is read may be written back.
    `text` is empty where it has more than `DOUBT_AT_MOST` characters; `fingerprint` is another for another text.
    """

    text: str
    length: int
    fingerprint: str

    @classmethod
    def from_text(cls, text: str) -> OversizedText:
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return cls(text if len(text) <= MAX_UNREADABLE_LENGTH else "", len(text), digest)

    def __str__(self) -> str:
        """What tells it from any other."""
        return self.text or f"{self.length} characters (fingerprint {self.fingerprint})"


UnreadableValue = str | OversizedText
"""What stands in a field and is not its value: a text that its kind can't hold, as `KW 51`, or too much of one."""


class BoardEntry(NamedTuple):
    """
    One order in PlanSo's list of current orders. Source: the PlanSo protocol's section 2. A tuple: a sync makes one of
    each order.
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
    """The members of these that are empty because PlanSo holds too much there, by name."""


@dataclass(frozen=True, slots=True)
class FormReading:
    """One order's form, read. `values` are canonical, by field path; `fields` holds every label and what it shows."""

    values: Mapping[str, Value]
    fields: Mapping[str, str]
    is_blank: bool = False
    """No label holds anything: what PlanSo shows for an order that does not exist."""
    labelled_paths: frozenset[str] = frozenset()
    """Paths of the fields for which the form has a label."""
    unreadable: Mapping[str, UnreadableValue] = field(default_factory=dict)
    """
    What stands in the fields that have no value because of it, by path; in labels that `fields` shows empty because of
    it, by `fields.` and the label.
    """
    ambiguous: frozenset[str] = frozenset()
    """Paths of the fields without a value because several controls may hold it and say different things."""

    def value_or_unreadable(self, path: str) -> Value:
        """What a write relies on: the value, or what stands there instead of one."""
        return _relied_on(self, path)


@dataclass(frozen=True, slots=True)
class PartsReading:
    """The parts page of one order, read. `status` is the order's parts status in words, None where it has none."""

    parts: tuple[Part, ...]
    status: str | None = None
    has_table: bool = True
    """Whether the page held a table at all; without one, no parts is no news."""
    too_long: frozenset[str] = frozenset()
    """Members of parts, or `status`, that are None because PlanSo holds too much there."""


@dataclass(frozen=True, slots=True)
class Order:
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
    """As in FormReading: fields of which `values` holds None although something stands there."""

    def value_or_unreadable(self, path: str) -> Value:
        """As in FormReading."""
        return _relied_on(self, path)

    def to_document(self) -> dict[str, object]:
        """The order as answers show it, without what changes by itself: `last_synced_at`, `version`, `pending`."""
        shown: dict[str, object] = {
            "id": self.id,
            "short_name": self.short_name,
            "plate": self.plate,
            "station_id": self.station_id,
            "station_state": self.station_state,
            "missing_parts": self.missing_parts,
            "archived": self.archived,
        }
        groups: dict[str, dict[str, Value]] = {FieldGroup.DETAILS.value: {}, FieldGroup.VEHICLE.value: {}}
        for entry in MIRRORED:
            value = self.values.get(entry.path)
            if entry.group is FieldGroup.ORDER:
                shown[entry.name] = value
            else:
                groups[entry.group.value][entry.name] = value
        fields = {
            label: None if f"{LABEL_PREFIX}{label}" in self.unreadable else text for label, text in self.fields.items()
        }
        whole = {**shown, **groups, "fields": fields}
        # Last, and only where there are some: answers add the empty list, and no order has a new version by it.
        doubts = [{"field": path, **_told(doubt)} for path, doubt in self.unreadable.items()]
        return {**whole, "doubts": doubts} if doubts else whole


def _told(doubt: UnreadableValue) -> dict[str, object]:
    return {"text": doubt} if isinstance(doubt, str) else doubt._asdict()


def _relied_on(held: FormReading | Order, path: str) -> Value:
    doubt = held.unreadable.get(path)
    return held.values.get(path) if doubt is None else str(doubt)


def compose_order(entry: BoardEntry | None, order_id: int, form: FormReading, parts: PartsReading | None) -> Order:
    """
    The order that PlanSo's pages tell. Without a list entry it is archived. The fallbacks are the protocol's:
    plate from `Kennzeichen`, else `Fahrzeug`, else the short name; damage class from the form, else the list's
    `finish_date`; parts status from the parts page, else the form.
    """
    values = _with_fallbacks(entry, form, parts)
    short_name = entry.short_name if entry is not None else ""
    return Order(
        id=order_id,
        short_name=short_name,
        plate=_plate(values, form, short_name),
        station_id=(entry.station_id or None) if entry is not None else None,
        station_state=(entry.station_state or None) if entry is not None else None,
        missing_parts=is_waiting_for_parts(values.get("parts_status"), parts.parts if parts is not None else ()),
        values=values,
        fields=form.fields,
        parts=parts.parts if parts is not None else (),
        archived=entry is None,
        employee_id=(entry.employee_id or None) if entry is not None else None,
        position=(entry.position or None) if entry is not None else None,
        list_finish_date=(entry.finish_date or None) if entry is not None else None,
        unreadable={**form.unreadable, **dict(entry.too_long if entry is not None else ())},
    )


def update_from_form(order: Order, form: FormReading) -> Order:
    """The same order with what its form says now; the list's and the parts page's share stays as it was."""
    entry = BoardEntry(order_id=order.id, short_name=order.short_name, finish_date=order.list_finish_date or "")
    status = order.values.get("parts_status")
    values = _with_fallbacks(entry, form, PartsReading(order.parts, str(status) if status else None))
    plate, missing = (
        _plate(values, form, order.short_name),
        is_waiting_for_parts(values.get("parts_status"), order.parts),
    )
    listed = {name: doubt for name, doubt in order.unreadable.items() if name in BoardEntry._fields}
    unreadable = {**form.unreadable, **listed}
    return replace(order, values=values, fields=form.fields, plate=plate, missing_parts=missing, unreadable=unreadable)


def update_from_parts(order: Order, parts: PartsReading) -> Order:
    """The same order with what its parts page says now."""
    values = {**order.values, "parts_status": parts.status or order.values.get("parts_status")}
    missing = is_waiting_for_parts(values["parts_status"], parts.parts)
    return replace(order, values=values, parts=parts.parts, missing_parts=missing)


def is_emptied(held: Mapping[str, Value], form: FormReading) -> bool:
    """
    Whether a form lost nearly all the values that its order held, by field path. PlanSo shows such forms now and then
    for orders that are well: they must not be saved, and not be mirrored. A form without any label counts.
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
    """An order's ETag: its version, and a fingerprint of the ids of its pending writes, of which there may be many."""
    if not pending:
        return str(version)
    return f"{version}.{hashlib.blake2b(' '.join(pending).encode(), digest_size=8).hexdigest()}"


def is_stay_overlapping(one: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
    """
    Whether two orders, values by field path, are in the workshop at the same time, as far as their dates tell: from the
    first to the last of `STAY`. One without any may be there at any time.
    """
    mine, theirs = (
        [str(values[path])[:10] for path in IN_WORKSHOP_DATES if "-" in str(values.get(path) or "")]
        for values in (one, other)
    )
    return not mine or not theirs or (min(mine) <= max(theirs) and min(theirs) <= max(mine))


def has_identity(form: FormReading) -> bool:
    """Whether a form names a person or a vehicle: the form of an order that does not exist may hold defaults."""
    return any(form.value_or_unreadable(path) for path in IDENTIFYING_PATHS)


def _with_fallbacks(entry: BoardEntry | None, form: FormReading, parts: PartsReading | None) -> dict[str, Value]:
    values = dict(form.values)
    if form.value_or_unreadable("damage") is None and entry is not None and entry.finish_date:
        values["damage"] = entry.finish_date
    if parts is not None and parts.status:
        values["parts_status"] = parts.status
    return values


def _plate(values: Mapping[str, Value], form: FormReading, short_name: str) -> str | None:
    if PLATE in form.unreadable:
        return None
    plate = values.get(PLATE) or values.get(VEHICLE)
    return str(plate) if plate else (short_name or None)


def is_waiting_for_parts(status: Value, parts: Sequence[Part]) -> bool:
    """
    Whether an order with this parts status and these parts waits for one. A status that says that parts are missing
    holds whatever the rows say: PlanSo may show none of them. Source: the PlanSo protocol's section 4.
    """
    return not needs_no_parts(status) and (says_parts_missing(status) or count_missing(parts) > 0)
