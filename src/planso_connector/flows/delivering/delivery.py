"""
Deliver the events of a workshop's change feed to one receiver: each at least once, those of one order in their order.

The receiver's `number` moves on with what was delivered or stands in the retries, in one transaction with both: a
process that dies in between sends once more, and leaves nothing out. A lease lets one process at a time deliver.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

import structlog

from planso_connector.domain import webhook_backoff
from planso_connector.domain.clock import Clock, Instant, format_instant, parse_instant
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.domain.events import EventType
from planso_connector.flows.delivering.payloads import build_payload
from planso_connector.store import change_feed, leases, webhooks
from planso_connector.store.change_feed import FeedEvent
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.webhooks import NO_ORDER, Attempt, Retry, Webhook
from planso_connector.webhooks.sender import SendResult, WebhookSender

log = structlog.get_logger(__name__)

BATCH = 100
"""Events that are sent before what came of them is stored."""
RETRIES = 1000
"""Events to be sent again that are looked at; with so many waiting, no new ones are taken."""
PARALLEL = 16
"""Requests to one receiver at a time."""
PROBE_AFTER = 5
"""Failures in a row, after which only the oldest event is tried, when it is due, until the receiver takes it."""
LEASE, RENEW_INTERVAL = timedelta(seconds=10), 3.0
"""How long after a crash another process waits, and seconds between two renewals while requests are on their way."""


@dataclass(slots=True)
class _Job:
    """Events of one order to be sent one after the other, each with the attempts that failed before."""

    order_id: int
    events: list[tuple[FeedEvent, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Batch:
    """What is to be sent now. `number`: how far the feed was looked through; `blocked`: new events that wait."""

    webhook: Webhook
    number: int
    jobs: list[_Job]
    blocked: list[Retry]
    lost: list[int]
    """Retries whose event is not in the feed any more."""

    @property
    def is_empty(self) -> bool:
        return not (self.jobs or self.blocked or self.lost) and self.number == self.webhook.number


@dataclass(slots=True)
class _Results:
    attempts: list[Attempt] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)
    retries: list[Retry] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    last: SendResult | None = None
    failures: int = 0
    """In a row, at the end."""
    is_gone: bool = False


class WebhookDelivery:
    """Of one workshop's receivers; `holder` is this process."""

    def __init__(self, database: Database, sender: WebhookSender, clock: Clock, holder: str, random: Random) -> None:
        self._database = database
        self._sender = sender
        self._clock = clock
        self._holder = holder
        self._random = random

    async def deliver(self, webhook_id: str) -> bool:
        """
        Send what is due to the receiver, one batch. Whether there was any; False too where another process delivers.
        Raises StoreUnavailable.
        """
        if not await self._database.read_briefly(lambda tx: self._may_have_due(tx, webhook_id)):
            return False
        batch = await self._database.write(lambda tx: self._take(tx, webhook_id))
        if batch is None or batch.is_empty:
            return False
        results = _Results(failures=batch.webhook.failures)
        slots = asyncio.Semaphore(PARALLEL)
        renewing = asyncio.create_task(self._keep_lease(webhook_id), name="webhook lease")
        try:
            await asyncio.gather(*(self._send_job(batch.webhook, job, slots, results) for job in batch.jobs))
        finally:
            renewing.cancel()
        await self._database.write(lambda tx: self._store(tx, batch, results))
        return True

    async def _keep_lease(self, webhook_id: str) -> None:
        """Until cancelled. Where it was lost, storing the results notices."""
        while True:
            await asyncio.sleep(RENEW_INTERVAL)
            now, until = self._lease_times()

            def renew(tx: Transaction, now: Instant = now, until: Instant = until) -> None:
                leases.renew(tx, _lease(webhook_id), holder=self._holder, now=now, until=until)

            try:
                await self._database.write(renew)
            except StoreUnavailable as error:
                log.warning("webhook_lease_not_renewed", error=type(error).__name__)

    def _lease_times(self) -> tuple[Instant, Instant]:
        """Now, and until when a lease lasts that is taken now."""
        instant = self._clock()
        return format_instant(instant), format_instant(instant + LEASE)

    async def release(self, webhook_id: str) -> None:
        """Let another process deliver at once."""
        await self._database.write(lambda tx: leases.release(tx, _lease(webhook_id), holder=self._holder))

    def _may_have_due(self, tx: Transaction, webhook_id: str) -> bool:
        webhook = webhooks.get(tx, webhook_id)
        if webhook is None or webhook.disabled_at is not None:
            return False
        bounds = change_feed.get_bounds(tx)
        has_new = change_feed.has_unnumbered(tx) or (bounds is not None and bounds.last_number > webhook.number)
        if has_new and webhook.failures < PROBE_AFTER:
            return True
        return webhooks.has_due(tx, webhook_id, format_instant(self._clock()))

    def _take(self, tx: Transaction, webhook_id: str) -> _Batch | None:
        now, until = self._lease_times()
        webhook = webhooks.get(tx, webhook_id)
        if webhook is None or webhook.disabled_at is not None:
            return None
        if not leases.acquire(tx, _lease(webhook_id), holder=self._holder, now=now, until=until):
            return None
        change_feed.number_events(tx)
        bounds = change_feed.get_bounds(tx)
        if bounds is None:
            return None
        retries = webhooks.list_retries(tx, webhook_id, RETRIES)
        is_probing = webhook.failures >= PROBE_AFTER
        jobs, lost = _due_jobs(tx, retries[:1] if is_probing else retries, now)
        batch = _Batch(webhook, webhook.number, jobs, [], lost)
        if not is_probing or not retries:
            # The order's first one, which the others wait for, has the lowest number.
            waiting = {retry.order_id: retry.next_at for retry in reversed(retries)}
            _add_new(tx, batch, waiting, bounds, full=len(retries) >= RETRIES)
        return batch

    async def _send_job(self, webhook: Webhook, job: _Job, slots: asyncio.Semaphore, results: _Results) -> None:
        behind: Instant | None = None
        for event, attempts in job.events:
            if behind is not None:
                results.retries.append(Retry(event.number, job.order_id, attempts, behind))
                continue
            async with slots:
                now = self._clock()
                body = build_payload(event, with_fields=webhook.has_fields)
                result = await self._sender.send(webhook.url, _valid_secrets(webhook, now), event.id, body, now)
            results.attempts.append(make_attempt(webhook.id, event, result, format_instant(now)))
            results.last = result
            if result.is_delivered:
                results.failures = 0
                results.delivered.append(event.number)
                continue
            results.failures += 1
            results.is_gone = results.is_gone or result.is_gone
            pause = webhook_backoff.compute_pause(attempts + 1, self._random, result.retry_after)
            if pause is None:
                results.given_up.append(event.number)
            else:
                behind = format_instant(self._clock() + pause)
                results.retries.append(Retry(event.number, job.order_id, attempts + 1, behind))

    def _store(self, tx: Transaction, batch: _Batch, results: _Results) -> None:
        """Nothing where the receiver was removed meanwhile, or another process has the lease: it sends once more."""
        now, until = self._lease_times()
        webhook = webhooks.get(tx, batch.webhook.id)
        if webhook is None or not leases.renew(tx, _lease(webhook.id), holder=self._holder, now=now, until=until):
            return
        webhooks.record_attempts(tx, results.attempts)
        webhooks.delete_retries(tx, webhook.id, [*results.delivered, *results.given_up, *batch.lost])
        webhooks.put_retries(tx, webhook.id, [*results.retries, *batch.blocked])
        if webhook.failures >= PROBE_AFTER and not results.failures:
            webhooks.make_all_due(tx, webhook.id, now)
        failing_since = (webhook.failing_since or now) if results.failures else None
        # Somebody may have set it back meanwhile, to have events again.
        number = batch.number if webhook.number == batch.webhook.number else webhook.number
        delivered_at = now if results.delivered else webhook.delivered_at
        webhooks.set_progress(
            tx,
            replace(
                webhook,
                number=number,
                failures=results.failures,
                failing_since=failing_since,
                delivered_at=delivered_at,
            ),
        )
        reason = self._disable_reason(results, failing_since)
        if reason and webhooks.disable(tx, webhook.id, reason, now=now):
            log.error("webhook_disabled", webhook=webhook.id, reason=reason)
        for number in results.given_up:
            log.error("webhook_event_given_up", webhook=webhook.id, number=number)

    def _disable_reason(self, results: _Results, failing_since: Instant | None) -> str:
        """Empty where it stays on."""
        if results.is_gone:
            return "The receiver answered 410: it wants no more."
        if failing_since is None or results.last is None:
            return ""
        if self._clock() - parse_instant(failing_since) < webhook_backoff.GIVE_UP_AFTER:
            return ""
        return f"It took nothing since {failing_since[:19]}Z; the last attempt: {results.last.outcome}."


