"""
The guard: before a request is read any further, who sent it and whether that key may do it. Then the access log.

Without any key the connector is for this machine alone. A server bound to loopback is reached from elsewhere through a
proxy or a browser all the same, so whatever tells of either is refused.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache, partial
from urllib.parse import urlsplit

from starlette._utils import get_route_path  # the router's own: both must see the same address
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from planso_connector.domain.caller import UNRESTRICTED_CALLER, Caller, extract_key_id
from planso_connector.domain.errors import ConnectorError, NotAllowed, NotAuthenticated
from planso_connector.flows.operating import wait_limit
from planso_connector.flows.operating.access_log import AccessLog
from planso_connector.flows.operating.authenticate import Authenticator
from planso_connector.rest import request_context
from planso_connector.rest.middleware import route_scopes
from planso_connector.rest.middleware.key_watch import KeyWatch, KeyWithdrawn
from planso_connector.rest.middleware.response_state import get_response_state
from planso_connector.rest.middleware.route_scopes import OPTIONAL_KEY, MatchedRoute
from planso_connector.rest.schemas.errors import error_response, failure_response

_CREATE = "Make an API key (`planso-connector keys create`), or set CONNECTOR_ALLOW_ANONYMOUS=yes where a proxy checks."
_PROXY = "Without any API key this machine alone is served, and this came through a proxy. " + _CREATE
_HOST = "Without any API key this machine alone is served, by the name localhost or its address. " + _CREATE
_ORIGIN = "Without any API key, pages of other sites are refused. " + _CREATE
_NOTHING_HERE = "There is nothing at this address; /docs lists what there is."

WATCHING = frozenset({"/api/sync/status", "/health/live", "/health/ready", "/metrics"})
"""Who asks these looks on. A sync that gave way to its own watchers would take as long as they watch."""


class AuthenticationMiddleware:
    """
    `allow_anonymous`: as long as there is no key, everyone is let in. `asked` is called with the method of each request
    that is let in and is not `WATCHING`, before it is answered.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        authentication: Authenticator,
        accesses: AccessLog,
        asked: Callable[[str], None],
        allow_anonymous: bool,
    ) -> None:
        self._app = app
        self._asked = asked
        self._authentication = authentication
        self._accesses = accesses
        self._allow_anonymous = allow_anonymous
        self._watch = KeyWatch(partial(self._caller, watches=True))

    async def __call__(self, connection: Connection, receive: Receive, send: Send) -> None:
        if connection["type"] == "lifespan":
            await self._app(connection, receive, send)
            return
        if connection["type"] != "http":  # nothing here speaks anything else
            await send({"type": "websocket.close", "code": 1008})
            return
        path = get_route_path(connection)
        place = None if _has_hidden_slash(connection) else route_scopes.match_route(path)
        if place is not None:
            connection[request_context.ROUTE_TEMPLATE] = place.template
        try:
            caller = await self._let_in(connection, path, place)
        except ConnectorError as error:
            await error_response(error)(connection, receive, send)
            return
        except HTTPException as error:
            refusal = failure_response(error.status_code, error.detail)
            refusal.headers.update(error.headers or {})
            await refusal(connection, receive, send)
            return
        if caller is None or place is None:
            await self._app(connection, receive, send)
            return
        connection[request_context.CALLER] = caller
        wait_limit.current_key_id.set(caller.key_id)  # the server gives each request a context of its own
        self._accesses.record_key_use(caller)
        if path not in WATCHING:
            self._asked(connection["method"])
        try:
            if path in route_scopes.MONITORING_PATHS:
                await self._app(connection, receive, send)
            else:
                await self._watch.run(self._app, _key(connection), connection, receive, send)
        except KeyWithdrawn as withdrawn:
            await error_response(withdrawn.error)(connection, receive, send)
        finally:
            self._note(connection, place, caller, get_response_state(connection).status)

    async def _let_in(self, connection: Connection, path: str, place: MatchedRoute | None) -> Caller | None:
        """Who; None where nobody is asked. Raises HTTPException, NotAuthenticated, NotAllowed, StoreUnavailable."""
        if place is None:
            if path.startswith("/api"):
                await self._caller(connection)
            raise HTTPException(404, _NOTHING_HERE)
        if connection["method"] not in place.scopes_by_method:
            if path.startswith("/api"):
                await self._caller(connection)
            allowed = ", ".join(sorted(place.scopes_by_method))
            told = f"{connection['method']} is not possible here; accepted: {allowed}."
            raise HTTPException(405, told, {"Allow": allowed})
        need = place.scopes_by_method[connection["method"]]
        if need is None:
            return None
        if need == OPTIONAL_KEY:
            try:
                return await self._caller(connection, watches=True)
            except (ConnectorError, HTTPException):
                return None
        caller = await self._caller(connection, watches=path in route_scopes.MONITORING_PATHS)
        if not caller.has_any_scope(*need):
            wanted = " or ".join(f"`{scope}`" for scope in need)
            held = ", ".join(f"`{scope}`" for scope in sorted(caller.scopes)) or "none"
            raise NotAllowed(f"The scope {wanted} is needed; this API key has {held}.", " ".join(need))
        return caller

    async def _caller(self, connection: Connection, *, watches: bool = False) -> Caller:
        key = _key(connection)
        if key is not None:
            connection[request_context.KEY_ID] = extract_key_id(key)
        caller = await self._authentication.authenticate(key, watches=watches)
        if caller is not None:
            return caller
        if not self._allow_anonymous:
            _refuse_strangers(connection)
        return UNRESTRICTED_CALLER

    def _note(self, connection: Connection, place: MatchedRoute, caller: Caller, status: int) -> None:
        """What an answer shows: the orders that it names, 412 too, or the one of its address."""
        route = f"{connection['method']} {place.template}"
        if status in (200, 412) and (shown := request_context.get_shown_order_ids(connection)):
            self._accesses.record(caller, route, shown)
        elif status == 200 and connection["method"] == "GET" and place.order_id is not None:
            self._accesses.record(caller, route, [place.order_id])


