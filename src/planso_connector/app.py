"""The composition root: the only place where the rooms are wired together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random

import structlog
from fastapi import FastAPI

from planso_connector import logs, telemetry
from planso_connector.domain import clock
from planso_connector.domain.clock import Clock
from planso_connector.domain.reconcile import ReconcilePolicy
from planso_connector.domain.workhours import WorkHours
from planso_connector.flows.operating.access_log import AccessLog
from planso_connector.flows.operating.api_keys import ApiKeys
from planso_connector.flows.operating.authenticate import Authenticator
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.planso_login import PlansoLogin
from planso_connector.flows.operating.readiness import ProcessCheck, ReadinessProbe
from planso_connector.flows.operating.rejected_login import RejectedLogin
from planso_connector.flows.operating.retention import Retention, RetentionPeriods
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
from planso_connector.flows.syncing.sync_run import SyncPolicy
from planso_connector.flows.trial.trial import TrialFlow
from planso_connector.flows.writing.dry_run import DryRun
from planso_connector.flows.writing.outbox import OUTBOX_GRACE, Outbox
from planso_connector.flows.writing.push import Pusher
from planso_connector.flows.writing.read_back import LiveForms
from planso_connector.flows.writing.write import WriteService
from planso_connector.flows.writing.write_stops import SaveStyleOrigin, WriteStops
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import Throttle
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.trial_profile import apply_trial, fingerprint_profile
from planso_connector.rest import application
from planso_connector.rest.application import RequestPolicy
from planso_connector.rest.metrics import Metrics
from planso_connector.rest.middleware import authentication, trusted_hosts
from planso_connector.rest.middleware.rate_limits import Limits, Rate
from planso_connector.server import config
from planso_connector.settings import Settings, SettingsError
from planso_connector.store import save_evidence
from planso_connector.store.engine.database import Database
from planso_connector.store.maintenance import migrate
from planso_connector.store.sync_runs import Trigger
from planso_connector.workers import retention as retention_turns
from planso_connector.workers import startup
from planso_connector.workers.schedule import Schedule
from planso_connector.workers.supervisor import Supervisor, Worker

log = structlog.get_logger(__name__)

READS_WAITING = 64
"""Reads that wait for the database, from where on requests are refused: some tenths of a second's work."""

RECORDING = 5.0
"""Seconds beyond the grace for the database to take how things ended; then the process ends without its answer."""

PUSHES_PER_REQUEST = 2
"""Operations under way for each request that PlanSo is asked at once. More only crowd out those who read."""


@dataclass(frozen=True, slots=True)
class Connector:
    """Everything that one workshop's connector consists of, ready to be used until its context ends."""

    settings: Settings
    database: Database
    planso: PlansoClient
    profile: Profile
    sync: Sync
    outbox: Outbox
    reindex: Reindexer
    schedule: Schedule
    retention: Retention
    keys: ApiKeys
    accesses: AccessLog
    write_stops: WriteStops
    trial: TrialFlow
    rest: FastAPI
    server: config.ServerConfig
    supervisor: Supervisor
    now: DatabaseClock

    def drain(self, seconds: float) -> None:
        """What is under way has so many seconds, and the database some more to record it."""
        self.outbox.drain(seconds)
        self.database.stop_waiting_after(seconds + RECORDING)


