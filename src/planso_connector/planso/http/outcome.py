"""How one request to PlanSo ended, in words that are few enough to be counted by, and what they say of PlanSo now."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum

import httpx2

from planso_connector.domain.clock import Clock
from planso_connector.planso.http.login import LOGS_IN, SAVES


class Outcome(StrEnum):
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


_THERE = frozenset({Outcome.ANSWERED, Outcome.REFUSED})

OnExchange = Callable[[str, Outcome, float], None]
"""Told the kind of page, how it ended, and the seconds that it took."""


def outcome_of_status(status: int) -> Outcome:
    if status in (429, 502, 503, 504):
        return Outcome.OVERLOADED
    if status >= 500:
        return Outcome.FAILED
    return Outcome.REFUSED if status >= 400 else Outcome.ANSWERED


def outcome_of_error(error: httpx2.TransportError) -> Outcome:
    if isinstance(error, httpx2.ConnectTimeout | httpx2.ReadTimeout | httpx2.WriteTimeout | httpx2.PoolTimeout):
        return Outcome.TIMEOUT
    if isinstance(error, httpx2.ConnectError):
        return Outcome.UNREACHABLE if untrusted_certificate(error) is None else Outcome.CERTIFICATE
    return Outcome.BROKEN


def untrusted_certificate(error: BaseException | None) -> str | None:
    """What is wrong with PlanSo's certificate, in OpenSSL's words, where that is the cause."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None


class Standing:
    """What the last requests say of PlanSo; nothing is asked to learn it."""

    def __init__(self, clock: Clock, calls: Mapping[str, str], on_exchange: OnExchange | None) -> None:
        """`calls` names the kind of page by its call."""
        self.answered_at: datetime | None = None
        """When PlanSo last gave an answer that can be worked with."""
        self.failing_since: datetime | None = None
        """The first of the failures in a row up to now; None when the last request did not fail."""
        self.failure: Outcome | None = None
        self._clock = clock
        self._calls = calls
        self._on_exchange = on_exchange

    def note(self, request: httpx2.Request, outcome: Outcome, seconds: float) -> None:
        now = self._clock()
        if outcome in _THERE:
            self.answered_at, self.failing_since, self.failure = now, None, None
        else:
            self.failing_since = self.failing_since or now
            self.failure = outcome
        if self._on_exchange is not None:
            self._on_exchange(self._kind(request), outcome, seconds)

    def _kind(self, request: httpx2.Request) -> str:
        if request.extensions.get(LOGS_IN):
            return "login"
        kind = self._calls.get(request.url.params.get("m", ""), "other")
        return "save" if request.extensions.get(SAVES) and kind in ("form", "other") else kind
