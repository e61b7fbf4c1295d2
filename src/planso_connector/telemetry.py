"""
OpenTelemetry traces, enabled by the standard variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and others): spans of requests,
pushes, syncs and requests to PlanSo, exported by OTLP over HTTP.

Every exported span is reduced to the attributes in `EXPORTED_ATTRIBUTES`. Nothing waits for the collector: spans wait
in a bounded queue for the SDK's thread, and are dropped when the collector does not accept them.
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

EXPORTED_ATTRIBUTES = frozenset(
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
"""All that is exported. Not path, query and host, which FastAPI records too: they hold names, plates, phone numbers."""

FLUSH_TIMEOUT = 3.0
"""Seconds to wait at exit for spans not exported yet."""

LOG_INTERVAL = 600.0
"""Seconds between two log lines about a collector that does not accept spans."""

_NO_FAULT = frozenset({"answered", "refused"})
"""Outcomes that do not mark a PlanSo span as failed."""
_UNTRACED_PATHS = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Polled every few seconds: their spans would bury the others."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = structlog.get_logger(__name__)


class TelemetryConfigError(Exception):
    """An OTEL_ variable can't be used; the text names it and what is accepted."""


class Traces:
    """Create the spans. Without a provider nothing is traced and requests pay nothing."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._tracer = (provider or NoOpTracerProvider()).get_tracer("planso_connector", __version__)
        self.requests = Tracing()
        if provider is not None:
            native = {**TELEMETRY_OFF, "tracing": True, "tracer_provider": provider, "exclude": _is_untraced}
            self.requests = Tracing(cast(TelemetryConfig, native), _current_trace, _on_routed)

    def push(self, operation: Operation) -> AbstractContextManager[None]:
        """The span of one attempt to push an operation."""
        attributes = {"operation.id": operation.id, "operation.action": operation.action.value}
        order = {"order.id": operation.order_id} if operation.order_id is not None else {}
        return self._span("push", {**attributes, **order, "operation.attempt": operation.attempts})

    def sync(self, run: RunProgress) -> AbstractContextManager[None]:
        """The span of one sync run."""
        return self._span("sync", {"sync.run": run.run_id, "sync.kind": run.kind})

    @contextmanager
    def _span(self, name: str, attributes: Mapping[str, str | int]) -> Iterator[None]:
        """A span whose ids appear in the log lines inside it. Must be entered in a task of its own."""
        # Exceptions are not recorded: their texts may hold callers' data.
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            context = span.get_span_context()
            if context.is_valid:
                trace = _to_trace(context)
                structlog.contextvars.bind_contextvars(trace_id=trace.trace_id, span_id=trace.span_id)
            try:
                yield
            except BaseException as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise

    def planso(self, page: str, outcome: str, seconds: float) -> None:
        """Record a request to PlanSo that has just ended and took `seconds`."""
        end = time.time_ns()
        span = self._tracer.start_span(
            f"PlanSo {page}",
            kind=SpanKind.CLIENT,
            start_time=end - round(seconds * 1e9),
            attributes={"planso.page": page, "planso.outcome": str(outcome)},
        )
        if outcome not in _NO_FAULT:
            span.set_status(StatusCode.ERROR)
        span.end(end)


def _is_untraced(scope: Scope) -> bool:
    return scope.get("path") in _UNTRACED_PATHS


def _to_trace(context: SpanContext) -> TraceContext:
    return TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", f"{context.trace_flags:02x}")


def _current_trace(headers: HeaderPairs) -> TraceContext:
    context = get_current_span().get_span_context()
    return _to_trace(context) if context.is_valid else extract_trace(headers)


def _on_routed(method: str, route: str) -> None:
    """Name the span after the route, also when a middleware answers before FastAPI's router names it."""
    span = get_current_span()
    if span.is_recording():
        span.set_attribute("http.route", route)
        span.update_name(f"{method if method in _METHODS else 'HTTP'} {route}")


