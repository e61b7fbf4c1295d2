"""
SQL of the PlanSo leases: let one process at a time send requests to a PlanSo, among all that share the database.
Whether a lease is over is for the caller to decide, see `flows.operating.planso_lease`.
"""

from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import Instant
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import planso_leases


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease as stored. `id` is new with each acquisition, `renewals` grows with each renewal."""

    address: str
    id: str
    holder: str
    renewals: int
    expires_at: Instant


c = planso_leases.c
_ALL = select(planso_leases)
_GET = select(planso_leases).where(c.address == bindparam("of_address"))
_NEW = row_parameters(planso_leases)
_INSERT = insert(planso_leases).values(_NEW).on_conflict_do_nothing(index_elements=["address"])
# One statement: of two at once, the database lets the second wait for the first and then check the condition again.
_REPLACE = (
    update(planso_leases)
    .where(
        c.address == bindparam("of_address"),
        c.id == bindparam("of_id"),
        c.renewals == bindparam("of_renewals", type_=c.renewals.type),
    )
    .values(_NEW)
)
_RENEW = (
    update(planso_leases)
    .where(c.holder == bindparam("of_holder"))
    .values(renewals=c.renewals + 1, expires_at=bindparam("expires_at"))
)
_DELETE = delete(planso_leases).where(c.address == bindparam("of_address"), c.id == bindparam("of_id"))
_DELETE_ALL = delete(planso_leases).where(c.holder == bindparam("of_holder"))


def list_all(tx: Transaction) -> list[LeaseRow]:
    """Of the whole installation."""
    return [LeaseRow(**row) for row in tx.fetch_all(_ALL)]


def get(tx: Transaction, address: str) -> LeaseRow | None:
    found = tx.fetch_all(_GET, of_address=address)
    return LeaseRow(**found[0]) if found else None


def add(tx: Transaction, new: LeaseRow) -> bool:
    """False where there is a lease of this address."""
    return tx.execute(_INSERT, **asdict(new)) == 1


def replace(tx: Transaction, old: LeaseRow, new: LeaseRow) -> bool:
    """Put `new` in the place of `old`. False where `old` was renewed, released or replaced meanwhile."""
    found = {"of_address": old.address, "of_id": old.id, "of_renewals": old.renewals}
    return tx.execute(_REPLACE, **found, **asdict(new)) == 1


def renew_all(tx: Transaction, *, holder: str, until: Instant) -> int:
    """Extend every lease of `holder`; how many. A lease is its holder's as long as nobody replaced it."""
    return tx.execute(_RENEW, of_holder=holder, expires_at=until)


def release(tx: Transaction, address: str, *, lease_id: str) -> bool:
    """False where another lease has taken its place."""
    return tx.execute(_DELETE, of_address=address, of_id=lease_id) == 1


def release_all(tx: Transaction, *, holder: str) -> int:
    return tx.execute(_DELETE_ALL, of_holder=holder)
