"""Delivery to receivers: each event at least once, those of an order in their order, whatever the receiver does."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from planso_connector.domain import clock
from planso_connector.domain.clock import format_instant
from planso_connector.domain.errors import NotFound, NotPossible
from planso_connector.domain.events import EventType
from planso_connector.domain.webhook_backoff import PAUSES
from planso_connector.flows.delivering.delivery import BATCH, PROBE_AFTER, WebhookDelivery
from planso_connector.flows.delivering.receivers import WebhookReceivers
from planso_connector.store import change_feed, orders, sync_runs, webhooks
from planso_connector.store.sync_runs import RunState
from planso_connector.store.webhooks import Attempt, Webhook
from planso_connector.webhooks.sender import MAX_RESPONSE, WebhookSender
from tests.databases import Store
from tests.receiver import HANG, LOOPBACK, RESET, Receiver, receiving
from tests.store.samples import at, order

ORDERS = (1, 2, 3)


class Process:
    """One process on a store: it delivers, and manages receivers; `now` is its clock."""

    def __init__(self, store: Store, holder: str = "process_a", timeout: float = 20.0) -> None:
        self.store = store
        self.now = clock.now()
        self.sender = WebhookSender([ipaddress.ip_network(LOOPBACK)], timeout)
        self.delivery = WebhookDelivery(store.database, self.sender, lambda: self.now, holder, Random(7))
        self.receivers = WebhookReceivers(store.database, self.sender, lambda: self.now)
        self.second = 100

    def run(self, work: Any) -> Any:
        return self.store.runner.run(work)

    def create(self, receiver: Receiver, *types: EventType, has_fields: bool = False) -> Webhook:
        created: Webhook = self.run(self.receivers.create(receiver.url, types, has_fields=has_fields))
        return created

    def deliver(self, webhook: Webhook) -> None:
        """Until nothing is due."""
        while self.run(self.delivery.deliver(webhook.id)):
            pass

    def edit(self, order_id: int) -> None:
        """A new version of an order."""
        self.second += 1
        changed, instant = order(order_id, values={"remarks": f"Nr. {self.second}"}), at(self.second)
        self.store.write(lambda tx: orders.save(tx, changed, read_at=instant, now=instant))

    def attempts(self, webhook: Webhook) -> list[Attempt]:
        """The oldest first."""
        return self.store.read(lambda tx: list(webhooks.list_attempts(tx, webhook.id, 500)))[::-1]

    def get(self, webhook: Webhook) -> Webhook:
        found: Webhook = self.run(self.receivers.get(webhook.id))
        return found

    def close(self) -> None:
        self.run(self.sender.close())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def process(store: Store) -> Iterator[Process]:
    """With a mirror that a sync has filled."""
    for order_id in ORDERS:
        store.write(lambda tx, order_id=order_id: orders.save(tx, order(order_id), read_at=at(1), now=at(1)))  # type: ignore[misc]

    def fill(tx: Any) -> None:
        sync_runs.finish(tx, sync_runs.start(tx, now=at(1)).id, state=RunState.DONE, now=at(2))

    store.write(fill)
    process = Process(store)
    yield process
    process.close()


def test_an_event_arrives_signed(process: Process, receiver: Receiver) -> None:
    """Thin, with type and time, signed by the receiver's secret as the specification's own library checks it."""
    webhook = process.create(receiver, EventType.ORDER_UPDATED)
    process.edit(1)
    process.store.write(lambda tx: orders.archive(tx, [2], now=at(150)))
    process.deliver(webhook)
    (received,) = receiver.received
    payload = Verifier(webhook.secret).verify(received.body, received.headers)
    data = {"order_id": 1, "version": 2, "operation_id": None}
    assert payload == {"type": "order.updated", "timestamp": at(101), "data": data}
    assert received.headers["webhook-id"].startswith("evt_")
    with pytest.raises(WebhookVerificationError):
        Verifier(webhook.secret).verify(received.body.replace("1", "2"), received.headers)
    (attempt,) = process.attempts(webhook)
    assert (attempt.status, attempt.outcome, attempt.event) == (204, "delivered", received.headers["webhook-id"])
    assert process.get(webhook).delivered_at == format_instant(process.now)


def test_fields_only_where_they_are_asked_for(process: Process, receiver: Receiver) -> None:
    """`before` and `after` of what changed; both secrets sign for a day after a rotation."""
    webhook = process.create(receiver, has_fields=True)
    rotated = process.run(process.receivers.rotate(webhook.id))
    process.edit(1)
    process.deliver(webhook)
    process.now += timedelta(hours=25)
    process.edit(1)
    process.deliver(webhook)
    first, second = receiver.received
    assert first.payload["data"]["after"] == {"remarks": "Nr. 101"}
    for secret in (webhook.secret, rotated.secret):
        Verifier(secret).verify(first.body, first.headers)
    assert len(second.headers["webhook-signature"].split()) == 1


def test_an_order_that_is_not_taken_waits_alone(process: Process, receiver: Receiver) -> None:
    """
    Its next events wait behind the first one, in their order, while other orders' are delivered; retries come by the
    schedule, and are given up after the last.
    """
    webhook = process.create(receiver)
    receiver.answer = lambda payload: 500 if payload["data"]["order_id"] == 1 else 204
    process.edit(1)
    process.edit(1)
    process.edit(2)
    process.deliver(webhook)
    process.edit(1)
    process.edit(3)
    process.deliver(webhook)
    assert [one.version for one in receiver.taken] == [(2, 2), (3, 2)]
    assert [one.version for one in receiver.received if one.status == 500] == [(1, 2)]

    process.now += timedelta(seconds=PAUSES[0] * 0.9)
    process.deliver(webhook)
    assert len(receiver.received) == 3
    process.now += timedelta(seconds=PAUSES[0])
    process.deliver(webhook)
    assert [one.version for one in receiver.received if one.status == 500] == [(1, 2)] * 2

    receiver.answer = lambda _: 204
    process.now += timedelta(seconds=PAUSES[1] * 1.2)
    process.deliver(webhook)
    assert receiver.taken_of(1) == [2, 3, 4]

    receiver.answer = lambda payload: 204 if payload["data"]["version"] != 5 else 400
    process.edit(1)
    process.edit(1)
    process.deliver(webhook)
    for pause in PAUSES:
        process.now += timedelta(seconds=pause * 1.2 + 1)
        process.edit(2)  # taken in between, so that the receiver does not count as failing
        process.deliver(webhook)
    assert [one.status for one in receiver.received if one.version == (1, 5)] == [400] * (len(PAUSES) + 1)
    assert receiver.taken_of(1) == [2, 3, 4, 6]


def test_many_events_of_one_order_hold_up_no_other(process: Process, receiver: Receiver) -> None:
    """More of them than a batch has wait; another order's are delivered, and all come in their order in the end."""
    webhook = process.create(receiver)
    receiver.answer = lambda payload: 500 if payload["data"]["order_id"] == 1 else 204
    for _ in range(BATCH + 20):
        process.edit(1)
    process.deliver(webhook)
    process.edit(2)
    process.deliver(webhook)
    assert [one.version for one in receiver.taken] == [(2, 2)]
    receiver.answer = lambda _: 204
    process.now += timedelta(hours=1)
    process.deliver(webhook)
    assert receiver.taken_of(1) == list(range(2, BATCH + 22))


