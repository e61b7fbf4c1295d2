"""The orders of the mirror. A later reading is never overwritten by an earlier one."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import BigInteger, Text, and_, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import CLOCK_TOLERANCE, Instant, format_instant, parse_instant
from planso_connector.domain.events import EventType
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.order import Order, OrderDocument, is_waiting_for_parts
from planso_connector.domain.part import Part, count_missing
from planso_connector.domain.saving.identity import IDENTITY_FIELDS
from planso_connector.store import change_feed, erasure_log, history, lookup_keys
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import (
    HAS_PENDING,
    order_columns,
    order_documents,
    order_from_row,
    part_columns,
    part_from_row,
    sanitize_order,
    to_json,
)
from planso_connector.store.tables import last_seen, orders, parts


class SaveOutcome(StrEnum):
    """What `save` did."""

    INSERTED = "inserted"
    """The order was not in the mirror."""
    CHANGED = "changed"
    """The order changed, and has a new version."""
    UNCHANGED = "unchanged"
    """The order did not change; when it was seen is updated."""
    OUTDATED = "outdated"
    """A later reading is stored, and stays."""


@dataclass(frozen=True, slots=True)
class SaveResult:
    outcome: SaveOutcome
    version: int


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order of the mirror. Instants are texts."""

    order: OrderDocument
    version: int
    deleted_at: Instant | None
    synced_at: Instant
    read_at: Instant


_IS = orders.c.workshop == bindparam("of_workshop"), orders.c.id == bindparam("of_id", type_=BigInteger)
_SEEN = last_seen.c.workshop == bindparam("of_workshop"), last_seen.c.order_id == bindparam("of_id", type_=BigInteger)
_SAME_ORDER = and_(last_seen.c.workshop == orders.c.workshop, last_seen.c.order_id == orders.c.id)
_OF_WORKSHOP = orders.c.workshop == bindparam("of_workshop")
_NOT_DELETED = orders.c.deleted_at.is_(None)

_HELD = orders.c["archived", "employee_id", "position", "list_finish_date", "document"]
_LOCK = select(*orders.c["version", "deleted_at", "parts_status"], *_HELD).where(*_IS).with_for_update()
# A statement of its own, after locking: joined, PostgreSQL would return it as it was before waiting for the lock.
_READ_TIMES = select(last_seen.c.read_at, last_seen.c.parts_read_at).where(*_SEEN)

_INSERT = insert(orders).values(row_parameters(orders)).on_conflict_do_nothing()
_UPDATED = {
    name: parameter for name, parameter in row_parameters(orders, without_key=True).items() if name != "first_seen_at"
}
_UPDATE = update(orders).where(*_IS).values(_UPDATED)
_INSERT_LAST_SEEN = insert(last_seen).values(row_parameters(last_seen))
_UPDATE_LAST_SEEN = (
    update(last_seen)
    .where(*_SEEN)
    .values(
        read_at=bindparam("read_at"),
        synced_at=bindparam("synced_at"),
        parts_read_at=func.coalesce(bindparam("parts_read_at", type_=Text), last_seen.c.parts_read_at),
        list_fingerprint=func.coalesce(bindparam("list_fingerprint", type_=Text), last_seen.c.list_fingerprint),
    )
)

_PARTS_OF = parts.c.workshop == bindparam("of_workshop"), parts.c.order_id == bindparam("of_id", type_=BigInteger)
_PARTS = select(parts).where(*_PARTS_OF).order_by(parts.c.position)
_INSERT_PART = insert(parts).values(row_parameters(parts))
_DELETE_PARTS = delete(parts).where(*_PARTS_OF)

_GET = (
    select(*orders.c["id", "version", "deleted_at", "document"], *last_seen.c["synced_at", "read_at"], HAS_PENDING)
    .join(last_seen, _SAME_ORDER)
    .where(*_IS)
)
_LOAD = select(*orders.c["id", "short_name", "plate", "station_id", "station_state", "missing_parts"], *_HELD).where(
    *_IS
)
_LOAD_IDENTIFYING = select(*(orders.c[BY_PATH[path].column] for path in IDENTITY_FIELDS)).where(*_IS)

