"""
Two connectors on one PostgreSQL, many workshops, each with a PlanSo of its own: the connectors are killed in turn while
callers write, and each PlanSo must hear from one process at a time.

As root each connector has a namespace of process ids of its own, as on a machine of its own: neither can see that the
other is dead, so a lease has to expire first.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import httpx2
from cryptography.fernet import Fernet
from pydantic import SecretStr
from rich.table import Table

from planso_connector.domain import clock
from planso_connector.domain.scopes import Scope
from planso_connector.sandbox import Sandboxes
from planso_connector.store.maintenance import migrate
from tests.cluster.isolation import INSIDE
from tests.cluster.report import console, count_doubled, count_lost
from tests.cluster.timeline import summarize
from tests.databases import running_server
from tests.laws import LAWS, Evidence, environment, no_create_happened_twice, wait_until_all_settled
from tests.many_workshops import make_key, register, settings_for_workshops
from tests.process import ConnectorProcess, SandboxProcess, free_port
from tests.service import PATIENCE, wait_for_sync, wait_until
from tests.simulated_users import Caller, plan_writes

ORDERS, TO_DELETE = 6, 1
MAX_WRITES = 120
"""Writes that a caller sends at most."""
PAUSE = 4.0
"""Seconds between two writes of a caller."""
MAX_SILENCE = 20.0
"""Seconds from an accepted write to the next request that its PlanSo gets, whoever was killed."""
AFTER_START = 3.0
"""Seconds for which both connectors run before one of them is killed."""


class PlansoAt(SandboxProcess):
    """The sandbox of one workshop, at its address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.http = httpx2.Client(base_url=address, timeout=PATIENCE, verify=False)


class WorkshopAt(ConnectorProcess):
    """A connector as a caller of one workshop sees it."""

    def __init__(self, connector: ConnectorProcess, key: str) -> None:
        self.process, self.address, self._log = connector.process, connector.address, connector._log  # noqa: SLF001
        self.http = httpx2.Client(
            base_url=connector.address, headers={"X-API-Key": key}, timeout=PATIENCE, verify=False
        )


@dataclass
class TimedWrites(Caller):
    """`accepted`: when each accepted write was answered, as `time.monotonic`."""

    accepted: list[float] = field(default_factory=list)

    def run(self, seed: int, name: str, is_over: threading.Event, orders: Sequence[int], to_delete: int) -> None:
        for write in plan_writes(seed, name, orders, [to_delete], MAX_WRITES):
            sent = self.send(write)
            if sent is not None and sent.status in (200, 202):
                self.accepted.append(time.monotonic())
            if is_over.wait(PAUSE):
                return


@dataclass
class Installation:
    """`kills`: when one was killed; `served_after`: seconds until then newer writes of all workshops were settled."""

    sandboxes: Sandboxes
    planso: str
    settings: dict[str, str]
    keys: dict[str, str]
    folder: Path
    are_machines: bool
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    connectors: list[ConnectorProcess] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    served_after: list[float] = field(default_factory=list)

    def start(self, number: int) -> ConnectorProcess:
        prefix = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc") if self.are_machines else ()
        connector = ConnectorProcess(
            self.settings, self.folder, port=self.ports[number], is_new_interpreter=True, prefix=prefix
        )
        connector.wait_until_alive()
        return connector

    def kill_all(self) -> None:
        for connector in self.connectors:
            connector.kill()

    def has_settled_since(self, name: str, number: int, instant: datetime) -> bool:
        """Whether a workshop's write was accepted since that instant and is settled, as one of the connectors says."""
        address, headers = self.connectors[number].address, {"X-API-Key": self.keys[name]}
        response = httpx2.get(f"{address}/api/operations?limit=20", headers=headers, timeout=PATIENCE)
        return any(
            operation["state"] != "pending" and clock.parse_instant(operation["created_at"]) > instant
            for operation in response.json()["operations"]
        )


