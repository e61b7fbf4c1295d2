"""Composition root: build every part of a connector and wire them together. Nothing else does."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random

import structlog
from fastapi import FastAPI

from planso_connector import configuration, logs, telemetry
from planso_connector.domain import clock as system_clock
from planso_connector.domain.clock import Clock
from planso_connector.flows.operating.access_log import AccessLog
from planso_connector.flows.operating.api_keys import ApiKeys
from planso_connector.flows.operating.authenticate import Authenticator
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.planso_login import PlansoLogin
from planso_connector.flows.operating.readiness import ProcessCheck, ReadinessProbe
from planso_connector.flows.operating.rejected_logins import RejectedLogin
from planso_connector.flows.operating.retention import Retention
from planso_connector.flows.operating.statistics import StatisticsCollector
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.querying.freshness import Freshness
from planso_connector.flows.querying.lookup import LookupService
from planso_connector.flows.querying.orders import OrderQueries
from planso_connector.flows.querying.progress import ProgressQueries
from planso_connector.flows.querying.reindex import Reindexer
from planso_connector.flows.syncing.pacing import Pacer
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.syncing.sync import Sync
from planso_connector.flows.trial.trial import TrialFlow
from planso_connector.flows.writing.dry_run import DryRun
from planso_connector.flows.writing.outbox import OUTBOX_GRACE, Outbox
from planso_connector.flows.writing.push import Pusher
from planso_connector.flows.writing.read_back import LiveFormReader
from planso_connector.flows.writing.write import WriteService
from planso_connector.flows.writing.write_stops import WriteStops
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import Throttle
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.trial_profile import apply_trial
from planso_connector.rest import application
from planso_connector.rest.application import RequestPolicy
from planso_connector.rest.metrics import Metrics
from planso_connector.rest.middleware import authentication
from planso_connector.server import config
from planso_connector.settings import Settings, SettingsError
from planso_connector.store import save_evidence
from planso_connector.store.engine.database import Database
from planso_connector.store.maintenance import migrate
from planso_connector.store.sync_runs import Trigger
from planso_connector.workers import retention as retention_worker
from planso_connector.workers import startup
from planso_connector.workers.supervisor import Supervisor, Worker
from planso_connector.workers.sync_schedule import SyncSchedule

log = structlog.get_logger(__name__)

MAX_QUEUED_READS = 64
"""Reads waiting for the database above which requests are refused: some tenths of a second of work."""

DATABASE_GRACE = 5.0
"""Seconds after the outbox's grace for the database to store results; then the process ends without its answer."""

PUSHES_PER_REQUEST = 2
"""Operations in progress per concurrent PlanSo request. More would only crowd out reads."""


@dataclass(frozen=True, slots=True)
class Connector:
    """The parts of one workshop's connector, usable until the context that built them ends."""

    settings: Settings
    database: Database
    clock: DatabaseClock
    planso: PlansoClient
    profile: Profile
    sync: Sync
    schedule: SyncSchedule
    outbox: Outbox
    write_stops: WriteStops
    trial: TrialFlow
    reindexer: Reindexer
    retention: Retention
    api_keys: ApiKeys
    access_log: AccessLog
    readiness: ReadinessProbe
    rest: FastAPI
    server: config.ServerConfig
    supervisor: Supervisor

    def drain(self, seconds: float) -> None:
        """Give writes in progress `seconds` to finish, and the database a little longer to store the results."""
        self.outbox.drain(seconds)
        self.database.stop_waiting_after(seconds + DATABASE_GRACE)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What most parts are built from."""

    settings: Settings
    configured_profile: Profile
    """The profile as the operator wrote it; `planso` has it with what the write trial learned."""
    profile: Profile
    database: Database
    clock: DatabaseClock
    planso: PlansoClient
    reader: OrderReader
    live: LiveFormReader
    wait_limit: WaitLimit
    access_log: AccessLog
    supervisor: Supervisor
    metrics: Metrics
    traces: telemetry.Traces
    sync_pacer: Pacer = field(default_factory=Pacer)
    write_pacer: Pacer = field(default_factory=Pacer)

    def record_request(self, method: str) -> None:
        """Make background work yield to callers."""
        self.sync_pacer.record_request()
        if method == "GET":  # the outbox carries other requests out: it must not wait for them
            self.write_pacer.record_request()


@dataclass(frozen=True, slots=True)
class _Writing:
    outbox: Outbox
    service: WriteService
    dry_run: DryRun
    stops: WriteStops
    trial: TrialFlow


@dataclass(frozen=True, slots=True)
class _Syncing:
    sync: Sync
    schedule: SyncSchedule
    freshness: Freshness
    orders: OrderQueries


@asynccontextmanager
async def open_connector(settings: Settings, clock: Clock = system_clock.now) -> AsyncIterator[Connector]:
    """
    Migrate and open the database and build a connector; at the end, writes in progress finish first. `clock` is the
    machine's clock, which may be set at any time.

    Raises SettingsError for a missing or wrong setting, StoreUnavailable where the database can't be used.
    """
    configuration.require_planso_login(settings)
    profile = configuration.load_profile(settings)
    async with (
        telemetry.configure(os.environ) as traces,
        open_database(settings) as database,
        _build(settings, profile, database, traces, clock) as built,
    ):
        for warning in await database.check_server():
            log.warning("database_settings", words=warning)
        yield built


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The workshop's database, migrated, for commands that need no PlanSo. Raises SettingsError, StoreUnavailable."""
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
        yield database.for_workshop(settings.connector_workshop)
    finally:
        await database.close()


