"""
The outbox when everything fails at once: the connector is killed with -9 again and again and PlanSo has bad days, while
callers write and a second person works in PlanSo.

What PlanSo was, change by change and reading by reading, is told by the sandbox, a process of its own that is not
killed. One loss is nobody's fault, and is told apart by that record, not by a guess: PlanSo's forms carry no version,
so an edit by the second person that falls between the reading of the form that is saved and the landing of the save
can't be noticed, unless the form is read once more meanwhile. So the law is: each save has its own reading, and no edit
that the connector read is gone untold. An edit that is gone stands in the operation that overwrote it, unless no
reading of that order's form showed it that was asked for after that save, and answered before it landed, to a reader
that waited for it; or who read it was killed before the save landed, and had not written it down: its history says so.
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
    LAST,
    LATE,
    LAWS,
    THEIRS,
    Record,
    a_key_used_again_gets_the_same_answer,
    all_settled,
    became,
    environment,
    operations,
)
from tests.process import ConnectorProcess, connector_process, free_port, sandbox_process
from tests.simulated_users import WELL, Caller, introduce, plan, second_person, weather

SEED = 20261123
CALLERS, WRITES, KILLS, DOOMED = 5, 30, 4, 4
PAUSE = 0.2
"""Seconds between two writes of a caller: the bad days of PlanSo, of which each takes 0.2 to 0.5 s, all meet some."""


def the_days_were_bad(record: Record) -> None:
    """All this says something only if it came to pass; of the kinds of bad luck one may have been missed by chance."""
    confirmed = [operation for operation in record.operations if operation["state"] == "confirmed"]
    assert len(confirmed) > CALLERS * WRITES / 2
    assert {operation["action"] for operation in confirmed} == {"create", "update", "delete"}
    saves = [request for request in record.requests if request["saving"]]
    done = [save for save in saves if save["version"] is not None]
    bad_luck = {
        "tried again": any(operation["attempts"] > 2 for operation in confirmed),
        "PlanSo failed": any(request["version"] is None for request in record.requests),
        "saves failed": any(save["version"] is None for save in saves),
        "answers were lost": any(save["status"] != 200 or not save["heard"] for save in done),
    }
    assert sum(bad_luck.values()) >= len(bad_luck) - 1, bad_luck
    assert sum(change["by"] == THEIRS for change in record.changes) > 100


def test_what_was_accepted_survives_kills_and_bad_days(database_url: str, tmp_path: Path) -> None:
    """
    Every accepted write ends as one of four; each confirmed one is in PlanSo, the newest of each field on top, and
    nothing that is not; no create happened twice; a key stands for one operation; no edit of the second person is gone
    that could have been noticed (see above).
    """
    with ExitStack() as stack:
        planso = stack.enter_context(sandbox_process(tmp_path, orders=24))
        planso.set_knobs(**WELL, saves_within=LAST)
        first = planso.orders()
        ids = sorted(first)
        doomed, orders = ids[:DOOMED], ids[DOOMED:]
        port, kills, dice = free_port(), list[float](), Random(SEED)
        settings = environment(planso.address, database_url)

        def start() -> ConnectorProcess:
            return stack.enter_context(connector_process(settings, tmp_path, port=port))

        connector = start()
        connector.wait_for_sync()
        introduce(planso, connector, orders[1])
        # Until a save was compared clean they go one at a time, and each kill would stop them all for a lease.
        first_save = connector.http.patch(
            f"/api/orders/{orders[0]}", json={"remarks": "vorher"}, headers={"Prefer": "wait=30"}
        )
        assert first_save.status_code == 200, first_save.text
        callers = [Caller(connector.address) for _ in range(CALLERS)]
        for caller in callers:
            stack.callback(caller.http.close)
        with ThreadPoolExecutor(CALLERS) as pool, second_person(planso, SEED, ids):
            at_work = [
                pool.submit(caller.carry_out, plan(SEED, "abcdefgh"[at], orders, doomed[at::CALLERS], WRITES), PAUSE)
                for at, caller in enumerate(callers)
            ]
            with weather(planso, SEED, LATE):
                for _ in range(KILLS):
                    threading.Event().wait(dice.uniform(0.1, 2.0))
                    kills.append(time.monotonic())
                    connector.kill()
                    connector = start()
            for one in at_work:
                one.result()
            all_settled(connector)
        answers = [answer for caller in callers for answer in caller.answers]
        record = Record(
            first,
            planso.orders(),
            planso.changes(),
            planso.requests(),
            operations(connector),
            answers,
            kills,
            {order: became(connector, order) for order in ids},
        )
        for law in LAWS:
            law(record)
        the_days_were_bad(record)
        a_key_used_again_gets_the_same_answer(callers[0], planso, answers, record.by_id)


def test_two_connectors_send_nothing_twice(database_url: str, tmp_path: Path) -> None:
    """
    Two processes on one database, and each write asked of both at once with one key: one operation, told alike by both,
    and one save in PlanSo.
    """
    with ExitStack() as stack:
        planso = stack.enter_context(sandbox_process(tmp_path, orders=12))
        planso.set_knobs(**WELL)
        orders = sorted(planso.orders())
        settings = {**environment(planso.address, database_url), "PLANSO_TIMEOUT": "30"}
        one = stack.enter_context(connector_process(settings, tmp_path))
        one.wait_for_sync()
        two = stack.enter_context(connector_process(settings, tmp_path))
        writes = {
            name: [
                replace(write, key=f"key-{name}{at}", if_match=False)
                for at, write in enumerate(plan(SEED, name, orders, (), 12))
            ]
            for name in ("a", "b")
        }
        callers = [Caller(connector.address) for connector in (one, two) for _ in writes]
        for caller in callers:
            stack.callback(caller.http.close)
        with ThreadPoolExecutor(len(callers)) as pool:
            list(pool.map(Caller.carry_out, callers, [*writes.values(), *writes.values()]))
        all_settled(two)
        found = operations(one)
        assert {operation["state"] for operation in found} == {"confirmed"}
        answers = defaultdict[str | None, set[str | None]](set)
        for caller in callers:
            for answer in caller.answers:
                answers[answer.write.key].add(answer.operation)
        assert all(len(named) == 1 for named in answers.values())
        assert len(answers) == len(found) == 24
        saves = [request for request in planso.requests() if request["saving"]]
        asked = Counter(one["order_id"] if one["action"] == "update" else None for one in found)
        assert Counter(save["order_id"] for save in saves) == asked
