"""Orders found by what a caller knows of them: folded look-ups, days, states; page by page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import BigInteger, ColumnElement, Select, Text, and_, bindparam, func, or_, select

from planso_connector.domain.fields import Value
from planso_connector.domain.folding import fold, fold_key, fold_phone, fold_plate
from planso_connector.domain.order import PLATE, OrderDocument, is_stay_overlapping
from planso_connector.store import cursors, trigrams
from planso_connector.store.engine.expressions import contains, contains_all, text_candidates
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.lookup_keys import MIN_PLATE_SUFFIX, RebuildProgress, read_rebuild_progress
from planso_connector.store.order_rows import order_documents, sanitize_text, to_json
from planso_connector.store.tables import last_seen, lookup_keys, orders

_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})?")


@dataclass(frozen=True, slots=True)
class OrderFilters:
    """
    What is known, combined with AND; None is not asked. `plate`, `person`, `phone`, `email`: found anywhere in the
    field. `text`: each word found anywhere in the order. `status`, `damage`: the same but for case, accents and
    umlauts. `station`: its id, or `id@state`. Days are canonical and inclusive; an order without the day isn't found.
    """

    plate: str | None = None
    person: str | None = None
    phone: str | None = None
    email: str | None = None
    status: str | None = None
    damage: str | None = None
    station: str | None = None
    missing_parts: bool | None = None
    after: str | None = None
    before: str | None = None
    finish_after: str | None = None
    finish_before: str | None = None
    text: str | None = None
    archived: bool = False
    """The archived orders, and only those."""
    sort: str = "-shop_date"
    """`shop_date`, `finish_date` or `id`, with `-` descending; then by id."""
    limit: int = 50
    cursor: str | None = None
    """A page's `next_cursor`."""


@dataclass(frozen=True, slots=True)
class OrderPage:
    """
    `next_cursor` is None on the last page. `rebuild`: how far the
    texts are that are being written anew, where texts were asked: there may be more orders than were found.
    """

    documents: list[OrderDocument]
    next_cursor: str | None
    rebuild: RebuildProgress | None = None


def _asked(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=Text)


_WITH_TEXT = text_candidates(_asked("of_workshop"), _asked("text_runs")).table_valued("order_id")
_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "plate": contains(orders.c.plate_key, _asked("plate")),
    "person": contains(orders.c.person_key, _asked("person")),
    "phone": contains(orders.c.phone_key, _asked("phone")),
    "email": contains(orders.c.email_key, _asked("email")),
    "status": orders.c.status_key == _asked("status"),
    "damage": orders.c.damage_key == _asked("damage"),
    "station": orders.c.station_id == _asked("station"),
    "station_at": or_(
        orders.c.station_id == _asked("station"),
        and_(
            orders.c.station_id == _asked("station_at"),
            func.coalesce(orders.c.station_state, "") == _asked("state_at"),
        ),
    ),
    "missing_parts": orders.c.missing_parts == bindparam("missing_parts", type_=BigInteger),
    "after": orders.c.shop_day >= _asked("after"),
    "before": and_(orders.c.shop_day <= _asked("before"), orders.c.shop_day != ""),
    "finish_after": orders.c.finish_day >= _asked("finish_after"),
    "finish_before": and_(orders.c.finish_day <= _asked("finish_before"), orders.c.finish_day != ""),
    "text": contains_all(orders.c.text_key, _asked("text")),
    "text_runs": orders.c.id.in_(select(_WITH_TEXT.c.order_id)),
    "plate_key": orders.c.id.in_(
        select(lookup_keys.c.order_id).where(
            lookup_keys.c.workshop == _asked("of_workshop"),
            lookup_keys.c.kind == "plate",
            lookup_keys.c.key >= _asked("plate_key"),
            lookup_keys.c.key < _asked("plate_end"),
            lookup_keys.c.archived == bindparam("archived", type_=BigInteger),
        )
    ),
}
_FOUND_BY_KEYS = frozenset({"plate_key", "text_runs"})
_UNSEEN = orders.c.archived + 0
"""SQLite without statistics takes any index that begins with `archived`, and walks half the table; so it sees none."""
_CURSOR_ID = bindparam("cursor_id", type_=BigInteger)
_DAYS = {"shop_date": orders.c.shop_day, "finish_date": orders.c.finish_day}
_UNDATED = ", undated"


def _sections(sort: str, cursor_day: str | None) -> tuple[str, ...]:
    """
    What is asked one after the other, from the cursor on. Ascending, orders without the day come last, where no index
    has them: they are asked for by themselves.
    """
    if sort.startswith("-") or sort not in _DAYS:
        return (sort,)
    return (sort, sort + _UNDATED) if cursor_day != "" else (sort + _UNDATED,)


