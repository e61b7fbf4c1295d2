"""Search orders by folded text, days and states, page by page."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Text, and_, bindparam, func, literal_column, or_, select

from planso_connector.domain.clock import Instant
from planso_connector.domain.fields import Value
from planso_connector.domain.folding import fold, fold_asked_phone, fold_key, fold_plate
from planso_connector.domain.order import PLATE, OrderDocument, do_stays_overlap
from planso_connector.store import cursors, trigrams
from planso_connector.store.engine.expressions import contains, contains_all, text_candidates
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.lookup_keys import MIN_PLATE_SUFFIX, RebuildProgress, end_of_prefix, read_rebuild_progress
from planso_connector.store.order_rows import HAS_PENDING, order_documents, sanitize_text, to_json
from planso_connector.store.tables import last_seen, lookup_keys, orders

MAX_RARE_PLATES = 2000
"""
A search that so many orders can match at most starts from their keys, and sorts them. Anything else is so common that
walking all orders in the wanted sequence soon fills a page.
"""
MAX_RARE_TEXTS = 20_000
"""
The same for the pieces of texts. More, because pieces that all occur need not occur together, and orders that have them
by chance fill no page.
"""

_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})?")


@dataclass(frozen=True, slots=True)
class OrderFilters:
    """
    Conditions, combined with AND; None: any. `plate`, `person`, `phone`, `email` occur anywhere in the field, each word
    of `text` anywhere in the order. `status` and `damage` are equal but for case, accents and umlauts. `station`: `id`
    or `id@state`. Days are canonical and inclusive; an order without the day isn't found.
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
    changed_since: Instant | None = None
    text: str | None = None
    archived: bool = False
    """The archived orders, and only those."""
    sort: str = "-shop_date"
    """`shop_date`, `finish_date` or `id`, with `-` descending; then by id."""
    limit: int = 50
    cursor: str | None = None
    """A page's `next_cursor`."""

    @property
    def is_by_index(self) -> bool:
        """Whether an index has the orders: those of a plate, or all in their sequence."""
        others = (self.person, self.phone, self.email, self.status, self.damage, self.station, self.text)
        days = (self.after, self.before, self.finish_after, self.finish_before)
        return all(given is None for given in (*others, *days, self.missing_parts, self.changed_since))

    @property
    def compares_texts(self) -> bool:
        """Whether orders are compared one by one, beyond what an index finds."""
        return any(value is not None for value in (self.plate, self.person, self.phone, self.email, self.text))


@dataclass(frozen=True, slots=True)
class OrderPage:
    documents: list[OrderDocument]
    """The orders as answers show them."""
    next_cursor: str | None
    """None on the last page."""
    rebuild: RebuildProgress | None = None
    """For a search by `text` while the texts are being rebuilt: more orders may match."""


def _text(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=Text)


def _integer(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=BigInteger)


_HAS_PLATE_KEY = (
    lookup_keys.c.workshop == _text("of_workshop"),
    lookup_keys.c.kind == "plate",
    lookup_keys.c.key >= _text("plate_key"),
    lookup_keys.c.key < _text("plate_end"),
)
_text_matches = text_candidates(
    _text("of_workshop"), _text("text_runs"), literal_column(str(MAX_RARE_TEXTS + 1))
).table_valued("order_id")
_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "plate": contains(orders.c.plate_key, _text("plate")),
    "person": contains(orders.c.person_key, _text("person")),
    "phone": contains(orders.c.phone_key, _text("phone")),
    "email": contains(orders.c.email_key, _text("email")),
    "status": orders.c.status_key == _text("status"),
    "damage": orders.c.damage_key == _text("damage"),
    "station": orders.c.station_id == _text("station"),
    "station_and_state": or_(
        orders.c.station_id == _text("station_and_state"),
        and_(
            orders.c.station_id == _text("station_id"),
            func.coalesce(orders.c.station_state, "") == _text("station_state"),
        ),
    ),
    "missing_parts": orders.c.missing_parts == _integer("missing_parts"),
    "after": orders.c.shop_day >= _text("after"),
    "before": and_(orders.c.shop_day <= _text("before"), orders.c.shop_day != ""),
    "finish_after": orders.c.finish_day >= _text("finish_after"),
    "finish_before": and_(orders.c.finish_day <= _text("finish_before"), orders.c.finish_day != ""),
    "changed_since": orders.c.changed_at >= _text("changed_since"),
    "text": contains_all(orders.c.text_key, _text("text")),
    "text_runs": orders.c.id.in_(select(_text_matches.c.order_id)),
    "plate_key": orders.c.id.in_(
        select(lookup_keys.c.order_id).where(*_HAS_PLATE_KEY, lookup_keys.c.archived == _integer("archived"))
    ),
}
"""By the parameter that has the value; several conditions need more than one."""
_NARROWING = frozenset({"plate_key", "text_runs"})
_UNINDEXED_ARCHIVED = orders.c.archived + 0
"""SQLite without statistics takes any index that begins with `archived`, and walks half the table."""
_DAYS = {"shop_date": orders.c.shop_day, "finish_date": orders.c.finish_day}
_UNDATED = ", undated"


