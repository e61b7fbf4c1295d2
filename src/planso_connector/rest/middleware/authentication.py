"""
Authenticate a request by its API key, check the scopes of its route, and write the access log.

Without any key the connector serves this machine alone. A server bound to loopback can still be reached from elsewhere
through a proxy or a browser, so requests with a sign of either are refused.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from urllib.parse import urlsplit

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.domain.caller import UNRESTRICTED_CALLER, Caller, extract_key_id
from planso_connector.domain.errors import ConnectorError, NotAllowed, NotAuthenticated, StoreUnavailable
from planso_connector.flows.operating.access_log import AccessLog
from planso_connector.flows.operating.authenticate import MONITORING_TIMEOUT, NOT_VALID, Authenticator
from planso_connector.flows.operating.wait_limit import current_key_id, current_workshop
from planso_connector.flows.workshop_flows import WorkshopFlows, Workshops
from planso_connector.rest.middleware.response_state import get_response_state
from planso_connector.rest.middleware.route_scopes import (
    LIVENESS_PATH,
    MONITORING_PATHS,
    OPTIONAL_KEY,
    MatchedRoute,
    match_route,
)
from planso_connector.rest.request_context import get_context
from planso_connector.rest.schemas.errors import error_response, http_error_response

_CREATE = "Make an API key (`planso-connector keys create`), or set CONNECTOR_ALLOW_ANONYMOUS=yes where a proxy checks."
_VIA_PROXY = "Without any API key this machine alone is served, and this came through a proxy. " + _CREATE
_FOREIGN_HOST = "Without any API key this machine alone is served, by the name localhost or its address. " + _CREATE
_FOREIGN_ORIGIN = "Without any API key, pages of other sites are refused. " + _CREATE
_NOT_FOUND = "There is nothing at this address; /docs lists what there is."

_PROXY_HEADERS = frozenset({b"forwarded", b"x-real-ip", b"via"})
_POLLED_PATHS = MONITORING_PATHS | {LIVENESS_PATH, "/api/sync/status"}
"""Not reported to `on_request`: a sync that pauses for whoever watches its progress would never end."""


class RequestAuthenticator:
    """`allow_anonymous`: as long as the default workshop has no key, anyone is admitted to it."""

    def __init__(self, authenticator: Authenticator, workshops: Workshops, *, allow_anonymous: bool) -> None:
        self._authenticator = authenticator
        self._workshops = workshops
        self._unrestricted = replace(UNRESTRICTED_CALLER, workshop=workshops.default)
        self._allow_anonymous = allow_anonymous

    async def authenticate(self, scope: Scope, *, is_monitoring: bool = False) -> Caller:
        """The sender of a request. Raises NotAuthenticated, HTTPException (403, 421) and StoreUnavailable."""
        key = _get_key(scope)
        caller = self._authenticator.recall(key) if key is not None else None
        if caller is None:
            get_context(scope).key_id = extract_key_id(key) if key is not None else None
            caller = await self._authenticator.authenticate(key, is_monitoring=is_monitoring)
        if caller is None:
            if not self._allow_anonymous:
                _require_local(scope)
            return self._unrestricted
        get_context(scope).key_id = caller.key_id
        if not await self._workshops.serves(caller.workshop):
            raise NotAuthenticated(NOT_VALID, given=True)
        return caller

    def recall(self, scope: Scope) -> Caller | None:
        """As `authenticate`, at once, of a key that was accepted before; None where it has to look, or refuses."""
        keys = get_context(scope).api_keys
        if len(keys) != 1:
            return None
        (key,) = keys
        return self._authenticator.recall(key.decode("latin-1"))


class UseLog:
    """Record who uses the connector. `on_request` gets the method of each request, before it is handled."""

    def __init__(self, access_log: AccessLog, on_request: Callable[[str], None]) -> None:
        self._access_log = access_log
        self._on_request = on_request

    def record_request(self, scope: Scope, caller: Caller) -> None:
        self._access_log.record_key_use(caller)
        if scope["path"] not in _POLLED_PATHS:
            self._on_request(scope["method"])

    def record_access(self, scope: Scope, route: MatchedRoute, caller: Caller, status: int) -> None:
        """The orders that the response showed, 412 too; else the one of the path."""
        name = f"{scope['method']} {route.template}"
        if status in (200, 412) and (order_ids := get_context(scope).shown_order_ids):
            self._access_log.record(caller, name, order_ids)
        elif status == 200 and scope["method"] == "GET" and (order_id := route.order_id) is not None:
            self._access_log.record(caller, name, (order_id,))

    def make_recorder(self, route: str, caller: Caller) -> Callable[[Sequence[int]], Awaitable[None]]:
        """For responses that show orders page by page: a function that records those of one page."""
        return partial(self._access_log.record_page, caller, route)


class AuthenticationMiddleware:
    """Admits a request to its caller's workshop."""

    def __init__(
        self, app: ASGIApp, *, authenticator: RequestAuthenticator, use_log: UseLog, workshops: Workshops
    ) -> None:
        self._app = app
        self._workshops = workshops
        self._authenticate = authenticator.authenticate
        self._use_log = use_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        route = None if _has_encoded_slash(scope) else match_route(scope["path"])
        if route is not None:
            get_context(scope).route_template = route.template
        try:
            caller = await self._authorize(scope, route)
            if caller is not None:
                self._count_request(scope, caller)
            flows = await self._find_flows(scope, caller) if caller is not None else None
        except ConnectorError as error:
            await error_response(error)(scope, receive, send)
            return
        except HTTPException as error:
            await http_error_response(error)(scope, receive, send)
            return
        if caller is None or route is None:
            await self._app(scope, receive, send)
            return
        context = get_context(scope)
        context.caller, context.flows = caller, flows
        context.record_shown = self._use_log.make_recorder(f"{scope['method']} {route.template}", caller)
        # The server runs each request in a context of its own.
        current_key_id.set(caller.key_id)
        current_workshop.set(caller.workshop)
        structlog.contextvars.bind_contextvars(workshop=caller.workshop)
        self._use_log.record_request(scope, caller)
        try:
            await self._app(scope, receive, send)
        finally:
            self._use_log.record_access(scope, route, caller, get_response_state(scope).status)

    async def _authorize(self, scope: Scope, route: MatchedRoute | None) -> Caller | None:
        """
        The caller; None on public routes. Raises HTTPException (404, 405), NotAuthenticated, NotAllowed and
        StoreUnavailable.
        """
        path, method = scope["path"], scope["method"]
        if route is None or method not in route.scopes_by_method:
            if path.startswith("/api"):
                await self._authenticate(scope)
            if route is None:
                raise HTTPException(404, _NOT_FOUND)
            methods = {*route.scopes_by_method, *(["HEAD"] if "GET" in route.scopes_by_method else [])}
            allowed = ", ".join(sorted(methods))
            raise HTTPException(405, f"{method} is not possible here; accepted: {allowed}.", {"Allow": allowed})
        required = route.scopes_by_method[method]
        if required is None:
            return None
        if required == OPTIONAL_KEY:
            try:
                return await self._authenticate(scope, is_monitoring=True)
            except (ConnectorError, HTTPException):
                return None
        caller = await self._authenticate(scope, is_monitoring=path in MONITORING_PATHS)
        if not caller.has_any_scope(*required):
            wanted = " or ".join(f"`{name}`" for name in required)
            held = ", ".join(f"`{name}`" for name in sorted(caller.scopes)) or "none"
            has = f"this API key has {held}" if caller.key_id else "a request without an API key does not have it"
            raise NotAllowed(f"The scope {wanted} is needed; {has}.", " ".join(required))
        return caller

    def _count_request(self, scope: Scope, caller: Caller) -> None:
        """Raises HTTPException (429) where the caller's workshop has its share of all requests in flight already."""
        slot = get_context(scope).slot
        refusal = slot.count_for(caller.workshop, is_alone=self._workshops.is_alone) if slot is not None else None
        if refusal is not None:
            raise HTTPException(refusal.status, refusal.message, {"Retry-After": str(refusal.retry_after)})

    async def _find_flows(self, scope: Scope, caller: Caller) -> WorkshopFlows | None:
        """
        Those of the caller's workshop; None where it is not configured, and for monitoring while it can't be opened.
        Raises HTTPException (404) where the host name names another one, and StoreUnavailable.
        """
        if self._workshops.is_foreign(get_host_label(scope), caller.workshop):
            raise HTTPException(404, _NOT_FOUND)
        flows = self._workshops.find_open(caller.workshop)
        if flows is not None:
            return flows
        if scope["path"] not in MONITORING_PATHS:
            return await self._workshops.open(caller.workshop)
        try:  # these are answered about the process alone while the database is silent
            async with asyncio.timeout(MONITORING_TIMEOUT):
                return await self._workshops.open(caller.workshop)
        except (StoreUnavailable, TimeoutError):
            return None


