"""The responses of orders and operations, and the envelope of all responses."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from planso_connector.domain import fields as table
from planso_connector.domain import part, values
from planso_connector.domain.fields import MIRRORED, FieldGroup, FieldKind
from planso_connector.domain.order import MAX_UNREADABLE_LENGTH
from planso_connector.flows.querying.reindex import describe_rebuild
from planso_connector.rest.schemas.examples import build_example, described
from planso_connector.rest.schemas.requests import VehicleDetails
from planso_connector.store.lookup_keys import RebuildProgress

ID_BOUNDS: dict[str, Any] = {"ge": 1, "le": values.MAX_ID}


class Envelope(BaseModel):
    success: bool = described("Whether it was done.", True)
    message: str = described(
        "What is worth knowing, for a person; empty where there is nothing to say.", "", default=""
    )


class UpdateOrderResponse(Envelope):
    """Response after updating an order."""

    order_id: int | None = described("The order.", 130, default=None, **ID_BOUNDS)


_TYPES: dict[FieldKind, type] = {FieldKind.NUMBER: float, FieldKind.ID: int, FieldKind.FLAG: bool}


def _define_mirrored(group: FieldGroup) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for field in MIRRORED:
        if field.group is not group:
            continue
        example = None if field.example is None else values.parse_caller_value(field, field.example)
        note = " ISO 8601." if field.kind in table.TEMPORAL_KINDS else ""
        members[field.name] = (
            _TYPES.get(field.kind, str) | None,
            described(
                f"{field.meaning}.{note} In PlanSo: {field.labels[0]}.",
                example,
                **(ID_BOUNDS if field.kind is FieldKind.ID else {}),
            ),
        )
    return members


class PendingWrite(BaseModel):
    """A write that PlanSo has not confirmed."""

    operation_id: str = described("The write's own id.", "op_5f0c2b9e41d7a6380c1e")
    action: str = described("`update`, `create` or `delete`.", "update")
    asked: dict[str, Any] = described(
        "Field path to the value asked for; null clears.",
        {"shop_date": "2026-12-09", "vehicle_details.km_stand": "84310"},
    )
    created_at: str = described("When it was asked for. UTC.", "2026-11-23T09:41:00.118000Z")


class FieldDoubt(BaseModel):
    """A field that has no value although PlanSo has something there."""

    field: str = described("The field's path, or `fields.` and a label.", "shop_date")
    text: str = described(
        f"What the form shows there; empty where that is longer than {MAX_UNREADABLE_LENGTH} characters.", "KW 51"
    )
    length: int | None = described(
        "Only where it is too long to be the field's value: its characters.", None, default=None
    )
    fingerprint: str | None = described("Only with `length`: another one for another text.", None, default=None)


_KEY_NUMBERS: dict[str, Any] = {
    "hsn": (
        str | None,
        described("Manufacturer's key number, from `kba`; null where that is none.", "0603", default=None),
    ),
    "tsn": (str | None, described("Model's key number, from `kba`.", "BGU", default=None)),
}
_Vehicle = create_model(
    "Vehicle", __doc__="The vehicle, read only.", **_define_mirrored(FieldGroup.VEHICLE), **_KEY_NUMBERS
)
_DETAILS_EXAMPLE = build_example(create_model("_Details", **_define_mirrored(FieldGroup.DETAILS)))


class OrderMembers(BaseModel):
    """The members of an order that are not in `domain.fields`."""

    id: int = described("PlanSo's order id.", 130, **ID_BOUNDS)
    order_id: int = described("The same, as requests name it.", 130, **ID_BOUNDS)
    short_name: str = described("Short name on PlanSo's board.", "WN-AE 2309 Petersen")
    plate: str | None = described("Number plate.", "WN-AE 2309")
    station_id: str | None = described("Station of the board, its id.", "3")
    station_state: str | None = described("State at that station.", "active")
    missing_parts: bool = described("Whether at least one part is missing, or the order's parts status says so.", True)
    archived: bool = described("Whether the order left PlanSo's list of current orders.", False)
    vehicle_details: VehicleDetails = described(
        "The vehicle's fields that requests can change, all of them. Dates are ISO 8601.", _DETAILS_EXAMPLE
    )
    vehicle: _Vehicle = Field(description="The vehicle.")
    fields: dict[str, str | None] = described(
        "Every label of PlanSo's form and what it shows; null where that is longer than "
        f"{table.MAX_SHOWN_LENGTH} characters.",
        {"Fahrername": "Jana Petersen", "Kennzeichen": "WN-AE 2309", "Werkstattstart": "08.12.2026"},
    )
    doubts: list[FieldDoubt] = described(
        "What is null because the form shows no date or number there, or a text longer than is kept: fields by path, "
        "labels of `fields` as `fields.Label`. Never cut: what was read could be written back.",
        [],
    )
    last_synced_at: str = described("When PlanSo was last seen to hold this. UTC.", "2026-11-23T09:40:12.507000Z")
    version: int = described("Grows with every change.", 4)
    pending: list[PendingWrite] = described("Writes that PlanSo has not confirmed.", [])


if TYPE_CHECKING:

    class Order(OrderMembers): ...

else:
    Order = create_model(
        "Order",
        __base__=OrderMembers,
        __doc__="An order, as the connector's database has it. Dates are ISO 8601.",
        **_define_mirrored(FieldGroup.ORDER),
    )


STALE_FIELD = described(
    "Whether no sync ended well for longer than it should; then the answer may lag behind PlanSo.", False
)


class OrderAnswer(Envelope):
    """One order."""

    order: Order = Field(description="The order.")
    stale: bool = STALE_FIELD


class Rebuilding(BaseModel):
    """Progress of rebuilding the search index, as after an upgrade."""

    done: int = described("Orders indexed so far.", 1500)
    all: int | None = described("Orders in total; null until counted.", 2000)


REBUILDING_FIELD = described("Only while the search index is rebuilt: other orders may fit, too.", None, default=None)


def rebuild_members(rebuild: RebuildProgress) -> tuple[str, dict[str, object]]:
    """The sentence for `message`, and the member."""
    message = f"{describe_rebuild(rebuild)}: other orders may fit, too."
    return message, {"rebuilding": {"done": rebuild.done, "all": rebuild.all}}


class OrdersAnswer(Envelope):
    """A page of orders."""

    orders: list[Order] = Field(description="The orders found, newest shop_date first.")
    count: int = described("Orders in this answer.", 1)
    next_cursor: str | None = described(
        "Send it as `cursor` for the next page; null on the last.", "WyIyMDI2LTEyLTA4IiwxMzBd"
    )
    total: int | None = described(
        "With `total=true`: all orders that match, those on other pages too; null where counting takes too long.",
        1,
        default=None,
    )
    stale: bool = STALE_FIELD
    rebuilding: Rebuilding | None = REBUILDING_FIELD


def _make_optional(model: type[BaseModel]) -> dict[str, Any]:
    """The members of a model, none of them required."""
    members: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        annotation: Any = field.annotation
        for constraint in field.metadata:
            annotation = Annotated[annotation, constraint]
        members[name] = annotation, Field(None, description=field.description, examples=field.examples)
    return members


_SelectedOrder = create_model(
    "SelectedOrder", __doc__="The members of an order that `fields` names, and `id`.", **_make_optional(Order)
)
SelectedOrdersAnswer = create_model(
    "SelectedOrdersAnswer",
    __base__=OrdersAnswer,
    __doc__="A page of orders with the members that `fields` names.",
    orders=(list[_SelectedOrder], Field(description="The orders found, newest shop_date first.")),
)
SELECTED_EXAMPLE = {"id": 130, "plate": "WN-AE 2309", "shop_date": "2026-12-08"}


class Part(BaseModel):
    """A part of an order. Dates are ISO 8601, prices in EUR."""

    order_id: int = described("The order that the part belongs to.", 130, **ID_BOUNDS)
    part_no: str | None = described("Part number. In PlanSo: Teile Nr.", "5H6 807 421")
    description: str | None = described("What it is. In PlanSo: Teil.", "Stoßfänger hinten")
    lead_no: str | None = described("Lead number of the calculation. In PlanSo: Leit Nr.", "6350")
    order_no: str | None = described(
        "The order number shown with the part: likely the workshop's own, not the supplier's. In PlanSo: A.Nummer.",
        "B-20711",
    )
    row_id: str | None = described("PlanSo's id of the row in the table of parts.", "40711")
    part_id: str | None = described("PlanSo's id of the part.", "212133")
    qty: float | None = described("How many. In PlanSo: Menge.", 1.0)
    price_each: float | None = described("Price of one in EUR. In PlanSo: E.Preis.", 412.5)
    price_total: float | None = described("Price of all in EUR. In PlanSo: G.Preis.", 412.5)
    status: str | None = described("Status in words, as PlanSo shows it.", "bestellt")
    status_code: str | None = described("PlanSo's code of the status.", "2")
    order_date: str | None = described("Ordered on. ISO 8601. In PlanSo: Datum, before the slash.", "2026-11-24")
    delivery_date: str | None = described(
        "Delivered on, or announced for. ISO 8601. In PlanSo: Datum, after the slash.", "2026-12-04"
    )
    eta_date: str | None = described(
        "Expected on, where the installation shows such a column. ISO 8601. In PlanSo: ETA, Liefertermin.", "2026-12-03"
    )
    is_to_order: bool = described("Whether it has to be ordered. In PlanSo: the box `order_parts`.", False)
    is_ordered: bool = described("Whether it was ordered. In PlanSo: the box `bestellt`.", True)
    is_delivered: bool = described("Whether it is there. In PlanSo: the box `delivered`.", False)
    is_backorder: bool = described("Whether the supplier can't deliver yet. In PlanSo: the box `ruckstand`.", False)
    is_mandatory: bool = described("Whether work can't start without it. In PlanSo: the box `mandatory`.", True)
    is_price_checked: bool = described("Whether somebody checked the price. In PlanSo: the box `price_checked`.", True)
    is_missing: bool = described(f"Whether it is missing: {(part.Part.is_missing.__doc__ or '').lower()}", True)


class PartsAnswer(Envelope):
    """The parts of an order."""

    parts: list[Part] = Field(description="The parts, in the order of PlanSo's page.")
    count: int = described("Parts in this answer.", 1)
    missing: int = described("How many of them are missing.", 1)


_OPERATION_ID = "op_5f0c2b9e41d7a6380c1e"
_ASKED = {"shop_date": "2026-12-09", "remarks": None}
_RECORDED, _DEADLINE = "2026-11-23T09:41:00.118000Z", "2026-11-24T09:41:00.118000Z"


class WriteAccepted(Envelope):
    """The write is on disk here, and PlanSo has not confirmed it within the wait."""

    order_id: int | None = described("The order; null for one that is not created yet.", 130, **ID_BOUNDS)
    operation_id: str = described("`GET /api/operations/{id}` tells what becomes of it.", _OPERATION_ID)
    state: str = described("`pending`.", "pending")


class FieldConflict(BaseModel):
    """A field that the caller and somebody in PlanSo changed; without `orders:read` its path alone."""

    field: str = described("The field's path, or `fields.` and a label.", "shop_date")
    base: Any = described("What the caller relied on.", "2026-12-08")
    theirs: Any = described("What PlanSo holds.", "2026-12-10")
    yours: Any = described("What the caller asked for.", "2026-12-09")


class OverwrittenEdit(BaseModel):
    """An edit by somebody in PlanSo that a save wrote over. Null without `orders:read`."""

    label: str = described("PlanSo's label of the control, else its name.", "ExpressLink")
    theirs: str | None = described("What it was seen to hold.", "E-4711")
    now: str | None = described("What it holds now.", "")


class ControlDifference(BaseModel):
    """A control of PlanSo's form that a save changed unasked; without `orders:read` without its values."""

    column: str = described("The control's name.", "f_8123")
    label: str = described("Its label.", "Telefon")
    verdict: str = described("What the difference is taken for, such as `lost`.", "lost")
    before: list[str] | None = described("The values that a browser would have sent before.", ["0151 23456"])
    after: list[str] | None = described("The same after the save.", [""])


