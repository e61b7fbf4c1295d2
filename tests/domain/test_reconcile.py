from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from planso_connector.domain.errors import MassRemoval
from planso_connector.domain.order import BoardEntry
from planso_connector.domain.reconcile import (
    MirroredOrder,
    ReadReason,
    ReconcilePolicy,
    SyncPlan,
    fingerprint_entry,
    reconcile,
)

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
POLICY = ReconcilePolicy()


def entry(order_id: int, name: str = "") -> BoardEntry:
    return BoardEntry(order_id, short_name=name or f"A-B {order_id}", station_id="2", station_state="active")


def mirrored(of: BoardEntry, **changes: object) -> MirroredOrder:
    return replace(MirroredOrder(fingerprint_entry(of), NOW), **changes)  # type: ignore[arg-type]


def reasons(plan: SyncPlan) -> dict[int, ReadReason]:
    return {order.entry.order_id: order.reason for order in plan.to_read}


def test_an_unchanged_mirror_needs_nothing_but_the_list() -> None:
    """Every order as it was: nothing to read, none removed, all unchanged."""
    board = [entry(n) for n in range(1, 50)]
    plan = reconcile(board, {e.order_id: mirrored(e) for e in board}, (), NOW, POLICY)
    assert (plan.to_read, plan.removed) == ((), ())
    assert plan.unchanged == tuple(range(1, 50))


def test_each_reason_to_read_an_order() -> None:
    """New, back from the archive, changed in the list, due, or by a full sync; new ones first."""
    board = [entry(n) for n in (1, 2, 3, 4, 5)]
    known = {
        2: mirrored(entry(2), archived=True),
        3: mirrored(entry(3, "other")),
        4: mirrored(entry(4), read_at=NOW - timedelta(hours=25)),
        5: mirrored(entry(5), read_at=NOW - timedelta(hours=1)),
    }
    plan = reconcile(board, known, (), NOW, POLICY)
    assert reasons(plan) == {1: ReadReason.NEW, 2: ReadReason.NEW, 3: ReadReason.CHANGED, 4: ReadReason.DUE}
    assert plan.unchanged == (5,)
    full = reconcile(board, known, (), NOW, POLICY, full_since=NOW)
    assert reasons(full)[5] is ReadReason.FULL_SYNC


def test_a_full_run_is_continued() -> None:
    """Orders that the interrupted full run had read are not read again."""
    board = [entry(1), entry(2)]
    known = {1: mirrored(entry(1)), 2: mirrored(entry(2), read_at=NOW - timedelta(minutes=5))}
    plan = reconcile(board, known, (), NOW, POLICY, full_since=NOW - timedelta(minutes=1))
    assert reasons(plan) == {2: ReadReason.FULL_SYNC}


@given(st.integers(1, 10**9), st.booleans(), st.booleans())
def test_every_order_is_reread_in_time(order_id: int, in_workshop: bool, missing: bool) -> None:
    """Within its time and not before half of it; sooner in the workshop or with missing parts."""
    one = entry(order_id)
    limit = POLICY.reread_soon if in_workshop or missing else POLICY.reread
    for age, due in ((limit, True), (limit / 2 - timedelta(seconds=1), False)):
        known = {order_id: mirrored(one, read_at=NOW - age, in_workshop=in_workshop, missing_parts=missing)}
        assert bool(reconcile([one], known, (), NOW, POLICY).to_read) is due


def test_rereadings_are_spread() -> None:
    """Orders that were read at the same time are not due at the same time."""
    board = [entry(n) for n in range(1, 1001)]
    known = {e.order_id: mirrored(e, read_at=NOW - timedelta(hours=18)) for e in board}
    due = len(reconcile(board, known, (), NOW, POLICY).to_read)
    assert 400 < due < 600


