"""The capacity that the workshop set."""

from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import Instant
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import capacities


@dataclass(frozen=True, slots=True)
class StoredCapacity:
    """`document` is JSON; `changed_by` the caller's label, empty without an API key."""

    document: str
    changed_at: Instant
    changed_by: str


_GET = select(*capacities.c["document", "changed_at", "changed_by"]).where(
    capacities.c.workshop == bindparam("of_workshop")
)
_NEW = insert(capacities).values(row_parameters(capacities))
_SAVE = _NEW.on_conflict_do_update(
    index_elements=["workshop"], set_={name: _NEW.excluded[name] for name in ("document", "changed_at", "changed_by")}
)


def get(tx: Transaction) -> StoredCapacity | None:
    """None where the workshop set none."""
    found = tx.fetch_all(_GET)
    return StoredCapacity(**found[0]) if found else None


def save(tx: Transaction, capacity: StoredCapacity) -> None:
    tx.execute(_SAVE, **asdict(capacity))
