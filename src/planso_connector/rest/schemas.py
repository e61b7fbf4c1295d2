"""The request bodies and answers, made from the table of fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from planso_connector.domain import fields as table
from planso_connector.domain import values
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.fields import MIRRORED, Group, Kind, On, Value, fields_on
from planso_connector.domain.part import Part


def _whole(value: object) -> object:
    """JSON knows one kind of number: 123.0 is the integer 123."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _acceptable(field: table.Field, value: Any) -> Any:
    values.accept(field, value)
    return value


def _request_type(field: table.Field) -> Any:
    check = AfterValidator(partial(_acceptable, field))
    if field.kind is Kind.NUMBER:
        return Annotated[float, Field(ge=0, le=values.MAX_HOURS, allow_inf_nan=False), check]
    if field.kind is Kind.ID:
        return Annotated[int, Field(ge=1, le=values.MAX_ID), BeforeValidator(_whole), check]
    return Annotated[bool if field.kind is Kind.FLAG else str, check]


_ACCEPTS = {
    Kind.DATE: " A date: `16.12.2025`, `16.12.25` or `2025-12-16`, a time may follow.",
    Kind.MONTH: " A date as `16.12.2025` or `2025-12-16`, or a month as `12/2025`.",
    Kind.TIME: " A time: `08:30`, `08:30:00` or `8 Uhr`, a date may stand in front.",
    Kind.DATETIME: " A date and time: `16.12.2025 12:08` or `2025-12-16T12:08:00`; the time may be missing.",
    Kind.LONG_TEXT: " Line breaks are allowed.",
}


def _definition(field: table.Field, body: On) -> Any:
    kind = _request_type(field)
    default: Value = None
    if body is On.CREATE and field.min_length_on_create:
        kind = Annotated[kind, Field(min_length=field.min_length_on_create)]
    if body is On.CREATE and field.default is not None:
        default = field.default
    return (
        kind | None,
        Field(
            default,
            description=f"{field.meaning}.{_ACCEPTS.get(field.kind, '')} In PlanSo: {field.labels[0]}.",
            examples=[field.example],
        ),
    )


class Body(BaseModel):
    """What a request body may hold; fields that the contract doesn't know are left out, and told."""

    model_config = ConfigDict(strict=True, extra="allow")
    body_kind: ClassVar[On] = On.UPDATE

    def asked(self, *, null_clears: bool) -> dict[str, Value]:
        """Field path to canonical value, for the fields that were sent. Null is no change, or clears."""
        found: dict[str, Value] = {}
        details = getattr(self, Group.DETAILS.value, None)
        all_details_null = null_clears and details is None and Group.DETAILS.value in self.model_fields_set
        for field in fields_on(self.body_kind):
            holder: BaseModel | None = details if field.group is Group.DETAILS else self
            if field.group is Group.DETAILS and all_details_null:
                found[field.path] = None
            if holder is None or field.name not in holder.model_fields_set:
                continue
            given = getattr(holder, field.name)
            if given is not None:
                found[field.path] = values.accept(field, given)
            elif null_clears:
                found[field.path] = None
        return found

    def unknown(self) -> dict[str, Any]:
        """The members that the contract doesn't know, by path."""
        found = dict(self.model_extra or {})
        details = getattr(self, Group.DETAILS.value, None)
        if isinstance(details, BaseModel):
            found |= {f"{Group.DETAILS.value}.{name}": value for name, value in (details.model_extra or {}).items()}
        return found


def unknown_fields(body: Body, *, strict: bool) -> str:
    """
    A sentence that names what was left out, empty where nothing was. Raises Invalid when `strict`, and for objects and
    lists that the contract doesn't know.
    """
    unknown = body.unknown()
    refused = [
        Problem(("body", *path.split(".")), "is not a field of this request; leave it out", "extra_forbidden")
        for path, value in unknown.items()
        if strict or isinstance(value, dict | list)
    ]
    if refused:
        raise Invalid(refused[:20])
    names = [repr(path[:60])[1:-1] for path in unknown]
    if not names:
        return ""
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"Left out, not known here: {', '.join(names[:20])}{more}."


