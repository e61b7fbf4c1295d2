"""The answers of /api/orders, made from the table of fields and from `Part`, and the envelope of all answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, create_model

from planso_connector.domain import fields as table
from planso_connector.domain import values
from planso_connector.domain.fields import MIRRORED, FieldGroup, FieldKind
from planso_connector.domain.order import MAX_UNREADABLE_LENGTH
from planso_connector.domain.part import Part
from planso_connector.flows.querying.reindex import describe_rebuild
from planso_connector.rest.schemas.examples import build_example
from planso_connector.store.lookup_keys import RebuildProgress


class Envelope(BaseModel):
    success: bool = Field(description="Whether it was done.", examples=[True])
    message: str = Field(
        "", description="What is worth knowing, for a person; empty where there is nothing to say.", examples=[""]
    )


class UpdateOrderResponse(Envelope):
    """Response after updating an order."""

    order_id: int | None = Field(None, description="The order.", examples=[130])


_ANSWER_TYPES: dict[FieldKind, type] = {FieldKind.NUMBER: float, FieldKind.ID: int, FieldKind.FLAG: bool}


def _answered(group: FieldGroup) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for field in MIRRORED:
        if field.group is not group:
            continue
        example = None if field.example is None else values.parse_caller_value(field, field.example)
        note = " ISO 8601." if field.kind in table.TEMPORAL_KINDS else ""
        members[field.name] = (
            _ANSWER_TYPES.get(field.kind, str) | None,
            Field(description=f"{field.meaning}.{note} In PlanSo: {field.labels[0]}.", examples=[example]),
        )
    return members


class PendingWrite(BaseModel):
    """A write that PlanSo has not confirmed."""

    operation_id: str = Field(description="The write's own id.", examples=["op_5f0c2b9e41d7a6380c1e"])
    action: str = Field(description="`update`, `create` or `delete`.", examples=["update"])
    asked: dict[str, Any] = Field(
        description="Field path to the value asked for; null clears.",
        examples=[{"shop_date": "2026-12-09", "vehicle_details.km_stand": "84310"}],
    )
    created_at: str = Field(description="When it was asked for. UTC.", examples=["2026-11-23T09:41:00.118000Z"])


class FieldDoubt(BaseModel):
    """A field that has no value although something stands there in PlanSo."""

    field: str = Field(description="The field's path, or `fields.` and a label.", examples=["shop_date"])
    text: str = Field(
        description=f"What stands there; empty where that is longer than {MAX_UNREADABLE_LENGTH} characters.",
        examples=["KW 51"],
    )
    length: int | None = Field(
        None, description="Only where it is too long to be the field's value: its characters.", examples=[None]
    )
    fingerprint: str | None = Field(
        None, description="Only beside `length`: another one for another text.", examples=[None]
    )


_DOUBTS = Field(
    description="What is null because what stands there is no date or number, or is longer than is kept: fields by "
    "path, labels of `fields` as `fields.Label`. Never cut: what was read could be written back.",
    examples=[[]],
)
_FIELDS = Field(
    description=f"Every label of PlanSo's form and what it shows; null where that is longer than {table.MAX_SHOWN_LENGTH} "
    "characters.",
    examples=[{"Fahrername": "Jana Petersen", "Kennzeichen": "WN-AE 2309", "Werkstattstart": "08.12.2026"}],
)
_SYNCED = Field(description="When PlanSo was last seen to hold this. UTC.", examples=["2026-11-23T09:40:12.507000Z"])

if TYPE_CHECKING:

    class Order(BaseModel):
        """An order, as the connector's database has it."""

