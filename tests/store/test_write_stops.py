"""Stops of writing in the store: their scopes, and that the time held up does not count for a deadline."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planso_connector.domain.clock import Instant, parse_instant
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.store import operations, write_stops
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.write_stops import WriteStop
from tests.databases import Store
from tests.store.outbox_samples import record_clean_save
from tests.store.samples import at

_SHOPS = itertools.count()
_SCOPES = st.sampled_from((None, 1, 2))
_STEPS = st.lists(
    st.tuples(st.sampled_from(("stop", "resume", "record")), _SCOPES, st.integers(1, 50)), min_size=1, max_size=12
)


def stop(store: Store, order_id: int | None, now: Instant, columns: tuple[str, ...] = ("f_1",)) -> None:
    values = {"operation": "op_1", "reason": "2 values were lost"}
    store.write(lambda tx: write_stops.stop(tx, order_id=order_id, columns=columns, now=now, **values))


def resume(store: Store, order_id: int | None, now: Instant) -> list[WriteStop]:
    return store.write(lambda tx: write_stops.resume(tx, order_id=order_id, now=now))


def get(store: Store, operation_id: str) -> Operation:
    found = store.read(lambda tx: operations.get(tx, operation_id))
    assert found is not None
    return found


def test_a_stop_holds_for_its_scope_alone(store: Store) -> None:
    """A stop of an order is found for that order and no other; the workshop's for all, creates too."""

    def found(order_id: int | None) -> int | str | None:
        one = store.read(lambda tx: write_stops.find_for_order(tx, order_id))
        return "none" if one is None else one.order_id

    stop(store, 1, at(0))
    assert [found(1), found(2), found(None)] == [1, "none", "none"]
    assert store.for_workshop("another").read(lambda tx: write_stops.find_for_order(tx, 1)) is None

    stop(store, None, at(1))
    assert [found(1), found(2), found(None)] == [None, None, None]
    assert [one.order_id for one in store.read(lambda tx: write_stops.list_active(tx))] == [None, 1]


def test_a_second_stop_adds_its_columns_and_leaves_the_first(store: Store) -> None:
    """Since when, why and by which operation is the first one's; the damaged controls are those of both, each once."""
    stop(store, 1, at(0), ("f_1", "f_2"))
    stop(store, 1, at(9), ("f_2", "f_3"))

    assert store.read(lambda tx: write_stops.list_active(tx)) == [
        WriteStop(1, "op_1", "2 values were lost", ("f_1", "f_2", "f_3"), at(0))
    ]


def test_resuming_ends_one_order_or_all(store: Store) -> None:
    """With an order only its stop ends, and is answered; without, the workshop's and every order's."""
    for order_id in (None, 1, 2):
        stop(store, order_id, at(0))

    assert [one.order_id for one in resume(store, 1, at(5))] == [1]
    assert resume(store, 1, at(5)) == []
    assert [one.order_id for one in resume(store, None, at(5))] == [None, 2]
    assert store.read(lambda tx: write_stops.list_active(tx)) == []


@pytest.mark.parametrize("scope", [None, 1])
def test_only_what_was_sent_or_writes_back_is_claimed_while_stopped(store: Store, scope: int | None) -> None:
    """What is held up is not even due, so that nobody spins on it; what a process never sends is neither."""
    store.write(lambda tx: record_clean_save(tx))
    for order_id in (1, 2, 3):
        _record(store, f"op_{order_id}", order_id, 0)
    _record(store, "op_back", 1, 1, controls={"f_1": ["x"]})
    _record(store, "op_sent", 4, 1, sent_at=at(1))
    stop(store, scope, at(2))

    def claimed(second: int, *, sends: bool = True) -> set[str]:
        found = store.write(
            lambda tx: operations.claim(tx, holder="h", now=at(second), until=at(second + 1), at_most=9, can_send=sends)
        )
        return {one.id for one in found}

    def is_due(*, sends: bool = True) -> bool:
        return bool(store.read(lambda tx: operations.list_due_workshops(tx, now=at(60), can_send=sends)))

    others = {"op_2", "op_3"} if scope == 1 else set()
    assert claimed(10) == {"op_back", "op_sent"} | others
    assert claimed(20, sends=False) == {"op_sent"}
    for settled in ("op_back", "op_sent", "op_2", "op_3"):
        if settled in {"op_back", "op_sent"} | others:
            store.write(lambda tx, one=settled: _settle(tx, one))  # type: ignore[misc]
    assert not is_due()
    resume(store, scope, at(40))
    assert is_due()
    assert not is_due(sends=False)
    assert "op_1" in claimed(60)


def _settle(tx: Transaction, operation_id: str) -> None:
    operations.claim(tx, holder="h", now=at(30), until=at(31), at_most=9)
    assert operations.settle(tx, operation_id, holder="h", state=OperationState.CONFIRMED, now=at(30))


@given(steps=_STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_time_held_up_is_added_to_the_deadline_once(store: Store, steps: list[tuple[str, int | None, int]]) -> None:
    """However stops of an order and of the workshop overlap: a deadline moves by the seconds in which one held."""
    store = store.for_workshop(f"shop {next(_SHOPS)}")
    stopped: set[int | None] = set()
    held: dict[str, list[int]] = {}
    second = 0
    for do, scope, seconds in [*steps, ("resume", None, 1)]:
        if do == "stop":
            stop(store, scope, at(second))
            stopped.add(scope)
        elif do == "resume":
            resume(store, scope, at(second))
            stopped = set() if scope is None else stopped - {scope}
        elif scope is not None:
            _record(store, f"op_{second}", scope, second)
            held[f"op_{second}"] = [scope, second, 0]
        for one in held.values():
            one[2] += seconds if stopped & {None, one[0]} else 0
        second += seconds

    for operation_id, (_, recorded, extra) in held.items():
        found = get(store, operation_id)
        assert found.deadline_at is not None
        moved = parse_instant(found.deadline_at) - parse_instant(at(recorded + 1000))
        assert moved.total_seconds() == extra


def _record(store: Store, operation_id: str, order_id: int, second: int, **more: Any) -> None:
    whole = Operation(operation_id, Action.UPDATE, order_id, {"person": "Müller"}, created_at=at(second))
    due = replace(whole, deadline_at=at(second + 1000), next_at=at(second), **more)
    store.write(lambda tx: operations.record(tx, due))
