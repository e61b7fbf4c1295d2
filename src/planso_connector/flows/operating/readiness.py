"""
Readiness: whether the connector can do its work, and what is wrong if it can't.

One read transaction, and at most every few seconds one small write: reads don't notice a full disk, or a file that
another program has locked.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from planso_connector.domain.clock import Instant, format_instant, parse_instant
from planso_connector.domain.errors import StoreTimeout, StoreUnavailable
from planso_connector.domain.notes import join_names
from planso_connector.domain.saving.style_status import SaveStyleStatus, determine_style_status
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.write_probe import DATABASE_TIMEOUT, WriteProbe
from planso_connector.flows.querying.freshness import Freshness
from planso_connector.flows.querying.reindex import describe_rebuild
from planso_connector.flows.writing.write_stops import SaveStyleOrigin
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.outcome import RequestOutcome
from planso_connector.store import lookup_keys, save_evidence, statistics, sync_runs, write_stops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.lookup_keys import RebuildProgress
from planso_connector.store.maintenance import migrate
from planso_connector.store.statistics import PendingOperations
from planso_connector.store.sync_runs import StoredRun
from planso_connector.store.write_stops import WriteStop

JOIN_WINDOW = 0.25
"""Seconds after the start of an evaluation within which other requests share it."""

MAX_PENDING_AGE = timedelta(minutes=5)
"""A write that is pending for longer makes the connector `degraded`."""

MAX_NAMED_ORDERS = 5
"""Stopped orders that are named at most."""

_REMEDY = (
    "look at its server, its disk, programs that lock its tables, the network and firewalls in between; it is used "
    "again as soon as it answers"
)


@dataclass(frozen=True, slots=True)
class Check:
    """
    The result of one check. `words` say what was found; `since` is when that began, at the earliest the start of the
    process for what is ok. `required`: if it is not ok, the connector is not ready.
    """

    name: str
    ok: bool
    words: str
    since: Instant
    required: bool = True


@dataclass(frozen=True, slots=True)
class ProcessCheck:
    """
    A check of the process itself, without the database. `find_problem`: what is wrong, and since when (seconds since
    1970); None if all is well.
    """

    name: str
    find_problem: Callable[[], tuple[str, float] | None]
    ok_message: str
    required: bool


@dataclass(frozen=True, slots=True)
class Readiness:
    checks: tuple[Check, ...]
    silent_since: str | None = None
    """When the database last answered, if it does not answer any more."""

    @property
    def is_ready(self) -> bool:
        return all(check.ok for check in self.checks if check.required)

    @property
    def state(self) -> str:
        """`ready`, `not_ready`, or `degraded`: it works, but a check that is not required failed."""
        if not self.is_ready:
            return "not_ready"
        return "ready" if all(check.ok for check in self.checks) else "degraded"


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read from the database."""

    version: migrate.SchemaVersion
    success: StoredRun | None
    pending: PendingOperations
    rebuild: RebuildProgress | None
    stops: tuple[WriteStop, ...]
    saving: SaveStyleStatus

    @property
    def is_workshop_stopped(self) -> bool:
        """Whether writes of the whole workshop are stopped."""
        return any(stop.order_id is None for stop in self.stops)


_Result = tuple[bool, str]
"""Whether it is ok, and in words."""

_UNREAD: _Result = (False, "can't be read")


@dataclass(frozen=True, slots=True)
class CheckedWorkshop:
    """
    What the checks of one workshop need; `writes` is the setting CONNECTOR_WRITES. `find_stuck_sync`: for how many
    seconds its scheduled sync has made no progress, if that is too long.
    """

    freshness: Freshness
    planso: PlansoClient
    writes: str = "on"
    profile: SaveStyleOrigin = field(default_factory=SaveStyleOrigin)
    find_stuck_sync: Callable[[], float | None] = lambda: None


