"""Lookup keys agree with the orders, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Text, bindparam, literal_column, select

from planso_connector.domain.clock import format_instant
from planso_connector.domain.clock import now as clock_now
from planso_connector.domain.errors import NotPossible
from planso_connector.domain.order import PLATE
from planso_connector.flows.querying.lookup import LookupRequest, LookupService
from planso_connector.flows.querying.reindex import Reindexer
from planso_connector.store import leases, lookup_keys, orders, reindex, search
from planso_connector.store.engine import sqlite
from planso_connector.store.engine.database import Transaction
from planso_connector.store.engine.expressions import text_candidates
from planso_connector.store.maintenance import migrate
from planso_connector.store.order_rows import to_json
from planso_connector.store.tables import lookup_keys as table
from planso_connector.store.tables import orders as orders_table
from tests.databases import Store
from tests.store.samples import OTHER_SHOP, SHOP, at, order

Keys = set[tuple[Any, ...]]
_ALL = select(table)


def keys(store: Store, shop: str = SHOP) -> Keys:
    rows = store.for_workshop(shop).read(lambda tx: tx.fetch_all(_ALL))
    return {
        (row["order_id"], row["archived"], row["kind"], row["key"])
        for row in rows
        if row["workshop"] == shop and row["kind"]
    }


def keys_of(order_id: int, found: Keys) -> set[tuple[int, str, str]]:
    return {key[1:] for key in found if key[0] == order_id}


def rebuild(store: Store) -> Keys:
    store.runner.run(Reindexer(store.database, clock_now).run())
    return keys(store)


def save(tx: Transaction, second: int, order_id: int = 123, *, archived: bool = False, **values: Any) -> None:
    values = {"plate": "WN-AE 2309", **values}
    plate = values.pop("plate")
    held = order(order_id, values={PLATE: plate, **values}, plate=plate, archived=archived)
    orders.save(tx, held, read_at=at(second), now=at(second))


class FailedError(Exception):
    pass


VALUES = st.fixed_dictionaries(
    {
        "plate": st.sampled_from([None, "WN-AE 2309", "wnae2309", "TÜ-KE 18", "B", "–"]),
        "person": st.sampled_from([None, "Jana Petersen", "Petersen, Jana", "Müller-Lüdenscheidt GmbH", "&"]),
        "phone": st.sampled_from([None, "0151 23456", "+49 151 23456", "07151 1-0 oder 07151 2", "nie"]),
        "email": st.sampled_from([None, "jana@example.org", " JANA@Example.org", "x"]),
    }
)
ORDERS = (1, 2, 3)
ACTIONS = ("save", "save archived", "save outdated", "archive", "delete", "fail")
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from(ORDERS), VALUES), max_size=12)
clock = count(100)


def act(tx: Transaction, action: str, order_id: int, values: dict[str, str | None]) -> None:
    now = next(clock)
    if action == "archive":
        orders.archive(tx, [order_id], now=at(now), read_at=at(now))
    elif action == "delete":
        orders.mark_deleted(tx, order_id, now=at(now), read_at=at(now))
    else:
        save(
            tx,
            1 if action == "save outdated" else now,
            order_id,
            archived=action == "save archived",
            **cast("Any", values),
        )
    if action == "fail":
        raise FailedError


@given(STEPS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_keys_are_always_those_of_a_rebuild(store: Store, steps: list[tuple[str, int, dict[str, str | None]]]) -> None:
    """
    After any saves, archivings, deletions, outdated readings and failed transactions, the keys are those that a rebuild
    writes. A deleted order has none, an archived one only archived ones, and a failed transaction changes nothing.
    """
    for order_id in ORDERS:
        store.write(lambda tx, gone=order_id: act(tx, "delete", gone, {}))  # type: ignore[misc]
    assert keys(store) == set()
    for action, order_id, values in steps:
        before = keys(store)
        if action == "fail":
            with pytest.raises(FailedError):
                store.write(lambda tx, step=(action, order_id, values): act(tx, *step))  # type: ignore[misc]
            assert keys(store) == before
            continue
        store.write(lambda tx, step=(action, order_id, values): act(tx, *step))  # type: ignore[misc]
        own = keys_of(order_id, keys(store))
        assert not (action == "delete" and own)
        assert {archived for archived, _, _ in own} <= {
            int(action in ("archive", "save archived"))
        } or "outdated" in action
        assert keys(store) - before <= {(order_id, *key) for key in own}, "another order's"

    along = keys(store)
    assert_text_index_agrees(store)

    assert rebuild(store) == along
    assert_text_index_agrees(store)


_TEXTS = select(orders_table.c.id, orders_table.c.text_key).where(orders_table.c.workshop == SHOP)
_CANDIDATES = select(
    text_candidates(bindparam("shop", type_=Text), bindparam("runs", type_=Text), literal_column("99"))
    .table_valued("order_id")
    .c.order_id
)


def assert_text_index_agrees(store: Store) -> None:
    """The text index finds a piece in exactly the orders whose text has it."""

    def work(tx: Transaction) -> None:
        texts = {row["id"]: row["text_key"] for row in tx.fetch_all(_TEXTS)}
        for piece in ("jan", "23", "e", "x", "tue", "15", "0"):
            found = {row["order_id"] for row in tx.fetch_all(_CANDIDATES, shop=SHOP, runs=to_json([piece]))}
            assert found == {order_id for order_id, text in texts.items() if piece in text}, (piece, texts)

    store.read(work)


def test_the_keys_of_an_order(store: Store) -> None:
    """Each end of the plate, the name's words, two of them as one, and their sounds, reversed digits, the address."""
    store.write(lambda tx: save(tx, 1, plate="B-N 12", person="Jörg Müller", phone="0151/23 45", email="J@Example.org"))
    assert {key[1:] for key in keys_of(123, keys(store))} == {
        ("plate", "BN12"),
        ("plate", "N12"),
        ("plate", "12"),
        ("word", "jorg"),
        ("word", "muller"),
        ("sound", "074"),
        ("sound", "657"),
        ("word", "jorgmuller"),
        ("sound", "074657"),
        ("phone", "543215194"),
        ("email", "j@example.org"),
    }


