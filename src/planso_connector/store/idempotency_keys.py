"""SQL of idempotency keys: find the operation of a caller's key, and erase keys. A key is a column of its operation."""

import hashlib
import re
from datetime import timedelta

from sqlalchemy import bindparam, or_, select, update

from planso_connector.domain.clock import Instant, parse_instant
from planso_connector.domain.operation import Operation, OperationState
from planso_connector.domain.stored_errors import is_invalid_request
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.operation_rows import operation_from_row
from planso_connector.store.order_rows import sanitize_text
from planso_connector.store.tables import operations

LIFETIME = timedelta(days=7)
"""How long a repeated key gets its first operation."""

c = operations.c
_OF_WORKSHOP = c.workshop == bindparam("of_workshop")
_BY_KEY = select(operations).where(
    _OF_WORKSHOP,
    c.caller == bindparam("of_caller"),
    or_(c.idempotency_key == bindparam("of_key"), c.idempotency_key == bindparam("of_erased_key")),
)
_RELEASE = update(operations).where(_OF_WORKSHOP, c.id == bindparam("of_id")).values(idempotency_key=None)


def find_operation(tx: Transaction, caller: str, key: str, *, now: Instant) -> Operation | None:
    """
    Find the operation of this caller's key, and lock the key until the transaction ends. A key older than LIFETIME is
    released, and so is one whose request was invalid (422): it was never carried out.
    """
    tx.lock(f"key {tx.workshop} {caller} {key}")
    found = tx.fetch_all(_BY_KEY, of_caller=sanitize_text(caller), of_key=key, of_erased_key=erase(key))
    if not found:
        return None
    operation = operation_from_row(found[0])
    is_young = parse_instant(found[0]["created_at"]) + LIFETIME > parse_instant(now)
    is_kept = is_young or operation.state is OperationState.PENDING
    if is_kept and not is_invalid_request(operation.failure):
        return operation
    tx.execute(_RELEASE, of_id=operation.id)
    return None


def erase(key: str) -> str:
    """The hash that replaces a key when its operation is erased; an erased key is returned as it is."""
    is_erased = re.fullmatch(r"erased:[0-9a-f]{64}", key)
    return key if is_erased else f"erased:{hashlib.sha256(key.encode()).hexdigest()}"
