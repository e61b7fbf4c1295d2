"""
The keys of each order: what a caller may say of it, kept in step with the order in its own transaction.

kind     key                                                        found by
plate    each end of the folded plate of two signs or more          what it begins with: `2309` in `WNAE2309`
word     each word of the name, `domain.names`                      itself, its neighbours, what it begins with
sound    each word's sound                                          itself
phone    the digits of each number, last first, `domain.phones`     what it begins with: the last digits
email    the address, `domain.emails`                               itself, what it begins with

One row has no kind: that every order has its keys, `complete`, or how far a rebuild is, `[after, done, all]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Text, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.folding import fold_plate
from planso_connector.domain.recognition import emails, names, phones
from planso_connector.domain.recognition.matching import OrderFacts
from planso_connector.store.engine.expressions import is_in_ids, is_in_texts
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import to_json
from planso_connector.store.tables import lookup_keys, orders


class KeyKind(StrEnum):
    PLATE = "plate"
    WORD = "word"
    SOUND = "sound"
    PHONE = "phone"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """
    What orders are found by is being written anew. `after`: the id of the last order that is done, and so are all below
    it, None before the first; so many are `done` of `all`.
    """

    after: int | None = None
    done: int = 0
    all: int | None = None


MIN_PLATE_SUFFIX = 2

_COMPLETE = "complete"

Key = tuple[str, str]
_c = lookup_keys.c
_HERE = (
    _c.workshop == bindparam("of_workshop"),
    _c.kind == bindparam("of_kind"),
    _c.archived == bindparam("is_archived"),
)
_NEWEST = _c.order_id.desc()
_MOST = bindparam("at_most", type_=BigInteger)

_ADD = insert(lookup_keys).values({c.name: bindparam(c.name, type_=c.type) for c in lookup_keys.c})
_ADD = _ADD.on_conflict_do_nothing()
_REMOVE = delete(lookup_keys).where(
    *_HERE, _c.key == bindparam("of_key"), _c.order_id == bindparam("of_order", type_=BigInteger)
)
_OF_ALL = _c.workshop == bindparam("of_workshop"), _c.kind == ""
_HOW_FAR = select(_c.key).where(*_OF_ALL)
_FORGET_HOW_FAR = delete(lookup_keys).where(*_OF_ALL)

_SAME = select(_c.order_id).where(*_HERE, _c.key == bindparam("of_key")).order_by(_NEWEST).limit(_MOST)
_ONE_OF = select(_c.order_id).where(*_HERE, is_in_texts(_c.key, bindparam("keys", type_=Text))).limit(_MOST)
_BEGINS = (
    select(_c.order_id)
    .where(*_HERE, _c.key >= bindparam("begin"), _c.key < bindparam("end"))
    .order_by(_c.key, _c.archived, _c.order_id)  # as the primary key goes, so that both databases find the same
    .limit(_MOST)
)
_first = _SAME.subquery()
_second = lookup_keys.alias("second")
# Not a join: SQLite would go through all orders with the second key.
_BOTH = (
    select(_first.c.order_id)
    .where(
        select(_second.c.order_id)
        .where(
            _second.c.workshop == bindparam("of_workshop"),
            _second.c.kind == bindparam("other_kind"),
            _second.c.key == bindparam("other_key"),
            _second.c.archived == bindparam("is_archived"),
            _second.c.order_id == _first.c.order_id,
        )
        .exists()
    )
    .order_by(_first.c.order_id.desc())
    .limit(bindparam("found_at_most", type_=BigInteger))
)
_found = (
    select(orders.c.id)
    .where(
        orders.c.workshop == bindparam("of_workshop"),
        is_in_texts(orders.c.plate_key, bindparam("keys", type_=Text)),
        orders.c.archived + 0 == bindparam("is_archived"),  # else SQLite reads the index of all that is not archived
        orders.c.deleted_at.is_(None),
    )
    .limit(10_000)
    .subquery()
)
# Sorted apart: with the order in one statement, SQLite walks an index instead of looking for each plate.
_PLATES = select(_found.c.id).order_by(_found.c.id.desc()).limit(_MOST)
_SHOWN = select(
    *orders.c["id", "version", "plate", "short_name", "person", "phone", "email", "project_status", "shop_date"],
    orders.c.vehicle_vehicle,
    orders.c.vehicle_color_name,
).where(
    orders.c.workshop == bindparam("of_workshop"),
    is_in_ids(orders.c.id, bindparam("ids", type_=Text)),
    orders.c.deleted_at.is_(None),
)


def build_keys(plate: str | None, person: str | None, phone: str | None, email: str | None) -> frozenset[Key]:
    """The keys of an order, by what stands in it."""
    return frozenset(_keys(plate, person, phone, email))


def _keys(plate: str | None, person: str | None, phone: str | None, email: str | None) -> Iterator[Key]:
    folded = fold_plate(plate or "")
    yield from ((KeyKind.PLATE, folded[at:]) for at in range(len(folded) - MIN_PLATE_SUFFIX + 1))
    held = names.index_keys(person or "")
    yield from ((KeyKind.WORD, word) for word in held.words)
    yield from ((KeyKind.SOUND, sound) for sound in held.sounds)
    yield from ((KeyKind.PHONE, digits[::-1]) for digits in phones.index_keys(phone or ""))
    if email and (address := emails.normalize(email)):
        yield KeyKind.EMAIL, address


def update_keys(
    tx: Transaction,
    order_id: int,
    *,
    before: tuple[frozenset[Key], bool],
    after: tuple[frozenset[Key], bool],
) -> None:
    """The order's keys are those of `after` now; each with whether it is archived. `before`: as they were written."""
    (held, was_archived), (wanted, is_archived) = before, after
    if was_archived != is_archived:
        gone, new = held, wanted
    else:
        gone, new = held - wanted, wanted - held
    of_order = {"of_order": order_id, "is_archived": int(was_archived)}
    if gone:
        tx.execute_many(_REMOVE, [{**of_order, "of_kind": kind, "of_key": key} for kind, key in sorted(gone)])
    if new:
        row = {"order_id": order_id, "archived": int(is_archived)}
        tx.execute_many(_ADD, [{**row, "kind": kind, "key": key} for kind, key in sorted(new)])