def make_attempt(webhook_id: str, event: FeedEvent, result: SendResult, at: Instant) -> Attempt:
    return Attempt(
        id=generate_attempt_id(),
        webhook=webhook_id,
        event=event.id,
        number=event.number,
        type=event.type,
        order_id=event.order_id,
        at=at,
        status=result.status,
        outcome=result.outcome,
        milliseconds=result.milliseconds,
        response=result.response,
    )


def generate_attempt_id() -> str:
    return f"att_{secrets.token_hex(10)}"


def _lease(webhook_id: str) -> str:
    return f"webhook {webhook_id}"


def _valid_secrets(webhook: Webhook, now: datetime) -> Sequence[str]:
    """The secret, and the former one while it is still valid."""
    previous, until = webhook.previous_secret, webhook.previous_until
    if previous is None or until is None or parse_instant(until) <= now:
        return [webhook.secret]
    return [webhook.secret, previous]


def _due_jobs(tx: Transaction, retries: Sequence[Retry], now: Instant) -> tuple[list[_Job], list[int]]:
    """The retries by order, where the order's first one is due; and the numbers of those whose event is gone."""
    jobs: dict[int, _Job | None] = {}
    lost = []
    for retry in retries:
        if retry.order_id not in jobs:
            jobs[retry.order_id] = _Job(retry.order_id) if retry.next_at <= now else None
        job = jobs[retry.order_id]
        if job is None or sum(len(job.events) for job in jobs.values() if job is not None) >= BATCH:
            continue
        found = change_feed.list_events(tx, after=retry.number - 1, up_to=retry.number, limit=1)
        if found:
            job.events.append((found[0], retry.attempts))
        else:
            lost.append(retry.number)
    return [job for job in jobs.values() if job is not None and job.events], lost


def _add_new(
    tx: Transaction, batch: _Batch, waiting: Mapping[int, Instant], bounds: change_feed.FeedBounds, *, full: bool
) -> None:
    """
    Add the feed's next events, those of orders with retries behind these. None while the retries are `full`. `waiting`:
    the orders with retries, and when the first one is due.
    """
    if full:
        return
    webhook = batch.webhook
    after = max(webhook.number, bounds.dropped_number)
    up_to = min(bounds.last_number, after + change_feed.SEARCHED_AT_ONCE)
    types = frozenset(map(EventType, webhook.types))
    events = change_feed.list_events(tx, after=after, up_to=up_to, limit=BATCH, types=types)
    batch.number = events[-1].number if len(events) == BATCH else up_to
    jobs = {job.order_id: job for job in batch.jobs}
    for event in events:
        order_id = event.order_id or NO_ORDER
        if order_id in waiting:
            batch.blocked.append(Retry(event.number, order_id, 0, waiting[order_id]))
        else:
            jobs.setdefault(order_id, _Job(order_id)).events.append((event, 0))
    batch.jobs = list(jobs.values())
