"""The REST application, put together from its routes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from planso_connector import __version__
from planso_connector.flows.operating.access_log import AccessLog
from planso_connector.flows.operating.authenticate import Authenticator
from planso_connector.flows.operating.planso_login import PlansoLogin
from planso_connector.flows.operating.readiness import ReadinessProbe
from planso_connector.flows.operating.statistics import StatisticsCollector
from planso_connector.flows.querying.freshness import Freshness
from planso_connector.flows.querying.lookup import LookupService
from planso_connector.flows.querying.orders import OrderQueries
from planso_connector.flows.querying.progress import ProgressQueries
from planso_connector.flows.syncing.sync import Sync
from planso_connector.flows.writing.dry_run import DryRun
from planso_connector.flows.writing.write import WriteService
from planso_connector.flows.writing.write_stops import WriteStops
from planso_connector.rest import metrics
from planso_connector.rest.middleware import request_log, response_cache, route_scopes
from planso_connector.rest.middleware.authentication import AuthenticationMiddleware
from planso_connector.rest.middleware.trace_context import Tracing
from planso_connector.rest.routes import (
    docs_page,
    health,
    lookup,
    operations,
    order_writes,
    orders,
    planso_login,
    progress,
    sync,
    writes,
)
from planso_connector.rest.schemas import errors
from planso_connector.rest.schemas.examples import DocumentedFastAPI

TITLE = "PlanSo Connector"

_DESCRIPTION = """\
A REST service for a workshop that runs on PlanSo. Reads are answered from the connector's own database in
milliseconds; a write is answered with 200 only once PlanSo was seen to have it.
"""


@dataclass(frozen=True, slots=True)
class Flows:
    order_queries: OrderQueries
    writer: WriteService
    dry_run: DryRun
    sync: Sync
    planso_login: PlansoLogin
    readiness: ReadinessProbe
    statistics: StatisticsCollector
    freshness: Freshness
    progress: ProgressQueries
    lookup: LookupService
    write_stops: WriteStops
    next_run_at: Callable[[], datetime | None]
    on_request: Callable[[str], None]
    authentication: Authenticator
    access_log: AccessLog


class _Application(DocumentedFastAPI):
    """Every answer is logged and counted: a fault's 500 too, which no middleware of the usual kind sees."""

    around: Callable[[ASGIApp], ASGIApp]

    def build_middleware_stack(self) -> ASGIApp:
        return self.around(super().build_middleware_stack())

    def setup(self) -> None:
        """As FastAPI's, whose own route makes the document in the event loop: that takes a quarter of a second."""
        self._making = threading.Lock()

        async def document(_: Request) -> JSONResponse:
            return JSONResponse(await asyncio.to_thread(self.openapi))

        self.add_route("/openapi.json", document, include_in_schema=False)

    def openapi(self) -> dict[str, Any]:
        with self._making:
            if self.openapi_schema is None:
                route_scopes.add_to_openapi(super().openapi())
            return super().openapi()


def build(
    flows: Flows,
    counted: metrics.Metrics,
    tracing: Tracing,
    *,
    lookup_shows_all: bool = False,
    allow_anonymous: bool = False,
) -> FastAPI:
    app = _Application(
        title=TITLE,
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        redirect_slashes=False,
        telemetry=tracing.telemetry,
    )
    app.around = lambda inner: request_log.RequestLogMiddleware(inner, counted, tracing)
    errors.install_error_handlers(app)
    for router in (
        *orders.routes(flows.order_queries, flows.freshness),
        progress.routes(flows.progress),
        lookup.routes(flows.lookup, shows_all=lookup_shows_all),
        *order_writes.routes(flows.order_queries, flows.writer, flows.dry_run),
        *operations.routes(flows.writer, flows.dry_run, order_writes.WriteResponder(flows.order_queries)),
        *writes.routes(flows.write_stops),
        planso_login.routes(flows.planso_login, flows.write_stops),
        sync.routes(flows.sync, flows.next_run_at),
        health.routes(flows.readiness),
        metrics.routes(counted, flows.statistics.collect),
        docs_page.routes(TITLE),
    ):
        app.router.routes.extend(router.routes)
    route_scopes.check_complete(app.routes)
    # Within the guard, which has just asked for it: the database is asked once for a request.
    app.add_middleware(
        response_cache.ResponseCacheMiddleware, mark=lambda: flows.authentication.mark, routed=tracing.on_routed
    )
    app.add_middleware(
        AuthenticationMiddleware,
        authentication=flows.authentication,
        accesses=flows.access_log,
        asked=flows.on_request,
        allow_anonymous=allow_anonymous,
    )
    return app
