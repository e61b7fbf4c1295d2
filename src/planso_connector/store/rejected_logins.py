"""The rejected login, kept across restarts: repeating it can lock the account."""

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import Instant
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import rejected_logins

_NEW = insert(rejected_logins).values(row_parameters(rejected_logins))
_SAVE = _NEW.on_conflict_do_update(
    index_elements=["workshop"],
    set_={"fingerprint": _NEW.excluded.fingerprint, "rejected_at": _NEW.excluded.rejected_at},
)
_GET = select(rejected_logins.c.fingerprint).where(rejected_logins.c.workshop == bindparam("of_workshop"))
_DELETE = delete(rejected_logins).where(rejected_logins.c.workshop == bindparam("of_workshop"))


def save(tx: Transaction, fingerprint: str, now: Instant) -> None:
    """Save the fingerprint of rejected credentials; it must not be reversible."""
    tx.execute(_SAVE, fingerprint=fingerprint, rejected_at=now)


def get(tx: Transaction) -> str | None:
    """The fingerprint of the credentials that PlanSo last rejected."""
    found = tx.fetch_all(_GET)
    return found[0]["fingerprint"] if found else None


def clear(tx: Transaction) -> None:
    """Allow the credentials to be tried again."""
    tx.execute(_DELETE)
