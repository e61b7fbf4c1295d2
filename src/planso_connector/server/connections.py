"""
uvicorn's connections with limits: how many, how long a request may take to arrive, how large its head may be, and how
much may be unsent. uvicorn limits none of these, and a byte now and then keeps its connections open for ever.
"""

from __future__ import annotations

import asyncio
import re
import select
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from itertools import chain
from typing import Any, cast

import structlog
from httptools import HttpParserInvalidURLError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from planso_connector.rest.middleware.admission import ARRIVED_AT, OVERLOADED
from planso_connector.rest.middleware.response_state import add_default_headers
from planso_connector.rest.schemas.errors import EXAMPLE_MESSAGES, failure_response

log = structlog.get_logger(__name__)

MAX_HEADERS, MAX_HEAD_BYTES = 100, 32 * 1024
KEEP_ALIVE = 75
"""
Seconds. Longer than clients and proxies keep an idle connection, mostly a minute: who closes first may cut off a
request that is on its way.
"""
_READ_DELAY = 0.05
"""Seconds for the loop to read what has arrived on an idle connection that was about to be closed."""
OVERLOAD_PAUSE = 0.25
"""
Seconds for which nothing is read from a connection after a 503. Some clients ask again at once, and refusing hundreds
of them without end takes the time of the admitted ones.
"""
MAX_UNSENT_BYTES = 16 << 20
"""
Of all responses together. Beyond it the connection that is blocked longest is aborted: a few hundred clients that asked
for lists and read nothing took 400 MB.
"""
MAX_PIPELINED = 10
"""
Requests that may wait for the response to one before them on their connection: what arrives in one piece is parsed in
one turn of the loop, and may be a thousand short requests.
"""
MAX_BODY_PIECES = 4000
"""Chunks, or TCP segments: each costs as much as a kilobyte, and a body of a megabyte may have 170,000."""

_NOT_HTTP = 400, "This is no HTTP that the connector understands."
_BAD_ADDRESS = (
    400,
    "The address holds what no address may; accepted: UTF-8, percent-encoded, as M%C3%BCller for Müller.",
)
_OTHER_HOST = 400, "The address names another host than the header Host; accepted: the path alone, or the same host."
_HEAD_TOO_LARGE = 431, EXAMPLE_MESSAGES[431]["head_too_large"]
_TOO_MANY_PIECES = 413, f"The body comes in too many pieces; accepted: up to {MAX_BODY_PIECES}."
_FULL = 503, "The connector has as many connections as it takes."

_AnswerNow = Callable[[Any], tuple[int, list[tuple[bytes, bytes]], bytes] | None]
"""Gets an ASGI scope; status, headers and body, or None where the application has to be called."""

_CONTINUE = b"HTTP/1.1 100"
_NON_ASCII = re.compile(rb"[\x80-\xff]")
_ABSOLUTE_URL = re.compile(rb"https?://([^/?@]+)(?:[/?]|$)")
"""As sent to proxies: RFC 9112, section 3.2."""


class ConnectionMonitor:
    """
    Beyond `max_connections` a new connection replaces one that waits to send a request, longest first: ten thousand
    connections that send nothing keep nobody out. `timeout`: seconds for a head to arrive, for a response to be read.
    """

    def __init__(self, max_connections: int, timeout: float) -> None:
        self.max_connections = max_connections
        self.timeout = timeout
        self.receiving: dict[Connection, None] = {}
        """New connections, and those that have sent a part of a head."""
        self.idle: dict[Connection, None] = {}
        """Connections after a response; they give way after `receiving`."""
        self.blocked: dict[Connection, None] = {}
        """Connections whose client does not read."""

    def remove_waiting(self, connection: Connection) -> None:
        self.idle.pop(connection, None)
        self.receiving.pop(connection, None)

    def make_room(self, newest: Connection) -> bool:
        for connection in chain(self.receiving, self.idle):
            if connection is not newest:
                self.remove_waiting(connection)
                connection.transport.abort()
                return True
        return False

    def limit_unsent(self, newest: Connection) -> None:
        """Abort the connections blocked longest if together they hold too much."""
        unsent = {connection: connection.transport.get_write_buffer_size() for connection in self.blocked}
        excess = sum(unsent.values()) - MAX_UNSENT_BYTES
        for oldest, size in unsent.items():
            if excess <= 0:
                return
            if oldest is not newest:
                excess -= size
                del self.blocked[oldest]
                oldest.transport.abort()


class _Refused(Exception):
    """Raised within the parser, which ends parsing; its arguments are status and message."""


class _IgnoredTrailers(list[tuple[bytes, bytes]]):
    """uvicorn adds trailers of a chunked body to the headers: nobody checked them."""

    def append(self, _header: tuple[bytes, bytes]) -> None:
        return