class OperationBody(BaseModel):
    """A write, from when it was recorded to what became of it."""

    id: str = described("The operation's id.", _OPERATION_ID)
    action: str = described("`update`, `create` or `delete`.", "update")
    order_id: int | None = described("The order; null for one that is not created yet.", 130, **ID_BOUNDS)
    state: str = described(
        "`pending`; or how it ended: `confirmed`, `refused`, `expired`, `damaged`, `conflict`.", "confirmed"
    )
    message: str = described("Why it is not done yet, or what came of it, for a person.", "")
    asked: dict[str, Any] = described(
        "Field path to the value asked for; null clears. Empty where it is not the caller's own, or is an "
        "undo, and the caller has not `orders:read`.",
        _ASKED,
    )
    before: dict[str, Any] | None = described(
        "What PlanSo held in the fields that were changed; null where nothing was sent, and without `orders:read`.",
        {"shop_date": "2026-12-08", "remarks": "Leihwagen"},
    )
    differences: list[ControlDifference] = described(
        "What its save changed unasked, and what that means. `POST .../restore` writes damage back.", []
    )
    overwritten: list[OverwrittenEdit] = described(
        "Edits by people in PlanSo that were seen, and that the save wrote over.", []
    )
    controls: dict[str, list[str] | None] | None = described(
        "Of one that writes damaged values back: the controls and their values; null otherwise.", None
    )
    conflicts: list[FieldConflict] = described("With `conflict`: each field.", [])
    undoes: str | None = described("The operation that this one undoes.", None)
    caller: str = described("Who asked for it.", "")
    attempts: int = described("How often PlanSo was tried.", 1)
    sent: bool = described("Whether anything was sent that may have changed PlanSo.", True)
    created_at: str = described("When it was recorded. UTC.", _RECORDED)
    deadline_at: str = described("Until when it is tried. UTC.", _DEADLINE)
    next_attempt_at: str | None = described("While pending: not tried before. UTC.", "2026-11-23T09:41:02.403000Z")
    settled_at: str | None = described("When it was settled; null while pending. UTC.", "2026-11-23T09:41:00.702000Z")


