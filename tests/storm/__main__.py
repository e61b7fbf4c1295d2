"""Run a storm: inject faults drawn from a seed while clients write and read, then check the laws."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random, randrange

from rich.console import Console
from rich.table import Table

from tests.laws import LATE, LAWS, Evidence, wait_until_all_settled
from tests.service import wait_until
from tests.simulated_users import HEALTHY, Caller, edit_every_field, plan_writes, planso_faults, second_person
from tests.storm.clients import Clients, Findings
from tests.storm.faults import FAULTS, Fault
from tests.storm.system import DatabaseKind, System, running_system

CALLERS, TO_DELETE = 4, 4
PAUSE = 0.3
"""Seconds between two writes of a caller."""
BETWEEN_FAULTS = (0.5, 3.0)
"""Seconds."""
MEMORY_LIMIT = 200.0
"""Maximum resident memory of a process of the connector, in MB."""
RECOVERY_TIME = 60.0
"""Seconds after the storm in which the connector has to be ready, and each worker to do its work."""
console = Console(highlight=False)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the same seed draws the same faults and writes")
    parser.add_argument("--seconds", type=float, default=60.0, help="duration of the storm on each database")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "pgbouncer", "all"), default="all")
    options = parser.parse_args(arguments)
    seed = randrange(1_000_000) if options.seed is None else options.seed
    every: tuple[DatabaseKind, ...] = ("sqlite", "postgresql", "pgbouncer")
    databases = every if options.database == "all" else (options.database,)
    console.print(f"seed {seed}, {options.seconds:g} s on each of: {', '.join(databases)}")
    broken = [law for database in databases for law in run_storm(database, seed, options.seconds)]
    console.print(f"[red]{len(broken)} laws do not hold; seed {seed}[/]" if broken else "every law holds")
    return 1 if broken else 0


def run_storm(database: DatabaseKind, seed: int, seconds: float) -> list[str]:
    """Run a storm, print what happened, and return the laws that do not hold."""
    with tempfile.TemporaryDirectory(prefix="storm-") as folder, running_system(database, Path(folder), seed) as system:
        first = system.planso.orders()
        edit_every_field(system.planso, system.connector, max(first))
        callers = [Caller(system.connector.address) for _ in range(CALLERS)]
        clients = Clients(system, seed)
        counts, failures = _inject_faults(system, callers, seed, seconds)
        findings = clients.end()
        checks: dict[str, Callable[[], None]] = {
            "the connector keeps its promises during each fault": lambda: _check_empty(failures),
            "every response is a documented one": lambda: _check_empty(findings.problems),
            "the connector is ready again without help": lambda: _check_ready(system),
        }
        broken = _check(checks)
        evidence = None
        if not broken:
            wait_until_all_settled(system.connector)
            evidence = Evidence.collect(system.planso, system.connector, callers, first, system.kills)
            broken += _check({law.__name__.replace("_", " "): partial(law, evidence) for law in LAWS})
        broken += _check({"every worker does its work": lambda: _check_workers(system)})
        system.note_peak()
        broken += _check({f"memory stays below {MEMORY_LIMIT:g} MB": lambda: _check_memory(system.peaks)})
        for caller in callers:
            caller.http.close()
        _print_report(system, counts, findings, callers, evidence)
        return broken


def _inject_faults(system: System, callers: list[Caller], seed: int, seconds: float) -> tuple[Counter[str], list[str]]:
    """Inject faults while callers write. Return how often each fault happened, and the failures during faults."""
    ids = sorted(system.planso.orders())
    to_delete, orders = ids[:TO_DELETE], ids[TO_DELETE:]
    dice, counts, failures = Random(f"{seed} faults"), Counter[str](), list[str]()
    possible = [fault for fault in FAULTS if system.database in fault.databases]
    count = max(8, int(seconds / PAUSE))
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(callers)))
        stack.enter_context(second_person(system.planso, seed, ids))
        sending = [
            pool.submit(
                caller.send_all,
                plan_writes(seed, "abcdefgh"[number], orders, to_delete[number :: len(callers)], count),
                PAUSE,
            )
            for number, caller in enumerate(callers)
        ]
        end = time.monotonic() + seconds
        remaining: list[Fault] = []
        with planso_faults(system.planso, seed, LATE):
            while time.monotonic() < end:
                if not remaining:
                    remaining = dice.sample(possible, len(possible))
                fault = remaining.pop()
                counts[fault.name] += 1
                try:
                    fault.do(system, dice)
                except AssertionError as error:
                    failures.append(f"{fault.name}: {error}")
                threading.Event().wait(dice.uniform(*BETWEEN_FAULTS))
        for future in sending:
            future.result()
    system.planso.set_knobs(**HEALTHY)
    return counts, failures


def _check(checks: dict[str, Callable[[], None]]) -> list[str]:
    """Do the checks, print those that fail, and return their names."""
    failed = []
    for name, check in checks.items():
        try:
            check()
        except AssertionError as error:
            failed.append(name)
            console.print(f"[red]FAILED[/] {name}: {str(error)[:2000]}", markup=True, soft_wrap=True)
    return failed


def _check_empty(problems: list[str]) -> None:
    assert not problems, f"{len(problems)}: " + "; ".join(problems[:5])


def _check_ready(system: System) -> None:
    http = system.connector.http
    wait_until(lambda: http.get("/health/ready").status_code == 200, "readiness", RECOVERY_TIME)


def _check_workers(system: System) -> None:
    http = system.connector.http
    checks = http.get("/health/ready").json()["checks"]
    assert all(check["ok"] for check in checks if check["name"] == "workers"), checks
    last = http.get("/api/sync/status").json()["last_result"]
    wait_until(
        lambda: http.get("/api/sync/status").json()["last_result"] != last,
        f"a scheduled sync after {last}",
        RECOVERY_TIME,
    )


def _check_memory(peaks: list[float]) -> None:
    assert max(peaks) < MEMORY_LIMIT, f"{max(peaks):.0f} MB"


def _print_report(
    system: System, counts: Counter[str], findings: Findings, callers: list[Caller], evidence: Evidence | None
) -> None:
    table = Table("fault", "times", title=system.database)
    for name, count in sorted(counts.items()):
        table.add_row(name, str(count))
    console.print(table)
    table = Table("result", "")
    states = Counter(operation["state"] for operation in evidence.operations) if evidence is not None else Counter()
    writes = Counter(str(sent.status) for caller in callers for sent in caller.sent)
    for title, tally in (
        ("responses to writes", writes),
        ("operations", states),
        ("other responses", findings.statuses),
    ):
        table.add_row(title, ", ".join(f"{count} x {name}" for name, count in sorted(tally.items())))
    table.add_row("processes of the connector", str(len(system.peaks)))
    table.add_row("maximum memory of a process", f"{max(system.peaks):.0f} MB")
    table.add_row("slowest response of /health/live", f"{findings.longest_live * 1000:.0f} ms")
    table.add_row("slowest response of /health/ready", f"{findings.longest_ready:.1f} s")
    table.add_row("slowest response of a read", f"{findings.longest_read:.1f} s")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
