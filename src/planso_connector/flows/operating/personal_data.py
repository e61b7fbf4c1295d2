"""
Personal data: export and erase what is held of a person. Searching a batch of rows and erasing an order are
transactions of their own, so that nobody waits long; the erasure is recorded in one transaction at the end.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import NotPossible
from planso_connector.domain.recognition.identifier import Identifier
from planso_connector.store import erasure_log, personal_data
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.personal_data import MirrorState, PersonMention

log = structlog.get_logger(__name__)

SOURCES = {
    "orders": "PlanSo: the order as its list and its form showed it when it was last read",
    "last_seen": "when the connector saw the order in PlanSo",
    "parts": "PlanSo: the order's spare parts",
    "sections": "PlanSo: the order's other tabs",
    "history": "the connector: what changed from one reading to the next, and who asked for it",
    "operations": "callers of the connector: writes that they asked for, and what came of them",
    "notices": "callers on the phone: what they wanted from a person, as a phone agent heard it",
    "unreadable_pages": "PlanSo: pages that could not be read, with letters and digits masked",
}


@dataclass(slots=True)
class PersonalRecords:
    """Where a person is named: the tables by order, and the operations and notices that have no order."""

    orders: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    operations: set[str] = field(default_factory=set)
    notices: set[str] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        return not self.orders and not self.operations and not self.notices

    def add(self, mention: PersonMention) -> None:
        if mention.order_id is not None:
            self.orders[mention.order_id].add(mention.table)
        elif mention.row_id is not None:
            (self.notices if mention.table == "notices" else self.operations).add(mention.row_id)


@dataclass(slots=True)
class ErasureResult:
    """
    `still_in_planso`: orders that PlanSo lists and whose mirror row names the person; the mirror follows PlanSo.
    `pending`: operations that keep anything from being erased. `counts`: erased rows by table. `id` is that of the
    erasure log, None where nothing was done.
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
        """Find every row that names the person, in whatever spelling. Reads all tables whole."""
        records = PersonalRecords()
        for table in personal_data.TABLES_WITH_NAMES:
            after: list[object] | None = None
            while True:
                search = partial(personal_data.search_table, table=table, after=after, names=identifier.occurs_in)
                mentions, after = await self._database.read(search)
                for mention in mentions:
                    records.add(mention)
                if after is None:
                    break
        return records

    async def export(self, identifier: Identifier) -> dict[str, Any]:
        """Everything held of the person's orders, with its sources, as JSON can hold it."""
        records = await self.find(identifier)
        orders = []
        for order_id, tables in sorted(records.orders.items()):
            rows = await self._database.read(partial(personal_data.export_order, order_id=order_id))
            orders.append({"order_id": order_id, "named_in": sorted(tables), **rows})
        operations = [
            await self._database.read(partial(personal_data.export_operation, operation_id=operation_id))
            for operation_id in sorted(records.operations)
        ]
        notices = [
            await self._database.read(partial(personal_data.export_notice, notice_id=notice_id))
            for notice_id in sorted(records.notices)
        ]
        erasures = await self._database.read(lambda tx: erasure_log.find(tx, identifier))
        return {
            "workshop": self._database.workshop,
            "made_at": format_instant(self._clock()),
            "asked_for": {identifier.kind.value: identifier.key},
            "sources": SOURCES,
            "orders": orders,
            "operations": operations,
            "notices": notices,
            "erasures": [{"erased_at": one.erased_at, "orders": one.order_ids, "rows": one.counts} for one in erasures],
        }

    async def plan_erasure(self, identifier: Identifier) -> ErasureResult:
        """What `erase` would find pending, and leave to PlanSo; nothing is erased."""
        records = await self.find(identifier)

        def work(tx: Transaction) -> ErasureResult:
            result = ErasureResult(records)
            for order_id, tables in sorted(records.orders.items()):
                result.pending += personal_data.list_pending(tx, order_id)
                is_current = personal_data.get_mirror_state(tx, order_id) is MirrorState.CURRENT
                if is_current and tables & {"orders", "parts"}:
                    result.still_in_planso.append(order_id)
            for operation_id in sorted(records.operations):
                if (personal_data.export_operation(tx, operation_id) or {}).get("state") == "pending":
                    result.pending.append(operation_id)
            return result

        return await self._database.read(work)

    async def erase(self, identifier: Identifier) -> ErasureResult:
        """
        Erase history, what operations requested, tabs, unreadable pages; and orders that PlanSo does not list,
        altogether. Raises NotPossible, with nothing done, while an operation is pending.
        """
        result = await self.plan_erasure(identifier)
        if result.pending:
            raise _pending_error(result.pending)
        if result.records.is_empty:
            return result
        try:
            for order_id in sorted(result.records.orders):
                result.counts += await self._erase_order(order_id)
            for operation_id in sorted(result.records.operations):
                erase = partial(personal_data.erase_operation, operation_id=operation_id)
                erased = await self._database.write(erase)
                result.counts += erased or Counter()
            for notice_id in sorted(result.records.notices):
                result.counts += await self._database.write(partial(personal_data.erase_notice, notice_id=notice_id))
        finally:
            result.id = await self._record(identifier, result)
        log.info("erased", erasure=result.id, orders=len(result.records.orders))
        return result

    async def _erase_order(self, order_id: int) -> Counter[str]:
        erased = await self._database.write(lambda tx: personal_data.erase_order(tx, order_id))
        if erased is None:
            raise _pending_error(await self._database.read(lambda tx: personal_data.list_pending(tx, order_id)))
        return erased

    async def _record(self, identifier: Identifier, result: ErasureResult) -> str:
        return await self._database.write(
            partial(
                erasure_log.record,
                identifier=identifier,
                now=format_instant(self._clock()),
                order_ids=result.records.orders,
                row_ids=result.records.operations | result.records.notices,
                counts=result.counts,
            )
        )


def _pending_error(operation_ids: list[str]) -> NotPossible:
    return NotPossible(
        f"Pending: {', '.join(operation_ids)}. What is on its way to PlanSo can't be erased: wait until it is settled, "
        "or cancel it (POST /api/operations/{id}/cancel), then try again."
    )
