"""
Lookups in a mirror of ten thousand and of a million orders: compared with FastAPI with SQLAlchemy's ORM, and Datasette
on the same file; misheard questions, worst cases, memory, reads during a sync, and start-up.
"""

from __future__ import annotations

import http.client
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

from tests.process import ConnectorProcess, connector_process

from bench import orders, rivals
from bench.load import Load, repeat, run_load
from bench.memory import describe_memory
from bench.processes import connector, planso, port_of, wait_for_sync
from planso_connector.domain.folding import fold_plate

FEW = 10_000
MANY = int(os.environ.get("BENCH_LOOKUP_ORDERS", "1000000"))
"""Creating a million takes minutes and 4 GB, once. `BENCH_LOOKUP_ORDERS=100000` is smaller; 0 skips these."""

PATH = "/api/orders?" + urlencode({"plate": orders.PLATE, "limit": orders.SAME_PLATE})
CLIENTS = 32
MAX_PLATES = 100_000
ROUNDS, ROUND_SECONDS = 4, 1.0
"""Servers are measured in turn, so that other load of the machine affects all alike."""
SPELLINGS = str.maketrans({"v": "f", "k": "c", "ä": "e", "ß": "s", "d": "t"})
QUESTIONS = 60
"""Questions of each kind, about orders all over the mirror."""
SYNC_ORDERS = 3000


@contextmanager
def run_connector(path: Path, **settings: str) -> Iterator[ConnectorProcess]:
    """Run a connector on this database; PlanSo is unreachable unless `settings` have a URL."""
    with (
        tempfile.TemporaryDirectory() as folder,
        connector_process(environment(path, **settings), Path(folder)) as service,
    ):
        yield service


def environment(path: Path, **settings: str) -> dict[str, str]:
    return {
        "PLANSO_URL": "http://127.0.0.1:9",
        "PLANSO_USER": "werkstatt",
        "PLANSO_PASSWORD": "demo",
        "CONNECTOR_DATABASE_URL": f"sqlite:///{path}",
        "CONNECTOR_SYNC_INTERVAL": "0",
        "CONNECTOR_LOG_LEVEL": "error",
        **settings,
    }


def _skippable(measure: Callable[[], str]) -> Callable[[], str]:
    name = measure.__name__.replace("_", " ")
    return lambda: measure() if MANY else f"large mirror, {name}: not measured (BENCH_LOOKUP_ORDERS=0)"


@_skippable
def compare_rivals() -> str:
    """Each request asks for another plate; `bench.reads` compares with the least that a read can cost."""
    lines: list[str] = []
    ours: dict[tuple[int, int], Load] = {}
    for count in (FEW, MANY):
        path = orders.path_of(count)
        with run_connector(path) as service:
            lines += _compare_rivals(service, path, count, ours)
            lines.append(_describe_connector_memory(service))
    for clients in (1, CLIENTS):
        few, many = (ours[count, clients].percentile(0.99) for count in (FEW, MANY))
        lines.append(f"p99 with {clients} clients, {MANY} orders to {FEW}: {many / few:.2f} times (goal: 1.5)")
    return "\n".join(lines)


def _describe_connector_memory(service: ConnectorProcess) -> str:
    return f"  memory of the connector process afterwards: {describe_memory(service.process.pid)} (goal: below 150 MB)"


