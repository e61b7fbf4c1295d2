"""Composition root: build what all workshops of a process share; `workshop_parts` builds what each has of its own."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from random import Random

import structlog
from fastapi import FastAPI

from planso_connector import configuration, logs, telemetry
from planso_connector.domain import clock as system_clock
from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import NotFound
from planso_connector.flows.operating.access_log import AccessLog
from planso_connector.flows.operating.authenticate import Authenticator
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.heartbeat import Heartbeat
from planso_connector.flows.operating.readiness import ProcessCheck, ReadinessProbe
from planso_connector.flows.operating.retention import Retention
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.querying.reindex import Reindexer
from planso_connector.flows.syncing.pacing import Pacer
from planso_connector.flows.writing.outbox import OUTBOX_GRACE, Outbox
from planso_connector.open_workshops import OpenWorkshops
from planso_connector.planso.http.throttle import Throttle
from planso_connector.rest import application
from planso_connector.rest.application import ProcessFlows
from planso_connector.rest.metrics import Metrics
from planso_connector.rest.middleware import authentication
from planso_connector.server import config
from planso_connector.settings import Settings, SettingsError
from planso_connector.store import operations
from planso_connector.store.engine.database import Database
from planso_connector.store.maintenance import migrate
from planso_connector.store.sync_runs import Trigger
from planso_connector.workers import retention, startup
from planso_connector.workers.outbox_worker import OutboxWorker
from planso_connector.workers.supervisor import Supervisor, Worker
from planso_connector.workers.sync_timer import SyncTimer
from planso_connector.workshop_parts import SharedParts, WorkshopParts, build_workshop

log = structlog.get_logger(__name__)

MAX_QUEUED_READS = 64
"""Reads waiting for the database above which requests are refused: some tenths of a second of work."""

DATABASE_GRACE = 5.0
"""Seconds after the outbox's grace for the database to store results; then the process ends without its answer."""

IDLE_CHECK_INTERVAL = 60.0
"""Seconds between two looks for workshops that nobody uses."""


class ScheduledSyncs:
    """What the timer starts. `on_filled` gets each workshop whose empty mirror was filled."""

    def __init__(self, workshops: OpenWorkshops) -> None:
        self._workshops = workshops
        self.on_filled: Callable[[str], None] = lambda _: None

    async def run(self, name: str, beat: Heartbeat) -> None:
        parts = await self._workshops.open_parts(name)
        await parts.sync.run(Trigger.SCHEDULE, beat=beat)

    async def fill(self, name: str, beat: Heartbeat) -> bool:
        """Whether the mirror was empty."""
        parts = await self._workshops.open_parts(name)
        was_empty = await startup.fill_mirror(parts.sync, beat)
        if was_empty:
            self.on_filled(name)
        return was_empty


@dataclass(frozen=True, slots=True)
class Connector:
    """The parts of a process, usable until the context that built them ends. `database` is the installation's."""

    settings: Settings
    database: Database
    clock: DatabaseClock
    workshops: OpenWorkshops
    default: WorkshopParts
    """The workshop of the settings."""
    outbox_worker: OutboxWorker
    scheduled_syncs: ScheduledSyncs
    sync_timer: SyncTimer
    access_log: AccessLog
    readiness: ReadinessProbe
    rest: FastAPI
    server: config.ServerConfig
    supervisor: Supervisor

    def drain(self, seconds: float) -> None:
        """Give writes in progress `seconds` to finish, and the database a little longer to store the results."""
        self.workshops.drain(seconds)
        self.database.stop_waiting_after(seconds + DATABASE_GRACE)


@asynccontextmanager
async def open_connector(settings: Settings, clock: Clock = system_clock.now) -> AsyncIterator[Connector]:
    """
    Migrate and open the database and build a connector; at the end, writes in progress finish first. `clock` is the
    machine's clock, which may be set at any time.

    Raises SettingsError for a missing or wrong setting, StoreUnavailable where the database can't be used.
    """
    configuration.require_planso_login(settings)
    configuration.load_profile(settings)
    async with (
        telemetry.configure(os.environ) as traces,
        open_installation(settings) as database,
        _build(settings, database, traces, clock) as built,
    ):
        for warning in await database.check_server():
            log.warning("database_settings", words=warning)
        yield built


@asynccontextmanager
async def open_installation(settings: Settings) -> AsyncIterator[Database]:
    """The database of all workshops, migrated. Raises SettingsError, StoreUnavailable."""
    try:
        await asyncio.to_thread(migrate.migrate, settings.connector_database_url)
        database = Database.open(
            settings.connector_database_url,
            settings.connector_database_timeout,
            settings.connector_database_connections,
        )
    except ValueError as error:
        raise SettingsError(f"CONNECTOR_DATABASE_URL: {error}") from error
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """As `open_installation`, of the workshop of the settings, for commands that need no PlanSo."""
    async with open_installation(settings) as database:
        yield database.for_workshop(settings.connector_workshop)


