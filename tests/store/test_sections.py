"""Sections: one for each order and tab; the later reading wins."""

from __future__ import annotations

import pytest

from planso_connector.store import orders, sections
from planso_connector.store.sections import Section
from tests.databases import Store
from tests.store.samples import at, order


@pytest.fixture(autouse=True)
def two_orders(store: Store) -> None:
    for order_id in (1, 2):
        store.write(lambda tx, n=order_id: orders.save(tx, order(n), read_at=at(0), now=at(0)))  # type: ignore[misc]


def save(store: Store, name: str, document: str, second: int, order_id: int = 1) -> bool:
    return store.write(lambda tx: sections.save(tx, order_id, name, document, read_at=at(second), now=at(second + 1)))


def get(store: Store, name: str, order_id: int = 1) -> Section | None:
    return store.read(lambda tx: sections.get(tx, order_id, name))


def test_a_section_comes_back_as_it_was_saved(store: Store) -> None:
    """Sections are stored by order and name; a missing one is None, also for names that no database can hold."""
    assert save(store, "work", '{"pairs":{"Größe":"1"}}', 5)
    assert save(store, "details", "{}", 6)

    assert get(store, "work") == Section("work", '{"pairs":{"Größe":"1"}}', at(5), at(6))
    assert store.read(lambda tx: sections.list_names(tx, 1)) == [("details", at(7)), ("work", at(6))]
    assert get(store, "invoice") is None
    assert get(store, "wo\0rk") is None
    assert get(store, "work", 2) is None
    assert store.read(lambda tx: sections.list_names(tx, 2)) == []


def test_an_earlier_reading_of_a_section_never_overwrites_a_later_one(store: Store) -> None:
    """As with orders, what counts is when the request for the page was started; the same instant overwrites."""
    save(store, "work", '"new"', 10)

    assert not save(store, "work", '"old"', 9)
    assert get(store, "work") == Section("work", '"new"', at(10), at(11))
    assert save(store, "work", '"again"', 10)
    assert get(store, "work") == Section("work", '"again"', at(10), at(11))


def test_a_reading_of_a_clock_that_was_set_back_is_no_later_one(store: Store) -> None:
    """A reading more than a minute ahead of now was made before the clock was set back, and is overwritten."""
    save(store, "work", '"ahead"', 7200)

    assert save(store, "work", '"since"', 10)
    assert get(store, "work") == Section("work", '"since"', at(10), at(11))


def test_the_oldest_reading_of_each_order_is_listed(store: Store) -> None:
    """For each order with sections, when its oldest one was read."""
    assert store.read(lambda tx: sections.read_at_by_order(tx)) == {}
    for name, second in (("work", 5), ("details", 3), ("invoice", 9)):
        save(store, name, "{}", second)
    save(store, "work", "{}", 7, order_id=2)

    assert store.read(lambda tx: sections.read_at_by_order(tx)) == {1: at(3), 2: at(7)}


def test_what_no_database_can_hold_is_replaced_in_a_section(store: Store) -> None:
    """NUL and lone surrogates do not stop a save."""
    assert save(store, "work", '"A\0B\ud800"', 1)
    section = get(store, "work")
    assert section is not None
    assert section.document == '"A\ufffdB\ufffd"'