_ALL_IDS = select(orders.c.id).where(_OF_WORKSHOP, _NOT_DELETED)
_IDS_ARCHIVED = _ALL_IDS.where(orders.c.archived == bindparam("is_archived", type_=BigInteger))
_SEEN_FIRST_BEFORE = _ALL_IDS.where(orders.c.first_seen_at < bindparam("instant"))
_FIRST_SEEN = select(orders.c.first_seen_at).where(*_IS)
_ANY = select(orders.c.id).where(_OF_WORKSHOP, _NOT_DELETED).limit(1)
_ARCHIVE = (
    update(orders)
    .where(*_IS)
    .values(
        archived=1, document=bindparam("document"), version=orders.c.version + 1, changed_at=bindparam("changed_at")
    )
)
_MARK_DELETED = (
    update(orders)
    .where(*_IS, _NOT_DELETED)
    .values(deleted_at=bindparam("now"), changed_at=bindparam("now"), version=orders.c.version + 1)
)


def save(
    tx: Transaction,
    order: Order,
    *,
    read_at: Instant,
    now: Instant,
    list_fingerprint: str | None = None,
    with_parts: bool = True,
    writer: history.Author | None = None,
) -> SaveResult:
    """
    Store the order unless a later reading is stored; `read_at`: when the request for the page that it comes from was
    started. An order that was archived or deleted comes back.

    Without `with_parts` the stored parts and parts status stay, without `list_fingerprint` the stored one. Changes are
    recorded in the history: `writer` made those that it requested, somebody in PlanSo the others.
    """
    order = sanitize_order(order)
    seen = {"read_at": read_at, "synced_at": now, "list_fingerprint": list_fingerprint}
    seen["parts_read_at"] = read_at if with_parts else None
    stored = _lock(tx, order.id)
    if stored is None:
        order = order if with_parts else replace(order, parts=())
        version = _first_version(tx, now)
        if _insert(tx, order, version, now, seen):
            _record_change(tx, order.id, version, None, order.to_document(), now=now, writer=writer)
            if writer is None and not order.archived:
                change_feed.append_found(tx, order.id, version, at=now)
            return SaveResult(SaveOutcome.INSERTED, version)
        stored = cast("Row", _lock(tx, order.id))  # another process was faster
    version = stored["version"]
    if _was_read_later(stored, read_at, now):
        return SaveResult(SaveOutcome.OUTDATED, version)
    stored_parts = get_parts(tx, order.id)
    if not with_parts:
        order = _with_stored_parts(order, stored, stored_parts)
    after = order.to_document()
    document = to_json(after)
    changed = (
        document != stored["document"]
        or list(order.parts) != stored_parts
        or bool(stored["archived"]) != order.archived
        or stored["deleted_at"] is not None
    )
    version += changed
    if changed or any(getattr(order, name) != stored[name] for name in ("employee_id", "position", "list_finish_date")):
        columns = {"version": version, "document": document, "deleted_at": None, "changed_at": now}
        tx.execute(_UPDATE, of_id=order.id, **columns, **order_columns(order))
    if changed:
        before = {**json.loads(stored["document"]), "deleted": stored["deleted_at"] is not None}
        _record_change(tx, order.id, version, before, after, now=now, writer=writer)
    if list(order.parts) != stored_parts:
        tx.execute(_DELETE_PARTS, of_id=order.id)
        _insert_parts(tx, order)
        _record_parts(tx, order.id, version, stored_parts, order.parts, now=now)
    tx.execute(_UPDATE_LAST_SEEN, of_id=order.id, **seen)
    return SaveResult(SaveOutcome.CHANGED if changed else SaveOutcome.UNCHANGED, version)


