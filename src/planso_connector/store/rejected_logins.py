"""The credentials that PlanSo rejected, remembered across restarts: an account can be locked by trying again."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import rejected_logins

_NEW = insert(rejected_logins).values({c.name: bindparam(c.name) for c in rejected_logins.c})
_REMEMBER = _NEW.on_conflict_do_update(
    index_elements=["workshop"],
    set_={"fingerprint": _NEW.excluded.fingerprint, "rejected_at": _NEW.excluded.rejected_at},
)
_REMEMBERED = select(rejected_logins.c.fingerprint).where(rejected_logins.c.workshop == bindparam("of_workshop"))
_FORGET = delete(rejected_logins).where(rejected_logins.c.workshop == bindparam("of_workshop"))


def save(tx: Transaction, fingerprint: str, now: str) -> None:
    """PlanSo rejected the credentials that have this fingerprint, which must not be reversible."""
    tx.execute(_REMEMBER, fingerprint=fingerprint, rejected_at=now)


def get(tx: Transaction) -> str | None:
    """The fingerprint of the credentials that PlanSo rejected last."""
    found = tx.fetch_all(_REMEMBERED)
    return found[0]["fingerprint"] if found else None


def delete_login(tx: Transaction) -> None:
    """The credentials may be tried again."""
    tx.execute(_FORGET)