class ReadinessProbe:
    """
    Checks the process, and with `workshop` that workshop too, whose rows `database` has. The process is not ready
    without the workshop only if that `is_alone`.
    """

    def __init__(
        self,
        database: Database,
        clock: DatabaseClock,
        of_process: Sequence[ProcessCheck] = (),
        workshop: CheckedWorkshop | None = None,
        is_alone: Callable[[], bool] = lambda: True,
    ) -> None:
        self._database = database
        self._clock = clock
        self._workshop = workshop
        self._is_alone = is_alone
        self._process_checks = of_process
        self._started = format_instant(clock())
        self._since: dict[str, tuple[bool, Instant]] = {}
        self._write_probe = WriteProbe(database, clock)
        self._evaluation: asyncio.Task[Readiness] | None = None
        self._evaluated_at = 0.0

    async def check(self) -> Readiness:
        """
        Requests within `JOIN_WINDOW` share one evaluation, if it takes that long. Later ones start another at once:
        with an unresponsive database each takes most of the 2 s that a response may.
        """
        now = time.monotonic()
        if self._evaluation is None or self._evaluation.done() or now - self._evaluated_at >= JOIN_WINDOW:
            self._evaluation, self._evaluated_at = asyncio.create_task(self._evaluate()), now
        return await asyncio.shield(self._evaluation)

    async def _evaluate(self) -> Readiness:
        found, database = await asyncio.gather(self._read(), self._write_probe.check())
        schema = self._schema(found.version) if isinstance(found, _Read) else _UNREAD
        database_since = self._silent_since()
        if isinstance(found, str):
            database = (False, found)
        if (fault := self._database.file_fault) is not None:
            database, database_since = (False, fault.message), format_instant(fault.detected_at)
        of_workshop = await self._check_workshop(self._workshop, found) if self._workshop is not None else []
        return Readiness(
            (
                self._check("database", database, since=database_since),
                self._check("migrations", schema),
                *of_workshop,
                self._check("clock", self._clock_offset(), required=False),
                *(self._check_process(check) for check in self._process_checks),
            ),
            self._silent_since(),
        )

    async def _check_workshop(self, workshop: CheckedWorkshop, found: _Read | str) -> list[Check]:
        planso, is_alone = workshop.planso, self._is_alone()
        mirror, writes, index = _UNREAD, _UNREAD, _UNREAD
        mirror_since, writes_since = None, None
        if isinstance(found, _Read):
            writes, index = self._writes(workshop, found), self._index(found.rebuild)
            mirror = await self._mirror(workshop, found.success)
            mirror_since = await self._mirror_since(workshop, found.success, is_ok=mirror[0])
            writes_since = self._writes_since(found)
        is_stopped = isinstance(found, _Read) and found.is_workshop_stopped
        login_since, planso_since = _login_since(planso), _planso_since(planso)
        return [
            self._check("mirror", mirror, since=mirror_since, required=is_alone),
            self._check_sync(workshop, required=is_alone),
            self._check("planso_login", _login(planso), since=login_since, required=is_alone),
            self._check("planso_sessions", _sessions(planso), required=False),
            self._check("planso", self._planso_health(planso), required=False, since=planso_since),
            self._check("writes", writes, required=is_alone and is_stopped, since=writes_since),
            self._check("index", index, required=False),
        ]

    def _check(self, name: str, result: _Result, *, required: bool = True, since: Instant | None = None) -> Check:
        """`since`: when the present state began, where that is known better than by checking."""
        ok, words = result
        known = self._since.get(name)
        if known is None:
            known = (ok, since if since is not None and not ok else self._started)
        elif known[0] != ok or (since is not None and not ok and _differs(since, known[1])):
            known = (ok, since or format_instant(self._clock()))
        self._since[name] = known
        return Check(name, ok, words, known[1], required)

    async def _mirror_since(
        self, workshop: CheckedWorkshop, success: StoredRun | None, *, is_ok: bool
    ) -> Instant | None:
        if success is None or success.ended_at is None:
            return self._started
        if is_ok:
            return success.ended_at
        return format_instant(await workshop.freshness.stale_after(parse_instant(success.ended_at)))

    def _writes_since(self, found: _Read) -> Instant | None:
        """None while nothing is wrong."""
        if found.stops:
            return min(stop.stopped_at for stop in found.stops)
        if found.pending.oldest is None:
            return None
        too_old_at = parse_instant(found.pending.oldest) + MAX_PENDING_AGE
        return format_instant(too_old_at) if too_old_at <= self._clock() else None

    def _silent_since(self) -> Instant | None:
        silent = self._database.seconds_silent
        return None if silent is None else format_instant(self._clock() - timedelta(seconds=silent))

    def _check_sync(self, workshop: CheckedWorkshop, *, required: bool) -> Check:
        stuck = workshop.find_stuck_sync()
        if stuck is None:
            return self._check("sync", (True, "runs as scheduled"), required=required)
        words = f"the scheduled sync is stuck, without progress for {_age(timedelta(seconds=stuck))}"
        since = format_instant(self._clock() - timedelta(seconds=stuck))
        return self._check("sync", (False, words), required=required, since=since)

    def _check_process(self, check: ProcessCheck) -> Check:
        problem = check.find_problem()
        if problem is None:
            return self._check(check.name, (True, check.ok_message), required=check.required)
        words, since = problem
        began_at = format_instant(datetime.fromtimestamp(since, UTC))
        return self._check(check.name, (False, words), required=check.required, since=began_at)

    async def _read(self) -> _Read | str:
        def work(tx: Transaction) -> _Read:
            success = sync_runs.get_last_success(tx)
            pending, rebuild = statistics.get_pending(tx), lookup_keys.read_rebuild_progress(tx)
            stops = tuple(write_stops.list_active(tx))
            trial = save_evidence.load_trial(tx)
            origin = self._workshop.profile if self._workshop is not None else SaveStyleOrigin()
            saving = determine_style_status(origin.source, origin.fingerprint, trial)
            return _Read(
                migrate.SchemaVersion(*statistics.get_schema_version(tx)), success, pending, rebuild, stops, saving
            )

        try:
            return await self._database.read_with_priority(work, DATABASE_TIMEOUT)
        except StoreUnavailable as error:
            silent = self._database.seconds_silent
            if not isinstance(error, StoreTimeout) or silent is None:
                return str(error)
            since = format_instant(self._clock() - timedelta(seconds=silent))
            return f"has not answered since {since[:19]}Z, for {_age(timedelta(seconds=silent))}: {_REMEDY}"

    def _schema(self, version: migrate.SchemaVersion) -> _Result:
        head, revision = migrate.head_revision(), version.revision
        if revision == head:
            return True, f"at {head}, which this version needs"
        if revision is None or revision < head:
            return False, f"at {revision}, this version needs {head}: run `planso-connector migrate`"
        newer = f"at {revision}, newer than the {head} of this version: another one migrated it; restart with that"
        if version.is_usable_by(head):
            return True, f"{newer}. Until then this version goes on, since the newer schema only adds to its own"
        return False, newer

    async def _mirror(self, workshop: CheckedWorkshop, success: StoredRun | None) -> _Result:
        if success is None or success.ended_at is None:
            return False, "no sync has filled it yet; GET /api/sync/status tells how far it is"
        ended_at = parse_instant(success.ended_at)
        age = _age(self._clock() - ended_at)
        if await workshop.freshness.is_stale_given(ended_at):
            return False, f"stale: the last good sync ended at {success.ended_at}, {age} ago"
        return True, f"the last good sync ended {age} ago"

    def _planso_health(self, planso: PlansoClient) -> _Result:
        health = planso.health
        if health.failing_since is not None:
            age = _age(self._clock() - health.failing_since)
            if health.last_failure is RequestOutcome.TOO_LARGE:
                return False, f"answers with more than PLANSO_MAX_ANSWER since {age}; reads go on, writes wait"
            return False, f"does not answer since {age} ({health.last_failure}); reads go on, writes wait"
        if health.last_answered_at is None:
            return True, "not asked yet by this process"
        return True, f"answered {_age(self._clock() - health.last_answered_at)} ago"

    def _writes(self, workshop: CheckedWorkshop, found: _Read) -> _Result:
        setting = "" if workshop.writes == "on" else f"CONNECTOR_WRITES={workshop.writes}, nothing is sent; "
        pending = self._pending_writes(found.pending)
        if not found.stops:
            return pending[0], f"{setting}{pending[1]}; how this PlanSo saves is {found.saving.state}"
        words = found.stops[0].message
        if not found.is_workshop_stopped and len(found.stops) > 1:
            orders = join_names([str(stop.order_id) for stop in found.stops], MAX_NAMED_ORDERS)
            words = f"Writes to {len(found.stops)} orders are stopped ({orders}); GET /api/writes says why."
        return False, f"{setting}{words} Meanwhile: {pending[1]}."

    def _pending_writes(self, pending: PendingOperations) -> _Result:
        if pending.oldest is None:
            return True, "none waits"
        age = self._clock() - parse_instant(pending.oldest)
        return age < MAX_PENDING_AGE, f"{pending.pending} wait for PlanSo, the oldest for {_age(age)}"

    def _clock_offset(self) -> _Result:
        if not self._clock.is_off:
            return True, "agrees with the database's"
        seconds = self._clock.offset.total_seconds()
        off = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"
        return False, f"this machine's clock is {off} the database's, which counts: run NTP on this machine"

    def _index(self, rebuild: RebuildProgress | None) -> _Result:
        if rebuild is None:
            return True, "complete"
        return False, f"{describe_rebuild(rebuild)}; it continues automatically; lookups may miss orders until then"


def _login(planso: PlansoClient) -> _Result:
    if planso.login_status.state == "rejected":
        return False, "rejected by PlanSo; nothing is tried until it is changed, or POST /api/auth/login"
    if planso.login_status.state != "logged_in":
        return True, "not tried yet by this process"
    return True, f"accepted; {planso.sessions.status.reason}"


def _login_since(planso: PlansoClient) -> Instant | None:
    decided_at = planso.login_status.decided_at
    return format_instant(decided_at) if decided_at is not None else None


def _planso_since(planso: PlansoClient) -> Instant | None:
    since = planso.health.failing_since or planso.health.answering_since
    return format_instant(since) if since is not None else None


def _sessions(planso: PlansoClient) -> _Result:
    trouble = planso.sessions.status.trouble
    return not trouble, trouble or "stable"


def _differs(one: Instant, other: Instant) -> bool:
    """By more than a second: some are computed from how long ago they were."""
    return abs(parse_instant(one) - parse_instant(other)) > timedelta(seconds=1)


def _age(passed: timedelta) -> str:
    """`2 h`: in the largest unit of which there are two at least."""
    seconds = max(0, int(passed.total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
