"""
Forwarded calls: what needs PlanSo is done by the process that has the workshop's PlanSo lease, and answered where it
was asked. A call, its beginning, its answer and its end are one transaction each. It is executed at most once.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog

from planso_connector.domain import forwarded_errors
from planso_connector.domain.clock import Clock, format_instant, parse_instant
from planso_connector.domain.errors import ConnectorError, PlansoTimeout, PlansoUnavailable, TooManyWaiting
from planso_connector.flows.operating.forwarded_kinds import CallKind, Request, Result
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.flows.operating.wake_ups import WakeUps
from planso_connector.store import forwarded_calls, wake_ups
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.forwarded_calls import CallState, ForwardedCall
from planso_connector.store.wake_ups import WakeUpKind

log = structlog.get_logger(__name__)

MAX_CALLS = 64
"""Calls of one workshop at most that are not answered or given up."""

MAX_AT_ONCE = 8
"""Calls of one workshop that its lease holder executes at once."""

POLL_INTERVAL = 1.0
"""Seconds between two looks for an answer, and for calls, without a wake-up."""

EXPIRY_MARGIN = timedelta(seconds=5)
"""How long after its caller gave up a call's row is deleted, if its caller did not do that."""

SWEEP_INTERVAL = 30.0
"""Seconds between two deletions of expired calls."""

STUCK_AFTER = 10.0
"""Seconds that one iteration of the loop takes at most, plus the database's own time limit."""


class RemoteFault(Exception):
    """The lease holder met a fault of the connector itself, which is in its log; a fault here, too."""


class ForwardedCalls:
    """Makes calls."""

    def __init__(self, clock: Clock, wakes: WakeUps, poll_interval: float = POLL_INTERVAL) -> None:
        self._clock = clock
        self._poll_interval = poll_interval
        self._waiting: dict[str, set[asyncio.Event]] = {}
        """By workshop."""
        self._removing: set[asyncio.Task[None]] = set()
        wakes.subscribe(WakeUpKind.ANSWER, self._wake)

    async def call(
        self, database: Database, kind: CallKind[Request, Result], request: Request, seconds: float
    ) -> Result:
        """
        What the lease holder's handler returns or raises; `database` is the workshop's. Raises PlansoTimeout where
        there is no answer within `seconds`, TooManyWaiting, StoreUnavailable, and RemoteFault.
        """
        now = self._clock()
        call = ForwardedCall(
            "call_" + secrets.token_hex(10),
            kind.name,
            json.dumps(kind.encode_request(request)),
            format_instant(now),
            format_instant(now + timedelta(seconds=seconds)),
        )

        def add(tx: Transaction) -> bool:
            is_added = forwarded_calls.add(tx, call, at_most=MAX_CALLS)
            if is_added:
                wake_ups.notify(tx, WakeUpKind.CALL)
            return is_added

        until = asyncio.get_running_loop().time() + seconds
        if not await database.write(add):
            raise TooManyWaiting(
                f"{MAX_CALLS} requests of this workshop wait for PlanSo already; try again in a moment"
            )
        try:
            found = await self._wait(database, call.id, until)
        finally:
            await self._remove(database, call.id)
        if found is None or found.response is None:
            raise PlansoTimeout(_explain_timeout(found, seconds))
        return _decode_response(kind, found.response)

    @property
    def waiting_count(self) -> int:
        return sum(len(events) for events in self._waiting.values())

    async def _wait(self, database: Database, call_id: str, until: float) -> ForwardedCall | None:
        """The call, once it is answered, gone (None), or the time is up."""
        event = asyncio.Event()
        waiting = self._waiting.setdefault(database.workshop or "", set())
        waiting.add(event)
        try:
            while True:
                event.clear()
                found = await database.read(lambda tx: forwarded_calls.get(tx, call_id))
                left = until - asyncio.get_running_loop().time()
                if found is None or found.state is CallState.ANSWERED or left <= 0:
                    return found
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, self._poll_interval)):
                        await event.wait()
        finally:
            waiting.discard(event)
            if not waiting:
                self._waiting.pop(database.workshop or "", None)

    async def _remove(self, database: Database, call_id: str) -> None:
        """Delete the call's row, also where this task is cancelled; else it is deleted when it expires."""

        async def remove() -> None:
            try:
                await database.write(lambda tx: forwarded_calls.remove(tx, call_id))
            except ConnectorError as error:
                log.warning("forwarded_call_not_removed", call=call_id, error=type(error).__name__)

        task = asyncio.create_task(remove())
        self._removing.add(task)
        task.add_done_callback(self._removing.discard)
        await asyncio.shield(task)

    def _wake(self, workshop: str | None) -> None:
        for events in self._waiting.values() if workshop is None else [self._waiting.get(workshop, set())]:
            for event in events:
                event.set()

    async def close(self) -> None:
        """Wait for the deletion of calls that were given up."""
        if self._removing:
            await asyncio.wait(self._removing)


def _explain_timeout(found: ForwardedCall | None, seconds: float) -> str:
    if found is not None and found.state is CallState.WAITING:
        return f"The process that talks to PlanSo did not begin within {seconds:g} s; nothing was sent."
    return f"The process that talks to PlanSo did not answer within {seconds:g} s."


def _decode_response(kind: CallKind[Request, Result], response: str) -> Result:
    decoded = json.loads(response)
    if "error" in decoded:
        raise forwarded_errors.deserialize_error(decoded["error"])
    if "fault" in decoded:
        raise RemoteFault(f"{kind.name}: {decoded['fault']} in the process that has the PlanSo lease")
    return kind.decode_result(decoded["result"])


