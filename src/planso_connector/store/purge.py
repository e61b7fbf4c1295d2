"""SQL that deletes all rows of a removed workshop, batch by batch; its API keys stay, revoked."""

from sqlalchemy import BigInteger, Delete, Table, bindparam, delete, select, tuple_

from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import INSTALLATION_TABLES, api_keys, metadata, orders

BATCH = 500
"""Rows in one transaction."""
ORDER_BATCH = 50
"""Orders in one transaction: their rows are wide, and the search index follows each."""


def _delete_some(table: Table) -> Delete:
    is_ours = table.c.workshop == bindparam("of_workshop")
    keys = [column for column in table.primary_key if column.name != "workshop"]
    if not keys:
        return delete(table).where(is_ours)
    some = select(*keys).where(is_ours).limit(bindparam("at_most", type_=BigInteger))
    return delete(table).where(is_ours, tuple_(*keys).in_(some) if len(keys) > 1 else keys[0].in_(some))


# Rows that refer to orders before the orders.
_DELETE = {
    table.name: _delete_some(table)
    for table in reversed(metadata.sorted_tables)
    if table.name not in INSTALLATION_TABLES | {api_keys.name}
}


def delete_batch(tx: Transaction) -> int:
    """Delete some rows of the transaction's workshop; how many, 0 where none is left."""
    for name, statement in _DELETE.items():
        deleted = tx.execute(statement, at_most=ORDER_BATCH if name == orders.name else BATCH)
        if deleted:
            return deleted
    return 0
