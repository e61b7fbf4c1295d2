"""The outbox's steps on both databases: whatever the order in which processes take them, an operation ends once."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Executable

from planso_connector.domain.clock import Instant, format_instant, parse_instant
from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.store import operations, save_evidence
from planso_connector.store.engine.transaction import Row, Transaction
from tests.databases import Store
from tests.store.samples import at

HOLDERS = st.sampled_from("ab")
WHO = st.sampled_from(("holder", "holder", "a", "b"))
ORDERS = st.sampled_from((1, 1, None))
PICKS = st.integers(0, 39)
LENGTHS = st.sampled_from((1, 4, 9))
SIDES = st.integers(0, 1)
ENDS = st.sampled_from(
    [OperationState.CONFIRMED, OperationState.REFUSED, OperationState.EXPIRED, OperationState.CONFLICT]
)
_SHOPS = itertools.count()


@pytest.fixture
def stores(store: Store, database_url: str) -> Iterator[tuple[Store, Store]]:
    """Two processes' connections to one database."""
    other = Store(database_url)
    yield store, other
    other.close()


def compared_clean(tx: Transaction) -> None:
    save_evidence.record_save(tx, operation="", differences=(), is_clean=True, pairs=1, now=at(0))


BEGINNING = at(0)


def pending(operation_id: str, order_id: int | None = 1, *, now: Instant = BEGINNING, **more: object) -> Operation:
    action = Action.UPDATE if order_id is not None else Action.CREATE
    whole = Operation(operation_id, action, order_id, {"person": "Müller"}, created_at=now, next_at=now)
    return replace(whole, deadline_at=at(9999), **more)  # type: ignore[arg-type]


@dataclass
class Known:
    """What the model holds of one operation."""

    operation: Operation
    holder: str | None = None
    until: str = ""

    @property
    def is_pending(self) -> bool:
        return self.operation.state is OperationState.PENDING

    @property
    def created_at(self) -> Instant:
        assert self.operation.created_at is not None
        return self.operation.created_at

    @property
    def age(self) -> tuple[str, str]:
        return self.created_at, self.operation.id

    def is_due(self, now: str) -> bool:
        return self.is_pending and (self.operation.next_at or now) <= now and not self.is_held(now)

    def is_held(self, now: str) -> bool:
        return self.holder is not None and self.until > now

    def is_of(self, order_id: int | None) -> bool:
        return order_id is not None and self.operation.order_id == order_id

    def free(self) -> None:
        self.holder, self.until = None, ""


