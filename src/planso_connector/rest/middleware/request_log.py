"""
Around every request: its trace, which all its log lines bear and its answer names; one line in the log; its metrics.
Route and status are told, never query or body.
"""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.rest import request_context
from planso_connector.rest.metrics import Metrics
from planso_connector.rest.middleware import trace_context
from planso_connector.rest.middleware.response_state import get_response_state

log = structlog.get_logger(__name__)


class RequestLogMiddleware:
    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: trace_context.Tracing) -> None:
        self._app = app
        self._metrics = metrics
        self._trace_of = tracing.extract_trace
        self._log = log.bind()  # once: it takes longer than the line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        self._metrics.record_request_start()
        its = self._trace_of(scope["headers"])
        # The server gives each request a context of its own: nothing needs to be unset.
        trace_context.current_trace.set(its)
        answering = get_response_state(scope)
        answering.extra_headers.append((b"traceresponse", its.traceresponse))
        try:
            await self._app(scope, receive, send)
        finally:
            method, route, status = scope["method"], request_context.get_route_template(scope), answering.status
            seconds = time.perf_counter() - started
            self._metrics.record_request_end(method, route, status, seconds)
            told = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
            self._log.info("request", **told, key=request_context.get_key_id(scope))
