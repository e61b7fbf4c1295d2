"""What one caller may ask for, how long it may take to ask, and that nobody keeps the others out."""

from __future__ import annotations

import re
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, strategies

from planso_connector.app import MAX_QUEUED_READS
from planso_connector.rest.middleware.rate_limits import Limits, Rate, RateLimiter, Refusal
from planso_connector.rest.request_context import extract_api_keys
from planso_connector.sandbox import Sandbox
from planso_connector.server.connections import MAX_UNSENT_BYTES
from planso_connector.settings import SettingsError
from tests.planso_proxy import PlansoProxy
from tests.rest import raw
from tests.service import PATIENCE, Service, connected, wait_until

ORDERS = 20
KEYS, ADDRESSES, AT_ONCE, IN_ALL, CONNECTIONS = 10, 30, 4, 6, 40
_numbers = count(1)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A connector with little patience behind a trusted proxy, which is the test: it says where a caller comes from."""
    settings: dict[str, Any] = {
        "connector_trusted_proxies": "127.0.0.1",
        "connector_rate_limit": f"{KEYS}/h",
        "connector_address_rate_limit": f"{ADDRESSES}/h",
        "connector_parallel": AT_ONCE,
        "connector_parallel_total": IN_ALL,
        "connector_connections": CONNECTIONS,
        "connector_arrival": timedelta(seconds=1),
    }
    with connected(
        tmp_path_factory.mktemp("narrow"), Sandbox(orders=12), connector_allow_anonymous=True, **settings
    ) as running:
        yield running


@pytest.fixture
def caller() -> str:
    """An address that nobody else has."""
    return f"10.1.{next(_numbers)}.1"


def ask(service: Service, caller: str, path: str = "/api/orders/1", **headers: str) -> httpx2.Response:
    return service.http.get(path, headers={"X-Forwarded-For": caller, **headers})


def test_an_address_that_asks_too_much_is_429(narrow: Service, caller: str) -> None:
    """Beyond its rate an address gets 429 with Retry-After and the RateLimit fields; others don't feel it."""
    for left in reversed(range(ADDRESSES)):
        answer = ask(narrow, caller)
        assert answer.status_code == 404
        assert answer.headers["RateLimit-Policy"] == f'"address";q={ADDRESSES};w=3600'
        assert re.fullmatch(rf'"address";r={left};t=\d+', answer.headers["RateLimit"])
    refused = ask(narrow, caller)
    assert (refused.status_code, refused.json()["success"]) == (429, False)
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600 // ADDRESSES
    assert refused.headers["RateLimit"].startswith('"address";r=0;t=')
    assert ask(narrow, caller + "0").status_code == 404
    assert ask(narrow, caller, "/health/live").status_code == 200


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_key_that_asks_too_much_is_429_from_wherever(narrow: Service, caller: str, header: str) -> None:
    """A key's rate is one, be it valid or guessed, from whatever addresses; another key of these addresses goes on."""
    value = f"Bearer secret-{header}"
    for number in range(KEYS):
        assert ask(narrow, f"{caller}{number}", **{header: value}).status_code == 401
    refused = ask(narrow, f"{caller}99", **{header: value})
    assert refused.status_code == 429
    assert refused.headers["RateLimit-Policy"].startswith(f'"key";q={KEYS}')
    assert "secret" not in refused.text
    assert ask(narrow, f"{caller}99", **{header: value + "2"}).status_code == 401


def test_a_customers_network_is_one_caller(narrow: Service) -> None:
    """A network of IPv6 (/64), which one customer has whole, counts as one address."""
    statuses = [ask(narrow, f"2001:db8:1:1::{number:x}").status_code for number in range(ADDRESSES + 1)]
    assert statuses == [404] * ADDRESSES + [429]


def test_a_forged_address_is_not_believed(tmp_path: Path, narrow: Service, caller: str) -> None:
    """X-Forwarded-For counts from configured proxies alone, and of it what they wrote: the last."""
    settings = {"connector_address_rate_limit": "5/h"}
    with connected(tmp_path, Sandbox(orders=12), connector_allow_anonymous=True, **settings) as unproxied:
        assert {ask(unproxied, f"10.9.9.{number}").status_code for number in range(10)} == {404, 429}
    forged = [ask(narrow, f"10.9.{number}.9, {caller}").status_code for number in range(ADDRESSES + 1)]
    assert forged == [404] * ADDRESSES + [429]