def _has_encoded_slash(scope: Scope) -> bool:
    """Whether the path has one, as `/api%2Forders`: a proxy in front takes it for another path than the router does."""
    return b"%2f" in scope["raw_path"].lower()


def _get_key(scope: Scope) -> str | None:
    """The API key that was sent. Raises NotAuthenticated for several."""
    keys = get_context(scope).api_keys
    if len(keys) > 1:
        raise NotAuthenticated("More than one API key came; accepted: one.", given=True)
    return next(iter(keys)).decode("latin-1") if keys else None


def _require_local(scope: Scope) -> None:
    """Raises HTTPException and NotAuthenticated for a request that may come from beyond this machine."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    client = scope.get("client")
    is_proxied = not _PROXY_HEADERS.isdisjoint(headers) or any(name.startswith(b"x-forwarded-") for name in headers)
    # Some proxies add no header and rewrite Host, but speak HTTP/1.0, unlike browsers and curl.
    if is_proxied or scope["http_version"] == "1.0" or client is None or not is_loopback(client[0]):
        raise NotAuthenticated(_VIA_PROXY)
    host = headers.get(b"host", b"")
    if not is_loopback(_get_host_name(host)):
        raise HTTPException(421, _FOREIGN_HOST)
    if b"origin" in headers and headers[b"origin"].partition(b"://")[2] != host:
        raise HTTPException(403, _FOREIGN_ORIGIN)


def get_host_label(scope: Scope) -> str:
    """
    The first label of the host name that was asked for, `reit` in `reit.connectors.example`; empty for an address, and
    for a name of one label, such as `localhost`, which workshops may be called, too.
    """
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    label, dot, rest = _get_host_name(host).partition(".")
    is_address = rest.rpartition(".")[2].isdecimal()
    return label if dot and not is_address else ""


@lru_cache(maxsize=256)
def _get_host_name(host: bytes) -> str:
    """A Host header without its port; empty if it is not one."""
    try:
        return urlsplit(f"//{host.decode('latin-1')}").hostname or ""
    except ValueError:
        return ""


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a name or an address is only reachable from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
