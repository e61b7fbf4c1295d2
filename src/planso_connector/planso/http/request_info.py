"""What login, transport and statistics know about a request; it travels in the request's extensions."""

import math
from dataclasses import dataclass

import httpx2

from planso_connector.planso.http.bounded_response import LargeResponseSlot

EXTENSION = "planso"


@dataclass(slots=True)
class RequestInfo:
    kind: str = "other"
    """The kind of page, by which requests are counted: list, form, parts, tab work, save, login, logout, other."""
    action: str = ""
    """Of a form or a save: update, insert or delete. The throttle learns the usual latency by kind and action."""
    is_save: bool = False
    """It changes something at PlanSo, so it is never sent twice."""
    is_login: bool = False
    is_retryable: bool = False
    """It is sent once more where the connection is lost before the response begins."""
    holds_slot: bool = False
    """It was made within `PlansoClient.hold_slot`, and does not wait for a login."""
    target: bytes | None = None
    """Path and query that are sent, where they are not those of the request's URL: building one takes 0.1 ms."""
    max_bytes: int | None = None
    """The largest response that is read, where that is not the client's usual bound."""
    large_slot: LargeResponseSlot | None = None
    """None for logins: they are short, and who holds one may wait for them."""
    has_response: bool = False
    """The headers of a response arrived."""
    uses_proxy: bool = False
    """It is sent by a proxy."""
    sent_at: float = -math.inf
    """When it was sent last, in seconds of the monotonic clock."""


def get_info(request: httpx2.Request) -> RequestInfo:
    info: RequestInfo = request.extensions.setdefault(EXTENSION, RequestInfo())
    return info
