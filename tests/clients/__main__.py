"""
Let real MCP clients, each in an environment of its own, use the tools: against one connector, and against two behind a
round-robin proxy, which share a PostgreSQL database.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from planso_connector.agents.toolbox import TOOLS
from tests.clients.balancer import balancer, find_nginx, install_nginx
from tests.clients.driven import CLIENTS, DrivenClient, driven_client
from tests.command_line import command
from tests.databases import running_server
from tests.laws import environment
from tests.process import ConnectorProcess, SandboxProcess, connector_process, sandbox_process
from tests.service import wait_until

ORDERS = 40
MAX_SECONDS = 3.5
"""Within which a client has an answer: a tool's 3 s, and the client's own work on a busy machine."""
SAVE_SECONDS = 4.5
"""How long a slow save takes PlanSo; a tool waits less."""
Order = dict[str, Any]
"""As in `GET /api/orders`."""
ONE, TWO = "one connector", "two connectors"
console = Console(highlight=False)


@dataclass(frozen=True)
class System:
    """`addresses`: of one connector and of the proxy before both, by `ONE` and `TWO`."""

    folder: Path
    planso: SandboxProcess
    connectors: tuple[ConnectorProcess, ConnectorProcess]
    addresses: dict[str, str]
    key: str
    orders: Iterator[Order]
    """Those that are found by their plate alone, each of them once."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make test-clients", description=__doc__)
    parser.add_argument("--only", default=",".join(CLIENTS), help=f"some of {','.join(CLIENTS)}")
    parser.add_argument("--install", action="store_true", help="install nginx with apt-get, as root, if it is missing")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    if unknown := set(names) - CLIENTS.keys():
        parser.error(f"--only: {', '.join(sorted(unknown))}: accepted: {', '.join(CLIENTS)}")
    if options.install:
        install_nginx()
    proxy = "nginx" if find_nginx() is not None else "a proxy of the tests, since there is no nginx"
    console.print(f"Two connectors share a database, behind {proxy}.")
    with running_system() as system:
        failures = [failure for place in (ONE, TWO) for name in names for failure in try_client(system, name, place)]
        failures += check_both_answered(system)
    for failure in failures:
        console.print(f"[red]FAILED[/] {failure}", soft_wrap=True)
    console.print(f"{len(failures)} checks failed" if failures else "every check passed")
    return 1 if failures else 0


@contextmanager
def running_system() -> Iterator[System]:
    with (
        tempfile.TemporaryDirectory(prefix="clients-") as temporary,
        running_server() as server,
        sandbox_process(Path(temporary), orders=ORDERS) as planso,
    ):
        folder = Path(temporary)
        settings = environment(planso.address, server.url(server.create_database()))
        with connector_process(settings, folder) as first, connector_process(settings, folder) as second:
            first.wait_for_sync()
            scopes = ("--scope", "orders:read", "--scope", "orders:write")
            key = command(folder, "keys", "create", "clients", *scopes, **settings).stdout.strip()
            for connector in (first, second):
                connector.http.headers["X-API-Key"] = key
            with balancer(folder, [first.address, second.address]) as proxied:
                orders = iter(list_orders(first))
                yield System(folder, planso, (first, second), {ONE: first.address, TWO: proxied}, key, orders)


def list_orders(connector: ConnectorProcess) -> list[Order]:
    def is_found(order: Order) -> bool:
        heard = {"plate": order["plate"]}
        return "order_id" in connector.http.post("/tools/find_order", json=heard).json()

    orders = connector.http.get("/api/orders", params={"limit": ORDERS}).json()["orders"]
    return [order for order in orders if order["plate"] and order["person"] and is_found(order)]


def try_client(system: System, name: str, place: str) -> list[str]:
    """Print how each check went, and return those that failed."""
    failures, outcomes = [], []
    headers = {"Authorization": f"Bearer {system.key}", "X-Call-Id": f"{name}-{place}"}
    try:
        with driven_client(name, system.addresses[place], headers, system.folder) as client:
            order = next(system.orders)
            for check in CHECKS:
                try:
                    outcomes.append(check(system, client, order))
                except AssertionError as error:
                    outcomes.append("[red]failed[/]")
                    failures.append(f"{name}, {place}: {check.__doc__} {error}")
    except AssertionError as error:
        failures.append(f"{name}, {place}: {error}")
    console.print(f"{name:14} {place:15} {', '.join(outcomes)}", soft_wrap=True)
    return failures


def lists(_: System, client: DrivenClient, __: Order) -> str:
    """Lists the tools."""
    found = client.list_tools()
    assert found == list(TOOLS), found
    return f"lists {len(found)}"


def calls(_: System, client: DrivenClient, order: Order) -> str:
    """Finds an order by its plate; the model gets the sentence and the order."""
    answer = client.call("find_order", {"plate": order["plate"]})
    assert not answer.has_failed, answer.text
    assert answer.document.get("order_id") == order["id"], answer.text
    return f"calls in {answer.seconds * 1000:.0f} ms"


def meets_errors(_: System, client: DrivenClient, __: Order) -> str:
    """What is not found is an answer; arguments that can't be taken are an error whose text the model gets."""
    nobody = client.call("find_order", {"plate": "ZZ-XY 9999"})
    assert (nobody.has_failed, nobody.document.get("reason")) == (False, "not_found"), nobody.text
    wrong = client.call("find_order", {"plate": ["WN"]})
    assert wrong.document.get("reason") == "invalid", wrong.text
    assert wrong.document.get("problems"), wrong.text
    return "meets errors"


def writes_slowly(system: System, client: DrivenClient, order: Order) -> str:
    """Has a write noted for which PlanSo takes too long; again it is the same write; later it is confirmed, once."""
    text = f"Schlüssel liegt im Kasten {order['id']}."
    arguments = {"plate": order["plate"], "name": order["person"], "text": text}
    system.planso.set_knobs(save_latency=SAVE_SECONDS)
    try:
        noted, again = (client.call("add_remark", arguments) for _ in range(2))
    finally:
        system.planso.set_knobs(save_latency=0)
    for answer in (noted, again):
        assert (answer.has_failed, answer.document.get("state")) == (False, "pending"), answer.text
        assert answer.seconds < MAX_SECONDS, answer.seconds
    operation = {"operation_id": noted.document["operation_id"]}
    assert again.document["operation_id"] == operation["operation_id"], again.text
    wait_until(
        lambda: client.call("check_request", operation).document.get("state") == "confirmed", "PlanSo to confirm it"
    )
    times = [change for change in system.planso.changes() if text in str(change)]
    assert len(times) == 1, times
    return f"has a slow write noted in {noted.seconds:.1f} s, and confirmed"


CHECKS: tuple[Callable[[System, DrivenClient, Order], str], ...] = (lists, calls, meets_errors, writes_slowly)


def check_both_answered(system: System) -> list[str]:
    """Both connectors had requests: the clients need no session."""
    counts = [connector.log().count('"route": "/mcp"') for connector in system.connectors]
    console.print(f"requests to /mcp: {counts[0]} and {counts[1]}")
    return [] if all(counts) else [f"one connector had no request to /mcp: {counts}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