@pytest.mark.parametrize(
    ("known", "listed", "accepted"),
    [(100, 76, True), (100, 74, False), (100, 50, False), (100, 0, False), (4, 1, True), (4, 0, False), (1, 0, False)],
)
def test_too_many_removals_stop_a_sync(known: int, listed: int, accepted: bool) -> None:
    """More than a quarter at once, or all: MassRemoval; a person can accept it."""
    board = [entry(n) for n in range(1, known + 1)]
    mirror = {e.order_id: mirrored(e) for e in board}
    if accepted:
        assert len(reconcile(board[:listed], mirror, (), NOW, POLICY).removed) == known - listed
        return
    with pytest.raises(MassRemoval, match="accept-removals"):
        reconcile(board[:listed], mirror, (), NOW, POLICY)
    assert len(reconcile(board[:listed], mirror, (), NOW, POLICY, accept_removals=True).removed) == known - listed


def test_an_order_that_is_being_written_is_not_removed() -> None:
    """Whatever the list says."""
    board = [entry(n) for n in range(1, 11)]
    mirror = {e.order_id: mirrored(e) for e in board}
    assert reconcile(board[:8], mirror, {10}, NOW, POLICY).removed == (9,)


def test_a_move_on_the_board_is_no_change() -> None:
    """When one order moves up, all below move down; none is read for that."""
    assert fingerprint_entry(entry(1)) == fingerprint_entry(entry(1)._replace(position="17"))
    assert fingerprint_entry(entry(1)) != fingerprint_entry(entry(1)._replace(station_state="finished"))


class Syncing(RuleBasedStateMachine):
    """
    A workshop that archives, edits and brings back orders, and a mirror synced by runs that fail or die at any point.
    `shown`: what PlanSo's list and forms hold; `mirror`: what was stored, page by page.
    """

    @initialize(count=st.integers(1, 30))
    def begin(self, count: int) -> None:
        self.now = NOW
        self.shown = {n: entry(n) for n in range(1, count + 1)}
        self.away: dict[int, BoardEntry] = {}
        self.mirror: dict[int, tuple[BoardEntry, MirroredOrder]] = {}
        self.run_fully()

    @rule(pick=st.integers(0, 1000), name=st.text(min_size=1, max_size=3))
    def edit(self, pick: int, name: str) -> None:
        if self.shown:
            order_id = sorted(self.shown)[pick % len(self.shown)]
            self.shown[order_id] = entry(order_id, name)

    @rule(pick=st.integers(0, 1000))
    def archive(self, pick: int) -> None:
        if len(self.shown) > 1:
            order_id = sorted(self.shown)[pick % len(self.shown)]
            self.away[order_id] = self.shown.pop(order_id)

    @rule(pick=st.integers(0, 1000))
    def bring_back(self, pick: int) -> None:
        if self.away:
            order_id = sorted(self.away)[pick % len(self.away)]
            self.shown[order_id] = self.away.pop(order_id)

    @rule()
    def arrive(self) -> None:
        order_id = max([*self.shown, *self.away], default=0) + 1
        self.shown[order_id] = entry(order_id)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(steps=st.integers(0, 10), failing=st.sets(st.integers(1, 40)))
    def run_that_dies(self, steps: int, failing: set[int]) -> None:
        self.carry_out(self.plan(), steps, failing)

    @rule()
    def run_fully(self) -> None:
        self.carry_out(self.plan(), None, set())
        assert {n: e for n, (e, known) in self.mirror.items() if not known.archived} == self.shown
        again = self.plan()
        assert (again.to_read, again.removed) == ((), ())

    @invariant()
    def nothing_is_lost(self) -> None:
        assert set(self.mirror) <= set(self.shown) | set(self.away)

    def plan(self) -> SyncPlan:
        known = {n: k for n, (_, k) in self.mirror.items()}
        return reconcile(list(self.shown.values()), known, (), self.now, POLICY, accept_removals=True)

    def carry_out(self, plan: SyncPlan, steps: int | None, failing: set[int]) -> None:
        for done, reading in enumerate(plan.to_read):
            if steps is not None and done >= steps:
                return
            if reading.entry.order_id not in failing:
                one = reading.entry
                self.mirror[one.order_id] = (one, MirroredOrder(fingerprint_entry(one), self.now))
        for order_id in plan.removed:
            one, known = self.mirror[order_id]
            self.mirror[order_id] = (one, replace(known, archived=True))


TestSyncing = Syncing.TestCase
TestSyncing.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
