"""
Trace, log and count each request: `traceresponse` on the response, one log line, metrics. Route and status are logged,
never query or body.
"""

import time
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.rest.metrics import Metrics
from planso_connector.rest.middleware import trace_context
from planso_connector.rest.middleware.response_state import get_response_state
from planso_connector.rest.middleware.trace_context import TraceContext
from planso_connector.rest.request_context import get_context


class RequestLog:
    """Log and count. `write` writes a line of level `info` with these members."""

    def __init__(self, metrics: Metrics, write: Callable[[Mapping[str, object]], None]) -> None:
        self.metrics = metrics
        self._write = write

    def record(
        self, request: tuple[str, str, int], began: float, key_id: str | None, workshop: str | None, trace: TraceContext
    ) -> None:
        """`request`: method, route and status; `began`: by `time.perf_counter`; `workshop`: None if unknown."""
        method, route, status = request
        seconds = time.perf_counter() - began
        self.metrics.record_request(method, route, status, seconds)
        members = {
            "event": "request",
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "key": key_id,
            "trace_id": trace.trace_id,
            "span_id": trace.span_id,
        }
        self._write(members if workshop is None else members | {"workshop": workshop})


class RequestLogMiddleware:
    def __init__(self, app: ASGIApp, *, request_log: RequestLog, tracing: trace_context.Tracing) -> None:
        self._app = app
        self._request_log = request_log
        self._extract_trace = tracing.extract_trace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, metrics = time.perf_counter(), self._request_log.metrics
        metrics.record_request_start()
        trace = self._extract_trace(scope["headers"])
        # The server runs each request in a context of its own: nothing has to be reset.
        trace_context.current_trace.set(trace)
        state = get_response_state(scope)
        state.extra_headers.append((b"traceresponse", trace.traceresponse))
        try:
            await self._app(scope, receive, send)
        finally:
            context = get_context(scope)
            route = getattr(scope.get("route"), "path", None) or context.route_template
            workshop = context.caller.workshop if context.caller is not None else None
            metrics.record_request_end()
            self._request_log.record((scope["method"], route, state.status), began, context.key_id, workshop, trace)