else:
    _Vehicle = create_model("Vehicle", __doc__="The vehicle, read only.", **_answered(FieldGroup.VEHICLE))
    _DetailsAnswer = create_model(
        "VehicleDetails", __doc__="The vehicle, as requests name its fields.", **_answered(FieldGroup.DETAILS)
    )
    Order = create_model(
        "Order",
        __doc__="An order, as the connector's database has it. Dates are ISO 8601.",
        id=(int, Field(description="PlanSo's order id.", examples=[130])),
        short_name=(str, Field(description="Short name on PlanSo's board.", examples=["WN-AE 2309 Petersen"])),
        plate=(str | None, Field(description="Number plate.", examples=["WN-AE 2309"])),
        station_id=(str | None, Field(description="Station of the board, its id.", examples=["3"])),
        station_state=(str | None, Field(description="State at that station.", examples=["active"])),
        missing_parts=(
            bool,
            Field(
                description="Whether at least one part is missing, or the order's parts status says so.",
                examples=[True],
            ),
        ),
        archived=(bool, Field(description="Whether the order left PlanSo's list of current orders.", examples=[False])),
        vehicle_details=(_DetailsAnswer, Field(description="The vehicle's fields that requests can change.")),
        vehicle=(_Vehicle, Field(description="The vehicle.")),
        fields=(dict[str, str | None], _FIELDS),
        doubts=(list[FieldDoubt], _DOUBTS),
        last_synced_at=(str, _SYNCED),
        version=(int, Field(description="Grows with every change.", examples=[4])),
        pending=(list[PendingWrite], Field(description="Writes that PlanSo has not confirmed.", examples=[[]])),
        **_answered(FieldGroup.ORDER),
    )


STALE_FIELD = Field(
    description="Whether no sync ended well for longer than it should; then the answer may lag behind PlanSo.",
    examples=[False],
)


class OrderAnswer(Envelope):
    """One order."""

    order: Order = Field(description="The order.")
    stale: bool = STALE_FIELD


class Rebuilding(BaseModel):
    """How far what orders are found by is written anew, as it is after an upgrade."""

    done: int = Field(description="Orders that are found as they should be.", examples=[1500])
    all: int | None = Field(description="Of so many; null where it is only beginning.", examples=[2000])


REBUILDING_FIELD = Field(
    None,
    description="There only while what orders are found by is written anew: other orders may fit, too.",
    examples=[None],
)


def rebuild_members(rebuild: RebuildProgress) -> tuple[str, dict[str, object]]:
    """What is told of it: the words for `message`, and the member."""
    told = f"{describe_rebuild(rebuild)}: other orders may fit, too."
    return told, {"rebuilding": {"done": rebuild.done, "all": rebuild.all}}


class OrdersAnswer(Envelope):
    """A page of orders."""

    orders: list[Order] = Field(description="The orders found, newest shop_date first.")
    count: int = Field(description="Orders in this answer.", examples=[1])
    next_cursor: str | None = Field(
        description="Send it as `cursor` for the next page; null on the last.", examples=["WyIyMDI2LTEyLTA4IiwxMzBd"]
    )
    total: int | None = Field(
        None,
        description="With `total=true`: all orders that match, those on other pages too; null where counting takes too "
        "long.",
        examples=[1],
    )
    stale: bool = STALE_FIELD
    rebuilding: Rebuilding | None = REBUILDING_FIELD