def test_a_receiver_that_takes_nothing_is_asked_less(process: Process, receiver: Receiver) -> None:
    """
    After a few failures only its oldest event is tried, when it is due; after five days it is switched off. Switched on
    again it gets everything.
    """
    webhook = process.create(receiver)
    receiver.answer = lambda _: 503
    for order_id in ORDERS:
        process.edit(order_id)
    process.deliver(webhook)
    process.now += timedelta(seconds=PAUSES[0] * 1.2)
    process.deliver(webhook)
    failed = len(receiver.received)
    assert process.get(webhook).failures == failed >= PROBE_AFTER
    for order_id in ORDERS * 5:
        process.edit(order_id)
    process.deliver(webhook)
    assert len(receiver.received) == failed
    began = process.now
    while process.get(webhook).disabled_at is None:
        process.now += timedelta(hours=6)
        process.deliver(webhook)
        assert process.now - began < timedelta(days=6)
    assert "503" in process.get(webhook).disabled_reason
    process.deliver(webhook)
    asked = len(receiver.received)

    receiver.answer = lambda _: 204
    process.run(process.receivers.change(webhook.id, enabled=True))
    process.deliver(webhook)
    assert len(receiver.received) > asked
    taken = {order_id: receiver.taken_of(order_id) for order_id in ORDERS}
    for order_id in ORDERS:
        assert taken[order_id] == sorted(taken[order_id])
        assert taken[order_id][-5:] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("reaction", [RESET, HANG, 302, 404, 429])
def test_whatever_is_no_success_is_tried_again(process: Process, receiver: Receiver, reaction: int) -> None:
    """A reset, silence, a redirect (not followed), 4xx; `Retry-After` is kept, and the rest of a long answer not."""
    process.run(process.sender.close())
    process = Process(process.store, timeout=2.0 if reaction == HANG else 20.0)
    webhook = process.create(receiver)
    receiver.answer = lambda _: reaction
    receiver.headers = {"Location": f"{receiver.url}/moved", "Retry-After": "3600"}
    receiver.content = b"x" * 100_000
    process.edit(1)
    process.deliver(webhook)
    (attempt,) = process.attempts(webhook)
    assert attempt.status == (reaction if reaction > 0 else None)
    assert attempt.outcome != "delivered"
    assert len(attempt.response) == (MAX_RESPONSE if reaction > 0 else 0)
    assert len(receiver.received) == 1
    receiver.answer = lambda _: 204
    process.now += timedelta(seconds=1800)
    process.deliver(webhook)
    assert len(receiver.taken) == (0 if reaction > 0 else 1)
    process.now += timedelta(seconds=1801)
    process.deliver(webhook)
    assert len(receiver.taken) == 1
    process.close()


