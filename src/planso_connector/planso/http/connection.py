"""Where PlanSo is, and what a failed exchange with it means. Pure."""

from __future__ import annotations

import httpx2

from planso_connector.domain.errors import PageChanged, PlansoError, PlansoTimeout, PlansoUnavailable, PlansoUnsure
from planso_connector.planso.http.bounded_response import ResponseTooLarge
from planso_connector.planso.http.login import origin
from planso_connector.planso.http.outcome import find_certificate_error

_CONNECTING = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


def to_planso_error(error: httpx2.RequestError, page: str, *, saves: bool) -> PlansoError:
    """A failed exchange by what to do next."""
    what = type(error).__name__
    if isinstance(error, ResponseTooLarge):
        return error.to_planso_error(page, saves=saves)
    untrusted = find_certificate_error(error)
    if untrusted is not None:
        return PlansoUnavailable(f"{page}: PlanSo's certificate is not accepted ({untrusted}); nothing was sent")
    if isinstance(error, _CONNECTING):
        return PlansoUnavailable(f"{page}: PlanSo can't be reached ({what})")
    if saves:
        return PlansoUnsure(f"{page}: the answer never came ({what})")
    if isinstance(error, httpx2.TimeoutException):
        return PlansoTimeout(f"{page}: PlanSo did not answer in time ({what})")
    if isinstance(error, httpx2.DecodingError):
        return PageChanged(f"{page}: the answer can't be unpacked")
    return PlansoUnavailable(f"{page}: the connection broke off ({what})")


def parse_base_url(url: str, app: str) -> str:
    told = "accepted: an address such as https://reit.planso.de"
    try:
        parsed = httpx2.URL(url.strip())
    except httpx2.InvalidURL as error:
        raise ValueError(f"PlanSo's address can't be read; {told}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"PlanSo's address must begin with https:// and name a host; {told}")
    if parsed.userinfo:
        raise ValueError(f"PlanSo's address must not hold a user name or password; {told}")
    return origin(parsed) + parsed.path.rstrip("/").removesuffix(app)
