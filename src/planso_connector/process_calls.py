"""
How the processes of an installation hand each other work: writes to be carried out, the ends of those that callers
wait for, and calls that only the holder of a PlanSo lease can answer.
"""

from planso_connector.domain.clock import format_instant
from planso_connector.flows.operating.database_clock import DatabaseClock
from planso_connector.flows.operating.forwarded_calls import ForwardedCalls, ForwardedCallServer
from planso_connector.flows.operating.planso_lease import PlansoLeases
from planso_connector.flows.operating.wake_ups import WakeUps
from planso_connector.flows.writing.outbox import Outbox
from planso_connector.open_workshops import OpenWorkshops
from planso_connector.store import operations
from planso_connector.store.engine.database import Database
from planso_connector.store.wake_ups import WakeUpKind
from planso_connector.workers.outbox_worker import OutboxWorker

CALL_GRACE = 10.0
"""Seconds for calls of other processes that are in progress when the process stops."""


class ProcessCalls:
    """`forwarded` sends calls to other processes, `server` answers theirs. `database` is the installation's."""

    def __init__(
        self, database: Database, clock: DatabaseClock, workshops: OpenWorkshops, leases: PlansoLeases
    ) -> None:
        self._database = database
        self._clock = clock
        self._workshops = workshops
        self._leases = leases
        self.outbox_worker = OutboxWorker(self._find_due, self._open_outbox, self._list_outboxes, database.max_wait)
        self.wake_ups = WakeUps(database)
        self.wake_ups.subscribe(WakeUpKind.OPERATION, self._on_operation)
        self.wake_ups.subscribe(WakeUpKind.SETTLED, self._on_settled)
        self.wake_ups.subscribe(WakeUpKind.LEASE, lambda _: self.outbox_worker.poll())
        self.forwarded = ForwardedCalls(clock, self.wake_ups)
        self.server = ForwardedCallServer(
            database,
            clock,
            self.wake_ups,
            holder=leases.holder,
            has_lease=lambda name: name in workshops.directory and workshops.directory.get(name).access.is_held,
        )

    def wake_outbox(self, name: str) -> None:
        """An operation of this workshop may be due: the holder of its PlanSo lease carries it out."""
        self.outbox_worker.wake(name)
        directory = self._workshops.directory
        if name in directory and self._leases.find_held(directory.get(name).access.address) is None:
            self.wake_ups.send(WakeUpKind.OPERATION, name)

    async def _find_due(self) -> list[str]:
        now = format_instant(self._clock())
        return await self._database.read(lambda tx: operations.list_due_workshops(tx, now=now))

    async def _open_outbox(self, name: str) -> Outbox | None:
        directory = self._workshops.directory
        if name not in directory or not await directory.get(name).access.acquire():
            return None
        return (await self._workshops.open_parts(name)).outbox

    def _list_outboxes(self) -> list[Outbox]:
        return [parts.outbox for parts in self._workshops]

    def _on_operation(self, workshop: str | None) -> None:
        if workshop is None:
            self.outbox_worker.poll()
        else:
            self.outbox_worker.wake(workshop)

    def _on_settled(self, operation_id: str | None) -> None:
        if operation_id is not None:
            for outbox in self._list_outboxes():
                outbox.notify_changed(operation_id)
