"""
PlanSo leases: one process at a time sends requests to a PlanSo, among all that share the database. Acquiring, renewing
(all leases of the process at once) and releasing are one transaction each.

Nobody's clock is compared with another's. The holder counts LEASE_DURATION from before it sent the renewal, less
LEASE_MARGIN. The others count it from when they first saw that renewal in the database, and take the lease over where
no further one followed, or where its holder was a process of the same machine that is dead. So a lease has one valid
holder whatever clocks are set to, as long as seconds are equally long everywhere; the database's own clock only writes
`expires_at`, for operators.
"""

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta
from weakref import WeakValueDictionary

import structlog

from planso_connector.domain.clock import Clock, Instant, format_instant, monotonic_seconds
from planso_connector.domain.errors import ConnectorError, PlansoLeaseLost, StoreUnavailable
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.flows.operating.process_identity import describe_process, is_known_dead
from planso_connector.store import leases, planso_leases, wake_ups
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.planso_leases import LeaseRow
from planso_connector.store.wake_ups import WakeUpKind

log = structlog.get_logger(__name__)

LEASE_DURATION = 10.0
"""Seconds that a lease lasts without being renewed."""

LEASE_MARGIN = 2.0
"""Nothing is sent in these last seconds of a lease: a request that was just checked may take a moment to be sent."""

RENEW_INTERVAL = 2.5
"""
Seconds between two renewals, and between two looks at the leases of others. A dead process's lease is taken over within
RENEW_INTERVAL + LEASE_DURATION, and what it takes to ask for it again.
"""

STATEMENT_TIMEOUT = 4.0
"""Seconds for a statement on leases; then it is tried again, as long as the lease is valid."""

RETRY_INTERVAL = 0.5
"""Seconds until a renewal that failed is tried again."""

STUCK_AFTER = 10.0
"""Seconds that one iteration of the renewal loop takes at most."""


class PlansoLease:
    """The right of this process to send requests to one PlanSo, until it is lost, released or not renewed in time."""

    def __init__(self, address: str, lease_id: str, granted_at: float, steady: Callable[[], float]) -> None:
        """`granted_at`: `steady`, a clock in seconds that nobody sets, before the lease was asked for."""
        self.address = address
        self.id = lease_id
        self.users: set[str] = set()
        """The workshops that acquired it and have not released it."""
        self._steady = steady
        self._valid_until = granted_at + LEASE_DURATION - LEASE_MARGIN
        self._end = ""
        """Why it is over for good; empty while it is not."""

    @property
    def is_valid(self) -> bool:
        return not self._end and self._steady() < self._valid_until

    @property
    def is_over(self) -> bool:
        """Whether it is lost or released, for good. One that was only not renewed may become valid again."""
        return bool(self._end)

    def require(self) -> None:
        """Call immediately before each request is sent. Raises PlansoLeaseLost."""
        if not self.is_valid:
            reason = self._end or "the connector's database has not confirmed for too long that it is this process's"
            raise PlansoLeaseLost(
                f"this process may not send to PlanSo at '{self.address}': {reason}; nothing was sent"
            )

    def extend(self, granted_at: float) -> None:
        self._valid_until = max(self._valid_until, granted_at + LEASE_DURATION - LEASE_MARGIN)

    def end(self, reason: str) -> None:
        """For good; `reason` is a clause."""
        self._end = self._end or reason


class _Sighting:
    """A state of another process's lease, and when this process first saw it."""

    __slots__ = ("row", "seen_at")

    def __init__(self, row: LeaseRow, seen_at: float) -> None:
        self.row, self.seen_at = row, seen_at


