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
from http import HTTPStatus
from typing import Any, cast

import structlog
from httptools import HttpParserInvalidURLError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from planso_connector.rest.middleware.admission import ARRIVED_AT, OVERLOADED
from planso_connector.rest.middleware.response_state import add_default_headers
from planso_connector.rest.schemas.errors import EXAMPLE_MESSAGES, failure_response

log = structlog.get_logger(__name__)

MAX_HEADERS, MAX_HEAD_BYTES = 100, 32 * 1024
_CHECK_INTERVAL = 0.5
"""Seconds between two checks for connections that are late."""
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

_NON_ASCII = re.compile(rb"[\x80-\xff]")
_ABSOLUTE_URL = re.compile(rb"https?://([^/?@]+)(?:[/?]|$)")
"""As sent to proxies: RFC 9112, section 3.2."""


class ConnectionMonitor:
    """
    Closes connections whose request does not arrive, or whose response is not read, within `receive_timeout` seconds.

    Beyond `max_connections` a new connection replaces one that never sent a request, else an idle one, longest first:
    ten thousand connections that send nothing keep nobody out.
    """

    def __init__(self, max_connections: int, receive_timeout: float) -> None:
        self.max_connections = max_connections
        self._receive_timeout = receive_timeout
        self._receiving: dict[Connection, float] = {}
        """New connections, and kept ones with a part of a head; since when."""
        self._idle: dict[Connection, float] = {}
        self._blocked: dict[Connection, float] = {}
        """Connections whose client does not read; since when."""
        self._timer: asyncio.TimerHandle | None = None

    def await_head(self, connection: Connection) -> None:
        self._receiving[connection] = connection.loop.time()
        self._schedule_check(connection.loop)

    def await_next_request(self, connection: Connection) -> None:
        self._idle[connection] = connection.loop.time()

    def receive_first_bytes(self, connection: Connection) -> None:
        if self._idle.pop(connection, None) is not None:
            self.await_head(connection)

    def remove(self, connection: Connection) -> None:
        """Its head is complete, or it is closed."""
        self._idle.pop(connection, None)
        self._receiving.pop(connection, None)

    def block(self, connection: Connection) -> None:
        """Its client does not read. Aborts those blocked longest if together they hold too much."""
        self._blocked.setdefault(connection, connection.loop.time())
        self._schedule_check(connection.loop)
        unsent = {blocked: blocked.transport.get_write_buffer_size() for blocked in self._blocked}
        excess = sum(unsent.values()) - MAX_UNSENT_BYTES
        for oldest, size in unsent.items():
            if excess <= 0:
                return
            if oldest is not connection:
                excess -= size
                self.unblock(oldest)
                oldest.transport.abort()

    def unblock(self, connection: Connection) -> None:
        self._blocked.pop(connection, None)

    def make_room(self, newest: Connection) -> bool:
        for waiting in (self._receiving, self._idle):
            for connection in waiting:
                if connection is not newest:
                    self.remove(connection)
                    connection.transport.abort()
                    return True
        return False

    def _schedule_check(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None:
            self._timer = loop.call_later(_CHECK_INTERVAL, self._check, loop)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        late = loop.time() - self._receive_timeout
        for connection in [connection for connection, since in self._receiving.items() if since <= late]:
            self.remove(connection)
            connection.transport.close()
        for connection in [connection for connection, since in self._blocked.items() if since <= late]:
            self.unblock(connection)
            connection.transport.abort()
        if self._receiving or self._blocked:
            self._schedule_check(loop)


class _Refused(Exception):
    """Raised within the parser, which ends parsing; its arguments are status and message."""


class _IgnoredTrailers(list[tuple[bytes, bytes]]):
    """uvicorn adds trailers of a chunked body to the headers: nobody checked them."""

    def append(self, _header: tuple[bytes, bytes]) -> None:
        return


class Connection(HttpToolsProtocol):
    """Its ConnectionMonitor is its config's, see ServerConfig."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._monitor: ConnectionMonitor = cast(Any, self.config).monitor
        self._is_in_head, self._head_bytes, self._body_pieces = True, 0, 0
        self._running: RequestResponseCycle | None = None  # `cycle` is the latest, which may wait for this one
        if len(self.connections) > self._monitor.max_connections and not self._monitor.make_room(self):
            log.warning("connections_full", max_connections=self._monitor.max_connections)
            self._refuse(*_FULL)
            return
        self._monitor.await_head(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._monitor.remove(self)
        self._monitor.unblock(self)
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:  # uvicorn leaves it if the connection was reset
            self.timeout_keep_alive_task.cancel()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        if self._is_in_head:
            self._monitor.receive_first_bytes(self)
            if not self._head_bytes and not data.isascii():
                data = _percent_encode_first_line(data)
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(*_HEAD_TOO_LARGE)

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
        self._monitor.remove(self)
        is_next = not self._is_busy()
        if is_next:  # else it waits for its own connection's responses
            self.scope[ARRIVED_AT] = time.monotonic()  # type: ignore[literal-required]
        super().on_headers_complete()
        if is_next:
            self._running = self.cycle
        self.headers = _IgnoredTrailers()

    def on_body(self, body: bytes) -> None:
        self._body_pieces += 1
        if self._body_pieces > MAX_BODY_PIECES:
            raise _Refused(*_TOO_MANY_PIECES)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_in_head, self._head_bytes, self._body_pieces = True, 0, 0

    def on_response_complete(self) -> None:
        if self.pipeline:
            self._running = self.pipeline[-1][0]  # uvicorn starts it now
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self.cycle.scope.get(OVERLOADED):
            self.flow.pause_reading()
            self.loop.call_later(OVERLOAD_PAUSE, self._resume_reading)
        if self.cycle.response_complete and not self.pipeline:
            self._monitor.await_next_request(self)

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
        self._monitor.block(self)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._monitor.unblock(self)
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
        self._monitor.remove(self)
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
