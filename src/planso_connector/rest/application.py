"""The REST application: its routes, and the middleware around them."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from planso_connector import __version__
from planso_connector.flows.operating.access_log import AccessLog
from planso_connector.flows.operating.authenticate import Authenticator
from planso_connector.flows.operating.installation_statistics import InstallationStatisticsCollector
from planso_connector.flows.operating.readiness import ReadinessProbe
from planso_connector.flows.operating.workshop_overview import WorkshopOverview
from planso_connector.flows.operating.workshops import WorkshopRegistry
from planso_connector.flows.workshop_flows import Workshops
from planso_connector.rest.immediate_reads import ImmediateReads
from planso_connector.rest.middleware import route_scopes
from planso_connector.rest.middleware.accepted_format import AcceptedFormatMiddleware
from planso_connector.rest.middleware.admission import AdmissionMiddleware
from planso_connector.rest.middleware.authentication import AuthenticationMiddleware, RequestAuthenticator, UseLog
from planso_connector.rest.middleware.key_watch import KeyWatchMiddleware
from planso_connector.rest.middleware.rate_limits import Limits, RateLimiter
from planso_connector.rest.middleware.request_log import RequestLog, RequestLogMiddleware
from planso_connector.rest.middleware.root_path import RootPathMiddleware
from planso_connector.rest.middleware.trace_context import Tracing
from planso_connector.rest.middleware.trusted_hosts import Network, TrustedHosts
from planso_connector.rest.routes import (
    availability,
    capacity,
    changes,
    docs_page,
    health,
    lookup,
    notices,
    operations,
    order_writes,
    orders,
    planso_login,
    progress,
    sync,
    tables,
    timeline,
    webhooks,
    workshops,
    writes,
)
from planso_connector.rest.routes import metrics as metrics_route
from planso_connector.rest.routes.direct_reads import DirectReadsMiddleware, DirectResponse
from planso_connector.rest.schemas import document, errors
from planso_connector.rest.schemas.examples import DocumentedFastAPI

TITLE = "PlanSo Connector"

_DESCRIPTION = """\
A REST service for a workshop that runs on PlanSo. Reads are answered from the connector's own database in
milliseconds; a write is answered with 200 only once PlanSo was seen to have it.

On this page "Try it out" and "Execute" send a small dry run; set `dry_run` to `false` to write.
"""


_ACCEPTED = [
    "Authorization",
    "Availability-Hold",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Protocol-Version",
    "Prefer",
    "X-API-Key",
    "X-Call-Id",
]
_EXPOSED = [
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Operation-Id",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
]
_METHODS = ["GET", "PUT", "PATCH", "POST", "DELETE"]
_CORS_OPTIONS = {"allow_methods": _METHODS, "allow_headers": _ACCEPTED, "expose_headers": _EXPOSED}


@dataclass(frozen=True, slots=True)
class ProcessFlows:
    """
    What belongs to no workshop alone. `get_readiness`: for callers without a key; `on_request` gets the method of each
    request, before it is handled.
    """

    workshops: Workshops
    authentication: Authenticator
    access_log: AccessLog
    get_readiness: Callable[[], Awaitable[ReadinessProbe]]
    on_request: Callable[[str], None]
    workshop_registry: WorkshopRegistry
    workshop_overview: WorkshopOverview
    installation_statistics: InstallationStatisticsCollector


@dataclass(frozen=True, slots=True)
class RequestPolicy:
    """Which requests are admitted. `is_behind`: whether too much database work is queued."""

    hosts: TrustedHosts
    origins: tuple[str, ...]
    proxies: tuple[Network, ...]
    limits: Limits
    allow_anonymous: bool
    is_behind: Callable[[], bool]
    root_path: str
    """Prefix under which a proxy serves the connector, as `/planso`; empty for none."""


class Application(DocumentedFastAPI):
    """FastAPI inside the middleware of `pipeline`; serving it serves all of it."""

    outermost: Sequence[Middleware] = ()
    around_error_handler: Sequence[Middleware] = ()
    immediate_reads: ImmediateReads | None = None
    adapt_scope: Callable[[Scope], Scope] | None = None
    _pipeline: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._pipeline is None:
            self._pipeline = _wrap(super().__call__, self.outermost)
        await self._pipeline(scope, receive, send)

    def answer_now(self, scope: Scope) -> DirectResponse | None:
        """Status, headers and body of a request that the pipeline is not needed for; None for all others."""
        if self.immediate_reads is None:
            return None
        return self.immediate_reads.answer(self.adapt_scope(scope) if self.adapt_scope is not None else scope)

    def build_middleware_stack(self) -> ASGIApp:
        return _wrap(super().build_middleware_stack(), self.around_error_handler)

    def setup(self) -> None:
        """Replaces FastAPI's, whose route builds the document in the event loop: that takes a quarter of a second."""
        self._openapi_lock = threading.Lock()

        async def get_document(_: Request) -> JSONResponse:
            return JSONResponse(await asyncio.to_thread(self.openapi))

        self.add_route("/openapi.json", get_document, include_in_schema=False)

    def openapi(self) -> dict[str, Any]:
        with self._openapi_lock:
            if self.openapi_schema is None:
                route_scopes.add_to_openapi(super().openapi())
                document.finish(super().openapi())
            return super().openapi()


def _wrap(app: ASGIApp, layers: Sequence[Middleware]) -> ASGIApp:
    for middleware, args, kwargs in reversed(layers):
        app = middleware(app, *args, **kwargs)
    return app