_PART: dict[str, tuple[str, Any]] = {
    "order_id": ("The order that the part belongs to.", 130),
    "part_no": ("Part number. In PlanSo: Teile Nr.", "5H6 807 421"),
    "description": ("What it is. In PlanSo: Teil.", "Stoßfänger hinten"),
    "lead_no": ("Lead number of the calculation. In PlanSo: Leit Nr.", "6350"),
    "order_no": (
        "The order number shown with the part: likely the workshop's own, not the supplier's. In PlanSo: A.Nummer.",
        "B-20711",
    ),
    "row_id": ("PlanSo's id of the row in the table of parts.", "40711"),
    "part_id": ("PlanSo's id of the part.", "212133"),
    "qty": ("How many. In PlanSo: Menge.", 1.0),
    "price_each": ("Price of one in EUR. In PlanSo: E.Preis.", 412.5),
    "price_total": ("Price of all in EUR. In PlanSo: G.Preis.", 412.5),
    "status": ("Status in words, as PlanSo shows it.", "bestellt"),
    "status_code": ("PlanSo's code of the status.", "2"),
    "order_date": ("Ordered on. ISO 8601. In PlanSo: Datum, before the slash.", "2026-11-24"),
    "delivery_date": ("Delivered on, or announced for. ISO 8601. In PlanSo: Datum, after the slash.", "2026-12-04"),
    "eta_date": (
        "Expected on, where the installation shows such a column. ISO 8601. In PlanSo: ETA, Liefertermin.",
        "2026-12-03",
    ),
    "is_to_order": ("Whether it has to be ordered. In PlanSo: the box `order_parts`.", False),
    "is_ordered": ("Whether it was ordered. In PlanSo: the box `bestellt`.", True),
    "is_delivered": ("Whether it is there. In PlanSo: the box `delivered`.", False),
    "is_backorder": ("Whether the supplier can't deliver yet. In PlanSo: the box `ruckstand`.", False),
    "is_mandatory": ("Whether work can't start without it. In PlanSo: the box `mandatory`.", True),
    "is_price_checked": ("Whether somebody checked the price. In PlanSo: the box `price_checked`.", True),
    "is_missing": (f"Whether it is missing: {(Part.is_missing.__doc__ or '').lower()}", True),
}


def _part_members() -> dict[str, Any]:
    hints: Mapping[str, Any] = {**Part.__annotations__, "is_missing": "bool"}
    kinds = {"int": int, "str | None": str | None, "float | None": float | None, "bool": bool}
    members: dict[str, Any] = {}
    for name, hint in hints.items():
        meaning, example = _PART[name]
        members[name] = (kinds[hint], Field(description=meaning, examples=[example]))
    return members


if TYPE_CHECKING:

    class PartAnswer(BaseModel):
        """A part of an order."""

else:
    PartAnswer = create_model(
        "Part", __doc__="A part of an order. Dates are ISO 8601, prices in EUR.", **_part_members()
    )


class PartsAnswer(Envelope):
    """The parts of an order."""

    parts: list[PartAnswer] = Field(description="The parts, in the order of PlanSo's page.")
    count: int = Field(description="Parts in this answer.", examples=[1])
    missing: int = Field(description="How many of them are missing.", examples=[1])


_SECTION_NAME = Field(description="The tab's name, as the address has it.", examples=["stamped_timings"])
_READ = Field(description="When PlanSo was last seen to show this. UTC.", examples=["2026-11-23T09:42:30.004000Z"])


class SectionEntry(BaseModel):
    """A section that was read."""

    name: str = _SECTION_NAME
    last_synced_at: str = _READ


class SectionsAnswer(Envelope):
    """The sections of an order that were read."""

    sections: list[SectionEntry] = Field(description="The sections, by name.")
    count: int = Field(description="Sections in this answer.", examples=[1])


class SectionTable(BaseModel):
    """A table of the tab, as text."""

    headers: list[str] = Field(
        description="The texts of the header row; empty where there is none.",
        examples=[["Mitarbeiter", "Tätigkeit", "Von", "Bis"]],
    )
    rows: list[list[str]] = Field(
        description="The texts of the other rows, cell by cell.",
        examples=[[["M. Krause", "Stoßfänger demontieren", "08:05", "09:20"]]],
    )


class SectionLink(BaseModel):
    """A link of the tab."""

    text: str = Field(description="What the link says.", examples=["Stempelzeiten drucken"])
    href: str = Field(
        description="Where it leads: an http or https address, or one within PlanSo.",
        examples=["/do?m=print_timings&ID=130"],
    )


class Section(BaseModel):
    """One tab of the order in PlanSo."""

    name: str = _SECTION_NAME
    tables: list[SectionTable] = Field(description="The tables of the tab, as text.")
    pairs: dict[str, str] = Field(
        description="Each label and its value.", examples=[{"Gestempelt gesamt": "1,25 Std."}]
    )
    links: list[SectionLink] = Field(description="The links of the tab.")