def _record_change(
    tx: Transaction,
    order_id: int,
    version: int,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    *,
    now: Instant,
    writer: history.Author | None = None,
) -> None:
    """
    Update what follows from an order's document: history and lookup keys. Without `before` the order is new; a new one
    from a sync gets no history.
    """
    if before is not None or writer is not None:
        history.record(tx, order_id, version, before, after, now=now, writer=writer)
    sources = _key_source(before), _key_source(after)
    if sources[0] != sources[1]:
        lookup_keys.update_keys(tx, order_id, before=_keys(sources[0]), after=_keys(sources[1]))


def _record_parts(
    tx: Transaction, order_id: int, version: int, before: Sequence[Part], after: Sequence[Part], *, now: Instant
) -> None:
    counts = {
        side: {
            "parts": len(parts),
            "delivered": sum(part.is_delivered for part in parts),
            "missing": count_missing(parts),
        }
        for side, parts in (("before", before), ("after", after))
    }
    change_feed.append(
        tx,
        EventType.PARTS_CHANGED,
        at=now,
        order_id=order_id,
        version=version,
        position=change_feed.PARTS_POSITION,
        by="planso",
        details=counts,
    )


_KeySource = tuple[tuple[str | None, ...], bool]
"""Plate, person, phone and e-mail address of an order, and whether it is archived."""


def _key_source(document: Mapping[str, Any] | None) -> _KeySource | None:
    """What an order's lookup keys are built from; None where it has none."""
    if document is None or document.get("deleted"):
        return None
    return tuple(document.get(name) for name in ("plate", "person", "phone", "email")), bool(document["archived"])


def _keys(source: _KeySource | None) -> tuple[frozenset[lookup_keys.Key], bool]:
    """The lookup keys of an order, and whether it is archived."""
    if source is None:
        return frozenset(), False
    values, is_archived = source
    return lookup_keys.build_keys(*values), is_archived


def _was_read_later(stored: Row, read_at: Instant, now: Instant) -> bool:
    """False if the stored reading has the time of a clock that was ahead, and was set back since."""
    return bool(read_at < stored["read_at"] <= format_instant(parse_instant(now) + CLOCK_TOLERANCE))


def _lock(tx: Transaction, order_id: int) -> Row | None:
    found = tx.fetch_all(_LOCK, of_id=order_id)
    if not found:
        return None
    return {**found[0], **tx.fetch_all(_READ_TIMES, of_id=order_id)[0]}


def _first_version(tx: Transaction, now: Instant) -> int:
    """If orders may have been erased and come back, one beyond all versions so far: see `after_restore`."""
    return int(parse_instant(now).timestamp()) if erasure_log.has_any(tx) else 1


def _insert(tx: Transaction, order: Order, version: int, now: Instant, seen: Mapping[str, str | None]) -> bool:
    """False, with nothing done, if the order exists by now."""
    columns: dict[str, Any] = {"version": version, "document": to_json(order.to_document()), "deleted_at": None}
    instants = {"changed_at": now, "first_seen_at": now}
    if not tx.execute(_INSERT, id=order.id, **instants, **columns, **order_columns(order)):
        return False
    tx.execute(_INSERT_LAST_SEEN, order_id=order.id, **seen)
    _insert_parts(tx, order)
    return True


def _insert_parts(tx: Transaction, order: Order) -> None:
    if order.parts:
        rows = [{"position": position, **part_columns(part)} for position, part in enumerate(order.parts)]
        tx.execute_many(_INSERT_PART, [{"order_id": order.id, **row} for row in rows])


def _with_stored_parts(order: Order, stored: Row, stored_parts: list[Part]) -> Order:
    values = dict(order.values)
    if stored["parts_read_at"] is not None and stored["parts_status"] is not None:
        values["parts_status"] = stored["parts_status"]
    missing = is_waiting_for_parts(values.get("parts_status"), stored_parts)
    return replace(order, values=values, parts=tuple(stored_parts), missing_parts=missing)


def get(tx: Transaction, order_id: int) -> StoredOrder | None:
    """The order, also if it is deleted."""
    found = tx.fetch_all(_GET, of_id=order_id)
    if not found:
        return None
    (row,) = found
    (order,) = order_documents(tx, found)
    return StoredOrder(order, row["version"], row["deleted_at"], row["synced_at"], row["read_at"])