def test_this_machine_has_no_limit_but_what_is_passed_on_does(service: Service) -> None:
    """By default a program of this machine is not counted; what an unconfigured proxy passes on is."""
    for _ in range(300):
        answer = service.http.get("/api/orders/1")
        assert (answer.status_code, "RateLimit" in answer.headers) == (404, False)
    assert "RateLimit" in ask(service, "10.0.0.1").headers


_ASKED = strategies.lists(
    strategies.tuples(strategies.integers(0, 3), strategies.floats(0, 5)), min_size=1, max_size=80
)


@given(_ASKED, strategies.integers(1, 9), strategies.floats(0.5, 20))
def test_no_caller_gets_more_than_its_rate(asked: list[tuple[int, float]], most: int, seconds: float) -> None:
    """In no stretch of time more than the bucket and what filled meanwhile; after Retry-After there is room."""
    now = 0.0
    turnstile = RateLimiter(Limits(key=None, address=Rate(most, seconds)), lambda: now)
    taken: dict[int, list[float]] = {}
    for who, pause in asked:
        now += pause
        scope = {"client": (f"10.0.0.{who}", 1)}
        turn = turnstile.acquire(scope, {})
        if isinstance(turn, Refusal):
            now += turn.retry_after
            turn = turnstile.acquire(scope, {})
        assert not isinstance(turn, Refusal)
        turnstile.release(turn)
        times = taken.setdefault(who, [])
        times.append(now)
        for start in range(len(times)):
            assert len(times) - start <= most + (now - times[start]) * most / seconds + 1e-6


def test_many_callers_take_no_more_memory() -> None:
    """Callers are forgotten beyond a bound; one whose request is under way is not."""
    turnstile = RateLimiter(Limits(parallel=1), lambda: 0.0)
    first = turnstile.acquire({"client": ("10.255.0.1", 1)}, {})
    for number in range(30_000):
        turn = turnstile.acquire({"client": (f"10.{number % 250}.{number // 250}.1", 1)}, {})
        assert not isinstance(turn, Refusal)
        turnstile.release(turn)
    assert isinstance(turnstile.acquire({"client": ("10.255.0.1", 1)}, {}), Refusal)
    assert not isinstance(first, Refusal)
    turnstile.release(first)
    assert not isinstance(turnstile.acquire({"client": ("10.255.0.1", 1)}, {}), Refusal)


def test_invented_keys_forget_nobody_who_is_at_its_limit() -> None:
    """A key that has used up its rate has not got it back by any number of others, refused or let in meanwhile."""
    now = 0.0
    turnstile = RateLimiter(Limits(key=Rate(3, 3600.0), address=Rate(200, 1.0)), lambda: now)

    def is_let_in(key: bytes, address: str = "192.0.2.1") -> bool:
        turn = turnstile.acquire({"client": (address, 1)}, {b"x-api-key": key})
        if not isinstance(turn, Refusal):
            turnstile.release(turn)
        return not isinstance(turn, Refusal)

    assert [is_let_in(b"mine") for _ in range(4)] == [True, True, True, False]
    assert sum(is_let_in(b"invented %d" % number) for number in range(10_000)) < 200
    now += 2.0
    assert not is_let_in(b"mine")
    for number in range(10_000):
        now += 0.001
        assert is_let_in(b"another %d" % number, f"10.0.{number % 250}.1")
        assert number % 1000 or not is_let_in(b"mine")


