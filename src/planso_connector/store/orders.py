"""The mirror's orders: saved, read, archived, deleted. A later reading is never overwritten by an earlier one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import BigInteger, Text, and_, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import CLOCK_TOLERANCE, format_instant, parse_instant
from planso_connector.domain.order import Order, OrderDocument, is_waiting_for_parts
from planso_connector.domain.part import Part
from planso_connector.store import erasure_log, history, lookup_keys
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import (
    order_columns,
    order_documents,
    order_from_row,
    part_columns,
    part_from_row,
    sanitize_order,
    to_json,
)
from planso_connector.store.tables import last_seen as seen_rows
from planso_connector.store.tables import orders, parts


class SaveOutcome(StrEnum):
    """What a save did."""

    INSERTED = "inserted"
    """The order was not in the mirror."""
    CHANGED = "changed"
    """The order shows something else than before, and has a new version."""
    UNCHANGED = "unchanged"
    """The order is as it was, and was seen to be so."""
    OUTDATED = "outdated"
    """The mirror holds a later reading, which stays."""


@dataclass(frozen=True, slots=True)
class SaveResult:
    outcome: SaveOutcome
    version: int


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order of the mirror. Instants are texts."""

    order: OrderDocument
    version: int
    deleted_at: str | None
    synced_at: str
    read_at: str


_IS = orders.c.workshop == bindparam("of_workshop"), orders.c.id == bindparam("of_id", type_=BigInteger)
_SEEN = seen_rows.c.workshop == bindparam("of_workshop"), seen_rows.c.order_id == bindparam("of_id", type_=BigInteger)
_THEIR = and_(seen_rows.c.workshop == orders.c.workshop, seen_rows.c.order_id == orders.c.id)
_OF_WORKSHOP = orders.c.workshop == bindparam("of_workshop")
_NOT_DELETED = orders.c.deleted_at.is_(None)

_HELD = orders.c["archived", "employee_id", "position", "list_finish_date", "document"]
_LOCK = select(*orders.c["version", "deleted_at", "parts_status"], *_HELD).where(*_IS).with_for_update()
# Read by itself, after the lock is had: joined, PostgreSQL would show it as it was before the wait.
_SIGHTING = select(seen_rows.c.read_at, seen_rows.c.parts_read_at).where(*_SEEN)

_INSERT = insert(orders).values({c.name: bindparam(c.name, type_=c.type) for c in orders.c}).on_conflict_do_nothing()
_UPDATE = (
    update(orders)
    .where(*_IS)
    .values(
        {c.name: bindparam(c.name, type_=c.type) for c in orders.c if not c.primary_key and c.name != "first_seen_at"}
    )
)
_INSERT_SIGHTING = insert(seen_rows).values({c.name: bindparam(c.name) for c in seen_rows.c})
_UPDATE_SIGHTING = (
    update(seen_rows)
    .where(*_SEEN)
    .values(
        read_at=bindparam("read_at"),
        synced_at=bindparam("synced_at"),
        parts_read_at=func.coalesce(bindparam("parts_read_at", type_=Text), seen_rows.c.parts_read_at),
        list_fingerprint=func.coalesce(bindparam("list_fingerprint", type_=Text), seen_rows.c.list_fingerprint),
    )
)

_PARTS = (
    select(parts)
    .where(parts.c.workshop == bindparam("of_workshop"), parts.c.order_id == bindparam("of_id", type_=BigInteger))
    .order_by(parts.c.position)
)
_INSERT_PART = insert(parts).values({c.name: bindparam(c.name, type_=c.type) for c in parts.c})
_DELETE_PARTS = delete(parts).where(
    parts.c.workshop == bindparam("of_workshop"), parts.c.order_id == bindparam("of_id", type_=BigInteger)
)

_GET = (
    select(*orders.c["id", "version", "deleted_at", "document"], *seen_rows.c["synced_at", "read_at"])
    .join(seen_rows, _THEIR)
    .where(*_IS)
)
_LOAD = select(*orders.c["id", "short_name", "plate", "station_id", "station_state", "missing_parts"], *_HELD).where(
    *_IS
)

