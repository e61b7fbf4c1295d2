"""The background loops of a serving process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random

import structlog

from planso_connector import configuration
from planso_connector.app import Connector
from planso_connector.domain.errors import StoreUnavailable
from planso_connector.flows.delivering.delivery import WebhookDelivery
from planso_connector.flows.operating import planso_calls
from planso_connector.flows.operating.heartbeat import Heartbeat
from planso_connector.flows.operating.planso_calls import LocalCalls
from planso_connector.flows.operating.retention import Retention
from planso_connector.flows.querying.reindex import Reindexer
from planso_connector.store import leases, lookup_keys, webhooks
from planso_connector.workers import readiness_watch, removed_workshops, retention, startup
from planso_connector.workers.supervisor import Worker
from planso_connector.workers.webhook_worker import WebhookWorker

log = structlog.get_logger(__name__)

REFRESH_INTERVAL = 2.0
"""Seconds between two looks at the registry, and for workshops that nobody uses."""


@asynccontextmanager
async def run_workers(built: Connector, on_filled: Callable[[str], None] = lambda _: None) -> AsyncIterator[None]:
    """
    Run the background loops: fill empty mirrors, sync on schedule, carry writes to PlanSo, apply retention. `on_filled`
    gets each workshop whose empty mirror was filled.
    """
    syncs, workshops = built.syncs, built.workshops
    syncs.on_filled = on_filled

    async def find_local_calls(name: str) -> LocalCalls:
        return (await workshops.open_parts(name)).calls.local

    async def find_incomplete() -> list[Reindexer]:
        names = [served.name for served in workshops.directory]
        due = await built.database.read(lambda tx: lookup_keys.list_incomplete_workshops(tx, names))
        return [Reindexer(built.database.for_workshop(name), built.clock) for name in due]

    async def apply_retention() -> None:
        for served in workshops.directory:
            with retention.going_on_after_faults(served.name):
                periods = configuration.retention_periods(workshops.directory.load_settings(served))
                await Retention(built.database.for_workshop(served.name), periods, built.clock).run()

    workers = (
        Worker("leases", built.leases.run_renewal_loop),
        Worker("wake_ups", built.calls.wake_ups.run),
        Worker("forwarded_calls", partial(built.calls.server.run, planso_calls.make_handlers(find_local_calls))),
        Worker("registry", partial(_refresh_workshops, built)),
        Worker("schedule", syncs.timer.run),
        Worker("reindex", partial(startup.rebuild_lookup_keys, find_incomplete)),
        Worker("clock", built.clock.run),
        Worker("outbox", built.calls.outbox_worker.run_claim_loop),
        Worker("outbox_claims", built.calls.outbox_worker.run_renewal_loop),
        Worker("access_log", built.access_log.run),
        Worker("readiness", partial(readiness_watch.run, built.get_readiness)),
        Worker("removed_workshops", partial(removed_workshops.run, built.registry.purge_removed)),
        Worker("webhooks", _build_webhook_worker(built).run),
        Worker("retention", partial(retention.run, apply_retention, built.clock)),
    )
    async with built.supervisor.run_workers(workers):
        yield


def _build_webhook_worker(built: Connector) -> WebhookWorker:
    async def list_receivers() -> list[tuple[str, str]]:
        return await built.database.read(webhooks.list_enabled)

    holder = leases.generate_holder()

    def get_delivery(name: str) -> WebhookDelivery:
        own = built.database.for_workshop(name)
        return WebhookDelivery(own, built.webhook_sender, built.clock, holder, Random())  # noqa: S311 - jitter

    return WebhookWorker(list_receivers, get_delivery, built.database.max_wait)


async def _refresh_workshops(built: Connector, beat: Heartbeat) -> None:
    syncs, workshops = built.syncs, built.workshops
    await syncs.plan_all()
    while True:
        beat(REFRESH_INTERVAL + 2 * built.database.max_wait)
        await asyncio.sleep(REFRESH_INTERVAL)
        try:
            await workshops.refresh()
            workshops.close_idle()
        except StoreUnavailable as error:
            log.warning("registry_unread", error=type(error).__name__)