def _sections(sort: str, cursor_day: object) -> tuple[str, ...]:
    """
    The statements to run in turn, from the cursor on. In ascending order those without the day come last, where no
    index has them: they are a section of their own.
    """
    if sort.startswith("-") or sort not in _DAYS:
        return (sort,)
    return (sort, sort + _UNDATED) if cursor_day != "" else (sort + _UNDATED,)


def _in_section(section: str) -> list[ColumnElement[bool]]:
    if section.endswith(_UNDATED):
        return [_DAYS[section.removesuffix(_UNDATED)] == ""]
    return [_DAYS[section] != ""] if section in _DAYS else []


def _after_cursor(section: str) -> ColumnElement[bool]:
    """Not `day < x OR (day = x AND id > y)`: this way the day limits where the index is entered."""
    day, cursor_day, cursor_id = _DAYS.get(section.removeprefix("-")), _text("cursor_day"), _integer("cursor_id")
    if day is None:
        return orders.c.id < cursor_id if section == "-id" else orders.c.id > cursor_id
    if section.startswith("-"):
        return and_(day <= cursor_day, or_(day < cursor_day, orders.c.id > cursor_id))
    return and_(day >= cursor_day, or_(day > cursor_day, orders.c.id > cursor_id))


def _sort_columns(section: str) -> tuple[ColumnElement[Any], ...]:
    day = _DAYS.get(section.removeprefix("-"))
    if day is None:
        return (orders.c.id.desc() if section == "-id" else orders.c.id,)
    return (day.desc() if section.startswith("-") else day, orders.c.id)


@lru_cache(maxsize=512)
def _page_statement(conditions: frozenset[str], section: str, *, has_cursor: bool) -> Select[*tuple[Any, ...]]:
    """Cached, so that each combination is compiled once."""
    return (
        select(*orders.c["id", "version", "shop_day", "finish_day", "document"], last_seen.c.synced_at, HAS_PENDING)
        .join(last_seen, and_(last_seen.c.workshop == orders.c.workshop, last_seen.c.order_id == orders.c.id))
        .where(*_where(conditions), *_in_section(section), *([_after_cursor(section)] if has_cursor else []))
        .order_by(*_sort_columns(section))
        .limit(_integer("at_most"))
    )


@lru_cache(maxsize=512)
def _count_statement(conditions: frozenset[str]) -> Select[*tuple[Any, ...]]:
    return select(func.count().label("n")).select_from(orders).where(*_where(conditions))


def _where(conditions: frozenset[str]) -> list[ColumnElement[bool]]:
    return [
        orders.c.workshop == _text("of_workshop"),
        (_UNINDEXED_ARCHIVED if conditions & _NARROWING else orders.c.archived) == _integer("archived"),
        orders.c.deleted_at.is_(None),
        *(condition for name, condition in _CONDITIONS.items() if name in conditions),
    ]


def find_orders(tx: Transaction, filters: OrderFilters) -> OrderPage:
    """One page of the orders that match and are not deleted. Raises Invalid for a cursor that is not one of ours."""
    parameters = _parameters(filters)
    if parameters is None:
        return OrderPage([], None)
    rebuild = _narrow(tx, parameters)
    conditions = frozenset(_CONDITIONS.keys() & parameters.keys())
    found: list[Row] = []
    has_cursor = filters.cursor is not None
    for section in _sections(filters.sort, parameters.get("cursor_day")):
        statement = _page_statement(conditions, section, has_cursor=has_cursor)
        found += tx.fetch_all(statement, at_most=filters.limit + 1 - len(found), **parameters)
        if len(found) > filters.limit:
            break
        has_cursor = False
    page = found[: filters.limit]
    day = "finish_day" if filters.sort.endswith("finish_date") else "shop_day"
    cursor = cursors.encode([page[-1][day], page[-1]["id"]]) if page and len(found) > len(page) else None
    return OrderPage(order_documents(tx, page) if page else [], cursor, rebuild if filters.text is not None else None)


