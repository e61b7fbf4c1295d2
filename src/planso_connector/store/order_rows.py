"""Convert orders and parts to rows and back, and rows to the documents that responses show."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Text, bindparam, exists, literal_column, select

from planso_connector.domain.fields import MEMBERS, MIRRORED, FieldGroup, Value
from planso_connector.domain.folding import fold, fold_key, fold_phone, fold_plate
from planso_connector.domain.operation import OperationState
from planso_connector.domain.order import Order, OrderDocument, OversizedText, UnreadableValue, compute_etag
from planso_connector.domain.part import Part
from planso_connector.store.engine.expressions import is_in_ids
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.tables import operations, orders

MAX_TEXT_LENGTH = 100_000
"""Characters of an order that free text search finds."""

_ORDER_TEXTS = ("short_name", "plate", "station_id", "station_state", "employee_id", "position", "list_finish_date")
"""Members of Order that are columns of the same name."""
_PART_COLUMNS = tuple(field.name for field in dataclass_fields(Part) if field.name != "order_id")
_PART_FLAGS = frozenset(name for name in _PART_COLUMNS if name.startswith("is_"))


def to_json(value: object) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def sanitize_text(text: str) -> str:
    """Replace what PostgreSQL or UTF-8 can't hold: NUL and lone surrogates become U+FFFD."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "\ufffd")


def sanitize_order(order: Order) -> Order:
    if not _needs_sanitizing(order):
        return order
    return replace(
        order,
        **{name: _sanitize(getattr(order, name)) for name in _ORDER_TEXTS},
        values={path: _sanitize(value) for path, value in order.values.items()},
        fields={sanitize_text(label): sanitize_text(value) for label, value in order.fields.items()},
        parts=tuple(_sanitize_part(part) for part in order.parts),
        unreadable={sanitize_text(path): _sanitize_unreadable(doubt) for path, doubt in order.unreadable.items()},
    )


def _needs_sanitizing(order: Order) -> bool:
    """Whether `sanitize_order` changes anything; nearly all orders stay as they are."""
    values = [getattr(order, name) for name in _ORDER_TEXTS]
    values += [*order.values.values(), *order.fields, *order.fields.values(), *order.unreadable]
    values += [doubt if isinstance(doubt, str) else doubt.text for doubt in order.unreadable.values()]
    values += [getattr(part, name) for part in order.parts for name in _PART_COLUMNS]
    text = "\n".join([value for value in values if isinstance(value, str)])
    return text != sanitize_text(text)


def _sanitize_unreadable(doubt: UnreadableValue) -> UnreadableValue:
    return sanitize_text(doubt) if isinstance(doubt, str) else doubt._replace(text=sanitize_text(doubt.text))


def _sanitize(value: Any) -> Any:
    return sanitize_text(value) if isinstance(value, str) else value


def _sanitize_part(part: Part) -> Part:
    return Part(part.order_id, **{name: _sanitize(getattr(part, name)) for name in _PART_COLUMNS})


FOLDED_COLUMNS = ("plate_key", "person_key", "phone_key", "email_key", "damage_key", "status_key", "text_key")
"""Columns of `orders` that searches compare with folded text; a change of `fold` needs a rebuild."""


def order_columns(order: Order) -> dict[str, object]:
    """The columns of `orders` that are derived from the order alone, except `document`."""
    values = order.values

    def folded(path: str) -> str:
        return fold(str(values.get(path) or ""))

    mirrored = {field.column: _stored(values.get(field.path)) for field in MIRRORED}
    return {
        "archived": int(order.archived),
        **{name: getattr(order, name) for name in _ORDER_TEXTS},
        "missing_parts": int(order.missing_parts),
        **mirrored,
        "shop_day": str(values.get("shop_date") or "")[:10],
        "finish_day": str(values.get("finish_date") or "")[:10],
        "plate_key": fold_plate(order.plate or ""),
        "person_key": folded("person"),
        "phone_key": fold_phone(str(values.get("phone") or "")),
        "email_key": folded("email"),
        "damage_key": fold_key(str(values.get("damage") or "")),
        "status_key": fold_key(str(values.get("project_status") or "")),
        "text_key": text_key(order),
    }


