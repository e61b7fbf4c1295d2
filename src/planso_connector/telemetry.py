"""
OpenTelemetry, where the standard's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and its kin) ask for it: spans of
requests, of operations' pushes, of syncs and of requests to PlanSo, sent to a collector by OTLP over HTTP.

What a span may hold is the list `SAID`, applied once, to every span that leaves. Nobody waits for the collector: spans
wait in a bounded queue for a thread of its own, and are lost where nobody takes them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import structlog
from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import (
    NoOpTracerProvider,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    get_current_span,
)
from starlette.types import Scope

from planso_connector import __version__
from planso_connector.domain.operation import Operation
from planso_connector.flows.syncing.run_progress import RunProgress
from planso_connector.rest.middleware.trace_context import (
    TELEMETRY_OFF,
    HeaderPairs,
    TraceContext,
    Tracing,
    extract_trace,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from requests import Response

SERVICE = "planso-connector"

SAID = frozenset(
    {
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "error.type",
        "network.protocol.version",
        "url.scheme",
        "operation.id",
        "operation.action",
        "operation.attempt",
        "order.id",
        "planso.page",
        "planso.outcome",
        "sync.run",
        "sync.kind",
    }
)
"""
The attributes that leave. Not among them: what FastAPI records of path, query and host, in which callers write names,
plates and phone numbers.
"""

FLUSH = 3.0
"""Seconds that the end of the process waits for what is not sent yet."""

BETWEEN_LINES = 600.0
"""Seconds between two lines of the log that tell of a collector that takes nothing."""

_WELL = frozenset({"answered", "refused"})
"""Outcomes of requests to PlanSo that are no fault of PlanSo's."""
_WATCHERS = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Asked every few seconds for as long as the process lives: their spans would bury the others."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = structlog.get_logger(__name__)


class Unusable(Exception):
    """What the environment asks for can't be had; the text names the variable and what would be accepted."""