def _compare_rivals(service: ConnectorProcess, path: Path, count: int, ours: dict[tuple[int, int], Load]) -> list[str]:
    """Measure the servers on one mirror; add the connector's results to `ours`, by number of orders and clients."""
    plates = [orders.plate_of(number, count) for number in range(count) if orders.is_found_by_plate(number, count)]
    random.Random(1).shuffle(plates)
    paths = ["/api/orders?" + urlencode({"plate": plate}) for plate in plates[:MAX_PLATES]]
    columns = {"workshop": orders.SHOP, "archived": "0", "deleted_at__isnull": "1"}
    options = {"_sort_desc": "shop_day", "_nocount": "1", "_nofacet": "1", "_shape": "array"}
    tables = [
        f"/{path.stem}/orders.json?" + urlencode({**columns, "plate_key__contains": fold_plate(plate), **options})
        for plate in plates[:MAX_PLATES]
    ]
    lines = [f"list by plate in {count} orders, another plate each time, one order found:"]
    with ExitStack() as servers:
        targets = {
            "the connector": (port_of(service), repeat(paths)),
            "FastAPI with SQLAlchemy's ORM": (servers.enter_context(rivals.serve_orm(path)), repeat(paths)),
        }
        datasette = servers.enter_context(rivals.serve_datasette(path))
        if datasette is None:
            lines.append("  Datasette: not measured, it could not be installed")
        else:
            targets["Datasette"] = datasette, repeat(tables)
        for clients in (1, CLIENTS):
            loads = _measure_in_turn(targets, clients)
            ours[count, clients] = loads["the connector"]
            for name, load in loads.items():
                ratio = f"; the connector has {loads['the connector'].rate / load.rate:.2f} of its rate"
                lines.append(f"  {clients} clients, {name}: {load}{ratio if name != 'the connector' else ''}")
    return lines


def _measure_in_turn(targets: dict[str, tuple[int, Iterator[bytes]]], clients: int) -> dict[str, Load]:
    """Measure each target, a port and its requests, after a short warm-up."""
    loads = {name: Load() for name in targets}
    for port, requests in targets.values():
        run_load(port, requests, clients=clients, seconds=0.2)
    for _ in range(ROUNDS):
        for name, (port, requests) in targets.items():
            loads[name].add(run_load(port, requests, clients=clients, seconds=ROUND_SECONDS))
    return loads