def test_the_callers_with_all_of_their_rate_left_are_forgotten_first() -> None:
    """One that used all of it stays while thousands come whose rate is full again, though they asked later."""
    now = 0.0
    turnstile = RateLimiter(Limits(key=None, address=Rate(3, 6.0)), lambda: now)

    def is_let_in(address: str) -> bool:
        turn = turnstile.acquire({"client": (address, 1)}, {})
        if not isinstance(turn, Refusal):
            turnstile.release(turn)
        return not isinstance(turn, Refusal)

    assert [is_let_in("10.255.0.1") for _ in range(4)] == [True, True, True, False]
    now += 0.01
    assert all(is_let_in(f"10.{number % 250}.{number // 250}.1") for number in range(8191))
    now += 2.1
    assert is_let_in("10.254.0.1")
    assert [is_let_in("10.255.0.1") for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize("blank", [b"\xa0", b"\x85", b" ", b"\t"])
def test_a_key_is_one_caller_however_it_is_written(blank: bytes) -> None:
    """What the guard takes for the same key the limits do too: blanks after it give nobody a rate of its own."""
    turnstile = RateLimiter(Limits(key=Rate(2, 3600.0), address=None), lambda: 0.0)
    key = b"pc_0123456789_secret"
    for number in range(2):
        turn = turnstile.acquire({"client": ("10.0.0.1", 1)}, {b"authorization": b"Bearer " + key + b" " * number})
        assert not isinstance(turn, Refusal)
    for headers in ({b"authorization": b"Bearer " + key + blank}, {b"x-api-key": key + blank}):
        is_same = extract_api_keys(headers.items()) == {key}
        assert isinstance(turnstile.acquire({"client": ("10.0.0.1", 1)}, headers), Refusal) == is_same


def test_what_is_no_address_is_one_caller() -> None:
    """A proxy passes on texts of any length: they are one caller together, and none of them is kept."""
    turnstile = RateLimiter(Limits(key=None, address=Rate(2, 3600.0)), lambda: 0.0)
    tracemalloc.start()
    refused = 0
    for number in range(500):
        scope = {"client": ("x" * 30_000 + str(number), 1)}
        refused += isinstance(turnstile.acquire(scope, {b"x-forwarded-for": b"x"}), Refusal)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (refused, held < 1_000_000) == (498, True)


PUT = b"PUT /api/orders/1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def under_way(service: Service, caller: str) -> socket.socket:
    """A request that is under way until its body comes."""
    connection = raw.connect(service.address)
    head = f"X-Forwarded-For: {caller}\r\nExpect: 100-continue\r\nContent-Length: 16\r\n\r\n"
    connection.sendall(PUT + head.encode())
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    return connection


def finished(connection: socket.socket) -> bytes:
    connection.sendall(b'{"order_id": 1 }')
    return connection.recv(1000)


def test_only_so_many_at_once(tmp_path: Path, caller: str) -> None:
    """
    Beyond its own requests under way one caller gets 429, beyond all of them everybody who writes gets 503, until some
    end. Who reads is answered: requests that wait for their bodies keep nobody out.
    """
    settings = {
        "connector_parallel": AT_ONCE,
        "connector_parallel_total": IN_ALL,
        "connector_trusted_proxies": "127.0.0.1",
    }
    with (
        connected(tmp_path, Sandbox(orders=12), connector_allow_anonymous=True, **settings) as service,
        ExitStack() as stack,
    ):

        def begin(who: str) -> socket.socket:
            return stack.enter_context(closing(under_way(service, who)))

        mine = [begin(caller) for _ in range(AT_ONCE)]
        refused = ask(service, caller)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert "at once" in refused.json()["message"]
        assert ask(service, f"{caller}1").status_code == 404
        for _ in range(IN_ALL - AT_ONCE):
            begin(f"{caller}2")
        full = service.http.post("/api/sync", headers={"X-Forwarded-For": f"{caller}3"})
        assert (full.status_code, full.headers["Retry-After"], full.json()["success"]) == (503, "1", False)
        assert ask(service, f"{caller}3").status_code == 404
        assert ask(service, caller, "/health/live").status_code == 200
        assert raw.status(finished(mine[0])) == 404
        assert ask(service, caller).status_code == 404
        assert service.http.post("/api/sync", headers={"X-Forwarded-For": f"{caller}3"}).status_code == 202


def test_a_connector_that_is_behind_refuses_at_once(tmp_path: Path) -> None:
    """
    Where as many reads wait for the database as may, others get 503 at once; those before them get their answers. A
    write is taken all the same.
    """
    asked = b"GET /api/orders HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with (
        connected(tmp_path, Sandbox(orders=12)) as service,
        ExitStack() as stack,
        ThreadPoolExecutor() as others,
    ):
        order_id = service.sandbox.order_ids()[0]
        service.put(order_id, remarks="danach ist keine Antwort mehr bereit")
        with service.readers_held():
            waiting = [stack.enter_context(closing(raw.connect(service.address))) for _ in range(MAX_QUEUED_READS)]
            for connection in waiting:
                connection.sendall(asked)
            wait_until(lambda: service.reads_waiting >= MAX_QUEUED_READS)
            refused = service.http.get("/api/orders")
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            accepted = others.submit(service.put, order_id, remarks="doch")
            wait_until(lambda: service.reads_waiting > MAX_QUEUED_READS)  # whether there are keys is what it waits for
            assert service.http.get("/health/live").status_code == 200
        assert accepted.result().status_code == 200
        assert {raw.status(connection.recv(1000)) for connection in waiting} == {200}
        assert service.http.get("/api/orders").status_code == 200


