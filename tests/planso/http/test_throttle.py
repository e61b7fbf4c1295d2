"""The throttle: how many requests are in flight, when they start, and in which order."""

from __future__ import annotations

import asyncio
import contextvars
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.domain.errors import PlansoTimeout, PlansoUnavailable
from planso_connector.planso.http.adaptive_throttle import MAX_PAUSE, MAX_WRITE_PAUSE
from planso_connector.planso.http.throttle import MAX_RETRY_AFTER, Throttle, urgent_requests
from planso_connector.sandbox import Sandbox
from tests.planso.conftest import client
from tests.planso.manual_clock import ManualClock, ThrottledRequest, make_throttle, run_ready_tasks, start_requests

pytestmark = pytest.mark.anyio


# how many -----------------------------------------------------------------------------------------------------------


async def test_concurrency_is_the_maximum_in_flight(sandbox: Sandbox, url: str) -> None:
    """PlanSo sees at most `concurrency` requests open, and that many when there is work."""
    sandbox.knobs.latency = 0.1
    async with client(url, throttle=Throttle(3)) as planso:
        await asyncio.gather(*(planso.read_form(order) for order in sandbox.order_ids()[:12]))

    assert sandbox.in_flight_peak == 3


async def test_starts_are_spaced_by_the_rate() -> None:
    """With a rate of 50 per second each start is a fiftieth after the one before, writes included."""
    clock = ManualClock()
    throttle = Throttle(4, rate=50, clock=clock)
    requests = [*await start_requests(throttle, 3), *await start_requests(throttle, urgent=True)]
    begun = [sum(request.is_open() for request in requests)]
    for _ in range(3):
        await clock.advance(1 / 50)
        begun.append(sum(request.is_open() for request in requests))

    assert begun == [1, 2, 3, 4]


async def test_starts_are_spaced_by_the_rate_on_a_real_loop() -> None:
    """With a rate of 50 per second four starts take at least three fiftieths."""
    throttle = Throttle(4, rate=50)
    loop = asyncio.get_running_loop()
    starts: list[float] = []

    async def start() -> None:
        async with throttle.slot():
            starts.append(loop.time())

    await asyncio.gather(*(start() for _ in range(4)))

    assert starts[-1] - starts[0] >= 3 / 50 - 0.005
    assert starts == sorted(starts)


@pytest.mark.parametrize(("concurrency", "rate"), [(0, None), (1, 0.0), (1, -1.0), (1, float("nan"))])
async def test_invalid_limits_are_refused(concurrency: int, rate: float | None) -> None:
    """The message says what is accepted."""
    with pytest.raises(ValueError, match="accepted"):
        Throttle(concurrency, rate)


@pytest.mark.parametrize("outcome", [429, 502, 503, 504, None])
async def test_a_round_of_errors_halves_once(outcome: int | None) -> None:
    """Eight that fail together cut 8 to 4, not to 1; and never below 1."""
    clock = ManualClock()
    throttle = make_throttle(8, clock)
    for left in (4, 2, 1, 1):
        requests = [ThrottledRequest(throttle, urgent=True) for _ in range(8)]
        await clock.advance(MAX_PAUSE)
        await run_ready_tasks()
        for request in [request for request in requests if request.is_open()]:
            await request.finish(outcome)
        assert throttle.max_in_flight == left
        for request in requests:
            request.task.cancel()
        await run_ready_tasks()


async def test_latency_is_measured_from_slot_to_response() -> None:
    """Waiting for a slot does not count."""
    clock = ManualClock()
    throttle = make_throttle(1, clock)
    assert throttle.latency is None
    first, second = await start_requests(throttle, 2)
    await clock.advance(0.25)
    await first.finish()
    await clock.advance(0.25)
    await second.finish()

    assert throttle.latency == 0.25


# pauses -------------------------------------------------------------------------------------------------------------