def test_who_wants_no_more_gets_no_more(process: Process, receiver: Receiver) -> None:
    """410 switches off."""
    webhook = process.create(receiver)
    receiver.answer = lambda _: 410
    process.edit(1)
    process.edit(2)
    process.deliver(webhook)
    assert "410" in process.get(webhook).disabled_reason
    process.edit(3)
    process.deliver(webhook)
    assert len(receiver.received) == 2


def test_a_process_that_dies_leaves_nothing_out(process: Process, receiver: Receiver) -> None:
    """
    Delivery is cancelled at random places, receivers fail at random, processes take turns: each event is taken at least
    once, those of an order in their order.
    """
    webhook = process.create(receiver)
    dice = Random(11)
    receiver.answer = lambda _: dice.choice([204, 204, 500])
    others = [process, Process(process.store, "process_b"), Process(process.store, "process_c")]
    for _ in range(25):
        process.edit(dice.choice(ORDERS))
        worker = dice.choice(others)
        for one in others:
            one.now += timedelta(hours=2)

        async def die(worker: Process = worker, seconds: float = dice.random() * 0.02) -> None:
            try:
                async with asyncio.timeout(seconds):
                    await worker.delivery.deliver(webhook.id)
            except TimeoutError:
                pass

        process.run(die())
    receiver.answer = lambda _: 204
    for _ in range(3):
        for one in others:
            one.now += timedelta(days=2)
            one.deliver(webhook)
    events = process.store.read(lambda tx: change_feed.list_events(tx, after=0, up_to=10_000, limit=1000))
    for order_id in ORDERS:
        assert receiver.taken_of(order_id) == [event.version for event in events if event.order_id == order_id]
    for one in others[1:]:
        one.close()


def test_events_can_be_had_again(process: Process, receiver: Receiver) -> None:
    """All since an instant, in their order, or the event of one attempt; an example at once. Responses are expunged."""
    webhook = process.create(receiver)
    receiver.content, receiver.answer = b"danke", lambda _: 200
    for order_id in ORDERS:
        process.edit(order_id)
    process.deliver(webhook)
    process.run(process.receivers.recover(webhook.id, at(102)))
    process.deliver(webhook)
    assert sorted(one.version[0] or 0 for one in receiver.received[3:]) == [2, 3]
    first = process.attempts(webhook)[0]
    process.run(process.receivers.resend(webhook.id, first.id))
    process.deliver(webhook)
    assert receiver.received[-1].headers["webhook-id"] == first.event
    example = process.run(process.receivers.send_example(webhook.id))
    assert example.outcome == "delivered"
    assert Verifier(webhook.secret).verify(receiver.received[-1].body, receiver.received[-1].headers)["data"]["example"]
    with pytest.raises(NotPossible):
        process.run(process.receivers.resend(webhook.id, example.id))
    with pytest.raises(NotFound):
        process.run(process.receivers.resend(webhook.id, "att_0"))
    assert {attempt.response for attempt in process.attempts(webhook)} == {"danke"}
    assert process.run(process.receivers.expunge(webhook.id)) == 7
    assert {attempt.response for attempt in process.attempts(webhook)} == {""}
    process.run(process.receivers.remove(webhook.id))
    process.edit(1)
    process.deliver(webhook)
    assert len(receiver.received) == 7


def test_one_process_delivers_at_a_time(process: Process, receiver: Receiver) -> None:
    """Another process sends nothing while the first has the lease; once it expires or is released, it goes on."""
    webhook, other = process.create(receiver), Process(process.store, "process_b")
    process.edit(1)
    process.deliver(webhook)
    process.edit(2)
    other.deliver(webhook)
    assert len(receiver.received) == 1
    process.run(process.delivery.release(webhook.id))
    other.deliver(webhook)
    process.edit(3)
    process.deliver(webhook)
    assert len(receiver.received) == 2
    process.now += timedelta(minutes=5)
    process.deliver(webhook)
    assert [one.version[0] for one in receiver.received] == [1, 2, 3]
    other.close()


def test_the_time_that_is_signed_is_utc(process: Process, receiver: Receiver) -> None:
    """Whatever zone the clock is in."""
    from zoneinfo import ZoneInfo

    webhook = process.create(receiver)
    process.now = datetime.now(ZoneInfo("Europe/Berlin"))
    process.edit(1)
    process.deliver(webhook)
    (received,) = receiver.received
    Verifier(webhook.secret).verify(received.body, received.headers)
    assert abs(int(received.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 300