def test_who_waits_for_a_slow_planso_leaves_room(tmp_path: Path) -> None:
    """Half of the requests under way may wait for PlanSo. A further write is 202 at once, and reads go on."""
    sandbox = Sandbox(orders=12)
    sandbox.app = between = PlansoProxy(sandbox.app)
    longer = {"connector_write_wait": 5 * PATIENCE, "planso_timeout": 5 * PATIENCE}
    with (
        connected(tmp_path, sandbox, connector_parallel_total=4, **longer) as service,
        ThreadPoolExecutor() as others,
    ):
        one, other, third = sandbox.order_ids()[:3]
        with between.holding():
            waiting = [others.submit(service.put, order_id, remarks="wartet") for order_id in (one, other)]
            pending = {"state": "pending"}
            wait_until(lambda: service.http.get("/api/operations", params=pending).json()["count"] == len(waiting))
            accepted = service.put(third, remarks="wartet nicht")
            assert (accepted.status_code, service.http.get(f"/api/orders/{one}").status_code) == (202, 200)
        assert [answer.result().status_code for answer in waiting] == [200, 200]
        assert service.settled(accepted)["state"] == "confirmed"


def dripped(connection: socket.socket, drop: bytes = b"x") -> bytes:
    """What comes back to one who sends a byte now and then, for ever."""
    ended = threading.Event()

    def drip() -> None:
        try:
            while not ended.wait(0.1):
                connection.sendall(drop)
        except OSError:
            pass

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        return raw.until_closed(connection)
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"", 0),
        (b"GET /", 408),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 408),
        (PUT + b"Content-Length: 500\r\n\r\n", 408),
        (PUT + b"Transfer-Encoding: chunked\r\n\r\n1f4\r\n", 408),
    ],
    ids=["nothing", "a line", "a head", "a body", "a chunk"],
)
def test_whoever_drips_is_cut_off(narrow: Service, said: bytes, status: int) -> None:
    """A head and a body have to arrive within CONNECTOR_ARRIVAL, however busily they drip."""
    with closing(raw.connect(narrow.address)) as connection:
        connection.sendall(said)
        answer = dripped(connection) if said else raw.until_closed(connection)
    assert raw.status(answer) == status, answer


def test_whoever_drips_after_an_answer_is_cut_off(narrow: Service) -> None:
    """A byte now and then does not keep a connection for ever."""
    with closing(raw.connect(narrow.address)) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = dripped(connection, b"G")
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 400" in answer or b"HTTP/1.1 408" in answer


def test_a_connection_is_kept_for_longer_than_a_request_may_take(narrow: Service) -> None:
    """Clients come back to a kept connection at any time: it is not closed under them after CONNECTOR_ARRIVAL."""
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
    with closing(raw.connect(narrow.address)) as connection:
        connection.sendall(request + b"\r\n")
        threading.Event().wait(2 * narrow.settings.connector_arrival.total_seconds())
        connection.sendall(request + b"Connection: close\r\n\r\n")
        assert raw.until_closed(connection).count(b"HTTP/1.1 200") == 2


def test_whoever_takes_no_answer_is_cut_off(narrow: Service) -> None:
    """Answers that nobody reads pile up to a bound, then the connection is broken off."""
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.2.%d.1\r\n\r\n"
    with closing(raw.connect(narrow.address)) as connection:
        assert pushed(connection, b"".join(asked % number for number in range(250)), 100 * 1024 * 1024)