@asynccontextmanager
async def configure(environment: Mapping[str, str]) -> AsyncIterator[Traces]:
    """
    Configure traces as the OTEL_ variables say; at the end, flush for up to `FLUSH_TIMEOUT`. A wrong configuration is
    logged and nothing is traced: no request fails because of a collector.
    """
    provider = None
    try:
        if _is_enabled(environment):
            provider = _build_provider()
            log.info("traces_on")
    except TelemetryConfigError as error:
        log.warning("traces_off", reason=str(error))
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
        reason = "The OpenTelemetry SDK does not accept the value of one of the OTEL_ variables."
        log.warning("traces_off", reason=reason, error=type(error).__name__)
    try:
        yield Traces(provider)
    finally:
        if provider is not None:
            # A daemon thread, so that neither this nor the interpreter's exit waits longer.
            thread = threading.Thread(target=provider.shutdown, name="flush traces", daemon=True)
            thread.start()
            await asyncio.to_thread(thread.join, FLUSH_TIMEOUT)


def _is_enabled(environment: Mapping[str, str]) -> bool:
    """Raises TelemetryConfigError, which shows no values: an address may hold a password."""
    signal, every = "OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"
    name = next((prefix + "ENDPOINT" for prefix in (signal, every) if environment.get(prefix + "ENDPOINT")), None)
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if name is None or environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    if exporter not in ("", "otlp"):
        raise TelemetryConfigError("OTEL_TRACES_EXPORTER: accepted: otlp, none.")
    for prefix in (signal, every):
        protocol = environment.get(prefix + "PROTOCOL", "").strip().lower()
        if protocol not in ("", "http/protobuf"):
            raise TelemetryConfigError(f"{prefix}PROTOCOL: accepted: http/protobuf.")
        if protocol:
            break
    try:
        address = urlsplit(environment[name].strip())
        is_valid = address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:
        is_valid = False
    if not is_valid:
        raise TelemetryConfigError(f"{name}: accepted: an address such as http://collector.example:4318.")
    return True


def _build_provider() -> SdkTracerProvider:
    """
    The SDK reads the other standard variables (sampling, headers, certificates, queue, resource) itself. Raises
    TelemetryConfigError if it is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from requests import Session
    except ImportError as error:
        raise TelemetryConfigError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but the extra is not installed: pip install 'planso-connector[otel]'."
        ) from error
    session = Session()
    exporter = _FilteringExporter(OTLPSpanExporter(session=session))
    session.hooks["response"].append(exporter.record_response)
    provider = SdkTracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(cast("SpanExporter", exporter)))
    # Its own loggers write a line for each failed batch and each dropped span; `_FilteringExporter` writes a few.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    return provider


def _resource() -> Resource:
    from opentelemetry.sdk.resources import Resource

    resource = Resource.create({"service.version": __version__})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        return resource.merge(Resource({"service.name": SERVICE}))
    return resource


class _FilteringExporter:
    """Wraps an exporter: strips spans to `EXPORTED_ATTRIBUTES` and logs failures. Runs in the SDK's thread."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._status: int | None = None
        self._lost = 0
        self._logged_at: float | None = None

    def record_response(self, response: Response, *_: object, **__: object) -> None:
        self._status = response.status_code

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._status = None
        result = self._exporter.export([_strip(span) for span in spans])
        if self._is_accepted(result):
            if self._logged_at is not None:
                log.info("traces_accepted_again", lost=self._lost)
            self._logged_at, self._lost = None, 0
        else:
            self._lost += len(spans)
            self._log_failure()
        return result

    def _is_accepted(self, result: SpanExportResult) -> bool:
        """The SDK counts a redirect as success and does not follow it."""
        return result.name == "SUCCESS" and self._status is not None and self._status < 300

    def _log_failure(self) -> None:
        now = time.monotonic()
        if self._logged_at is None or now - self._logged_at >= LOG_INTERVAL:
            self._logged_at = now
            log.warning("traces_not_accepted", status=self._status, lost=self._lost)

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _strip(span: ReadableSpan) -> ReadableSpan:
    """Copy a span with the exported attributes alone, and without `tracestate`, which callers write."""
    from opentelemetry.sdk.trace import ReadableSpan

    context = span.get_span_context()
    assert context is not None, "an ended span has a context"
    return ReadableSpan(
        span.name,
        SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags),
        span.parent,
        span.resource,
        {name: value for name, value in (span.attributes or {}).items() if name in EXPORTED_ATTRIBUTES},
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