@asynccontextmanager
async def _build(
    settings: Settings, database: Database, traces: telemetry.Traces, machine_clock: Clock
) -> AsyncIterator[Connector]:
    supervisor = Supervisor()
    metrics = Metrics(lambda: logs.output.lost_lines, supervisor.restart_counts, supervisor.heartbeat_ages)
    clock = await DatabaseClock.create(database, machine_clock)
    throttles: dict[str, Throttle] = {}

    def get_throttle(wanted: Settings) -> Throttle:
        rate = wanted.connector_planso_rate or None
        return throttles.setdefault(wanted.planso_url, Throttle(wanted.connector_planso_concurrency, rate))

    async def build(name: str) -> WorkshopParts:
        if name != settings.connector_workshop:
            raise NotFound(f"There is no workshop '{name}'.")
        return await build_workshop(name, settings, shared)

    workshops = OpenWorkshops(settings.connector_workshop, build)
    outbox_worker = _build_outbox_worker(database, clock, workshops)
    syncs = ScheduledSyncs(workshops)
    timer = SyncTimer(syncs.run, syncs.fill, clock, dice=Random())  # noqa: S311 - jitter
    shared = SharedParts(
        database=database,
        clock=clock,
        metrics=metrics,
        traces=traces,
        wait_limit=WaitLimit(settings.connector_parallel_total // 2, "for PlanSo"),
        sync_pacer=Pacer(),
        write_pacer=Pacer(),
        process_checks=[
            ProcessCheck("workers", supervisor.find_problem, "all run", required=True),
            ProcessCheck("log", logs.find_problem, "every line is written", required=False),
        ],
        get_throttle=get_throttle,
        wake_outbox=outbox_worker.wake,
        next_run_at=timer.next_run_at,
        find_stuck_sync=timer.find_stuck,
        is_alone=lambda: not workshops.registered,
    )
    access_log = AccessLog(database, clock)
    try:
        default = await workshops.open_parts(workshops.default)
        rest = _build_rest(settings, shared, workshops, default.flows.readiness, access_log)
        yield Connector(
            settings=settings,
            database=database,
            clock=clock,
            workshops=workshops,
            default=default,
            outbox_worker=outbox_worker,
            scheduled_syncs=syncs,
            sync_timer=timer,
            access_log=access_log,
            readiness=default.flows.readiness,
            rest=rest,
            server=config.build_config(rest, configuration.request_limits(settings)),
            supervisor=supervisor,
        )
    finally:
        database.stop_waiting_after(OUTBOX_GRACE + DATABASE_GRACE)
        await workshops.close()
        await access_log.close()


def _build_outbox_worker(database: Database, clock: DatabaseClock, workshops: OpenWorkshops) -> OutboxWorker:
    async def find_due() -> list[str]:
        now = format_instant(clock())
        return await database.read(lambda tx: operations.list_due_workshops(tx, now=now))

    async def open_outbox(name: str) -> Outbox | None:
        return (await workshops.open_parts(name)).outbox

    def list_open() -> list[Outbox]:
        return [parts.outbox for parts in workshops]

    return OutboxWorker(find_due, open_outbox, list_open, database.max_wait)


def _build_rest(
    settings: Settings, shared: SharedParts, workshops: OpenWorkshops, readiness: ReadinessProbe, access_log: AccessLog
) -> FastAPI:
    def record_request(method: str) -> None:
        """Make background work yield to callers."""
        shared.sync_pacer.record_request()
        if method == "GET":  # the outbox carries other requests out: it must not wait for them
            shared.write_pacer.record_request()

    database = shared.database
    flows = ProcessFlows(
        workshops=workshops,
        authentication=Authenticator(database, workshops.default, shared.clock),
        access_log=access_log,
        readiness=readiness,
        on_request=record_request,
    )
    return application.build(
        flows,
        shared.metrics,
        shared.traces.requests,
        configuration.request_policy(settings, lambda: database.queued_reads >= MAX_QUEUED_READS),
        lookup_shows_all=settings.connector_lookup_personal == "all",
    )


@asynccontextmanager
async def run_workers(built: Connector, on_filled: Callable[[str], None] = lambda _: None) -> AsyncIterator[None]:
    """
    Run the background loops: fill empty mirrors, sync on schedule, carry writes to PlanSo, apply retention. `on_filled`
    gets each workshop whose empty mirror was filled.
    """
    default = built.default
    built.scheduled_syncs.on_filled = on_filled
    built.sync_timer.set_schedule(
        default.name, configuration.work_hours(default.settings), default.settings.connector_sync_interval, at_once=True
    )
    retention_periods = configuration.retention_periods(built.settings)

    async def find_incomplete() -> list[Reindexer]:
        return [default.reindexer] if await default.reindexer.is_due() else []

    async def apply_retention() -> None:
        for name in [built.workshops.default]:
            await Retention(built.database.for_workshop(name), retention_periods, built.clock).run()

    workers = (
        Worker("schedule", built.sync_timer.run),
        Worker("reindex", partial(startup.rebuild_lookup_keys, find_incomplete)),
        Worker("clock", built.clock.run),
        Worker("outbox", built.outbox_worker.run_claim_loop),
        Worker("outbox_claims", built.outbox_worker.run_renewal_loop),
        Worker("access_log", built.access_log.run),
        Worker("readiness", built.readiness.run),
        Worker("retention", partial(retention.run, apply_retention, built.clock)),
    )
    async with built.supervisor.run_workers(workers):
        yield


async def require_authentication(built: Connector, address: str) -> None:
    """Raises SettingsError where `address` can be reached from other machines and no key is required."""
    if (
        authentication.is_loopback(address)
        or built.settings.connector_allow_anonymous
        or await built.default.api_keys.has_any()
    ):
        return
    raise SettingsError(
        f"CONNECTOR_HOST: {address} can be reached from other machines, and there is no API key yet. Create one, "
        "`planso-connector keys create NAME --scope orders:read`; or set CONNECTOR_ALLOW_ANONYMOUS=yes where a proxy "
        "in front authenticates every request."
    )