@asynccontextmanager
async def connector(settings: Settings, now: Clock = clock.now) -> AsyncIterator[Connector]:
    """
    Migrate and open the database, and wire the rooms. At the end, writes under way are finished first. `now` is the
    machine's clock, which may be set at any time.

    Raises SettingsError where a setting is missing or wrong, StoreUnavailable where the database can't be had.
    """
    _require_login(settings)
    profile = _profile(settings)
    async with (
        telemetry.begun(os.environ) as traces,
        opened(settings) as database,
        _wired(settings, profile, database, traces, now) as wired,
    ):
        for words in await database.check_server():
            log.warning("database_settings", words=words)
        yield wired


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """
    The workshop's database, migrated, for commands that need no PlanSo. Raises SettingsError, StoreUnavailable.
    """
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
async def _wired(
    settings: Settings, profile: Profile, database: Database, traces: telemetry.Traces, now: Clock
) -> AsyncIterator[Connector]:
    now = database_clock = await DatabaseClock.create(database, now)
    configured = profile
    trial = await database.read(lambda tx: save_evidence.load_trial(tx))
    profile = apply_trial(configured, settings.planso_url, trial)
    password = settings.planso_password.get_secret_value()
    rejection = RejectedLogin(database, now, (settings.planso_url, settings.planso_user, password))
    supervisor = Supervisor()
    metrics = Metrics(lambda: logs.output.lost_lines, supervisor.restart_counts, supervisor.heartbeat_ages)
    writes_way, sync_way = Pacer(), Pacer()

    def asked(method: str) -> None:
        sync_way.record_request()
        if method == "GET":  # writes do not wait for each other here
            writes_way.record_request()

    def exchanged(page: str, outcome: str, seconds: float) -> None:
        metrics.record_planso_request(page, outcome, seconds)
        traces.planso(page, outcome, seconds)

    async def logged_in(accepted: bool) -> None:
        metrics.record_planso_login(accepted=accepted)
        await rejection.record(accepted)

    planso = PlansoClient(
        settings.planso_url,
        settings.planso_user,
        password,
        profile,
        throttle=Throttle(settings.connector_planso_concurrency, settings.connector_planso_rate or None),
        timeout=settings.planso_timeout,
        max_answer=settings.planso_max_answer,
        already_rejected=await rejection.is_recorded(),
        on_login=logged_in,
        on_exchange=exchanged,
    )
    reader = OrderReader(database, planso, now, parts=settings.connector_sync_parts)
    pusher = Pusher(database, planso, reader, now, Random())  # noqa: S311
    landing = timedelta(seconds=planso.max_request_seconds)
    admission = WaitLimit(settings.connector_parallel_total // 2, "for PlanSo")
    outbox = Outbox(
        database,
        pusher,
        landing,
        now,
        admission=admission,
        at_once=settings.connector_planso_concurrency * PUSHES_PER_REQUEST,
        way=writes_way,
        tracing=traces.push,
        sends=settings.connector_writes == "on",
    )
    writer = WriteService(
        database,
        planso,
        outbox,
        wait=settings.connector_write_wait,
        deadline=settings.connector_write_deadline,
        most_pending=settings.connector_pending,
        clock=now,
        writes=settings.connector_writes,
    )
    sync = Sync(database, planso, reader, now, _policy(settings), sync_way, traces.sync)
    hours, interval = _hours(settings), settings.connector_sync_interval
    turns = Schedule(lambda beat: sync.run(Trigger.SCHEDULE, beat=beat), hours, interval, now, dice=Random())  # noqa: S311
    lookup = OrderQueries(database)
    live = LiveForms(planso, reader, now)
    freshness = Freshness(sync, reader, live, lookup, hours, interval, now, admission)
    stops = WriteStops(
        database,
        now,
        setting=settings.connector_writes,
        profile=profile_of_saving(settings),
        on_resume=outbox.wake,
    )
    status = PlansoLogin(planso, stops, admission)
    of_saving = profile_of_saving(settings)
    readiness = ReadinessProbe(
        database,
        freshness,
        planso,
        database_clock,
        settings.connector_writes,
        of_saving,
        of_process=[
            ProcessCheck("workers", supervisor.find_problem, "all run", required=True),
            ProcessCheck("log", logs.trouble, "every line is written", required=False),
        ],
    )
    measured = StatisticsCollector(database, sync, readiness, planso, database_clock, admission)
    standings = ProgressQueries(database, freshness, profile.labels, now)
    dry_run = DryRun(planso, live, reader, admission)
    recognition = LookupService(database)
    accesses = AccessLog(database, now)
    flows = application.Flows(
        lookup,
        writer,
        dry_run,
        sync,
        status,
        readiness,
        measured,
        freshness,
        standings,
        recognition,
        stops,
        next_run_at=lambda: turns.next_run_at,
        on_request=asked,
        authentication=Authenticator(database, now),
        access_log=accesses,
    )
    policy = _request_policy(settings, lambda: database.queued_reads >= READS_WAITING)
    rest = application.build(
        flows,
        metrics,
        traces.requests,
        policy,
        lookup_shows_all=settings.connector_lookup_personal == "all",
    )
    keys, reindex = ApiKeys(database, now), Reindexer(database, now)
    try:
        retention = Retention(database, _kept(settings), now)
        yield Connector(
            settings,
            database,
            planso,
            profile,
            sync,
            outbox,
            reindex,
            turns,
            retention=retention,
            keys=keys,
            accesses=accesses,
            write_stops=stops,
            trial=TrialFlow(
                database,
                planso,
                reader,
                now,
                profile=configured,
                url=settings.planso_url,
                writes=settings.connector_writes,
            ),
            rest=rest,
            server=config.build_config(rest, policy.limits),
            supervisor=supervisor,
            now=database_clock,
        )
    finally:
        database.stop_waiting_after(OUTBOX_GRACE + RECORDING)
        await sync.close()
        await outbox.close()
        await accesses.close()
        await planso.aclose()


@asynccontextmanager
async def at_work(built: Connector) -> AsyncIterator[None]:
    """While this lasts, the connector works: it carries writes to PlanSo, fills an empty mirror, syncs in turns."""
    is_scheduled = built.settings.connector_sync_interval > timedelta(0)
    workers = (
        Worker("fill", partial(startup.fill_mirror, built.sync), may_end=True),
        Worker("reindex", partial(startup.rebuild_lookup_keys, built.reindex)),
        Worker("clock", built.now.run),
        Worker("outbox", built.outbox.run_claim_loop),
        Worker("outbox_claims", built.outbox.run_renewal_loop),
        Worker("schedule", built.schedule.run, may_end=not is_scheduled),
        Worker("accesses", built.accesses.run),
        Worker("retention", partial(retention_turns.run, built.retention.run, built.now)),
    )
    async with built.supervisor.run_workers(workers):
        yield


async def may_listen(built: Connector, address: str) -> None:
    """Raises SettingsError where others would reach a connector that asks nobody for a key."""
    if authentication.is_loopback(address) or built.settings.connector_allow_anonymous or await built.keys.has_any():
        return
    raise SettingsError(
        f"CONNECTOR_HOST: {address} can be reached from other machines, and there is no API key yet. Make one, "
        "`planso-connector keys create NAME --scope orders:read`; or set CONNECTOR_ALLOW_ANONYMOUS=yes where a proxy "
        "in front lets nobody in unasked."
    )


def _policy(settings: Settings) -> SyncPolicy:
    return SyncPolicy(
        reading=ReconcilePolicy(
            reread=settings.connector_sync_reread,
            reread_soon=settings.connector_sync_reread_soon,
            max_removal_share=settings.connector_sync_max_removals,
        ),
        sections_interval=settings.connector_sync_extended_interval if settings.connector_sync_extended else None,
        concurrency=settings.connector_planso_concurrency,
    )


def _request_policy(settings: Settings, is_behind: Callable[[], bool]) -> RequestPolicy:
    with _naming("CONNECTOR_TRUSTED_PROXIES"):
        proxies = trusted_hosts.parse_networks(trusted_hosts.split_list(settings.connector_trusted_proxies))
    with _naming("CONNECTOR_ALLOWED_HOSTS"):
        hosts = trusted_hosts.TrustedHosts(trusted_hosts.split_list(settings.connector_allowed_hosts))
    with _naming("CONNECTOR_CORS_ORIGINS"):
        origins = trusted_hosts.parse_origins(trusted_hosts.split_list(settings.connector_cors_origins))
    return RequestPolicy(
        hosts, origins, proxies, _limits(settings), settings.connector_allow_anonymous, is_behind=is_behind
    )


def _limits(settings: Settings) -> Limits:
    with _naming("CONNECTOR_RATE_LIMIT"):
        key = Rate.parse(settings.connector_rate_limit)
    with _naming("CONNECTOR_ADDRESS_RATE_LIMIT"):
        address = Rate.parse(settings.connector_address_rate_limit)
    with _naming("CONNECTOR_UNLIMITED_ADDRESSES"):
        exempt = trusted_hosts.parse_networks(trusted_hosts.split_list(settings.connector_unlimited_addresses))
    return Limits(
        key,
        address,
        exempt,
        parallel=settings.connector_parallel,
        parallel_total=settings.connector_parallel_total,
        connections=settings.connector_connections,
        receive_timeout=settings.connector_arrival.total_seconds(),
    )


@contextmanager
def _naming(setting: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise SettingsError(f"{setting}: {error}") from error


def _kept(settings: Settings) -> RetentionPeriods:
    return RetentionPeriods(
        operations=settings.connector_keep_operations,
        history=settings.connector_keep_history,
        sync_runs=settings.connector_keep_runs,
        unreadable_pages=settings.connector_keep_kept_pages,
        deleted_orders=settings.connector_keep_tombstones,
        access_log=settings.connector_keep_accesses,
    )


def profile_of_saving(settings: Settings) -> SaveStyleOrigin:
    """Where the configured profile's way of saving comes from, and its fingerprint. Raises SettingsError."""
    profile = _profile(settings)
    return SaveStyleOrigin(profile.save.source, fingerprint_profile(profile, settings.planso_url))


def _hours(settings: Settings) -> WorkHours:
    try:
        return WorkHours.parse(
            settings.connector_sync_hours, settings.connector_sync_zone, settings.connector_sync_holidays or None
        )
    except ValueError as error:
        raise SettingsError(f"CONNECTOR_SYNC_HOURS, _ZONE, _HOLIDAYS: {error}") from error


def _require_login(settings: Settings) -> None:
    missing = [name for name in ("planso_url", "planso_user") if not getattr(settings, name)]
    if not settings.planso_password.get_secret_value():
        missing.append("planso_password")
    if missing:
        names = ", ".join(name.upper() for name in missing)
        raise SettingsError(f"{names}: not set. Set them in the environment or in `.env`, or try `serve --demo`.")


def _profile(settings: Settings) -> Profile:
    try:
        return Profile.load(settings.planso_profile, settings.planso_table_id)
    except (ValueError, OSError) as error:
        raise SettingsError(f"PLANSO_PROFILE: {error}") from error
