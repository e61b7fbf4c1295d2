"""Build the parts of one workshop, from those that all workshops of a process share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from planso_connector import configuration, telemetry
from planso_connector.flows.delivering.receivers import WebhookReceivers
from planso_connector.flows.operating.api_keys import ApiKeys
from planso_connector.flows.operating.capacity import CapacityFlow
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.forwarded_calls import ForwardedCalls
from planso_connector.flows.operating.notices import Notices
from planso_connector.flows.operating.planso_access import PlansoAccess
from planso_connector.flows.operating.planso_calls import LocalCalls, PlansoCalls
from planso_connector.flows.operating.planso_login import PlansoLogin
from planso_connector.flows.operating.readiness import CheckedWorkshop, ProcessCheck, ReadinessProbe
from planso_connector.flows.operating.rejected_logins import RejectedLogin
from planso_connector.flows.operating.sealed_credentials import OneOffKeys
from planso_connector.flows.operating.statistics import StatisticsCollector
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.operating.wake_ups import WakeUps
from planso_connector.flows.querying.availability import AvailabilityQueries
from planso_connector.flows.querying.change_feed import ChangeFeed
from planso_connector.flows.querying.freshness import Freshness
from planso_connector.flows.querying.live_reader import LiveReader
from planso_connector.flows.querying.lookup import LookupService
from planso_connector.flows.querying.orders import OrderQueries
from planso_connector.flows.querying.progress import ProgressQueries
from planso_connector.flows.querying.reindex import Reindexer
from planso_connector.flows.querying.timeline import TimelineQueries
from planso_connector.flows.syncing.pacing import Pacer
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.syncing.sync import Sync
from planso_connector.flows.trial.trial import TrialFlow
from planso_connector.flows.workshop_flows import WorkshopFlows
from planso_connector.flows.writing.bookings import SlotHolds
from planso_connector.flows.writing.dry_run import DryRun
from planso_connector.flows.writing.outbox import Outbox
from planso_connector.flows.writing.push import Pusher
from planso_connector.flows.writing.read_back import LiveFormReader
from planso_connector.flows.writing.write import WriteService
from planso_connector.flows.writing.write_stops import WriteStops
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import Throttle
from planso_connector.planso.pages.layout_cache import LayoutCache
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.trial_profile import apply_trial
from planso_connector.rest.metrics import Metrics
from planso_connector.settings import Settings
from planso_connector.store import save_evidence
from planso_connector.store.engine.database import Database
from planso_connector.store.wake_ups import WakeUpKind
from planso_connector.webhooks.sender import WebhookSender

PUSHES_PER_REQUEST = 2
"""Operations in progress per concurrent PlanSo request. More would only crowd out reads."""


@dataclass(frozen=True, slots=True)
class SharedParts:
    """What all workshops of a process share. `database` is the installation's."""

    database: Database
    clock: DatabaseClock
    metrics: Metrics
    traces: telemetry.Traces
    wait_limit: WaitLimit
    feed_wait_limit: WaitLimit
    webhook_sender: WebhookSender
    sync_pacer: Pacer
    write_pacer: Pacer
    process_checks: Sequence[ProcessCheck]
    get_throttle: Callable[[str, Settings], Throttle]
    """The throttle of a PlanSo, by its address; the settings are for a new one."""
    layouts: LayoutCache
    wake_ups: WakeUps
    forwarded_calls: ForwardedCalls
    wake_outbox: Callable[[str], None]
    next_run_at: Callable[[str], datetime | None]
    find_stuck_sync: Callable[[str], float | None]
    is_alone: Callable[[], bool]
    """Whether the process serves a single workshop."""


@dataclass(frozen=True, slots=True)
class WorkshopParts:
    """The parts of one workshop; `close` ends them."""

    name: str
    settings: Settings
    database: Database
    access: PlansoAccess
    planso: PlansoClient
    profile: Profile
    sync: Sync
    outbox: Outbox
    write_stops: WriteStops
    trial: TrialFlow
    reindexer: Reindexer
    api_keys: ApiKeys
    calls: PlansoCalls
    flows: WorkshopFlows

    @property
    def is_busy(self) -> bool:
        """Whether a sync or a write is in progress, or somebody waits for a write."""
        return self.sync.progress is not None or self.outbox.is_busy

    def drain(self, seconds: float) -> None:
        """Give writes in progress so many seconds, and begin no others; who waits for changes waits no longer."""
        self.outbox.drain(seconds)
        self.flows.change_feed.drain()

    async def close(self) -> None:
        """End the sync in progress; writes in progress finish first."""
        await self.sync.close()
        await self.outbox.close()
        await self.planso.aclose()


@dataclass(frozen=True, slots=True)
class _Basis:
    """What most parts of a workshop are built from."""

    name: str
    shared: SharedParts
    settings: Settings
    configured_profile: Profile
    """The profile as the operator wrote it; `profile` has what the write trial learned, too."""
    profile: Profile
    database: Database
    access: PlansoAccess
    planso: PlansoClient
    reader: OrderReader
    live: LiveFormReader


@dataclass(frozen=True, slots=True)
class _Writing:
    outbox: Outbox
    service: WriteService
    dry_run: DryRun
    stops: WriteStops
    trial: TrialFlow


