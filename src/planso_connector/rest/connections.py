"""
Connections: how many there are, and how long one may take to say what it wants.

uvicorn bounds neither the size of a head nor the time it takes, and a byte now and then keeps its connections for ever.
"""

from __future__ import annotations

import asyncio
import select
import time
from http import HTTPStatus
from typing import Any, cast

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from planso_connector.rest.answering import dressed
from planso_connector.rest.gate import ARRIVED, OVERLOADED
from planso_connector.rest.problems import failure

log = structlog.get_logger(__name__)

MOST_HEADERS, LARGEST_HEAD = 100, 32 * 1024
"""Lines, and bytes with the address."""
_TICK = 0.5
"""Seconds between two looks at who is late."""
KEPT = 75
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
MOST_UNTAKEN = 16 << 20
"""
Bytes of all answers that wait until they are taken. Beyond it the connection that is stuck longest is broken off: a few
hundred who ask for lists and read nothing took 400 MB.
"""
_OTHER_FILES = 128
_NO_HTTP, _LATE, _TOO_LARGE, _FULL = (
    (400, "This is no HTTP that the connector understands."),
    (408, "The request did not arrive in time."),
    (431, f"The head is too large; accepted: up to {MOST_HEADERS} headers and {LARGEST_HEAD} bytes."),
    (503, "The connector has as many connections as it takes."),
)


class Silent:
    """
    The connections from which a request is awaited, longest first, and those that don't take their answer. One that was
    begun has to arrive within `seconds`.

    Where there are more than `most`, one that never asked for anything makes room, then one that asked before: ten
    thousand connections that say nothing keep nobody out.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
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
            if held <= MOST_UNTAKEN:
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
        self._silent: Silent = cast(Any, self.config).silent
        self._refusal = _NO_HTTP
        self._in_head, self._head = True, 0
        if len(self.connections) > self._silent.most and not self._silent.make_room(self):
            log.warning("connections_full", most=self._silent.most)
            self._refuse(_FULL)
            return
        self._silent.awaits(self, new=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._silent.heard(self)
        self._silent.loose(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if not self._head:
                self._silent.begins(self)
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > LARGEST_HEAD:
            self._refuse(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        headers = self.headers
        # What came with the head's last bytes may be a body: only then is it worth counting.
        if len(headers) > MOST_HEADERS or (
            self._head > LARGEST_HEAD
            and len(self.url) + sum(len(name) + len(value) + 4 for name, value in headers) > LARGEST_HEAD
        ):
            self._refusal = _TOO_LARGE
            raise ValueError(_TOO_LARGE[1])
        self._in_head = False
        self._silent.heard(self)
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:  # else it waits for its own connection's answers
            self.scope[ARRIVED] = time.monotonic()  # type: ignore[literal-required]
        super().on_headers_complete()
        self.headers = _Trailers()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._head = True, 0

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
        self._refuse(self._refusal)

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
        answer = failure(status, message)
        answer.headers["Connection"] = "close"
        if status == 503:
            answer.headers["Retry-After"] = "1"
        head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        head += [
            name + b": " + value for name, value in [*self.server_state.default_headers, *dressed(answer.raw_headers)]
        ]
        self.transport.write(b"\r\n".join([*head, b"", bytes(answer.body)]))
        self.transport.close()


def _has_arrived(transport: asyncio.Transport) -> bool:
    """Whether there is something on the connection that the loop has not read yet."""
    arrived = select.poll()
    arrived.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(arrived.poll(0))


def bounded(wanted: int) -> int:
    """
    So many connections as there are file descriptors for, which are raised as far as this user may; some are kept for
    the database, PlanSo and the log.
    """
    try:
        import resource
    except ImportError:  # there are no such limits on Windows
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(1, min(wanted, soft - _OTHER_FILES))
    return wanted