def test_answers_that_nobody_takes_have_a_bound_together(tmp_path: Path) -> None:
    """
    Of many who ask for long lists and read nothing, those stuck longest are broken off long before CONNECTOR_ARRIVAL:
    what waits for them does not fill the memory. The last one gets its answer when it reads at last.
    """
    asked, times = b"GET /api/orders?limit=240 HTTP/1.1\r\nHost: localhost\r\n", 5
    asked = (asked + b"\r\n") * (times - 1) + asked + b"Connection: close\r\n\r\n"
    with (
        connected(tmp_path, Sandbox(orders=250), connector_arrival=timedelta(seconds=5 * PATIENCE)) as service,
        ExitStack() as stack,
    ):
        whole = len(service.http.get("/api/orders?limit=240").content)
        silent = []
        for _ in range(3 * MAX_UNSENT_BYTES // whole):
            connection = stack.enter_context(closing(raw.connect(service.address, buffer=4096)))
            connection.sendall(asked)
            assert connection.recv(12) == b"HTTP/1.1 200"
            silent.append(connection)
        assert len(raw.until_closed(silent[-1])) > times * whole
        assert len(raw.until_closed(silent[0])) < times * whole


def pushed(connection: socket.socket, part: bytes, most: int) -> bool:
    """Whether the other side breaks off before it has taken so many bytes, sent again and again."""
    try:
        for _ in range(most // len(part)):
            connection.sendall(part)
    except ConnectionError:
        return True
    return False


def test_a_huge_upload_is_refused_before_it_is_read(service: Service) -> None:
    """An announced body that is too large is 413 at once; not a byte of it is waited for."""
    answer = raw.exchange(service.address, PUT + b"Content-Length: 100000000000\r\n\r\n")
    assert raw.status(answer) == 413
    expecting = raw.exchange(service.address, PUT + b"Expect: 100-continue\r\nContent-Length: 100000000000\r\n\r\n")
    assert raw.status(expecting) == 413


@pytest.mark.parametrize("method", [b"PUT", b"GET", b"POST"])
def test_an_endless_upload_is_cut_off(service: Service, method: bytes) -> None:
    """Of a body without end a few MiB are taken at most, then the connection is closed."""
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with closing(raw.connect(service.address)) as connection:
        connection.sendall(PUT.replace(b"PUT", method) + b"Transfer-Encoding: chunked\r\n\r\n")
        assert pushed(connection, chunk, 64 * 1024 * 1024)


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
    answer = raw.exchange(service.address, head + b"Connection: close\r\n\r\n")
    assert raw.status(answer) == status, answer[:200]


def test_a_head_after_a_head_has_a_size_too(service: Service) -> None:
    """While one request is answered, the next one's head can't grow without end."""
    order_id = service.sandbox.order_ids()[0]
    service.sandbox.knobs.fail_next = 10_000
    body = {"order_id": order_id, "person": "Wartet"}
    put = service.http.put(f"/api/orders/{order_id}", json=body, headers={"Prefer": "respond-async"})
    try:
        with closing(raw.connect(service.address)) as connection:
            first = f"GET /api/operations/{put.json()['operation_id']}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(first.encode() + b"GET / HTTP/1.1\r\nX-Long: ")
            assert pushed(connection, b"x" * 65536, 64 * 1024 * 1024)
    finally:
        service.sandbox.knobs.fail_next = 0
    assert service.settled(put)["state"] == "confirmed"


def test_silent_connections_keep_nobody_out(narrow: Service) -> None:
    """Ten times as many connections as are taken, that say nothing: whoever asks is answered, and there are no more."""
    with ExitStack() as stack:
        silent = [stack.enter_context(closing(raw.connect(narrow.address))) for _ in range(CONNECTIONS * 10)]
        for _ in range(5):
            assert raw.status(raw.get(narrow.address, "/health/live")) == 200
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


def test_connections_that_ask_are_not_thrown_out(tmp_path: Path) -> None:
    """Where all connections have requests under way, one more is 503 with Retry-After, and those go on."""
    with (
        connected(tmp_path, Sandbox(orders=12), connector_allow_anonymous=True, connector_connections=3) as service,
        ExitStack() as stack,
    ):
        busy = [stack.enter_context(closing(under_way(service, "10.0.0.1"))) for _ in range(3)]
        answer = raw.get(service.address, "/health/live")
        assert raw.status(answer) == 503
        assert b"\r\nretry-after: 1\r\n" in answer.lower()
        assert b'"success":false' in answer
        assert [raw.status(finished(connection)) for connection in busy] == [404] * 3


@pytest.mark.parametrize("rate", ["viele", "0/s", "10/0s", "-1/s", "10", "10/y", "1e9/s"])
def test_a_wrong_rate_is_told(tmp_path: Path, rate: str) -> None:
    """A rate that can't be read stops the start and says how one is written."""
    with (
        pytest.raises(SettingsError, match=r"CONNECTOR_RATE_LIMIT: .*accepted: .*100/s"),
        connected(tmp_path, Sandbox(orders=1), connector_rate_limit=rate),
    ):
        pass