async def test_after_a_pause_one_read_probes_and_its_success_releases_the_rest() -> None:
    """While errors go on, one read at a time probes whether PlanSo is back; no slot is held in between."""
    clock = ManualClock()
    throttle = make_throttle(8, clock)
    for request in await start_requests(throttle, 8):
        await request.finish(502)
    requests = await start_requests(throttle, 8)
    assert (throttle.in_flight, throttle.waiting_count, throttle.paused_until) == (0, 8, clock.now + 0.5)

    await clock.advance(0.49)
    assert throttle.in_flight == 0
    await clock.advance(0.02)
    assert [request.is_open() for request in requests] == [True] + 7 * [False]
    await requests[0].finish(502)
    await clock.advance(0.98)
    assert throttle.in_flight == 0
    await clock.advance(0.04)
    assert throttle.in_flight == 1
    await requests[1].finish(200)

    assert throttle.paused_until is None
    assert throttle.in_flight == throttle.max_in_flight == 2


async def test_a_write_probes_sooner() -> None:
    """A pause of 30 s keeps reads away; a write waits for 2 s of it."""
    clock = ManualClock()
    throttle = make_throttle(4, clock, random_fraction=1.0)
    for _ in range(6):
        [request] = await start_requests(throttle)
        await clock.advance(MAX_PAUSE)
        await request.finish(502)
    [read], [write] = await start_requests(throttle), await start_requests(throttle, urgent=True)

    await clock.advance(MAX_WRITE_PAUSE - 0.01)
    assert not write.is_open()
    await clock.advance(0.02)
    assert write.is_open()
    assert not read.is_open()
    await write.finish(200)

    assert read.is_open()


@pytest.mark.parametrize(
    ("asked_for", "kept"), [(0.0, 0.0), (7.0, 7.0), (5000.0, MAX_RETRY_AFTER), (math.inf, MAX_RETRY_AFTER)]
)
async def test_retry_after_holds_for_all(asked_for: float, kept: float) -> None:
    """Neither reads nor writes are sent before it, even after a good response in between."""
    clock = ManualClock()
    throttle = make_throttle(4, clock)
    late, refused = await start_requests(throttle, 2)
    await refused.finish(429, retry_after=asked_for)
    await late.finish(200)
    requests = await start_requests(throttle) + await start_requests(throttle, urgent=True)
    if kept:
        assert throttle.paused_until == clock.now + kept
        await clock.advance(kept - 0.01)
        assert throttle.in_flight == 0
        await clock.advance(0.02)

    assert all(request.is_open() for request in requests)


async def test_retry_after_counts_in_error_responses_only() -> None:
    """It is ignored in a 200, and kept to in a 500."""
    clock = ManualClock()
    throttle = make_throttle(4, clock)
    [request] = await start_requests(throttle)
    await request.finish(200, retry_after=60.0)
    assert throttle.paused_until is None
    [request] = await start_requests(throttle)
    await request.finish(500, retry_after=60.0)

    assert throttle.paused_until == clock.now + 60.0


# order --------------------------------------------------------------------------------------------------------------


async def test_writes_go_before_reads_each_in_their_order() -> None:
    """First come, first served, among writes, then among reads."""
    throttle = make_throttle(1, ManualClock())
    [holder] = await start_requests(throttle)
    reads, writes = await start_requests(throttle, 2), await start_requests(throttle, 3, urgent=True)
    order = []
    while not holder.task.done():
        await holder.finish()
        for request in (*reads, *writes):
            if request.is_open():
                order.append(request)
                holder = request

    assert order == [*writes, *reads]


async def test_reads_are_served_under_a_steady_stream_of_writes() -> None:
    """Every fourth slot goes to a read."""
    throttle = make_throttle(1, ManualClock())
    [holder] = await start_requests(throttle, urgent=True)
    reads, writes = await start_requests(throttle, 3), await start_requests(throttle, 20, urgent=True)
    served = ""
    for _ in range(12):
        await holder.finish()
        [holder] = [request for request in (*reads, *writes) if request.is_open()]
        served += "r" if holder in reads else "w"

    assert served == "wwrwwwrwwwrw"