class SectionAnswer(Envelope):
    """One section of an order."""

    section: Section = Field(description="The tab as it was read.")
    last_synced_at: str = _READ


_OPERATION_ID = "op_5f0c2b9e41d7a6380c1e"
_ASKED = {"shop_date": "2026-12-09", "remarks": None}
_RECORDED, _DEADLINE = "2026-11-23T09:41:00.118000Z", "2026-11-24T09:41:00.118000Z"


class WriteAccepted(Envelope):
    """The write is on disk here, and PlanSo has not confirmed it within the wait."""

    order_id: int | None = Field(description="The order; null for one that is not created yet.", examples=[130])
    operation_id: str = Field(
        description="`GET /api/operations/{id}` tells what becomes of it.", examples=[_OPERATION_ID]
    )
    state: str = Field(description="`pending`.", examples=["pending"])


class FieldConflict(BaseModel):
    """A field that the caller and somebody in PlanSo changed; without `orders:read` its path alone."""

    field: str = Field(description="The field's path, or `fields.` and a label.", examples=["shop_date"])
    base: Any = Field(description="What the caller relied on.", examples=["2026-12-08"])
    theirs: Any = Field(description="What PlanSo holds.", examples=["2026-12-10"])
    yours: Any = Field(description="What the caller asked for.", examples=["2026-12-09"])


class OverwrittenEdit(BaseModel):
    """An edit by somebody in PlanSo that a save wrote over. Null without `orders:read`."""

    label: str = Field(description="PlanSo's label of the control, else its name.", examples=["ExpressLink"])
    theirs: str | None = Field(description="What it was seen to hold.", examples=["E-4711"])
    now: str | None = Field(description="What it holds now.", examples=[""])


class ControlDifference(BaseModel):
    """A control of PlanSo's form that a save changed unasked; without `orders:read` without its values."""

    column: str = Field(description="The control's name.", examples=["f_8123"])
    label: str = Field(description="Its label.", examples=["Telefon"])
    verdict: str = Field(description="What the difference is taken for, such as `lost`.", examples=["lost"])
    before: list[str] | None = Field(
        description="The values that a browser would have sent before.", examples=[["0151 23456"]]
    )
    after: list[str] | None = Field(description="The same after the save.", examples=[[""]])


class OperationBody(BaseModel):
    """A write, from when it was recorded to what became of it."""

    id: str = Field(description="The operation's id.", examples=[_OPERATION_ID])
    action: str = Field(description="`update`, `create` or `delete`.", examples=["update"])
    order_id: int | None = Field(description="The order; null for one that is not created yet.", examples=[130])
    state: str = Field(
        description="`pending`; or how it ended: `confirmed`, `refused`, `expired`, `damaged`, `conflict`.",
        examples=["confirmed"],
    )
    message: str = Field(description="Why it is not done yet, or what came of it, for a person.", examples=[""])
    asked: dict[str, Any] = Field(
        description="Field path to the value asked for; null clears. Empty where it is not the caller's own, or is an "
        "undo, and the caller has not `orders:read`.",
        examples=[_ASKED],
    )
    before: dict[str, Any] | None = Field(
        description="What PlanSo held in the fields that were changed; null where nothing was sent, and without "
        "`orders:read`.",
        examples=[{"shop_date": "2026-12-08", "remarks": "Leihwagen"}],
    )
    differences: list[ControlDifference] = Field(
        description="What its save changed unasked, and what that means. `POST .../restore` writes damage back.",
        examples=[[]],
    )
    overwritten: list[OverwrittenEdit] = Field(
        description="Edits by people in PlanSo that were seen, and that the save wrote over.", examples=[[]]
    )
    controls: dict[str, list[str] | None] | None = Field(
        description="Of one that writes damaged values back: the controls and their values; null otherwise.",
        examples=[None],
    )
    conflicts: list[FieldConflict] = Field(description="With `conflict`: each field.", examples=[[]])
    undoes: str | None = Field(description="The operation that this one undoes.", examples=[None])
    caller: str = Field(description="Who asked for it.", examples=[""])
    attempts: int = Field(description="How often PlanSo was tried.", examples=[1])
    sent: bool = Field(description="Whether anything was sent that may have changed PlanSo.", examples=[True])
    created_at: str = Field(description="When it was recorded. UTC.", examples=[_RECORDED])
    deadline_at: str = Field(description="Until when it is tried. UTC.", examples=[_DEADLINE])
    next_attempt_at: str | None = Field(
        description="While pending: not tried before. UTC.", examples=["2026-11-23T09:41:02.403000Z"]
    )
    settled_at: str | None = Field(
        description="When it was settled; null while pending. UTC.", examples=["2026-11-23T09:41:00.702000Z"]
    )


