"""Webhooks as their owner manages them: create, change, rotate the secret, try, replay."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from planso_connector.domain.clock import Clock, Instant, format_instant
from planso_connector.domain.errors import Invalid, NotFound, NotPossible, Problem
from planso_connector.domain.events import EventType
from planso_connector.flows.delivering.delivery import generate_attempt_id
from planso_connector.flows.delivering.payloads import build_example
from planso_connector.store import change_feed, webhooks
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.webhooks import NO_ORDER, Attempt, Retry, Webhook
from planso_connector.webhooks.destination import DestinationRefused
from planso_connector.webhooks.sender import WebhookSender

OVERLAP = timedelta(hours=24)
"""How long the former secret signs too after a rotation."""
MAX_WEBHOOKS = 50


class WebhookReceivers:
    """Of one workshop. Each method raises NotFound for an unknown webhook, and StoreUnavailable."""

    def __init__(self, database: Database, sender: WebhookSender, clock: Clock) -> None:
        self._database = database
        self._sender = sender
        self._clock = clock

    async def create(self, url: str, types: Sequence[EventType], *, has_fields: bool) -> Webhook:
        """It gets events from now on. Raises Invalid for an address that is not allowed, NotPossible for too many."""
        self._check(url)
        webhook = Webhook(
            id=f"webhook_{secrets.token_hex(8)}",
            url=url,
            types=tuple(sorted(set(types))),
            has_fields=has_fields,
            secret=_generate_secret(),
            previous_secret=None,
            previous_until=None,
            created_at=self._now(),
            number=0,
            failures=0,
            failing_since=None,
            delivered_at=None,
            disabled_at=None,
            disabled_reason="",
        )

        def work(tx: Transaction) -> Webhook:
            if len(webhooks.list_all(tx)) >= MAX_WEBHOOKS:
                raise NotPossible(f"There are {MAX_WEBHOOKS} webhooks already; accepted: up to {MAX_WEBHOOKS}.")
            while change_feed.number_events(tx):
                pass
            bounds = change_feed.get_bounds(tx)
            created = replace(webhook, number=bounds.last_number if bounds is not None else 0)
            webhooks.record(tx, created)
            return created

        return await self._database.write(work)

    async def list(self) -> Sequence[Webhook]:
        return await self._database.read(webhooks.list_all)

    async def get(self, webhook_id: str) -> Webhook:
        return await self._database.read(lambda tx: _require(tx, webhook_id))

    async def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        types: Sequence[EventType] | None = None,
        has_fields: bool | None = None,
        enabled: bool | None = None,
    ) -> Webhook:
        """What is None stays. Switched on again it goes on where it ended. Raises Invalid."""
        if url is not None:
            self._check(url)
        now = self._now()

        def work(tx: Transaction) -> Webhook:
            webhook = _require(tx, webhook_id)
            is_enabled = webhook.disabled_at is None
            if enabled and not is_enabled:
                webhooks.enable(tx, webhook_id, now=now)
            webhook = _require(tx, webhook_id)
            changed = replace(
                webhook,
                url=webhook.url if url is None else url,
                types=webhook.types if types is None else tuple(sorted(set(types))),
                has_fields=webhook.has_fields if has_fields is None else has_fields,
                disabled_at=now if enabled is False and is_enabled else webhook.disabled_at,
                disabled_reason="Switched off." if enabled is False and is_enabled else webhook.disabled_reason,
            )
            webhooks.change(tx, changed)
            return changed

        return await self._database.write(work)

    async def remove(self, webhook_id: str) -> None:
        """With its attempts. What is on its way is not called back."""
        if not await self._database.write(lambda tx: webhooks.remove(tx, webhook_id)):
            raise _not_found(webhook_id)

    async def rotate(self, webhook_id: str) -> Webhook:
        """A new secret; the former one signs too for OVERLAP."""
        secret, until = _generate_secret(), format_instant(self._clock() + OVERLAP)

        def work(tx: Transaction) -> Webhook:
            _require(tx, webhook_id)
            webhooks.rotate(tx, webhook_id, secret, until=until)
            return _require(tx, webhook_id)

        return await self._database.write(work)

    async def send_example(self, webhook_id: str) -> Attempt:
        """Send an example event now, whether the webhook is on or off; what came of it."""
        webhook, now = await self.get(webhook_id), self._clock()
        event_id = f"evt_{secrets.token_hex(10)}"
        body = build_example(format_instant(now), with_fields=webhook.has_fields)
        result = await self._sender.send(webhook.url, [webhook.secret], event_id, body, now)
        attempt = Attempt(
            id=generate_attempt_id(),
            webhook=webhook_id,
            event=event_id,
            number=None,
            type=EventType.ORDER_UPDATED,
            order_id=None,
            at=format_instant(now),
            status=result.status,
            outcome=result.outcome,
            milliseconds=result.milliseconds,
            response=result.response,
        )
        await self._database.write(lambda tx: webhooks.record_attempts(tx, [attempt]))
        return attempt

    async def recover(self, webhook_id: str, since: Instant) -> None:
        """Deliver all events since then once more, in their order."""

        def work(tx: Transaction) -> None:
            _require(tx, webhook_id)
            webhooks.go_back(tx, webhook_id, since)

        await self._database.write(work)

    async def list_attempts(self, webhook_id: str, limit: int) -> Sequence[Attempt]:
        """The last ones first."""

        def work(tx: Transaction) -> Sequence[Attempt]:
            _require(tx, webhook_id)
            return webhooks.list_attempts(tx, webhook_id, limit)

        return await self._database.read(work)

    async def resend(self, webhook_id: str, attempt_id: str) -> None:
        """Deliver an attempt's event once more. Raises NotPossible for an example, and where it is not kept."""
        now = self._now()

        def work(tx: Transaction) -> None:
            _require(tx, webhook_id)
            attempt = webhooks.get_attempt(tx, attempt_id)
            if attempt is None or attempt.webhook != webhook_id:
                raise NotFound(f"There is no attempt {attempt_id} of webhook {webhook_id}.")
            number = attempt.number
            if number is None or not change_feed.list_events(tx, after=number - 1, up_to=number, limit=1):
                raise NotPossible(f"The event of attempt {attempt_id} is an example, or not kept any more.")
            webhooks.put_retries(tx, webhook_id, [Retry(number, attempt.order_id or NO_ORDER, 0, now)])

        await self._database.write(work)

    async def expunge(self, webhook_id: str) -> int:
        """Empty what its attempts keep of responses; of how many."""

        def work(tx: Transaction) -> int:
            _require(tx, webhook_id)
            return webhooks.expunge(tx, webhook_id)

        return await self._database.write(work)

    def _check(self, url: str) -> None:
        try:
            self._sender.check(url)
        except DestinationRefused as error:
            raise Invalid([Problem(("body", "url"), str(error), "webhook_url")]) from error

    def _now(self) -> Instant:
        return format_instant(self._clock())


def _require(tx: Transaction, webhook_id: str) -> Webhook:
    webhook = webhooks.get(tx, webhook_id)
    if webhook is None:
        raise _not_found(webhook_id)
    return webhook


def _not_found(webhook_id: str) -> NotFound:
    return NotFound(f"There is no webhook {webhook_id}.")


def _generate_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
