"""The outbox's steps on both databases: whatever the order in which processes take them, an operation ends once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import timedelta

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

from planso_connector.domain.clock import Instant, format_instant, parse_instant
from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.store import operations
from tests.databases import Store
from tests.store.outbox_samples import make_pending, record_clean_save
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
        self.stores = stores[0].for_workshop(shop), stores[1].for_workshop(shop)
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
        asked = make_pending(f"op_{len(self.known):020x}", order_id, now=self.now)
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
        self.stores[side].write(lambda tx: record_clean_save(tx))
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
                tx, one.operation.id, holder=holder, next_at=next_at, message="später", sent_at=sent_at, order_id=number
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
        assert store.read(lambda tx: tx.workshop in operations.list_due_workshops(tx, now=self.now)) == due


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