_ALL_IDS = select(orders.c.id).where(_OF_WORKSHOP, _NOT_DELETED)
_IDS_ARCHIVED = _ALL_IDS.where(orders.c.archived == bindparam("is_archived", type_=BigInteger))
_SEEN_FIRST_BEFORE = _ALL_IDS.where(orders.c.first_seen_at < bindparam("instant"))
_ANY = select(orders.c.id).where(_OF_WORKSHOP, _NOT_DELETED).limit(1)
_ARCHIVE = (
    update(orders)
    .where(*_IS)
    .values(
        archived=1,
        document=bindparam("document"),
        version=orders.c.version + 1,
        changed_at=bindparam("changed_at"),
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
    read_at: str,
    now: str,
    list_fingerprint: str | None = None,
    with_parts: bool = True,
    writer: history.Author | None = None,
) -> SaveResult:
    """
    The mirror takes the order, unless it holds a later reading: `read_at` is when the request for the page that
    the order comes from was started. An order that was archived or deleted comes back.

    Without `with_parts` the reading has no parts page: the stored parts stay, with the parts status that came with
    them. Without a `list_fingerprint` the stored one stays. What changed goes to the order's history: `writer` did what
    it asked for, somebody in PlanSo the rest.
    """
    order = sanitize_order(order)
    stored = _lock(tx, order.id)
    if stored is None:
        order = order if with_parts else replace(order, parts=())
        version = _first_version(tx, now)
        if _insert(tx, order, version, read_at, now, list_fingerprint, with_parts=with_parts):
            _follow(tx, order.id, version, None, order.to_document(), now=now, writer=writer)
            return SaveResult(SaveOutcome.INSERTED, version)
        stored = cast("Row", _lock(tx, order.id))  # another machine was faster
    version = stored["version"]
    if _was_read_later(stored, read_at, now):
        return SaveResult(SaveOutcome.OUTDATED, version)
    stored_parts = get_parts(tx, order.id)
    if not with_parts:
        order = _with_stored_parts(order, stored, stored_parts)
    shown = order.to_document()
    document = to_json(shown)
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
    if list(order.parts) != stored_parts:
        tx.execute(_DELETE_PARTS, of_id=order.id)
        _insert_parts(tx, order)
    if changed:
        held = {**json.loads(stored["document"]), "deleted": stored["deleted_at"] is not None}
        _follow(tx, order.id, version, held, shown, now=now, writer=writer)
    parts_read_at = read_at if with_parts else None
    _saw(tx, order.id, read_at=read_at, now=now, parts_read_at=parts_read_at, mark=list_fingerprint)
    return SaveResult(SaveOutcome.CHANGED if changed else SaveOutcome.UNCHANGED, version)


def _follow(
    tx: Transaction,
    order_id: int,
    version: int,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    *,
    now: str,
    writer: history.Author | None = None,
) -> None:
    """
    What is kept in step with an order's document: its history, and its look-up keys. Without `before` it is new; one
    that a sync brings has no history yet.
    """
    if before is not None or writer is not None:
        history.record(tx, order_id, version, before, after, now=now, writer=writer)
    lookup_keys.update_keys(tx, order_id, before=_keys(before), after=_keys(after))


def _keys(document: Mapping[str, Any] | None) -> tuple[frozenset[lookup_keys.Key], bool]:
    """The look-up keys of an order as its document shows it, and whether it is archived."""
    if document is None or document.get("deleted"):
        return frozenset(), False
    told = (document.get(name) for name in ("plate", "person", "phone", "email"))
    return lookup_keys.build_keys(*told), bool(document["archived"])


def _was_read_later(stored: Row, read_at: str, now: str) -> bool:
    """Not where that was by a clock that was ahead, and was set back since."""
    return bool(read_at < stored["read_at"] <= format_instant(parse_instant(now) + CLOCK_TOLERANCE))


def _lock(tx: Transaction, order_id: int) -> Row | None:
    found = tx.fetch_all(_LOCK, of_id=order_id)
    if not found:
        return None
    return {**found[0], **tx.fetch_all(_SIGHTING, of_id=order_id)[0]}


def _first_version(tx: Transaction, now: str) -> int:
    """Where an order may have been erased, and come back, one beyond all that it had: see `restored.mark`."""
    return int(parse_instant(now).timestamp()) if erasure_log.has_any(tx) else 1


def _insert(
    tx: Transaction,
    order: Order,
    version: int,
    read_at: str,
    now: str,
    list_fingerprint: str | None,
    *,
    with_parts: bool,
) -> bool:
    """False, with nothing done, when the order is there by now."""
    columns: dict[str, Any] = {"version": version, "document": to_json(order.to_document()), "deleted_at": None}
    instants = {"changed_at": now, "first_seen_at": now}
    if not tx.execute(_INSERT, id=order.id, **instants, **columns, **order_columns(order)):
        return False
    tx.execute(
        _INSERT_SIGHTING,
        order_id=order.id,
        read_at=read_at,
        synced_at=now,
        parts_read_at=read_at if with_parts else None,
        list_fingerprint=list_fingerprint,
    )
    _insert_parts(tx, order)
    return True


def _insert_parts(tx: Transaction, order: Order) -> None:
    if order.parts:
        key = {"order_id": order.id}
        tx.execute_many(
            _INSERT_PART,
            [{**key, "position": position, **part_columns(part)} for position, part in enumerate(order.parts)],
        )


def _with_stored_parts(order: Order, stored: Row, stored_parts: list[Part]) -> Order:
    values = dict(order.values)
    if stored["parts_read_at"] is not None and stored["parts_status"] is not None:
        values["parts_status"] = stored["parts_status"]
    missing = is_waiting_for_parts(values.get("parts_status"), stored_parts)
    return replace(order, values=values, parts=tuple(stored_parts), missing_parts=missing)


def get(tx: Transaction, order_id: int) -> StoredOrder | None:
    """The order, deleted ones too."""
    found = tx.fetch_all(_GET, of_id=order_id)
    if not found:
        return None
    (row,) = found
    (order,) = order_documents(tx, found)
    return StoredOrder(order, row["version"], row["deleted_at"], row["synced_at"], row["read_at"])


def load(tx: Transaction, order_id: int) -> Order | None:
    """The order with its parts, as it was saved; `values` has the mirrored fields. Deleted ones too."""
    found = tx.fetch_all(_LOAD, of_id=order_id)
    return order_from_row(found[0], get_parts(tx, order_id)) if found else None


def get_parts(tx: Transaction, order_id: int) -> list[Part]:
    """The order's parts in the order of PlanSo's table; none for an order that is not there."""
    return [part_from_row(row) for row in tx.fetch_all(_PARTS, of_id=order_id)]


def list_ids(tx: Transaction, *, archived: bool | None = None) -> set[int]:
    """The orders that are not deleted: all, or those archived, or those not."""
    found = tx.fetch_all(_ALL_IDS) if archived is None else tx.fetch_all(_IDS_ARCHIVED, is_archived=int(archived))
    return {row["id"] for row in found}


def list_ids_first_seen_before(tx: Transaction, instant: str) -> set[int]:
    """
    The orders that the mirror had before, archived ones too. Not those that were deleted since: PlanSo may give their
    numbers to others.
    """
    return {row["id"] for row in tx.fetch_all(_SEEN_FIRST_BEFORE, instant=instant)}


def has_any(tx: Transaction) -> bool:
    """Whether there is an order that is not deleted."""
    return bool(tx.fetch_all(_ANY))


def archive(tx: Transaction, ids: Iterable[int], *, now: str, read_at: str | None = None) -> int:
    """
    Marks the orders archived: they left PlanSo's list. `read_at` is when the request for that list was started: an
    order that was read later stays, and a page that was requested earlier does not bring one back. How many changed.
    """
    changed = 0
    for order_id in sorted(ids):
        stored = _lock(tx, order_id)
        if stored is None or stored["archived"] or stored["deleted_at"] is not None:
            continue
        if read_at is not None and _was_read_later(stored, read_at, now):
            continue
        held = json.loads(stored["document"])
        shown = {**held, "archived": True}
        tx.execute(_ARCHIVE, of_id=order_id, document=to_json(shown), changed_at=now)
        _follow(tx, order_id, stored["version"] + 1, held, shown, now=now)
        _saw(tx, order_id, read_at=read_at or stored["read_at"], now=now)
        changed += 1
    return changed


def mark_deleted(
    tx: Transaction, order_id: int, *, now: str, read_at: str, writer: history.Author | None = None
) -> bool:
    """
    Marks the order deleted; its row stays. False when it is not there, is deleted already, or was read after
    `read_at`, the start of the request that found it gone.
    """
    stored = _lock(tx, order_id)
    if stored is None or _was_read_later(stored, read_at, now):
        return False
    if not tx.execute(_MARK_DELETED, of_id=order_id, now=now):
        return False
    held = json.loads(stored["document"])
    gone = {**held, "deleted": True}
    _follow(tx, order_id, stored["version"] + 1, held, gone, now=now, writer=writer)
    _saw(tx, order_id, read_at=read_at, now=now)
    return True


def _saw(
    tx: Transaction,
    order_id: int,
    *,
    read_at: str,
    now: str,
    parts_read_at: str | None = None,
    mark: str | None = None,
) -> None:
    """What is None stays; `mark` is the fingerprint of the list entry."""
    moved = {"read_at": read_at, "synced_at": now, "parts_read_at": parts_read_at, "list_fingerprint": mark}
    tx.execute(_UPDATE_SIGHTING, of_id=order_id, **moved)
