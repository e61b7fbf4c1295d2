"""Run a storm: draw faults from a seed, let them happen while callers write and read, and check the laws."""

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
from pathlib import Path
from random import Random, randrange
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.laws import LATE, LAWS, Record, all_settled, became, operations
from tests.simulated_users import WELL, Caller, introduce, plan, second_person, weather
from tests.storm.faults import FAULTS
from tests.storm.scene import Kind, Scene, scene
from tests.storm.watchers import Seen, Watchers

CALLERS, PAUSE, DOOMED = 4, 0.3, 4
BETWEEN = (0.5, 3.0)
"""Seconds between two faults."""
MEMORY = 200.0
"""Resident megabytes that no process of the connector may exceed."""
RECOVERED_WITHIN = 60.0
out = Console(highlight=False)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the same seed draws the same faults")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the storm lasts, for each database")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "pgbouncer", "all"), default="all")
    given = parser.parse_args(arguments)
    seed = randrange(1_000_000) if given.seed is None else given.seed
    kinds: tuple[Kind, ...] = ("sqlite", "postgresql", "pgbouncer") if given.database == "all" else (given.database,)
    out.print(f"seed {seed}, {given.seconds:g} s on each of {', '.join(kinds)}")
    broken = [law for kind in kinds for law in storm(kind, seed, given.seconds)]
    out.print(f"[red]{len(broken)} laws were broken; seed {seed}[/]" if broken else "every law held")
    return 1 if broken else 0


def storm(kind: Kind, seed: int, seconds: float) -> list[str]:
    """The laws that were broken."""
    with tempfile.TemporaryDirectory(prefix="storm-") as folder, scene(kind, Path(folder), seed) as found:
        first = found.planso.orders()
        introduce(found.planso, found.connector, max(first))
        callers = [Caller(found.connector.address) for _ in range(CALLERS)]
        watchers = Watchers(found, seed)
        tried, failed = _happen(found, callers, seed, seconds)
        seen = watchers.end()
        checks: dict[str, Callable[[], None]] = {
            "no fault found the connector unable to do what it promises": lambda: _none(failed),
            "every answer was the documented one": lambda: _none(seen.faults),
            "it is ready again without hands": lambda: _recovers(found),
        }
        broken = _hold(checks)
        record = _record(found, callers, first) if not broken else None
        if record is not None:
            broken += _hold({_words(law): lambda law=law: law(record) for law in LAWS})  # type: ignore[misc]
        broken += _hold({"every worker is alive": lambda: _workers_live(found)})
        found.note_peak()
        broken += _hold({f"memory stays under {MEMORY:g} MB": lambda: _bounded(found.peaks)})
        for caller in callers:
            caller.http.close()
        _print(kind, tried, seen, found, callers, record)
        return broken


def _happen(found: Scene, callers: list[Caller], seed: int, seconds: float) -> tuple[Counter[str], list[str]]:
    """How often each fault happened, and what failed in one."""
    ids = sorted(found.planso.orders())
    doomed, orders = ids[:DOOMED], ids[DOOMED:]
    dice, tried, failed = Random(f"{seed} faults"), Counter[str](), list[str]()
    possible = [fault for fault in FAULTS if found.kind in fault.databases]
    count = max(8, int(seconds / PAUSE))
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(callers)))
        stack.enter_context(second_person(found.planso, seed, ids))
        at_work = [
            pool.submit(caller.carry_out, plan(seed, "abcdefgh"[at], orders, doomed[at :: len(callers)], count), PAUSE)
            for at, caller in enumerate(callers)
        ]
        until = time.monotonic() + seconds
        waiting: list[Any] = []
        with weather(found.planso, seed, LATE):
            while time.monotonic() < until:
                if not waiting:
                    waiting = dice.sample(possible, len(possible))
                fault = waiting.pop()
                tried[fault.name] += 1
                try:
                    fault.do(found, dice)
                except AssertionError as error:
                    failed.append(f"{fault.name}: {error}")
                threading.Event().wait(dice.uniform(*BETWEEN))
        for one in at_work:
            one.result()
    found.planso.set_knobs(**WELL)
    return tried, failed


def _record(found: Scene, callers: list[Caller], first: dict[int, dict[str, str]]) -> Record:
    all_settled(found.connector)
    return Record(
        first,
        found.planso.orders(),
        found.planso.changes(),
        found.planso.requests(),
        operations(found.connector),
        [answer for caller in callers for answer in caller.answers],
        found.kills,
        {order: became(found.connector, order) for order in first},
    )


def _hold(laws: dict[str, Callable[[], None]]) -> list[str]:
    broken = []
    for words, check in laws.items():
        try:
            check()
        except AssertionError as error:
            broken.append(words)
            out.print(f"[red]BROKEN[/] {words}: {str(error)[:2000]}", markup=True, soft_wrap=True)
    return broken


def _words(law: Callable[..., None]) -> str:
    return law.__name__.replace("_", " ")


def _none(faults: list[str]) -> None:
    assert not faults, f"{len(faults)}: " + "; ".join(faults[:5])


def _recovers(found: Scene) -> None:
    until = time.monotonic() + RECOVERED_WITHIN
    while True:
        answer = found.connector.http.get("/health/ready")
        if answer.status_code == 200:
            return
        assert time.monotonic() < until, answer.text
        threading.Event().wait(0.2)


def _workers_live(found: Scene) -> None:
    checks = found.connector.http.get("/health/ready").json()["checks"]
    assert all(check["ok"] for check in checks if check["name"] == "workers"), checks
    before = found.connector.http.get("/api/sync/status").json()["last_result"]
    until = time.monotonic() + RECOVERED_WITHIN
    while found.connector.http.get("/api/sync/status").json()["last_result"] == before:
        assert time.monotonic() < until, f"no scheduled sync since {before}"
        threading.Event().wait(0.2)


def _bounded(peaks: list[float]) -> None:
    assert max(peaks) < MEMORY, f"{max(peaks):.0f} MB"


def _print(
    kind: Kind, tried: Counter[str], seen: Seen, found: Scene, callers: list[Caller], record: Record | None
) -> None:
    table = Table("tried", "times", title=kind)
    for name, count in sorted(tried.items()):
        table.add_row(name, str(count))
    out.print(table)
    table = Table("seen", "")
    states = Counter(operation["state"] for operation in record.operations) if record is not None else Counter[str]()
    answers = Counter(answer.status for caller in callers for answer in caller.answers)
    table.add_row("writes answered", ", ".join(f"{count} x {status}" for status, count in sorted(answers.items())))
    table.add_row("operations", ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    table.add_row("other answers", ", ".join(f"{count} x {what}" for what, count in sorted(seen.statuses.items())))
    table.add_row("processes of the connector, most memory", f"{len(found.peaks)}, {max(found.peaks):.0f} MB")
    table.add_row("longest answer of /health/live", f"{seen.longest_live * 1000:.0f} ms")
    table.add_row("longest answer of /health/ready", f"{seen.longest_ready:.1f} s")
    table.add_row("longest answer of a read", f"{seen.longest_read:.1f} s")
    out.print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
