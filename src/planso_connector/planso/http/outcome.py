"""How one request to PlanSo ended, in words that are few enough to be counted by, and what they say of PlanSo now."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum

import httpx2

from planso_connector.domain.clock import Clock
from planso_connector.planso.http.login import IS_LOGIN, IS_SAVE


class RequestOutcome(StrEnum):
    """Each but the first two means that PlanSo can't be worked with at that moment."""

    ANSWERED = "answered"
    """A status below 400; whether the page could be read is another matter."""
    REFUSED = "refused"
    """A status of the 400s but 429: PlanSo is there, and does not want this."""
    OVERLOADED = "overloaded"
    """429, 502, 503 or 504: PlanSo, or what stands in front of it, can't keep up."""
    FAILED = "failed"
    """Another status of the 500s."""
    TIMEOUT = "timeout"
    """No answer in time, or one that came too slowly."""
    UNREACHABLE = "unreachable"
    """No connection: nobody listens, no such host, no network."""
    CERTIFICATE = "certificate"
    """No connection, because its certificate can't be trusted."""
    BROKEN = "broken"
    """The connection broke off."""
    TOO_LARGE = "too_large"
    """An answer of more bytes than `PLANSO_MAX_ANSWER`, which is not read."""


_THERE = frozenset({RequestOutcome.ANSWERED, RequestOutcome.REFUSED})

OnExchange = Callable[[str, RequestOutcome, float], None]
"""Told the kind of page, how it ended, and the seconds that it took."""


def classify_status(status: int) -> RequestOutcome:
    if status in (429, 502, 503, 504):
        return RequestOutcome.OVERLOADED
    if status >= 500:
        return RequestOutcome.FAILED
    return RequestOutcome.REFUSED if status >= 400 else RequestOutcome.ANSWERED


def classify_transport_error(error: httpx2.TransportError) -> RequestOutcome:
    if isinstance(error, httpx2.ConnectTimeout | httpx2.ReadTimeout | httpx2.WriteTimeout | httpx2.PoolTimeout):
        return RequestOutcome.TIMEOUT
    if isinstance(error, httpx2.ConnectError):
        return RequestOutcome.UNREACHABLE if find_certificate_error(error) is None else RequestOutcome.CERTIFICATE
    return RequestOutcome.BROKEN


def find_certificate_error(error: BaseException | None) -> str | None:
    """What is wrong with PlanSo's certificate, in OpenSSL's words, where that is the cause."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None


class PlansoHealth:
    """What the last requests say of PlanSo; nothing is asked to learn it."""

    def __init__(self, clock: Clock, calls: Mapping[str, str], on_exchange: OnExchange | None) -> None:
        """`calls` names the kind of page by its call."""
        self.last_answered_at: datetime | None = None
        """When PlanSo last gave an answer that can be worked with."""
        self.failing_since: datetime | None = None
        """The first of the failures in a row up to now; None when the last request did not fail."""
        self.last_failure: RequestOutcome | None = None
        self._clock = clock
        self._calls = calls
        self._on_exchange = on_exchange

    def record(self, request: httpx2.Request, outcome: RequestOutcome, seconds: float) -> None:
        now = self._clock()
        if outcome in _THERE:
            self.last_answered_at, self.failing_since, self.last_failure = now, None, None
        else:
            self.failing_since = self.failing_since or now
            self.last_failure = outcome
        if self._on_exchange is not None:
            self._on_exchange(self._kind(request), outcome, seconds)

    def _kind(self, request: httpx2.Request) -> str:
        if request.extensions.get(IS_LOGIN):
            return "login"
        kind = self._calls.get(request.url.params.get("m", ""), "other")
        return "save" if request.extensions.get(IS_SAVE) and kind in ("form", "other") else kind
