"""
SQL of the registry of workshops. Its transactions are of the whole installation, but for that of `lock_pause`.

Every change takes the next version under one lock, so that versions are committed in their order: who has read up to a
version misses none below it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from sqlalchemy import and_, bindparam, delete, func, insert, select, update

from planso_connector.domain.clock import Instant
from planso_connector.domain.workshop import Workshop
from planso_connector.store.engine.expressions import is_in_texts, row_parameters
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import to_json
from planso_connector.store.tables import workshops

_LOCK = "workshops"

_c = workshops.c
_COLUMNS = [column for column in _c if column.name != "purged_at"]
_IS = _c.name == bindparam("of_name")
_NOT_REMOVED = _c.removed_at.is_(None)
_NEW = insert(workshops).values(row_parameters(workshops))
_SAVE = update(workshops).where(_IS).values(row_parameters(workshops, without_key=True))
_DELETE = delete(workshops).where(_IS, _c.removed_at.is_not(None))
_GET = select(*_COLUMNS).where(_IS, _NOT_REMOVED)
_ALL = select(*_COLUMNS).where(_NOT_REMOVED).order_by(_c.name)
_MANY = select(*_COLUMNS).where(is_in_texts(_c.name, bindparam("names")), _NOT_REMOVED)
_CHANGED = select(*_COLUMNS).where(_c.version > bindparam("version")).order_by(_c.version)
_VERSION = select(func.coalesce(func.max(_c.version), 0).label("version"))
_IS_PURGED = _c.removed_at.is_not(None), _c.purged_at.is_not(None)
_PAUSE = (
    select(_c.paused_at, _c.removed_at)
    .where(_c.name == bindparam("of_workshop"), ~and_(*_IS_PURGED))
    .with_for_update(read=True)
)
_REMOVED = select(_c.removed_at).where(_IS).with_for_update()
_IS_NOT_PURGED = _c.removed_at.is_not(None), _c.purged_at.is_(None)
_NOT_PURGED = select(_c.name).where(*_IS_NOT_PURGED).order_by(_c.name)
_HAS_ROWS = select(_c.name).where(_IS, *_IS_NOT_PURGED)
_PURGED = update(workshops).where(_IS, _c.removed_at.is_not(None)).values(purged_at=bindparam("now"))


def lock(tx: Transaction) -> None:
    """Make the registry's other changes wait until this transaction ends."""
    tx.lock(_LOCK)


def next_version(tx: Transaction) -> int:
    """The version of the change that this transaction makes; it holds the lock."""
    return int(tx.fetch_all(_VERSION)[0]["version"]) + 1


def add(tx: Transaction, workshop: Workshop) -> None:
    """Add a workshop, whose name no other has; a removed one's is free."""
    tx.execute(_DELETE, of_name=workshop.name)
    tx.execute(_NEW, **_to_row(workshop))


def save(tx: Transaction, workshop: Workshop) -> None:
    """Replace the row of this name."""
    tx.execute(_SAVE, of_name=workshop.name, **_to_row(workshop))


def get(tx: Transaction, name: str) -> Workshop | None:
    """The workshop, paused or not; None for a removed one."""
    found = tx.fetch_all(_GET, of_name=name)
    return _from_row(found[0]) if found else None


def get_many(tx: Transaction, names: Iterable[str]) -> dict[str, Workshop]:
    """By name, without removed ones."""
    return {row["name"]: _from_row(row) for row in tx.fetch_all(_MANY, names=to_json(list(names)))}


def list_all(tx: Transaction) -> list[Workshop]:
    """By name, paused ones too, without removed ones."""
    return [_from_row(row) for row in tx.fetch_all(_ALL)]


def list_changed(tx: Transaction, *, after: int) -> list[Workshop]:
    """Those changed since the version `after`, removed ones too, in the order of their changes."""
    return [_from_row(row) for row in tx.fetch_all(_CHANGED, version=after)]


def lock_pause(tx: Transaction) -> Instant | None:
    """
    Since when the transaction's own workshop is paused or removed; None if it is not, is not in the registry, or was
    removed with all its rows: the name is free then, also for the environment's workshop. Until the transaction ends
    nobody pauses it. For writing transactions only.
    """
    found = tx.fetch_all(_PAUSE)
    return found[0]["removed_at"] or found[0]["paused_at"] if found else None


def list_not_purged(tx: Transaction) -> Sequence[str]:
    """Names of removed workshops that may have rows in other tables."""
    return [row["name"] for row in tx.fetch_all(_NOT_PURGED)]


def lock_removed(tx: Transaction, name: str) -> Instant | None:
    """Since when a workshop is removed, None if it is not; until the transaction ends none is added in its place."""
    found = tx.fetch_all(_REMOVED, of_name=name)
    return found[0]["removed_at"] if found else None


def may_have_rows(tx: Transaction, name: str) -> bool:
    """Whether rows of a removed workshop of this name may be left."""
    return bool(tx.fetch_all(_HAS_ROWS, of_name=name))


def mark_purged(tx: Transaction, name: str, *, now: Instant) -> None:
    tx.execute(_PURGED, of_name=name, now=now)


def _to_row(workshop: Workshop) -> dict[str, object]:
    fields = {name: value for name, value in asdict(workshop).items() if name != "settings"}
    return {**fields, "settings": to_json(dict(workshop.settings)), "purged_at": None}


def _from_row(row: Row) -> Workshop:
    return Workshop(**{**row, "settings": json.loads(row["settings"])})
