"""GET /api/orders/{order_id}/timeline: the repair timeline that insurers ask for, as JSON and as a page to print."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from planso_connector.domain.language import Language
from planso_connector.rest.middleware.accepted_format import HTML
from planso_connector.rest.request_context import Flows
from planso_connector.rest.routes import language
from planso_connector.rest.routes.orders import OrderId
from planso_connector.rest.routes.router import make_router, success_response
from planso_connector.rest.schemas.errors import INVALID_ORDER_ID, document_failures
from planso_connector.rest.schemas.examples import Responses, build_example, document_success
from planso_connector.rest.schemas.timeline import TimelineAnswer, serialize_timeline
from planso_connector.rest.timeline_page import CONTENT_POLICY, render_page

_EXAMPLE = '<!DOCTYPE html>\n<html lang="de">...<h1>Reparaturablaufplan – Auftrag 130</h1>...</html>'
_PAGE: Responses = {200: {"content": {HTML: {"schema": {"type": "string"}, "example": _EXAMPLE}}}}


def routes() -> APIRouter:
    router = make_router("/api/orders", "orders")

    @router.get(
        "/{order_id}/timeline",
        summary="Get the order's repair timeline",
        response_model=TimelineAnswer,
        response_description="What happened when, and how it is known",
        responses=document_success(timeline=build_example(TimelineAnswer))
        | document_failures(404, 406, 422, 503, invalid=INVALID_ORDER_ID),
    )
    async def get_order_timeline(
        flows: Flows, order_id: OrderId, texts_in: Annotated[Language, Depends(language.response_language)]
    ) -> Response:
        """
        From the order's dates, its parts and its history: what happened when, how it is known, and what is not known.
        Also of an order that was deleted. With `Accept: text/html`, or at `.html`, a German page to be printed.
        """
        timeline = await flows.timelines.get_timeline(order_id)
        headers = language.language_headers(texts_in)
        return success_response(timeline=serialize_timeline(timeline, texts_in), headers=headers)

    @router.get(
        "/{order_id}/timeline.html",
        summary="Get the order's repair timeline as a page",
        response_class=Response,
        response_description="The page, in German",
        responses=_PAGE | document_failures(404, 422, 503, invalid=INVALID_ORDER_ID),
    )
    async def get_order_timeline_page(flows: Flows, order_id: OrderId) -> Response:
        """The Reparaturablaufplan for insurers: to be printed, or saved as PDF, by a browser."""
        page = render_page(await flows.timelines.get_timeline(order_id))
        headers = {"Content-Security-Policy": CONTENT_POLICY, "Content-Language": "de"}
        return Response(page, 200, headers, HTML)

    return router