class _ResponseWriter:
    """
    A response's transport, which holds the head back until the first of the body: uvloop sends each write at once, and
    a second one costs as much as reading an order.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._has_head = False
        self.is_closing, self.get_write_buffer_size = transport.is_closing, transport.get_write_buffer_size

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines([head, data])
        elif not self._has_head and not data.startswith(_CONTINUE):
            self._head, self._has_head = data, True
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Send the head of a response without a body."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self._transport.close()


class Connection(HttpToolsProtocol):
    """Its ConnectionMonitor is its config's, see ServerConfig."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._monitor: ConnectionMonitor = cast(Any, self.config).monitor
        self._is_in_head, self._head_bytes, self._body_pieces = True, 0, 0
        self._running: RequestResponseCycle | None = None  # `cycle` is the latest, which may wait for this one
        self._answer_now: _AnswerNow | None = getattr(self.app, "answer_now", None)
        self._may_answer_now = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        if len(self.connections) > self._monitor.max_connections and not self._monitor.make_room(self):
            log.warning("connections_full", max_connections=self._monitor.max_connections)
            self._refuse(*_FULL)
        else:
            self._await_head()

    def _await_head(self) -> None:
        self._monitor.idle.pop(self, None)
        self._monitor.receiving[self] = None
        self._head_timer = self.loop.call_later(self._monitor.timeout, self.transport.close)

    def _end_waiting(self) -> None:
        """The head is complete, or the connection ends."""
        self._monitor.remove_waiting(self)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_waiting()
        self.resume_writing()
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:  # uvicorn leaves it if the connection was reset
            self.timeout_keep_alive_task.cancel()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        if self._is_in_head:
            if not self._head_bytes and not data.isascii():
                data = _percent_encode_first_line(data)
            self._head_bytes += len(data)
        self._may_answer_now = True
        super().data_received(data)
        self._may_answer_now = False
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(*_HEAD_TOO_LARGE)
        elif self._is_in_head and self._head_bytes and self._head_timer is None and not self._is_busy():
            self._await_head()

    def on_headers_complete(self) -> None:
        headers = self.headers
        if not self.url.startswith((b"/", b"*")):
            match = _ABSOLUTE_URL.match(self.url.lower())
            if match is None or match[1] not in [value.lower() for name, value in headers if name == b"host"]:
                raise _Refused(*_OTHER_HOST)
        # Bytes of a body may have come with the last of the head: only then it has to be counted exactly.
        if len(headers) > MAX_HEADERS or (
            self._head_bytes > MAX_HEAD_BYTES
            and len(self.url) + sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEAD_BYTES
        ):
            raise _Refused(*_HEAD_TOO_LARGE)
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _Refused(*_NOT_HTTP)
        self._is_in_head = False
        self._end_waiting()
        is_next = not self._is_busy()
        if is_next:  # else it waits for its own connection's responses
            self.scope[ARRIVED_AT] = time.monotonic()  # type: ignore[literal-required]
        super().on_headers_complete()
        self.headers = _IgnoredTrailers()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._may_answer_now and self._answer_now is not None and cycle.keep_alive and not self.flow.write_paused:
            # One of all that arrived in one piece, whose parsing nothing else may wait for.
            self._may_answer_now = False
            response = self._answer_now(cycle.scope)
            if response is not None:
                self._respond(cycle, *response)
                return
        cast(Any, cycle).transport = _ResponseWriter(self.transport)
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _respond(
        self, cycle: RequestResponseCycle, status: int, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> None:
        lines = [b"%b: %b\r\n" % header for header in chain(self.server_state.default_headers, headers)]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        cycle.response_started = cycle.response_complete = True
        self._running = None
        self.on_response_complete()

    def on_body(self, body: bytes) -> None:
        self._body_pieces += 1
        if self._body_pieces > MAX_BODY_PIECES:
            raise _Refused(*_TOO_MANY_PIECES)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_in_head, self._head_bytes, self._body_pieces = True, 0, 0

    def on_response_complete(self) -> None:
        if self._running is not None:
            cast(Any, self._running).transport.flush()
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self.cycle.scope.get(OVERLOADED):
            self.flow.pause_reading()
            self.loop.call_later(OVERLOAD_PAUSE, self._resume_reading)
        if self.cycle.response_complete and not self.pipeline:
            self._monitor.idle[self] = None

    def _is_busy(self) -> bool:
        """Whether the response to the latest request is not complete."""
        cycle: Any = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _resume_reading(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def timeout_keep_alive_handler(self) -> None:
        # A busy loop runs its timers before it reads: a request that has arrived would be cut off.
        if _has_unread_data(self.transport):
            self.timeout_keep_alive_task = self.loop.call_later(_READ_DELAY, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        self._monitor.blocked[self] = None
        self._monitor.limit_unsent(self)
        self._read_timer = self.loop.call_later(self._monitor.timeout, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._monitor.blocked.pop(self, None)
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        # uvicorn calls this while it handles the parser's error, whose context is what a callback raised.
        error = sys.exception()
        if error is not None and isinstance(error.__context__, _Refused):
            self._refuse(*error.__context__.args)
        else:
            self._refuse(*(_BAD_ADDRESS if isinstance(error, HttpParserInvalidURLError) else _NOT_HTTP))

    def _refuse(self, status: int, message: str) -> None:
        self._is_in_head = False
        self._end_waiting()
        if self.transport.is_closing():
            return
        if self.pipeline or (self._is_busy() and self.cycle.response_started):
            self.transport.abort()  # no place for this response in the middle of another
            return
        response = failure_response(status, message)
        response.headers["Connection"] = "close"
        if status == 503:
            response.headers["Retry-After"] = "1"
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        headers = [*self.server_state.default_headers, *add_default_headers(response.raw_headers)]
        lines += [name + b": " + value for name, value in headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()


def _percent_encode_first_line(data: bytes) -> bytes:
    """curl and other programs send an address as it was typed; the parser accepts ASCII only."""
    line, end, rest = data.partition(b"\r\n")
    return _NON_ASCII.sub(lambda match: b"%%%02X" % match[0][0], line) + end + rest


def _has_unread_data(transport: asyncio.Transport) -> bool:
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
