"""The processes of a cluster: etcd, Patroni with PostgreSQL on each node, HAProxy and PgBouncer."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import yaml

from tests.cluster.isolation import die_with_parent
from tests.cluster.network import Address, Network, Place
from tests.cluster.programs import Programs
from tests.network_faults import list_children
from tests.process import free_port
from tests.service import wait_until

ROLE, DATABASE = "connector", "planso"
TTL, LOOP_WAIT, RETRY_TIMEOUT = 20, 2, 5
"""
Patroni's settings, in seconds. TTL is the smallest that Patroni accepts: after so long without a sign of the primary a
standby takes over. Patroni's rule: LOOP_WAIT + 2 * RETRY_TIMEOUT <= TTL.
"""
POOL_SIZE = 26
"""As many as both connectors open; with fewer, writes that wait for the standby would hold all, and reads wait, too."""
START_PATIENCE = 180.0
RECOVERY_PATIENCE = 240.0
"""Seconds for a failed node to be a standby again."""
_SCOPE = "planso"
_PARAMETERS = {
    "max_connections": 60,
    "wal_log_hints": "on",
    "wal_keep_size": "64MB",
    "min_wal_size": "48MB",
    "max_wal_size": "96MB",
    "shared_buffers": "32MB",
}


class Program:
    """A running program; its output goes to a file named after it."""

    def __init__(self, name: str, command: Sequence[str | Path], folder: Path, user: str | None = None) -> None:
        account = pwd.getpwnam(user) if user is not None and os.geteuid() == 0 else None
        with (folder / f"{name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=account.pw_uid if account is not None else None,
                group=account.pw_gid if account is not None else None,
                extra_groups=[] if account is not None else None,
                preexec_fn=die_with_parent,
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)


@dataclass
class Node:
    """A PostgreSQL server and its Patroni. `folder` is the disk of its data."""

    name: str
    folder: Path
    place: Place
    programs: Programs
    logs: Path
    patroni: Program | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        prefix = self.place.prefix
        self.patroni = Program(self.name, [*prefix, self.programs.patroni, self.folder / "patroni.yml"], self.logs)

    def kill(self) -> None:
        """Kill all of the node's processes, as when its machine loses power, but for its disk's cache."""
        if self.patroni is not None:
            self.patroni.kill()
            self.kill_postgresql()

    def kill_postgresql(self) -> None:
        """Kill the server's processes; Patroni goes on."""
        with suppress(OSError, ValueError, IndexError):
            postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
            for process in (postmaster, *list_children(postmaster)):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def has_role(self, role: str) -> bool:
        """Ask Patroni's REST API as HAProxy does; False also if it does not answer."""
        host, port = self.place.rest
        with suppress(httpx2.TransportError):
            return httpx2.get(f"http://{host}:{port}/{role}", timeout=2).status_code == 200
        return False

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        host, port = self.place.sql
        return psycopg.connect(
            host=host, port=port, user="postgres", dbname=database, autocommit=True, connect_timeout=5
        )

    def configure(self, scope_settings: Mapping[str, object], subnet: str) -> None:
        """Write Patroni's configuration."""
        place = self.place
        configuration = {
            "scope": _SCOPE,
            "name": self.name,
            "restapi": {"listen": _join(place.listen_rest), "connect_address": _join(place.rest)},
            # A proxy, as else Patroni asks etcd where it is, and goes around what cuts the network.
            "etcd3": {"hosts": [_join(place.etcd)], "use_proxies": True},
            "bootstrap": {
                "dcs": scope_settings,
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
                "pg_hba": [
                    "local all all trust",
                    f"host all all {subnet} trust",
                    f"host replication all {subnet} trust",
                ],
            },
            "postgresql": {
                "listen": _join(place.listen_sql),
                "connect_address": _join(place.sql),
                "data_dir": str(self.data),
                "bin_dir": str(self.programs.server),
                "pgpass": str(self.folder / "pgpass"),
                "use_unix_socket": True,
                "parameters": {"unix_socket_directories": str(self.folder), "logging_collector": "off"},
                "authentication": {
                    "superuser": {"username": "postgres"},
                    "replication": {"username": "replicator"},
                    "rewind": {"username": "rewinder"},
                },
            },
            "watchdog": {"mode": "off"},
        }
        (self.folder / "patroni.yml").write_text(yaml.safe_dump(configuration), "utf-8")