@asynccontextmanager
async def _build(
    settings: Settings, profile: Profile, database: Database, traces: telemetry.Traces, clock: Clock
) -> AsyncIterator[Connector]:
    shared = await _build_shared(settings, profile, database, traces, clock)
    writing = _build_writing(shared)
    syncing = _build_syncing(shared)
    retention = Retention(database, configuration.retention_periods(settings), shared.clock)
    policy = configuration.request_policy(settings, lambda: database.queued_reads >= MAX_QUEUED_READS)
    readiness = _build_readiness(shared, syncing)
    rest = _build_rest(shared, writing, syncing, readiness, policy)
    try:
        yield Connector(
            settings=settings,
            database=database,
            clock=shared.clock,
            planso=shared.planso,
            profile=shared.profile,
            sync=syncing.sync,
            schedule=syncing.schedule,
            outbox=writing.outbox,
            write_stops=writing.stops,
            trial=writing.trial,
            reindexer=Reindexer(database, shared.clock),
            retention=retention,
            api_keys=ApiKeys(database, shared.clock),
            access_log=shared.access_log,
            readiness=readiness,
            rest=rest,
            server=config.build_config(rest, policy.limits),
            supervisor=shared.supervisor,
        )
    finally:
        database.stop_waiting_after(OUTBOX_GRACE + DATABASE_GRACE)
        await syncing.sync.close()
        await writing.outbox.close()
        await shared.access_log.close()
        await shared.planso.aclose()


