"""
Finds, exports and erases personal data.

docs/privacy.md says what each table and column holds of people; a test compares that page with the tables.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Select, Table, Text, bindparam, delete, select, tuple_, update

from planso_connector.domain.clock import Instant
from planso_connector.domain.fields import MIRRORED
from planso_connector.domain.operation import OperationState
from planso_connector.store import idempotency_keys, lookup_keys
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.tables import (
    history,
    last_seen,
    notices,
    operations,
    orders,
    parts,
    sections,
    unreadable_pages,
    webhook_attempts,
)

TABLES_WITH_NAMES: tuple[Table, ...] = (orders, parts, sections, history, operations, unreadable_pages, notices)
"""The tables whose texts may name somebody. The others hold numbers, instants, and what is derived from these."""

BATCH = 500
"""Rows that one transaction searches."""

ERASED_MESSAGE = "Its content was erased."

_MIRRORED = frozenset(field.column for field in MIRRORED)
_DERIVED = frozenset({"workshop", "shop_day", "finish_day"})
_DERIVED |= {f"{name}_key" for name in ("plate", "person", "phone", "email", "damage", "status", "text")}


def _row_key(table: Table) -> list[Column[Any]]:
    """The primary key without the workshop."""
    return [column for column in table.primary_key.columns if column.name != "workshop"]


def _order_id(table: Table) -> Column[Any]:
    return table.c.id if table is orders else table.c.order_id


def _of_order(table: Table) -> tuple[ColumnElement[bool], ...]:
    id_matches = _order_id(table) == bindparam("of_order", type_=BigInteger)
    return table.c.workshop == bindparam("of_workshop"), id_matches


def _batch(table: Table, *, is_first: bool) -> Select[Any]:
    keys = _row_key(table)
    found = select(table).where(table.c.workshop == bindparam("of_workshop"))
    if not is_first:
        last = [bindparam(f"after_{number}", type_=key.type) for number, key in enumerate(keys)]
        found = found.where(tuple_(*keys) > tuple_(*last))
    return found.order_by(*keys).limit(bindparam("at_most", type_=BigInteger))


_BATCH = {
    (table.name, is_first): _batch(table, is_first=is_first)
    for table in TABLES_WITH_NAMES
    for is_first in (True, False)
}
_EXPORTED = (orders, last_seen, parts, sections, history, operations, unreadable_pages, notices)
_BY_ORDER = {table.name: select(table).where(*_of_order(table)).order_by(*_row_key(table)) for table in _EXPORTED}
_DELETE = {table.name: delete(table).where(*_of_order(table)) for table in _EXPORTED}
_LOCK = _BY_ORDER["orders"].with_for_update()
_IS_OPERATION = operations.c.workshop == bindparam("of_workshop"), operations.c.id == bindparam("of_id")
_OPERATION = select(operations).where(*_IS_OPERATION)
_EMPTY_RESPONSES = (
    update(webhook_attempts)
    .where(
        webhook_attempts.c.workshop == bindparam("of_workshop"),
        webhook_attempts.c.order_id == bindparam("of_order", type_=BigInteger),
        webhook_attempts.c.response != "",
    )
    .values(response="")
)
_IS_NOTICE = notices.c.workshop == bindparam("of_workshop"), notices.c.id == bindparam("of_id")
_NOTICE = select(notices).where(*_IS_NOTICE)
_DELETE_NOTICE = delete(notices).where(*_IS_NOTICE)
_EMPTY = (
    update(operations)
    .where(*_IS_OPERATION)
    .values(
        asked="{}",
        **dict.fromkeys(
            ("before", "base", "sent", "differences", "controls", "identity", "failure", "request", "content")
        ),
        message=ERASED_MESSAGE,
        notes="",
        idempotency_key=bindparam("idempotency_key", type_=Text),
    )
)


@dataclass(frozen=True, slots=True)
class PersonMention:
    """A row that names somebody. `row_id` where it is one of `operations` or `notices`, which may have no order."""

    table: str
    order_id: int | None
    row_id: str | None


def search_table(
    tx: Transaction, table: Table, after: Sequence[object] | None, names: Callable[[str], bool]
) -> tuple[list[PersonMention], list[object] | None]:
    """Search one batch of rows for texts that `names`; also the key to continue `after`, None at the table's end."""
    last = {f"after_{number}": value for number, value in enumerate(after or ())}
    rows = tx.fetch_all(_BATCH[table.name, after is None], at_most=BATCH, **last)
    found = [
        PersonMention(table.name, row[_order_id(table).name], row["id"] if table in (operations, notices) else None)
        for row in rows
        if any(names(text) for text in _texts(row))
    ]
    return found, [rows[-1][key.name] for key in _row_key(table)] if len(rows) == BATCH else None


def _texts(row: Mapping[str, Any]) -> Iterator[str]:
    for name, value in row.items():
        if isinstance(value, str) and value and name not in _DERIVED:
            yield from _leaves(_parse(value))


def _parse(text: str) -> Any:
    """A column's JSON document, or its text."""
    if text[0] in "{[":
        try:
            return json.loads(text)
        except ValueError:
            pass
    return text


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from _leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member)


