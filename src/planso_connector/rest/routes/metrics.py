"""GET /metrics."""

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from planso_connector.domain.scopes import Scope
from planso_connector.flows.operating.installation_statistics import InstallationStatisticsCollector
from planso_connector.rest.metrics import Metrics
from planso_connector.rest.request_context import get_caller, get_context
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


def routes(metrics: Metrics, installation: InstallationStatisticsCollector) -> APIRouter:
    router = make_router("", "health")

    @router.get(
        "/metrics",
        summary="Metrics",
        response_class=Response,  # of no content type, so that failures are documented as JSON
        response_description="The metrics, in Prometheus' text format",
        responses=_RESPONSES | document_failures(401, 403, shown=API_KEY_MESSAGES),
    )
    async def get_metrics(request: Request) -> Response:
        """
        For Prometheus: of the process and the key's workshop; with the scope `installation` too, of all workshops. What
        the database holds is left out while it does not answer.
        """
        flows = get_context(request.scope).flows
        statistics = await flows.statistics.collect() if flows is not None else None
        sees_all = get_caller(request).has_any_scope(Scope.INSTALLATION)
        text = metrics.render(statistics, await installation.collect() if sees_all else None)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router