def _within(section: str) -> list[ColumnElement[bool]]:
    if section.endswith(_UNDATED):
        return [_DAYS[section.removesuffix(_UNDATED)] == ""]
    return [_DAYS[section] != ""] if section in _DAYS else []


def _beyond(section: str) -> ColumnElement[bool]:
    """Where a page goes on. Not `day < x OR (day = x AND id > y)`: so the day bounds where the index is entered."""
    day, at = _DAYS.get(section.removeprefix("-")), _asked("cursor_day")
    if day is None:
        return orders.c.id < _CURSOR_ID if section == "-id" else orders.c.id > _CURSOR_ID
    if section.startswith("-"):
        return and_(day <= at, or_(day < at, orders.c.id > _CURSOR_ID))
    return and_(day >= at, or_(day > at, orders.c.id > _CURSOR_ID))


def _order(section: str) -> tuple[ColumnElement[Any], ...]:
    day = _DAYS.get(section.removeprefix("-"))
    if day is None:
        return (orders.c.id.desc() if section == "-id" else orders.c.id,)
    return (day.desc() if section.startswith("-") else day, orders.c.id)


@lru_cache(maxsize=512)
def _statement(asked: frozenset[str], section: str) -> Select[*tuple[Any, ...]]:
    """The statement for a set of conditions: built once, so that it is also compiled once."""
    shown = *orders.c["id", "version", "shop_day", "finish_day", "document"], last_seen.c.synced_at
    return (
        select(*shown)
        .join(last_seen, and_(last_seen.c.workshop == orders.c.workshop, last_seen.c.order_id == orders.c.id))
        .where(*_matching(asked), *_within(section), *([_beyond(section)] if "cursor" in asked else []))
        .order_by(*_order(section))
        .limit(bindparam("at_most", type_=BigInteger))
    )


@lru_cache(maxsize=512)
def _count(asked: frozenset[str]) -> Select[*tuple[Any, ...]]:
    return select(func.count().label("n")).select_from(orders).where(*_matching(asked))


def _matching(asked: frozenset[str]) -> list[ColumnElement[bool]]:
    return [
        orders.c.workshop == _asked("of_workshop"),
        (_UNSEEN if asked & _FOUND_BY_KEYS else orders.c.archived) == bindparam("archived", type_=BigInteger),
        orders.c.deleted_at.is_(None),
        *(condition for name, condition in _CONDITIONS.items() if name in asked),
    ]


def find_orders(tx: Transaction, filters: OrderFilters) -> OrderPage:
    """
    The orders that are not deleted and match, newest `shop_date` first, those without one last, then by id.

    Raises Invalid for a cursor that is not one of ours.
    """
    questions = _questions(tx, filters)
    if questions is None:
        return OrderPage([], None)
    asked, parameters, rebuild = questions
    found: list[Row] = []
    for section in _sections(filters.sort, cast("str | None", parameters.get("cursor_day"))):
        found += tx.fetch_all(_statement(asked, section), at_most=filters.limit + 1 - len(found), **parameters)
        if len(found) > filters.limit:
            break
        asked -= {"cursor"}
    shown = found[: filters.limit]
    more = len(found) > len(shown) and bool(shown)
    day = "finish_day" if filters.sort.endswith("finish_date") else "shop_day"
    cursor = cursors.encode([shown[-1][day], shown[-1]["id"]]) if more else None
    return OrderPage(order_documents(tx, shown) if shown else [], cursor, rebuild if "text" in asked else None)


def count_orders(tx: Transaction, filters: OrderFilters) -> int:
    """How many orders match, wherever the cursor stands."""
    questions = _questions(tx, filters)
    if questions is None:
        return 0
    asked, parameters, _ = questions
    found: int = tx.fetch_all(_count(asked - {"cursor"}), **parameters)[0]["n"]
    return found


MAX_RARE_PLATES = 2000
"""
What so many orders have at most is looked for by its keys or pieces, and sorted then. Anything else is common enough to
meet a page of it soon in the order that is asked for.
"""

MAX_RARE_TEXTS = 20_000
"""
The same for texts. More, because pieces that all occur need not occur together, and the orders that have them by chance
are no help in meeting a page soon.
"""

_WITH_PLATE = (
    select(lookup_keys.c.order_id)
    .where(
        lookup_keys.c.workshop == _asked("of_workshop"),
        lookup_keys.c.kind == "plate",
        lookup_keys.c.key >= _asked("plate_key"),
        lookup_keys.c.key < _asked("plate_end"),
    )
    .limit(MAX_RARE_PLATES + 1)
    .subquery()
)
_PLATES = select(func.count().label("n")).select_from(_WITH_PLATE)
_TEXTS = select(func.count().label("n")).select_from(select(_WITH_TEXT.c.order_id).limit(MAX_RARE_TEXTS + 1).subquery())


