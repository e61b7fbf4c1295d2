from __future__ import annotations

import asyncio

import pytest

from planso_connector.planso.throttle import Throttle
from planso_connector.sandbox import Sandbox
from tests.planso.conftest import client

pytestmark = pytest.mark.anyio


async def test_never_more_at_once_than_allowed(sandbox: Sandbox, url: str) -> None:
    """PlanSo sees at most `concurrency` requests open, and that many when there is work."""
    sandbox.knobs.latency = 0.02
    async with client(url, throttle=Throttle(3)) as planso:
        await asyncio.gather(*(planso.read_form(order) for order in sandbox.order_ids()[:12]))

    assert sandbox.in_flight_peak == 3


async def test_starts_keep_their_distance() -> None:
    """With a rate of 50 a second, four starts take at least three fiftieths."""
    throttle = Throttle(4, rate=50)
    loop = asyncio.get_running_loop()
    starts: list[float] = []

    async def one() -> None:
        async with throttle.slot():
            starts.append(loop.time())

    await asyncio.gather(*(one() for _ in range(4)))

    assert starts[-1] - starts[0] >= 3 / 50 - 0.005
    assert starts == sorted(starts)


@pytest.mark.parametrize(("concurrency", "rate"), [(0, None), (1, 0.0), (1, -1.0), (1, float("nan"))])
async def test_limits_that_are_none_are_told(concurrency: int, rate: float | None) -> None:
    """The message says what is accepted."""
    with pytest.raises(ValueError, match="accepted"):
        Throttle(concurrency, rate)
