"""
The look-up in a mirror of ten thousand orders and of a million: against a bare ASGI app, FastAPI with SQLAlchemy's
ORM and Datasette on the same file; what a misheard question costs; memory and start.
"""

from __future__ import annotations

import http.client
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

from tests.process import ConnectorProcess, connector_process

from bench import orders, rivals
from bench.load import Load, load
from bench.memory import resident
from bench.processes import connector, planso

FEW = 10_000
MANY = int(os.environ.get("BENCH_LOOKUP_ORDERS", "1000000"))
"""A million takes minutes and 4 GB, once. `make bench BENCH_LOOKUP_ORDERS=100000` is smaller; 0 leaves it out."""

PATH = "/api/orders?" + urlencode({"plate": orders.PLATE, "limit": orders.SAME_PLATE})
AT_ONCE = 32
ROUNDS, ROUND = 4, 1.0
"""Each is measured in turn for so many seconds, so many times: what else the machine does then meets all alike."""
SPELLINGS = str.maketrans({"v": "f", "k": "c", "ä": "e", "ß": "s", "d": "t"})
ASKED = 60
SYNCED = 3000


@contextmanager
def _connector(path: Path, **settings: str) -> Iterator[ConnectorProcess]:
    """With no PlanSo to reach, unless `settings` name one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        connector_process(_environment(path, **settings), Path(folder)) as one,
    ):
        yield one


def _environment(path: Path, **settings: str) -> dict[str, str]:
    return {
        "PLANSO_URL": "http://127.0.0.1:9",
        "PLANSO_USER": "werkstatt",
        "PLANSO_PASSWORD": "demo",
        "CONNECTOR_DATABASE_URL": f"sqlite:///{path}",
        "CONNECTOR_SYNC_INTERVAL": "0",
        "CONNECTOR_LOG_LEVEL": "error",
        **settings,
    }


def _port(service: ConnectorProcess) -> int:
    return int(service.address.rpartition(":")[2])


def _unless_left_out(measure: Callable[[], str]) -> Callable[[], str]:
    name = measure.__name__.replace("_", " ")
    return lambda: measure() if MANY else f"large mirror, {name}: not measured (BENCH_LOOKUP_ORDERS=0)"


@_unless_left_out
def against_rivals() -> str:
    told: list[str] = []
    ours: dict[tuple[int, int], Load] = {}
    for count in (FEW, MANY):
        path = orders.path_of(count)
        with _connector(path) as service:
            told += _against_rivals(service, path, count, ours)
            told.append(
                f"  memory of the connector's process then: {resident(service.process.pid)} (goal under 150 MB)"
            )
    for clients in (1, AT_ONCE):
        few, many = (ours[count, clients].at(0.99) for count in (FEW, MANY))
        told.append(f"p99 with {clients} at once, {MANY} orders against {FEW}: {many / few:.2f} times (goal 1.5)")
    return "\n".join(told)


def _against_rivals(service: ConnectorProcess, path: Path, count: int, ours: dict[tuple[int, int], Load]) -> list[str]:
    answer = service.http.get(PATH)
    content, found = answer.content, answer.json()["count"]
    assert found == orders.SAME_PLATE, found
    told = [f"look-up by plate in {count} orders, {found} found, {len(content) // 1000} KB:"]
    columns = {"workshop": orders.SHOP, "archived": "0", "deleted_at__isnull": "1", "plate_key__contains": "WNQX5050"}
    shown = {"_sort_desc": "shop_day", "_size": str(orders.SAME_PLATE), "_nocount": "1", "_nofacet": "1"}
    table = f"/{path.stem}/orders.json?" + urlencode({**columns, **shown, "_shape": "array"})
    with ExitStack() as servers:
        kept = servers.enter_context(tempfile.NamedTemporaryFile())
        kept.write(content)
        kept.flush()
        asked = {
            "the connector": (_port(service), PATH),
            "a bare ASGI app with the same bytes": (servers.enter_context(rivals.served("bare", kept.name)), "/"),
            "FastAPI with SQLAlchemy's ORM": (servers.enter_context(rivals.served("orm", str(path))), PATH),
        }
        other = servers.enter_context(rivals.datasette(path))
        if other is None:
            told.append("  Datasette: not measured, it could not be installed")
        else:
            asked["Datasette"] = other, table
        for clients in (1, AT_ONCE):
            loads = _in_turn(asked, clients)
            ours[count, clients] = loads["the connector"]
            for name, one in loads.items():
                ratio = f"; the connector has {loads['the connector'].rate / one.rate:.2f} of its rate"
                told.append(f"  {clients} at once, {name}: {one}{ratio if name != 'the connector' else ''}")
    return told


def _in_turn(asked: dict[str, tuple[int, str]], clients: int) -> dict[str, Load]:
    loads = {name: Load() for name in asked}
    for port, path in asked.values():
        load(port, [path], clients=clients, seconds=0.2)
    for _ in range(ROUNDS):
        for name, (port, path) in asked.items():
            loads[name].add(load(port, [path], clients=clients, seconds=ROUND))
    return loads


@_unless_left_out
def misheard() -> str:
    """Of orders all over the mirror; the first second of each kind is not measured."""
    path, count = orders.path_of(MANY), MANY
    asked = [orders.order(count * part // ASKED, count) for part in range(ASKED)]
    plates, names = [one.plate or "" for one in asked], [str(one.values["person"]) for one in asked]
    wrong = [f"{plate[:-1]}{(int(plate[-1]) + 5) % 10}" for plate in plates]
    letter = [_other_letter(plate) for plate in plates]
    sounds = [name.rpartition(" ")[2].lower().translate(SPELLINGS) for name in names]
    said = [
        f"Guten Tag, hier ist {name}, ist mein Auto mit dem Kennzeichen {' '.join(plate.replace('-', ' '))} fertig"
        for name, plate in zip(names, plates, strict=True)
    ]
    kinds = {
        "plate as it is": [{"plate": text} for text in plates],
        "plate with a wrong letter": [{"plate": text} for text in letter],
        "plate with a wrong digit": [{"plate": text} for text in wrong],
        "last name by sound": [{"name": text} for text in sounds],
        "first and last name by sound": [{"name": text.lower().translate(SPELLINGS)} for text in names],
        "a sentence": [{"q": text} for text in said],
    }
    told = []
    with _connector(path) as service:
        for kind, questions in kinds.items():
            paths = ["/api/lookup?" + urlencode(question) for question in questions]
            load(_port(service), paths, seconds=1)
            found = load(_port(service), paths, seconds=3)
            goal = " (goal 20 ms median)" if "letter" in kind else ""
            told.append(f"/api/lookup in {count} orders, {kind}: {found}{goal}")
        told.append(f"  memory of the connector's process then: {resident(service.process.pid)} (goal under 150 MB)")
    return "\n".join(told)


WORST = (
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
WORST_SAID = (
    "e",
    "a" * 400,
    "eins " * 80,
    "meier " * 60,
    "0 1 2 3 4 5 6 7 8 9 " * 20,
    "anton " * 60,
    "der die das " * 30,
)


@_unless_left_out
def longest() -> str:
    """What a client can ask, at its worst; each three times, the longest."""
    told = []
    with _connector(orders.path_of(MANY)) as service:
        paths = ["/api/orders?" + urlencode(one) for one in WORST]
        paths += ["/api/lookup?" + urlencode({"q": said}) for said in WORST_SAID]
        for path in paths:
            took, statuses = [], set()
            for _ in range(3):
                began = time.perf_counter()
                statuses.add(service.http.get(path).status_code)
                took.append(time.perf_counter() - began)
            told.append((max(took), path, statuses))
    told.sort(reverse=True)
    lines = [f"  {took * 1000:.0f} ms: {path[:100]} {sorted(statuses)}" for took, path, statuses in told[:12]]
    return "\n".join([f"the longest of {len(told)} worst questions in {MANY} orders (bound 2 s):", *lines])


def beside_a_sync() -> str:
    """
    Reading in an idle connector, and while a full sync writes as fast as PlanSo answers, which is at once: one list
    again and again, and a different one each time.
    """
    with planso(SYNCED, 0.0) as url, connector(url, CONNECTOR_PLANSO_CONCURRENCY="8") as service:
        _done(service)
        found = service.http.get("/api/orders", params={"limit": "500"}).json()["orders"]
        plates = [one["plate"] for one in found if one["plate"]]
        # Never the same question twice, so that none is answered from what is kept.
        each = ["/api/orders?" + urlencode({"limit": n, "plate": plate}) for n in range(1, 200) for plate in plates]
        paths = {"the same list": ["/api/orders"], "another question each time": each}
        idle = {name: load(_port(service), asked, clients=8, seconds=3) for name, asked in paths.items()}
        service.http.post("/api/sync", params={"full": "true"})
        beside = {name: load(_port(service), asked, clients=8, seconds=3) for name, asked in paths.items()}
        assert service.http.get("/api/sync/status").json()["state"] == "running", "the sync was done too soon"
    return "\n".join(
        f"look-ups, {name}, idle: {idle[name]}; while a full sync of {SYNCED} orders runs: {beside[name]}; "
        f"{beside[name].rate / idle[name].rate:.2f} of the rate (goal 0.7)"
        for name in paths
    )


def _done(service: ConnectorProcess) -> None:
    while True:
        status = service.http.get("/api/sync/status").json()
        if status["state"] != "running" and status["last_result"] is not None:
            return
        time.sleep(0.2)


def _other_letter(plate: str) -> str:
    district, _, rest = plate.partition("-")
    return f"{district}-{'N' if rest[0] != 'N' else 'M'}{rest[1:]}"


@_unless_left_out
def start() -> str:
    path = orders.path_of(MANY)
    alive, answered = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            service = ConnectorProcess(_environment(path), Path(folder))
            try:
                _first(_port(service), "/health/live")
                alive.append(time.perf_counter() - began)
                _first(_port(service), PATH)
                answered.append(time.perf_counter() - began)
            finally:
                service.http.close()
                service.stop()
    return (
        f"start with {MANY} orders: alive after {statistics.median(alive):.2f} s, first look-up answered after "
        f"{statistics.median(answered):.2f} s (goal 1 s); median of 3"
    )


def _first(port: int, path: str) -> None:
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.connect()
        except ConnectionRefusedError:
            time.sleep(0.005)
        else:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            return
        finally:
            connection.close()