@contextmanager
def running_installation(workshops: int) -> Iterator[Installation]:
    """Run PostgreSQL, the sandboxes and both connectors; all mirrors are filled."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pc-", ignore_cleanup_errors=True)))
        server = stack.enter_context(running_server())
        url = server.url(server.create_database())
        sandboxes = Sandboxes(workshops, orders=ORDERS)
        planso = stack.enter_context(sandboxes.serve())
        secret, first = Fernet.generate_key().decode(), sandboxes.names[0]
        account = sandboxes.installation(first)
        settings = environment(planso + sandboxes.path(first), url) | {
            "PLANSO_USER": account.username,
            "PLANSO_PASSWORD": account.password,
            "PLANSO_TIMEOUT": "5",
            "CONNECTOR_WORKSHOP": first,
            "CONNECTOR_SECRETS_KEY": secret,
        }
        migrate.migrate(url)
        given = settings_for_workshops(sandboxes, planso, url, connector_secrets_key=SecretStr(secret))
        register(given, sandboxes, planso, sandboxes.names[1:])
        keys = {name: make_key(url, name, Scope.ADMIN) for name in sandboxes.names}
        are_machines = os.environ.get(INSIDE) == "namespaces"
        installation = Installation(sandboxes, planso, settings, keys, folder, are_machines)
        for number in (0, 1):
            installation.connectors.append(installation.start(number))
        stack.callback(installation.kill_all)
        for name in sandboxes.names:
            wait_for_sync(WorkshopAt(installation.connectors[0], keys[name]).http, 4 * PATIENCE)
        yield installation


def run_leases(seed: int, workshops: int, kills: int) -> list[str]:
    """Kill the connectors in turn, print what happened, and return the laws that do not hold."""
    with running_installation(workshops) as installation:
        where = "machines of their own" if installation.are_machines else "one machine"
        console.print(f"{workshops} workshops, two connectors as on {where}")
        views = {name: PlansoAt(installation.planso + installation.sandboxes.path(name)) for name in installation.keys}
        first = {name: view.orders() for name, view in views.items()}
        callers = {name: [_make_caller(installation, name, number) for number in (0, 1)] for name in installation.keys}
        _kill_in_turn(installation, callers, first, seed, kills)
        return _check_laws(installation, views, callers, first)


def _make_caller(installation: Installation, name: str, number: int) -> TimedWrites:
    caller = TimedWrites(installation.connectors[number].address)
    caller.http.headers["X-API-Key"] = installation.keys[name]
    return caller


def _kill_in_turn(
    installation: Installation,
    callers: dict[str, list[TimedWrites]],
    first: dict[str, dict[int, dict[str, str]]],
    seed: int,
    kills: int,
) -> None:
    is_over = threading.Event()
    threads = []
    for name, pair in callers.items():
        ids = sorted(first[name])
        for number, caller in enumerate(pair):
            arguments = (seed, f"{name}{'ab'[number]}", is_over, ids[2:], ids[number])
            threads.append(threading.Thread(target=caller.run, args=arguments, daemon=True))
    for thread in threads:
        thread.start()
        threading.Event().wait(PAUSE / len(threads))
    try:
        for turn in range(kills):
            _kill_one(installation, turn % 2)
    finally:
        is_over.set()
        for thread in threads:
            thread.join(2 * PATIENCE)


def _kill_one(installation: Installation, number: int) -> None:
    """Kill a connector, wait until the other one has settled a newer write of each workshop, and start it again."""
    threading.Event().wait(AFTER_START)
    killed, instant = time.monotonic(), clock.now()
    installation.kills.append(killed)
    installation.connectors[number].kill()
    installation.connectors[number].http.close()
    for name in installation.keys:
        wait_until(partial(installation.has_settled_since, name, 1 - number, instant), f"a write of {name}", PATIENCE)
    installation.served_after.append(time.monotonic() - killed)
    installation.connectors[number] = installation.start(number)


def _check_laws(
    installation: Installation,
    views: dict[str, PlansoAt],
    callers: dict[str, list[TimedWrites]],
    first: dict[str, dict[int, dict[str, str]]],
) -> list[str]:
    broken, totals, silences = list[str](), Counter[str](), list[float]()
    states, messages = Counter[str](), Counter[str]()
    for name, key in installation.keys.items():
        connector = WorkshopAt(installation.connectors[0], key)
        try:
            wait_until_all_settled(connector)
            evidence = Evidence.collect(views[name], connector, callers[name], first[name], installation.kills)
        except AssertionError as error:
            broken.append(f"{name}: {str(error)[:500]}")
            continue
        has_creates = any(operation["action"] == "create" for operation in evidence.operations)
        for law in LAWS if has_creates else [law for law in LAWS if law is not no_create_happened_twice]:
            try:
                law(evidence)
            except AssertionError as error:
                broken.append(f"{name}: {law.__name__.replace('_', ' ')}: {str(error)[:500]}")
        states.update(operation["state"] for operation in evidence.operations)
        messages.update(
            summarize(operation["message"]) for operation in evidence.operations if operation["state"] != "confirmed"
        )
        accepted = [instant for caller in callers[name] for instant in caller.accepted]
        silences += _measure_silences(evidence, accepted)
        totals += Counter(accepted=len(accepted), lost=count_lost(evidence), doubled=count_doubled(evidence))
    if max(silences, default=0.0) > MAX_SILENCE:
        broken.append(f"a PlanSo heard nothing for {max(silences):.1f} s although a write waited")
    shared = installation.sandboxes.find_shared_use()
    broken += [f"{name}: sessions of two processes at once: {pairs}"[:500] for name, pairs in shared.items()]
    _print(installation, totals, states, silences, len(shared))
    for words, count in messages.most_common():
        console.print(f"{count} x {words}", markup=False)
    for words in broken:
        console.print(f"FAILED {words}", markup=False)
    return broken


def _measure_silences(evidence: Evidence, accepted: Sequence[float]) -> list[float]:
    """Seconds from each acceptance to the next request that PlanSo got."""
    started = sorted(float(request["started"]) for request in evidence.requests)
    return [next((at - instant for at in started if at >= instant), 0.0) for instant in accepted]


def _print(
    installation: Installation, totals: Counter[str], states: Counter[str], silences: Sequence[float], shared: int
) -> None:
    table = Table("result", "")
    table.add_row("kills", str(len(installation.kills)))
    for name in ("accepted", "lost", "doubled"):
        table.add_row(f"writes {name}", str(totals[name]))
    table.add_row("operations", ", ".join(f"{count} x {state}" for state, count in sorted(states.items())))
    table.add_row("PlanSos with sessions of two processes at once", str(shared))
    waits = sorted(installation.served_after)
    table.add_row(
        "from a kill until a newer write of each workshop was settled", f"{waits[0]:.1f} to {waits[-1]:.1f} s"
    )
    table.add_row("from an accepted write to the next request to its PlanSo", f"at most {max(silences):.1f} s")
    logins = [installation.sandboxes[name].logins for name in installation.sandboxes.names]
    table.add_row("logins of a workshop", f"{min(logins)} to {max(logins)}")
    console.print(table)
