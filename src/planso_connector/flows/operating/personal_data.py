"""
Privacy: what is held of a person, to be told and to be erased. Looking through a table and erasing an order's data are
transactions of their own, so that nobody waits long; what was erased is noted in one transaction at the end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import structlog

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import NotPossible
from planso_connector.domain.recognition.identifier import Identifier
from planso_connector.store import erasure_log, personal_data
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.personal_data import MirrorState

log = structlog.get_logger(__name__)

SOURCES = {
    "orders": "PlanSo: the order as its list and its form showed it when it was last read",
    "last_seen": "when the connector saw the order in PlanSo",
    "parts": "PlanSo: the order's spare parts",
    "sections": "PlanSo: the order's other tabs",
    "history": "the connector: what changed from one reading to the next, and who asked for it",
    "operations": "callers of the connector: writes that they asked for, and what came of them",
    "unreadable_pages": "PlanSo: pages that could not be read, with letters and digits masked",
}


@dataclass(slots=True)
class PersonalRecords:
    """Where an identifier stands: the tables by order, and the operations that have no order."""

    orders: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    operations: set[str] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        return not self.orders and not self.operations


@dataclass(slots=True)
class ErasureResult:
    """
    `in_planso`: orders that PlanSo lists and whose mirror row names the person; they follow PlanSo. `pending`:
    operations that keep anything from being erased. `id` is that of the protocol, None where nothing was done.
    """

    records: PersonalRecords
    still_in_planso: list[int] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    id: str | None = None


class PersonalData:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find(self, identifier: Identifier) -> PersonalRecords:
        """Every row that names the person, in whatever writing. Reads all tables whole."""
        found = PersonalRecords()
        for table in personal_data.TABLES_WITH_NAMES:
            after: list[object] | None = None
            while True:
                named, after = await self._database.read(
                    lambda tx, name=table.name, last=after: personal_data.search_table(  # type: ignore[misc]
                        tx, name, last, identifier.occurs_in
                    )
                )
                for one in named:
                    if one.order_id is not None:
                        found.orders[one.order_id].add(one.table)
                    elif one.operation_id is not None:
                        found.operations.add(one.operation_id)
                if after is None:
                    break
        return found

    async def export(self, identifier: Identifier) -> dict[str, Any]:
        """All that is held of the person's orders, with its sources, as JSON can hold it."""
        found = await self.find(identifier)
        orders = []
        for order_id, tables in sorted(found.orders.items()):
            held = await self._database.read(lambda tx, one=order_id: personal_data.export_order(tx, one))  # type: ignore[misc]
            orders.append({"order_id": order_id, "named_in": sorted(tables), **held})
        operations = [
            await self._database.read(lambda tx, one=operation_id: personal_data.export_operation(tx, one))  # type: ignore[misc]
            for operation_id in sorted(found.operations)
        ]
        earlier = await self._database.read(lambda tx: erasure_log.find(tx, identifier))
        return {
            "workshop": self._database.workshop,
            "made_at": format_instant(self._clock()),
            "asked_for": {identifier.kind.value: identifier.key},
            "sources": SOURCES,
            "orders": orders,
            "operations": operations,
            "erasures": [{"erased_at": one.erased_at, "orders": one.order_ids, "rows": one.counts} for one in earlier],
        }

    async def plan_erasure(self, identifier: Identifier) -> ErasureResult:
        """What `erase` would find in its way, and leave; nothing is done."""
        found = await self.find(identifier)

        def looked(tx: Transaction) -> ErasureResult:
            erased = ErasureResult(found)
            for order_id, tables in sorted(found.orders.items()):
                erased.pending += personal_data.list_pending(tx, order_id)
                is_current = personal_data.get_mirror_state(tx, order_id) == MirrorState.CURRENT
                if is_current and tables & {"orders", "parts"}:
                    erased.still_in_planso.append(order_id)
            for operation_id in sorted(found.operations):
                if (personal_data.export_operation(tx, operation_id) or {}).get("state") == "pending":
                    erased.pending.append(operation_id)
            return erased

        return await self._database.read(looked)

    async def erase(self, identifier: Identifier) -> ErasureResult:
        """
        Erases what is ours: history, what operations asked, tabs, kept pages; and orders that PlanSo does not list,
        altogether. Raises NotPossible, with nothing done, while an operation is pending.
        """
        erased = await self.plan_erasure(identifier)
        if erased.pending:
            raise _pending(erased.pending)
        if erased.records.is_empty:
            return erased
        try:
            for order_id in sorted(erased.records.orders):
                await self._erase_order(order_id, erased)
            for operation_id in sorted(erased.records.operations):
                done = await self._database.write(
                    lambda tx, one=operation_id: personal_data.erase_operation(tx, one)  # type: ignore[misc]
                )
                erased.counts += done or Counter()
        finally:
            erased.id = await self._note(identifier, erased)
        log.info("erased", erasure=erased.id, orders=len(erased.records.orders))
        return erased

    async def _erase_order(self, order_id: int, erased: ErasureResult) -> None:
        done = await self._database.write(lambda tx: personal_data.erase_order(tx, order_id))
        if done is None:
            pending = await self._database.read(lambda tx: personal_data.list_pending(tx, order_id))
            raise _pending(pending)
        erased.counts += done

    async def _note(self, identifier: Identifier, erased: ErasureResult) -> str:
        now = format_instant(self._clock())
        return await self._database.write(
            lambda tx: erasure_log.record(
                tx,
                identifier,
                now=now,
                order_ids=erased.records.orders,
                operation_ids=erased.records.operations,
                counts=erased.counts,
            )
        )


def _pending(operation_ids: list[str]) -> NotPossible:
    return NotPossible(
        f"Pending: {', '.join(operation_ids)}. What is on its way to PlanSo can't be erased: wait until it is settled, "
        "or cancel it (POST /api/operations/{id}/cancel), then try again."
    )
