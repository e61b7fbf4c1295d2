"""
Requests of callers that need PlanSo: done here where this process has the workshop's PlanSo lease, or gets it, else
forwarded to the process that has it. Both sides of a forwarded call are here.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from planso_connector.domain.errors import NotFound
from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Operation
from planso_connector.flows.operating.forwarded_calls import CallHandlers, ForwardedCalls
from planso_connector.flows.operating.forwarded_kinds import (
    DRY_RUN,
    LIVE_READ,
    LOGIN,
    LOGIN_KEY,
    SYNC_START,
    CallKind,
    DryRunAction,
    DryRunCall,
    LiveRead,
    LoginCall,
    LoginKeyRequest,
    Request,
    Result,
    SyncStart,
    SyncStarted,
)
from planso_connector.flows.operating.planso_access import PlansoAccess
from planso_connector.flows.operating.planso_login import START_TIMEOUT, PlansoLogin
from planso_connector.flows.operating.sealed_credentials import OneOffKeys, seal
from planso_connector.flows.operating.wait_limit import WaitLimit
from planso_connector.flows.querying.live_reader import LIVE_READ_TIMEOUT, LiveReader
from planso_connector.flows.syncing.sync import Sync
from planso_connector.flows.writing.dry_run import DRY_RUN_TIMEOUT, DryRun, Preview
from planso_connector.store import operations
from planso_connector.store.engine.database import Database
from planso_connector.store.sync_runs import Trigger

LOGIN_TIMEOUT = 2 * START_TIMEOUT
SYNC_START_TIMEOUT = 10.0
"""Seconds within which the lease holder answers."""


@dataclass(frozen=True, slots=True)
class LocalCalls:
    """What this process does itself when it has the lease."""

    database: Database
    live_reader: LiveReader
    dry_run: DryRun
    planso_login: PlansoLogin
    sync: Sync
    keys: OneOffKeys

    async def read_live(self, call: LiveRead) -> None:
        await self.live_reader.read(call.order_id)

    async def preview(self, call: DryRunCall) -> Preview:
        match call.action:
            case DryRunAction.CREATE:
                return await self.dry_run.create(call.requested)
            case DryRunAction.UPDATE:
                return await self.dry_run.update(_require(call.order_id), call.requested)
            case DryRunAction.DELETE:
                return await self.dry_run.delete(_require(call.order_id))
            case DryRunAction.UNDO:
                return await self.dry_run.undo(await self._load(call.operation_id))
            case DryRunAction.RESTORE:
                return await self.dry_run.restore(await self._load(call.operation_id), call.only)

    async def _load(self, operation_id: str) -> Operation:
        operation = await self.database.read(lambda tx: operations.get(tx, operation_id))
        if operation is None:
            raise NotFound(f"There is no operation {operation_id}.")
        return operation

    async def create_key(self, _: LoginKeyRequest) -> str:
        return self.keys.create()

    async def log_in(self, call: LoginCall) -> None:
        await self.planso_login.log_in(self.keys.open(call.credentials) if call.credentials else None)

    async def start_sync(self, call: SyncStart) -> SyncStarted:
        return SyncStarted(*await self.sync.start(call.trigger, full=call.full, accept=call.accept))


def _require(order_id: int | None) -> int:
    assert order_id is not None, "updates and deletions name an order"
    return order_id


class PlansoCalls:
    """Every method raises what it raises here, and PlansoTimeout where the lease holder does not answer in time."""

    def __init__(
        self,
        database: Database,
        access: PlansoAccess,
        forwarded: ForwardedCalls,
        local: LocalCalls,
        wait_limit: WaitLimit,
    ) -> None:
        self.local = local
        self._database = database
        self._access = access
        self._forwarded = forwarded
        self._wait_limit = wait_limit

    async def read_live(self, order_id: int) -> None:
        await self._call(LIVE_READ, LiveRead(order_id), self.local.read_live, LIVE_READ_TIMEOUT)

    async def create(self, requested: Mapping[str, Value]) -> Preview:
        return await self._preview(DryRunCall(DryRunAction.CREATE, requested=requested))

    async def update(self, order_id: int, requested: Mapping[str, Value]) -> Preview:
        return await self._preview(DryRunCall(DryRunAction.UPDATE, order_id, requested))

    async def delete(self, order_id: int) -> Preview:
        return await self._preview(DryRunCall(DryRunAction.DELETE, order_id))

    async def undo(self, update: Operation) -> Preview:
        """`update` is a confirmed update that changed something."""
        return await self._preview(DryRunCall(DryRunAction.UNDO, operation_id=update.id))

    async def restore(self, damaged: Operation, only: Sequence[str]) -> Preview:
        """`damaged` is a damaged update."""
        return await self._preview(DryRunCall(DryRunAction.RESTORE, operation_id=damaged.id, only=tuple(only)))

    async def log_in(self, credentials: tuple[str, str] | None = None) -> None:
        """As PlansoLogin; other `credentials` pass the database encrypted for the lease holder alone."""
        if credentials is not None and not await self._is_here():
            key = await self._call(LOGIN_KEY, LoginKeyRequest(), self.local.create_key, LOGIN_TIMEOUT)
            await self._call(LOGIN, LoginCall(seal(key, credentials)), self.local.log_in, LOGIN_TIMEOUT)
        elif credentials is not None:
            await self.local.planso_login.log_in(credentials)
        else:
            await self._call(LOGIN, LoginCall(), self.local.log_in, LOGIN_TIMEOUT)

    async def start_sync(self, trigger: Trigger, *, full: bool = False, accept: bool = False) -> tuple[str, bool]:
        """As `Sync.start`."""
        call = SyncStart(trigger, full, accept)
        started = await self._call(SYNC_START, call, self.local.start_sync, SYNC_START_TIMEOUT)
        return started.run_id, started.joined

    async def _preview(self, call: DryRunCall) -> Preview:
        return await self._call(DRY_RUN, call, self.local.preview, DRY_RUN_TIMEOUT)

    async def _call(
        self,
        kind: CallKind[Request, Result],
        request: Request,
        local: Callable[[Request], Awaitable[Result]],
        seconds: float,
    ) -> Result:
        if await self._is_here():
            return await local(request)
        with self._wait_limit.acquire():
            return await self._forwarded.call(self._database, kind, request, seconds)

    async def _is_here(self) -> bool:
        """Whether this process may send; also where nobody may, since what is tried here says why."""
        return bool(self._access.refusal) or await self._access.acquire()


def make_handlers(find_local: Callable[[str], Awaitable[LocalCalls]]) -> CallHandlers:
    """What this process does for others that don't have a workshop's PlanSo lease. `find_local` gets the workshop."""
    handlers = CallHandlers()

    def add(
        kind: CallKind[Request, Result], find_method: Callable[[LocalCalls], Callable[[Request], Awaitable[Result]]]
    ) -> None:
        async def handle(workshop: str, request: Request, _: float) -> Result:
            return await find_method(await find_local(workshop))(request)

        handlers.add(kind, handle)

    add(LIVE_READ, lambda calls: calls.read_live)
    add(DRY_RUN, lambda calls: calls.preview)
    add(LOGIN_KEY, lambda calls: calls.create_key)
    add(LOGIN, lambda calls: calls.log_in)
    add(SYNC_START, lambda calls: calls.start_sync)
    return handlers
