"""The question of `GET /api/orders`, and a route that reads it quickly."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic_core import to_json

from planso_connector.domain import german_formats, values
from planso_connector.domain.errors import Invalid, Problem
from planso_connector.rest.query_parameters import StrictQueryRoute
from planso_connector.rest.schemas import responses
from planso_connector.store.search import OrderFilters


def _question(text: str) -> str:
    return values.check_text(text, line_breaks=False)


def _day(text: str) -> str:
    return german_formats.parse_date(_question(text))[:10] if text.strip() else ""


Text = Annotated[str | None, Field(max_length=200), AfterValidator(lambda t: _question(t) if t else None)]
Day = Annotated[str | None, Field(max_length=40), AfterValidator(lambda t: (_day(t) or None) if t else None)]

Sort = Literal["shop_date", "-shop_date", "finish_date", "-finish_date", "id", "-id"]


class OrdersQuery(BaseModel):
    """What is known of the orders wanted, and how they are shown."""

    plate: Text = Field(None, description="Number plate, any writing, also a part: `wnae2309`, `WN-AE`.")
    person: Text = Field(None, description="Part of the customer's or driver's name.")
    phone: Text = Field(None, description="Phone number, any writing, also a part.")
    email: Text = Field(None, description="Part of the e-mail address.")
    status: Text = Field(None, description="Project status.")
    damage: Text = Field(None, description="Damage class, `KL 2-3`.")
    station: Text = Field(None, description="Station id, or `id@state`.")
    missing_parts: bool | None = Field(None, description="Whether parts are missing.")
    after: Day = Field(None, description="Earliest shop_date, inclusive.")
    before: Day = Field(None, description="Latest shop_date, inclusive.")
    finish_after: Day = Field(None, description="Earliest finish_date, inclusive.")
    finish_before: Day = Field(None, description="Latest finish_date, inclusive.")
    text: Text = Field(None, description="Words that all fields together must hold.")
    archived: bool = Field(False, description="Archived orders instead of the current ones.")
    sort: Sort = Field(
        "-shop_date",
        description="By what the orders are sorted, descending with `-`; then by id. Without the date: last.",
    )
    fields: Annotated[str | None, Field(max_length=2000)] = Field(
        None, description="Only these members of each order, `id,plate,shop_date`; `id` always."
    )
    total: bool = Field(False, description="Whether `total` is told: all orders that match, on every page the same.")
    limit: int = Field(50, ge=1, le=500, description="Orders in one answer.")
    cursor: Annotated[str | None, Field(max_length=200)] = Field(None, description="`next_cursor` of the page before.")

    @property
    def member_names(self) -> frozenset[str]:
        """The members asked for; none for all. Raises Invalid."""
        named = frozenset(name.strip() for name in (self.fields or "").split(",") if name.strip())
        unknown = sorted(named - responses.Order.model_fields.keys())
        if unknown:
            told = (
                f"'{unknown[0][:60]}' is not a member of an order; accepted: {', '.join(responses.Order.model_fields)}"
            )
            raise Invalid([Problem(("query", "fields"), told, "unknown_field")])
        return named

    def to_filters(self) -> OrderFilters:
        asked = self.model_dump(exclude={"fields", "cursor", "total"})
        return OrderFilters(**asked, cursor=self.cursor or None)


def select_members(document: str, names: frozenset[str]) -> str:
    """An order's JSON text with these members alone, and its id."""
    whole: dict[str, Any] = json.loads(document)
    return to_json({name: value for name, value in whole.items() if name in names or name == "id"}).decode()


class OrdersQueryRoute(StrictQueryRoute):
    """
    A route that takes an OrdersQuery and nothing else. FastAPI goes through all declared parameters of each request,
    which takes longer than the look-up; this reads those that came. The document is FastAPI's.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[[OrdersQuery, Request], Coroutine[Any, Any, Response]] = self.endpoint

        async def handler(request: Request) -> Response:
            try:
                query = OrdersQuery.model_validate(dict(request.query_params))
            except ValidationError as error:
                raise RequestValidationError(
                    [{**one, "loc": ("query", *one["loc"])} for one in error.errors()]
                ) from None
            return await endpoint(query, request)

        return handler
