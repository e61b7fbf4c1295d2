"""All of a cluster's scenario: the database cluster, two connectors on it, and the sandbox as their PlanSo."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.cluster.isolation import INSIDE, find_mount_point, mount_in_memory
from tests.cluster.network import NamespaceNetwork, ProxyNetwork
from tests.cluster.processes import DATABASE, ROLE, Cluster, Node
from tests.cluster.programs import Programs
from tests.laws import LAST, environment
from tests.process import ConnectorProcess, SandboxProcess, connector_process, sandbox_process

Route = Literal["pooler", "hosts", "mixed"]
NODES, ORDERS = 3, 24
DISK_MEGABYTES = 400
"""Size of a node's disk."""


@dataclass
class System:
    """`has_disks`: whether each node has a small disk of its own, which can be filled."""

    cluster: Cluster
    planso: SandboxProcess
    connectors: list[ConnectorProcess]
    folder: Path
    has_disks: bool


@contextmanager
def running_system(programs: Programs, route: Route) -> Iterator[System]:
    """
    Run everything; the connectors' mirror is filled. `route`: the connectors reach the database through PgBouncer and
    HAProxy, by a URL that names every host, or the first this way and the second that way.
    """
    with ExitStack() as stack:
        has_namespaces = os.environ[INSIDE] == "namespaces"
        if has_namespaces:
            folder = find_mount_point()
            mount_in_memory(folder, megabytes=4096)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pc-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)
        network = NamespaceNetwork(stack) if has_namespaces else ProxyNetwork(stack)
        cluster = Cluster(programs, network, folder, stack)
        etcd = cluster.start_etcd()
        for number in range(1, NODES + 1):
            disk = folder / f"node{number}"
            _make_disk(disk, is_mounted=has_namespaces)
            cluster.nodes.append(Node(disk.name, disk, network.add_place(number, etcd), programs, folder))
        cluster.start_nodes()
        cluster.start_haproxy()
        cluster.start_pooler()
        planso = stack.enter_context(sandbox_process(folder, orders=ORDERS))
        planso.set_knobs(saves_within=LAST)
        connectors = [
            stack.enter_context(connector_process(_settings(planso, url), folder)) for url in _urls(cluster, route)
        ]
        for connector in connectors:
            connector.wait_for_sync()
        yield System(cluster, planso, connectors, folder, has_disks=has_namespaces)


def _make_disk(folder: Path, *, is_mounted: bool) -> None:
    folder.mkdir()
    if is_mounted:
        mount_in_memory(folder, megabytes=DISK_MEGABYTES)
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)


def _urls(cluster: Cluster, route: Route) -> list[str]:
    pooled = f"postgresql://{ROLE}@{cluster.pooled[0]}:{cluster.pooled[1]}/{DATABASE}"
    hosts = ",".join(f"{node.place.sql[0]}:{node.place.sql[1]}" for node in cluster.nodes)
    direct = f"postgresql://{ROLE}@{hosts}/{DATABASE}"
    return {"pooler": [pooled, pooled], "hosts": [direct, direct], "mixed": [pooled, direct]}[route]


def _settings(planso: SandboxProcess, url: str) -> dict[str, str]:
    return {**environment(planso.address, url), "CONNECTOR_SYNC_INTERVAL": "60", "CONNECTOR_SYNC_HOURS": "00:00-24:00"}
