from __future__ import annotations

import asyncio
import contextvars
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.domain.errors import PlansoTimeout, PlansoUnavailable
from planso_connector.planso.http.adaptive_limit import MAX_PAUSE, MAX_WRITE_PAUSE
from planso_connector.planso.http.throttle import MAX_RETRY_AFTER, Throttle, urgent_requests
from planso_connector.sandbox import Sandbox
from tests.planso.conftest import client
from tests.planso.hands import Hands, Request, asked, settle, throttle_of

pytestmark = pytest.mark.anyio


# how many -----------------------------------------------------------------------------------------------------------


async def test_never_more_at_once_than_allowed(sandbox: Sandbox, url: str) -> None:
    """PlanSo sees at most `concurrency` requests open, and that many when there is work."""
    sandbox.knobs.latency = 0.1
    async with client(url, throttle=Throttle(3)) as planso:
        await asyncio.gather(*(planso.read_form(order) for order in sandbox.order_ids()[:12]))

    assert sandbox.in_flight_peak == 3


async def test_starts_keep_their_distance() -> None:
    """With a rate of 50 a second, each start comes a fiftieth after the one before; writes keep it too."""
    hands = Hands()
    throttle = Throttle(4, rate=50, clock=hands)
    requests = [*await asked(throttle, 3), *await asked(throttle, urgent=True)]
    begun = [sum(request.is_open() for request in requests)]
    for _ in range(3):
        await hands.turn(1 / 50)
        begun.append(sum(request.is_open() for request in requests))

    assert begun == [1, 2, 3, 4]


async def test_starts_keep_their_distance_on_a_real_loop() -> None:
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


@pytest.mark.parametrize("outcome", [429, 502, 503, 504, None])
async def test_a_round_of_errors_halves_once(outcome: int | None) -> None:
    """Eight that fail together were sent before anybody knew: 8 becomes 4, not 1; and never less than 1."""
    hands = Hands()
    throttle = throttle_of(8, hands)
    for left in (4, 2, 1, 1):
        requests = [Request(throttle, urgent=True) for _ in range(8)]
        await hands.turn(MAX_PAUSE)
        await settle()
        for request in [request for request in requests if request.is_open()]:
            await request.ends(outcome)
        assert throttle.max_in_flight == left
        for request in requests:
            request.task.cancel()
        await settle()


async def test_latency_is_from_the_slot_to_the_answer() -> None:
    """What waits for a slot is our time, not PlanSo's."""
    hands = Hands()
    throttle = throttle_of(1, hands)
    assert throttle.latency is None
    first, second = await asked(throttle, 2)
    await hands.turn(0.25)
    await first.ends()
    await hands.turn(0.25)
    await second.ends()

    assert throttle.latency == 0.25


# pauses -------------------------------------------------------------------------------------------------------------


async def test_after_a_pause_one_probes_and_its_good_answer_lets_the_rest_go() -> None:
    """While errors go on, one read at a time finds out whether PlanSo is back; no slot is held meanwhile."""
    hands = Hands()
    throttle = throttle_of(8, hands)
    for request in await asked(throttle, 8):
        await request.ends(502)
    requests = await asked(throttle, 8)
    assert (throttle.in_flight, throttle.waiting_count, throttle.paused_until) == (0, 8, hands.now + 0.5)

    await hands.turn(0.49)
    assert throttle.in_flight == 0
    await hands.turn(0.02)
    assert [request.is_open() for request in requests] == [True] + 7 * [False]
    await requests[0].ends(502)
    await hands.turn(0.98)
    assert throttle.in_flight == 0
    await hands.turn(0.04)
    assert throttle.in_flight == 1
    await requests[1].ends(200)

    assert throttle.paused_until is None
    assert throttle.in_flight == throttle.max_in_flight == 2


async def test_a_write_probes_sooner() -> None:
    """A pause of half a minute keeps reads away; a caller on the phone waits for two seconds of it."""
    hands = Hands()
    throttle = throttle_of(4, hands, dice=1.0)
    for _ in range(6):
        [request] = await asked(throttle)
        await hands.turn(MAX_PAUSE)
        await request.ends(502)
    [read], [write] = await asked(throttle), await asked(throttle, urgent=True)

    await hands.turn(MAX_WRITE_PAUSE - 0.01)
    assert not write.is_open()
    await hands.turn(0.02)
    assert write.is_open()
    assert not read.is_open()
    await write.ends(200)

    assert read.is_open()


@pytest.mark.parametrize(
    ("asked_for", "kept"), [(0.0, 0.0), (7.0, 7.0), (5000.0, MAX_RETRY_AFTER), (math.inf, MAX_RETRY_AFTER)]
)
async def test_retry_after_holds_for_all(asked_for: float, kept: float) -> None:
    """Neither reads nor writes are sent before, not even when a good answer comes in between."""
    hands = Hands()
    throttle = throttle_of(4, hands)
    late, told = await asked(throttle, 2)
    await told.ends(429, retry_after=asked_for)
    await late.ends(200)
    requests = await asked(throttle) + await asked(throttle, urgent=True)
    if kept:
        assert throttle.paused_until == hands.now + kept
        await hands.turn(kept - 0.01)
        assert throttle.in_flight == 0
        await hands.turn(0.02)

    assert all(request.is_open() for request in requests)


async def test_retry_after_is_heard_in_refusals_only() -> None:
    """A page that is shown asks nobody to stay away; one that is not does, whatever its status."""
    hands = Hands()
    throttle = throttle_of(4, hands)
    [request] = await asked(throttle)
    await request.ends(200, retry_after=60.0)
    assert throttle.paused_until is None
    [request] = await asked(throttle)
    await request.ends(500, retry_after=60.0)

    assert throttle.paused_until == hands.now + 60.0