class OperationAnswer(Envelope):
    """One operation."""

    operation: OperationBody = Field(description="The operation.")


class OperationsAnswer(Envelope):
    """A page of operations."""

    operations: list[OperationBody] = Field(description="The operations, newest first.")
    count: int = described("Operations in this answer.", 1)
    next_cursor: str | None = described("Send it as `cursor` for the next page; null on the last.", None)


class PlannedChange(BaseModel):
    """What a write would change."""

    field: str = described("The field's path, or `fields.` and a label.", "shop_date")
    label: str = described("PlanSo's label.", "Werkstattstart")
    before: Any = described("What PlanSo holds; null without `orders:read`.", "2026-12-08")
    after: Any = described("What it would hold; null with an undo without `orders:read`.", "2026-12-09")


class DryRunAnswer(UpdateOrderResponse):
    """What a write would change; nothing was recorded or sent."""

    dry_run: Literal[True] = described("Always true.", True)
    changes: list[PlannedChange] = Field(
        description="Each field that would change; without `orders:read` each that was asked for."
    )


class HistoryChange(BaseModel):
    """One thing that changed."""

    field: str | None = described("The field's path, or a member of the order.", "shop_date", default=None)
    label: str | None = described("PlanSo's label, of what has no field here.", None, default=None)
    before: Any = described("What it was.", "2026-12-08")
    after: Any = described("What it is since then.", "2026-12-09")


