"""The workshops of this process: each is built when it is first needed, and closed again when nobody needs it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from time import monotonic
from weakref import WeakValueDictionary

import structlog

from planso_connector.domain.errors import NotFound
from planso_connector.flows.workshop_flows import WorkshopFlows
from planso_connector.workshop_directory import ServedWorkshop, WorkshopDirectory
from planso_connector.workshop_parts import WorkshopParts

log = structlog.get_logger(__name__)

IDLE_AFTER = timedelta(minutes=15)
"""Time without use after which a workshop is closed, and other processes may have its PlanSo lease. At least one and a
half intervals of its syncs, so that its sessions with PlanSo last through the day."""


class OpenWorkshops:
    """
    `default`: the workshop of requests without a key. `build` builds the parts of a workshop. `on_changed` gets the
    name of each workshop that was added, changed or removed.
    """

    def __init__(
        self,
        default: str,
        directory: WorkshopDirectory,
        build: Callable[[ServedWorkshop], Awaitable[WorkshopParts]],
        on_changed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.default = default
        self.directory = directory
        self._build = build
        self._on_changed = on_changed
        self._open: dict[str, WorkshopParts] = {}
        self._used_at: dict[str, float] = {}
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._closing: set[asyncio.Task[None]] = set()
        self._refreshing = asyncio.Lock()
        self._drained_until: float | None = None

    def __iter__(self) -> Iterator[WorkshopParts]:
        """Those that are open."""
        return iter(list(self._open.values()))

    @property
    def is_alone(self) -> bool:
        return len(self.directory) <= 1

    async def serves(self, name: str) -> bool:
        """Also of a workshop that was added just now. Raises StoreUnavailable."""
        if name == self.default or name in self.directory:
            return True
        await self.refresh()
        return name in self.directory

    def is_foreign(self, label: str, workshop: str) -> bool:
        return label != workshop and label in self.directory

    def find_parts(self, name: str) -> WorkshopParts | None:
        """At once; None for a workshop that is not open now."""
        parts = self._open.get(name)
        if parts is not None:
            self._used_at[name] = monotonic()
        return parts

    async def open_parts(self, name: str) -> WorkshopParts:
        """Build the workshop unless it is open. Raises NotFound, StoreUnavailable."""
        lock = self._opening.get(name)
        if lock is None:
            lock = self._opening[name] = asyncio.Lock()
        async with lock:
            parts = self.find_parts(name)
            if parts is None:
                parts = await self._build_current(name)
                if self._drained_until is not None:
                    parts.drain(self._drained_until - monotonic())
                self._open[name] = parts
                self._used_at[name] = monotonic()
            return parts

    async def _build_current(self, name: str) -> WorkshopParts:
        """As the registry has it now: it may be changed, paused or removed while it is built."""
        while True:
            served = self.directory.get(name)
            parts = await self._build(served)
            if name in self.directory and self.directory.get(name) is served:
                return parts
            await parts.close()

    def find_open(self, name: str) -> WorkshopFlows | None:
        parts = self.find_parts(name)
        return parts.flows if parts is not None else None

    async def open(self, name: str) -> WorkshopFlows | None:
        try:
            return (await self.open_parts(name)).flows
        except NotFound:
            return None

    async def refresh(self) -> None:
        """Take over what changed in the registry; changed workshops are opened anew. Raises StoreUnavailable."""
        async with self._refreshing:
            for name in await self.directory.refresh():
                self.begin_close(name, "changed")
                self._on_changed(name)

    def begin_close(self, name: str, reason: str) -> None:
        """Close a workshop, if it is open. Who asks for it meanwhile opens it anew."""
        parts = self._open.pop(name, None)
        self._used_at.pop(name, None)
        if parts is not None:
            log.info("workshop_closed", workshop=name, reason=reason)
            task = asyncio.create_task(self._close(parts), name=f"close {name}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _close(self, parts: WorkshopParts) -> None:
        await parts.close()
        opened_anew = self._open.get(parts.name)
        if opened_anew is None or opened_anew.access.address != parts.access.address:
            await parts.access.release()

    def close_idle(self) -> None:
        """Close the workshops that nobody used for long."""
        now = monotonic()
        for parts in self:
            idle_after = max(IDLE_AFTER, 1.5 * parts.settings.connector_sync_interval).total_seconds()
            if now - self._used_at[parts.name] > idle_after and not parts.is_busy:
                self.begin_close(parts.name, "idle")

    def drain(self, seconds: float) -> None:
        """Give writes in progress so many seconds; begin no others, also in workshops that are opened from now on."""
        self._drained_until = monotonic() + seconds
        for parts in self:
            parts.drain(seconds)

    async def close(self) -> None:
        for parts in self:
            self.begin_close(parts.name, "the connector is stopping")
        if self._closing:
            await asyncio.wait(self._closing)