def count_orders(tx: Transaction, filters: OrderFilters) -> int:
    """How many orders match, wherever the cursor is."""
    parameters = _parameters(filters)
    if parameters is None:
        return 0
    _narrow(tx, parameters)
    statement = _count_statement(frozenset(_CONDITIONS.keys() & parameters.keys()))
    found: int = tx.fetch_all(statement, **parameters)[0]["n"]
    return found


_COUNT_PLATES = select(func.count().label("n")).select_from(
    select(lookup_keys.c.order_id).where(*_HAS_PLATE_KEY).limit(MAX_RARE_PLATES + 1).subquery()
)
_COUNT_TEXTS = select(func.count().label("n")).select_from(
    select(_text_matches.c.order_id).limit(MAX_RARE_TEXTS + 1).subquery()
)


def _narrow(tx: Transaction, parameters: dict[str, object]) -> RebuildProgress | None:
    """
    Add the parameters of a condition that an index answers, where it is rare; it only narrows down what the others
    compare. Not while that index is being rebuilt: the result is the progress.
    """
    texts = [str(parameters[name]) for name in ("person", "phone", "email") if name in parameters]
    texts += json.loads(str(parameters.get("text", "[]")))
    runs = trigrams.extract_runs(" ".join(texts))
    plate = str(parameters.get("plate", ""))
    has_plate = len(plate) >= MIN_PLATE_SUFFIX
    if not (runs or has_plate or "text" in parameters):
        return None
    rebuild = read_rebuild_progress(tx)
    if rebuild is not None:
        return rebuild
    plate_key = {"plate_key": plate, "plate_end": end_of_prefix(plate)} if has_plate else {}
    text_runs = {"text_runs": to_json(runs)} if runs else {}
    if plate_key and tx.fetch_all(_COUNT_PLATES, **plate_key)[0]["n"] <= MAX_RARE_PLATES:
        parameters |= plate_key
    elif text_runs and tx.fetch_all(_COUNT_TEXTS, **text_runs)[0]["n"] <= MAX_RARE_TEXTS:
        parameters |= text_runs
    return None


def _first_day(text: str) -> str:
    return text[:10]


def _folded_words(text: str) -> str:
    return to_json(sorted(set(fold(text).split())))


_PARAMETERS: dict[str, Callable[[str], str]] = {
    "plate": fold_plate,
    "phone": fold_asked_phone,
    "person": fold,
    "email": fold,
    "status": fold_key,
    "damage": fold_key,
    **dict.fromkeys(("after", "before", "finish_after", "finish_before"), _first_day),
    "changed_since": str,
    "text": _folded_words,
}


def _parameters(filters: OrderFilters) -> dict[str, object] | None:
    """The statements' parameters; None where nothing can match."""
    parameters: dict[str, object] = {"archived": int(filters.archived)}
    for name, convert in _PARAMETERS.items():
        given = getattr(filters, name)
        if given is not None:
            parameters[name] = convert(sanitize_text(given))
    if "" in (parameters.get("plate"), parameters.get("phone")):
        return None
    if filters.missing_parts is not None:
        parameters["missing_parts"] = int(filters.missing_parts)
    if filters.station is not None:
        station = sanitize_text(filters.station)
        if "@" in station:
            parameters["station_and_state"] = station
            parameters["station_id"], _, parameters["station_state"] = station.partition("@")
        else:
            parameters["station"] = station
    if filters.cursor is not None:
        parameters["cursor_day"], parameters["cursor_id"] = parse_cursor(filters.cursor)
    return parameters


def parse_cursor(cursor: str) -> tuple[str, int]:
    """Day and id of the last order of the page before. Raises Invalid."""
    match cursors.decode(cursor):
        case [str(day), int(order_id)] if _DAY.fullmatch(day) and type(order_id) is int and abs(order_id) < 2**63:
            return day, order_id
    raise cursors.invalid_cursor()


_SAME_PLATE = (
    select(orders.c.id, orders.c.document)
    .where(
        orders.c.workshop == _text("of_workshop"),
        orders.c.plate_key == _text("plate"),
        _UNINDEXED_ARCHIVED == 0,
        orders.c.deleted_at.is_(None),
    )
    .order_by(orders.c.shop_day.desc(), orders.c.id)
    .limit(100)
)


def find_overlapping_orders(tx: Transaction, values: Mapping[str, Value]) -> list[int]:
    """The current orders with the number plate in `values` (by field path) that are in the workshop at that time."""
    plate = fold_plate(str(values.get(PLATE) or ""))
    rows = tx.fetch_all(_SAME_PLATE, plate=plate) if plate else []
    return [row["id"] for row in rows if do_stays_overlap(values, json.loads(row["document"]))]