def load(tx: Transaction, order_id: int) -> Order | None:
    """The order with its parts, as it was saved; `values` has the mirrored fields. Also if it is deleted."""
    found = tx.fetch_all(_LOAD, of_id=order_id)
    return order_from_row(found[0], get_parts(tx, order_id)) if found else None


def get_first_seen(tx: Transaction, order_id: int) -> str:
    """When the mirror got the order, an instant; empty where that is not known, and for an unknown order."""
    found = tx.fetch_all(_FIRST_SEEN, of_id=order_id)
    return str(found[0]["first_seen_at"]) if found else ""


def load_identifying(tx: Transaction, order_id: int) -> dict[str, Value] | None:
    """The values of IDENTITY_FIELDS by path, as `load` gives them, without reading the rest of the order."""
    found = tx.fetch_all(_LOAD_IDENTIFYING, of_id=order_id)
    return {path: found[0][BY_PATH[path].column] for path in IDENTITY_FIELDS} if found else None


def get_parts(tx: Transaction, order_id: int) -> list[Part]:
    """The order's parts, in the sequence of PlanSo's table; none for an unknown order."""
    return [part_from_row(row) for row in tx.fetch_all(_PARTS, of_id=order_id)]


def list_ids(tx: Transaction, *, archived: bool | None = None) -> set[int]:
    """Orders that are not deleted: all, the archived, or the others."""
    rows = tx.fetch_all(_ALL_IDS) if archived is None else tx.fetch_all(_IDS_ARCHIVED, is_archived=int(archived))
    return {row["id"] for row in rows}


def list_ids_first_seen_before(tx: Transaction, instant: Instant) -> set[int]:
    """
    Orders that were in the mirror before `instant`, archived ones too. Not those deleted since: PlanSo may reuse their
    numbers.
    """
    return {row["id"] for row in tx.fetch_all(_SEEN_FIRST_BEFORE, instant=instant)}


def has_any(tx: Transaction) -> bool:
    """Whether any order is not deleted."""
    return bool(tx.fetch_all(_ANY))


def archive(tx: Transaction, ids: Iterable[int], *, now: Instant, read_at: Instant | None = None) -> int:
    """
    Mark the orders archived: they left PlanSo's list. `read_at`: when the request for that list was started; an order
    that was read later stays, and a page that was requested earlier does not bring it back. Returns how many changed.
    """
    changed = 0
    for order_id in sorted(ids):
        stored = _lock(tx, order_id)
        if stored is None or stored["archived"] or stored["deleted_at"] is not None:
            continue
        if read_at is not None and _was_read_later(stored, read_at, now):
            continue
        before = json.loads(stored["document"])
        after = {**before, "archived": True}
        tx.execute(_ARCHIVE, of_id=order_id, document=to_json(after), changed_at=now)
        _record_change(tx, order_id, stored["version"] + 1, before, after, now=now)
        _mark_seen(tx, order_id, read_at=read_at or stored["read_at"], now=now)
        changed += 1
    return changed


def mark_deleted(
    tx: Transaction, order_id: int, *, now: Instant, read_at: Instant, writer: history.Author | None = None
) -> bool:
    """
    Mark the order deleted; its row stays. False if it does not exist, is deleted already, or was read after `read_at`,
    the start of the request that did not find it.
    """
    stored = _lock(tx, order_id)
    if stored is None or _was_read_later(stored, read_at, now):
        return False
    if not tx.execute(_MARK_DELETED, of_id=order_id, now=now):
        return False
    before = json.loads(stored["document"])
    after = {**before, "deleted": True}
    _record_change(tx, order_id, stored["version"] + 1, before, after, now=now, writer=writer)
    _mark_seen(tx, order_id, read_at=read_at, now=now)
    return True


def _mark_seen(tx: Transaction, order_id: int, *, read_at: Instant, now: Instant) -> None:
    seen = {"read_at": read_at, "synced_at": now, "parts_read_at": None, "list_fingerprint": None}
    tx.execute(_UPDATE_LAST_SEEN, of_id=order_id, **seen)