class Outbox(RuleBasedStateMachine):
    """Processes a and b, over two connections, against what the words of `domain.operation` mean."""

    def __init__(self, stores: tuple[Store, Store]) -> None:
        super().__init__()
        shop = f"shop {next(_SHOPS)}"
        self.stores = stores[0].of(shop), stores[1].of(shop)
        self.second = 100
        self.known: list[Known] = []
        self.ended: dict[str, Operation] = {}
        self.is_any_clean = False

    @property
    def now(self) -> Instant:
        return at(self.second)

    def picked(self, pick: int) -> Known:
        """One of those that are held, mostly; else one of the pending, or any."""
        held = [one for one in self.known if one.holder is not None] if pick % 5 > 1 else []
        among = held or (self.pending if pick % 5 else []) or self.known
        return among[pick // 5 % len(among)]

    @property
    def pending(self) -> list[Known]:
        return [one for one in self.known if one.is_pending]

    @property
    def is_any_held(self) -> bool:
        return any(one.holder is not None for one in self.known)

    def picked_by(self, pick: int, who: str) -> tuple[Known, str]:
        one = self.picked(pick)
        return one, (one.holder or "a") if who == "holder" else who

    def claimable(self) -> list[Known]:
        """Due, nobody's, the first pending of its order, of which nothing is under way; longest due first."""
        return sorted(
            (
                one
                for one in self.known
                if one.is_due(self.now)
                and not any(
                    other.is_pending and (other.age < one.age or other.is_held(self.now))
                    for other in self.known
                    if other is not one and other.is_of(one.operation.order_id)
                )
            ),
            key=lambda one: (one.operation.next_at, *one.age),
        )

    @initialize()
    def some_are_there(self) -> None:
        for order_id in (1, None, 1, None):
            self.record(0, order_id, 0)

    @rule(side=SIDES, order_id=ORDERS, wait=st.sampled_from((0, 0, 0, 3)))
    def record(self, side: int, order_id: int | None, wait: int) -> None:
        asked = pending(f"op_{len(self.known):020x}", order_id, now=self.now)
        asked = replace(asked, next_at=at(self.second + wait))
        before = [one.created_at for one in self.known if one.is_of(order_id)]
        made = self.stores[side].write(lambda tx: operations.record(tx, asked))
        assert all(earlier < (made.created_at or "") for earlier in before)
        later = format_instant(parse_instant(max(before)) + timedelta(microseconds=1)) if before else self.now
        assert made == replace(asked, created_at=max(self.now, later))
        self.known.append(Known(made))

    @precondition(lambda self: self.pending)
    @rule(side=SIDES, holder=HOLDERS, length=LENGTHS, at_most=st.integers(1, 3))
    def claim(self, side: int, holder: str, length: int, at_most: int) -> None:
        right = self.claimable()[: at_most if self.is_any_clean else 1]
        if not self.is_any_clean and any(one.is_pending and one.is_held(self.now) for one in self.known):
            right = []
        until = at(self.second + length)
        claimed = self.stores[side].write(
            lambda tx: operations.claim(tx, holder=holder, now=self.now, until=until, at_most=at_most)
        )
        for one in right:
            one.holder, one.until = holder, until
            one.operation = replace(one.operation, attempts=one.operation.attempts + 1)
        assert claimed == [one.operation for one in right]

    @precondition(lambda self: not self.is_any_clean)
    @rule(side=SIDES)
    def a_save_is_compared_clean(self, side: int) -> None:
        """Until then one operation is under way at a time."""
        self.stores[side].write(lambda tx: compared_clean(tx))
        self.is_any_clean = True

    @precondition(lambda self: self.is_any_held)
    @rule(side=SIDES, holder=HOLDERS, length=LENGTHS)
    def renew(self, side: int, holder: str, length: int) -> None:
        until = at(self.second + length)
        ids = [one.operation.id for one in self.known]
        kept = self.stores[side].write(lambda tx: operations.renew(tx, ids, holder=holder, now=self.now, until=until))
        own = [one for one in self.known if one.is_pending and one.holder == holder and one.is_held(self.now)]
        assert kept == {one.operation.id for one in own}
        for one in own:
            one.until = until

    @precondition(lambda self: self.is_any_held)
    @rule(side=SIDES, pick=PICKS, who=WHO)
    def mark_sent(self, side: int, pick: int, who: str) -> None:
        """Only whose lease runs may send."""
        one, holder = self.picked_by(pick, who)
        before: dict[str, Value] = {"person": "Alt"}
        sent: dict[str, list[Value]] = {"phone": [self.now]}
        done = self.stores[side].write(
            lambda tx: operations.mark_sent(tx, one.operation.id, holder=holder, now=self.now, before=before, sent=sent)
        )
        assert done == (one.is_pending and one.holder == holder and one.is_held(self.now))
        if done:
            first = one.operation.first_sent_at or self.now
            one.operation = replace(one.operation, sent_at=self.now, first_sent_at=first, before=before, sent=sent)

    @precondition(lambda self: self.is_any_held)
    @rule(side=SIDES, pick=PICKS, who=WHO, wait=st.integers(0, 6), is_sent=st.booleans(), order_id=ORDERS)
    def put_back(self, side: int, pick: int, who: str, wait: int, is_sent: bool, order_id: int | None) -> None:
        one, holder = self.picked_by(pick, who)
        sent_at = one.operation.sent_at if is_sent else None
        number = order_id if one.operation.order_id is None else None
        next_at = at(self.second + wait)
        done = self.stores[side].write(
            lambda tx: operations.postpone(
                tx,
                one.operation.id,
                holder=holder,
                next_at=next_at,
                message="später",
                sent_at=sent_at,
                order_id=number,
            )
        )
        assert done == (one.is_pending and one.holder == holder)
        if done:
            number = one.operation.order_id if number is None else number
            one.operation = replace(one.operation, next_at=next_at, message="später", sent_at=sent_at, order_id=number)
            if sent_at is None:
                one.operation = replace(one.operation, first_sent_at=None, before=None, sent=None)
            one.free()

    @precondition(lambda self: self.is_any_held)
    @rule(side=SIDES, pick=PICKS, who=WHO, state=ENDS)
    def settle(self, side: int, pick: int, who: str, state: OperationState) -> None:
        """By who has it alone: whose lease ran out has it until another claims it."""
        one, holder = self.picked_by(pick, who)
        done = self.stores[side].write(
            lambda tx: operations.settle(
                tx, one.operation.id, holder=holder, state=state, now=self.now, message="zu Ende"
            )
        )
        assert done == (one.is_pending and one.holder == holder)
        if done:
            self.end(one, state, "zu Ende")

    @precondition(lambda self: len(self.pending) > 2 or any(one.operation.sent_at for one in self.pending))
    @rule(side=SIDES, pick=PICKS)
    def cancel(self, side: int, pick: int) -> None:
        """Only where nothing was sent; also under the hands of who holds it."""
        one = self.picked(pick)
        done = self.stores[side].write(
            lambda tx: operations.cancel(
                tx, one.operation.id, now=self.now, message="nein", failure={"type": "Cancelled"}
            )
        )
        assert done == (one.is_pending and one.operation.sent_at is None)
        if done:
            one.operation = replace(one.operation, failure={"type": "Cancelled"})
            self.end(one, OperationState.REFUSED, "nein")

    def end(self, one: Known, state: OperationState, message: str) -> None:
        one.operation = replace(one.operation, state=state, message=message, settled_at=self.now, sent=None)
        one.free()
        self.ended[one.operation.id] = one.operation

    @precondition(lambda self: len(self.pending) > 2)
    @rule(side=SIDES, holder=HOLDERS)
    def release(self, side: int, holder: str) -> None:
        own = [one for one in self.known if one.is_pending and one.holder == holder]
        assert self.stores[side].write(lambda tx: operations.release(tx, holder=holder)) == len(own)
        for one in own:
            one.free()

    @rule(seconds=st.sampled_from((1, 2, 5, 12)))
    def time_passes(self, seconds: int) -> None:
        self.second += seconds

    @rule(seconds=st.integers(1, 8))
    def the_clock_is_set_back(self, seconds: int) -> None:
        self.second = max(0, self.second - seconds)

    @invariant()
    def both_connections_show_what_was_done(self) -> None:
        """Nothing else changed, what is settled least of all."""
        newest_first = [one.operation for one in sorted(self.known, key=lambda one: one.age, reverse=True)]
        store = self.stores[len(self.known) % 2]
        found = store.read(lambda tx: operations.list_page(tx, limit=500))
        assert found == newest_first
        assert {one.id: one for one in found if one.state is not OperationState.PENDING} == self.ended
        due = any(one.is_due(self.now) for one in self.known)
        assert store.read(lambda tx: operations.is_any_due(tx, now=self.now)) == due


def test_whatever_is_done_in_whatever_order(stores: tuple[Store, Store]) -> None:
    """
    An operation ends once, and stays so; one holder has it while his lease runs; of an order the first pending is under
    way alone; none is tried before its time; who lost it sends nothing and ends nothing; what may have been sent is
    not cancelled; of one order the later recorded is later, whatever the clock says.
    """
    run_state_machine_as_test(
        lambda: Outbox(stores),  # type: ignore[arg-type]  # it is only called
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_create_that_gets_its_number_waits_for_what_is_under_way(store: Store) -> None:
    """An update of that order was claimed meanwhile: the create, recorded before it, is not until that one rests."""
    store.write(lambda tx: compared_clean(tx))
    store.write(lambda tx: operations.record(tx, pending("op_create", None)))
    store.write(lambda tx: operations.claim(tx, holder="a", now=at(1), until=at(50), at_most=1))
    store.write(lambda tx: operations.record(tx, pending("op_update", 7, now=at(2))))

    def claim(second: int, until: int = 99) -> list[str]:
        work = {"now": at(second), "until": at(until), "at_most": 9}
        return [one.id for one in store.write(lambda tx: operations.claim(tx, holder="b", **work))]  # type: ignore[arg-type]

    assert claim(3, until=10) == ["op_update"]
    store.write(
        lambda tx: operations.postpone(tx, "op_create", holder="a", next_at=at(4), message="", sent_at=None, order_id=7)
    )
    assert claim(9) == []
    assert claim(10) == ["op_create"]
    assert claim(11) == []


def test_a_lease_ends_at_its_instant(store: Store) -> None:
    """Until then its holder alone sends and renews, from then on another alone may have it; the end stays the end."""
    store.write(lambda tx: operations.record(tx, pending("op_1")))

    def claim(holder: str, second: int) -> bool:
        until = at(second + 10)
        return bool(store.write(lambda tx: operations.claim(tx, holder=holder, now=at(second), until=until, at_most=1)))

    def sends(holder: str, second: int) -> bool:
        return store.write(
            lambda tx: operations.mark_sent(tx, "op_1", holder=holder, now=at(second), before=None, sent=None)
        )

    def renews(second: int) -> bool:
        return bool(store.write(lambda tx: operations.renew(tx, ["op_1"], holder="a", now=at(second), until=at(10))))

    assert claim("a", 0)
    assert (claim("b", 9), renews(9), sends("a", 9)) == (False, True, True)
    assert (renews(10), sends("a", 10)) == (False, False)
    assert claim("b", 10)

    def called_off(operation_id: str) -> bool:
        return store.write(
            lambda tx: operations.cancel(tx, operation_id, now=at(11), message="", failure={"type": "Cancelled"})
        )

    def ends(holder: str) -> bool:
        return store.write(
            lambda tx: operations.settle(tx, "op_1", holder=holder, state=OperationState.CONFIRMED, now=at(11))
        )

    assert not called_off("op_1")  # it may have been sent
    assert (ends("a"), ends("b"), ends("b")) == (False, True, False)
    store.write(lambda tx: operations.record(tx, pending("op_2")))
    assert (called_off("op_2"), called_off("op_2")) == (True, False)


def test_no_operation_starves(store: Store) -> None:
    """Others that are put back for ever, due again at once and recorded before, don't keep one from its turn."""
    poison = [pending(f"op_{number}", number) for number in range(1, 8)]
    for one in poison:
        store.write(lambda tx, one=one: operations.record(tx, one))  # type: ignore[misc]
    waiting = {f"op_late{number}" for number in range(3)}
    for number, name in enumerate(sorted(waiting)):
        late = pending(name, 100 + number, now=at(5 + number))
        store.write(lambda tx, late=late: operations.record(tx, late))  # type: ignore[misc]
    for second in range(10, 10 + len(poison) + len(waiting)):
        now = at(second)

        def turn(tx: Transaction, now: str = now) -> list[str]:
            claimed = operations.claim(tx, holder="a", now=now, until=at(9999), at_most=2)
            for one in claimed:
                operations.postpone(tx, one.id, holder="a", next_at=now, message="", sent_at=None)
            return [one.id for one in claimed]

        waiting -= set(store.write(turn))
    assert waiting == set()


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


def test_a_key_that_comes_twice_at_once_is_one_operation(stores: tuple[Store, Store]) -> None:
    """Of those that record with the same key at once, exactly one does, and the others are told of that one."""
    for number in range(12):

        def unit(name: str, number: int = number) -> Callable[[Transaction], str]:
            one = pending(f"op_{number}_{name}", None, idempotency_key=f"key {number}", request="same")

            def work(tx: Transaction) -> str:
                earlier = operations.find_by_key(tx, "", f"key {number}", now=at(0))
                return (earlier or operations.record(tx, one)).id

            return work

        told = at_once(stores, *(unit(name) for name in "abcd"))
        recorded = [
            one.id for one in stores[0].read(lambda tx: operations.list_page(tx, limit=500))
            if one.idempotency_key == f"key {number}"
        ]  # fmt: skip
        assert len(recorded) == 1
        assert set(told) == set(recorded)


def test_those_of_one_order_that_come_at_once_have_an_order(stores: tuple[Store, Store]) -> None:
    """Recorded at once by a clock that stands still: each at an instant of its own."""
    units = [
        lambda tx, number=number: operations.record(tx, pending(f"op_{number}", 1)).created_at for number in range(8)
    ]
    assert len(set(at_once(stores, *units))) == len(units)


def test_claims_at_once_share_nothing(stores: tuple[Store, Store]) -> None:
    """Four that claim at once: each operation has one holder, and of an order one is claimed."""
    stores[0].write(lambda tx: compared_clean(tx))
    for number in range(40):
        one = pending(f"op_{number:02}", number // 2, now=at(number))
        stores[0].write(lambda tx, one=one: operations.record(tx, one))  # type: ignore[misc]
    units = [
        lambda tx, who=who: operations.claim(tx, holder=who, now=at(60), until=at(70), at_most=8) for who in "abcd"
    ]
    claimed = [one for end in at_once(stores, *units) for one in end]  # type: ignore[attr-defined]
    assert sorted(one.order_id for one in claimed) == list(range(20))
    assert all(int(one.id[3:]) % 2 == 0 for one in claimed)


class Between:
    """A transaction in which something happens elsewhere between its first answer and its first change."""

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
        stores[0].write(lambda tx: operations.record(tx, pending("op_1")))
        stores[0].write(lambda tx: operations.claim(tx, holder="slow", now=at(1), until=at(10), at_most=1))
        after: list[tuple[object, Operation | None]] = []

        def slow() -> None:
            after.append(stores[1].write(lambda tx: (STEPS[step](tx), operations.get(tx, "op_1"))))

        thread = threading.Thread(target=slow)

        def meanwhile() -> None:
            thread.start()
            thread.join(0.2)  # it may have to wait for the claim

        claimed = stores[0].write(
            lambda tx: operations.claim(Between(tx, meanwhile), holder="fast", now=at(20), until=at(30), at_most=1)
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
