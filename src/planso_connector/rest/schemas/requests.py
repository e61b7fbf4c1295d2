"""The request bodies of writes, generated from `domain.fields`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic_core import PydanticCustomError

from planso_connector.domain import fields, number_grammar, values
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.fields import FieldGroup, FieldKind, OrderField, RequestKind, Value, fields_accepted_in
from planso_connector.domain.messages import MESSAGES, InvalidValue, Message
from planso_connector.domain.notes import join_names
from planso_connector.domain.saving import appending
from planso_connector.rest.similar_names import find_close

_DETAILS = FieldGroup.DETAILS.value
_MAX_NAMED = 20
_WRITABLE = tuple(field.path for field in fields_accepted_in(RequestKind.UPDATE))
_MAX_NAME_LENGTH = 60
"""Characters of an unknown member's name that are repeated to the caller."""


def _to_whole_number(value: object) -> object:
    """JSON has one kind of number: 123.0 is the integer 123. A number in a text is one too."""
    if isinstance(value, str) and value:
        with _reported_as("int_parsing"):
            return number_grammar.parse_whole_number(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _to_number(value: object) -> object:
    if isinstance(value, str) and value:
        with _reported_as("float_parsing"):
            return float(number_grammar.parse_number(value))
    return value


@contextmanager
def _reported_as(error_type: Literal["int_parsing", "float_parsing"]) -> Iterator[None]:
    """A text that is no number has pydantic's code for that, beside our words."""
    try:
        yield
    except InvalidValue as error:
        raise PydanticCustomError(error_type, "not a number", {"error": error}) from error


def _check(field: OrderField, value: Any) -> Any:
    values.parse_caller_value(field, value)
    return value


def _check_line(field: OrderField, text: str) -> str:
    if not text.strip():
        raise InvalidValue("empty_line")
    values.parse_caller_value(field, text)
    return text


_ACCEPTED = {
    FieldKind.DATE: " A date: `16.12.2025`, `16.12.25` or `2025-12-16`, a time may follow.",
    FieldKind.MONTH: " A date as `16.12.2025` or `2025-12-16`, or a month as `12/2025` or `12/25`.",
    FieldKind.PAST_MONTH: " A date as `16.12.2015` or `2015-12-16`, or a month as `12/2015`. With a year of two digits "
    "the latest that is not after the next year: `01.07.65` is 1965.",
    FieldKind.TIME: " A time: `08:30`, `08:30:00` or `8 Uhr`, a date may precede it. Of a range as `14:00-16:00` "
    "its start is taken for `_from`, its end for `_to`.",
    FieldKind.DATETIME: " A date and time: `16.12.2025 12:08` or `2025-12-16T12:08:00`; the time may be missing. A "
    "time alone only where PlanSo holds a date that it goes with, or a time of day alone.",
    FieldKind.LONG_TEXT: " Line breaks are allowed.",
    FieldKind.NUMBER: " A number; also as a text, `12,5` or `12.5`.",
}


def _get_type(field: OrderField) -> Any:
    check = AfterValidator(partial(_check, field))
    match field.kind:
        case FieldKind.FLAG:
            return Annotated[bool, check]
        case FieldKind.NUMBER:
            bounds = Field(ge=0, le=values.MAX_HOURS, allow_inf_nan=False)
            return Annotated[float, bounds, BeforeValidator(_to_number), check]
        case FieldKind.ID:
            return Annotated[int, Field(ge=1, le=values.MAX_ID), BeforeValidator(_to_whole_number), check]
    return Annotated[str, Field(max_length=field.max_length), check]


def _define(field: OrderField, request: RequestKind) -> Any:
    """The field as `create_model` takes it."""
    annotation = _get_type(field)
    is_create = request is RequestKind.CREATE
    if is_create and field.min_length_on_create:
        annotation = Annotated[annotation, Field(min_length=field.min_length_on_create)]
    description = f"{field.meaning}.{_ACCEPTED.get(field.kind, '')} In PlanSo: {field.labels[0]}."
    default = field.default if is_create else None
    return annotation | None, Field(default, description=description, examples=[field.example])


def _define_append(field: OrderField) -> Any:
    description = f"{field.meaning}. Not together with the field itself. In PlanSo: {field.labels[0]}."
    annotation = Annotated[str, Field(max_length=field.max_length), AfterValidator(partial(_check_line, field))]
    return annotation | None, Field(None, description=description, examples=[field.example])


class WriteBody(BaseModel):
    """A write's body. Unknown members are kept aside, to be named in the response."""

    # Built with its route: later, pydantic would warn of FastAPI's alias for it.
    model_config = ConfigDict(strict=True, extra="allow", defer_build=False)
    request_kind: ClassVar[RequestKind] = RequestKind.UPDATE

    def get_changes(self, *, null_clears: bool) -> dict[str, Value]:
        """
        Field path to canonical value, of the fields that were sent. Null is no change, or clears. Raises Invalid for a
        field that is both written and appended to.
        """
        changes: dict[str, Value] = {}
        details = getattr(self, _DETAILS, None)
        clears_details = null_clears and details is None and _DETAILS in self.model_fields_set
        for field in fields_accepted_in(self.request_kind):
            is_detail = field.group is FieldGroup.DETAILS
            if is_detail and clears_details:
                changes[field.path] = None
            holder: BaseModel | None = details if is_detail else self
            if holder is None or field.name not in holder.model_fields_set:
                continue
            value = getattr(holder, field.name)
            if value is not None:
                changes[field.path] = values.parse_caller_value(field, value)
            elif null_clears:
                changes[field.path] = None
        return changes | self._get_appended_lines(changes)

    def _get_appended_lines(self, changes: Mapping[str, Value]) -> dict[str, Value]:
        """Null adds nothing, in a merge patch too."""
        lines = {
            field.name: values.parse_caller_value(field, line)
            for field in fields.APPEND_FIELDS
            if (line := getattr(self, field.name, None)) is not None
        }
        problems = [
            Problem.of(("body", name), MESSAGES["conflicting_fields"].format(other=target), "conflicting_fields")
            for name in lines
            if (target := appending.target_field(name)) in changes
        ]
        if problems:
            raise Invalid(problems)
        return lines

    def get_unknown_members(self) -> dict[str, Any]:
        """By path."""
        unknown = dict(self.model_extra or {})
        details = getattr(self, _DETAILS, None)
        if isinstance(details, BaseModel):
            unknown |= {f"{_DETAILS}.{name}": value for name, value in (details.model_extra or {}).items()}
        return unknown


def describe_left_out(left_out: Mapping[str, Sequence[str]], unknown: Mapping[str, Any], *, strict: bool) -> str:
    """
    Sentences that name the members that are `left_out`, by the reason why; empty without any. Raises Invalid for
    unknown ones if `strict`, and for those that are objects or lists always.
    """
    problems = [
        Problem.of(("body", *path[:_MAX_NAME_LENGTH].split(".")), _describe_unknown(path), "extra_forbidden")
        for path, value in unknown.items()
        if strict or isinstance(value, dict | list)
    ]
    if problems:
        raise Invalid(problems[:_MAX_NAMED])
    return " ".join(
        f"Left out, {why}: {join_names([_quote(path, unknown) for path in paths], _MAX_NAMED)}."
        for why, paths in left_out.items()
        if paths
    )


def _quote(path: str, unknown: Mapping[str, Any]) -> str:
    quoted, similar = repr(path[:_MAX_NAME_LENGTH])[1:-1], find_close(path, _WRITABLE) if path in unknown else None
    return f"{quoted} (did you mean {similar}?)" if similar is not None else quoted


def _describe_unknown(path: str) -> Message:
    similar = find_close(path[:_MAX_NAME_LENGTH], _WRITABLE)
    return MESSAGES["extra_forbidden"] if similar is None else MESSAGES["similar_field"].format(similar=similar)


def _get_fields(request: RequestKind, group: FieldGroup) -> list[OrderField]:
    return [field for field in fields_accepted_in(request) if field.group is group]


def _define_all(request: RequestKind) -> dict[str, Any]:
    details = Field(None, description="Vehicle details for creating/updating orders.")
    members = {_DETAILS: (VehicleDetails | None, details)}
    members |= {field.name: _define(field, request) for field in _get_fields(request, FieldGroup.ORDER)}
    if request is RequestKind.UPDATE:
        members |= {field.name: _define_append(field) for field in fields.APPEND_FIELDS}
    return members


def _create_body(name: str, doc: str, request: RequestKind, **members: Any) -> Any:
    return create_model(name, __base__=WriteBody, __doc__=doc, **members, **_define_all(request))


def _build_example(request: RequestKind) -> dict[str, Any]:
    details = {field.name: field.example for field in _get_fields(request, FieldGroup.DETAILS)}
    return {_DETAILS: details} | {field.name: field.example for field in _get_fields(request, FieldGroup.ORDER)}


VehicleDetails = create_model(
    "VehicleDetailsModel",
    __base__=WriteBody,
    __doc__="Vehicle details for creating/updating orders.",
    **{field.name: _define(field, RequestKind.UPDATE) for field in _get_fields(RequestKind.UPDATE, FieldGroup.DETAILS)},
)

if TYPE_CHECKING:

    class UpdateOrder(WriteBody):
        order_id: int

    class PatchOrder(WriteBody): ...

    class CreateOrder(WriteBody): ...

else:
    _ORDER_ID = Field(ge=1, le=values.MAX_ID, description="Order ID to update", examples=[130])
    UpdateOrder = _create_body(
        "UpdateOrder",
        "Request to update an existing order.",
        RequestKind.UPDATE,
        order_id=(Annotated[int, BeforeValidator(_to_whole_number)], _ORDER_ID),
    )
    PatchOrder = _create_body(
        "PatchOrder", "A merge patch (RFC 7396) for an existing order: null clears.", RequestKind.UPDATE
    )
    CreateOrder = _create_body("CreateOrder", "Request to create an order.", RequestKind.CREATE)
    CreateOrder.request_kind = RequestKind.CREATE

_ONE_DATE = {"shop_date": "08.12.2026"}
_UPDATE = _build_example(RequestKind.UPDATE)
# The smallest first: /docs offers it to be sent.
UPDATE_EXAMPLES = {"one_date": {"order_id": 130, **_ONE_DATE}, "every_field": {"order_id": 130, **_UPDATE}}
PATCH_EXAMPLES = {
    "one_date": _ONE_DATE,
    "move_and_clear_the_remarks": {**_ONE_DATE, "est_hours_karo": 11.3, "remarks": None},
}
CREATE_EXAMPLES = {
    "a_person_and_a_plate": {
        "vehicle_details": {"number_plate": _UPDATE["vehicle_details"]["number_plate"]},
        "person": _UPDATE["person"],
        **_ONE_DATE,
    },
    "every_field": _build_example(RequestKind.CREATE),
}
