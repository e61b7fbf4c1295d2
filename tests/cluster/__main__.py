"""Run a PostgreSQL cluster with two connectors, let it fail in turn while callers write, and check the laws."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import randrange

from tests.cluster.faults import FAULTS, Event, Fault, inject
from tests.cluster.isolation import INSIDE, can_use_namespaces, clean_up_at_sigterm, run_isolated
from tests.cluster.leases import run_leases
from tests.cluster.observers import Observers, Sample, TimedCaller
from tests.cluster.programs import Programs, ProgramsMissing, install
from tests.cluster.report import console, print_events, print_messages, print_totals
from tests.cluster.system import System, running_system
from tests.cluster.timeline import (
    health_answers_in_time,
    messages_are_true,
    readiness_is_true,
    refused_writes_changed_nothing,
    requests_are_answered_again,
)
from tests.laws import LAWS, Evidence, check_repeated_keys, wait_until_all_settled
from tests.simulated_users import HEALTHY, edit_every_field, plan_writes, second_person

CALLERS, TO_DELETE = 4, 4
PAUSE = 0.3
"""Seconds between two writes of a caller."""
CALM = 4.0
"""Seconds before the first fault, and between two."""
CLOCK_JUMP = 2.0
"""Seconds; Patroni compares when a server says that it started with when its process did, within 3 s."""
MAX_WRITES = 3000
"""Writes that a caller sends at most."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--seed", type=int, default=None, help="the same seed draws the same writes")
    parser.add_argument("--faults", default=",".join(names), help=f"some of {','.join(names)}, in any order")
    parser.add_argument("--route", choices=("pooler", "hosts", "mixed"), default="pooler", help="to the database")
    parser.add_argument(
        "--scenario", choices=("failover", "leases"), default="failover", help="leases: kill connectors"
    )
    parser.add_argument("--workshops", type=int, default=20, help="of the scenario leases")
    parser.add_argument("--kills", type=int, default=20, help="of the scenario leases")
    parser.add_argument("--install", action="store_true", help="install what is missing with apt-get, as root")
    parser.add_argument("--plain", action="store_true", help="without namespaces, as where root is not to be had")
    options = parser.parse_args(arguments)
    unknown = set(options.faults.split(",")) - set(names)
    if unknown:
        parser.error(f"--faults: {', '.join(sorted(unknown))}: accepted: {', '.join(names)}")
    try:
        if options.install:
            install()
        programs = Programs.find() if options.scenario == "failover" else None
    except ProgramsMissing as error:
        console.print(f"[red]Nothing was tried.[/] {error}")
        return 2
    if INSIDE not in os.environ:
        return _start(arguments, is_plain=options.plain)
    clean_up_at_sigterm()
    seed = randrange(1_000_000) if options.seed is None else options.seed
    offset = time.time() - time.monotonic()
    if programs is None:
        console.print(f"seed {seed}")
        broken = run_leases(seed, options.workshops, options.kills)
    else:
        faults = [fault for name in options.faults.split(",") for fault in FAULTS if fault.name == name]
        console.print(f"seed {seed}; faults: {options.faults}; route: {options.route}")
        broken = run(programs, options.route, seed, faults)
    jumped = time.time() - time.monotonic() - offset
    if abs(jumped) > CLOCK_JUMP:
        console.print(f"This machine's clock jumped by {jumped:.0f} s: Patroni takes running servers for others then.")
    console.print(f"[red]{len(broken)} laws do not hold; seed {seed}[/]" if broken else "every law holds")
    return 1 if broken else 0


def _start(arguments: Sequence[str], *, is_plain: bool) -> int:
    """Run this command again, isolated."""
    use_namespaces = not is_plain and can_use_namespaces()
    if not use_namespaces:
        console.print("Without namespaces, which need root: proxies cut the network, and no disk is filled.")
    return run_isolated([sys.executable, "-m", "tests.cluster", *arguments], use_namespaces=use_namespaces)


