"""
Connections: how many there are, and how long one may take to say what it wants.

uvicorn bounds neither the size of a head nor the time it takes, and a byte now and then keeps its connections for ever.
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
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from planso_connector.rest.middleware.admission import ARRIVED_AT, OVERLOADED
from planso_connector.rest.middleware.response_state import add_default_headers
from planso_connector.rest.schemas.errors import failure_response

log = structlog.get_logger(__name__)

MAX_HEADERS, MAX_HEAD_BYTES = 100, 32 * 1024
"""Lines, and bytes with the address."""
_TICK = 0.5
"""Seconds between two looks at who is late."""
KEEP_ALIVE = 75
"""
Seconds for which a connection is kept that nobody asks on. Longer than clients and proxies keep theirs, which is a
minute mostly: who closes first can't be asked in that moment, and then one who asks is cut off.
"""
_LOOK_AGAIN = 0.05
"""Seconds for the loop to read what has arrived on a kept connection that was to be closed; reading calls that off."""
REFUSED_FOR = 0.25
"""
Seconds for which nothing is read from a connection that was told to ask again later. Some clients ask again at once,
and refusing hundreds of them without end takes the time of those who were let in.
"""
MAX_UNSENT_BYTES = 16 << 20
"""
Bytes of all answers that wait until they are taken. Beyond it the connection that is stuck longest is broken off: a few
hundred who ask for lists and read nothing took 400 MB.
"""
MAX_PIPELINED = 10
"""
Requests that may wait for the answer to one before them on their connection: what arrives in one piece is parsed in one
turn of the loop, and is a thousand requests where they are short. Programs send one or a few.
"""
MAX_BODY_PIECES = 4000
"""Of a body, as chunks or as the network cuts it: each costs as much as a kilobyte, and a megabyte may be 170,000."""
_NO_HTTP, _NO_ADDRESS, _ANOTHER_HOST, _LATE, _TOO_LARGE, _FULL, _PIECES = (
    (400, "This is no HTTP that the connector understands."),
    (400, "The address holds what no address may; accepted: UTF-8, percent-encoded, as M%C3%BCller for Müller."),
    (400, "The address names another host than the header Host; accepted: the path alone, or the same host."),
    (408, "The request did not arrive in time."),
    (431, f"The head is too large; accepted: up to {MAX_HEADERS} headers and {MAX_HEAD_BYTES} bytes."),
    (503, "The connector has as many connections as it takes."),
    (413, f"The body comes in too many pieces; accepted: up to {MAX_BODY_PIECES}."),
)

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


class ConnectionMonitor:
    """
    The connections from which a request is awaited, longest first, and those that don't take their answer. One that was
    begun has to arrive within `seconds`.

    Where there are more than `most`, one that never asked for anything makes room, then one that asked before: ten
    thousand connections that say nothing keep nobody out.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.max_connections = most
        self._seconds = seconds
        self._new: dict[Connection, float] = {}
        self._idle: dict[Connection, float] = {}
        self._stuck: dict[Connection, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def awaits(self, connection: Connection, *, new: bool) -> None:
        (self._new if new else self._idle)[connection] = connection.loop.time()
        if new:
            self._look_again(connection.loop)

    def begins(self, connection: Connection) -> None:
        """On a kept connection, the first of a request."""
        if self._idle.pop(connection, None) is not None:
            self.awaits(connection, new=True)

    def heard(self, connection: Connection) -> None:
        if self._idle.pop(connection, None) is None:
            self._new.pop(connection, None)

    def stuck(self, connection: Connection) -> None:
        self._stuck.setdefault(connection, connection.loop.time())
        self._look_again(connection.loop)
        untaken = {one: one.transport.get_write_buffer_size() for one in self._stuck}
        held = sum(untaken.values())
        for oldest in [one for one in untaken if one is not connection]:
            if held <= MAX_UNSENT_BYTES:
                return
            held -= untaken[oldest]
            self.loose(oldest)
            oldest.transport.abort()

    def loose(self, connection: Connection) -> None:
        self._stuck.pop(connection, None)

    def make_room(self, newest: Connection) -> bool:
        for waiting in (self._new, self._idle):
            for connection in waiting:
                if connection is not newest:
                    self.heard(connection)
                    connection.transport.abort()
                    return True
        return False

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None:
            self._timer = loop.call_later(_TICK, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        late = loop.time() - self._seconds
        for connection in [one for one, since in self._new.items() if since <= late]:
            self.heard(connection)
            connection.give_up()
        for connection in [one for one, since in self._stuck.items() if since <= late]:
            self.loose(connection)
            connection.transport.abort()
        if self._new or self._stuck:
            self._look_again(loop)


class _Trailers(list[tuple[bytes, bytes]]):
    """What comes after a chunked body as if it were headers: nobody checked it, nobody reads it."""

    def append(self, _item: tuple[bytes, bytes]) -> None:
        return


class Connection(HttpToolsProtocol):
    """One connection. Its server's `Silent` is its config's."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._silent: ConnectionMonitor = cast(Any, self.config).monitor
        self._refusal = _NO_HTTP
        self._in_head, self._head, self._pieces = True, 0, 0
        self._running: Any = None  # uvicorn's `cycle` is the request that came last, which may wait for this one
        if len(self.connections) > self._silent.max_connections and not self._silent.make_room(self):
            log.warning("connections_full", most=self._silent.max_connections)
            self._refuse(_FULL)
            return
        self._silent.awaits(self, new=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._silent.heard(self)
        self._silent.loose(self)
        running = self._running
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # which uvicorn leaves to a connection that was reset
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if not self._head:
                self._silent.begins(self)
                if not data.isascii():
                    data = _encoded(data)
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        headers = self.headers
        if not self.url.startswith((b"/", b"*")) and _host_in(self.url) not in (
            value.lower() for name, value in headers if name == b"host"
        ):
            self._refusal = _ANOTHER_HOST
            raise ValueError(_ANOTHER_HOST[1])
        # What came with the head's last bytes may be a body: only then is it worth counting.
        if len(headers) > MAX_HEADERS or (
            self._head > MAX_HEAD_BYTES
            and len(self.url) + sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEAD_BYTES
        ):
            self._refusal = _TOO_LARGE
            raise ValueError(_TOO_LARGE[1])
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ValueError("too many requests ahead of their answers")
        self._in_head = False
        self._silent.heard(self)
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:  # else it waits for its own connection's answers
            self.scope[ARRIVED_AT] = time.monotonic()  # type: ignore[literal-required]
        super().on_headers_complete()
        self.headers = _Trailers()

    def on_body(self, body: bytes) -> None:
        self._pieces += 1
        if self._pieces > MAX_BODY_PIECES:
            self._refusal = _PIECES
            raise ValueError(_PIECES[1])
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._head, self._pieces = True, 0, 0

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.scope.get(OVERLOADED) and not self.transport.is_closing():
            self.flow.pause_reading()
            self.loop.call_later(REFUSED_FOR, self._read_on)
        if self.cycle.response_complete and not self.pipeline and not self.transport.is_closing():
            self._silent.awaits(self, new=False)

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def timeout_keep_alive_handler(self) -> None:
        # A busy loop comes to its timers before it reads what has long arrived: a request would be cut off unread.
        if _has_arrived(self.transport):
            self.timeout_keep_alive_task = self.loop.call_later(_LOOK_AGAIN, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        self._silent.stuck(self)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._silent.loose(self)
        super().resume_writing()

    def send_400_response(self, _msg: str) -> None:
        # uvicorn calls it while it handles the parser's error, and tells nothing of that.
        is_address = isinstance(sys.exception(), HttpParserInvalidURLError)
        self._refuse(_NO_ADDRESS if is_address else self._refusal)

    def give_up(self) -> None:
        """Nothing came in time: said to one who began to ask."""
        if self._head:
            self._refuse(_LATE)
        else:
            self.transport.close()

    def _refuse(self, refusal: tuple[int, str]) -> None:
        self._in_head = False
        self._silent.heard(self)
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle  # None before the first request
        if self.pipeline or (cycle is not None and cycle.response_started and not cycle.response_complete):
            self.transport.abort()  # in the middle of another answer there is no place for this one
            return
        status, message = refusal
        answer = failure_response(status, message)
        answer.headers["Connection"] = "close"
        if status == 503:
            answer.headers["Retry-After"] = "1"
        head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        head += [
            name + b": " + value
            for name, value in [*self.server_state.default_headers, *add_default_headers(answer.raw_headers)]
        ]
        self.transport.write(b"\r\n".join([*head, b"", bytes(answer.body)]))
        self.transport.close()


def _encoded(data: bytes) -> bytes:
    """
    The beginning of a request, what is no ASCII in its first line percent-encoded: curl and many programs send an
    address as it was typed, which the parser refuses.
    """
    line, end, rest = data.partition(b"\r\n")
    return _BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], line) + end + rest


def _host_in(url: bytes) -> bytes:
    """Host and port of an address as proxies are sent it, `http://host/path`; empty for any other (RFC 9112, 3.2)."""
    parts = re.match(rb"https?://([^/?@]+)(?:[/?]|$)", url.lower())
    return parts[1] if parts is not None else b""


def _has_arrived(transport: asyncio.Transport) -> bool:
    """Whether there is something on the connection that the loop has not read yet."""
    arrived = select.poll()
    arrived.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(arrived.poll(0))