def read_rebuild_progress(tx: Transaction) -> RebuildProgress | None:
    """How far it is; None where every order has its keys. After an upgrade they are due until `reindex` has ended."""
    found = tx.fetch_all(_HOW_FAR)
    if not found:
        return RebuildProgress()
    key: str = found[0]["key"]
    return None if key == _COMPLETE else RebuildProgress(*json.loads(key))


def write_rebuild_progress(tx: Transaction, so_far: RebuildProgress | None) -> None:
    """Says so."""
    tx.execute(_FORGET_HOW_FAR)
    key = _COMPLETE if so_far is None else to_json([so_far.after, so_far.done, so_far.all])
    tx.execute(_ADD, kind="", key=key, archived=0, order_id=0)


def add_keys(tx: Transaction, rows: Iterable[Row]) -> None:
    """The keys of `rows` of orders, beside those that are there."""
    tx.execute_many(_ADD, [entry for row in rows for entry in _entries(row)])


def _entries(row: Row) -> Iterator[dict[str, Any]]:
    whole = {"order_id": row["id"], "archived": row["archived"]}
    for kind, key in build_keys(row["plate"], row["person"], row["phone"], row["email"]):
        yield {**whole, "kind": kind, "key": key}


class KeySearch:
    """One question's look into the keys: each call finds some orders, bounded, the newest first where it can."""

    def __init__(self, tx: Transaction, *, archived: bool) -> None:
        self._tx = tx
        self._here = {"is_archived": int(archived)}

    def plates(self, plates: Sequence[str], at_most: int) -> list[int]:
        """The orders with one of these whole plates."""
        return [row["id"] for row in self._tx.fetch_all(_PLATES, **self._here, keys=to_json(plates), at_most=at_most)]

    def same(self, kind: KeyKind, key: str, at_most: int) -> list[int]:
        return self._ids(_SAME, of_kind=kind.value, of_key=key, at_most=at_most)

    def one_of(self, kind: KeyKind, keys: Iterable[str], at_most: int) -> list[int]:
        return self._ids(_ONE_OF, of_kind=kind.value, keys=to_json(sorted(keys)), at_most=at_most)

    def begins(self, kind: KeyKind, begin: str, at_most: int) -> list[int]:
        end = begin[:-1] + chr(ord(begin[-1]) + 1)
        return self._ids(_BEGINS, of_kind=kind.value, begin=begin, end=end, at_most=at_most)

    def both(self, one: Key, other: Key, at_most: int, *, looked_at: int) -> list[int]:
        """The orders that have both; of those with `one` the newest `looked_at`."""
        return self._ids(
            _BOTH,
            of_kind=one[0],
            of_key=one[1],
            other_kind=other[0],
            other_key=other[1],
            at_most=looked_at,
            found_at_most=at_most,
        )

    def _ids(self, statement: Any, **parameters: object) -> list[int]:
        return [row["order_id"] for row in self._tx.fetch_all(statement, **self._here, **parameters)]


def load_candidates(tx: Transaction, ids: Iterable[int]) -> list[Row]:
    """What the look-up tells of these orders, and compares."""
    return tx.fetch_all(_SHOWN, ids=to_json(sorted(set(ids))))


def order_facts(row: Row) -> OrderFacts:
    return OrderFacts(
        order_id=row["id"],
        plate=row["plate"],
        name=row["person"],
        phone=row["phone"],
        email=row["email"],
        vehicle=row["vehicle_vehicle"],
        color=row["vehicle_color_name"],
        drop_off=row["shop_date"],
    )
