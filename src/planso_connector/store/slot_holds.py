"""The slots that calls hold until they book. Who takes the last one is decided under `lock_day`."""

from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import Instant
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import slot_holds


@dataclass(frozen=True, slots=True)
class SlotHold:
    """A row of `slot_holds`; `day` is an ISO text."""

    call: str
    id: str
    kind: str
    day: str
    slot: str
    hours_karo: float
    hours_lack: float
    expires_at: Instant


c = slot_holds.c
_OF_WORKSHOP = c.workshop == bindparam("of_workshop")
_COLUMNS = [column for column in c if column.name != "workshop"]
_VALID = select(*_COLUMNS).where(_OF_WORKSHOP, c.expires_at > bindparam("now"))
_GET = select(*_COLUMNS).where(_OF_WORKSHOP, c.id == bindparam("of_id"))
_NEW = insert(slot_holds).values(row_parameters(slot_holds))
_SAVE = _NEW.on_conflict_do_update(
    index_elements=["workshop", "call"],
    set_={column.name: _NEW.excluded[column.name] for column in _COLUMNS if column.name != "call"},
)
_DELETE = delete(slot_holds).where(_OF_WORKSHOP, c.id == bindparam("of_id"))
_DELETE_OLD = delete(slot_holds).where(_OF_WORKSHOP, c.expires_at < bindparam("before"))


def lock_day(tx: Transaction, day: str) -> None:
    """
    Until the transaction ends, no other process counts or takes the places of this day. To be called before what is
    planned is read, in the order of the days.
    """
    tx.lock(f"availability {tx.workshop} {day}")


def list_valid(tx: Transaction, now: Instant) -> list[SlotHold]:
    return [SlotHold(**row) for row in tx.fetch_all(_VALID, now=now)]


def get(tx: Transaction, hold_id: str) -> SlotHold | None:
    """Also one that has run out, as long as its row is there."""
    found = tx.fetch_all(_GET, of_id=hold_id)
    return SlotHold(**found[0]) if found else None


def save(tx: Transaction, hold: SlotHold) -> None:
    """In place of the call's last one."""
    tx.execute(_SAVE, **asdict(hold))


def release(tx: Transaction, hold_id: str) -> bool:
    """False where there is none."""
    return tx.execute(_DELETE, of_id=hold_id) == 1


def drop_expired(tx: Transaction, before: Instant) -> int:
    return tx.execute(_DELETE_OLD, before=before)
