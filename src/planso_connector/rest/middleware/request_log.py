"""
Trace, log and count each request: `traceresponse` on the response, one log line, metrics. Route and status are logged,
never query or body.
"""

import time

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.rest.metrics import Metrics
from planso_connector.rest.middleware import trace_context
from planso_connector.rest.middleware.response_state import get_response_state
from planso_connector.rest.request_context import get_context

log = structlog.get_logger(__name__)


class RequestLogMiddleware:
    def __init__(self, app: ASGIApp, *, metrics: Metrics, tracing: trace_context.Tracing) -> None:
        self._app = app
        self._metrics = metrics
        self._extract_trace = tracing.extract_trace
        self._log = log.bind()  # bound once: binding takes longer than logging

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_at = time.perf_counter()
        self._metrics.record_request_start()
        trace = self._extract_trace(scope["headers"])
        # The server runs each request in a context of its own: nothing has to be reset.
        trace_context.current_trace.set(trace)
        state = get_response_state(scope)
        state.extra_headers.append((b"traceresponse", trace.traceresponse))
        try:
            await self._app(scope, receive, send)
        finally:
            method, status, context = scope["method"], state.status, get_context(scope)
            route = getattr(scope.get("route"), "path", None) or context.route_template
            seconds = time.perf_counter() - started_at
            self._metrics.record_request_end(method, route, status, seconds)
            self._log.info(
                "request", method=method, route=route, status=status, ms=round(seconds * 1000, 1), key=context.key_id
            )