def _example(body: On, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    example: dict[str, Any] = {Group.DETAILS.value: {}}
    for field in fields_on(body):
        if field.name in leave_out:
            continue
        (example[Group.DETAILS.value] if field.group is Group.DETAILS else example)[field.name] = field.example
    return example


def _members(body: On) -> dict[str, Any]:
    return {field.name: _definition(field, body) for field in fields_on(body) if field.group is Group.ORDER}


_Details = create_model(
    "VehicleDetailsModel",
    __base__=Body,
    __doc__="Vehicle details for creating/updating orders.",
    **{field.name: _definition(field, On.UPDATE) for field in fields_on(On.UPDATE) if field.group is Group.DETAILS},
)
_VEHICLE_DETAILS: dict[str, Any] = {
    Group.DETAILS.value: (_Details | None, Field(None, description="Vehicle details for creating/updating orders."))
}

if TYPE_CHECKING:

    class UpdateOrder(Body):
        """Request to update an existing order."""

        order_id: int

    class PatchOrder(Body):
        """A merge patch for an existing order."""

    class CreateOrder(Body):
        """Request to create an order."""

    class Order(BaseModel):
        """An order, as the connector's database has it."""

else:
    UpdateOrder = create_model(
        "UpdateOrder",
        __base__=Body,
        __doc__="Request to update an existing order.",
        order_id=(
            Annotated[int, BeforeValidator(_whole)],
            Field(ge=1, le=values.MAX_ID, description="Order ID to update", examples=[130]),
        ),
        **_VEHICLE_DETAILS,
        **_members(On.UPDATE),
    )
    PatchOrder = create_model(
        "PatchOrder",
        __base__=Body,
        __doc__="A merge patch (RFC 7396) for an existing order: null clears.",
        **_VEHICLE_DETAILS,
        **_members(On.UPDATE),
    )
    CreateOrder = create_model(
        "CreateOrder",
        __base__=Body,
        __doc__="Request to create an order.",
        **_VEHICLE_DETAILS,
        **_members(On.CREATE),
    )
    CreateOrder.body_kind = On.CREATE

UPDATE_EXAMPLE = {"order_id": 130, **_example(On.UPDATE)}
PATCH_EXAMPLE = {"shop_date": "08.12.2026", "est_hours_karo": 11.3, "remarks": None}
CREATE_EXAMPLE = _example(On.CREATE)


class Envelope(BaseModel):
    success: bool = Field(description="Whether it was done.", examples=[True])
    message: str = Field("", description="What is worth knowing, for a person; empty where there is nothing to say.")


class UpdateOrderResponse(Envelope):
    """Response after updating an order."""

    order_id: int | None = Field(None, description="The order.", examples=[130])


_ANSWER_TYPES: dict[Kind, type] = {Kind.NUMBER: float, Kind.ID: int, Kind.FLAG: bool}
_ISO = {Kind.DATE, Kind.MONTH, Kind.DATETIME, Kind.TIME}


def _answered(group: Group) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for field in MIRRORED:
        if field.group is not group:
            continue
        note = " ISO 8601." if field.kind in _ISO else ""
        members[field.name] = (
            _ANSWER_TYPES.get(field.kind, str) | None,
            Field(description=f"{field.meaning}.{note} In PlanSo: {field.labels[0]}."),
        )
    return members


class PendingWrite(BaseModel):
    """A write that PlanSo has not confirmed."""

    operation_id: str
    action: str
    asked: dict[str, Any] = Field(description="Field path to the value asked for; null clears.")
    created_at: str


if not TYPE_CHECKING:
    _Vehicle = create_model("Vehicle", __doc__="The vehicle, read only.", **_answered(Group.VEHICLE))
    _DetailsAnswer = create_model(
        "VehicleDetails", __doc__="The vehicle, as requests name its fields.", **_answered(Group.DETAILS)
    )
    Order = create_model(
        "Order",
        __doc__="An order, as the connector's database has it. Dates are ISO 8601.",
        id=(int, Field(description="PlanSo's order id.", examples=[130])),
        short_name=(str, Field(description="Short name on PlanSo's board.")),
        plate=(str | None, Field(description="Number plate.", examples=["WN-AE 2309"])),
        station_id=(str | None, Field(description="Station of the board, its id.", examples=["3"])),
        station_state=(str | None, Field(description="State at that station.", examples=["active"])),
        missing_parts=(bool, Field(description="Whether at least one part is missing.")),
        archived=(bool, Field(description="Whether the order left PlanSo's list of current orders.")),
        vehicle_details=(_DetailsAnswer, Field(description="The vehicle, as requests name its fields.")),
        vehicle=(_Vehicle, Field(description="The vehicle.")),
        fields=(dict[str, str], Field(description="Every label of PlanSo's form and what it shows.")),
        last_synced_at=(str, Field(description="When PlanSo was last seen to hold this. UTC.")),
        version=(int, Field(description="Grows with every change.")),
        pending=(list[PendingWrite], Field(description="Writes that PlanSo has not confirmed.")),
        **_answered(Group.ORDER),
    )


_STALE = "Whether no sync ended well for longer than it should; then the answer may lag behind PlanSo."


class OrderAnswer(Envelope):
    order: Order
    stale: bool = Field(description=_STALE)


class OrdersAnswer(Envelope):
    orders: list[Order]
    count: int = Field(description="Orders in this answer.")
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last.")
    stale: bool = Field(description=_STALE)


def _part_members() -> dict[str, Any]:
    hints: Mapping[str, Any] = Part.__annotations__
    kinds = {"int": int, "str | None": str | None, "float | None": float | None, "bool": bool}
    members: dict[str, Any] = {name: (kinds[hint], Field()) for name, hint in hints.items()}
    members["is_missing"] = (bool, Field(description=Part.is_missing.__doc__))
    return members


if TYPE_CHECKING:

    class PartAnswer(BaseModel):
        """A part of an order."""

else:
    PartAnswer = create_model(
        "Part", __doc__="A part of an order. Dates are ISO 8601, prices in EUR.", **_part_members()
    )


class PartsAnswer(Envelope):
    parts: list[PartAnswer]
    count: int = Field(description="Parts in this answer.")
    missing: int = Field(description="How many of them are missing.")


class SectionEntry(BaseModel):
    """A section that was read."""

    name: str = Field(examples=["stamped_timings"])
    last_synced_at: str


class SectionsAnswer(Envelope):
    sections: list[SectionEntry]
    count: int = Field(description="Sections in this answer.")


class SectionTable(BaseModel):
    """A table of the tab, as text."""

    headers: list[str]
    rows: list[list[str]]


class SectionLink(BaseModel):
    """A link of the tab."""

    text: str
    href: str


class Section(BaseModel):
    """One tab of the order in PlanSo."""

    name: str
    tables: list[SectionTable]
    pairs: dict[str, str] = Field(description="Each label and its value.")
    links: list[SectionLink]


class SectionAnswer(Envelope):
    section: Section
    last_synced_at: str
