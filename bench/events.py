"""
The change feed at a million events: a page of 100 at a place that differs each time, over HTTP. And webhooks: events
delivered to a local receiver in a second, beside the same requests without the connector.
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import apsw
import httpx2
from tests.databases import read_migrated_file

from bench.mirror import run_connector
from planso_connector.domain import clock
from planso_connector.flows.delivering.delivery import PARALLEL, WebhookDelivery
from planso_connector.flows.delivering.receivers import WebhookReceivers
from planso_connector.store.engine.database import Database
from planso_connector.webhooks.sender import WebhookSender

EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
ORDERS = 20_000
PAGE, GOAL = 100, 5.0
"""Events of a page, and milliseconds."""
ROUNDS = 300
DELIVERED, GOAL_RATE = 5000, 1000
_SHOP = "default"
_AT = "2026-11-23T09:41:00.702000Z"
_CHANGES = json.dumps([{"field": "shop_date", "before": "2026-12-08", "after": "2026-12-09"}])
_FEED = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :events)
INSERT INTO change_feed (workshop, id, number, type, at, order_id, version, position, "by", caller)
SELECT :shop, 'evt_' || i, i, 'order.updated', :at, 1 + i % :orders, 1 + i / :orders, 0, 'planso', '' FROM n
"""
_HISTORY = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :events)
INSERT INTO history (workshop, order_id, version, "by", at, caller, changes)
SELECT :shop, 1 + i % :orders, 1 + i / :orders, 'planso', :at, '', :changes FROM n
"""
_RECEIVER = """
import asyncio
RESPONSE = b"HTTP/1.1 204 No Content\\r\\n\\r\\n"
async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            length = next(int(l[15:]) for l in head.lower().split(b"\\r\\n") if l.startswith(b"content-length:"))
            await reader.readexactly(length)
            writer.write(RESPONSE)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def measure_feed() -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = _create(Path(folder), EVENTS)
        with run_connector(path) as service:
            host = service.address.removeprefix("http://")
            with closing(http.client.HTTPConnection(host)) as connection:
                whole = _ask(
                    connection, [f"/api/changes?limit={PAGE}&after=0000abcd-{_place()}" for _ in range(ROUNDS)]
                )
                single = _ask(connection, [f"/api/changes?limit=1&after=0000abcd-{_place()}" for _ in range(ROUNDS)])
                of_order = _ask(
                    connection,
                    [f"/api/changes?limit={PAGE}&order_id={random.randrange(1, ORDERS)}" for _ in range(ROUNDS)],
                )
    return (
        f"change feed of {EVENTS:,} events, another place each time, one client: a page of {PAGE} {whole:.2f} ms "
        f"(median of {ROUNDS}; goal: under {GOAL:g} ms), "
        f"of one event {single:.2f} ms, all of one order {of_order:.2f} ms"
    )


def measure_webhooks() -> str:
    with tempfile.TemporaryDirectory() as folder, _receiver() as url:
        path = _create(Path(folder), DELIVERED)
        ours = asyncio.run(_deliver(path, url))
        floor = asyncio.run(_post(url))
    return (
        f"webhooks to a local receiver, {PARALLEL} requests at a time: {ours:.0f} events a second (goal: {GOAL_RATE}); "
        f"the same requests by httpx2 alone {floor:.0f}: {ours / floor:.2f} of their rate"
    )


def _create(folder: Path, events: int) -> Path:
    path = folder / "events.db"
    path.write_bytes(read_migrated_file())
    with closing(apsw.Connection(str(path))) as database, database:
        database.execute("PRAGMA foreign_keys = OFF")
        given = {"events": events, "orders": ORDERS, "shop": _SHOP, "at": _AT, "changes": _CHANGES}
        database.execute(_FEED, given)
        database.execute(_HISTORY, given)
        database.execute(
            "INSERT INTO change_feed_bounds VALUES (:shop, '0000abcd', :events, 0)", {"shop": _SHOP, "events": events}
        )
    return path


def _place() -> int:
    return random.randrange(EVENTS - PAGE)


def _ask(connection: http.client.HTTPConnection, paths: list[str]) -> float:
    """Milliseconds, the median."""
    took = []
    for path in paths:
        began = time.perf_counter()
        connection.request("GET", path)
        response = connection.getresponse()
        content = response.read()
        took.append(time.perf_counter() - began)
        assert response.status == 200, content
    return statistics.median(took) * 1000


async def _deliver(path: Path, url: str) -> float:
    database = Database.open(f"sqlite:///{path}")
    own = database.for_workshop(_SHOP)
    sender = WebhookSender([ipaddress.ip_network("127.0.0.0/8")])
    webhook = await WebhookReceivers(own, sender, clock.now).create(url, [], has_fields=True)
    await WebhookReceivers(own, sender, clock.now).recover(
        webhook.id, clock.format_instant(datetime(2000, 1, 1, tzinfo=UTC))
    )
    delivery = WebhookDelivery(own, sender, clock.now, "bench", random.Random(1))
    began = time.perf_counter()
    while await delivery.deliver(webhook.id):
        pass
    rate = DELIVERED / (time.perf_counter() - began)
    await sender.close()
    await database.close()
    return rate


async def _post(url: str) -> float:
    body = b"x" * 300
    slots = asyncio.Semaphore(PARALLEL)
    async with httpx2.AsyncClient(trust_env=False, limits=httpx2.Limits(max_connections=PARALLEL)) as client:

        async def one() -> None:
            async with slots:
                await client.post(url, content=body)

        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(DELIVERED)))
        return DELIVERED / (time.perf_counter() - began)


@contextmanager
def _receiver() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", _RECEIVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.kill()
