"""
Where the nodes of a cluster are, and how one is cut off from all others.

As root each node is a network namespace with a cable to a bridge; cut off, its port of the bridge forwards nothing in
either direction, and no end is told. Otherwise all nodes are ports of 127.0.0.1, and proxies stand before each of them
and between it and etcd; cut off, the proxies delay all data.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.cluster.isolation import die_with_parent
from tests.network_faults import Firewall
from tests.process import free_port
from tests.service import wait_until

Address = tuple[str, int]
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=keep")
"""PostgreSQL does not run as root. A change of user would clear the signal of `die_with_parent`."""
_SUBNET = "10.77.0"
"""Addresses inside of the namespaces; nothing outside has or sees them."""
_BRIDGE, _BRIDGE_MAC = "cluster", "02:00:00:00:00:01"


@dataclass
class Place:
    """
    Where a node is. `sql`, `rest`: its addresses for others; `listen_sql`, `listen_rest`: for itself; `etcd`: etcd's
    address for this node. `prefix`: the command that runs a command there.
    """

    sql: Address
    rest: Address
    listen_sql: Address
    listen_rest: Address
    etcd: Address
    prefix: tuple[str, ...]


class Network(Protocol):
    host: str
    """Address of everything that is no node: etcd, HAProxy, PgBouncer, for nodes and for themselves."""

    def add_place(self, number: int, etcd: Address) -> Place: ...

    def cut(self, place: Place) -> None: ...

    def rejoin(self, place: Place) -> None: ...


class NamespaceNetwork:
    """To be used inside of `run_isolated`'s network namespace."""

    host = f"{_SUBNET}.1"

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        _ip(f"link add {_BRIDGE} address {_BRIDGE_MAC} type bridge forward_delay 0 mcast_snooping 0")
        _ip(f"address add {self.host}/24 dev {_BRIDGE}; link set {_BRIDGE} up")

    def add_place(self, number: int, etcd: Address) -> Place:
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=die_with_parent)
        self._stack.callback(holder.wait)
        self._stack.callback(holder.kill)
        address, mac = f"{_SUBNET}.{10 + number}", f"02:00:00:00:00:{10 + number:02x}"
        _wait_for_namespace(holder.pid)
        inside = ("nsenter", f"--net=/proc/{holder.pid}/ns/net")
        _ip(f"link add {_port(address)} type veth peer name eth0 address {mac} netns {holder.pid}")
        _ip(f"link set {_port(address)} master {_BRIDGE} up")
        _ip(f"link set lo up; address add {address}/24 dev eth0; link set eth0 up", inside)
        # Without fixed neighbours a cut node is "no route to host" after 3 s, as an unplugged cable is; a firewall, or
        # a cable beyond the next router, is silence.
        _ip(f"neighbour replace {self.host} lladdr {_BRIDGE_MAC} dev eth0 nud permanent", inside)
        _ip(f"neighbour replace {address} lladdr {mac} dev {_BRIDGE} nud permanent")
        sql, rest = (address, 5432), (address, 8008)
        return Place(sql, rest, sql, rest, etcd, (*inside, *AS_POSTGRES))

    def cut(self, place: Place) -> None:
        self._set_state(place, "disabled")

    def rejoin(self, place: Place) -> None:
        self._set_state(place, "forwarding")

    @staticmethod
    def _set_state(place: Place, state: str) -> None:
        subprocess.run(["bridge", "link", "set", "dev", _port(place.sql[0]), "state", state], check=True)


@dataclass
class ProxyNetwork:
    stack: ExitStack
    host: str = "127.0.0.1"
    _walls: dict[Address, list[Firewall]] = field(default_factory=dict)
    _cuts: dict[Address, ExitStack] = field(default_factory=dict)

    def add_place(self, number: int, etcd: Address) -> Place:
        del number
        listen_sql, listen_rest = (self.host, free_port()), (self.host, free_port())
        walls = [Firewall(upstream) for upstream in (listen_sql, listen_rest, etcd)]
        for wall in walls:
            self.stack.callback(wall.end)
        sql, rest, to_etcd = ((self.host, wall.port) for wall in walls)
        self._walls[sql] = walls
        prefix = AS_POSTGRES if os.geteuid() == 0 else ()
        return Place(sql, rest, listen_sql, listen_rest, to_etcd, prefix)

    def cut(self, place: Place) -> None:
        self._cuts[place.sql] = cuts = ExitStack()
        for wall in self._walls[place.sql]:
            cuts.enter_context(wall.closed())

    def rejoin(self, place: Place) -> None:
        self._cuts.pop(place.sql).close()


def _port(address: str) -> str:
    """Return the name of a node's port of the bridge."""
    return f"node{address.rpartition('.')[2]}"


def _ip(commands: str, prefix: tuple[str, ...] = ()) -> None:
    for command in commands.split("; "):
        subprocess.run([*prefix, "ip", *command.split()], check=True)


def _wait_for_namespace(pid: int) -> None:
    """Wait until the process has left this one's network namespace."""
    own = Path("/proc/self/ns/net").readlink()
    wait_until(lambda: Path(f"/proc/{pid}/ns/net").readlink() != own, "a network namespace")