class HistoryEntry(BaseModel):
    """What one side changed with a version of the order."""

    version: int = described("The version that shows it.", 5)
    at: str = described("When it was seen. UTC.", "2026-11-23T09:41:00.702000Z")
    by: str = described("Who: the caller of the operation, or `PlanSo`.", "PlanSo")
    operation_id: str | None = described("The operation; null where it was done in PlanSo.", None)
    changes: list[HistoryChange] = Field(description="What changed.")


class HistoryAnswer(Envelope):
    """What changed in an order, newest first."""

    history: list[HistoryEntry] = Field(description="The entries, newest first.")
    count: int = described("Entries in this answer.", 1)
    next_cursor: int | None = described("Send it as `cursor` for the next page; null on the last.", None)


UPDATED_EXAMPLE = build_example(UpdateOrderResponse)
NOTHING_SENT_EXAMPLE = UPDATED_EXAMPLE | {"message": "Nothing differs from what PlanSo holds; nothing was sent."}
READ_ONLY_EXAMPLE = UPDATED_EXAMPLE | {"message": "Left out, read only: id, plate, version."}
LEFT_OUT_EXAMPLE = UPDATED_EXAMPLE | {"message": "Left out, not known here: kennzeichen."}
ACCEPTED_EXAMPLE = build_example(
    WriteAccepted, message="On disk here. PlanSo has not confirmed it yet; it is tried until 2026-11-24T09:41:00Z."
)
DRY_RUN_EXAMPLE = build_example(DryRunAnswer, message="Dry run: nothing was recorded or sent.")
SHADOWED_EXAMPLE = DRY_RUN_EXAMPLE | {"success": False, "message": "CONNECTOR_WRITES=shadow: nothing was sent."}
