"""
Wake other processes on the database, and be woken by them. Notifications are believed only once this process has heard
its own, sent by another connection: poolers swallow them silently. As long as it hears nothing it polls.
"""

import asyncio
import secrets
from collections.abc import Callable

import structlog

from planso_connector.domain.errors import StoreUnavailable
from planso_connector.flows.operating.heartbeat import Heartbeat, no_heartbeat
from planso_connector.store import wake_ups
from planso_connector.store.engine.backend import Listener
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.wake_ups import WakeUpKind

log = structlog.get_logger(__name__)

POLL_INTERVAL = 1.0
"""Seconds between two polls while no notification gets through."""

SELF_TEST_INTERVAL = 60.0
"""Seconds between two self-tests."""

SELF_TEST_TIMEOUT = 5.0
"""Seconds within which a process hears itself."""

FIRST_RETRY, MAX_RETRY = 1.0, 60.0
"""Seconds until the next attempt to listen, doubled each time."""

STUCK_AFTER = 10.0
"""Seconds that one iteration of the poll loop takes at most."""

WakeUpCallback = Callable[[str | None], None]
"""Gets the subject: a workshop, or a PlanSo address. None: it may concern any."""


class WakeUps:
    """
    Calls those who subscribed soon after another process, or this one, notified them. While `is_listening` is false,
    they are called every POLL_INTERVAL, on SQLite only if anything was committed since. They are called once more
    than needed rather than once less, on the event loop, and do not block it. Some wake-ups may get lost all the same:
    look for work every now and then without one.
    """

    def __init__(
        self,
        database: Database,
        poll_interval: float = POLL_INTERVAL,
        *,
        self_test_interval: float = SELF_TEST_INTERVAL,
        self_test_timeout: float = SELF_TEST_TIMEOUT,
    ) -> None:
        self._database = database
        self._poll_interval = poll_interval
        self._self_test_interval = self_test_interval
        self._self_test_timeout = self_test_timeout
        self._callbacks: dict[WakeUpKind, list[WakeUpCallback]] = {}
        self._process = secrets.token_hex(10)
        self._data_version: int | None = None
        self._to_send: set[tuple[WakeUpKind, str]] = set()
        self._has_to_send = asyncio.Event()
        self.is_listening = False
        """Whether notifications get through, by the last self-test."""
        self.deaf_reason = "not tried yet"
        """Why they do not, in words for an operator."""

    def subscribe(self, kind: WakeUpKind, callback: WakeUpCallback) -> None:
        self._callbacks.setdefault(kind, []).append(callback)

    def send(self, kind: WakeUpKind, subject: str) -> None:
        """
        Wake other processes soon, for what was committed already: many wake-ups share a transaction. For what is
        frequent; what is rare uses `store.wake_ups.notify` in the transaction itself.
        """
        self._to_send.add((kind, subject))
        self._has_to_send.set()

    async def run(self, beat: Heartbeat = no_heartbeat) -> None:
        """Send, and listen or poll, until cancelled."""
        loops = {"send": self._keep_sending(), "poll": self._poll(beat), "listen": self._keep_listening()}
        tasks = [asyncio.create_task(loop, name=f"wake-ups: {name}") for name, loop in loops.items()]
        try:
            await asyncio.gather(*tasks)  # passes on each cancellation; a TaskGroup only the first
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _keep_sending(self) -> None:
        while True:
            await self._has_to_send.wait()
            self._has_to_send.clear()
            sending, self._to_send = sorted(self._to_send), set()

            def work(tx: Transaction, sending: list[tuple[WakeUpKind, str]] = sending) -> None:
                for kind, subject in sending:
                    wake_ups.notify(tx, kind, subject)

            try:
                await self._database.write(work)
            except StoreUnavailable as error:
                log.debug("wake_ups_not_sent", error=type(error).__name__)

    async def _poll(self, beat: Heartbeat) -> None:
        while True:
            beat(STUCK_AFTER)
            await asyncio.sleep(self._poll_interval)
            if not self.is_listening and self._may_have_changed():
                self._call_all()

    def _may_have_changed(self) -> bool:
        version, self._data_version = self._data_version, self._database.data_version()
        return self._data_version is None or self._data_version != version

    async def _keep_listening(self) -> None:
        """Listen as long as the connection lasts, again and again; returns where the database can't notify."""
        pause = FIRST_RETRY
        while (opening := self._database.listen()) is not None:
            try:
                async with opening as listener:
                    await self._test(listener)
                    pause = FIRST_RETRY
                    while True:
                        await self._listen(listener)
                        await self._test(listener)
            except StoreUnavailable as error:
                self._record_deaf(str(error))
            await asyncio.sleep(pause)
            pause = min(MAX_RETRY, pause * 2)
        self.deaf_reason = "this database sends no notifications"

    async def _listen(self, listener: Listener) -> None:
        until = asyncio.get_running_loop().time() + self._self_test_interval
        while (left := until - asyncio.get_running_loop().time()) > 0:
            for message in await listener.receive(left):
                self._dispatch(message)

    async def _test(self, listener: Listener) -> None:
        """Send a message by another connection, and wait for it. Raises StoreUnavailable where it does not arrive."""

        def send(tx: Transaction) -> None:
            wake_ups.notify(tx, WakeUpKind.SELF_TEST, self._process)

        await self._database.write(send)
        until = asyncio.get_running_loop().time() + self._self_test_timeout
        while (left := until - asyncio.get_running_loop().time()) > 0:
            found = [self._dispatch(message) for message in await listener.receive(left)]
            if (WakeUpKind.SELF_TEST, self._process) in found:
                self._record_listening()
                return
        raise StoreUnavailable("What this process notifies does not reach it: a pooler, or something like it.")

    def _dispatch(self, message: str) -> tuple[WakeUpKind, str | None] | None:
        parsed = wake_ups.parse_message(message)
        if parsed is not None:
            kind, subject = parsed
            for callback in self._callbacks.get(kind, ()):
                callback(subject)
        return parsed

    def _call_all(self) -> None:
        for callbacks in self._callbacks.values():
            for callback in callbacks:
                callback(None)

    def _record_listening(self) -> None:
        if not self.is_listening:
            self.is_listening, self.deaf_reason = True, ""
            log.info("wake_ups_listening")
            self._call_all()  # something may have been missed meanwhile

    def _record_deaf(self, reason: str) -> None:
        if self.is_listening or self.deaf_reason != reason:
            log.info("wake_ups_polling", reason=reason)
        self.is_listening, self.deaf_reason = False, reason
