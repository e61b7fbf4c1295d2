"""The outbox under concurrent transactions: two connections to one database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping

import pytest
from sqlalchemy import Executable

from planso_connector.domain.operation import Operation, OperationState
from planso_connector.store import idempotency_keys, operations
from planso_connector.store.engine.transaction import Row, Transaction
from tests.databases import Store
from tests.store.outbox_samples import make_pending, record_clean_save
from tests.store.samples import at


def at_once(stores: tuple[Store, Store], *units: Callable[[Transaction], object]) -> list[object]:
    """Each unit in a thread, the connections in turn; what each came to."""
    barrier = threading.Barrier(len(units))
    ends: list[object] = [None] * len(units)

    def go(number: int) -> None:
        async def one() -> object:
            return await stores[number % 2].database.write(units[number])

        barrier.wait(20)
        ends[number] = asyncio.run(one())

    threads = [threading.Thread(target=go, args=(number,)) for number in range(len(units))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
        assert not thread.is_alive()
    return ends


@pytest.mark.behind_pooler
def test_a_key_that_comes_twice_at_once_is_one_operation(stores: tuple[Store, Store]) -> None:
    """Of those that record with the same key at once, exactly one does, and the others are told of that one."""
    for number in range(12):

        def unit(name: str, number: int = number) -> Callable[[Transaction], str]:
            one = make_pending(f"op_{number}_{name}", None, idempotency_key=f"key {number}", request="same")

            def work(tx: Transaction) -> str:
                earlier = idempotency_keys.find_operation(tx, "", f"key {number}", now=at(0))
                return (earlier or operations.record(tx, one)).id

            return work

        answers = at_once(stores, *(unit(name) for name in "abcd"))
        recorded = [
            one.id for one in stores[0].read(lambda tx: operations.list_page(tx, limit=500))
            if one.idempotency_key == f"key {number}"
        ]  # fmt: skip
        assert len(recorded) == 1
        assert set(answers) == set(recorded)


def test_operations_recorded_at_once_have_a_sequence(stores: tuple[Store, Store]) -> None:
    """Recorded at once by a clock that stands still: each at an instant of its own."""
    units = [
        lambda tx, number=number: operations.record(tx, make_pending(f"op_{number}", 1)).created_at
        for number in range(8)
    ]
    assert len(set(at_once(stores, *units))) == len(units)


@pytest.mark.behind_pooler
def test_claims_at_once_share_nothing(stores: tuple[Store, Store]) -> None:
    """Four that claim at once: each operation has one holder, and of an order one is claimed."""
    stores[0].write(lambda tx: record_clean_save(tx))
    for number in range(40):
        one = make_pending(f"op_{number:02}", number // 2, now=at(number))
        stores[0].write(lambda tx, one=one: operations.record(tx, one))  # type: ignore[misc]
    units = [
        lambda tx, who=who: operations.claim(tx, holder=who, now=at(60), until=at(70), at_most=8) for who in "abcd"
    ]
    claimed = [one for end in at_once(stores, *units) for one in end]  # type: ignore[attr-defined]
    assert sorted(one.order_id for one in claimed) == list(range(20))
    assert all(int(one.id[3:]) % 2 == 0 for one in claimed)


class InterleavedTransaction:
    """A transaction that calls `elsewhere` between its first result and its first change."""

    def __init__(self, tx: Transaction, elsewhere: Callable[[], None]) -> None:
        self._tx = tx
        self._elsewhere = elsewhere
        self._answered = False

    @property
    def workshop(self) -> str:
        return self._tx.workshop

    def use_workshop(self, workshop: str | None) -> None:
        self._tx.use_workshop(workshop)

    def fetch_all(self, statement: Executable, /, **parameters: object) -> list[Row]:
        found = self._tx.fetch_all(statement, **parameters)
        if not self._answered:
            self._answered = True
            self._elsewhere()
        return found

    def execute(self, statement: Executable, /, **parameters: object) -> int:
        return self._tx.execute(statement, **parameters)

    def execute_many(self, statement: Executable, rows: Iterable[Mapping[str, object]], /) -> None:
        self._tx.execute_many(statement, rows)

    def lock(self, name: str) -> None:
        self._tx.lock(name)

    def notify(self, message: str) -> None:
        self._tx.notify(message)


STEPS: dict[str, Callable[[Transaction], object]] = {
    "cancel": lambda tx: operations.cancel(tx, "op_1", now=at(20), message="", failure={"type": "Cancelled"}),
    "settle": lambda tx: operations.settle(
        tx, "op_1", holder="slow", state=OperationState.CONFIRMED, now=at(20), message=""
    ),
    "put_back": lambda tx: operations.postpone(
        tx, "op_1", holder="slow", next_at=at(500), message="", sent_at=None
    ),
    "renew": lambda tx: operations.renew(tx, ["op_1"], holder="slow", now=at(9), until=at(30)),
    "mark_sent": lambda tx: operations.mark_sent(
        tx, "op_1", holder="slow", now=at(9), before=None, sent=None
    ),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_claim_in_the_middle_of_anothers_step_sees_it_or_comes_first(postgresql_url: str, step: str) -> None:
    """
    A holder whose lease ran out takes a step while another claims: either the claim gets nothing, or the operation as
    that step left it. A settled operation is never changed by it.
    """
    stores = Store(postgresql_url), Store(postgresql_url)
    try:
        stores[0].write(lambda tx: operations.record(tx, make_pending("op_1")))
        stores[0].write(lambda tx: operations.claim(tx, holder="slow", now=at(1), until=at(10), at_most=1))
        after: list[tuple[object, Operation | None]] = []

        def slow() -> None:
            after.append(stores[1].write(lambda tx: (STEPS[step](tx), operations.get(tx, "op_1"))))

        thread = threading.Thread(target=slow)

        def meanwhile() -> None:
            thread.start()
            thread.join(0.2)  # it may have to wait for the claim

        claimed = stores[0].write(
            lambda tx: operations.claim(
                InterleavedTransaction(tx, meanwhile), holder="fast", now=at(20), until=at(30), at_most=1
            )
        )
        thread.join(90)
        ((did, left),) = after
        now = stores[0].read(lambda tx: operations.get(tx, "op_1"))
        assert left is not None
        if claimed and did:
            assert step == "cancel"  # of what was claimed before, and it is unsent
            assert left.attempts == claimed[0].attempts
        assert now == (left if did else claimed[0])
    finally:
        for store in stores:
            store.close()
