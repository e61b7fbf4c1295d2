"""What the connector adds: a look-up against a bare ASGI app, a write against the same pages asked straight."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from bench.processes import connector, planso
from planso_connector.planso.profile import Profile

ROUNDS = 300
PAGES = 4
"""Of PlanSo in one update: two readings, the save, the read-back."""


@contextmanager
def _bare(content: bytes) -> Iterator[int]:
    """The fastest thing that could answer these bytes on this server."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def _each(port: int, request: Callable[[http.client.HTTPConnection, int], None], rounds: int) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    took = []
    for number in range(rounds):
        started = time.perf_counter()
        request(connection, number)
        took.append(time.perf_counter() - started)
    connection.close()
    return took


def _get(path: str) -> Callable[[http.client.HTTPConnection, int], None]:
    def request(connection: http.client.HTTPConnection, _number: int) -> None:
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content

    return request


def look_up_against_bare() -> str:
    path = "/api/orders?plate=WN&limit=50"
    with planso(260, 0.0) as url, connector(url) as service:
        service.synced()
        content = service.http.get(path).content
        port = int(service.address.rpartition(":")[2])
        with _bare(content) as bare_port:
            ours, bare = [], []
            for _ in range(5):
                bare += _each(bare_port, _get("/"), ROUNDS // 5)
                ours += _each(port, _get(path), ROUNDS // 5)
    found = json.loads(content)["count"]
    mine, theirs = statistics.median(ours), statistics.median(bare)
    return (
        f"look-up by plate, {found} orders, {len(content) // 1000} KB, one client: {mine * 1000:.2f} ms, "
        f"a bare ASGI app with the same bytes {theirs * 1000:.2f} ms: {theirs / mine:.2f} of its rate"
    )


def write_against_straight() -> str:
    with planso(260, 0.0) as url, connector(url) as service:
        service.synced()
        port = int(service.address.rpartition(":")[2])

        def put(connection: http.client.HTTPConnection, number: int) -> None:
            body = json.dumps({"order_id": 123, "remarks": f"Runde {number}"})
            connection.request("PUT", "/api/orders/123", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content

        ours = _each(port, put, 100)
        login = http.client.HTTPConnection(url.removeprefix("http://"))
        straight = _straight(login, Profile.load(None, None).table_id, 100)
    mine, theirs = statistics.median(ours), statistics.median(straight) * PAGES
    return (
        f"PUT over an instant PlanSo: {mine * 1000:.1f} ms; {PAGES} pages asked straight {theirs * 1000:.1f} ms; "
        f"the connector adds {(mine - theirs) * 1000:.1f} ms (goal 5), {mine / theirs:.2f} times"
    )


def _straight(connection: http.client.HTTPConnection, table: int, rounds: int) -> list[float]:
    """One form page of PlanSo, asked without the connector."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("GET", "/app")
    first = connection.getresponse()
    first.read()
    cookie = (first.getheader("Set-Cookie") or "").partition(";")[0]
    login = "system_login_username=werkstatt&system_login_password=demo"
    connection.request("POST", "/app", login, {**form, "Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    cookie = (answer.getheader("Set-Cookie") or cookie).partition(";")[0]
    call = f"/do?m=visual_forms_plain&tableID={table}&submode=update&dataID=123"
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        connection.request("POST", call, "", {**form, "Cookie": cookie, "X-Requested-With": "XMLHttpRequest"})
        page = connection.getresponse()
        assert b"center" in page.read()
        took.append(time.perf_counter() - started)
    connection.close()
    return took
