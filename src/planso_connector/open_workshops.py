"""The workshops of this process: each is built when it is first needed, and closed again when nobody needs it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic

import structlog

from planso_connector.domain.errors import NotFound
from planso_connector.rest.workshop_flows import WorkshopFlows
from planso_connector.workshop_parts import WorkshopParts

log = structlog.get_logger(__name__)

IDLE_AFTER = 900.0
"""Seconds without use after which a workshop is closed; longer than the usual interval of syncs, so that its sessions
with PlanSo last through the day."""


class OpenWorkshops:
    """
    `default`: the workshop of requests without a key. `build` builds the parts of a workshop; it raises NotFound for
    one that there is not.
    """

    def __init__(self, default: str, build: Callable[[str], Awaitable[WorkshopParts]]) -> None:
        self.default = default
        self.registered: set[str] = set()
        """The workshops that a host name can name."""
        self._build = build
        self._open: dict[str, WorkshopParts] = {}
        self._used_at: dict[str, float] = {}
        self._opening: dict[str, asyncio.Lock] = {}

    def __iter__(self) -> Iterator[WorkshopParts]:
        """Those that are open."""
        return iter(list(self._open.values()))

    def find_parts(self, name: str) -> WorkshopParts | None:
        """At once; None for a workshop that is not open now."""
        parts = self._open.get(name)
        if parts is not None:
            self._used_at[name] = monotonic()
        return parts

    async def open_parts(self, name: str) -> WorkshopParts:
        """Build the workshop unless it is open. Raises NotFound, SettingsError, StoreUnavailable."""
        lock = self._opening.setdefault(name, asyncio.Lock())
        try:
            async with lock:
                parts = self.find_parts(name)
                if parts is None:
                    parts = self._open[name] = await self._build(name)
                    self._used_at[name] = monotonic()
                return parts
        finally:
            if not lock.locked():
                self._opening.pop(name, None)

    async def serves(self, name: str) -> bool:
        return name == self.default or name in self.registered

    def find_open(self, name: str) -> WorkshopFlows | None:
        parts = self.find_parts(name)
        return parts.flows if parts is not None else None

    async def open(self, name: str) -> WorkshopFlows | None:
        try:
            return (await self.open_parts(name)).flows
        except NotFound:
            return None

    def is_foreign(self, label: str, workshop: str) -> bool:
        return label != workshop and label in self.registered

    def drain(self, seconds: float) -> None:
        """Give writes in progress so many seconds; begin no others."""
        for parts in self:
            parts.outbox.drain(seconds)

    async def close_workshop(self, name: str) -> None:
        """Close a workshop, if it is open: its settings changed, or it was removed."""
        parts = self._open.pop(name, None)
        self._used_at.pop(name, None)
        if parts is not None:
            await parts.close()

    async def close_idle(self) -> None:
        """Close the workshops that nobody used for long."""
        before = monotonic() - IDLE_AFTER
        for parts in self:
            if self._used_at[parts.name] < before and not parts.is_busy:
                log.info("workshop_closed", workshop=parts.name, reason="idle")
                await self.close_workshop(parts.name)

    async def close(self) -> None:
        for parts in self:
            await self.close_workshop(parts.name)
