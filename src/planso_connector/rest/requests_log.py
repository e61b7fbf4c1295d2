"""
Around every request: its trace, which all its log lines bear and its answer names; one line in the log; its metrics.
Route and status are told, never query or body.
"""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planso_connector.rest import callers
from planso_connector.rest.metrics import Metrics
from planso_connector.rest.trace import Tracing

log = structlog.get_logger(__name__)


class RequestLog:
    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Tracing) -> None:
        self._app = app
        self._metrics = metrics
        self._trace_of, self._routed = tracing.trace_of, tracing.routed
        self._log = log.bind()  # once: it takes longer than the line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        self._metrics.began()
        trace = self._trace_of(scope["headers"])
        # The server gives each request a context of its own: nothing needs to be unbound.
        structlog.contextvars.bind_contextvars(trace_id=trace.trace_id, span_id=trace.span_id)
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._routed is not None and "route" in scope:
                    self._routed(scope["method"], scope["route"].path)
                message = {**message, "headers": [*message.get("headers", ()), (b"traceresponse", trace.response)]}
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = callers.template_of(scope)
            seconds = time.perf_counter() - started
            self._metrics.ended(scope["method"], route, status, seconds)
            told = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
            self._log.info("request", **told, key=callers.key_id_of(scope))
