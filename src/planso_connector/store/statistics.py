"""Statistics for operators: schema revision, pending operations, row counts."""

from dataclasses import dataclass

from sqlalchemy import Select, bindparam, column, func, select, table

from planso_connector.domain.operation import OperationState
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import operations, orders

_REVISION: Select[tuple[str]] = select(column("version_num")).select_from(table("alembic_version"))
_PENDING = select(
    func.count().label("pending"),
    func.count(operations.c.sent_at).label("sent"),
    func.min(operations.c.created_at).label("oldest"),
).where(operations.c.workshop == bindparam("of_workshop"), operations.c.state == OperationState.PENDING.value)
_ORDERS = (
    select(orders.c.archived, func.count().label("orders"))
    .where(orders.c.workshop == bindparam("of_workshop"), orders.c.deleted_at.is_(None))
    .group_by(orders.c.archived)
)
_OPERATIONS = (
    select(operations.c.state, func.count().label("operations"))
    .where(operations.c.workshop == bindparam("of_workshop"))
    .group_by(operations.c.state)
)


@dataclass(frozen=True, slots=True)
class PendingOperations:
    """How many operations are pending, how many of them were sent, and when the oldest was created."""

    pending: int
    sent: int
    oldest: str | None


def get_schema_revision(tx: Transaction) -> str | None:
    """The schema's revision, as the migrations name it."""
    found = tx.fetch_all(_REVISION)
    return str(found[0]["version_num"]) if found else None


def get_pending(tx: Transaction) -> PendingOperations:
    return PendingOperations(**tx.fetch_all(_PENDING)[0])


def count_orders(tx: Transaction) -> dict[str, int]:
    """How many orders are current and archived; takes a tenth of a second with a million."""
    counted = {row["archived"]: row["orders"] for row in tx.fetch_all(_ORDERS)}
    return {"current": counted.get(0, 0), "archived": counted.get(1, 0)}


def count_operations(tx: Transaction) -> dict[str, int]:
    """How many operations are in each state."""
    counted = {row["state"]: row["operations"] for row in tx.fetch_all(_OPERATIONS)}
    return {state.value: counted.get(state.value, 0) for state in OperationState}
