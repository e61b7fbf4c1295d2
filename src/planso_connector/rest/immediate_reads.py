"""
Answer one order and lists of orders by key and by index in the server's callback that received the request, without a
task and without ASGI: those take longer than the database takes for the row.

The rules are the middleware's, by the same objects. Whatever is not plain is left to the pipeline, with nothing done:
refusals, keys that have to be looked up, requests from web pages, and all that `direct_reads` leaves to the routes.
"""

import asyncio
import time
from collections.abc import Callable

from starlette.types import Scope

from planso_connector.domain.caller import Caller
from planso_connector.flows.workshop_flows import WorkshopFlows, Workshops
from planso_connector.rest.middleware import accepted_format
from planso_connector.rest.middleware.authentication import RequestAuthenticator, UseLog, get_host_label
from planso_connector.rest.middleware.rate_limits import MAX_ACTIVE_READS, RateLimiter, Refusal
from planso_connector.rest.middleware.request_log import RequestLog
from planso_connector.rest.middleware.response_state import add_default_headers
from planso_connector.rest.middleware.route_scopes import MatchedRoute, match_route
from planso_connector.rest.middleware.trace_context import extract_trace
from planso_connector.rest.middleware.trusted_hosts import TrustedHosts
from planso_connector.rest.routes import direct_reads
from planso_connector.rest.routes.direct_reads import DirectResponse

_LEFT_TO_PIPELINE = frozenset({b"origin", b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
"""Headers of web pages, and of requests with a body."""


class ImmediateReads:
    """`is_behind`: whether too much database work is queued."""

    def __init__(
        self,
        *,
        hosts: TrustedHosts,
        limiter: RateLimiter,
        is_behind: Callable[[], bool],
        authenticator: RequestAuthenticator,
        workshops: Workshops,
        use_log: UseLog,
        request_log: RequestLog,
    ) -> None:
        self._hosts = hosts
        self._limiter = limiter
        self._is_behind = is_behind
        self._authenticator = authenticator
        self._workshops = workshops
        self._use_log = use_log
        self._request_log = request_log
        self._answered_in_turn = 0
        """Since the event loop last looked for other work: all others wait for these."""

    def answer(self, scope: Scope) -> DirectResponse | None:
        """None where the pipeline has to answer."""
        if scope["method"] != "GET" or not scope["path"].startswith(direct_reads.LIST) or not self._has_time():
            return None
        route = match_route(scope["path"])
        headers = dict(scope["headers"])
        if (
            route is None
            or b"%" in scope["raw_path"]  # an encoded slash is another path to a proxy in front
            or len(headers) < len(scope["headers"])
            or not _LEFT_TO_PIPELINE.isdisjoint(headers)
            or headers.get(b"accept", b"") not in accepted_format.USUAL
            or not self._hosts.accepts(headers.get(b"host", b""))
        ):
            return None
        buckets = self._limiter.find_buckets(scope)
        admitted = None if isinstance(buckets, Refusal) else self._admit(scope, route)
        if isinstance(buckets, Refusal) or admitted is None:
            return None
        caller, flows = admitted
        began = time.perf_counter()
        response = direct_reads.answer(scope, route.template, flows)
        if response is None:
            return None
        status, own_headers, body = response
        limits = buckets.take_tokens()
        trace = extract_trace(scope["headers"])
        self._use_log.record_request(scope, caller)
        self._use_log.record_access(scope, route, caller, status)
        self._request_log.record(("GET", route.template, status), began, caller.key_id, caller.workshop, trace)
        common = add_default_headers(own_headers, is_https=scope["scheme"] == "https")
        return status, [*common, *limits, (b"traceresponse", trace.traceresponse)], body

    def _has_time(self) -> bool:
        """Whether requests need not be refused, and other work not be looked after."""
        if (
            self._answered_in_turn >= MAX_ACTIVE_READS
            or self._limiter.active_reads >= self._limiter.max_active_reads
            or self._is_behind()
        ):
            return False
        if not self._answered_in_turn:
            asyncio.get_running_loop().call_soon(self._begin_turn)
        self._answered_in_turn += 1
        return True

    def _begin_turn(self) -> None:
        self._answered_in_turn = 0

    def _admit(self, scope: Scope, route: MatchedRoute) -> tuple[Caller, WorkshopFlows] | None:
        caller = self._authenticator.recall(scope)
        scopes = route.scopes_by_method.get("GET")
        if caller is None or not scopes or not caller.has_any_scope(*scopes):
            return None
        if self._workshops.is_foreign(get_host_label(scope), caller.workshop):
            return None
        flows = self._workshops.find_open(caller.workshop)
        return (caller, flows) if flows is not None else None