def run(programs: Programs, route: str, seed: int, faults: Sequence[Fault]) -> list[str]:
    """Run the scenario, print what happened, and return the laws that do not hold."""
    with running_system(programs, route) as system:  # type: ignore[arg-type]
        console.print("the cluster runs, both connectors are ready")
        first = system.planso.orders()
        edit_every_field(system.planso, system.connectors[0], max(first))
        callers = [
            TimedCaller(system.connectors[number % 2].address, connector=number % 2) for number in range(CALLERS)
        ]
        observers = Observers([connector.address for connector in system.connectors], sorted(first), seed)
        events, failures = _inject_all(system, callers, faults, seed)
        threading.Event().wait(CALM)
        samples = observers.end() + [sample for caller in callers for sample in caller.samples]
        samples.sort(key=lambda sample: sample.began)
        broken, evidence = _check_laws(system, callers, first, events, failures, samples)
        print_events(events, samples)
        print_messages(samples)
        print_totals(samples, evidence)
        if broken:
            console.print(f"logs: {_keep_logs(system.folder)}")
        for caller in callers:
            caller.http.close()
        return broken


def _inject_all(
    system: System, callers: Sequence[TimedCaller], faults: Sequence[Fault], seed: int
) -> tuple[list[Event], list[str]]:
    """Inject the faults in turn while callers write. Return their times, and what the cluster itself failed at."""
    ids = sorted(system.planso.orders())
    to_delete, orders = ids[:TO_DELETE], ids[TO_DELETE:]
    events, failures, is_over = list[Event](), list[str](), threading.Event()
    system.planso.set_knobs(**HEALTHY)

    def write(number: int) -> None:
        mine = to_delete[number :: len(callers)]
        for planned in plan_writes(seed, "abcdefgh"[number], orders, mine, MAX_WRITES):
            if is_over.is_set():
                return
            callers[number].send(planned)
            is_over.wait(PAUSE)

    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(callers)))
        stack.enter_context(second_person(system.planso, seed, ids))
        writing = [pool.submit(write, number) for number in range(len(callers))]
        try:
            for fault in faults:
                threading.Event().wait(CALM)
                if fault.needs_disks and not system.has_disks:
                    console.print(f"left out: {fault.title}: needs root and namespaces, for a small disk of its own")
                    continue
                console.print(f"{fault.title} ...")
                try:
                    events.append(inject(system, fault))
                except AssertionError as error:
                    failures.append(f"{fault.title}: {error}")
                    break
        finally:
            is_over.set()
        for future in writing:
            future.result()
    return events, failures


def _check_laws(
    system: System,
    callers: Sequence[TimedCaller],
    first: dict[int, dict[str, str]],
    events: Sequence[Event],
    failures: Sequence[str],
    samples: Sequence[Sample],
) -> tuple[list[str], Evidence | None]:
    connector = system.connectors[0]
    broken = _check({"the cluster recovers": lambda: _check_empty(failures)})
    broken += _check(
        {
            "requests are answered again in time": partial(requests_are_answered_again, samples, events),
            "health answers in time": partial(health_answers_in_time, samples),
            "readiness is true": partial(readiness_is_true, samples),
            "messages are true": partial(messages_are_true, samples),
            "every accepted write is settled": partial(wait_until_all_settled, connector),
        }
    )
    if "every accepted write is settled" in broken:
        return broken, None
    evidence = Evidence.collect(system.planso, connector, callers, first, [])
    laws = (*LAWS, refused_writes_changed_nothing)
    broken += _check({law.__name__.replace("_", " "): partial(law, evidence) for law in laws})
    broken += _check(
        {"a repeated key saves nothing": lambda: check_repeated_keys(callers[-1], system.planso, evidence)}
    )
    return broken, evidence


def _check(checks: dict[str, Callable[[], None]]) -> list[str]:
    """Do the checks, print those that fail, and return their names."""
    failed = []
    for name, check in checks.items():
        try:
            check()
        except AssertionError as error:
            failed.append(name)
            console.print(f"[red]FAILED[/] {name}: {str(error)[:2000]}", markup=False)
    return failed


def _check_empty(problems: Sequence[str]) -> None:
    assert not problems, "; ".join(problems)


def _keep_logs(folder: Path) -> Path:
    """Copy all logs to a folder that stays, and return it."""
    kept = Path(tempfile.mkdtemp(prefix="planso-connector-cluster-"))
    for log in (*folder.glob("*.log"), *folder.glob("*.txt"), *folder.glob("*.cfg"), *folder.glob("*.ini")):
        shutil.copy(log, kept)
    return kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
