"""
The lookup keys of each order: what a caller may say of it, updated in the transaction that changes the order.

kind     key                                                              searched by
plate    each end of the folded plate, from two signs                     prefix: `2309` finds `WNAE2309`
word     each word of the name, two as one (`recognition.names`)          equality, typo variants, prefix
sound    each word's phonetic code                                        equality
phone    each number's digits in reverse (`recognition.phones`)           equality; prefix, for last digits
email    the normalized address (`recognition.emails`)                    equality, prefix

One row per workshop has no kind. Its key is `complete`, or the progress of a rebuild, `[after, done, all]`.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Executable, Text, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert  # SQLite accepts its ON CONFLICT too

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
    """How far a rebuild of the search index is; the defaults: not started."""

    after: int | None = None
    """Orders up to this id are done."""
    done: int = 0
    all: int | None = None


MIN_PLATE_SUFFIX = 2

_COMPLETE = "complete"

Key = tuple[str, str]
"""Kind and key."""
_c = lookup_keys.c
_SEARCHED = (
    _c.workshop == bindparam("of_workshop"),
    _c.kind == bindparam("of_kind"),
    _c.archived == bindparam("is_archived"),
)
_LIMIT = bindparam("at_most", type_=BigInteger)

_ADD = insert(lookup_keys).values({c.name: bindparam(c.name, type_=c.type) for c in _c}).on_conflict_do_nothing()
_REMOVE = delete(lookup_keys).where(
    *_SEARCHED, _c.key == bindparam("of_key"), _c.order_id == bindparam("of_order", type_=BigInteger)
)
_IS_PROGRESS = _c.workshop == bindparam("of_workshop"), _c.kind == ""
_PROGRESS = select(_c.key).where(*_IS_PROGRESS)
_COMPLETE_WORKSHOPS = select(_c.workshop).where(
    is_in_texts(_c.workshop, bindparam("workshops", type_=Text)), _c.kind == "", _c.key == _COMPLETE
)
_REMOVE_PROGRESS = delete(lookup_keys).where(*_IS_PROGRESS)

_EQUAL = select(_c.order_id).where(*_SEARCHED, _c.key == bindparam("of_key")).order_by(_c.order_id.desc()).limit(_LIMIT)
_ANY_OF = select(_c.order_id).where(*_SEARCHED, is_in_texts(_c.key, bindparam("keys", type_=Text))).limit(_LIMIT)
_PREFIX = (
    select(_c.order_id)
    .where(*_SEARCHED, _c.key >= bindparam("first_key"), _c.key < bindparam("end_key"))
    .order_by(_c.key, _c.archived, _c.order_id)  # as in the primary key, so that both databases find the same
    .limit(_LIMIT)
)
_first = _EQUAL.subquery()
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
    .limit(bindparam("both_at_most", type_=BigInteger))
)
_with_plate = (
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
# Sorted outside: with ORDER BY in one statement, SQLite walks an index instead of searching for each plate.
_PLATES = select(_with_plate.c.id.label("order_id")).order_by(_with_plate.c.id.desc()).limit(_LIMIT)
_ORDERS = select(orders.c.id.label("order_id")).where(
    orders.c.workshop == bindparam("of_workshop"),
    is_in_ids(orders.c.id, bindparam("ids", type_=Text)),
    orders.c.archived + 0 == bindparam("is_archived"),
)
_CANDIDATES = select(
    orders.c.id.label("order_id"),
    orders.c.person.label("name"),
    orders.c.vehicle_vehicle.label("vehicle"),
    orders.c.vehicle_color_name.label("color"),
    orders.c.shop_date.label("drop_off"),
    *orders.c["plate", "phone", "email", "project_status"],
).where(
    orders.c.workshop == bindparam("of_workshop"),
    is_in_ids(orders.c.id, bindparam("ids", type_=Text)),
    orders.c.deleted_at.is_(None),
)


def build_keys(plate: str | None, person: str | None, phone: str | None, email: str | None) -> frozenset[Key]:
    return frozenset(_keys(plate or "", person or "", phone or "", email or ""))


def _keys(plate: str, person: str, phone: str, email: str) -> Iterator[Key]:
    folded = fold_plate(plate)
    yield from ((KeyKind.PLATE, folded[at:]) for at in range(len(folded) - MIN_PLATE_SUFFIX + 1))
    name = names.index_keys(person)
    yield from ((KeyKind.WORD, word) for word in name.words)
    yield from ((KeyKind.SOUND, sound) for sound in name.sounds)
    yield from ((KeyKind.PHONE, digits[::-1]) for digits in phones.index_keys(phone))
    if address := emails.normalize(email):
        yield KeyKind.EMAIL, address


def update_keys(
    tx: Transaction, order_id: int, *, before: tuple[frozenset[Key], bool], after: tuple[frozenset[Key], bool]
) -> None:
    """Replace an order's keys. `before` and `after`: keys, and whether the order is archived."""
    (old, was_archived), (new, is_archived) = before, after
    kept = old & new if was_archived == is_archived else frozenset[Key]()
    if old - kept:
        order = {"of_order": order_id, "is_archived": int(was_archived)}
        tx.execute_many(_REMOVE, [{**order, "of_kind": kind, "of_key": key} for kind, key in sorted(old - kept)])
    if new - kept:
        tx.execute_many(_ADD, _key_rows(order_id, new - kept, archived=is_archived))


