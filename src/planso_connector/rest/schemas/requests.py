"""The request bodies, made from the table of fields. The answers are in `answers`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from planso_connector.domain import fields as table
from planso_connector.domain import values
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.fields import FieldGroup, FieldKind, RequestKind, Value, fields_accepted_in
from planso_connector.domain.saving import appending


def _whole(value: object) -> object:
    """JSON knows one kind of number: 123.0 is the integer 123."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _acceptable(field: table.OrderField, value: Any) -> Any:
    values.parse_caller_value(field, value)
    return value


def _request_type(field: table.OrderField) -> Any:
    check = AfterValidator(partial(_acceptable, field))
    if field.kind is FieldKind.FLAG:
        return Annotated[bool, check]
    if field.kind is FieldKind.NUMBER:
        return Annotated[float, Field(ge=0, le=values.MAX_HOURS, allow_inf_nan=False), check]
    if field.kind is FieldKind.ID:
        return Annotated[int, Field(ge=1, le=values.MAX_ID), BeforeValidator(_whole), check]
    return Annotated[str, Field(max_length=field.max_length), check]


_ACCEPTS = {
    FieldKind.DATE: " A date: `16.12.2025`, `16.12.25` or `2025-12-16`, a time may follow.",
    FieldKind.MONTH: " A date as `16.12.2025` or `2025-12-16`, or a month as `12/2025` or `12/25`.",
    FieldKind.PAST_MONTH: " A date as `16.12.2015` or `2015-12-16`, or a month as `12/2015`. With a year of two digits the "
    "latest that is not after the next year: `01.07.65` is 1965.",
    FieldKind.TIME: " A time: `08:30`, `08:30:00` or `8 Uhr`, a date may stand in front. Of a range as `14:00-16:00` its "
    "start is taken for `_from`, its end for `_to`.",
    FieldKind.DATETIME: " A date and time: `16.12.2025 12:08` or `2025-12-16T12:08:00`; the time may be missing. A time "
    "alone only where PlanSo holds a date that it goes with, or a time of day alone.",
    FieldKind.LONG_TEXT: " Line breaks are allowed.",
}


