"""Claims: how long they last, whom they keep waiting, and that none starves."""

from __future__ import annotations

from planso_connector.domain.clock import Instant
from planso_connector.domain.operation import OperationState
from planso_connector.store import operations
from planso_connector.store.engine.transaction import Transaction
from tests.databases import Store
from tests.store.outbox_samples import make_pending, record_clean_save
from tests.store.samples import at


def test_a_create_that_gets_its_number_waits_for_what_is_under_way(store: Store) -> None:
    """An update of that order was claimed meanwhile: the create, recorded before it, is not until that one rests."""
    store.write(lambda tx: record_clean_save(tx))
    store.write(lambda tx: operations.record(tx, make_pending("op_create", None)))
    store.write(lambda tx: operations.claim(tx, holder="a", now=at(1), until=at(50), at_most=1))
    store.write(lambda tx: operations.record(tx, make_pending("op_update", 7, now=at(2))))

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
    store.write(lambda tx: operations.record(tx, make_pending("op_1")))

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
    store.write(lambda tx: operations.record(tx, make_pending("op_2")))
    assert (called_off("op_2"), called_off("op_2")) == (True, False)


def test_no_operation_starves(store: Store) -> None:
    """Others that are put back for ever, due again at once and recorded before, don't keep one from its turn."""
    poison = [make_pending(f"op_{number}", number) for number in range(1, 8)]
    for one in poison:
        store.write(lambda tx, one=one: operations.record(tx, one))  # type: ignore[misc]
    waiting = {f"op_late{number}" for number in range(3)}
    for number, name in enumerate(sorted(waiting)):
        late = make_pending(name, 100 + number, now=at(5 + number))
        store.write(lambda tx, late=late: operations.record(tx, late))  # type: ignore[misc]
    for second in range(10, 10 + len(poison) + len(waiting)):
        now = at(second)

        def turn(tx: Transaction, now: Instant = now) -> list[str]:
            claimed = operations.claim(tx, holder="a", now=now, until=at(9999), at_most=2)
            for one in claimed:
                operations.postpone(tx, one.id, holder="a", next_at=now, message="", sent_at=None)
            return [one.id for one in claimed]

        waiting -= set(store.write(turn))
    assert waiting == set()
