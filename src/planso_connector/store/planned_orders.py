"""What is planned: the fields of the current orders that availability is computed from, with their pending writes."""

import json
from typing import Any

from sqlalchemy import bindparam, select

from planso_connector.domain.capacity.assessment import USED_FIELDS
from planso_connector.domain.operation import Action, OperationState
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import operations, orders

_CURRENT = select(orders.c.id, *(orders.c[name] for name in USED_FIELDS)).where(
    orders.c.workshop == bindparam("of_workshop"), orders.c.archived == 0, orders.c.deleted_at.is_(None)
)
_PENDING = select(*operations.c["order_id", "action", "asked", "created_at", "id"]).where(
    operations.c.workshop == bindparam("of_workshop"), operations.c.state == OperationState.PENDING.value
)


def list_current(tx: Transaction) -> list[dict[str, Any]]:
    """
    `USED_FIELDS` of each current order as it will be once its pending writes are through; those of pending creates too.
    """
    rows = {row["id"]: row for row in tx.fetch_all(_CURRENT)}
    created = []
    for operation in sorted(tx.fetch_all(_PENDING), key=lambda row: (row["created_at"], row["id"])):
        asked = {name: value for name, value in json.loads(operation["asked"]).items() if name in USED_FIELDS}
        row = rows.get(operation["order_id"])
        if operation["action"] == Action.CREATE and row is None:
            created.append(asked)
        elif operation["action"] == Action.UPDATE and row is not None:
            row.update(asked)
    return [*rows.values(), *created]