@dataclass
class Cluster:
    """etcd, the nodes, HAProxy and PgBouncer. `sql` is HAProxy's address, `pooled` is PgBouncer's."""

    programs: Programs
    network: Network
    folder: Path
    stack: ExitStack
    nodes: list[Node] = field(default_factory=list)
    sql: Address = ("", 0)
    pooled: Address = ("", 0)
    _pooler: Program | None = None
    _etcd: Program | None = None
    _etcd_command: list[str | Path] = field(default_factory=list)

    def start_etcd(self) -> Address:
        client, peer = free_port(), free_port()
        clients, peers = f"http://{self.network.host}:{client}", f"http://127.0.0.1:{peer}"
        arguments = {
            "data-dir": str(self.folder / "etcd"),
            "listen-client-urls": clients,
            "advertise-client-urls": clients,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
        }
        self._etcd_command = [self.programs.etcd, *(f"--{key}={value}" for key, value in arguments.items())]
        self.stack.callback(self.stop_etcd)
        self.restart_etcd()

        def is_healthy() -> bool:
            with suppress(httpx2.TransportError):
                return bool(httpx2.get(f"{clients}/health", timeout=2).json()["health"] == "true")
            return False

        wait_until(is_healthy, "etcd", START_PATIENCE)
        return self.network.host, client

    def stop_etcd(self) -> None:
        if self._etcd is not None:
            self._etcd.kill()

    def restart_etcd(self) -> None:
        """Start etcd on the data that it has."""
        self._etcd = Program("etcd", self._etcd_command, self.folder)

    def start_nodes(self) -> None:
        """Start the first node, which becomes the primary, then the others, and create the connectors' database."""
        settings = {
            "ttl": TTL,
            "loop_wait": LOOP_WAIT,
            "retry_timeout": RETRY_TIMEOUT,
            "synchronous_mode": True,
            "primary_start_timeout": 0,  # a server that crashed is replaced, not started again first
            "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": _PARAMETERS},
        }
        subnet = f"{self.network.host.rpartition('.')[0]}.0/24"
        for node in self.nodes:
            node.configure(settings, subnet)
            self.stack.callback(node.kill)
            node.start()
            if node is self.nodes[0]:
                wait_until(lambda: self.nodes[0].has_role("primary"), "the first primary", START_PATIENCE)
        self.wait_until_healthy(START_PATIENCE)
        with self.nodes[0].connect() as session:
            session.execute(f"CREATE ROLE {ROLE} LOGIN".encode())
            session.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE} ENCODING 'UTF8' TEMPLATE template0".encode())

    def start_haproxy(self) -> None:
        """Start HAProxy, which asks Patroni every second which node is the primary."""
        self.sql = (self.network.host, free_port())
        servers = "".join(
            f"    server {node.name} {_join(node.place.sql)} check addr {host} port {port}\n"
            for node in self.nodes
            for host, port in (node.place.rest,)
        )
        (self.folder / "haproxy.cfg").write_text(
            "global\n    maxconn 500\n"
            "defaults\n    mode tcp\n    timeout connect 3s\n    timeout check 2s\n    timeout client 30m\n"
            "    timeout server 30m\n"
            f"listen primary\n    bind {_join(self.sql)}\n    option httpchk OPTIONS /primary\n"
            "    http-check expect status 200\n"
            "    default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions\n"
            f"{servers}",
            "utf-8",
        )
        program = Program("haproxy", [self.programs.haproxy, "-db", "-f", self.folder / "haproxy.cfg"], self.folder)
        self.stack.callback(program.kill)

    def start_pooler(self) -> None:
        """Start PgBouncer in transaction mode, before HAProxy."""
        if self._pooler is None:
            self.pooled = (self.network.host, free_port())
            self.stack.callback(self.stop_pooler)
            (self.folder / "users").write_text(f'"{ROLE}" ""\n"postgres" ""\n')
            settings = {
                "listen_addr": self.pooled[0],
                "listen_port": self.pooled[1],
                "unix_socket_dir": "",
                "auth_type": "trust",
                "auth_file": self.folder / "users",
                "pool_mode": "transaction",
                "default_pool_size": POOL_SIZE,
                "query_wait_timeout": 5,
                "server_login_retry": 1,  # PgBouncer's own 15 s would be added to each failover
                "server_connect_timeout": 5,
            }
            lines = [f"* = host={self.sql[0]} port={self.sql[1]}", "[pgbouncer]"]
            lines += [f"{name} = {value}" for name, value in settings.items()]
            (self.folder / "pgbouncer.ini").write_text("\n".join(["[databases]", *lines, ""]), "utf-8")
        command: list[str | Path] = [self.programs.pgbouncer, self.folder / "pgbouncer.ini"]
        self._pooler = Program("pgbouncer", command, self.folder, user="postgres")

    def stop_pooler(self) -> None:
        """End PgBouncer at once; it closes all connections."""
        assert self._pooler is not None
        self._pooler.process.terminate()
        self._pooler.process.wait(60)

    def find_primary(self) -> Node | None:
        return next((node for node in self.nodes if node.has_role("primary")), None)

    @property
    def primary(self) -> Node:
        node = self.find_primary()
        assert node is not None, "no node is the primary"
        return node

    def is_healthy(self) -> bool:
        """Whether there is a primary, both standbys follow it, and its commits wait for one of them."""
        primary = self.find_primary()
        if primary is None:
            return False
        with suppress(psycopg.Error), primary.connect() as session:
            states = session.execute("SELECT state, sync_state FROM pg_stat_replication").fetchall()
            is_synchronous = any(sync == "sync" for _, sync in states)
            return (
                len(states) == len(self.nodes) - 1
                and is_synchronous
                and {state for state, _ in states} == {"streaming"}
            )
        return False

    def wait_until_healthy(self, patience: float = RECOVERY_PATIENCE) -> None:
        wait_until(self.is_healthy, "a primary with two standbys, one of them synchronous", patience)


def _join(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
