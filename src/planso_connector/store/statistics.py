"""What the database says of itself to an operator: its schema, what waits in the outbox, how much it holds."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, bindparam, column, func, select, table

from planso_connector.domain.operation import State
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import operations, orders

_REVISION: Select[tuple[str]] = select(column("version_num")).select_from(table("alembic_version"))
_PENDING = select(
    func.count().label("pending"),
    func.count(operations.c.sent_at).label("sent"),
    func.min(operations.c.created_at).label("oldest"),
).where(operations.c.workshop == bindparam("of_workshop"), operations.c.state == State.PENDING.value)
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
class Pending:
    """The outbox: how many wait, how many of them may have reached PlanSo, since when the oldest waits (a stamp)."""

    pending: int
    sent: int
    oldest: str | None


def revision(tx: Transaction) -> str | None:
    """The schema's, as the migrations name it."""
    found = tx.rows(_REVISION)
    return str(found[0]["version_num"]) if found else None


def pending(tx: Transaction) -> Pending:
    return Pending(**tx.rows(_PENDING)[0])


def orders_held(tx: Transaction) -> dict[str, int]:
    """How many orders are current and archived. It counts them: a tenth of a second with a million."""
    counted = {row["archived"]: row["orders"] for row in tx.rows(_ORDERS)}
    return {"current": counted.get(0, 0), "archived": counted.get(1, 0)}


def operations_held(tx: Transaction) -> dict[str, int]:
    """How many operations there are in each state. It counts them all, too."""
    counted = {row["state"]: row["operations"] for row in tx.rows(_OPERATIONS)}
    return {state.value: counted.get(state.value, 0) for state in State}