Handler = Callable[[str, Request, float], Awaitable[Result]]
"""Gets the workshop, the request, and the seconds until the caller gives up."""


class CallHandlers:
    """What answers each kind of call."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[CallKind[Any, Any], Handler[Any, Any]]] = {}

    def add(self, kind: CallKind[Request, Result], handler: Handler[Request, Result]) -> None:
        self._handlers[kind.name] = kind, handler

    def find(self, name: str) -> tuple[CallKind[Any, Any], Handler[Any, Any]] | None:
        return self._handlers.get(name)


class ForwardedCallServer:
    """
    Executes the calls of the workshops whose PlanSo lease this process has: `has_lease` tells. `database` is that of
    the whole installation, `holder` the process's id.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        wakes: WakeUps,
        *,
        holder: str,
        has_lease: Callable[[str], bool],
        poll_interval: float = POLL_INTERVAL,
    ) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._has_lease = has_lease
        self._poll_interval = poll_interval
        self._is_woken = asyncio.Event()
        self.running: dict[asyncio.Task[None], str] = {}
        """The calls in progress, with the workshop of each."""
        self._is_draining = False
        wakes.subscribe(WakeUpKind.CALL, lambda _: self.wake())

    def wake(self) -> None:
        """Look for calls now: there may be some, or this process has another lease."""
        self._is_woken.set()

    async def run(self, handlers: CallHandlers, beat: Heartbeat = no_heartbeat) -> None:
        """Execute calls until cancelled."""
        sweep_at = 0.0
        while True:
            beat(STUCK_AFTER + self._database.max_wait)
            self._is_woken.clear()
            try:
                await self._begin_waiting(handlers)
                if sweep_at <= asyncio.get_running_loop().time():
                    sweep_at = asyncio.get_running_loop().time() + SWEEP_INTERVAL
                    await self.drop_expired()
            except ConnectorError as error:
                log.warning("forwarded_calls_unread", error=type(error).__name__)
            except Exception:
                log.exception("forwarded_calls_unread")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_interval):
                    await self._is_woken.wait()

    async def _begin_waiting(self, handlers: CallHandlers) -> None:
        now = format_instant(self._clock())
        workshops = await self._database.read(lambda tx: forwarded_calls.list_workshops_waiting(tx, now=now))
        for workshop in workshops:
            free = MAX_AT_ONCE - sum(running == workshop for running in self.running.values())
            if free <= 0 or self._is_draining or not self._has_lease(workshop):
                continue

            def begin(tx: Transaction, free: int = free) -> list[ForwardedCall]:
                return forwarded_calls.begin(tx, holder=self._holder, now=now, at_most=free)

            database = self._database.for_workshop(workshop)
            for call in await database.write(begin):
                task = asyncio.create_task(self._execute(database, workshop, call, handlers), name=call.id)
                self.running[task] = workshop
                task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self.running.pop(task, None)
        self.wake()

    async def drop_expired(self) -> None:
        """Delete the calls whose callers died. Raises StoreUnavailable."""
        before = format_instant(self._clock() - EXPIRY_MARGIN)
        await self._database.write(lambda tx: forwarded_calls.drop_expired(tx, now=before))

    async def _execute(self, database: Database, workshop: str, call: ForwardedCall, handlers: CallHandlers) -> None:
        structlog.contextvars.bind_contextvars(call=call.id, kind=call.kind, workshop=workshop)
        response: Mapping[str, Any]
        try:
            response = {"result": await self._handle(workshop, call, handlers)}
        except ConnectorError as error:
            response = {"error": forwarded_errors.serialize_error(error)}
        except asyncio.CancelledError:
            stopping = PlansoUnavailable("The process that talks to PlanSo is stopping; try again in a moment.")
            response = {"error": forwarded_errors.serialize_error(stopping)}
        except Exception as error:
            log.exception("forwarded_call_failed")
            response = {"fault": type(error).__name__}

        def answer(tx: Transaction) -> None:
            now = format_instant(self._clock())
            if forwarded_calls.answer(tx, call.id, json.dumps(response), holder=self._holder, now=now):
                wake_ups.notify(tx, WakeUpKind.ANSWER)

        try:
            await database.write(answer)
        except ConnectorError as error:
            log.warning("forwarded_call_not_answered", error=type(error).__name__)

    async def _handle(self, workshop: str, call: ForwardedCall, handlers: CallHandlers) -> Any:
        """The encoded result. Raises whatever the handler raises."""
        found = handlers.find(call.kind)
        if found is None:
            raise PlansoUnavailable(f"The process that talks to PlanSo, of another version, knows no '{call.kind}'.")
        kind, handler = found
        seconds = (parse_instant(call.expires_at) - self._clock()).total_seconds()
        request = kind.decode_request(json.loads(call.request))
        try:
            async with asyncio.timeout(max(0.0, seconds)) as limit:
                return kind.encode_result(await handler(workshop, request, seconds))
        except TimeoutError:
            if limit.expired():
                raise PlansoTimeout(f"PlanSo did not answer within {seconds:.0f} s.") from None
            raise

    async def close(self, seconds: float) -> None:
        """Begin no more calls; those in progress have so many seconds."""
        self._is_draining = True
        if not self.running:
            return
        _, unfinished = await asyncio.wait([*self.running], timeout=seconds)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)