async def _build_shared(
    settings: Settings, configured_profile: Profile, database: Database, traces: telemetry.Traces, machine_clock: Clock
) -> _Shared:
    supervisor = Supervisor()
    metrics = Metrics(lambda: logs.output.lost_lines, supervisor.restart_counts, supervisor.heartbeat_ages)
    clock = await DatabaseClock.create(database, machine_clock)
    trial = await database.read(save_evidence.load_trial)
    profile = apply_trial(configured_profile, settings.planso_url, trial)
    password = settings.planso_password.get_secret_value()
    rejected_login = RejectedLogin(database, clock, (settings.planso_url, settings.planso_user, password))

    def on_exchange(page: str, outcome: str, seconds: float) -> None:
        metrics.record_planso_request(page, outcome, seconds)
        traces.planso(page, outcome, seconds)

    async def on_login(accepted: bool) -> None:
        metrics.record_planso_login(accepted=accepted)
        await rejected_login.record(accepted)

    planso = PlansoClient(
        settings.planso_url,
        settings.planso_user,
        password,
        profile,
        throttle=Throttle(settings.connector_planso_concurrency, settings.connector_planso_rate or None),
        timeout=settings.planso_timeout,
        max_answer=settings.planso_max_answer,
        already_rejected=await rejected_login.is_recorded(),
        on_login=on_login,
        on_exchange=on_exchange,
    )
    reader = OrderReader(database, planso, clock, parts=settings.connector_sync_parts)
    return _Shared(
        settings=settings,
        configured_profile=configured_profile,
        profile=profile,
        database=database,
        clock=clock,
        planso=planso,
        reader=reader,
        live=LiveFormReader(planso, reader, clock),
        wait_limit=WaitLimit(settings.connector_parallel_total // 2, "for PlanSo"),
        access_log=AccessLog(database, clock),
        supervisor=supervisor,
        metrics=metrics,
        traces=traces,
    )


def _build_writing(shared: _Shared) -> _Writing:
    settings, database, clock, planso = shared.settings, shared.database, shared.clock, shared.planso
    outbox = Outbox(
        database,
        Pusher(database, planso, shared.reader, clock, Random()),  # noqa: S311 - jitter
        timedelta(seconds=planso.max_request_seconds),
        clock,
        wait_limit=shared.wait_limit,
        max_pushes=settings.connector_planso_concurrency * PUSHES_PER_REQUEST,
        pacer=shared.write_pacer,
        tracing=shared.traces.push,
        can_send=settings.connector_writes == "on",
    )
    service = WriteService(
        database,
        planso,
        outbox,
        wait=settings.connector_write_wait,
        deadline=settings.connector_write_deadline,
        max_pending=settings.connector_pending,
        clock=clock,
        writes=settings.connector_writes,
    )
    stops = WriteStops(
        database,
        clock,
        setting=settings.connector_writes,
        profile=configuration.save_style_origin(settings),
        on_resume=outbox.wake,
    )
    trial = TrialFlow(
        database,
        planso,
        shared.reader,
        clock,
        profile=shared.configured_profile,
        url=settings.planso_url,
        writes=settings.connector_writes,
    )
    return _Writing(outbox, service, DryRun(planso, shared.live, shared.reader, shared.wait_limit), stops, trial)


def _build_syncing(shared: _Shared) -> _Syncing:
    settings, database, clock = shared.settings, shared.database, shared.clock
    hours, interval = configuration.work_hours(settings), settings.connector_sync_interval
    sync = Sync(
        database,
        shared.planso,
        shared.reader,
        clock,
        configuration.sync_policy(settings),
        shared.sync_pacer,
        shared.traces.sync,
    )
    schedule = SyncSchedule(
        lambda beat: sync.run(Trigger.SCHEDULE, beat=beat),
        hours,
        interval,
        clock,
        dice=Random(),  # noqa: S311 - jitter
    )
    orders = OrderQueries(database)
    freshness = Freshness(sync, shared.reader, shared.live, orders, hours, interval, clock, shared.wait_limit)
    return _Syncing(sync, schedule, freshness, orders)


def _build_readiness(shared: _Shared, syncing: _Syncing) -> ReadinessProbe:
    return ReadinessProbe(
        shared.database,
        syncing.freshness,
        shared.planso,
        shared.clock,
        shared.settings.connector_writes,
        configuration.save_style_origin(shared.settings),
        of_process=[
            ProcessCheck("workers", shared.supervisor.find_problem, "all run", required=True),
            ProcessCheck("log", logs.find_problem, "every line is written", required=False),
        ],
    )


def _build_rest(
    shared: _Shared, writing: _Writing, syncing: _Syncing, readiness: ReadinessProbe, policy: RequestPolicy
) -> FastAPI:
    settings, database, clock, planso = shared.settings, shared.database, shared.clock, shared.planso
    flows = application.Flows(
        order_queries=syncing.orders,
        writer=writing.service,
        dry_run=writing.dry_run,
        sync=syncing.sync,
        planso_login=PlansoLogin(planso, shared.wait_limit),
        readiness=readiness,
        statistics=StatisticsCollector(database, syncing.sync, readiness, planso, clock, shared.wait_limit),
        freshness=syncing.freshness,
        progress=ProgressQueries(database, syncing.freshness, shared.profile.labels, clock),
        lookup=LookupService(database),
        write_stops=writing.stops,
        next_run_at=lambda: syncing.schedule.next_run_at,
        on_request=shared.record_request,
        authentication=Authenticator(database, clock),
        access_log=shared.access_log,
    )
    return application.build(
        flows,
        shared.metrics,
        shared.traces.requests,
        policy,
        lookup_shows_all=settings.connector_lookup_personal == "all",
    )


@asynccontextmanager
async def run_workers(built: Connector, on_filled: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
    """
    Run the background loops: fill an empty mirror, sync on schedule, carry writes to PlanSo, apply retention.
    `on_filled` is called once an empty mirror was filled.
    """
    is_scheduled = built.settings.connector_sync_interval > timedelta(0)
    workers = (
        Worker("fill", partial(startup.fill_mirror, built.sync, on_filled), may_end=True),
        Worker("reindex", partial(startup.rebuild_lookup_keys, built.reindexer)),
        Worker("clock", built.clock.run),
        Worker("outbox", built.outbox.run_claim_loop),
        Worker("outbox_claims", built.outbox.run_renewal_loop),
        Worker("schedule", built.schedule.run, may_end=not is_scheduled),
        Worker("access_log", built.access_log.run),
        Worker("readiness", built.readiness.run),
        Worker("retention", partial(retention_worker.run, built.retention.run, built.clock)),
    )
    async with built.supervisor.run_workers(workers):
        yield


async def require_authentication(built: Connector, address: str) -> None:
    """Raises SettingsError where `address` can be reached from other machines and no key is required."""
    if (
        authentication.is_loopback(address)
        or built.settings.connector_allow_anonymous
        or await built.api_keys.has_any()
    ):
        return
    raise SettingsError(
        f"CONNECTOR_HOST: {address} can be reached from other machines, and there is no API key yet. Create one, "
        "`planso-connector keys create NAME --scope orders:read`; or set CONNECTOR_ALLOW_ANONYMOUS=yes where a proxy "
        "in front authenticates every request."
    )
