"""
Readiness: whether the connector can do its work, and what is wrong where it can't.

One read transaction; and, at most every few seconds however often it is asked, one small write, because a full disk or
a file that another program holds is seen by no reading.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from planso_connector.domain.clock import format_instant, parse_instant
from planso_connector.domain.errors import CommitUnknown, StoreTimeout, StoreUnavailable
from planso_connector.domain.saving.style_status import SaveStyleStatus, determine_style_status
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.querying.freshness import Freshness
from planso_connector.flows.querying.reindex import describe_rebuild
from planso_connector.flows.writing.write_stops import SaveStyleOrigin
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.outcome import RequestOutcome
from planso_connector.store import leases, lookup_keys, save_evidence, statistics, sync_runs, write_stops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.lookup_keys import RebuildProgress
from planso_connector.store.maintenance import migrate
from planso_connector.store.statistics import PendingOperations
from planso_connector.store.sync_runs import StoredRun
from planso_connector.store.write_stops import WriteStop

DATABASE_TIMEOUT = 1.4
"""Seconds that the database is waited for: who probes gives up after two, and its key is looked at before."""

WRITE_PROBE_INTERVAL, FAILED_WRITE_PROBE_INTERVAL = 5.0, 1.0
"""Seconds for which a write that went well stands, and one that did not."""

MAX_PENDING_AGE = timedelta(minutes=5)
"""A write that waits for longer than this wants a person's look."""

MAX_NAMED_ORDERS = 5
"""So many stopped orders are named."""

_PROBE = "readiness"
_REMEDY = (
    "look at its server, its disk, programs that lock its tables, the network and firewalls in between; it is used "
    "again as soon as it answers"
)


@dataclass(frozen=True, slots=True)
class Check:
    """
    One thing looked at. `words` say how it is; `since` is the stamp from when on, as far as this process knows.
    `required`: without it the connector is not ready.
    """

    name: str
    ok: bool
    words: str
    since: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class ProcessCheck:
    """
    A check of the process itself, which no database is asked for. `trouble`: what is wrong, and since when in seconds
    since 1970; None where it is `well`.
    """

    name: str
    find_problem: Callable[[], tuple[str, float] | None]
    ok_message: str
    required: bool


@dataclass(frozen=True, slots=True)
class Readiness:
    checks: tuple[Check, ...]
    silent_since: str | None = None
    """The stamp of the database's last answer, where it has stopped to answer."""

    @property
    def is_ready(self) -> bool:
        return all(check.ok for check in self.checks if check.required)

    @property
    def state(self) -> str:
        """`ready`; `degraded`: it answers, and something wants a look; `not_ready`."""
        if not self.is_ready:
            return "not_ready"
        return "ready" if all(check.ok for check in self.checks) else "degraded"


@dataclass(frozen=True, slots=True)
class _Seen:
    revision: str | None
    success: StoredRun | None
    pending: PendingOperations
    rebuild: RebuildProgress | None
    stops: tuple[WriteStop, ...]
    saving: SaveStyleStatus

    @property
    def is_stopped(self) -> bool:
        """Whether writes of the whole workshop are."""
        return any(stop.order_id is None for stop in self.stops)


_Said = tuple[bool, str]