def text_key(order: Order) -> str:
    """
    The text that free text search looks through: all values and parts, folded, and plate and phone number as their
    filters fold them. Text beyond `MAX_TEXT_LENGTH` characters is not found.
    """
    searched = [order.short_name, order.plate, *(order.values.get(path) for path in ("person", "phone", "email"))]
    searched += [*order.values.values(), *order.fields.values()]
    for part in order.parts:
        searched += [part.description, part.part_no, part.order_no, part.lead_no, part.status]
    texts = (text for text in dict.fromkeys(searched) if isinstance(text, str) and text)
    keys = fold_plate(order.plate or "").lower(), fold_phone(str(order.values.get("phone") or ""))
    return " ".join([fold(" ".join(_within(texts, MAX_TEXT_LENGTH)))[:MAX_TEXT_LENGTH], *filter(None, keys)])


def _within(texts: Iterable[str], room: int) -> Iterator[str]:
    """The texts up to the first one that exceeds `room` characters in total."""
    for text in texts:
        room -= len(text) + 1
        if room < 0:
            return
        yield text


def _stored(value: Value) -> Value:
    return int(value) if isinstance(value, bool) else value


def order_from_row(row: Row, parts: Sequence[Part]) -> Order:
    """The order of a row of `orders` and its parts; values that have no column are read from its document."""
    document = json.loads(row["document"])
    values: dict[str, Value] = {}
    for group, members in MEMBERS.items():
        holder = document if group is FieldGroup.ORDER else document[group.value]
        values |= {path: holder.get(name) for name, path in members}
    return Order(
        id=row["id"],
        **{name: row[name] for name in _ORDER_TEXTS},
        missing_parts=bool(row["missing_parts"]),
        values=values,
        fields={label: text or "" for label, text in document["fields"].items()},
        parts=tuple(parts),
        archived=bool(row["archived"]),
        unreadable={doubt.pop("field"): _unreadable(doubt) for doubt in document.get("doubts", ())},
    )


def _unreadable(value: dict[str, Any]) -> UnreadableValue:
    return OversizedText(**value) if "length" in value else str(value["text"])


def part_columns(part: Part) -> dict[str, object]:
    """The columns of `parts` that are derived from the part alone."""
    columns = {name: _stored(cast("Value", getattr(part, name))) for name in _PART_COLUMNS}
    return {**columns, "is_missing": int(part.is_missing)}


def part_from_row(row: Row) -> Part:
    columns: Row = {name: bool(row[name]) if name in _PART_FLAGS else row[name] for name in _PART_COLUMNS}
    return Part(row["order_id"], **columns)


_IS_PENDING = operations.c.workshop == orders.c.workshop, operations.c.state == OperationState.PENDING.value
HAS_PENDING = exists(literal_column("1")).where(*_IS_PENDING, operations.c.order_id == orders.c.id).label("has_pending")

# Not sorted here: SQLite would read the index that is sorted so, with every operation there ever was.
_PENDING = select(*operations.c["order_id", "id", "action", "asked", "created_at"]).where(
    operations.c.workshop == bindparam("of_workshop"),
    operations.c.state == OperationState.PENDING.value,
    is_in_ids(operations.c.order_id, bindparam("ids", type_=Text)),
)


def order_documents(tx: Transaction, rows: Sequence[Row]) -> list[OrderDocument]:
    """
    Render rows (`id`, `version`, `document`, `synced_at`, `has_pending`) as responses show them, with their pending
    writes.
    """
    ids = [row["id"] for row in rows if row["has_pending"]]
    found = tx.fetch_all(_PENDING, ids=to_json(ids)) if ids else []
    pending: dict[int, list[Row]] = {}
    for operation in sorted(found, key=itemgetter("created_at", "id")):
        pending.setdefault(operation["order_id"], []).append(operation)
    return [_render(row, pending.get(row["id"], ())) for row in rows]


def _render(row: Row, pending: Sequence[Row]) -> OrderDocument:
    """
    Add to the stored document what changes without a new version, and the id by its name in requests, without parsing.
    """
    writes = ",".join(map(_render_pending, pending))
    rest = f'"last_synced_at":"{row["synced_at"]}","version":{row["version"]},"pending":[{writes}]'
    document = row["document"]
    # Its last member is the object `fields`, or the list `doubts` where there are some: see Order.document.
    doubts = "" if document.endswith("]}") else '"doubts":[],'
    tag = compute_etag(row["version"], [operation["id"] for operation in pending])
    whole = f'{{"order_id":{row["id"]},{document[1:-1]},{doubts}{rest}}}'
    return OrderDocument(row["id"], tag, whole)


def _render_pending(operation: Row) -> str:
    head = to_json({"operation_id": operation["id"], "action": operation["action"]})
    return f'{head[:-1]},"asked":{operation["asked"]},"created_at":"{operation["created_at"]}"}}'