def _line(field: table.OrderField, text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; accepted: a line to add, or null")
    values.parse_caller_value(field, text)
    return text


def _append_definition(field: table.OrderField) -> Any:
    told = f"{field.meaning}. Not together with the field itself. In PlanSo: {field.labels[0]}."
    kind = Annotated[str, Field(max_length=field.max_length), AfterValidator(partial(_line, field))]
    return kind | None, Field(None, description=told, examples=[field.example])


def _definition(field: table.OrderField, body: RequestKind) -> Any:
    kind = _request_type(field)
    default: Value = None
    if body is RequestKind.CREATE and field.min_length_on_create:
        kind = Annotated[kind, Field(min_length=field.min_length_on_create)]
    if body is RequestKind.CREATE and field.default is not None:
        default = field.default
    return (
        kind | None,
        Field(
            default,
            description=f"{field.meaning}.{_ACCEPTS.get(field.kind, '')} In PlanSo: {field.labels[0]}.",
            examples=[field.example],
        ),
    )


_LONGEST_NAME = 60
"""So many characters of a member that is not known are told."""


class WriteBody(BaseModel):
    """What a request body may hold; fields that the contract doesn't know are left out, and told."""

    # Built with its route: later, pydantic would warn of FastAPI's alias for it.
    model_config = ConfigDict(strict=True, extra="allow", defer_build=False)
    body_kind: ClassVar[RequestKind] = RequestKind.UPDATE

    def get_changes(self, *, null_clears: bool) -> dict[str, Value]:
        """
        Field path to canonical value, for the fields that were sent. Null is no change, or clears. Raises Invalid for a
        field that is both written and appended to.
        """
        found: dict[str, Value] = {}
        details = getattr(self, FieldGroup.DETAILS.value, None)
        all_details_null = null_clears and details is None and FieldGroup.DETAILS.value in self.model_fields_set
        for field in fields_accepted_in(self.body_kind):
            holder: BaseModel | None = details if field.group is FieldGroup.DETAILS else self
            if field.group is FieldGroup.DETAILS and all_details_null:
                found[field.path] = None
            if holder is None or field.name not in holder.model_fields_set:
                continue
            given = getattr(holder, field.name)
            if given is not None:
                found[field.path] = values.parse_caller_value(field, given)
            elif null_clears:
                found[field.path] = None
        return found | self._appended(found)

    def _appended(self, written: Mapping[str, Value]) -> dict[str, Value]:
        """The lines to add; null adds nothing, in a merge patch too."""
        known = [field for field in table.APPEND_FIELDS if field.name in type(self).model_fields]
        given = {field: getattr(self, field.name) for field in known}
        lines = {
            field.name: values.parse_caller_value(field, line) for field, line in given.items() if line is not None
        }
        both = [name for name in lines if appending.target_field(name) in written]
        if both:
            raise Invalid(
                [
                    Problem(
                        ("body", name),
                        f"{appending.target_field(name)} is given too; accepted: one of the two",
                        "conflicting_fields",
                    )
                    for name in both
                ]
            )
        return lines

    def get_unknown_members(self) -> dict[str, Any]:
        """The members that the contract doesn't know, by path."""
        found = dict(self.model_extra or {})
        details = getattr(self, FieldGroup.DETAILS.value, None)
        if isinstance(details, BaseModel):
            found |= {
                f"{FieldGroup.DETAILS.value}.{name}": value for name, value in (details.model_extra or {}).items()
            }
        return found


def describe_unknown_fields(body: WriteBody, *, strict: bool) -> str:
    """
    A sentence that names what was left out, empty where nothing was. Raises Invalid when `strict`, and for objects and
    lists that the contract doesn't know.
    """
    unknown = body.get_unknown_members()
    refused = [
        Problem(
            ("body", *path[:_LONGEST_NAME].split(".")),
            "is not a field of this request; leave it out",
            "extra_forbidden",
        )
        for path, value in unknown.items()
        if strict or isinstance(value, dict | list)
    ]
    if refused:
        raise Invalid(refused[:20])
    names = [repr(path[:_LONGEST_NAME])[1:-1] for path in unknown]
    if not names:
        return ""
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"Left out, not known here: {', '.join(names[:20])}{more}."


def _example(body: RequestKind, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    example: dict[str, Any] = {FieldGroup.DETAILS.value: {}}
    for field in fields_accepted_in(body):
        if field.name in leave_out:
            continue
        (example[FieldGroup.DETAILS.value] if field.group is FieldGroup.DETAILS else example)[field.name] = (
            field.example
        )
    return example


def _members(body: RequestKind) -> dict[str, Any]:
    members = {
        field.name: _definition(field, body) for field in fields_accepted_in(body) if field.group is FieldGroup.ORDER
    }
    if body is RequestKind.UPDATE:
        members |= {field.name: _append_definition(field) for field in table.APPEND_FIELDS}
    return members


_Details = create_model(
    "VehicleDetailsModel",
    __base__=WriteBody,
    __doc__="Vehicle details for creating/updating orders.",
    **{
        field.name: _definition(field, RequestKind.UPDATE)
        for field in fields_accepted_in(RequestKind.UPDATE)
        if field.group is FieldGroup.DETAILS
    },
)
_VEHICLE_DETAILS: dict[str, Any] = {
    FieldGroup.DETAILS.value: (
        _Details | None,
        Field(None, description="Vehicle details for creating/updating orders."),
    )
}

if TYPE_CHECKING:

    class UpdateOrder(WriteBody):
        """Request to update an existing order."""

        order_id: int

    class PatchOrder(WriteBody):
        """A merge patch for an existing order."""

    class CreateOrder(WriteBody):
        """Request to create an order."""

else:
    UpdateOrder = create_model(
        "UpdateOrder",
        __base__=WriteBody,
        __doc__="Request to update an existing order.",
        order_id=(
            Annotated[int, BeforeValidator(_whole)],
            Field(ge=1, le=values.MAX_ID, description="Order ID to update", examples=[130]),
        ),
        **_VEHICLE_DETAILS,
        **_members(RequestKind.UPDATE),
    )
    PatchOrder = create_model(
        "PatchOrder",
        __base__=WriteBody,
        __doc__="A merge patch (RFC 7396) for an existing order: null clears.",
        **_VEHICLE_DETAILS,
        **_members(RequestKind.UPDATE),
    )
    CreateOrder = create_model(
        "CreateOrder",
        __base__=WriteBody,
        __doc__="Request to create an order.",
        **_VEHICLE_DETAILS,
        **_members(RequestKind.CREATE),
    )
    CreateOrder.body_kind = RequestKind.CREATE

UPDATE_EXAMPLE = {"order_id": 130, **_example(RequestKind.UPDATE)}
PATCH_EXAMPLE = {"shop_date": "08.12.2026", "est_hours_karo": 11.3, "remarks": None}
CREATE_EXAMPLE = _example(RequestKind.CREATE)