class ReadinessProbe:
    """Lives as long as the process. `writes` is the setting CONNECTOR_WRITES."""

    def __init__(
        self,
        database: Database,
        freshness: Freshness,
        planso: PlansoClient,
        clock: DatabaseClock,
        writes: str = "on",
        profile: SaveStyleOrigin | None = None,
        of_process: Sequence[ProcessCheck] = (),
    ) -> None:
        self._database = database
        self._freshness = freshness
        self._planso = planso
        self._clock = clock
        self._writes_setting = writes
        self._profile = profile or SaveStyleOrigin()
        self._of_process = of_process
        self._since: dict[str, tuple[bool, str]] = {}
        self._wrote: tuple[float, _Said] | None = None
        self._writing = asyncio.Lock()

    async def check(self) -> Readiness:
        seen, database = await asyncio.gather(self._seen(), self._writable())
        unread = (False, "can't be read")
        if isinstance(seen, _Seen):
            schema, writes = self._schema(seen.revision), self._writes(seen)
            mirror, index = await self._mirror(seen.success), self._index(seen.rebuild)
        else:
            database, schema, writes, mirror, index = (False, seen), unread, unread, unread, unread
        if (fault := self._database.file_fault) is not None:
            database = (False, fault.message)
            self._since["database"] = (False, format_instant(fault.detected_at))
        return Readiness(
            (
                self._check("database", database, began=self._silent_since()),
                self._check("migrations", schema),
                self._check("mirror", mirror),
                self._check("planso_login", self._login()),
                self._check("planso_sessions", self._sessions(), required=False),
                self._check("planso", self._answers(), required=False),
                self._check("writes", writes, required=isinstance(seen, _Seen) and seen.is_stopped),
                self._check("index", index, required=False),
                self._check("clock", self._clocks(), required=False),
                *(self._own(one) for one in self._of_process),
            ),
            self._silent_since(),
        )

    def _check(self, name: str, said: _Said, *, required: bool = True, began: str | None = None) -> Check:
        """`began`: from when on it is so, where that is known better than by looking now."""
        ok, words = said
        known = self._since.get(name)
        if known is None or known[0] != ok:
            known = self._since[name] = (ok, began or format_instant(self._clock()))
        return Check(name, ok, words, known[1], required)

    def _silent_since(self) -> str | None:
        silent = self._database.seconds_silent
        return None if silent is None else format_instant(self._clock() - timedelta(seconds=silent))

    def _own(self, one: ProcessCheck) -> Check:
        trouble = one.find_problem()
        if trouble is None:
            return self._check(one.name, (True, one.ok_message), required=one.required)
        check = self._check(one.name, (False, trouble[0]), required=one.required)
        return replace(check, since=format_instant(datetime.fromtimestamp(trouble[1], UTC)))

    async def _seen(self) -> _Seen | str:
        def work(tx: Transaction) -> _Seen:
            success = sync_runs.get_last_success(tx)
            pending, rebuild = statistics.get_pending(tx), lookup_keys.read_rebuild_progress(tx)
            stops = tuple(write_stops.list_active(tx))
            trial = save_evidence.load_trial(tx)
            saving = determine_style_status(self._profile.source, self._profile.fingerprint, trial)
            return _Seen(statistics.get_schema_revision(tx), success, pending, rebuild, stops, saving)

        try:
            return await self._database.read_with_priority(work, DATABASE_TIMEOUT)
        except StoreUnavailable as error:
            silent = self._database.seconds_silent
            if not isinstance(error, StoreTimeout) or silent is None:
                return str(error)
            since = format_instant(self._clock() - timedelta(seconds=silent))
            return f"has not answered since {since[:19]}Z, for {_age(timedelta(seconds=silent))}: {_REMEDY}"

    async def _writable(self) -> _Said:
        async with self._writing:
            stands = (
                WRITE_PROBE_INTERVAL if self._wrote is not None and self._wrote[1][0] else FAILED_WRITE_PROBE_INTERVAL
            )
            if self._wrote is None or time.monotonic() - self._wrote[0] > stands:
                said = await self._write()
                self._wrote = (time.monotonic(), said)
            return self._wrote[1]

    async def _write(self) -> _Said:
        now, began = format_instant(self._clock()), time.monotonic()
        try:
            await self._database.write_with_priority(
                lambda tx: leases.acquire(tx, _PROBE, holder=_PROBE, now=now, until=now), DATABASE_TIMEOUT
            )
        except (StoreTimeout, CommitUnknown) as error:
            if time.monotonic() - began < DATABASE_TIMEOUT:
                return False, str(error)
            return False, f"took no write within {DATABASE_TIMEOUT:g} s; another program may hold it"
        except StoreUnavailable as error:
            return False, str(error)
        return True, "answers, and takes writes"

    def _schema(self, revision: str | None) -> _Said:
        head = migrate.head_revision()
        if revision == head:
            return True, f"at {head}, which this version needs"
        if revision is None or revision < head:
            return False, f"at {revision}, this version needs {head}: run `planso-connector migrate`"
        return (
            False,
            f"at {revision}, newer than the {head} of this version: another one migrated it; restart with that",
        )

    async def _mirror(self, success: StoredRun | None) -> _Said:
        if success is None or success.ended_at is None:
            return False, "no sync has filled it yet; GET /api/sync/status tells how far it is"
        ended_at = parse_instant(success.ended_at)
        age = _age(self._clock() - ended_at)
        if await self._freshness.is_stale_since(ended_at):
            return False, f"stale: the last good sync ended at {success.ended_at}, {age} ago"
        return True, f"the last good sync ended {age} ago"

    def _login(self) -> _Said:
        if self._planso.login_status.state == "rejected":
            return False, "rejected by PlanSo; nothing is tried until it is changed, or POST /api/auth/login"
        if self._planso.login_status.state != "logged_in":
            return True, "not tried yet by this process"
        return True, f"accepted; {self._planso.sessions.status.reason}"

    def _sessions(self) -> _Said:
        trouble = self._planso.sessions.status.trouble
        return not trouble, trouble or "PlanSo ends them seldom, if at all"

    def _answers(self) -> _Said:
        standing = self._planso.health
        if standing.failing_since is not None:
            age = _age(self._clock() - standing.failing_since)
            if standing.last_failure is RequestOutcome.TOO_LARGE:
                return False, f"answers with more than PLANSO_MAX_ANSWER since {age}; reads go on, writes wait"
            return False, f"does not answer since {age} ({standing.last_failure}); reads go on, writes wait"
        if standing.last_answered_at is None:
            return True, "not asked yet by this process"
        return True, f"answered {_age(self._clock() - standing.last_answered_at)} ago"

    def _writes(self, seen: _Seen) -> _Said:
        setting = "" if self._writes_setting == "on" else f"CONNECTOR_WRITES={self._writes_setting}, nothing is sent; "
        waiting = self._waiting(seen.pending)
        if not seen.stops:
            return waiting[0], f"{setting}{waiting[1]}; how this PlanSo saves is {seen.saving.state}"
        words = seen.stops[0].message
        if not seen.is_stopped and len(seen.stops) > 1:
            orders = ", ".join(str(stop.order_id) for stop in seen.stops[:MAX_NAMED_ORDERS])
            more = f" and {len(seen.stops) - MAX_NAMED_ORDERS} more" if len(seen.stops) > MAX_NAMED_ORDERS else ""
            words = f"Writes to {len(seen.stops)} orders are stopped ({orders}{more}); GET /api/writes says why."
        return False, f"{setting}{words} Meanwhile: {waiting[1]}."

    def _waiting(self, pending: PendingOperations) -> _Said:
        if pending.oldest is None:
            return True, "none waits"
        age = self._clock() - parse_instant(pending.oldest)
        told = f"{pending.pending} wait for PlanSo, the oldest for {_age(age)}"
        return age < MAX_PENDING_AGE, told

    def _clocks(self) -> _Said:
        if not self._clock.is_off:
            return True, "agrees with the database's"
        seconds = self._clock.offset.total_seconds()
        off = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"
        return False, f"this machine's clock is {off} the database's, which counts: set it, and let NTP keep it"

    def _index(self, rebuild: RebuildProgress | None) -> _Said:
        if rebuild is None:
            return True, "every order is found by what callers say of it"
        return False, f"{describe_rebuild(rebuild)}; it goes on by itself, look-ups may miss orders meanwhile"


def _age(passed: timedelta) -> str:
    seconds = max(0, int(passed.total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
