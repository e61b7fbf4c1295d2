"""
Leases: what only one process at a time may do, among all that share the database. Each has a holder, until a time: a
process that died loses it then. Instants are stamps; the processes' clocks must agree to well within a lease's length.
"""

from __future__ import annotations

import secrets

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import latest_plausible_expiry
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import leases

_IS = leases.c.workshop == bindparam("of_workshop"), leases.c.name == bindparam("of_name")
_OWN = leases.c.holder == bindparam("of_holder")
_NEW = insert(leases).values({c.name: bindparam(c.name) for c in leases.c})
# One statement: the database lets the second of two wait for the first, and then look again.
_ACQUIRE = _NEW.on_conflict_do_update(
    index_elements=["workshop", "name"],
    set_={"holder": _NEW.excluded.holder, "expires_at": _NEW.excluded.expires_at},
    where=or_(
        leases.c.holder == _NEW.excluded.holder,
        leases.c.expires_at <= bindparam("now"),
        leases.c.expires_at > bindparam("too_far"),
    ),
)
_RENEW = (
    update(leases).where(*_IS, _OWN, leases.c.expires_at > bindparam("now")).values(expires_at=bindparam("expires_at"))
)
_RELEASE = delete(leases).where(*_IS, _OWN)
_HOLDER = select(leases.c.holder).where(
    *_IS, leases.c.expires_at > bindparam("now"), leases.c.expires_at <= bindparam("too_far")
)


def generate_holder() -> str:
    """Generate the id by which a process, or one of its flows, holds leases."""
    return "process_" + secrets.token_hex(10)


def acquire(tx: Transaction, name: str, *, holder: str, now: str, until: str) -> bool:
    """Whether `holder` has it now: it was free, its time was up, or it was `holder`'s own."""
    mine = {"name": name, "holder": holder, "expires_at": until}
    return tx.execute(_ACQUIRE, **mine, now=now, too_far=latest_plausible_expiry(now)) == 1


def renew(tx: Transaction, name: str, *, holder: str, now: str, until: str) -> bool:
    """Keeps it for longer. False when it is not `holder`'s any more, or its time was up: another may have had it."""
    return tx.execute(_RENEW, of_name=name, of_holder=holder, now=now, expires_at=until) == 1


def release(tx: Transaction, name: str, *, holder: str) -> bool:
    """Gives it back. False when it was not `holder`'s any more."""
    return tx.execute(_RELEASE, of_name=name, of_holder=holder) == 1


def find_holder(tx: Transaction, name: str, *, now: str) -> str | None:
    """Who has it; None when it is free or its time is up."""
    found = tx.fetch_all(_HOLDER, of_name=name, now=now, too_far=latest_plausible_expiry(now))
    return found[0]["holder"] if found else None