def test_a_change_replaces_only_its_own_keys(store: Store) -> None:
    """With another phone number the old one's key is gone, and all others are the same."""
    store.write(lambda tx: save(tx, 1))
    before = keys(store)
    store.write(lambda tx: save(tx, 2, phone="0711 998877"))
    after = keys(store)
    assert before - after == {(123, 0, "phone", "6543215194")}
    assert after - before == {(123, 0, "phone", "77889911794")}


def test_an_order_is_archived_deleted_and_restored(store: Store) -> None:
    """Archived, restored, deleted, restored: the same keys each time, archived or current as the order is."""
    store.write(lambda tx: save(tx, 1))
    current = keys_of(123, keys(store))
    archived = {(1, kind, key) for _, kind, key in current}
    store.write(lambda tx: orders.archive(tx, [123], now=at(2), read_at=at(2)))
    assert keys_of(123, keys(store)) == archived
    store.write(lambda tx: save(tx, 3))
    assert keys_of(123, keys(store)) == current
    store.write(lambda tx: orders.mark_deleted(tx, 123, now=at(4), read_at=at(4)))
    assert keys(store) == set()
    store.write(lambda tx: save(tx, 5))
    assert keys_of(123, keys(store)) == current


def test_lost_keys_are_rebuilt(store: Store) -> None:
    """Without keys a rebuild is due; afterwards it isn't, every key exists, and keys of no order are gone."""
    for order_id in range(1, 4):
        store.write(lambda tx, one=order_id: save(tx, 1, one, person=f"Jana Petersen{one}"))  # type: ignore[misc]
    along = keys(store)
    store.write(lambda tx: reindex.clear_keys(tx))
    assert store.runner.run(Reindexer(store.database, clock_now).is_due())
    store.write(
        lambda tx: lookup_keys.update_keys(tx, 99, before=(frozenset(), False), after=(KEYS_OF_NO_ORDER, False))
    )

    assert rebuild(store) == along
    assert not store.runner.run(Reindexer(store.database, clock_now).is_due())