class OperationAnswer(Envelope):
    """One operation."""

    operation: OperationBody = Field(description="The operation.")


class OperationsAnswer(Envelope):
    """A page of operations."""

    operations: list[OperationBody] = Field(description="The operations, newest first.")
    count: int = Field(description="Operations in this answer.", examples=[1])
    next_cursor: str | None = Field(
        description="Send it as `cursor` for the next page; null on the last.", examples=[None]
    )


class PlannedChange(BaseModel):
    """What a write would change."""

    field: str = Field(description="The field's path, or `fields.` and a label.", examples=["shop_date"])
    label: str = Field(description="PlanSo's label.", examples=["Werkstattstart"])
    before: Any = Field(description="What PlanSo holds; null without `orders:read`.", examples=["2026-12-08"])
    after: Any = Field(
        description="What it would hold; null with an undo without `orders:read`.", examples=["2026-12-09"]
    )


class DryRunAnswer(UpdateOrderResponse):
    """What a write would change; nothing was recorded or sent."""

    dry_run: Literal[True] = Field(description="Always true.", examples=[True])
    changes: list[PlannedChange] = Field(
        description="Each field that would change; without `orders:read` each that was asked for."
    )


class HistoryChange(BaseModel):
    """One thing that changed."""

    field: str | None = Field(None, description="The field's path, or a member of the order.", examples=["shop_date"])
    label: str | None = Field(None, description="PlanSo's label, of what has no field here.", examples=[None])
    before: Any = Field(description="What it was.", examples=["2026-12-08"])
    after: Any = Field(description="What it is since then.", examples=["2026-12-09"])


class HistoryEntry(BaseModel):
    """What one side changed with a version of the order."""

    version: int = Field(description="The version that shows it.", examples=[5])
    at: str = Field(description="When it was seen. UTC.", examples=["2026-11-23T09:41:00.702000Z"])
    by: str = Field(description="Who: the caller of the operation, or `PlanSo`.", examples=["PlanSo"])
    operation_id: str | None = Field(description="The operation; null where it was done in PlanSo.", examples=[None])
    changes: list[HistoryChange] = Field(description="What changed.")


class HistoryAnswer(Envelope):
    """What changed in an order, newest first."""

    history: list[HistoryEntry] = Field(description="The entries, newest first.")
    count: int = Field(description="Entries in this answer.", examples=[1])
    next_cursor: int | None = Field(
        description="Send it as `cursor` for the next page; null on the last.", examples=[None]
    )


UPDATED_EXAMPLE = build_example(UpdateOrderResponse)
NOTHING_SENT_EXAMPLE = UPDATED_EXAMPLE | {"message": "Nothing differs from what PlanSo holds; nothing was sent."}
LEFT_OUT_EXAMPLE = UPDATED_EXAMPLE | {"message": "Left out, not known here: kennzeichen."}
ACCEPTED_EXAMPLE = build_example(
    WriteAccepted, message="On disk here. PlanSo has not confirmed it yet; it is tried until 2026-11-24T09:41:00Z."
)
DRY_RUN_EXAMPLE = build_example(DryRunAnswer, message="Dry run: nothing was recorded or sent.")