async def build_workshop(name: str, settings: Settings, access: PlansoAccess, shared: SharedParts) -> WorkshopParts:
    """`settings`: the process's with those of the workshop. Raises SettingsError, StoreUnavailable."""
    basis = await _build_basis(name, settings, access, shared)
    writing = _build_writing(basis)
    sync = Sync(
        basis.database,
        basis.planso,
        basis.reader,
        shared.clock,
        configuration.sync_policy(settings),
        shared.sync_pacer.for_workshop(),
        shared.traces.sync,
    )
    calls = _build_calls(basis, writing, sync)
    return WorkshopParts(
        name=name,
        settings=settings,
        database=basis.database,
        access=access,
        planso=basis.planso,
        profile=basis.profile,
        sync=sync,
        outbox=writing.outbox,
        write_stops=writing.stops,
        trial=writing.trial,
        reindexer=Reindexer(basis.database, shared.clock),
        api_keys=ApiKeys(basis.database, shared.clock),
        calls=calls,
        flows=_build_flows(basis, writing, sync, calls),
    )


async def _build_basis(name: str, settings: Settings, access: PlansoAccess, shared: SharedParts) -> _Basis:
    database, clock = shared.database.for_workshop(name), shared.clock
    configured_profile = configuration.load_profile(settings)
    trial = await database.read(save_evidence.load_trial)
    profile = apply_trial(configured_profile, settings.planso_url, trial)
    password = settings.planso_password.get_secret_value()
    rejected_login = RejectedLogin(database, clock, (settings.planso_url, settings.planso_user, password))

    def on_exchange(page: str, outcome: str, seconds: float) -> None:
        shared.metrics.record_planso_request(page, outcome, seconds)
        shared.traces.planso(page, outcome, seconds)

    async def on_login(accepted: bool) -> None:
        shared.metrics.record_planso_login(accepted=accepted)
        await rejected_login.record(accepted)

    planso = PlansoClient(
        settings.planso_url,
        settings.planso_user,
        password,
        profile,
        throttle=shared.get_throttle(access.address, settings),
        timeout=settings.planso_timeout,
        max_answer=settings.planso_max_answer,
        already_rejected=await rejected_login.is_recorded(),
        on_login=on_login,
        on_exchange=on_exchange,
        before_send=access.before_send,
        layouts=shared.layouts,
    )
    reader = OrderReader(database, planso, clock, parts=settings.connector_sync_parts)
    return _Basis(
        name=name,
        shared=shared,
        settings=settings,
        configured_profile=configured_profile,
        profile=profile,
        database=database,
        access=access,
        planso=planso,
        reader=reader,
        live=LiveFormReader(planso, reader, clock),
    )


def _build_writing(basis: _Basis) -> _Writing:
    shared, settings, database, planso = basis.shared, basis.settings, basis.database, basis.planso
    outbox = Outbox(
        database,
        Pusher(database, planso, basis.reader, shared.clock, Random()),  # noqa: S311 - jitter
        timedelta(seconds=planso.max_request_seconds),
        shared.clock,
        wait_limit=shared.wait_limit,
        max_pushes=settings.connector_planso_concurrency * PUSHES_PER_REQUEST,
        pacer=shared.write_pacer.for_workshop(),
        on_wake=lambda: shared.wake_outbox(basis.name),
        on_tried=lambda operation_id: shared.wake_ups.send(WakeUpKind.SETTLED, operation_id),
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
        clock=shared.clock,
        writes=settings.connector_writes,
    )
    stops = WriteStops(
        database,
        shared.clock,
        setting=settings.connector_writes,
        profile=configuration.save_style_origin(settings),
        on_resume=outbox.wake,
    )
    trial = TrialFlow(
        database,
        planso,
        basis.reader,
        shared.clock,
        profile=basis.configured_profile,
        url=settings.planso_url,
        writes=settings.connector_writes,
    )
    return _Writing(outbox, service, DryRun(planso, basis.live, basis.reader, shared.wait_limit), stops, trial)


def _build_calls(basis: _Basis, writing: _Writing, sync: Sync) -> PlansoCalls:
    shared = basis.shared
    local = LocalCalls(
        basis.database,
        LiveReader(basis.reader, basis.live, shared.wait_limit),
        writing.dry_run,
        PlansoLogin(basis.planso, shared.wait_limit),
        sync,
        OneOffKeys(),
    )
    return PlansoCalls(basis.database, basis.access, shared.forwarded_calls, local, shared.wait_limit)


def _build_flows(basis: _Basis, writing: _Writing, sync: Sync, calls: PlansoCalls) -> WorkshopFlows:
    shared, settings, database, planso = basis.shared, basis.settings, basis.database, basis.planso
    orders = OrderQueries(database)
    hours, interval = configuration.work_hours(settings), settings.connector_sync_interval
    freshness = Freshness(sync, calls.read_live, orders, hours, interval, shared.clock)
    checked = CheckedWorkshop(
        freshness,
        planso,
        settings.connector_writes,
        configuration.save_style_origin(settings),
        lambda: shared.find_stuck_sync(basis.name),
    )
    readiness = ReadinessProbe(database, shared.clock, shared.process_checks, checked, shared.is_alone)
    return WorkshopFlows(
        order_queries=orders,
        freshness=freshness,
        progress=ProgressQueries(database, freshness, basis.profile.labels, shared.clock),
        timelines=TimelineQueries(database, shared.clock, settings.connector_keep_history),
        lookup=LookupService(database),
        change_feed=ChangeFeed(database, shared.feed_wait_limit),
        webhooks=WebhookReceivers(database, shared.webhook_sender, shared.clock),
        availability=AvailabilityQueries(database, freshness, shared.clock),
        capacity=CapacityFlow(database, shared.clock),
        notices=Notices(database, shared.clock),
        slot_holds=SlotHolds(database, shared.clock),
        writer=writing.service,
        calls=calls,
        write_stops=writing.stops,
        sync=sync,
        planso=planso,
        readiness=readiness,
        statistics=StatisticsCollector(database, sync, readiness, planso, shared.clock, shared.wait_limit),
        next_run_at=lambda: shared.next_run_at(basis.name),
    )
