"""Why a request to PlanSo failed, in words an operator can act on. No address: callers read these messages too."""

import errno
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus

import httpx2

_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})


def describe_connection_failure(error: httpx2.RequestError, *, uses_proxy: bool) -> str:
    """`it refuses connections on this port`: why no connection came about. With a proxy, that is the other end."""
    other = "the proxy" if uses_proxy else "it"
    for cause in _causes(error):
        if isinstance(cause, httpx2.UnsupportedProtocol):
            return str(cause)
        if isinstance(cause, httpx2.ProxyError):
            return _describe_proxy_refusal(str(cause))
        if isinstance(cause, socket.gaierror):
            name = "the proxy's name" if uses_proxy else "its name"
            return f"{name} can't be resolved (DNS: {cause.strerror or cause})"
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLWantReadError):
            reason = (cause.reason or "").replace("_", " ").lower() or "no agreement"
            return f"TLS fails ({reason}); is it http on this port, or a program in between that answers?"
        if isinstance(cause, ConnectionRefusedError):
            return f"{other} refuses connections on this port"
        if isinstance(cause, ConnectionResetError):
            return f"{other} ends each connection at once"
        if isinstance(cause, OSError) and cause.errno in _NO_ROUTE:
            return f"the network has no route to {other} ({cause.strerror})"
    if isinstance(error, httpx2.PoolTimeout):
        return "all connections were in use for too long"
    if isinstance(error, httpx2.ConnectTimeout):
        return f"{other} accepted no connection in time; a firewall may drop it"
    return f"{other} accepts no connection"


def describe_lost_connection(error: httpx2.RequestError) -> str:
    """`it was closed before the answer`."""
    if any(isinstance(cause, ConnectionResetError) for cause in _causes(error)):
        return "it was reset"
    if "illegal" in str(error) or "invalid" in str(error):
        return "what came is not HTTP"
    return "it was closed before the answer was complete"


def describe_status(status: int) -> str:
    """`404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _describe_proxy_refusal(answer: str) -> str:
    """`answer`: the proxy's status and reason, `407 Proxy Authentication Required`."""
    advice = ""
    if answer.startswith("407"):
        advice = "; user and password belong into its address, http://user:password@host"
    return f"the proxy answers {answer}{advice}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
