"""Show and set the workshop's capacity: one short transaction each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from planso_connector.domain.capacity.capacity import WorkshopCalendar
from planso_connector.domain.capacity.capacity_document import read_capacity, write_capacity
from planso_connector.domain.clock import Clock, Instant, format_instant
from planso_connector.store import capacities
from planso_connector.store.capacities import StoredCapacity
from planso_connector.store.engine.database import Database


@dataclass(frozen=True, slots=True)
class CapacityState:
    """`document` in the form of `domain.capacity.capacity_document`; None: the workshop set no capacity."""

    document: dict[str, Any] | None
    changed_at: Instant | None = None
    changed_by: str = ""


class CapacityFlow:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self) -> CapacityState:
        stored = await self._database.read(capacities.get)
        if stored is None:
            return CapacityState(None)
        return CapacityState(json.loads(stored.document), stored.changed_at, stored.changed_by)

    async def set(
        self, document: Mapping[str, Any], *, caller: str = "", loc: tuple[str | int, ...] = ("body",)
    ) -> CapacityState:
        """Replace the capacity as a whole. Raises Invalid with each problem, below `loc`."""
        normalized = check_capacity(document, loc)
        now = format_instant(self._clock())
        content = json.dumps(normalized, ensure_ascii=False)
        await self._database.write(lambda tx: capacities.save(tx, StoredCapacity(content, now, caller)))
        return CapacityState(normalized, now, caller)


def check_capacity(document: Mapping[str, Any], loc: tuple[str | int, ...] = ("body",)) -> dict[str, Any]:
    """As it would be stored. Raises Invalid with each problem, below `loc`."""
    return write_capacity(read_capacity(document, loc))


def open_calendar(stored: StoredCapacity) -> WorkshopCalendar:
    """Its capacity, and the open days. Raises Invalid for one that a newer version of the connector wrote otherwise."""
    return _open_calendar(stored.document)


@lru_cache(maxsize=64)
def _open_calendar(document: str) -> WorkshopCalendar:
    return WorkshopCalendar(read_capacity(json.loads(document), ("capacity",)))
