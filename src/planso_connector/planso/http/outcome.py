"""How a request to PlanSo ended: the outcome that is counted, the error it becomes, and what it says about PlanSo."""

import ssl
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

import httpx2

from planso_connector.domain.clock import Clock
from planso_connector.domain.errors import (
    PageChanged,
    PageTooLarge,
    PlansoError,
    PlansoTimeout,
    PlansoUnavailable,
    PlansoUnsure,
)
from planso_connector.planso.http.bounded_response import ResponseTooLarge
from planso_connector.planso.http.failure_reasons import describe_connection_failure, describe_lost_connection
from planso_connector.planso.http.request_info import get_info

_NOT_CONNECTED = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)

OVERLOAD_STATUSES = frozenset({429, 502, 503, 504})
"""The statuses by which a server or its proxy says that it can't keep up. A 500 may be one order's page."""


class RequestOutcome(StrEnum):
    """All but the first two mean that PlanSo can't be worked with at the moment."""

    ANSWERED = "answered"
    """A status below 400, whether the page could be parsed or not."""
    REFUSED = "refused"
    """A status of 400 to 499 other than 429."""
    OVERLOADED = "overloaded"
    """One of OVERLOAD_STATUSES."""
    FAILED = "failed"
    """Another status from 500."""
    TIMEOUT = "timeout"
    """No response in time, or one that arrived too slowly."""
    UNREACHABLE = "unreachable"
    """No connection."""
    CERTIFICATE = "certificate"
    """No connection, because the certificate can't be trusted."""
    BROKEN = "broken"
    """The connection was lost."""
    TOO_LARGE = "too_large"
    """A response of more bytes than `PLANSO_MAX_ANSWER`."""


_WORKING = frozenset({RequestOutcome.ANSWERED, RequestOutcome.REFUSED})

OnExchange = Callable[[str, RequestOutcome, float], None]
"""Called after each request with the kind of page, the outcome and the seconds it took."""


def classify_status(status: int) -> RequestOutcome:
    if status in OVERLOAD_STATUSES:
        return RequestOutcome.OVERLOADED
    if status >= 500:
        return RequestOutcome.FAILED
    return RequestOutcome.REFUSED if status >= 400 else RequestOutcome.ANSWERED


def classify_transport_error(error: httpx2.TransportError) -> RequestOutcome:
    if isinstance(error, httpx2.TimeoutException):
        return RequestOutcome.TIMEOUT
    if isinstance(error, (httpx2.ProxyError, httpx2.UnsupportedProtocol)):
        return RequestOutcome.UNREACHABLE
    if isinstance(error, httpx2.ConnectError):
        return RequestOutcome.UNREACHABLE if find_certificate_error(error) is None else RequestOutcome.CERTIFICATE
    return RequestOutcome.BROKEN


def find_certificate_error(error: BaseException | None) -> str | None:
    """OpenSSL's words for what is wrong with PlanSo's certificate, where that is the cause of `error`."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None


def to_planso_error(error: httpx2.RequestError, page: str, *, is_save: bool) -> PlansoError:
    """The error of the domain, by what to do next, whose text names the page."""
    if isinstance(error, ResponseTooLarge):
        return _too_large_error(error, page, is_save=is_save)
    certificate_error = find_certificate_error(error)
    if certificate_error is not None:
        return PlansoUnavailable(
            f"{page}: PlanSo's certificate is not accepted ({certificate_error}); nothing was sent"
        )
    if isinstance(error, _NOT_CONNECTED):
        reason = describe_connection_failure(error, uses_proxy=get_info(error.request).uses_proxy)
        return PlansoUnavailable(f"{page}: PlanSo can't be reached: {reason}")
    is_timeout = isinstance(error, httpx2.TimeoutException)
    if is_save:
        reason = "it took too long" if is_timeout else f"the connection broke off: {describe_lost_connection(error)}"
        return PlansoUnsure(f"{page}: no answer arrived: {reason}")
    if is_timeout:
        return PlansoTimeout(f"{page}: PlanSo did not answer in time")
    if isinstance(error, httpx2.DecodingError):
        return PageChanged(f"{page}: the answer can't be unpacked")
    return PlansoUnavailable(f"{page}: the connection broke off: {describe_lost_connection(error)}")


def _too_large_error(error: ResponseTooLarge, page: str, *, is_save: bool) -> PlansoError:
    text = (
        f"{page}: PlanSo's answer is larger than {_format_size(error.max_bytes)}, and is not read (PLANSO_MAX_ANSWER)"
    )
    if is_save:
        return PlansoUnsure(f"{text}; it may have been applied")
    return PlansoUnavailable(text) if get_info(error.request).is_login else PageTooLarge(text)


def _format_size(size: int) -> str:
    return f"{size / 1e6:.3g} MB" if size >= 1e6 else f"{size / 1e3:.3g} KB"


class PlansoHealth:
    """What the last requests say about PlanSo; no request is made to find out."""

    def __init__(self, clock: Clock, on_exchange: OnExchange | None) -> None:
        self.last_answered_at: datetime | None = None
        """When a request last ended in ANSWERED or REFUSED."""
        self.failing_since: datetime | None = None
        """The first failure in the current row; None if the last request did not fail."""
        self.answering_since: datetime | None = None
        """The first request in the current row that did not fail; None before the first one and while they fail."""
        self.last_failure: RequestOutcome | None = None
        self._clock = clock
        self._on_exchange = on_exchange

    def record(self, page_kind: str, outcome: RequestOutcome, seconds: float) -> None:
        now = self._clock()
        if outcome in _WORKING:
            self.last_answered_at, self.failing_since, self.last_failure = now, None, None
            self.answering_since = self.answering_since or now
        else:
            self.answering_since = None
            self.failing_since = self.failing_since or now
            self.last_failure = outcome
        if self._on_exchange is not None:
            self._on_exchange(page_kind, outcome, seconds)