def _key_rows(order_id: int, keys: Iterable[Key], *, archived: bool) -> list[dict[str, object]]:
    order = {"order_id": order_id, "archived": int(archived)}
    return [{**order, "kind": kind, "key": key} for kind, key in sorted(keys)]


def read_rebuild_progress(tx: Transaction) -> RebuildProgress | None:
    """None where every order has its keys. After an upgrade the row is missing: a rebuild is due."""
    found = tx.fetch_all(_PROGRESS)
    if not found:
        return RebuildProgress()
    key: str = found[0]["key"]
    return None if key == _COMPLETE else RebuildProgress(*json.loads(key))


def list_incomplete_workshops(tx: Transaction, workshops: Collection[str]) -> list[str]:
    """Those of the workshops in which orders may lack keys. For a transaction of the whole installation."""
    complete = {row["workshop"] for row in tx.fetch_all(_COMPLETE_WORKSHOPS, workshops=to_json(list(workshops)))}
    return [workshop for workshop in workshops if workshop not in complete]


def write_rebuild_progress(tx: Transaction, progress: RebuildProgress | None) -> None:
    tx.execute(_REMOVE_PROGRESS)
    key = _COMPLETE if progress is None else to_json([progress.after, progress.done, progress.all])
    tx.execute(_ADD, kind="", key=key, archived=0, order_id=0)


def add_keys(tx: Transaction, rows: Iterable[Row]) -> None:
    """Add the keys of orders to those that are there."""
    for_orders = (
        _key_rows(
            row["id"], build_keys(row["plate"], row["person"], row["phone"], row["email"]), archived=row["archived"]
        )
        for row in rows
    )
    tx.execute_many(_ADD, [key for keys in for_orders for key in keys])


class KeySearch:
    """Searches for one lookup. Each returns at most `limit` order ids, the newest where it can."""

    def __init__(self, tx: Transaction, *, archived: bool) -> None:
        self._tx = tx
        self._archived = int(archived)

    def plates(self, plates: Sequence[str], limit: int) -> list[int]:
        """Orders with one of these whole plates."""
        return self._ids(_PLATES, keys=to_json(plates), at_most=limit) if plates else []

    def orders(self, ids: Sequence[int]) -> list[int]:
        """Those of some orders that are there."""
        return self._ids(_ORDERS, ids=to_json(ids)) if ids else []

    def equal(self, kind: KeyKind, key: str, limit: int) -> list[int]:
        return self._ids(_EQUAL, of_kind=kind.value, of_key=key, at_most=limit)

    def any_of(self, kind: KeyKind, keys: Iterable[str], limit: int) -> list[int]:
        keys = sorted(keys)
        return self._ids(_ANY_OF, of_kind=kind.value, keys=to_json(keys), at_most=limit) if keys else []

    def prefix(self, kind: KeyKind, prefix: str, limit: int) -> list[int]:
        return self._ids(_PREFIX, of_kind=kind.value, first_key=prefix, end_key=end_of_prefix(prefix), at_most=limit)

    def both(self, key: tuple[KeyKind, str], other: tuple[KeyKind, str], limit: int, *, newest: int) -> list[int]:
        """Orders that have both keys, among the `newest` that have `key`."""
        (kind, text), (other_kind, other_text) = key, other
        second = {"other_kind": other_kind.value, "other_key": other_text, "both_at_most": limit}
        return self._ids(_BOTH, of_kind=kind.value, of_key=text, at_most=newest, **second)

    def _ids(self, statement: Executable, **parameters: object) -> list[int]:
        return [row["order_id"] for row in self._tx.fetch_all(statement, is_archived=self._archived, **parameters)]


def end_of_prefix(prefix: str) -> str:
    """The smallest text that is greater than all that begin with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def load_candidates(tx: Transaction, ids: Sequence[int]) -> list[OrderFacts]:
    return [OrderFacts(**row) for row in tx.fetch_all(_CANDIDATES, ids=to_json(ids))]
