"""
The outbox when everything fails at once: the connector is killed again and again and PlanSo is faulty, while callers
write and a second person edits in PlanSo. The laws, and the one loss that can't be prevented, are in `tests/laws.py`.
Nothing here depends on how fast the machine is.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random

from tests.laws import (
    BY_WORKSHOP,
    LAST,
    LATE,
    LAWS,
    Evidence,
    check_repeated_keys,
    environment,
    list_operations,
    wait_until_all_settled,
)
from tests.process import ConnectorProcess, connector_process, free_port, sandbox_process
from tests.simulated_users import HEALTHY, Caller, edit_every_field, plan_writes, planso_faults, second_person

SEED = 20261123
CALLERS, WRITES, KILLS, TO_DELETE = 5, 30, 4, 4
PAUSE = 0.2
"""Seconds between two writes of a caller, so that every fault of PlanSo, 0.2 to 0.5 s long, meets some writes."""


def check_faults_happened(evidence: Evidence) -> None:
    """Check that the faults met writes, or the laws would hold trivially; by chance one kind may have met none."""
    confirmed = [operation for operation in evidence.operations if operation["state"] == "confirmed"]
    assert len(confirmed) > CALLERS * WRITES / 2
    assert {operation["action"] for operation in confirmed} == {"create", "update", "delete"}
    saves = [request for request in evidence.requests if request["saving"]]
    done = [save for save in saves if save["version"] is not None]
    faults = {
        "retries": any(operation["attempts"] > 2 for operation in confirmed),
        "failed requests": any(request["version"] is None for request in evidence.requests),
        "failed saves": any(save["version"] is None for save in saves),
        "lost responses": any(save["status"] != 200 or not save["heard"] for save in done),
    }
    assert sum(faults.values()) >= len(faults) - 1, faults
    assert sum(change["by"] == BY_WORKSHOP for change in evidence.changes) > 100


def test_accepted_writes_survive_kills_and_faults(database_url: str, tmp_path: Path) -> None:
    """
    Every accepted write is settled; PlanSo has each confirmed one, the newest of each field, and nothing else; no
    create happened twice; an idempotency key stands for one operation; no edit of the second person that could be
    noticed is lost.
    """
    with ExitStack() as stack:
        planso = stack.enter_context(sandbox_process(tmp_path, orders=24))
        planso.set_knobs(**HEALTHY, saves_within=LAST)
        first = planso.orders()
        ids = sorted(first)
        to_delete, orders = ids[:TO_DELETE], ids[TO_DELETE:]
        port, kills, dice = free_port(), list[float](), Random(SEED)
        settings = environment(planso.address, database_url)

        def start() -> ConnectorProcess:
            return stack.enter_context(connector_process(settings, tmp_path, port=port))

        connector = start()
        connector.wait_for_sync()
        edit_every_field(planso, connector, orders[1])
        # Until one save was found without damage, writes go one at a time; a kill would stop all until its lease ends.
        first_save = connector.http.patch(
            f"/api/orders/{orders[0]}", json={"remarks": "vorher"}, headers={"Prefer": "wait=30"}
        )
        assert first_save.status_code == 200, first_save.text
        callers = [Caller(connector.address) for _ in range(CALLERS)]
        for caller in callers:
            stack.callback(caller.http.close)
        with ThreadPoolExecutor(CALLERS) as pool, second_person(planso, SEED, ids):
            sending = [
                pool.submit(
                    caller.send_all,
                    plan_writes(SEED, "abcdefgh"[number], orders, to_delete[number::CALLERS], WRITES),
                    PAUSE,
                )
                for number, caller in enumerate(callers)
            ]
            with planso_faults(planso, SEED, LATE):
                for _ in range(KILLS):
                    threading.Event().wait(dice.uniform(0.1, 2.0))
                    kills.append(time.monotonic())
                    connector.kill()
                    connector = start()
                for future in sending:
                    future.result()
            wait_until_all_settled(connector)
        evidence = Evidence.collect(planso, connector, callers, first, kills)
        for law in LAWS:
            law(evidence)
        check_faults_happened(evidence)
        check_repeated_keys(callers[0], planso, evidence)


def test_two_connectors_send_nothing_twice(database_url: str, tmp_path: Path) -> None:
    """
    Two processes on one database, and each write sent to both at once with one idempotency key: one operation, which
    both return, and one save in PlanSo.
    """
    with ExitStack() as stack:
        planso = stack.enter_context(sandbox_process(tmp_path, orders=12))
        planso.set_knobs(**HEALTHY)
        orders = sorted(planso.orders())
        settings = {**environment(planso.address, database_url), "PLANSO_TIMEOUT": "30"}
        first = stack.enter_context(connector_process(settings, tmp_path))
        first.wait_for_sync()
        second = stack.enter_context(connector_process(settings, tmp_path))
        writes = {
            name: [
                replace(write, key=f"key-{name}{number}", if_match=False)
                for number, write in enumerate(plan_writes(SEED, name, orders, (), 12))
            ]
            for name in ("a", "b")
        }
        callers = [Caller(connector.address) for connector in (first, second) for _ in writes]
        for caller in callers:
            stack.callback(caller.http.close)
        with ThreadPoolExecutor(len(callers)) as pool:
            list(pool.map(Caller.send_all, callers, [*writes.values(), *writes.values()]))
        wait_until_all_settled(second)
        operations = list_operations(first)
        assert {operation["state"] for operation in operations} == {"confirmed"}
        by_key = defaultdict[str | None, set[str | None]](set)
        for caller in callers:
            for sent in caller.sent:
                by_key[sent.write.key].add(sent.operation)
        assert all(len(ids) == 1 for ids in by_key.values())
        assert len(by_key) == len(operations) == 24
        saves = [request for request in planso.requests() if request["saving"]]
        written = Counter(
            operation["order_id"] if operation["action"] == "update" else None for operation in operations
        )
        assert Counter(save["order_id"] for save in saves) == written