def _narrowed(
    tx: Transaction, asked: frozenset[str], parameters: dict[str, object]
) -> tuple[frozenset[str], RebuildProgress | None]:
    """
    The conditions to add for what is rare among that which is asked, with their parameters. What they find is compared
    all the same: they only say where to look. None while that is being written anew; how far it is.
    """
    texts = [str(parameters[name]) for name in ("person", "phone", "email") if name in asked]
    texts += json.loads(str(parameters["text"])) if "text" in asked else []
    runs = trigrams.extract_runs(" ".join(texts))
    plate = str(parameters.get("plate", ""))
    if not (runs or len(plate) >= MIN_PLATE_SUFFIX or "text" in asked):
        return frozenset(), None
    rebuild = read_rebuild_progress(tx)
    if rebuild is not None:
        return frozenset(), rebuild
    if len(plate) >= MIN_PLATE_SUFFIX:
        key = {"plate_key": plate, "plate_end": plate[:-1] + chr(ord(plate[-1]) + 1)}
        if tx.fetch_all(_PLATES, **key)[0]["n"] <= MAX_RARE_PLATES:
            parameters |= key
            return frozenset({"plate_key"}), None
    if runs:
        asked_runs = to_json(runs)
        if tx.fetch_all(_TEXTS, text_runs=asked_runs)[0]["n"] <= MAX_RARE_TEXTS:
            parameters["text_runs"] = asked_runs
            return frozenset({"text_runs"}), None
    return frozenset(), None


_SAME_PLATE = (
    select(orders.c.id, orders.c.document)
    .where(
        orders.c.workshop == _asked("of_workshop"),
        orders.c.plate_key == _asked("plate"),
        _UNSEEN == 0,
        orders.c.deleted_at.is_(None),
    )
    .order_by(orders.c.shop_day.desc(), orders.c.id)
    .limit(100)
)


def find_overlapping_orders(tx: Transaction, asked: Mapping[str, Value]) -> list[int]:
    """The current orders for the number plate of `asked`, by field path, whose days overlap with its."""
    plate = fold_plate(str(asked.get(PLATE) or ""))
    if not plate:
        return []
    rows = tx.fetch_all(_SAME_PLATE, plate=plate)
    return [row["id"] for row in rows if is_stay_overlapping(asked, json.loads(row["document"]))]


def _questions(
    tx: Transaction, filters: OrderFilters
) -> tuple[frozenset[str], dict[str, object], RebuildProgress | None] | None:
    """All that a statement needs, with what narrows it down; None where nothing can match."""
    questions = _asked_for(filters)
    if questions is None:
        return None
    asked, parameters = questions
    parameters |= {"archived": int(filters.archived)}
    narrowed, rebuild = _narrowed(tx, asked, parameters)
    return asked | narrowed, parameters, rebuild


def _asked_for(filters: OrderFilters) -> tuple[frozenset[str], dict[str, object]] | None:
    """Which conditions are asked, and their parameters; None where nothing can match."""
    parameters: dict[str, object] = {}
    for name, folding in _FOLDINGS.items():
        given = getattr(filters, name)
        if given is not None:
            parameters[name] = folding(sanitize_text(given))
            if not parameters[name] and name in ("plate", "phone"):
                return None
    for name in ("after", "before", "finish_after", "finish_before"):
        given = getattr(filters, name)
        if given is not None:
            parameters[name] = sanitize_text(given)[:10]
    if filters.text is not None:
        parameters["text"] = to_json(sorted(set(fold(sanitize_text(filters.text)).split())))
    if filters.missing_parts is not None:
        parameters["missing_parts"] = int(filters.missing_parts)
    asked = set(parameters)
    if filters.station is not None:
        station = parameters["station"] = sanitize_text(filters.station)
        if "@" in station:
            parameters["station_at"], _, parameters["state_at"] = station.partition("@")
            asked.add("station_at")
        else:
            asked.add("station")
    if filters.cursor is not None:
        parameters["cursor_day"], parameters["cursor_id"] = parse_cursor(filters.cursor)
        asked.add("cursor")
    return frozenset(asked), parameters


_FOLDINGS = {
    "plate": fold_plate,
    "phone": fold_phone,
    "person": fold,
    "email": fold,
    "status": fold_key,
    "damage": fold_key,
}


def parse_cursor(cursor: str) -> tuple[str, int]:
    """Where a page ended: its last order's day and id. Raises Invalid."""
    match cursors.decode(cursor):
        case [str(day), int(order_id)] if _DAY.fullmatch(day) and type(order_id) is int and abs(order_id) < 2**63:
            return day, order_id
    raise cursors.invalid_cursor()
