"""Limits of connections on a running connector: their number, the time and size of a request, unread responses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest

from planso_connector.sandbox import Sandbox
from planso_connector.server.connections import MAX_UNSENT_BYTES
from tests.rest import raw
from tests.rest.limited import CONNECTIONS, PUT, finish_request, limited, start_request
from tests.service import PATIENCE, Service, running_on_sqlite


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_on_sqlite(tmp_path_factory.mktemp("service"), Sandbox(orders=12)) as running:
        yield running


@pytest.fixture(scope="module")
def limited_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with limited(tmp_path_factory.mktemp("limited")) as service:
        yield service


def drip(connection: socket.socket, drop: bytes = b"x") -> bytes:
    """Send a byte now and then for as long as the connection lasts; what came back."""
    ended = threading.Event()

    def send() -> None:
        try:
            while not ended.wait(0.1):
                connection.sendall(drop)
        except OSError:
            pass

    thread = threading.Thread(target=send)
    thread.start()
    try:
        return raw.until_closed(connection)
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize(
    ("beginning", "status"),
    [
        (b"", 0),
        (b"GET /", 0),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 0),
        (PUT + b"Content-Length: 500\r\n\r\n", 408),
        (PUT + b"Transfer-Encoding: chunked\r\n\r\n1f4\r\n", 408),
    ],
    ids=["nothing", "a line", "a head", "a body", "a chunk"],
)
def test_a_request_that_drips_is_ended(limited_service: Service, beginning: bytes, status: int) -> None:
    """A head has to arrive within CONNECTOR_ARRIVAL, or the connection is closed; a body too, or the answer is 408."""
    with closing(raw.connect(limited_service.address)) as connection:
        connection.sendall(beginning)
        response = drip(connection) if beginning else raw.until_closed(connection)
    assert raw.status(response) == status, response


def test_a_connection_that_drips_after_a_response_is_closed(limited_service: Service) -> None:
    """A byte now and then does not keep a connection open."""
    with closing(raw.connect(limited_service.address)) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        response = drip(connection, b"G")
    assert response.count(b"HTTP/1.1 200") == 1
    assert response.count(b"HTTP/1.1 ") == 1 or b"HTTP/1.1 400" in response


def test_an_idle_connection_is_kept_for_longer_than_a_request_may_take(limited_service: Service) -> None:
    """Clients come back to a kept connection at any time: it is not closed after CONNECTOR_ARRIVAL."""
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
    with closing(raw.connect(limited_service.address)) as connection:
        connection.sendall(request + b"\r\n")
        threading.Event().wait(2 * limited_service.settings.connector_arrival.total_seconds())
        connection.sendall(request + b"Connection: close\r\n\r\n")
        assert raw.until_closed(connection).count(b"HTTP/1.1 200") == 2


def test_a_connection_that_reads_no_response_is_aborted(limited_service: Service) -> None:
    """Unread responses pile up to a bound, then the connection is aborted."""
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.2.%d.1\r\n\r\n"
    # Built before: while a thread still builds the document, warnings of pydantic can't be ignored in the next test.
    assert limited_service.http.get("/openapi.json", headers={"X-Forwarded-For": "10.2.255.1"}).status_code == 200
    with closing(raw.connect(limited_service.address)) as connection:
        assert push(connection, b"".join(request % number for number in range(250)), 100 * 1024 * 1024)


def test_unread_responses_of_all_connections_have_a_bound(tmp_path: Path) -> None:
    """
    Of many that ask for long lists and read nothing, those blocked longest are aborted long before CONNECTOR_ARRIVAL:
    what is unsent does not fill the memory. The last one gets its responses when it reads at last.
    """
    times = 5
    with (
        running_on_sqlite(tmp_path, Sandbox(orders=250), connector_arrival=timedelta(seconds=5 * PATIENCE)) as service,
        ExitStack() as stack,
    ):
        size = len(service.http.get("/api/orders?limit=240").content)
        unread = []
        for number in range(3 * MAX_UNSENT_BYTES // size):
            # Of several sizes: of one, the system's buffers might hold whole responses and nearly nothing be unsent.
            head = b"GET /api/orders?limit=%d HTTP/1.1\r\nHost: localhost\r\n" % (240 - number % 5 * 8)
            connection = stack.enter_context(closing(raw.connect(service.address, buffer=4096)))
            connection.sendall((head + b"\r\n") * (times - 1) + head + b"Connection: close\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
            unread.append(connection)
        last = len(service.http.get(f"/api/orders?limit={240 - number % 5 * 8}").content)
        assert len(raw.until_closed(unread[-1])) > times * last
        assert len(raw.until_closed(unread[0])) < times * size


def push(connection: socket.socket, part: bytes, limit: int) -> bool:
    """Whether the other side aborts before it has taken `limit` bytes."""
    try:
        for _ in range(limit // len(part)):
            connection.sendall(part)
    except ConnectionError:
        return True
    return False


def test_a_huge_upload_is_refused_before_it_is_read(service: Service) -> None:
    """A body announced as too large is 413 at once; not a byte of it is waited for."""
    response = raw.exchange(service.address, PUT + b"Content-Length: 100000000000\r\n\r\n")
    assert raw.status(response) == 413
    expecting = raw.exchange(service.address, PUT + b"Expect: 100-continue\r\nContent-Length: 100000000000\r\n\r\n")
    assert raw.status(expecting) == 413


@pytest.mark.parametrize("method", [b"PUT", b"GET", b"POST"])
def test_an_endless_upload_is_cut_off(service: Service, method: bytes) -> None:
    """A few MiB of an endless body are read at most, then the connection is closed."""
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with closing(raw.connect(service.address)) as connection:
        connection.sendall(PUT.replace(b"PUT", method) + b"Transfer-Encoding: chunked\r\n\r\n")
        assert push(connection, chunk, 64 * 1024 * 1024)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Long: %s\r\n" % (b"x" * 30_000), 200),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Long: %s\r\n" % (b"x" * 40_000), 431),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Long: %s\r\n" % (b"x" * 4_000_000), 431),
        (b"GET /health/live?%s HTTP/1.1\r\nHost: localhost\r\n" % (b"x" * 40_000), 431),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: x\r\n" * 90, 200),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: x\r\n" * 110, 431),
    ],
    ids=["long", "too long", "far too long", "a long address", "many", "too many"],
)
def test_a_head_has_a_size(service: Service, head: bytes, status: int) -> None:
    """Up to 32 KiB and 100 lines; beyond that 431, whether it came at once or in pieces."""
    response = raw.exchange(service.address, head + b"Connection: close\r\n\r\n")
    assert raw.status(response) == status, response[:200]


def test_the_head_of_a_pipelined_request_has_a_size(service: Service) -> None:
    """While one request is answered, the next one's head can't grow without end."""
    order_id = service.sandbox.order_ids()[0]
    service.sandbox.knobs.fail_next = 10_000
    body = {"order_id": order_id, "person": "Wartet"}
    put = service.http.put(f"/api/orders/{order_id}", json=body, headers={"Prefer": "respond-async"})
    try:
        with closing(raw.connect(service.address)) as connection:
            first = f"GET /api/operations/{put.json()['operation_id']}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(first.encode() + b"GET / HTTP/1.1\r\nX-Long: ")
            assert push(connection, b"x" * 65536, 64 * 1024 * 1024)
    finally:
        service.sandbox.knobs.fail_next = 0
    assert service.wait_until_settled(put)["state"] == "confirmed"


def test_silent_connections_keep_nobody_out(limited_service: Service) -> None:
    """Ten times as many silent connections as are accepted: who asks is answered, and no more than those stay open."""
    with ExitStack() as stack:
        silent = [stack.enter_context(closing(raw.connect(limited_service.address))) for _ in range(CONNECTIONS * 10)]
        for _ in range(5):
            assert raw.status(raw.get(limited_service.address, "/health/live")) == 200
        closed = 0
        for connection in silent:
            connection.setblocking(False)
            try:
                closed += not connection.recv(1)
            except BlockingIOError:
                pass
            except ConnectionError:
                closed += 1
        assert len(silent) - closed <= CONNECTIONS


def test_busy_connections_are_not_replaced(tmp_path: Path) -> None:
    """If all connections have requests in flight, one more is 503 with Retry-After, and those go on."""
    with (
        running_on_sqlite(
            tmp_path, Sandbox(orders=12), connector_allow_anonymous=True, connector_connections=3
        ) as service,
        ExitStack() as stack,
    ):
        busy = [stack.enter_context(closing(start_request(service, "10.0.0.1"))) for _ in range(3)]
        response = raw.get(service.address, "/health/live")
        assert raw.status(response) == 503
        assert b"\r\nretry-after: 1\r\n" in response.lower()
        assert b'"success":false' in response
        assert [raw.status(finish_request(connection)) for connection in busy] == [404] * 3