async def test_requests_within_urgent_requests_go_first() -> None:
    """Within `urgent`, and in the tasks begun there, requests go before reads; outside they don't."""
    throttle = make_throttle(1, ManualClock())
    [holder] = await start_requests(throttle)
    [read] = await start_requests(throttle)
    with urgent_requests():
        [first] = await start_requests(throttle)
    [other_read] = await start_requests(throttle)
    await holder.finish()
    assert first.is_open()
    await first.finish()
    assert read.is_open()
    await read.finish()

    assert other_read.is_open()


async def test_a_request_that_can_t_begin_in_time_is_not_sent() -> None:
    """Waiting ends at `begin_by`, or at once where a `Retry-After` is known to be longer."""
    clock = ManualClock()
    throttle = make_throttle(1, clock)
    [holder] = await start_requests(throttle)
    with urgent_requests(begin_by=clock.now + 5):
        [late] = await start_requests(throttle)
        await clock.advance(4.99)
        assert not late.task.done()
        with urgent_requests():
            [patient] = await start_requests(throttle)
        await clock.advance(0.02)
        with pytest.raises(PlansoTimeout):
            await late.task
    assert throttle.waiting_count == 1
    await holder.finish(503, retry_after=60.0)
    with urgent_requests(begin_by=clock.now + 59):
        [hopeless] = await start_requests(throttle)
        with pytest.raises(PlansoTimeout):
            await hopeless.task
    await clock.advance(60)

    assert patient.is_open()


async def test_a_cancelled_waiter_loses_no_slot() -> None:
    """Cancelled while it waits, or just as it got a slot: the next one gets the slot."""
    throttle = make_throttle(1, ManualClock())
    [holder] = await start_requests(throttle)
    waiting, at_its_turn, last = await start_requests(throttle, 3)
    waiting.task.cancel()
    await run_ready_tasks()
    assert throttle.waiting_count == 2

    assert holder.attempt is not None
    holder.task.cancel()
    await asyncio.sleep(0)
    assert not at_its_turn.is_open()
    at_its_turn.task.cancel()
    await run_ready_tasks()

    assert last.is_open()
    assert (throttle.in_flight, throttle.waiting_count) == (1, 0)


async def test_a_waiter_cancelled_as_it_expires_releases_nothing() -> None:
    """It had no slot."""
    clock = ManualClock()
    throttle = make_throttle(1, clock)
    await start_requests(throttle)
    with urgent_requests(begin_by=clock.now + 5):
        [late] = await start_requests(throttle)
    [expiry] = clock.timers
    expiry.callback()
    late.task.cancel()
    await run_ready_tasks()

    assert (throttle.in_flight, throttle.waiting_count) == (1, 0)


STEPS = st.one_of(
    st.tuples(st.just("read"), st.just(0)),
    st.tuples(st.just("write"), st.just(0)),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.sampled_from(["good", "bad", "held", "broken", "unsaid"]), st.integers(0, 30)),
    st.tuples(st.just("turn"), st.sampled_from([0, 1, 3, 40])),
    st.tuples(st.just("rush"), st.integers(0, 30)),
)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 4), st.sampled_from([None, 2.0]), st.lists(STEPS, max_size=40))
def test_slots_are_never_lost_nor_doubled(concurrency: int, rate: float | None, steps: list[tuple[str, int]]) -> None:
    """
    With requests that start, end, fail and are cancelled in any order: `in_flight` is what is open, nothing begins
    beyond the limit or within a `Retry-After`, and in the end every request got its slot.
    """
    asyncio.run(run_steps(concurrency, rate, steps))


