"""Sections: what each tab of an order showed. A later reading is never overwritten by an earlier one."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import CLOCK_TOLERANCE, Instant, format_instant, parse_instant
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.order_rows import sanitize_text
from planso_connector.store.tables import sections


@dataclass(frozen=True, slots=True)
class Section:
    """One tab of an order; `document` is JSON text."""

    name: str
    document: str
    read_at: Instant
    synced_at: Instant


_OF_WORKSHOP = sections.c.workshop == bindparam("of_workshop")
_OF_ORDER = _OF_WORKSHOP, sections.c.order_id == bindparam("of_order", type_=BigInteger)
_NEW = insert(sections).values(row_parameters(sections))
_SAVE = _NEW.on_conflict_do_update(
    index_elements=["workshop", "order_id", "name"],
    set_={name: _NEW.excluded[name] for name in ("document", "read_at", "synced_at")},
    where=or_(sections.c.read_at <= _NEW.excluded.read_at, sections.c.read_at > bindparam("latest")),
)
_NAMES = select(sections.c.name, sections.c.synced_at).where(*_OF_ORDER).order_by(sections.c.name)
_GET = select(sections.c.name, sections.c.document, sections.c.read_at, sections.c.synced_at).where(
    *_OF_ORDER, sections.c.name == bindparam("of_name")
)
_READ_AT = (
    select(sections.c.order_id, func.min(sections.c.read_at).label("read_at"))
    .where(_OF_WORKSHOP)
    .group_by(sections.c.order_id)
)


def save(tx: Transaction, order_id: int, name: str, document: str, *, read_at: Instant, now: Instant) -> bool:
    """
    Save what a tab of a mirrored order showed; `read_at`: when the request for it was started. False, with nothing
    changed, if a later reading is stored.
    """
    columns = {"name": name, "document": sanitize_text(document), "read_at": read_at, "synced_at": now}
    latest = format_instant(parse_instant(now) + CLOCK_TOLERANCE)
    return tx.execute(_SAVE, order_id=order_id, latest=latest, **columns) == 1


def list_names(tx: Transaction, order_id: int) -> list[tuple[str, str]]:
    """Names of the order's sections, each with when it was last read."""
    return [(row["name"], row["synced_at"]) for row in tx.fetch_all(_NAMES, of_order=order_id)]


def get(tx: Transaction, order_id: int, name: str) -> Section | None:
    found = tx.fetch_all(_GET, of_order=order_id, of_name=sanitize_text(name))
    return Section(**found[0]) if found else None


def read_at_by_order(tx: Transaction) -> dict[int, str]:
    """When the oldest section of each order was read; deleted orders too."""
    return {row["order_id"]: row["read_at"] for row in tx.fetch_all(_READ_AT)}
