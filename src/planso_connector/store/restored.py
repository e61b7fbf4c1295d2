"""What a database is told once it was restored: it is older than what PlanSo, and who asked it, have seen since."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, bindparam, case, delete, update

from planso_connector.domain.clock import stamp
from planso_connector.store import operations
from planso_connector.store.tables import leases, orders, sightings
from planso_connector.store.transaction import Transaction

_NEXT = bindparam("version", type_=BigInteger)
_VERSIONS = update(orders).values(version=case((orders.c.version < _NEXT, _NEXT), else_=orders.c.version + 1))
_UNSEEN = update(sightings).values(list_fingerprint=None)
_FREE = delete(leases)


def mark(tx: Transaction, now: datetime) -> int:
    """
    For all workshops: what is pending is only looked for, never sent again; the next sync reads every order; no version
    is given out twice, since callers may hold one of after the backup. How many operations are pending.
    """
    pending = operations.restored(tx, now=stamp(now))
    tx.run(_UNSEEN)
    tx.run(_FREE)
    # Seconds since 1970: no order changes once a second, so these lie beyond all versions before this restore.
    tx.run(_VERSIONS, version=int(now.timestamp()))
    return pending
