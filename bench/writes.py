"""What durable writes cost: a PUT beside the same pages asked straight, and the rate at which writes are accepted."""

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
from tests.process import ConnectorProcess

from bench.processes import connector, planso
from planso_connector.planso.profile import Profile

ORDERS = 260
PAGES = 4
"""Of PlanSo in one update: two readings, the save, the read-back."""
AT_ONCE = 32
WRITES = 640

Work = Callable[[http.client.HTTPConnection, int], None]


def _at_once(port: int, work: Work, clients: int, rounds: int) -> tuple[float, float]:
    """Seconds for all of `clients` times `rounds` requests, and the median of one."""
    took: list[float] = []
    ready = threading.Barrier(clients + 1)

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.connect()
        ready.wait()
        for turn in range(rounds):
            started = time.perf_counter()
            work(connection, number + turn * clients)
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


def _put(orders: Sequence[int], wanted: int, **headers: str) -> Work:
    def request(connection: http.client.HTTPConnection, number: int) -> None:
        order = orders[number % len(orders)]
        body = json.dumps({"order_id": order, "remarks": f"Runde {number} {time.monotonic_ns()}"})
        connection.request("PUT", f"/api/orders/{order}", body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == wanted, content

    return request


def _page(port: int, orders: Sequence[int]) -> Work:
    """One form page of PlanSo, asked without the connector."""
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-Requested-With": "XMLHttpRequest"}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/app")
    first = connection.getresponse()
    first.read()
    cookie = (first.getheader("Set-Cookie") or "").partition(";")[0]
    login = "system_login_username=werkstatt&system_login_password=demo"
    connection.request("POST", "/app", login, {**form, "Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    headers = {**form, "Cookie": (answer.getheader("Set-Cookie") or cookie).partition(";")[0]}
    call = f"/do?m=visual_forms_plain&tableID={Profile.load(None, None).table_id}&submode=update&dataID="

    def request(asking: http.client.HTTPConnection, number: int) -> None:
        asking.request("POST", f"{call}{orders[number % len(orders)]}", "", headers)
        assert b"center" in asking.getresponse().read()

    return request


def _orders(service: ConnectorProcess) -> list[int]:
    listed = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
    return [order["id"] for order in listed]


def put_against_straight() -> str:
    """Over an instant PlanSo, each page of the write also asked without the connector."""
    told = []
    with planso(ORDERS, 0.0) as url, connector(url, CONNECTOR_PLANSO_CONCURRENCY="32") as service:
        service.wait_for_sync()
        orders = _orders(service)
        port, other = (int(address.rpartition(":")[2]) for address in (service.address, url))
        for clients, rounds in ((1, 100), (AT_ONCE, 10)):
            whole, ours = _at_once(port, _put(orders, 200), clients, rounds)
            bare, theirs = _at_once(other, _page(other, orders), clients, rounds * PAGES)
            theirs *= PAGES
            told.append(
                f"PUT over an instant PlanSo, {clients} at once: {ours * 1000:.1f} ms, "
                f"{clients * rounds / whole:.0f}/s; its {PAGES} pages asked straight {theirs * 1000:.1f} ms, "
                f"{clients * rounds / bare:.0f}/s; the connector adds {(ours - theirs) * 1000:.1f} ms (goal 5 for one)"
            )
    return "\n".join(told)


def accepted_against_commits() -> str:
    """`respond-async`, so that the answer waits for the disk alone; PlanSo is slow, so that pushing takes no time."""
    with planso(ORDERS, 5.0) as url, connector(url) as service:
        port = int(service.address.rpartition(":")[2])
        whole, _ = _at_once(port, _put(range(1, ORDERS), 202, Prefer="respond-async"), AT_ONCE, WRITES // AT_ONCE)
        commits = _commits()
    rate = WRITES / whole
    return (
        f"durable writes accepted, {AT_ONCE} at once: {rate:.0f}/s; single-row commits of SQLite in a tight loop "
        f"{commits:.0f}/s: {rate / commits:.2f} of their rate (goal 0.6)"
    )


def _commits() -> float:
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
