"""
Which request this is, by W3C Trace Context: `traceparent` is taken over when it is valid, else a new trace begins; the
answer says in `traceresponse` which it is. Sources: w3.org/TR/trace-context, and its editor's draft for the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import NamedTuple

from fastapi.telemetry import TelemetryConfig

HeaderPairs = Iterable[tuple[bytes, bytes]]

TELEMETRY_OFF: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI would else look at the environment for OpenTelemetry's variables at each request."""

_VALID = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    rb"(?P<more>-.*)?"
)
_RANDOM = "02"
"""The flag that says: the trace id was drawn at random."""

# Ids need to be unlike each other, not secret; a system call for each would take longer than all the rest.
_dice = Random(SystemRandom().getrandbits(256))  # noqa: S311


_NO_ZERO = 1 << 191 | 1 << 127
"""The first bit of a span id and of a trace id after it: neither may be all zeros."""


class TraceContext(NamedTuple):
    """`trace_id` is of all that belongs together, `span_id` of this request alone."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def traceresponse(self) -> bytes:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}".encode()


current_trace: ContextVar[TraceContext | None] = ContextVar("trace", default=None)
"""Of the request that this is done for: its log lines bear it."""


def extract_trace(headers: HeaderPairs) -> TraceContext:
    given = [value for name, value in headers if name == b"traceparent"]
    drawn = f"{_dice.getrandbits(192) | _NO_ZERO:048x}"
    if len(given) == 1:
        match = _VALID.fullmatch(given[0])
        if match is not None and not (match["more"] and given[0].startswith(b"00")):
            return TraceContext(match["trace"].decode(), drawn[:16], match["flags"].decode())
    return TraceContext(drawn[16:], drawn[:16], _RANDOM)


@dataclass(frozen=True, slots=True)
class Tracing:
    """How requests are traced: what FastAPI records, which trace this one is of, who is told its method and route."""

    telemetry: TelemetryConfig = field(default_factory=lambda: TELEMETRY_OFF)
    extract_trace: Callable[[HeaderPairs], TraceContext] = extract_trace
    on_routed: Callable[[str, str], None] | None = None
