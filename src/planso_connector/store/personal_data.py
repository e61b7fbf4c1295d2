"""
Everything that is held of people: where somebody is named, all of it for them to read, and its end.

What each table and column holds of people is in docs/privacy.md; a test compares that page with the tables.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Table, Text, bindparam, delete, select, tuple_, update

from planso_connector.domain.fields import MIRRORED
from planso_connector.domain.operation import OperationState
from planso_connector.store import lookup_keys
from planso_connector.store import operations as outbox
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.tables import history, last_seen, operations, orders, parts, sections, unreadable_pages

TABLES_WITH_NAMES: tuple[Table, ...] = (orders, parts, sections, history, operations, unreadable_pages)
"""The tables whose texts may name somebody. The others hold numbers, instants, and what is made of these."""

BATCH = 500
"""Rows that one transaction looks through."""

ERASED_MESSAGE = "Its content was erased."

_MIRRORED = frozenset(field.column for field in MIRRORED)
_DERIVED = frozenset({"workshop", "shop_day", "finish_day", "plate_key", "person_key", "phone_key", "email_key"})
_DERIVED |= {"damage_key", "status_key", "text_key"}
_OF_ORDER = bindparam("of_order", type_=BigInteger)


def _keys_of(table: Table) -> list[Any]:
    return [column for column in table.primary_key.columns if column.name != "workshop"]


def _look(table: Table, further: bool) -> Any:
    keys = _keys_of(table)
    found = select(table).where(table.c.workshop == bindparam("of_workshop"))
    if further:
        places = [bindparam(f"after_{number}", type_=key.type) for number, key in enumerate(keys)]
        found = found.where(tuple_(*keys) > tuple_(*places))
    return found.order_by(*keys).limit(bindparam("at_most", type_=BigInteger))


_LOOKS = {(table.name, further): _look(table, further) for table in TABLES_WITH_NAMES for further in (False, True)}


def _order_of(table: Table) -> Any:
    return table.c.id if table is orders else table.c.order_id


def _here(table: Table) -> tuple[Any, ...]:
    return table.c.workshop == bindparam("of_workshop"), _order_of(table) == _OF_ORDER


_OF = {
    table.name: select(table).where(*_here(table)).order_by(*_keys_of(table))
    for table in (*TABLES_WITH_NAMES, last_seen)
}
_DELETE = {table.name: delete(table).where(*_here(table)) for table in (*TABLES_WITH_NAMES, last_seen)}
_WHOLE = (history, sections, unreadable_pages, parts, last_seen, orders)
_LOCK = _OF["orders"].with_for_update()
_OPERATION = select(operations).where(
    operations.c.workshop == bindparam("of_workshop"), operations.c.id == bindparam("of_id")
)
_EMPTY = (
    update(operations)
    .where(operations.c.workshop == bindparam("of_workshop"), operations.c.id == bindparam("of_id"))
    .values(
        asked="{}",
        before=None,
        base=None,
        sent=None,
        differences=None,
        controls=None,
        identity=None,
        failure=None,
        request=None,
        message=ERASED_MESSAGE,
        notes="",
        idempotency_key=bindparam("idempotency_key", type_=Text),
    )
)


@dataclass(frozen=True, slots=True)
class PersonMention:
    """A row that names somebody. `operation_id` where it is one of `operations`."""

    table: str
    order_id: int | None
    operation_id: str | None


def search_table(
    tx: Transaction, table: str, after: Sequence[object] | None, names: Callable[[str], bool]
) -> tuple[list[PersonMention], list[object] | None]:
    """The rows that name somebody among the next some hundred; and where to go on, None at the end."""
    here = next(one for one in TABLES_WITH_NAMES if one.name == table)
    places = {f"after_{number}": place for number, place in enumerate(after or ())}
    rows = tx.fetch_all(_LOOKS[table, after is not None], at_most=BATCH, **places)
    found = [
        PersonMention(table, row[_order_of(here).name], row["id"] if here is operations else None)
        for row in rows
        if any(names(text) for text in _texts(row))
    ]
    if len(rows) < BATCH:
        return found, None
    return found, [rows[-1][key.name] for key in _keys_of(here)]


def _texts(row: Mapping[str, Any]) -> Iterator[str]:
    for name, value in row.items():
        if isinstance(value, str) and value and name not in _DERIVED:
            yield from _leaves(_read(value))


def _read(text: str) -> Any:
    """What a column holds; documents are JSON."""
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
    """All that is held of an order, for a person to read: by table, its rows."""
    found: dict[str, Any] = {"order_id": order_id}
    for table in (orders, last_seen, parts, sections, history, operations, unreadable_pages):
        rows = tx.fetch_all(_OF[table.name], of_order=order_id)
        if rows:
            found[table.name] = [_readable(row) for row in rows]
    return found


def export_operation(tx: Transaction, operation_id: str) -> dict[str, Any] | None:
    """One operation, as `held` shows it."""
    found = tx.fetch_all(_OPERATION, of_id=operation_id)
    return _readable(found[0]) if found else None


def _readable(row: Row) -> dict[str, Any]:
    """Without what the document shows too, and without what is made of it to be searched."""
    hidden = _DERIVED | _MIRRORED if "document" in row and "short_name" in row else _DERIVED
    return {
        name: _read(value) if isinstance(value, str) and value else value
        for name, value in row.items()
        if name not in hidden and value is not None
    }


class MirrorState:
    """What becomes of an order's mirror row."""

    CURRENT = "current"
    """PlanSo lists it: the next sync would bring it again."""
    NOT_LISTED = "left"
    """It is archived or deleted: nothing brings it again by itself."""
    UNKNOWN = "unknown"
    """It is not in the mirror."""


