"""Operations, sync runs and rejected logins."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from planso_connector.domain.clock import Instant
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.store import idempotency_keys, operations, rejected_logins, sync_runs
from planso_connector.store.sync_runs import RunKind, RunState, Trigger
from tests.databases import Store
from tests.store.samples import at

ASKED = Operation(
    "op_1", Action.UPDATE, 123, {"person": "Müller", "est_hours_karo": 2.5, "email": None}, created_at=at(1)
)


def keyed(operation_id: str, created_at: Instant, caller: str = "") -> Operation:
    return replace(ASKED, id=operation_id, created_at=created_at, caller=caller, idempotency_key="key", request="one")


def claim(store: Store, holder: str, *, at_second: int = 2) -> list[str]:
    """The ids that `holder` gets, for ten seconds."""
    return [
        one.id
        for one in store.write(
            lambda tx: operations.claim(tx, holder=holder, now=at(at_second), until=at(at_second + 10), at_most=9)
        )
    ]


def test_an_operation_comes_back_as_it_was_recorded(store: Store) -> None:
    """Recorded and read back, an operation is equal, every member of it, with the types of its values."""
    whole = replace(
        ASKED,
        id="op_3",
        created_at=at(2),
        message="wartet",
        notes="phone does not look right",
        deadline_at=at(90),
        next_at=at(3),
        before={"person": "Alt"},
        base={"person": None, "est_hours_karo": 2.5},
        undoes="op_1",
        failure={"type": "Conflicting", "conflicts": []},
        caller="Telefon",
        idempotency_key="key",
        request="print",
        attempts=4,
        sent_at=at(2),
        first_sent_at=at(1),
        sent={"phone": ["0151", "0152"], "vehicle_details.all_details": [True]},
    )
    for one in (ASKED, whole):
        assert store.write(partial(operations.record, operation=one)) == one

    assert store.read(lambda tx: operations.get(tx, "op_1")) == ASKED
    assert store.read(lambda tx: operations.get(tx, "op_3")) == whole
    assert store.read(lambda tx: operations.get(tx, "op_2\0")) is None
    assert store.read(lambda tx: operations.list_page(tx, state=OperationState.PENDING)) == [whole, ASKED]


def test_an_operation_is_settled_once(store: Store) -> None:
    """
    By who holds it alone, and the first end stays; it tells the state, the message, what was held before, and the
    number of a new order.
    """
    created = replace(ASKED, action=Action.CREATE, order_id=None)
    store.write(lambda tx: operations.record(tx, created))

    def settle(holder: str, operation_id: str = "op_1", state: OperationState = OperationState.REFUSED) -> bool:
        return store.write(
            lambda tx: operations.settle(
                tx,
                operation_id,
                holder=holder,
                state=state,
                now=at(3),
                message="ok",
                before={"person": "Alt"},
                order_id=7,
            )
        )

    assert not settle("me")
    assert claim(store, "me") == ["op_1"]
    assert not settle("you")
    assert settle("me", state=OperationState.CONFIRMED)
    assert not settle("me")
    assert not settle("me", "op_9")

    ended = replace(
        created,
        state=OperationState.CONFIRMED,
        settled_at=at(3),
        message="ok",
        before={"person": "Alt"},
        order_id=7,
        attempts=1,
    )
    assert store.read(lambda tx: operations.get(tx, "op_1")) == ended
    assert store.read(lambda tx: operations.list_page(tx, state=OperationState.PENDING)) == []
    assert claim(store, "you", at_second=20) == []


def test_operations_are_newest_first(store: Store) -> None:
    """A page has the newest first, of all or of one order or state, and goes on where the one before ended."""
    for number, order_id in enumerate((123, 124, 123, 123)):
        one = replace(ASKED, id=f"op_{number}", order_id=order_id, created_at=at(number))
        store.write(partial(operations.record, operation=one))

    def page(**asked: Any) -> list[str]:
        return [one.id for one in store.read(lambda tx: operations.list_page(tx, **asked))]

    assert page() == page(state=OperationState.PENDING) == ["op_3", "op_2", "op_1", "op_0"]
    assert page(order_id=123, limit=2) == ["op_3", "op_2"]
    assert page(order_id=123, before=(at(2), "op_2"), limit=2) == ["op_0"]
    assert page(state=OperationState.REFUSED) == []


def test_operations_of_an_order_stay_in_order_when_the_clock_is_set_back(store: Store) -> None:
    """One that is recorded later is later, whatever the clock says; and it is claimed after those before it."""
    for number in (1, 2):
        one = replace(ASKED, id=f"op_{3 - number}", created_at=at(9 - number), next_at=at(0))
        store.write(partial(operations.record, operation=one))

    assert [one.id for one in store.read(lambda tx: operations.list_page(tx))] == ["op_1", "op_2"]
    assert claim(store, "me", at_second=30) == ["op_2"]


def test_an_idempotency_key_is_its_callers_for_seven_days(store: Store) -> None:
    """
    Within seven days, and as long as it is pending, a key stands for its operation, for its caller alone; then it is
    free, and the old operation stays.
    """
    store.write(lambda tx: operations.record(tx, keyed("op_1", at(0))))

    def found(caller: str, day: int) -> str | None:
        now = Instant(f"2026-11-{23 + day}T00:00:00.000000Z")
        there = store.write(lambda tx: idempotency_keys.find_operation(tx, caller, "key", now=now))
        return there.id if there is not None else None

    assert found("Telefon", 0) is None
    store.write(lambda tx: operations.record(tx, keyed("op_2", at(1), "Telefon")))
    assert (found("", 6), found("Telefon", 6)) == ("op_1", "op_2")
    assert found("", 7) == "op_1"
    store.write(lambda tx: operations.cancel(tx, "op_1", now=at(2), message="", failure={"type": "Cancelled"}))
    assert (found("", 6), found("", 7)) == ("op_1", None)
    store.write(lambda tx: operations.record(tx, keyed("op_3", Instant("2026-11-30T00:00:00.000000Z"))))
    assert found("", 7) == "op_3"
    assert [one.id for one in store.read(lambda tx: operations.list_page(tx))] == ["op_3", "op_2", "op_1"]


def test_a_run_from_its_start_to_its_end(store: Store) -> None:
    """Progress updates only the counts given; after the end nothing changes."""
    run = store.write(lambda tx: sync_runs.start(tx, now=at(1), phase="list"))
    assert store.read(lambda tx: sync_runs.get_last(tx)) == run

    assert store.write(lambda tx: sync_runs.record_progress(tx, run.id, now=at(2), phase="orders", done=3, total=9))
    assert store.write(lambda tx: sync_runs.record_progress(tx, run.id, now=at(3), done=4, requests=12))
    failed = [{"order_id": 5, "message": "Müller"}]
    assert store.write(
        lambda tx: sync_runs.finish(tx, run.id, state=RunState.DONE, now=at(4), failed=failed, changed=2)
    )
    assert not store.write(lambda tx: sync_runs.record_progress(tx, run.id, now=at(5), done=9))
    assert not store.write(lambda tx: sync_runs.finish(tx, run.id, state=RunState.FAILED, now=at(5)))

    ended = replace(
        run,
        state=RunState.DONE,
        phase="orders",
        done=4,
        total=9,
        requests=12,
        changed=2,
        failed=tuple(failed),
        ended_at=at(4),
        updated_at=at(4),
    )
    assert store.read(lambda tx: sync_runs.get_last(tx)) == ended


def test_runs_that_a_crash_left_are_ended(store: Store) -> None:
    """A run that a crash left running becomes interrupted; the last success stays."""
    done = store.write(lambda tx: sync_runs.start(tx, now=at(1)))
    store.write(lambda tx: sync_runs.finish(tx, done.id, state=RunState.DONE, now=at(2)))
    store.write(lambda tx: sync_runs.start(tx, now=at(3)))

    assert store.write(lambda tx: sync_runs.interrupt_running(tx, now=at(9))) == 1
    assert store.write(lambda tx: sync_runs.interrupt_running(tx, now=at(10))) == 0

    newest, oldest = store.read(lambda tx: sync_runs.list_latest(tx))
    assert (newest.state, newest.ended_at) == (RunState.INTERRUPTED, at(9))
    success = store.read(lambda tx: sync_runs.get_last_success(tx))
    assert success is not None
    assert success == oldest
    assert store.read(lambda tx: sync_runs.list_latest(tx, 1)) == [newest]


def test_a_run_has_its_trigger_and_doubts(store: Store) -> None:
    """Kind and trigger are known from the start, doubts at the end; all are read back as they were given."""
    run = store.write(
        lambda tx: sync_runs.start(tx, now=at(1), kind=RunKind.INCREMENTAL, trigger=Trigger.SCHEDULE, total=7)
    )
    assert (run.kind, run.trigger, run.doubts) == (RunKind.INCREMENTAL, Trigger.SCHEDULE, ())
    assert store.read(lambda tx: sync_runs.get_last(tx)) == run
    doubts = [{"page": "form", "label": "Telefon\0", "before": 0.98, "after": 0.0}]
    store.write(lambda tx: sync_runs.finish(tx, run.id, state=RunState.DONE, now=at(2), doubts=doubts))

    ended = store.read(lambda tx: sync_runs.get_last(tx))

    assert ended is not None
    assert (ended.kind, ended.trigger) == (RunKind.INCREMENTAL, Trigger.SCHEDULE)
    assert ended.doubts == ({"page": "form", "label": "Telefon\0", "before": 0.98, "after": 0.0},)


@pytest.mark.parametrize("end", [RunState.FAILED, RunState.INTERRUPTED, RunState.DONE, None])
def test_a_full_run_that_did_not_get_to_its_end_is_resumable(store: Store, end: RunState | None) -> None:
    """The last full run counts, whatever incremental ones came after; a running one is not resumable."""
    assert store.read(lambda tx: sync_runs.get_resumable(tx)) is None
    full = store.write(lambda tx: sync_runs.start(tx, now=at(1), kind=RunKind.FULL))
    if end is not None:
        store.write(lambda tx: sync_runs.finish(tx, full.id, state=end, now=at(2)))
    later = store.write(lambda tx: sync_runs.start(tx, now=at(3), kind=RunKind.INCREMENTAL))
    store.write(lambda tx: sync_runs.finish(tx, later.id, state=RunState.FAILED, now=at(4)))

    found = store.read(lambda tx: sync_runs.get_resumable(tx))

    assert (found.id if found else None) == (full.id if end in (RunState.FAILED, RunState.INTERRUPTED) else None)


def test_old_runs_go_but_the_last_good_and_the_last_full_one(store: Store) -> None:
    """Old runs are deleted, but for the last successful and the last full one."""
    full = store.write(lambda tx: sync_runs.start(tx, now=at(1), kind=RunKind.FULL))
    store.write(lambda tx: sync_runs.finish(tx, full.id, state=RunState.FAILED, now=at(2)))
    good, old, new, running = (
        store.write(partial(sync_runs.start, now=at(minute), kind=RunKind.INCREMENTAL)) for minute in (3, 5, 7, 20)
    )
    for run, state, minute in ((good, RunState.DONE, 4), (old, RunState.FAILED, 6), (new, RunState.FAILED, 8)):
        store.write(partial(sync_runs.finish, run_id=run.id, state=state, now=at(minute)))

    assert store.write(lambda tx: sync_runs.drop_old(tx, before=at(7))) == 1

    kept = [run.id for run in store.read(lambda tx: sync_runs.list_latest(tx))]
    assert kept == [running.id, new.id, good.id, full.id]


def test_the_last_rejected_login_is_remembered(store: Store) -> None:
    """One fingerprint at a time, until it is forgotten."""
    assert store.read(lambda tx: rejected_logins.get(tx)) is None
    store.write(lambda tx: rejected_logins.save(tx, "one", at(1)))
    store.write(lambda tx: rejected_logins.save(tx, "two", at(2)))
    assert store.read(lambda tx: rejected_logins.get(tx)) == "two"
    store.write(lambda tx: rejected_logins.clear(tx))
    assert store.read(lambda tx: rejected_logins.get(tx)) is None
