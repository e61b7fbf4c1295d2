"""
The W3C trace context of a request: a valid `traceparent` is continued, else a new trace begins; `traceresponse` names
it. Sources: w3.org/TR/trace-context, and its editor's draft for the response header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import NamedTuple

from fastapi.telemetry import TelemetryConfig
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

HeaderPairs = Iterable[tuple[bytes, bytes]]

TELEMETRY_OFF: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""Without it FastAPI looks for OpenTelemetry's variables in the environment at each request."""

_PROPAGATOR = TraceContextTextMapPropagator()
_EMPTY = Context()
_MAX_LENGTH = 512
"""The propagator logs a warning for each longer header."""
_RANDOM_TRACE_ID = "02"
"""The flag of a trace id that was drawn at random."""
# Ids have to be unique, not secret; the SDK's generator is not in the API package.
_random = Random(SystemRandom().getrandbits(256))  # noqa: S311
_NOT_ZERO = 1 << 191 | 1 << 127
"""The first bit of a span id and of the trace id after it: neither may be all zeros."""


class TraceContext(NamedTuple):
    """Hexadecimal, as in the headers. `span_id` is this request's own."""

    trace_id: str
    span_id: str
    flags: str

    @classmethod
    def from_span(cls, span: SpanContext) -> TraceContext:
        return cls(f"{span.trace_id:032x}", f"{span.span_id:016x}", f"{span.trace_flags:02x}")

    @property
    def traceresponse(self) -> bytes:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}".encode()


current_trace: ContextVar[TraceContext | None] = ContextVar("trace", default=None)
"""Of the current request; log lines carry it."""


def extract_trace(headers: HeaderPairs) -> TraceContext:
    """The trace of the one valid `traceparent`, else a new one; with a span of its own."""
    ids = f"{_random.getrandbits(192) | _NOT_ZERO:048x}"
    new = TraceContext(ids[16:], ids[:16], _RANDOM_TRACE_ID)
    values = [value for name, value in headers if name == b"traceparent"]
    if len(values) != 1 or len(values[0]) > _MAX_LENGTH:
        return new
    context = _PROPAGATOR.extract({"traceparent": values[0].decode("latin-1")}, _EMPTY)
    parent = get_current_span(context).get_span_context()
    return TraceContext.from_span(parent)._replace(span_id=new.span_id) if parent.is_valid else new


@dataclass(frozen=True, slots=True)
class Tracing:
    """
    FastAPI's telemetry; how a request's trace is found; what gets the method and route of a request that no router
    sees.
    """

    telemetry: TelemetryConfig = field(default_factory=lambda: TELEMETRY_OFF)
    extract_trace: Callable[[HeaderPairs], TraceContext] = extract_trace
    on_routed: Callable[[str, str], None] | None = None
