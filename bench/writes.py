"""
The cost of durable writes: the CPU and the time of a PUT beside its PlanSo requests alone, and the rate of accepted
writes beside that of commits. Each PUT is to another order, with another value.
"""

from __future__ import annotations

import http.client
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw
import httpx2
from tests.process import ConnectorProcess

from bench.processes import connector, cpu_seconds, planso, port_of, wait_for_sync
from planso_connector.planso.profile import Profile

PAGES = 5
"""PlanSo requests of one update: two readings, the save, two readings."""
CLIENTS = 32
SINGLE_PUTS = 200
PUTS_PER_CLIENT = 20
WRITES = 640
ORDERS = SINGLE_PUTS + CLIENTS * PUTS_PER_CLIENT + 10

Request = Callable[[http.client.HTTPConnection, int], None]


def _measure(port: int, request: Request, clients: int, rounds: int) -> tuple[float, float]:
    """Send `rounds` requests from each of `clients` threads; return the seconds in total, and the median of one."""
    took: list[float] = []
    ready = threading.Barrier(clients + 1)

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.connect()
        ready.wait()
        for turn in range(rounds):
            started = time.perf_counter()
            request(connection, number + turn * clients)
            took.append(time.perf_counter() - started)
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started, statistics.median(took)


def _put(orders: Sequence[int], status: int, **headers: str) -> Request:
    """Return a function that sends a PUT of another value to another order each time, and expects this status."""

    def request(connection: http.client.HTTPConnection, number: int) -> None:
        order = orders[number]
        body = json.dumps({"order_id": order, "remarks": f"Runde {number} {time.monotonic_ns()}"})
        connection.request("PUT", f"/api/orders/{order}", body, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        content = response.read()
        assert response.status == status, content

    return request


def _read_form(port: int, orders: Sequence[int]) -> Request:
    """Log in to PlanSo; return a function that requests one form, without the connector."""
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-Requested-With": "XMLHttpRequest"}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/app")
    first = connection.getresponse()
    first.read()
    cookie = (first.getheader("Set-Cookie") or "").partition(";")[0]
    login = "system_login_username=werkstatt&system_login_password=demo"
    connection.request("POST", "/app", login, {**form, "Cookie": cookie})
    response = connection.getresponse()
    response.read()
    headers = {**form, "Cookie": (response.getheader("Set-Cookie") or cookie).partition(";")[0]}
    call = f"/do?m=visual_forms_plain&tableID={Profile.load(None, None).table_id}&submode=update&dataID="

    def request(connection: http.client.HTTPConnection, number: int) -> None:
        connection.request("POST", f"{call}{orders[number]}", "", headers)
        assert b"center" in connection.getresponse().read()

    return request


def _list_orders(service: ConnectorProcess) -> list[int]:
    found: list[int] = []
    cursor = None
    while cursor is not None or not found:
        page = service.http.get("/api/orders", params={"limit": "500", **({"cursor": cursor} if cursor else {})}).json()
        found += [order["id"] for order in page["orders"]]
        cursor = page["next_cursor"]
    return found


def compare_with_direct_requests() -> str:
    """With a PlanSo without latency, whose pages are also requested without the connector."""
    lines = []
    with planso(ORDERS, 0.0) as url, connector(url, CONNECTOR_PLANSO_CONCURRENCY="32") as service:
        wait_for_sync(service)
        listed = orders = _list_orders(service)
        port, planso_port = port_of(service), int(url.rpartition(":")[2])
        for clients, rounds in ((1, SINGLE_PUTS), (CLIENTS, PUTS_PER_CLIENT)):
            count, cpu = clients * rounds, cpu_seconds(service)
            total, median = _measure(port, _put(orders[:count], 200), clients, rounds)
            cpu, orders = cpu_seconds(service) - cpu, orders[count:]
            read = _read_form(planso_port, listed * PAGES)
            direct_total, direct = _measure(planso_port, read, clients, rounds * PAGES)
            direct *= PAGES
            lines.append(
                f"{count} PUTs of another value to another order each, read back, with a PlanSo without latency, "
                f"{clients} at once: {cpu / count * 1000:.1f} ms of the connector's CPU each (goal: 8), "
                f"{median * 1000:.1f} ms, {count / total:.0f}/s{' (goal: 150)' if clients > 1 else ''}; their {PAGES} "
                f"PlanSo requests alone {direct * 1000:.1f} ms, {count / direct_total:.0f}/s"
            )
    return "\n".join(lines)


def compare_with_commits() -> str:
    """With `respond-async`, so that a response waits for the disk alone, and a PlanSo too slow to use any CPU."""
    with planso(WRITES, 0.0) as url, connector(url) as service:
        wait_for_sync(service)
        orders = _list_orders(service)
        httpx2.post(f"{url}/sandbox/knobs", json={"latency": 60.0}).raise_for_status()
        before, cpu = _measure_commits(), cpu_seconds(service)
        put = _put(orders, 202, Prefer="respond-async")
        total, _ = _measure(port_of(service), put, CLIENTS, WRITES // CLIENTS)
        cpu = cpu_seconds(service) - cpu
        commits = max(before, _measure_commits())
    rate = WRITES / total
    return (
        f"{WRITES} writes accepted on disk, of another value to another order each, {CLIENTS} at once: {rate:.0f}/s, "
        f"{cpu / WRITES * 1000:.2f} ms of the connector's CPU each; single-row commits of SQLite in a loop "
        f"{commits:.0f}/s: {rate / commits:.2f} of their rate (goal: 0.5)"
    )


def _measure_commits() -> float:
    """Return the number of commits per second."""
    with tempfile.TemporaryDirectory() as folder:
        database = apsw.Connection(str(Path(folder) / "commits.db"))
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE written (id INTEGER PRIMARY KEY, text TEXT)")
        started = time.perf_counter()
        for number in range(WRITES):
            database.execute("INSERT INTO written (text) VALUES (?)", (f"Runde {number}" * 20,))
        took = time.perf_counter() - started
        database.close()
    return WRITES / took