KEYS_OF_NO_ORDER = frozenset({("word", "niemand")})


def test_workshops_are_separate(store: Store) -> None:
    """Each has its own keys, a rebuild of one keeps the other's, and each finds its own order."""
    store.write(lambda tx: save(tx, 1, person="Jana Petersen"))
    store.for_workshop(OTHER_SHOP).write(lambda tx: save(tx, 1, 124, person="Olga Petersen"))
    here, there = keys(store), keys(store, OTHER_SHOP)
    assert {key[0] for key in here} == {123}
    assert {key[0] for key in there} == {124}
    store.write(lambda tx: reindex.clear_keys(tx))
    assert keys(store, OTHER_SHOP) == there
    assert rebuild(store) == here
    assert keys(store, OTHER_SHOP) == there
    for shop, order_id in ((SHOP, 123), (OTHER_SHOP, 124)):
        asked = LookupRequest(free_text="WN-AE 2309, Petersen, 23456")
        found = store.runner.run(
            LookupService(store.for_workshop(shop).database).find(asked, archived=False, limit=5, language="de")
        )
        assert [match.order_id for match in found.matches] == [order_id]


def test_a_plate_search_does_not_slow_down_with_more_orders(tmp_path: Path) -> None:
    """SQLite's steps for a plate don't grow with the number of orders; walking a million takes a second."""
    path = tmp_path / "plates.db"
    migrate.migrate(f"sqlite:///{path}")
    steps = 0

    def count_step() -> bool:
        nonlocal steps
        steps += 1
        return False

    connection = sqlite.connect(path)
    transaction = sqlite.SqliteTransaction(connection)
    transaction.use_workshop(SHOP)

    def cost(first: int, last: int) -> int:
        nonlocal steps
        connection.execute("BEGIN")
        for number in range(first, last):
            one = replace(order(number, values={PLATE: f"WN-AE {number}"}), plate=f"WN-AE {number}")
            orders.save(transaction, one, read_at=at(1), now=at(1))
        connection.execute("COMMIT")
        steps = 0
        connection.set_progress_handler(count_step, 10)
        recall = lookup_keys.KeySearch(transaction, archived=False)
        assert recall.plates([f"WNAE{number}" for number in range(first, first + 40)], 60)
        assert search.find_orders(transaction, search.OrderFilters(plate=f"WNAE{first}")).documents
        connection.set_progress_handler(None)
        return steps

    few = cost(1000, 1100)
    lookup_keys.write_rebuild_progress(transaction, None)
    assert cost(1100, 1900) < 2 * few
    connection.close()


def test_a_second_rebuild_at_once_is_refused(store: Store) -> None:
    """While another process rebuilds, a rebuild raises NotPossible and clears nothing; afterwards it completes."""
    store.write(lambda tx: save(tx, 1))
    along = keys(store)
    now, later = format_instant(clock_now()), format_instant(clock_now() + timedelta(minutes=1))
    store.write(lambda tx: leases.acquire(tx, "reindex", holder="other", now=now, until=later))
    one = Reindexer(store.database, clock_now)
    with pytest.raises(NotPossible, match="Another process"):
        store.runner.run(one.run())
    assert (keys(store), store.runner.run(one.is_due())) == (along, True)
    store.write(lambda tx: leases.release(tx, "reindex", holder="other"))
    store.runner.run(one.run())
    assert (keys(store), store.runner.run(one.is_due())) == (along, False)
