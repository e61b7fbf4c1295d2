from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service import Service


@pytest.fixture(scope="module")
def orders(service: Service) -> Iterator[int]:
    """The orders' ids, one after the other."""
    return iter(service.sandbox.order_ids())


@pytest.fixture
def order(orders: Iterator[int]) -> int:
    """The id of an order that no other test touches."""
    return next(orders)