def export_order(tx: Transaction, order_id: int) -> dict[str, Any]:
    """Everything held of an order, for a person to read: rows by table."""
    found: dict[str, Any] = {"order_id": order_id}
    for name, statement in _BY_ORDER.items():
        if rows := tx.fetch_all(statement, of_order=order_id):
            found[name] = [_readable(row) for row in rows]
    return found


def export_operation(tx: Transaction, operation_id: str) -> dict[str, Any] | None:
    found = tx.fetch_all(_OPERATION, of_id=operation_id)
    return _readable(found[0]) if found else None


def export_notice(tx: Transaction, notice_id: str) -> dict[str, Any] | None:
    found = tx.fetch_all(_NOTICE, of_id=notice_id)
    return _readable(found[0]) if found else None


def _readable(row: Row) -> dict[str, Any]:
    """Without columns that repeat the document or are derived for searching."""
    hidden = _DERIVED | _MIRRORED if "document" in row and "short_name" in row else _DERIVED
    return {
        name: _parse(value) if isinstance(value, str) and value else value
        for name, value in row.items()
        if name not in hidden and value is not None
    }


class MirrorState(StrEnum):
    """Whether a sync would bring an order's mirror row back."""

    CURRENT = "current"
    """PlanSo lists it: the next sync would bring it again."""
    NOT_LISTED = "left"
    """It is archived or deleted: no sync reads it again."""
    UNKNOWN = "unknown"
    """It is not in the mirror."""


def get_mirror_state(tx: Transaction, order_id: int) -> MirrorState:
    found = tx.fetch_all(_BY_ORDER["orders"], of_order=order_id)
    return _mirror_state(found[0]) if found else MirrorState.UNKNOWN


def _mirror_state(order: Row) -> MirrorState:
    is_listed = not order["archived"] and order["deleted_at"] is None
    return MirrorState.CURRENT if is_listed else MirrorState.NOT_LISTED


def list_pending(tx: Transaction, order_id: int) -> list[str]:
    rows = tx.fetch_all(_BY_ORDER["operations"], of_order=order_id)
    return [row["id"] for row in rows if row["state"] == OperationState.PENDING]


def erase_order(tx: Transaction, order_id: int, *, with_current: bool = False) -> Counter[str] | None:
    """
    Erase an order's history, tabs, unreadable pages, notices, what its operations requested, and what receivers
    responded to its events; and the order itself if PlanSo does not list it, or `with_current` (the next sync brings it
    as it is then). Returns erased rows by table; None, with nothing done, while an operation is pending.
    """
    tx.lock(f"operations {tx.workshop} {order_id}")  # as recording an operation does
    stored = tx.fetch_all(_LOCK, of_order=order_id)
    if list_pending(tx, order_id):
        return None
    erased: Counter[str] = Counter()
    for operation in tx.fetch_all(_BY_ORDER["operations"], of_order=order_id):
        erased["operations"] += _empty(tx, operation)
    for table in (history, sections, unreadable_pages, notices):
        erased[table.name] += tx.execute(_DELETE[table.name], of_order=order_id)
    erased["webhook_attempts"] += tx.execute(_EMPTY_RESPONSES, of_order=order_id)
    if stored and (with_current or _mirror_state(stored[0]) is MirrorState.NOT_LISTED):
        erased += _drop(tx, stored[0])
    return +erased


def drop_order(tx: Transaction, order_id: int, *, deleted_before: Instant) -> bool:
    """Delete an order and all that belongs to it. False, with nothing done, if it came back or was deleted later."""
    stored = tx.fetch_all(_LOCK, of_order=order_id)
    if not stored or stored[0]["deleted_at"] is None or stored[0]["deleted_at"] >= deleted_before:
        return False
    _drop(tx, stored[0])
    return True


def _drop(tx: Transaction, order: Row) -> Counter[str]:
    keys = lookup_keys.build_keys(order["plate"], order["person"], order["phone"], order["email"])
    no_keys = frozenset[lookup_keys.Key](), False
    lookup_keys.update_keys(tx, order["id"], before=(keys, bool(order["archived"])), after=no_keys)
    tables = (history, sections, unreadable_pages, parts, last_seen, orders)  # orders last: the others refer to it
    return Counter({table.name: tx.execute(_DELETE[table.name], of_order=order["id"]) for table in tables})


def erase_operation(tx: Transaction, operation_id: str) -> Counter[str] | None:
    """Erase what an operation without an order requested. None, with nothing done, while it is pending."""
    found = tx.fetch_all(_OPERATION, of_id=operation_id)
    if found and found[0]["state"] == OperationState.PENDING:
        return None
    return +Counter(operations=sum(_empty(tx, row) for row in found))


def erase_notice(tx: Transaction, notice_id: str) -> Counter[str]:
    """Erase a notice without an order."""
    return +Counter(notices=tx.execute(_DELETE_NOTICE, of_id=notice_id))


def _empty(tx: Transaction, operation: Row) -> int:
    """
    Erase the content, keep the row: which order a create made, and that an idempotency key was used, must stay known
    for as long as the request may be repeated; a repetition is 409 then.
    """
    key = operation["idempotency_key"]
    erased_key = idempotency_keys.erase(key) if key is not None else None
    if operation["asked"] == "{}" and operation["message"] == ERASED_MESSAGE and erased_key == key:
        return 0
    return tx.execute(_EMPTY, of_id=operation["id"], idempotency_key=erased_key)
