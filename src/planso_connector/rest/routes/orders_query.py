"""The query of `GET /api/orders`, and a route class that parses it quickly."""

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal, get_args

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, Field, JsonValue, ValidationError
from pydantic_core import to_json

from planso_connector.domain import german_formats, values
from planso_connector.domain.clock import Instant, parse_sent_instant
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.domain.messages import MESSAGES
from planso_connector.flows.workshop_flows import WorkshopFlows
from planso_connector.rest.query_parameters import StrictQueryRoute
from planso_connector.rest.request_context import get_flows
from planso_connector.rest.schemas import responses
from planso_connector.store.search import OrderFilters


def _parse_text(text: str | None) -> str | None:
    return values.check_text(text, line_breaks=False) if text else None


def _parse_day(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    return german_formats.parse_date(values.check_text(text, line_breaks=False))[:10]


def _parse_instant(text: str | None) -> Instant | None:
    return parse_sent_instant(text) if text and text.strip() else None


Text = Annotated[str | None, Field(max_length=200), AfterValidator(_parse_text)]
Day = Annotated[str | None, Field(max_length=40), AfterValidator(_parse_day)]

ChangedSince = Annotated[str | None, Field(max_length=40), AfterValidator(_parse_instant)]

_NO_FILTERS = frozenset({"fields", "cursor", "total", "limit", "dialect"})
Sort = Literal["shop_date", "-shop_date", "finish_date", "-finish_date", "id", "-id"]
# A generator would call `-id` VALUE_5.
_SORT_NAMES: list[JsonValue] = [
    f"{sort.lstrip('-')}{'_desc' * sort.startswith('-')}".upper() for sort in get_args(Sort)
]


class OrderSelection(BaseModel):
    """Filters, and which members of the orders are shown."""

    plate: Text = Field(None, description="Number plate in any notation, or a part of one: `wnae2309`, `WN-AE`.")
    person: Text = Field(None, description="Part of the customer's or driver's name.")
    phone: Text = Field(None, description="Phone number in any notation, or a part of one.")
    email: Text = Field(None, description="Part of the e-mail address.")
    status: Text = Field(None, description="Project status.")
    damage: Text = Field(None, description="Damage class, `KL 2-3`.")
    station: Text = Field(None, description="Station id, or `id@state`.")
    missing_parts: bool | None = Field(None, description="Whether parts are missing.")
    after: Day = Field(None, description="Earliest shop_date, inclusive.")
    before: Day = Field(None, description="Latest shop_date, inclusive.")
    finish_after: Day = Field(None, description="Earliest finish_date, inclusive.")
    finish_before: Day = Field(None, description="Latest finish_date, inclusive.")
    changed_since: ChangedSince = Field(
        None,
        description="Changed here since this instant, inclusive: ISO 8601 with an offset. See `/api/changes`, too.",
    )
    text: Text = Field(None, description="Words that must all occur, each in any field.")
    archived: bool = Field(False, description="Archived orders instead of the current ones.")
    sort: Sort = Field(
        "-shop_date",
        description="Order of the result, descending with `-`; then by id. Orders without the date come last.",
        json_schema_extra={"x-enum-varnames": _SORT_NAMES},
    )
    fields: Annotated[str | None, Field(max_length=2000)] = Field(
        None, description="Only these members of each order, `id,plate,shop_date`; `id` always."
    )

    @property
    def member_names(self) -> frozenset[str]:
        """The requested members; empty means all. Raises Invalid."""
        names = frozenset(name.strip() for name in (self.fields or "").split(",") if name.strip())
        unknown = sorted(names - responses.Order.model_fields.keys())
        if unknown:
            accepted = ", ".join(responses.Order.model_fields)
            message = MESSAGES["unknown_field"].format(name=unknown[0][:60], names=accepted)
            raise Invalid([Problem.of(("query", "fields"), message, "unknown_field")])
        return names

    def to_filters(self) -> OrderFilters:
        return OrderFilters(**self._get_given())

    def _get_given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.model_fields_set - _NO_FILTERS}


class OrdersQuery(OrderSelection):
    """A page of the orders found."""

    total: bool = Field(False, description="Whether the response has `total`, the number of all matching orders.")
    limit: int = Field(50, ge=1, le=500, description="Orders in one answer.")
    cursor: Annotated[str | None, Field(max_length=200)] = Field(None, description="`next_cursor` of the page before.")

    def to_filters(self) -> OrderFilters:
        return OrderFilters(**self._get_given(), limit=self.limit, cursor=self.cursor or None)


def select_members(document: str, names: frozenset[str]) -> str:
    """An order's JSON text with its id and these members alone."""
    whole: dict[str, Any] = json.loads(document)
    return to_json({name: value for name, value in whole.items() if name in names or name == "id"}).decode()


class OrdersQueryRoute(StrictQueryRoute):
    """
    A route whose parameters are the workshop's flows and an OrdersQuery. FastAPI goes through all declared parameters
    of each request, which takes longer than the query itself; this parses the given ones. The OpenAPI document is
    FastAPI's.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[[WorkshopFlows, OrdersQuery], Coroutine[Any, Any, Response]] = self.endpoint

        async def handler(request: Request) -> Response:
            try:
                query = OrdersQuery.model_validate(dict(request.query_params))
            except ValidationError as error:
                problems = [{**problem, "loc": ("query", *problem["loc"])} for problem in error.errors()]
                raise RequestValidationError(problems) from None
            return await endpoint(await get_flows(request), query)

        return handler
