"""Composition root: build what all workshops of a process share; `workshop_parts` builds what each has of its own."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from starlette.middleware import Middleware

from planso_connector import configuration, logs, telemetry
from planso_connector.agent_parts import build_routers
from planso_connector.agents.http.failure_answers import FailureAnswersMiddleware
from planso_connector.agents.mcp.failure_results import FailureResultsMiddleware
from planso_connector.agents.tool_session import ToolSettings
from planso_connector.domain import clock as system_clock
from planso_connector.domain.clock import Clock
from planso_connector.flows.operating.access_log import AccessLog
from planso_connector.flows.operating.authenticate import Authenticator
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.installation_statistics import InstallationStatisticsCollector
from planso_connector.flows.operating.planso_lease import PlansoLease, PlansoLeases
from planso_connector.flows.operating.readiness import ProcessCheck, ReadinessProbe
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.operating.workshops import WorkshopRegistry
from planso_connector.flows.syncing.pacing import Pacer
from planso_connector.flows.writing.outbox import OUTBOX_GRACE
from planso_connector.open_workshops import OpenWorkshops
from planso_connector.planso.pages.layout_cache import LayoutCache
from planso_connector.process_calls import CALL_GRACE, ProcessCalls
from planso_connector.rest import application
from planso_connector.rest.application import Application, ProcessFlows
from planso_connector.rest.metrics import Metrics
from planso_connector.rest.middleware import authentication
from planso_connector.rest.middleware.request_log import RequestLog
from planso_connector.scheduled_syncs import ScheduledSyncs
from planso_connector.server import config
from planso_connector.settings import Settings, SettingsError
from planso_connector.shared_throttles import SharedThrottles
from planso_connector.store.engine.database import Database
from planso_connector.store.maintenance import migrate
from planso_connector.webhooks.sender import WebhookSender
from planso_connector.workers.supervisor import Supervisor
from planso_connector.workshop_directory import ServedWorkshop, WorkshopDirectory
from planso_connector.workshop_parts import SharedParts, WorkshopParts, build_workshop

log = structlog.get_logger(__name__)

MAX_QUEUED_READS = 64
"""Reads waiting for the database above which requests are refused: some tenths of a second of work."""

DATABASE_GRACE = 5.0
"""Seconds after the outbox's grace for the database to store results; then the process ends without its answer."""


@dataclass(frozen=True, slots=True)
class Connector:
    """The parts of a process, usable until the context that built them ends. `database` is the installation's."""

    settings: Settings
    database: Database
    clock: DatabaseClock
    workshops: OpenWorkshops
    registry: WorkshopRegistry
    leases: PlansoLeases
    calls: ProcessCalls
    syncs: ScheduledSyncs
    access_log: AccessLog
    get_readiness: Callable[[], Awaitable[ReadinessProbe]]
    rest: Application
    server: config.ServerConfig
    supervisor: Supervisor
    webhook_sender: WebhookSender

    @property
    def default(self) -> WorkshopParts:
        """The workshop of the environment. Raises SettingsError where it defines none."""
        parts = self.workshops.find_parts(self.workshops.default)
        if parts is None:
            configuration.require_planso_login(self.settings)
        assert parts is not None, "it is opened at the start, and commands end before it is idle for long"
        return parts

    def drain(self, seconds: float) -> None:
        """Give writes in progress `seconds` to finish, and the database a little longer to store the results."""
        self.workshops.drain(seconds)
        self.database.stop_waiting_after(seconds + DATABASE_GRACE)


@asynccontextmanager
async def open_connector(
    settings: Settings, clock: Clock = system_clock.now, *, beside_others: bool = False
) -> AsyncIterator[Connector]:
    """
    Migrate and open the database and build a connector; at the end, writes in progress finish first. `clock` is the
    machine's clock, which may be set at any time. `beside_others`: send to PlanSo without its lease, for commands that
    an operator runs beside the serving process.

    Raises SettingsError for a missing or wrong setting, StoreUnavailable where the database can't be used.
    """
    if settings.planso_url:
        configuration.require_planso_login(settings)
        configuration.load_profile(settings)
    async with (
        telemetry.configure(os.environ) as traces,
        open_installation(settings) as database,
        _build(settings, database, traces, clock, beside_others=beside_others) as built,
    ):
        if not len(built.workshops.directory):
            configuration.require_planso_login(settings)
        await configuration.require_free_name(settings, built.registry)
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
    settings: Settings, database: Database, traces: telemetry.Traces, machine_clock: Clock, *, beside_others: bool
) -> AsyncIterator[Connector]:
    clock = await DatabaseClock.create(database, machine_clock)
    registry = configuration.workshop_registry(settings, database, clock)

    def close_users(lease: PlansoLease) -> None:
        """Another process talks to this PlanSo now: nobody here must go on with its sessions."""
        for name in lease.users:
            workshops.begin_close(name, "another process has its PlanSo lease")

    async def build(served: ServedWorkshop) -> WorkshopParts:
        return await build_workshop(served.name, directory.load_settings(served), served.access, shared)

    leases = PlansoLeases(database, clock, close_users)
    directory = WorkshopDirectory(settings, registry, None if beside_others else leases)
    workshops = OpenWorkshops(settings.connector_workshop, directory, build, lambda name: syncs.plan(name))
    calls = ProcessCalls(database, clock, workshops, leases)
    syncs = ScheduledSyncs(workshops, database, clock)
    supervisor = Supervisor()
    shared = _build_shared(settings, database, clock, traces, supervisor, calls, syncs, workshops)
    access_log = AccessLog(database, clock)
    get_readiness = _choose_readiness(shared, workshops)
    try:
        await directory.refresh()
        if settings.planso_url:
            await workshops.open_parts(workshops.default)
        rest = _build_rest(settings, shared, workshops, get_readiness, access_log)
        yield Connector(
            settings=settings,
            database=database,
            clock=clock,
            workshops=workshops,
            registry=registry,
            leases=leases,
            calls=calls,
            syncs=syncs,
            access_log=access_log,
            get_readiness=get_readiness,
            rest=rest,
            server=config.build_config(rest, configuration.request_limits(settings)),
            supervisor=supervisor,
            webhook_sender=shared.webhook_sender,
        )
    finally:
        database.stop_waiting_after(OUTBOX_GRACE + DATABASE_GRACE)
        await calls.server.close(CALL_GRACE)
        await workshops.close()
        await calls.forwarded.close()
        await shared.webhook_sender.close()
        await leases.close()
        await access_log.close()