@_skippable
def measure_misheard_questions() -> str:
    """After one second of warm-up for each kind of question."""
    path, count = orders.path_of(MANY), MANY
    wanted = [orders.order(count * part // QUESTIONS, count) for part in range(QUESTIONS)]
    plates, names = [order.plate or "" for order in wanted], [str(order.values["person"]) for order in wanted]
    wrong_digits = [f"{plate[:-1]}{(int(plate[-1]) + 5) % 10}" for plate in plates]
    wrong_letters = [_change_letter(plate) for plate in plates]
    sounds = [name.rpartition(" ")[2].lower().translate(SPELLINGS) for name in names]
    sentences = [
        f"Guten Tag, hier ist {name}, ist mein Auto mit dem Kennzeichen {' '.join(plate.replace('-', ' '))} fertig"
        for name, plate in zip(names, plates, strict=True)
    ]
    kinds = {
        "correct plate": [{"plate": text} for text in plates],
        "plate with a wrong letter": [{"plate": text} for text in wrong_letters],
        "plate with a wrong digit": [{"plate": text} for text in wrong_digits],
        "last name by sound": [{"name": text} for text in sounds],
        "first and last name by sound": [{"name": text.lower().translate(SPELLINGS)} for text in names],
        "a sentence": [{"q": text} for text in sentences],
    }
    lines = []
    with run_connector(path) as service:
        for kind, questions in kinds.items():
            paths = ["/api/lookup?" + urlencode(question) for question in questions]
            run_load(port_of(service), repeat(paths), seconds=1)
            load = run_load(port_of(service), repeat(paths), seconds=3)
            goal = " (goal: median of 20 ms)" if "letter" in kind else ""
            lines.append(f"/api/lookup in {count} orders, {kind}: {load}{goal}")
        lines.append(_describe_connector_memory(service))
    return "\n".join(lines)


WORST_FILTERS: tuple[dict[str, str], ...] = (
    *(
        {"text": text}
        for text in ("e", "q", "zz", "%", "_", "a b c d e f g h", "0 1 2 3 4 5 6 7 8 9", "xqjzvw", "e" * 200)
    ),
    *({"text": text} for text in ("abholbereit", "stossfaenger parkrempler qqq", "example", "12 23 34 45 56 67 78 89")),
    *({"plate": text} for text in ("A", "1", "QQQQQ", "WN", "%", "0" * 200)),
    *({"person": text} for text in ("e", "zzz", "jana", "%")),
    *({"phone": text} for text in ("0", "030", "99999999999")),
    *({"email": text} for text in ("e", "example", "@", ".de")),
    *({"sort": sort} for sort in ("shop_date", "finish_date", "-finish_date", "id", "-id")),
    *({"total": "true", "text": text} for text in ("e", "abholbereit", "golf")),
    {"missing_parts": "true"},
    {"status": "nie"},
    {"status": "in arbeit", "damage": "kl 3", "station": "9", "missing_parts": "true"},
    {"after": "2030-01-01", "person": "e"},
    {"archived": "true", "text": "jana weiss candyweiss golf", "sort": "finish_date"},
    {"limit": "500", "text": "e", "sort": "finish_date", "total": "true"},
)
WORST_QUESTIONS = (
    "e",
    "a" * 400,
    "eins " * 80,
    "meier " * 60,
    "0 1 2 3 4 5 6 7 8 9 " * 20,
    "anton " * 60,
    "der die das " * 30,
)


@_skippable
def measure_worst_queries() -> str:
    """The slowest of three responses to each of the most expensive queries."""
    results = []
    with run_connector(orders.path_of(MANY)) as service:
        paths = ["/api/orders?" + urlencode(filters) for filters in WORST_FILTERS]
        paths += ["/api/lookup?" + urlencode({"q": question}) for question in WORST_QUESTIONS]
        for path in paths:
            took, statuses = [], set()
            for _ in range(3):
                began = time.perf_counter()
                statuses.add(service.http.get(path).status_code)
                took.append(time.perf_counter() - began)
            results.append((max(took), path, statuses))
    results.sort(reverse=True)
    lines = [f"  {took * 1000:.0f} ms: {path[:100]} {sorted(statuses)}" for took, path, statuses in results[:12]]
    return "\n".join([f"slowest of {len(results)} expensive queries in {MANY} orders (limit: 2 s):", *lines])


def measure_reads_during_sync() -> str:
    """
    Reads of an idle connector, compared with reads during a full sync from a PlanSo without latency: the same list each
    time, and a different list each time.
    """
    with planso(SYNC_ORDERS, 0.0) as url, connector(url, CONNECTOR_PLANSO_CONCURRENCY="8") as service:
        wait_for_sync(service)
        listed = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
        plates = [order["plate"] for order in listed if order["plate"]]
        # Never the same query twice, so that nothing is answered from a cache, whoever has one.
        different = [
            "/api/orders?" + urlencode({"limit": n, "plate": plate}) for n in range(1, 200) for plate in plates
        ]
        paths = {"the same list": ["/api/orders"], "a different list each time": different}
        idle = {
            name: run_load(port_of(service), repeat(queries), clients=8, seconds=3) for name, queries in paths.items()
        }
        service.http.post("/api/sync", params={"full": "true"})
        syncing = {
            name: run_load(port_of(service), repeat(queries), clients=8, seconds=3) for name, queries in paths.items()
        }
        assert service.http.get("/api/sync/status").json()["state"] == "running", "the sync ended too early"
    return "\n".join(
        f"reads of {name}, idle: {idle[name]}; during a full sync of {SYNC_ORDERS} orders: {syncing[name]}; "
        f"{syncing[name].rate / idle[name].rate:.2f} of the rate (goal: 0.7)"
        for name in paths
    )


def _change_letter(plate: str) -> str:
    district, _, rest = plate.partition("-")
    return f"{district}-{'N' if rest[0] != 'N' else 'M'}{rest[1:]}"


@_skippable
def measure_start() -> str:
    path = orders.path_of(MANY)
    live_after, answered_after = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            service = ConnectorProcess(environment(path), Path(folder))
            try:
                _wait_for_response(port_of(service), "/health/live")
                live_after.append(time.perf_counter() - began)
                _wait_for_response(port_of(service), PATH)
                answered_after.append(time.perf_counter() - began)
            finally:
                service.http.close()
                service.stop()
    return (
        f"start with {MANY} orders: live after {statistics.median(live_after):.2f} s, first list after "
        f"{statistics.median(answered_after):.2f} s (goal: 1 s); median of 3"
    )


def _wait_for_response(port: int, path: str) -> None:
    """Try to connect every 5 ms, with a client that is cheap to create."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.connect()
        except ConnectionRefusedError:
            time.sleep(0.005)
        else:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
            return
        finally:
            connection.close()