class Traces:
    """Lives as long as one connector. Without a provider nothing is traced, and no request pays for it."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._tracer = (provider or NoOpTracerProvider()).get_tracer("planso_connector", __version__)
        self.requests = Tracing()
        if provider is not None:
            native = {**TELEMETRY_OFF, "tracing": True, "tracer_provider": provider, "exclude": _is_a_watchers}
            self.requests = Tracing(cast(TelemetryConfig, native), _current, _routed)

    def push(self, operation: Operation) -> AbstractContextManager[None]:
        """Around one attempt at it."""
        named = {"operation.id": operation.id, "operation.action": operation.action.value}
        order = {"order.id": operation.order_id} if operation.order_id is not None else {}
        return self._span("push", {**named, **order, "operation.attempt": operation.attempts})

    def sync(self, run: RunProgress) -> AbstractContextManager[None]:
        """Around one run."""
        return self._span("sync", {"sync.run": run.run_id, "sync.kind": run.kind})

    @contextmanager
    def _span(self, name: str, attributes: Mapping[str, str | int]) -> Iterator[None]:
        """What is logged inside bears its ids. It must be entered in a task of its own."""
        # Texts of exceptions may hold what callers wrote.
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            context = span.get_span_context()
            if context.is_valid:
                trace = _trace(context)
                structlog.contextvars.bind_contextvars(trace_id=trace.trace_id, span_id=trace.span_id)
            try:
                yield
            except BaseException as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise

    def planso(self, page: str, outcome: str, seconds: float) -> None:
        """One request to PlanSo that ended just now."""
        ended = time.time_ns()
        span = self._tracer.start_span(
            f"PlanSo {page}",
            kind=SpanKind.CLIENT,
            start_time=ended - round(seconds * 1e9),
            attributes={"planso.page": page, "planso.outcome": str(outcome)},
        )
        if outcome not in _WELL:
            span.set_status(StatusCode.ERROR)
        span.end(ended)


def _is_a_watchers(scope: Scope) -> bool:
    return scope.get("path") in _WATCHERS


def _trace(context: SpanContext) -> TraceContext:
    return TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", f"{context.trace_flags:02x}")


def _current(headers: HeaderPairs) -> TraceContext:
    context = get_current_span().get_span_context()
    return _trace(context) if context.is_valid else extract_trace(headers)


def _routed(method: str, route: str) -> None:
    """FastAPI names its span where its router chose; some answers are given before it is asked."""
    span = get_current_span()
    if span.is_recording():
        span.set_attribute("http.route", route)
        span.update_name(f"{method if method in _METHODS else 'HTTP'} {route}")


@asynccontextmanager
async def begun(environment: Mapping[str, str]) -> AsyncIterator[Traces]:
    """
    Traces as the environment asks for them; at the end, what waits is sent, as far as `FLUSH` allows. Where they can't
    be had, the log says so and nothing is traced: nobody's read fails because of a collector.
    """
    provider = None
    try:
        if _is_wanted(environment):
            provider = _provider()
            log.info("traces_begun")
    except Unusable as error:
        log.warning("traces_off", reason=str(error))
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
        told = "One of the variables OTEL_... holds what the OpenTelemetry SDK does not accept."
        log.warning("traces_off", reason=told, error=type(error).__name__)
    try:
        yield Traces(provider)
    finally:
        if provider is not None:
            # Not to be waited for longer by anybody: neither here nor at the end of the interpreter.
            thread = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
            thread.start()
            await asyncio.to_thread(thread.join, FLUSH)


def _is_wanted(environment: Mapping[str, str]) -> bool:
    """Raises Unusable. No value of a variable is told: an address may hold a password."""
    signal, every = "OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"
    name = next((prefix + "ENDPOINT" for prefix in (signal, every) if environment.get(prefix + "ENDPOINT")), None)
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if name is None or environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    if exporter not in ("", "otlp"):
        raise Unusable("OTEL_TRACES_EXPORTER: accepted: otlp, none.")
    for prefix in (signal, every):
        protocol = environment.get(prefix + "PROTOCOL", "").strip().lower()
        if protocol not in ("", "http/protobuf"):
            raise Unusable(f"{prefix}PROTOCOL: accepted: http/protobuf.")
        if protocol:
            break
    try:
        address = urlsplit(environment[name].strip())
        well = address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:
        well = False
    if not well:
        raise Unusable(f"{name}: accepted: an address such as http://collector.example:4318.")
    return True


def _provider() -> SdkTracerProvider:
    """
    The rest of the standard's variables (sampling, headers, certificates, queue, resource) is read by the SDK itself.
    Raises Unusable where it is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from requests import Session
    except ImportError as error:
        told = (
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but the extra is not installed: pip install 'planso-connector[otel]'."
        )
        raise Unusable(told) from error
    session = Session()
    sent = _Sent(OTLPSpanExporter(session=session))
    session.hooks["response"].append(sent.answered)
    provider = SdkTracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(cast("SpanExporter", sent)))
    # A line for each batch that failed and each span that found the queue full: `_Sent` tells of it, now and then.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    return provider


def _resource() -> Resource:
    from opentelemetry.sdk.resources import Resource

    given = Resource.create({"service.version": __version__})
    if str(given.attributes["service.name"]).startswith("unknown_service"):
        return given.merge(Resource({"service.name": SERVICE}))
    return given


class _Sent:
    """An exporter of the SDK's, from which nothing leaves that is not `SAID`; it runs in the SDK's thread."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._status: int | None = None
        self._lost = 0
        self._told_at: float | None = None

    def answered(self, response: Response, *_: object, **__: object) -> None:
        self._status = response.status_code

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._status = None
        result = self._exporter.export([_said(span) for span in spans])
        if self._is_taken(result):
            if self._told_at is not None:
                log.info("traces_sent_again", lost=self._lost)
            self._told_at, self._lost = None, 0
        else:
            self._lost += len(spans)
            self._tell_now_and_then()
        return result

    def _is_taken(self, result: SpanExportResult) -> bool:
        """The SDK takes a redirect for success, and does not follow it."""
        return result.name == "SUCCESS" and self._status is not None and self._status < 300

    def _tell_now_and_then(self) -> None:
        now = time.monotonic()
        if self._told_at is None or now - self._told_at >= BETWEEN_LINES:
            self._told_at = now
            log.warning("traces_not_sent", status=self._status, lost=self._lost)

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _said(span: ReadableSpan) -> ReadableSpan:
    """Without `tracestate` either, which callers write; no span of ours has events or links."""
    from opentelemetry.sdk.trace import ReadableSpan

    context = span.get_span_context()
    assert context is not None, "a span that ended has one"
    return ReadableSpan(
        span.name,
        SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags),
        span.parent,
        span.resource,
        {name: value for name, value in (span.attributes or {}).items() if name in SAID},
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