def _build_adapter(layers: Sequence[Middleware]) -> Callable[[Scope], Scope]:
    """A function that returns a scope as these layers, which only change it, hand it on."""

    async def end(_scope: Scope, _receive: Receive, _send: Send) -> None: ...

    chain: Any = _wrap(end, layers)

    def adapt(scope: Scope) -> Scope:
        adapted = dict(scope)
        with suppress(StopIteration):  # its end
            chain(adapted, None, None).send(None)
        return adapted

    return adapt


def pipeline(
    app: Application,
    flows: ProcessFlows,
    request_log: RequestLog,
    tracing: Tracing,
    policy: RequestPolicy,
    around_admission: Sequence[Middleware] = (),
) -> None:
    """The middleware around the routes, from outside in. Below it, in `server`, are only connections."""
    limiter = RateLimiter(policy.limits, time.monotonic)
    use_log = UseLog(flows.access_log, flows.on_request)
    authenticator = RequestAuthenticator(flows.authentication, flows.workshops, allow_anonymous=policy.allow_anonymous)
    adapting = _list_adapting(policy)
    app.outermost = [
        *adapting,
        *around_admission,
        # Before anything costs: response state, header checks, rate limits, overload. Its refusals are not logged each.
        Middleware(
            AdmissionMiddleware,
            hosts=policy.hosts,
            origins=policy.origins,
            limits=policy.limits,
            limiter=limiter,
            on_refusal=request_log.metrics.record_refusal,
            is_behind=policy.is_behind,
        ),
        # Outside authentication: browsers send no key with a preflight, and must read the headers of failures too.
        *_if(policy.origins, CORSMiddleware, allow_origins=policy.origins, **_CORS_OPTIONS),
    ]
    # FastAPI's span starts here.
    app.around_error_handler = [
        # Inside the span, whose trace it takes; outside the error handler, so that it sees the 500 of a fault.
        Middleware(RequestLogMiddleware, request_log=request_log, tracing=tracing)
    ]
    # FastAPI's error handler is here: a fault further inside is logged and answered as JSON.
    app.user_middleware = [
        # Before routing and parsing: a stranger learns of no route's parameters.
        Middleware(AuthenticationMiddleware, authenticator=authenticator, use_log=use_log, workshops=flows.workshops),
        # Outside what answers requests, which goes by the path.
        Middleware(AcceptedFormatMiddleware),
        # Inside authentication, whose rules hold for it; outside what only requests that wait or fail need.
        Middleware(DirectReadsMiddleware, on_routed=tracing.on_routed),
        # Requests that wait end when their key is revoked.
        Middleware(KeyWatchMiddleware, authenticate=partial(authenticator.authenticate, is_monitoring=True)),
    ]
    # FastAPI's handlers of our errors and the router follow.
    if not tracing.telemetry["tracing"]:  # FastAPI makes the spans
        app.immediate_reads = ImmediateReads(
            hosts=policy.hosts,
            limiter=limiter,
            is_behind=policy.is_behind,
            authenticator=authenticator,
            workshops=flows.workshops,
            use_log=use_log,
            request_log=request_log,
        )
        app.adapt_scope = _build_adapter(adapting) if adapting else None


def _list_adapting(policy: RequestPolicy) -> list[Middleware]:
    """The outermost: what changes a request, and looks at nothing else of it."""
    return [
        # Client address and scheme from X-Forwarded-*: limits, authentication and HSTS depend on them.
        *_if(policy.proxies, ProxyHeadersMiddleware, trusted_hosts=[str(network) for network in policy.proxies]),
        # Everything inside sees paths without the prefix.
        *_if(policy.root_path, RootPathMiddleware, prefix=policy.root_path),
    ]


def _if(condition: object, middleware: Any, **options: Any) -> list[Middleware]:
    return [Middleware(middleware, **options)] if condition else []


def build(
    flows: ProcessFlows,
    request_log: RequestLog,
    tracing: Tracing,
    policy: RequestPolicy,
    *,
    lookup_shows_all: bool = False,
    more_routers: Sequence[APIRouter] = (),
    around_admission: Sequence[Middleware] = (),
) -> Application:
    """
    `more_routers`, `around_admission`: of packages beside this one; `REQUIRED_SCOPES` has the scopes of their routes.
    """
    app = Application(
        title=TITLE,
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_tags=document.TAGS,
        servers=document.list_servers(policy.root_path),
        contact=document.CONTACT,
        license_info=document.LICENSE,
        separate_input_output_schemas=False,
        redirect_slashes=False,
        telemetry=tracing.telemetry,
    )
    errors.install_error_handlers(app)
    for router in (
        *orders.routes(),
        *tables.routes(),
        progress.routes(),
        timeline.routes(),
        lookup.routes(shows_all=lookup_shows_all),
        *more_routers,  # early: the router tries one route after the other, and somebody is on the phone
        *availability.routes(),
        capacity.routes(),
        notices.routes(),
        *order_writes.routes(),
        changes.routes(),
        *webhooks.routes(),
        *operations.routes(),
        *writes.routes(),
        planso_login.routes(),
        sync.routes(),
        *workshops.routes(flows.workshop_registry, flows.workshop_overview),
        health.routes(flows.get_readiness),
        metrics_route.routes(request_log.metrics, flows.installation_statistics),
        docs_page.routes(TITLE, __version__, policy.root_path),
    ):
        app.router.routes.extend(router.routes)
    route_scopes.check_complete(app.routes)
    pipeline(app, flows, request_log, tracing, policy, around_admission)
    return app
