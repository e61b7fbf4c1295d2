"""
The look-up in a mirror of ten thousand orders and of a million: against a bare ASGI app, FastAPI with SQLAlchemy's
ORM and Datasette on the same file; what a misheard question costs; memory, start, reads beside a sync; the longest
questions.
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
from bench.processes import planso
from planso_connector.store.search import write_cursor

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


def _other_letter(plate: str) -> str:
    district, _, rest = plate.partition("-")
    return f"{district}-{'N' if rest[0] != 'N' else 'M'}{rest[1:]}"


@_unless_left_out
def longest() -> str:
    deep = write_cursor("2018-01-05", orders.FIRST_ID)
    questions: dict[str, dict[str, str]] = {
        "plate of one letter": {"plate": "W"},
        "plate of one rare digit row": {"plate": "9999"},
        "plate nobody has": {"plate": "XXYZ10203"},
        "plate %": {"plate": "%"},
        "plate _": {"plate": "_"},
        "plate of 10,000 characters": {"plate": "W" * 10_000},
        "text of one letter": {"text": "e"},
        "text of 12 rare words": {"text": " ".join(f"selten{word}" for word in range(12))},
        "text of one rare word": {"text": "selten"},
        "person of one letter": {"person": "e"},
        "person nobody is": {"person": "qqq"},
        "phone of one digit": {"phone": "1"},
        "email nobody has": {"email": "qqq"},
        "a page of 500": {"limit": "500"},
        "cursor deep in the list": {"cursor": deep, "limit": "50"},
        "cursor deep and a plate": {"cursor": deep, "plate": "XXYZ10203"},
        "dates of one day": {"after": "2022-03-03", "before": "2022-03-03"},
        "finish dates of one day": {"finish_after": "2022-03-03", "finish_before": "2022-03-03"},
        "missing parts": {"missing_parts": "true"},
        "status and person": {"status": "angelegt", "person": "qqq"},
        "total": {"total": "true", "plate": "W"},
        "by finish date": {"sort": "finish_date"},
    }
    lookups: dict[str, dict[str, str]] = {
        "one letter": {"q": "e"},
        "name of one letter": {"name": "e"},
        "plate of one letter": {"plate": "W"},
        "a common last name": {"name": "Petersen"},
        "two common names": {"name": "Jana Petersen"},
        "12 rare words": {"q": " ".join(f"selten{word}" for word in range(12))},
        "900 characters": {"q": ("W " * 450).strip()},
        "last digits": {"phone": "12"},
    }
    took: list[tuple[float, str]] = []
    with _connector(orders.path_of(MANY)) as service:
        for prefix, asked in (("/api/orders", questions), ("/api/lookup", lookups)):
            for name, question in asked.items():
                took.append(_timed(_port(service), f"{prefix}?{urlencode(question)}", f"{prefix} {name}"))
        used = resident(service.process.pid)
    took.sort(reverse=True)
    told = [f"longest question to {MANY} orders: {took[0][0] * 1000:.0f} ms, {took[0][1]}; memory then {used}"]
    return "\n".join(told + [f"  {seconds * 1000:.1f} ms {name}" for seconds, name in took[1:]])


def _timed(port: int, path: str, name: str) -> tuple[float, str]:
    """The better of two, and the name with its status where that is not 200."""
    found = []
    for _ in range(2):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.connect()
        started = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        found.append(time.perf_counter() - started)
        connection.close()
    return min(found), name if answer.status == 200 else f"{name} ({answer.status})"


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


@_unless_left_out
def beside_a_sync() -> str:
    """
    PlanSo's stand-in with other people in the same orders: the sync writes each anew. The stand-in takes one of the
    machine's cores, and who asks takes of it too: so the reads are also measured beside the same sync in a process and
    a mirror of its own, and the second ratio is what the sync inside of the connector costs.
    """
    with ExitStack() as open_now:
        folder = Path(open_now.enter_context(tempfile.TemporaryDirectory()))
        mine, others = folder / "mine.db", folder / "others.db"
        for path in (mine, others):
            with planso(SYNCED, 0.0) as url, _connector(path, PLANSO_URL=url, **_AT_FULL_SPEED) as service:
                service.synced()
        url = open_now.enter_context(planso(SYNCED, 0.0, seed=2))
        service, other = (
            open_now.enter_context(_connector(path, PLANSO_URL=url, **_AT_FULL_SPEED)) for path in (mine, others)
        )
        alone = load(_port(service), [_PART], clients=AT_ONCE, seconds=4)
        beside, told = _reads_while_syncing(service, other)
        during, told = _reads_while_syncing(service, service)
    return (
        f"reads by {AT_ONCE} while a sync writes {told}: {during}; alone {alone}: {during.rate / alone.rate:.2f} of "
        f"it; beside the same sync in another process {beside}: {during.rate / beside.rate:.2f} of it (goal 0.7)"
    )


_PART = "/api/orders?plate=W&limit=50"
_AT_FULL_SPEED = {
    "CONNECTOR_PLANSO_CONCURRENCY": "8",
    "CONNECTOR_SYNC_PARTS": "false",
    "CONNECTOR_SYNC_MAX_REMOVALS": "1",
}


def _reads_while_syncing(service: ConnectorProcess, syncing: ConnectorProcess) -> tuple[Load, str]:
    syncing.http.post("/api/sync", params={"full": "true"})
    found, began = Load(), time.perf_counter()
    while syncing.http.get("/api/sync/status").json()["state"] == "running":
        found.add(load(_port(service), [_PART], clients=AT_ONCE, seconds=0.5))
    result = syncing.http.get("/api/sync/status").json()["last_result"]
    return found, f"{result['changed']} orders in {time.perf_counter() - began:.1f} s"


@_unless_left_out
def compared() -> str:
    """A sync of a PlanSo that lists none of the mirror's orders: it compares, doubts and changes nothing."""
    with planso(260, 0.0) as url, _connector(orders.path_of(MANY), PLANSO_URL=url) as service:
        before = resident(service.process.pid)
        service.http.post("/api/sync")
        began = time.perf_counter()
        reads = Load()
        while service.http.get("/api/sync/status").json()["state"] == "running":
            reads.add(load(_port(service), [PATH], seconds=0.2))
        took = time.perf_counter() - began
        return (
            f"a sync's comparison with {MANY} orders, {took:.1f} s: memory before {before}, after "
            f"{resident(service.process.pid)}; look-ups meanwhile {reads}"
        )