async def run_steps(concurrency: int, rate: float | None, steps: list[tuple[str, int]]) -> None:
    clock = ManualClock()
    throttle = Throttle(concurrency, rate, clock=clock, random_fraction=lambda: 0.5)
    requests: list[ThrottledRequest] = []
    held_until = 0.0
    for step, number in steps:
        was_open = {request for request in requests if request.is_open()}
        room = throttle.max_in_flight
        unfinished = [request for request in requests if not request.task.done()]
        if step in ("read", "write"):
            requests.append(ThrottledRequest(throttle, urgent=step == "write"))
        elif step == "turn":
            await clock.advance(number)
        elif step in ("cancel", "rush") and unfinished:
            if step == "rush" and was_open:  # the slot is given away in the moment in which a waiter is cancelled
                min(was_open, key=requests.index).task.cancel()
                await asyncio.sleep(0)
            unfinished[number % len(unfinished)].task.cancel()
        elif was_open and step not in ("cancel", "rush"):
            request = sorted(was_open, key=requests.index)[number % len(was_open)]
            if step == "unsaid":
                request.task.cancel()
            else:
                outcome = {"good": (200, None), "bad": (502, None), "held": (503, 20.0), "broken": (None, None)}[step]
                held_until = max(held_until, clock.now + 20.0 if step == "held" else 0.0)
                await request.finish(*outcome)
        await run_ready_tasks()
        is_open = {request for request in requests if request.is_open() and not request.task.done()}
        assert throttle.in_flight == len(is_open)
        assert throttle.waiting_count == sum(not request.task.done() for request in requests) - len(is_open)
        if is_open - was_open:
            assert len(is_open) <= max(room, throttle.max_in_flight)
            assert clock.now >= held_until - 0.001
        assert 1 <= throttle.max_in_flight <= concurrency
    for _ in range(200):
        for request in [request for request in requests if request.is_open() and not request.task.done()]:
            await request.finish(200)
        if all(request.task.done() for request in requests):
            break
        await clock.advance(5)
    assert (throttle.in_flight, throttle.waiting_count) == (0, 0)
    assert not [request for request in requests if not request.task.done()]


async def test_an_overloaded_planso_gets_fewer_requests_and_then_all_again(sandbox: Sandbox, url: str) -> None:
    """Eight 502s at once leave four in flight after a pause; forty good responses restore eight."""
    throttle = Throttle(8, random_fraction=lambda: 0.0)
    orders = sandbox.order_ids()
    async with client(url, throttle=throttle) as planso:
        await planso.read_board()
        sandbox.knobs.latency = 0.1
        sandbox.knobs.fail_next = 8
        failed = await asyncio.gather(*(planso.read_form(order) for order in orders[:8]), return_exceptions=True)
        assert {type(outcome) for outcome in failed} == {PlansoUnavailable}
        assert (throttle.max_in_flight, throttle.paused_until is not None) == (4, True)

        sandbox.forget_requests()
        await asyncio.gather(*(planso.read_form(order) for order in orders[:4]))
        assert sandbox.in_flight_peak <= 4
        assert throttle.paused_until is None

        await asyncio.gather(*(planso.read_form(order) for order in orders))
        assert throttle.max_in_flight == 8
        sandbox.forget_requests()
        await asyncio.gather(*(planso.read_form(order) for order in orders))
        assert sandbox.in_flight_peak == 8


async def test_a_held_slot_serves_several_requests_without_waiting() -> None:
    """Within `hold_slot` requests follow each other at once, whoever else waits; then the others are served."""
    throttle = Throttle(concurrency=1)
    order: list[str] = []

    async def reader() -> None:
        async with throttle.slot():
            order.append("read")

    elsewhere = contextvars.copy_context()
    async with throttle.hold_slot():
        assert throttle.is_slot_held
        waiting = asyncio.create_task(reader(), context=elsewhere)
        await asyncio.sleep(0)
        for step in ("form", "save"):
            async with throttle.slot():
                order.append(step)
                await asyncio.sleep(0)
        assert throttle.in_flight == 1
    await waiting
    assert order == ["form", "save", "read"]
    assert (throttle.in_flight, throttle.is_slot_held) == (0, False)