def get_mirror_state(tx: Transaction, order_id: int) -> str:
    found = tx.fetch_all(_OF["orders"], of_order=order_id)
    if not found:
        return MirrorState.UNKNOWN
    (row,) = found
    return MirrorState.NOT_LISTED if row["archived"] or row["deleted_at"] is not None else MirrorState.CURRENT


def list_pending(tx: Transaction, order_id: int) -> list[str]:
    """The ids of an order's pending operations."""
    rows = tx.fetch_all(_OF["operations"], of_order=order_id)
    return [row["id"] for row in rows if row["state"] == OperationState.PENDING]


def erase_order(tx: Transaction, order_id: int, *, with_current: bool = False) -> Counter[str] | None:
    """
    What is held of an order beside the mirror: its history, tabs, kept pages, and what its operations asked. One that
    PlanSo does not list goes altogether, and `with_current` one that it lists too: the next sync brings it as it is
    then. Rows by table; None, with nothing done, where an operation is pending.
    """
    tx.lock(f"operations {tx.workshop} {order_id}")  # as who records an operation does
    here = {"of_order": order_id}
    stored = tx.fetch_all(_LOCK, **here)
    if list_pending(tx, order_id):
        return None
    done: Counter[str] = Counter()
    for row in tx.fetch_all(_OF["operations"], **here):
        done["operations"] += _empty(tx, row)
    for table in (history, sections, unreadable_pages):
        done[table.name] += tx.execute(_DELETE[table.name], **here)
    if stored and (with_current or get_mirror_state(tx, order_id) == MirrorState.NOT_LISTED):
        done += _drop(tx, stored[0])
    return +done


def drop_order(tx: Transaction, order_id: int, *, deleted_before: str) -> bool:
    """The order with all that belongs to it. False, with nothing done, where it came back or was deleted later."""
    stored = tx.fetch_all(_LOCK, of_order=order_id)
    if not stored or stored[0]["deleted_at"] is None or stored[0]["deleted_at"] >= deleted_before:
        return False
    _drop(tx, stored[0])
    return True


def _drop(tx: Transaction, row: Row) -> Counter[str]:
    keys = lookup_keys.build_keys(row["plate"], row["person"], row["phone"], row["email"])
    nothing = frozenset[lookup_keys.Key](), False
    lookup_keys.update_keys(tx, row["id"], before=(keys, bool(row["archived"])), after=nothing)
    here = {"of_order": row["id"]}
    return Counter({table.name: tx.execute(_DELETE[table.name], **here) for table in _WHOLE})


def erase_operation(tx: Transaction, operation_id: str) -> Counter[str] | None:
    """What an operation without an order asked. None, with nothing done, where it is pending."""
    found = tx.fetch_all(_OPERATION, of_id=operation_id)
    if found and found[0]["state"] == OperationState.PENDING:
        return None
    return +Counter(operations=sum(_empty(tx, row) for row in found))


def _empty(tx: Transaction, row: Row) -> int:
    """
    The row stays: which order a create made, and that a key was used, must be known for as long as somebody may ask
    again; a repeated request with the key is 409 then.
    """
    key = row["idempotency_key"]
    kept = outbox.erase_key(key) if key is not None else None
    if row["asked"] == "{}" and row["message"] == ERASED_MESSAGE and kept == key:
        return 0
    return tx.execute(_EMPTY, of_id=row["id"], idempotency_key=kept)