class PlansoLeases:
    """
    The PlanSo leases of this process. `database` is that of the whole installation. `on_lost` is called with a lease
    that another process has now: drop the client and its sessions at once.

    Leases are sticky: nobody takes one that is renewed, and none is given away but by `release`.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        on_lost: Callable[[PlansoLease], None],
        *,
        holder: str = "",
        steady: Callable[[], float] = monotonic_seconds,
    ) -> None:
        self.holder = holder or f"{leases.generate_holder()}@{describe_process()}"
        """The id of this process; never used again by another."""
        self._database = database
        self._clock = clock
        self._on_lost = on_lost
        self._steady = steady
        self._held: dict[str, PlansoLease] = {}
        self._acquiring: set[str] = set()
        """The ids of leases that may be stored by now, and are not held yet."""
        self._sightings: dict[str, _Sighting] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._is_closed = False

    @property
    def held(self) -> list[PlansoLease]:
        """The leases of this process, valid or not."""
        return list(self._held.values())

    def find_held(self, address: str) -> PlansoLease | None:
        """The lease of this process; None where it has none. At once, without the database."""
        return self._held.get(address)

    def has_seen(self, address: str) -> bool:
        """Whether another process had the lease when this one last looked."""
        return address in self._sightings

    async def acquire(self, address: str, user: str) -> PlansoLease | LeaseRow:
        """
        The lease, which `user` (a workshop) keeps until it releases it; or, where another process has it, its row with
        `holder` and `expires_at`. Whoever waits for a lease asks again every second, and when woken
        (`WakeUpKind.LEASE`). Raises StoreUnavailable.
        """
        lock = self._locks.get(address)
        if lock is None:
            lock = self._locks[address] = asyncio.Lock()
        async with lock:
            lease = self._held.get(address)
            if lease is None:
                taken = await self._take(address)
                if isinstance(taken, LeaseRow):
                    return taken
                lease = taken
            lease.users.add(user)
            return lease

    async def acquire_unless_renewed(self, address: str, user: str) -> PlansoLease | LeaseRow:
        """
        As `acquire`, for who asks once: where another process has the lease, wait until it is renewed, and return its
        row, or until its holder proves dead. Takes LEASE_DURATION at most. Raises StoreUnavailable.
        """
        first = found = await self.acquire(address, user)
        while isinstance(found, LeaseRow) and isinstance(first, LeaseRow):
            if (found.id, found.renewals) != (first.id, first.renewals):
                break
            await asyncio.sleep(RETRY_INTERVAL)
            found = await self.acquire(address, user)
        return found

    async def _take(self, address: str) -> PlansoLease | LeaseRow:
        if self._is_closed:
            raise StoreUnavailable("The connector is stopping.")
        found = await self._database.read(lambda tx: planso_leases.get(tx, address))
        if found is not None and not self._may_take(found):
            return found
        lease_id = "lease_" + secrets.token_hex(10)

        def work(tx: Transaction) -> tuple[bool, LeaseRow | None]:
            new = LeaseRow(address, lease_id, self.holder, 0, self._expiry())
            is_taken = found is not None and planso_leases.replace(tx, found, new)
            is_taken = is_taken or planso_leases.add(tx, new)
            return is_taken, planso_leases.get(tx, address)

        self._acquiring.add(lease_id)
        try:
            granted_at = self._steady()
            is_taken, row = await self._database.write_with_priority(work, STATEMENT_TIMEOUT)
            if not is_taken:
                return row or await self._take(address)  # released meanwhile: once more
            lease = self._held[address] = PlansoLease(address, lease_id, granted_at, self._steady)
        finally:
            self._acquiring.discard(lease_id)
        self._sightings.pop(address, None)
        log.info("planso_lease_acquired", address=address, previous_holder=found.holder if found is not None else None)
        return lease

    def _may_take(self, row: LeaseRow) -> bool:
        """
        Whether the lease is this process's, from an attempt whose outcome it never learned, its holder is known to be
        dead, or it was not renewed.
        """
        if row.holder == self.holder or is_known_dead(row.holder.partition("@")[2]):
            return True
        now = self._steady()
        seen = self._see(row, now)
        return now - seen.seen_at >= LEASE_DURATION

    def _see(self, row: LeaseRow, now: float) -> _Sighting:
        """`now`: after the row was read."""
        seen = self._sightings.get(row.address)
        if seen is None or (seen.row.id, seen.row.renewals) != (row.id, row.renewals):
            seen = self._sightings[row.address] = _Sighting(row, now)
        return seen

    async def release(self, address: str, user: str) -> None:
        """
        Give the lease up once no other user needs it. Call it when nothing is on its way to PlanSo any more. Where the
        database can't be reached it is released with the next renewal.
        """
        lease = self._held.get(address)
        if lease is None:
            return
        lease.users.discard(user)
        if lease.users:
            return
        del self._held[address]
        lease.end("it was released")
        await self._release_row(address, lease.id)
        log.info("planso_lease_released", address=address)

    async def _release_row(self, address: str, lease_id: str) -> None:
        def work(tx: Transaction) -> None:
            if planso_leases.release(tx, address, lease_id=lease_id):
                wake_ups.notify(tx, WakeUpKind.LEASE, address)

        try:
            await self._database.write(work)
        except StoreUnavailable as error:
            log.warning("planso_lease_not_released", address=address, error=type(error).__name__)

    async def close(self) -> None:
        """Release all leases, and acquire none any more."""
        self._is_closed = True
        released, self._held = self._held, {}
        for lease in released.values():
            lease.end("the connector is stopping")

        def work(tx: Transaction) -> None:
            planso_leases.release_all(tx, holder=self.holder)
            for address in released:
                wake_ups.notify(tx, WakeUpKind.LEASE, address)

        try:
            await self._database.write(work)
        except StoreUnavailable as error:
            log.warning("planso_leases_not_released", error=type(error).__name__)

    async def run_renewal_loop(self, beat: Heartbeat = no_heartbeat) -> None:
        """Renew the leases of this process, and watch those of others, until cancelled."""
        while True:
            beat(STUCK_AFTER + STATEMENT_TIMEOUT + self._database.max_wait)
            pause = RENEW_INTERVAL
            try:
                await self.renew()
            except ConnectorError as error:
                log.warning("planso_leases_not_renewed", error=type(error).__name__)
                pause = RETRY_INTERVAL
            except Exception:
                log.exception("planso_leases_not_renewed")
            await asyncio.sleep(pause)

    async def renew(self) -> None:
        """Renew all leases of this process with one statement, and look at all others. Raises StoreUnavailable."""
        expected = list(self._held.values())

        def renew_and_list(tx: Transaction) -> list[LeaseRow]:
            planso_leases.renew_all(tx, holder=self.holder, until=self._expiry())
            return planso_leases.list_all(tx)

        granted_at = self._steady()
        if expected:
            rows = await self._database.write_with_priority(renew_and_list, STATEMENT_TIMEOUT)
        else:
            rows = await self._database.read_with_priority(planso_leases.list_all, STATEMENT_TIMEOUT)
        now, stored = self._steady(), {row.address: row for row in rows}
        for lease in expected:
            row = stored.get(lease.address)
            if row is not None and row.id == lease.id:
                lease.extend(granted_at)
            elif not lease.is_over:
                self._lose(lease, row)
        for row in rows:
            if row.holder != self.holder:
                self._see(row, now)
            elif row.id not in self._acquiring and self._is_orphan(row):
                await self._release_row(row.address, row.id)
        self._sightings = {address: seen for address, seen in self._sightings.items() if address in stored}

    def _is_orphan(self, row: LeaseRow) -> bool:
        """Whether the row is of an attempt to acquire, or to release, whose outcome this process never learned."""
        lease = self._held.get(row.address)
        return lease is None or lease.id != row.id

    def _lose(self, lease: PlansoLease, row: LeaseRow | None) -> None:
        lease.end("another process has it now" if row is not None else "its row in the database is gone")
        self._held.pop(lease.address, None)
        log.warning("planso_lease_lost", address=lease.address, holder=row.holder if row is not None else None)
        try:
            self._on_lost(lease)
        except Exception:
            log.exception("planso_lease_lost", address=lease.address)

    def _expiry(self) -> Instant:
        return format_instant(self._clock() + timedelta(seconds=LEASE_DURATION))