# turns --------------------------------------------------------------------------------------------------------------


async def test_writes_go_before_reads_each_in_their_order() -> None:
    """Who came first is served first, among writes, then among reads."""
    throttle = throttle_of(1, Hands())
    [holder] = await asked(throttle)
    reads, writes = await asked(throttle, 2), await asked(throttle, 3, urgent=True)
    order = []
    while not holder.task.done():
        await holder.ends()
        for request in (*reads, *writes):
            if request.is_open():
                order.append(request)
                holder = request

    assert order == [*writes, *reads]


async def test_reads_get_on_under_a_steady_stream_of_writes() -> None:
    """Every fourth slot is a read's."""
    throttle = throttle_of(1, Hands())
    [holder] = await asked(throttle, urgent=True)
    reads, writes = await asked(throttle, 3), await asked(throttle, 20, urgent=True)
    served = ""
    for _ in range(12):
        await holder.ends()
        [holder] = [request for request in (*reads, *writes) if request.is_open()]
        served += "r" if holder in reads else "w"

    assert served == "wwrwwwrwwwrw"


async def test_what_belongs_to_a_write_is_urgent() -> None:
    """Within `urgent`, and in the tasks begun there, requests go before reads; outside they don't."""
    throttle = throttle_of(1, Hands())
    [holder] = await asked(throttle)
    [read] = await asked(throttle)
    with urgent_requests():
        [first] = await asked(throttle)
    [other_read] = await asked(throttle)
    await holder.ends()
    assert first.is_open()
    await first.ends()
    assert read.is_open()
    await read.ends()

    assert other_read.is_open()


async def test_what_can_t_begin_in_time_is_never_sent() -> None:
    """Waiting ends at `begin_by`; where it is known before that PlanSo is to be left alone for longer, at once."""
    hands = Hands()
    throttle = throttle_of(1, hands)
    [holder] = await asked(throttle)
    with urgent_requests(begin_by=hands.now + 5):
        [late] = await asked(throttle)
        await hands.turn(4.99)
        assert not late.task.done()
        with urgent_requests():
            [patient] = await asked(throttle)
        await hands.turn(0.02)
        with pytest.raises(PlansoTimeout):
            await late.task
    assert throttle.waiting_count == 1
    await holder.ends(503, retry_after=60.0)
    with urgent_requests(begin_by=hands.now + 59):
        [hopeless] = await asked(throttle)
        with pytest.raises(PlansoTimeout):
            await hopeless.task
    await hands.turn(60)

    assert patient.is_open()


async def test_a_cancelled_waiter_loses_no_slot() -> None:
    """Cancelled while it waits, or in the moment when its turn has come: the next one gets the slot."""
    throttle = throttle_of(1, Hands())
    [holder] = await asked(throttle)
    waiting, at_its_turn, last = await asked(throttle, 3)
    waiting.task.cancel()
    await settle()
    assert throttle.waiting_count == 2

    assert holder.attempt is not None
    holder.task.cancel()
    await asyncio.sleep(0)
    assert not at_its_turn.is_open()
    at_its_turn.task.cancel()
    await settle()

    assert last.is_open()
    assert (throttle.in_flight, throttle.waiting_count) == (1, 0)


async def test_cancelled_in_the_moment_when_its_time_is_up() -> None:
    """It had no slot, and gives none back."""
    hands = Hands()
    throttle = throttle_of(1, hands)
    await asked(throttle)
    with urgent_requests(begin_by=hands.now + 5):
        [late] = await asked(throttle)
    [expiry] = hands.calls
    expiry.callback()
    late.task.cancel()
    await settle()

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
    Whatever is asked, answered, broken off and cancelled, in any order: in flight is what is open, nothing begins
    beyond what is allowed or within a pause that holds for all, and in the end everybody had their turn.
    """
    asyncio.run(go(concurrency, rate, steps))


async def go(concurrency: int, rate: float | None, steps: list[tuple[str, int]]) -> None:
    hands = Hands()
    throttle = Throttle(concurrency, rate, clock=hands, random_fraction=lambda: 0.5)
    requests: list[Request] = []
    held_until = 0.0
    for step, number in steps:
        was_open = {request for request in requests if request.is_open()}
        room = throttle.max_in_flight
        unfinished = [request for request in requests if not request.task.done()]
        if step in ("read", "write"):
            requests.append(Request(throttle, urgent=step == "write"))
        elif step == "turn":
            await hands.turn(number)
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
                held_until = max(held_until, hands.now + 20.0 if step == "held" else 0.0)
                await request.ends(*outcome)
        await settle()
        is_open = {request for request in requests if request.is_open() and not request.task.done()}
        assert throttle.in_flight == len(is_open)
        assert throttle.waiting_count == sum(not request.task.done() for request in requests) - len(is_open)
        if is_open - was_open:
            assert len(is_open) <= max(room, throttle.max_in_flight)
            assert hands.now >= held_until - 0.001
        assert 1 <= throttle.max_in_flight <= concurrency
    for _ in range(200):
        for request in [request for request in requests if request.is_open() and not request.task.done()]:
            await request.ends(200)
        if all(request.task.done() for request in requests):
            break
        await hands.turn(5)
    assert (throttle.in_flight, throttle.waiting_count) == (0, 0)
    assert not [request for request in requests if not request.task.done()]


async def test_a_planso_that_suffers_sees_fewer_and_then_all_again(sandbox: Sandbox, url: str) -> None:
    """Eight 502s at once leave four in flight after a pause; a workshop's worth of good answers restores eight."""
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
    """Within `hold` one request follows another at once, whoever else waits; afterwards the others have their turn."""
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
