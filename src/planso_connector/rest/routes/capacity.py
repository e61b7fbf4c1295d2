"""/api/capacity: the workshop's capacity, which availability is measured against."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response

from planso_connector.domain.capacity.capacity_document import read_capacity, write_capacity
from planso_connector.domain.errors import Problem
from planso_connector.flows.operating.capacity import CapacityState, check_capacity
from planso_connector.rest.json_body import JsonRoute
from planso_connector.rest.request_context import Flows, get_caller
from planso_connector.rest.routes.router import make_router, success_response
from planso_connector.rest.schemas.capacity import CAPACITY_EXAMPLE, HOURS_ALONE_EXAMPLE, Capacity, CapacityAnswer
from planso_connector.rest.schemas.errors import document_failures
from planso_connector.rest.schemas.examples import build_example, build_examples, document_success

NOT_SET = "The workshop has not set its capacity; PUT /api/capacity, or `planso-connector capacity set FILE`, sets it."
_DRY_RUN = "Dry run: nothing was set. This capacity would apply."
_INVALID = Problem(
    ("body", "federal_state"),
    "accepted: BB BE BW BY HB HE HH MV NI NW RP SH SL SN ST TH, or nothing for nationwide holidays alone",
    "value_error",
)


def _example(document: dict[str, Any] | None, **members: Any) -> dict[str, Any]:
    return build_example(CapacityAnswer, capacity=document, **members)


_EXAMPLES = build_examples(hours_alone=HOURS_ALONE_EXAMPLE, a_body_shop=CAPACITY_EXAMPLE)
_SET = _example(write_capacity(read_capacity(CAPACITY_EXAMPLE)))


def routes() -> APIRouter:
    router = make_router("/api/capacity", "availability", JsonRoute)

    @router.get(
        "",
        summary="Get the capacity",
        response_model=CapacityAnswer,
        response_description="The capacity that applies",
        responses=document_success(set=_SET, not_set=_example(None, message=NOT_SET, changed_at=None, changed_by=""))
        | document_failures(503),
    )
    async def get_capacity(flows: Flows) -> Response:
        """What the workshop set; availability is measured against it."""
        return _respond(await flows.capacity.get())

    @router.put(
        "",
        summary="Set the capacity",
        response_model=CapacityAnswer,
        response_description="The capacity that applies now",
        responses=document_success(set=_SET, dry_run=_SET | {"message": _DRY_RUN, "changed_at": None, "changed_by": ""})
        | document_failures(413, 415, 422, 503, invalid=_INVALID),
    )
    async def set_capacity(
        flows: Flows,
        request: Request,
        body: Annotated[
            Capacity,
            Body(openapi_examples=build_examples(hours_alone=HOURS_ALONE_EXAMPLE, a_body_shop=CAPACITY_EXAMPLE)),
        ],
        is_dry_run: Annotated[
            bool,
            Query(
                alias="dry_run",
                description="Tell which capacity would apply, and set nothing. /docs offers `true`; with `false` it is "
                "set.",
                examples=[True],  # what /docs offers to send
            ),
        ] = False,
    ) -> Response:
        """Replaces the capacity as a whole: what is left out is not limited, and weekdays left out are closed."""
        if is_dry_run:
            return _respond(CapacityState(check_capacity(body.to_document())), _DRY_RUN)
        return _respond(await flows.capacity.set(body.to_document(), caller=get_caller(request).label))

    return router


def _respond(state: CapacityState, message: str = "") -> Response:
    return success_response(
        message if state.document is not None else NOT_SET,
        capacity=state.document,
        changed_at=state.changed_at,
        changed_by=state.changed_by,
    )