def _has_hidden_slash(connection: Connection) -> bool:
    """
    Whether an encoded slash stands in the address: what is before this service sees another address there than the
    router, `/api%2Forders`, and rules of a proxy for one would not hold for the other.
    """
    return b"%2f" in connection["raw_path"].lower()


def _key(connection: Connection) -> str | None:
    """The API key that came; None for none. Raises NotAuthenticated for more than one."""
    given = request_context.extract_api_keys(connection["headers"])
    if len(given) > 1:
        raise NotAuthenticated("More than one API key came; accepted: one.", given=True)
    return given.pop().decode("latin-1") if given else None


def _refuse_strangers(connection: Connection) -> None:
    """Raises HTTPException and NotAuthenticated for what may come from beyond this machine."""
    headers: dict[bytes, bytes] = dict(connection["headers"])
    peer = connection.get("client")
    through_proxy = not _OF_PROXIES.isdisjoint(headers) or b" x-forwarded-" in b" ".join((b"", *headers))
    # Some proxies tell nothing and rewrite Host, but speak HTTP/1.0, as neither browsers nor curl do.
    if through_proxy or connection["http_version"] == "1.0" or peer is None or not is_loopback(peer[0]):
        raise NotAuthenticated(_PROXY)
    host = headers.get(b"host", b"")
    if not is_loopback(_name(host)):
        raise HTTPException(421, _HOST)
    if b"origin" in headers and headers[b"origin"].partition(b"://")[2] != host:
        raise HTTPException(403, _ORIGIN)


_OF_PROXIES = frozenset({b"forwarded", b"x-real-ip", b"via"})


@lru_cache(maxsize=256)
def _name(host: bytes) -> str:
    """A Host without its port; empty for what is none."""
    try:
        return urlsplit(f"//{host.decode('latin-1')}").hostname or ""
    except ValueError:
        return ""


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, which nobody else can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
