"""
Answer in the format that `Accept` prefers, where a resource has several: each is at the path of the resource with a
suffix, and the request goes there. Without `Accept` the answer is JSON. 406 where it admits none of them.
"""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from planso_connector.rest.request_context import get_context
from planso_connector.rest.schemas.errors import http_error_response

JSON, CSV, HTML = "application/json", "text/csv", "text/html"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_TABLE = {JSON: "", CSV: ".csv", XLSX: ".xlsx"}
SUFFIXES: Mapping[str, Mapping[str, str]] = {
    "/api/orders": _TABLE,
    "/api/orders/{order_id}/parts": _TABLE,
    "/api/orders/{order_id}/history": _TABLE,
    "/api/orders/{order_id}/timeline": {JSON: "", HTML: ".html"},
}
"""By route: what is added to the path for each media type. Where `Accept` likes several equally, the first one."""

USUAL = frozenset({b"", b"*/*", b"application/json"})
"""Values of `Accept` that want JSON."""
_MAX_QUOTED = 200


class AcceptedFormatMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        suffixes = _find_suffixes(scope)
        if suffixes is not None:
            accept = b",".join(value for name, value in scope["headers"] if name == b"accept").strip()
            if accept not in USUAL:
                chosen = choose_type(accept.decode("latin-1"), tuple(suffixes))
                if chosen is None:
                    await http_error_response(_not_acceptable(accept, suffixes))(scope, receive, send)
                    return
                suffix = suffixes[chosen]
                get_context(scope).route_template += suffix
                scope = {**scope, "path": scope["path"] + suffix, "raw_path": scope["raw_path"] + suffix.encode()}
        await self._app(scope, receive, send)


def _find_suffixes(scope: Scope) -> Mapping[str, str] | None:
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    return SUFFIXES.get(get_context(scope).route_template)


def _not_acceptable(accept: bytes, suffixes: Mapping[str, str]) -> HTTPException:
    shown = accept.decode("ascii", "replace")[:_MAX_QUOTED]
    return HTTPException(406, f"Accept: '{shown}' admits no format of this answer; accepted: {', '.join(suffixes)}.")


def choose_type(accept: str, offered: tuple[str, ...]) -> str | None:
    """The offered media type that an Accept header prefers; None where it admits none. Source: RFC 9110, 12.5.1."""
    weights = {}
    for entry in accept.split(","):
        media_range, *parameters = (part.strip().lower() for part in entry.split(";"))
        weights[media_range] = next((_parse_weight(one[2:]) for one in parameters if one.startswith("q=")), 1.0)

    def weigh(media_type: str) -> float:
        ranges = media_type, f"{media_type.partition('/')[0]}/*", "*/*"
        return next((weights[one] for one in ranges if one in weights), 0.0)

    best = max(offered, key=weigh)
    return best if weigh(best) > 0 else None


def _parse_weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
