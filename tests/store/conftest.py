from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import Store


@pytest.fixture
def stores(store: Store, database_url: str) -> Iterator[tuple[Store, Store]]:
    """Two processes' connections to one database."""
    other = Store(database_url)
    yield store, other
    other.close()