def _build_shared(
    settings: Settings,
    database: Database,
    clock: DatabaseClock,
    traces: telemetry.Traces,
    supervisor: Supervisor,
    calls: ProcessCalls,
    syncs: ScheduledSyncs,
    workshops: OpenWorkshops,
) -> SharedParts:
    def list_settings(address: str) -> list[Settings]:
        return [parts.settings for parts in workshops if parts.access.address == address]

    def is_alone() -> bool:
        return workshops.is_alone

    return SharedParts(
        database=database,
        clock=clock,
        metrics=Metrics(lambda: logs.output.lost_lines, supervisor.restart_counts, supervisor.heartbeat_ages),
        traces=traces,
        wait_limit=WaitLimit(settings.connector_parallel_total // 2, "for PlanSo", is_alone),
        webhook_sender=WebhookSender(configuration.webhook_networks(settings)),
        feed_wait_limit=WaitLimit(settings.connector_parallel_total // 4, "for changes", is_alone),
        sync_pacer=Pacer(),
        write_pacer=Pacer(),
        process_checks=[
            ProcessCheck("workers", supervisor.find_problem, "all run", required=True),
            ProcessCheck("log", logs.find_problem, "every line is written", required=False),
        ],
        get_throttle=SharedThrottles(list_settings).get,
        layouts=LayoutCache(),
        wake_ups=calls.wake_ups,
        forwarded_calls=calls.forwarded,
        wake_outbox=calls.wake_outbox,
        next_run_at=syncs.timer.next_run_at,
        find_stuck_sync=syncs.timer.find_stuck,
        is_alone=is_alone,
    )


def _choose_readiness(shared: SharedParts, workshops: OpenWorkshops) -> Callable[[], Awaitable[ReadinessProbe]]:
    process_readiness = ReadinessProbe(
        shared.database.for_workshop(workshops.default), shared.clock, shared.process_checks
    )

    async def get_readiness() -> ReadinessProbe:
        """For callers without a key: a single workshop is the process's matter, too."""
        if workshops.default in workshops.directory and shared.is_alone():
            return (await workshops.open_parts(workshops.default)).flows.readiness
        return process_readiness

    return get_readiness


def _build_rest(
    settings: Settings,
    shared: SharedParts,
    workshops: OpenWorkshops,
    get_readiness: Callable[[], Awaitable[ReadinessProbe]],
    access_log: AccessLog,
) -> Application:
    def record_request(method: str) -> None:
        """Make background work yield to callers."""
        shared.sync_pacer.record_request()
        if method == "GET":  # the outbox carries other requests out: it must not wait for them
            shared.write_pacer.record_request()

    database = shared.database
    overview = configuration.workshop_overview(settings, database, shared.clock)
    flows = ProcessFlows(
        workshops=workshops,
        authentication=Authenticator(database, workshops.default, shared.clock),
        access_log=access_log,
        get_readiness=get_readiness,
        on_request=record_request,
        workshop_registry=configuration.workshop_registry(settings, database, shared.clock),
        workshop_overview=overview,
        installation_statistics=InstallationStatisticsCollector(overview, shared.clock),
    )
    shows_all = settings.connector_lookup_personal == "all"
    tools = ToolSettings(shows_all_personal_data=shows_all, asks_second_fact=settings.connector_tools_second_fact)
    return application.build(
        flows,
        RequestLog(shared.metrics, logs.write_request),
        shared.traces.requests,
        configuration.request_policy(settings, lambda: database.queued_reads >= MAX_QUEUED_READS),
        lookup_shows_all=shows_all,
        around_admission=[Middleware(FailureAnswersMiddleware), Middleware(FailureResultsMiddleware)],
        more_routers=build_routers(tools, shared.metrics),
    )


@asynccontextmanager
async def renew_leases(built: Connector) -> AsyncIterator[None]:
    """Keep the PlanSo leases that are acquired inside, for a command that runs no workers."""
    renewing = asyncio.create_task(built.leases.run_renewal_loop(), name="renews PlanSo leases")
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.wait({renewing})


async def require_authentication(built: Connector, address: str) -> None:
    """Raises SettingsError where `address` can be reached from other machines and no key is required."""
    if (
        authentication.is_loopback(address)
        or built.settings.connector_allow_anonymous
        or not built.settings.planso_url  # without a key there is nothing to be had
        or await built.default.api_keys.has_any()
    ):
        return
    raise SettingsError(
        f"CONNECTOR_HOST: {address} can be reached from other machines, and there is no API key yet. Create one, "
        "`planso-connector keys create NAME --scope orders:read`; or set CONNECTOR_ALLOW_ANONYMOUS=yes where a proxy "
        "in front authenticates every request."
    )
