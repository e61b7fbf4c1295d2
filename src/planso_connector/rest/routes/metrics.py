"""GET /metrics."""

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from planso_connector.rest.metrics import Metrics
from planso_connector.rest.request_context import Flows
from planso_connector.rest.routes.router import make_router
from planso_connector.rest.schemas.errors import API_KEY_MESSAGES, document_failures
from planso_connector.rest.schemas.examples import Responses, build_examples

_EXAMPLE = """\
# HELP planso_connector_ready Whether GET /health/ready is 200.
# TYPE planso_connector_ready gauge
planso_connector_ready 1.0
"""
_TEXT: dict[str, Any] = {"schema": {"type": "string"}, "examples": build_examples(metrics=_EXAMPLE)}
_RESPONSES: Responses = {200: {"content": {"text/plain": _TEXT}}}


def routes(metrics: Metrics) -> APIRouter:
    router = make_router("", "health")

    @router.get(
        "/metrics",
        summary="Metrics",
        response_class=Response,  # of no content type, so that failures are documented as JSON
        response_description="The metrics, in Prometheus' text format",
        responses=_RESPONSES | document_failures(401, 403, shown=API_KEY_MESSAGES),
    )
    async def get_metrics(flows: Flows) -> Response:
        """For Prometheus. What the database holds is left out while it does not answer."""
        text = metrics.render(await flows.statistics.collect())
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router
