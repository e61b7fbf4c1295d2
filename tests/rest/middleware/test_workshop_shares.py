"""What one of several workshops may take of the limits for all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from contextvars import copy_context
from pathlib import Path

import pytest

from planso_connector.domain.errors import TooManyWaiting
from planso_connector.flows.operating.wait_limit import WaitLimit, current_key_id, current_workshop
from tests.many_workshops import Workshops, running_workshops
from tests.rest import raw
from tests.service import wait_until

TOTAL = 8
HALF = 4


@pytest.fixture(scope="module")
def workshops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshops]:
    folder: Path = tmp_path_factory.mktemp("shares")
    settings = {"connector_parallel": TOTAL, "connector_parallel_total": TOTAL}
    with running_workshops(["one", "other"], f"sqlite:///{folder / 'x.db'}", orders=4, **settings) as running:
        yield running


def begin_write(workshops: Workshops, name: str, length: int = 1) -> socket.socket:
    """A write that is in flight until its body is sent; not read further than the head."""
    connection = raw.connect(workshops.service.address)
    head = f"PUT /api/orders/1 HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {workshops.keys[name]}\r\n"
    more = f"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall((head + more).encode())
    return connection


def test_a_workshop_has_half_of_the_slots(workshops: Workshops) -> None:
    """Its next request is 429 with Retry-After, write or read; the other workshop, metrics and readiness are served."""
    with ExitStack() as stack:
        for _ in range(HALF):
            connection = stack.enter_context(closing(begin_write(workshops, "one")))
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        refused = workshops.http["one"].get("/api/orders")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert refused.json() == {
            "success": False,
            "message": f"Too many requests of this workshop at once; accepted: {HALF}.",
        }
        refused_write = stack.enter_context(closing(begin_write(workshops, "one")))
        assert refused_write.recv(100).startswith(b"HTTP/1.1 429 ")
        assert workshops.http["one"].get("/metrics").status_code == 200
        assert workshops.http["other"].get("/api/orders").status_code == 200
        admitted = stack.enter_context(closing(begin_write(workshops, "other")))
        assert admitted.recv(100).startswith(b"HTTP/1.1 100 ")

    def is_admitted() -> bool:
        with closing(begin_write(workshops, "one")) as connection:
            return connection.recv(100).startswith(b"HTTP/1.1 100 ")

    wait_until(is_admitted, "the slots of closed connections")


def _is_admitted(limit: WaitLimit, stack: ExitStack, workshop: str, key_id: str) -> bool:
    current_workshop.set(workshop)
    current_key_id.set(key_id)
    try:
        stack.enter_context(limit.acquire())
    except TooManyWaiting:
        return False
    return True


def test_half_of_those_who_wait_may_be_of_one_workshop() -> None:
    """Whichever keys they have; of a workshop that is alone all may wait. Who is done makes room."""

    def fill(*, is_alone: bool) -> None:
        with ExitStack() as stack:
            limit = WaitLimit(TOTAL, "for PlanSo", lambda: is_alone)
            waiting = [_is_admitted(limit, stack, "one", f"key {number}") for number in range(TOTAL)]
            assert waiting == [True] * HALF + [is_alone] * HALF
            assert limit.is_full
            others = [_is_admitted(limit, stack, f"other {number % 2}", "") for number in range(TOTAL)]
            assert sum(others) == (0 if is_alone else HALF)
        assert (limit.waiting, limit.is_full) == (0, False)

    copy_context().run(fill, is_alone=False)
    copy_context().run(fill, is_alone=True)
