"""
Leases: let one process at a time do something, among all that share the database. A lease expires unless its holder
renews it, so a dead process loses it. The processes' clocks must agree to well within a lease's duration.
"""

import secrets

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import Instant, latest_plausible_expiry
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import leases

_IS_NAMED = leases.c.workshop == bindparam("of_workshop"), leases.c.name == bindparam("of_name")
_IS_OWN = leases.c.holder == bindparam("of_holder")
_NEW = insert(leases).values({c.name: bindparam(c.name) for c in leases.c})
# One statement: of two at once, the database lets the second wait for the first and then check the condition again.
_ACQUIRE = _NEW.on_conflict_do_update(
    index_elements=["workshop", "name"],
    set_={"holder": _NEW.excluded.holder, "expires_at": _NEW.excluded.expires_at},
    where=or_(
        leases.c.holder == _NEW.excluded.holder,
        leases.c.expires_at <= bindparam("now"),
        leases.c.expires_at > bindparam("latest_expiry"),
    ),
)
_RENEW = (
    update(leases)
    .where(*_IS_NAMED, _IS_OWN, leases.c.expires_at > bindparam("now"))
    .values(expires_at=bindparam("expires_at"))
)
_RELEASE = delete(leases).where(*_IS_NAMED, _IS_OWN)
_HOLDER = select(leases.c.holder).where(
    *_IS_NAMED, leases.c.expires_at > bindparam("now"), leases.c.expires_at <= bindparam("latest_expiry")
)


def generate_holder() -> str:
    """Generate the id by which a process, or one of its flows, holds leases."""
    return "process_" + secrets.token_hex(10)


def acquire(tx: Transaction, name: str, *, holder: str, now: Instant, until: Instant) -> bool:
    """Take the lease where it is free, expired or `holder`'s own. Whether `holder` has it now."""
    row = {"name": name, "holder": holder, "expires_at": until}
    return tx.execute(_ACQUIRE, **row, now=now, latest_expiry=latest_plausible_expiry(now)) == 1


def renew(tx: Transaction, name: str, *, holder: str, now: Instant, until: Instant) -> bool:
    """Extend the lease. False where it is another's or expired: another may have had it meanwhile."""
    return tx.execute(_RENEW, of_name=name, of_holder=holder, now=now, expires_at=until) == 1


def release(tx: Transaction, name: str, *, holder: str) -> bool:
    """Give the lease up. False where it was not `holder`'s any more."""
    return tx.execute(_RELEASE, of_name=name, of_holder=holder) == 1


def find_holder(tx: Transaction, name: str, *, now: Instant) -> str | None:
    """Who has the lease; None where it is free or expired."""
    found = tx.fetch_all(_HOLDER, of_name=name, now=now, latest_expiry=latest_plausible_expiry(now))
    return found[0]["holder"] if found else None
