"""Unreadable pages are kept, a bounded number of them."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planso_connector.store import unreadable_pages
from planso_connector.store.engine.database import Transaction
from planso_connector.store.unreadable_pages import UnreadablePage
from tests.databases import Store
from tests.store.samples import at


def keep(store: Store, content: str, second: int, kind: str = "form", order_id: int | None = 1) -> None:
    store.write(
        lambda tx: unreadable_pages.save(
            tx, kind=kind, order_id=order_id, reason="no labelled control", content=content, now=at(second)
        )
    )


def kept(store: Store) -> list[UnreadablePage]:
    return store.read(lambda tx: unreadable_pages.list_all(tx))


def test_a_page_comes_back_as_it_was_kept(store: Store) -> None:
    """Newest first; the list page has no order; what no database can hold is replaced."""
    keep(store, "<p>Größe</p>\0", 1)
    keep(store, "[]", 2, kind="list", order_id=None)

    pages = kept(store)

    assert [(page.kind, page.order_id, page.content, page.kept_at) for page in pages] == [
        ("list", None, "[]", at(2)),
        ("form", 1, "<p>Größe</p>\ufffd", at(1)),
    ]
    assert {page.reason for page in pages} == {"no labelled control"}


def test_a_page_that_fails_again_takes_its_own_place(store: Store) -> None:
    """A page that fails at every sync replaces itself, not the others."""
    keep(store, "parts", 1, kind="parts")
    keep(store, "other order", 2, order_id=2)
    for second in range(3, 30):
        keep(store, f"form {second}", second)
        keep(store, f"list {second}", second, kind="list", order_id=None)

    assert sorted(page.content for page in kept(store)) == ["form 29", "list 29", "other order", "parts"]


def test_a_page_larger_than_all_room_is_cut(store: Store) -> None:
    """It is cut between characters, and is the only page left."""
    keep(store, "small", 1, order_id=2)
    keep(store, "x" + "ü" * 300_000, 2)

    (page,) = kept(store)

    assert page.content == "x" + "ü" * 249_999


def test_pages_are_forgotten_by_id(store: Store) -> None:
    """Only the pages named are deleted; missing ones don't count."""
    for order_id in (1, 2, 3):
        keep(store, "x", order_id, order_id=order_id)
    three, two, one = kept(store)

    assert store.write(lambda tx: unreadable_pages.delete_pages(tx, [two.id, three.id, "page_x"])) == 2

    assert kept(store) == [one]


_WORKSHOPS = itertools.count()


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(
    pages=st.lists(st.tuples(st.integers(1, 6), st.text("aü", max_size=12)), max_size=12),
    at_most=st.integers(1, 4),
    at_most_bytes=st.integers(1, 40),
)
def test_the_newest_that_fit_are_kept(
    store: Store, pages: list[tuple[int, str]], at_most: int, at_most_bytes: int
) -> None:
    """After each save the newest pages within the bounds stay, the one just saved among them."""
    store = store.for_workshop(f"shop {next(_WORKSHOPS)}")
    expected: list[tuple[int, str]] = []
    for second, (order_id, content) in enumerate(pages):

        def act(
            tx: Transaction, *, order_id: int = order_id, content: str = content, second: int = second
        ) -> list[UnreadablePage]:
            unreadable_pages.save(
                tx,
                kind="form",
                order_id=order_id,
                reason="",
                content=content,
                now=at(second),
                at_most=at_most,
                at_most_bytes=at_most_bytes,
            )
            return unreadable_pages.list_all(tx)

        cut = content.encode()[:at_most_bytes].decode(errors="ignore")
        expected = [(order_id, cut), *(entry for entry in expected if entry[0] != order_id)][:at_most]
        while sum(len(text.encode()) for _, text in expected) > at_most_bytes:
            expected.pop()

        assert [(page.order_id, page.content) for page in store.write(act)] == expected
