"""
The faults of a cluster, one after the other. Each raises AssertionError if the cluster itself does not recover; what
callers saw meanwhile is compared with its times afterwards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psycopg

from tests.cluster.processes import TTL, Node
from tests.cluster.system import System
from tests.service import wait_until

FAILOVER_PATIENCE = 3.0 * TTL
POOLER_RESTARTS = 3
FULL_FOR = 8.0
"""Seconds for which callers write to a full disk before a new segment of the write-ahead log is forced."""
_BLOCK = 1 << 20


@dataclass
class Event:
    """
    A fault and its times, as `time.monotonic`: when it `began`, when the database was `usable_at` (another primary, or
    PgBouncer running), when its cause was `healed_at`, when the cluster was whole again (`ended`). `words` say what was
    seen.
    """

    name: str
    began: float
    usable_at: float = 0.0
    healed_at: float = 0.0
    ended: float = 0.0
    words: str = ""

    @property
    def failover_seconds(self) -> float:
        return self.usable_at - self.began


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    title: str
    do: Callable[[System, Event], None]
    needs_disks: bool = False


def inject(system: System, fault: Fault) -> Event:
    """Do a fault, and wait until the cluster is whole again."""
    event = Event(fault.title, time.monotonic())
    fault.do(system, event)
    system.cluster.wait_until_healthy()
    event.ended = time.monotonic()
    return event


def _wait_for_other_primary(system: System, old: Node, event: Event) -> None:
    others = [node for node in system.cluster.nodes if node is not old]
    new = wait_until(
        lambda: next((node for node in others if node.has_role("primary")), None), "another primary", FAILOVER_PATIENCE
    )
    assert new is not None
    event.usable_at = time.monotonic()
    event.words = f"{old.name} to {new.name}"


def _kill_server(system: System, event: Event) -> None:
    """The primary's PostgreSQL dies; its Patroni sees that and gives up the lead."""
    old = system.cluster.primary
    event.began = time.monotonic()
    old.kill_postgresql()
    _wait_for_other_primary(system, old, event)
    event.healed_at = event.usable_at


def _kill_node(system: System, event: Event) -> None:
    """The primary's machine dies; it comes back later."""
    old = system.cluster.primary
    event.began = time.monotonic()
    old.kill()
    _wait_for_other_primary(system, old, event)
    old.start()
    event.healed_at = time.monotonic()


def _cut_network(system: System, event: Event) -> None:
    """The primary's network is silent; it has to give up the lead by itself."""
    old, network = system.cluster.primary, system.cluster.network
    event.began = time.monotonic()
    network.cut(old.place)
    try:
        _wait_for_other_primary(system, old, event)
        threading.Event().wait(5)  # two primaries at once would show now
    finally:
        network.rejoin(old.place)
    event.healed_at = time.monotonic()


def _switch_over(system: System, event: Event) -> None:
    """An operator moves the lead, as for an upgrade of the server."""
    old = system.cluster.primary
    host, port = old.place.rest
    event.began = time.monotonic()
    response = httpx2.post(f"http://{host}:{port}/switchover", json={"leader": old.name}, timeout=60)
    assert response.status_code == 200, response.text
    _wait_for_other_primary(system, old, event)
    event.healed_at = event.usable_at


def _cut_standby(system: System, event: Event) -> None:
    """
    The synchronous standby's network is silent: commits wait for it until Patroni names another one, once the standby's
    sign of life is older than TTL.
    """
    cluster = system.cluster
    old = next(node for node in cluster.nodes if node.has_role("synchronous"))
    others = [node for node in cluster.nodes if node is not old]
    event.began = time.monotonic()
    cluster.network.cut(old.place)
    try:
        new = wait_until(
            lambda: next((node for node in others if node.has_role("synchronous")), None),
            "another synchronous standby",
            FAILOVER_PATIENCE,
        )
        event.usable_at = time.monotonic()
        event.words = f"{old.name} to {new.name if new else ''}"
    finally:
        cluster.network.rejoin(old.place)
    event.healed_at = time.monotonic()


def _stop_etcd(system: System, event: Event) -> None:
    """etcd is gone: the primary can't renew its lead and has to give it up; nobody else may take it."""
    cluster = system.cluster
    event.began = time.monotonic()
    cluster.stop_etcd()
    try:
        wait_until(lambda: cluster.find_primary() is None, "the primary to give up the lead", FAILOVER_PATIENCE)
        event.words = f"no primary after {time.monotonic() - event.began:.0f} s"
        threading.Event().wait(5)
    finally:
        cluster.restart_etcd()
    event.healed_at = time.monotonic()
    wait_until(cluster.find_primary, "a primary", FAILOVER_PATIENCE)
    event.usable_at = time.monotonic()


def _restart_pooler(system: System, event: Event) -> None:
    for number in range(POOLER_RESTARTS):
        system.cluster.stop_pooler()
        threading.Event().wait(0.5 + number)
        system.cluster.start_pooler()
        event.usable_at = event.healed_at = time.monotonic()
        threading.Event().wait(2)
    event.words = f"{POOLER_RESTARTS} times, away for 0.5 s to {POOLER_RESTARTS - 0.5:g} s"


def _fill_disk(system: System, event: Event) -> None:
    """
    The primary's disk is full: first its tables can't grow, then its write-ahead log can't, which ends the server. Its
    disk gets room again only when another node is the primary.
    """
    old = system.cluster.primary
    filler = old.folder / "filler"
    event.began = time.monotonic()
    _fill(filler)
    try:
        threading.Event().wait(FULL_FOR)
        with old.connect() as session:
            try:
                while True:  # until a segment is needed that is not there yet
                    session.execute("SELECT pg_switch_wal()")
                    session.execute("SELECT txid_current()")
                    _fill(filler)
                    assert time.monotonic() < event.began + FAILOVER_PATIENCE, "the full disk did not end the server"
            except psycopg.OperationalError:
                pass
        _wait_for_other_primary(system, old, event)
    finally:
        filler.unlink(missing_ok=True)
    event.healed_at = time.monotonic()


def _fill(path: Path) -> None:
    """Fill the file system that has the file."""
    with path.open("ab", buffering=0) as file:
        size = _BLOCK
        while size >= 4096:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 4


FAULTS = (
    Fault("server", "the primary's server is killed with -9", _kill_server),
    Fault("node", "the primary's machine is gone", _kill_node),
    Fault("network", "the primary's network is cut", _cut_network),
    Fault("switchover", "an operator moves the lead", _switch_over),
    Fault("standby", "the synchronous standby's network is cut", _cut_standby),
    Fault("etcd", "etcd is gone", _stop_etcd),
    Fault("pooler", "PgBouncer is restarted", _restart_pooler),
    Fault("disk", "the primary's disk is full", _fill_disk, needs_disks=True),
)
