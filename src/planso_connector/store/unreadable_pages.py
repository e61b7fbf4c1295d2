"""A bounded number of PlanSo's pages that could not be read, kept to fix the parsers with."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, delete, func, insert, or_, select

from planso_connector.domain.clock import Instant
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.order_rows import sanitize_text
from planso_connector.store.tables import unreadable_pages


@dataclass(frozen=True, slots=True)
class UnreadablePage:
    """`kind` is `list`, `form`, `parts` or a section's name; `content` is what PlanSo sent, perhaps cut."""

    id: str
    kind: str
    order_id: int | None
    reason: str
    content: str
    kept_at: Instant


_OF_WORKSHOP = unreadable_pages.c.workshop == bindparam("of_workshop")
_NEWEST_FIRST = unreadable_pages.c.kept_at.desc(), unreadable_pages.c.id.desc()
_NEW = insert(unreadable_pages).values(row_parameters(unreadable_pages))
_DROP_SAME = delete(unreadable_pages).where(
    _OF_WORKSHOP,
    unreadable_pages.c.kind == bindparam("of_kind"),
    unreadable_pages.c.order_id.is_not_distinct_from(bindparam("of_order", type_=BigInteger)),
)
_BY_AGE = (
    select(
        unreadable_pages.c.id,
        func.row_number().over(order_by=_NEWEST_FIRST).label("pages"),
        func.sum(func.octet_length(unreadable_pages.c.content)).over(order_by=_NEWEST_FIRST).label("bytes"),
    )
    .where(_OF_WORKSHOP)
    .subquery()
)
_DROP_OLDEST = delete(unreadable_pages).where(
    _OF_WORKSHOP,
    unreadable_pages.c.id.in_(
        select(_BY_AGE.c.id).where(
            or_(
                _BY_AGE.c.pages > bindparam("at_most", type_=BigInteger),
                _BY_AGE.c.bytes > bindparam("at_most_bytes", type_=BigInteger),
            )
        )
    ),
)
_ALL = select(*(c for c in unreadable_pages.c if c.name != "workshop")).where(_OF_WORKSHOP).order_by(*_NEWEST_FIRST)
_DELETE = delete(unreadable_pages).where(_OF_WORKSHOP, unreadable_pages.c.id == bindparam("of_id"))


def save(
    tx: Transaction,
    *,
    kind: str,
    order_id: int | None,
    reason: str,
    content: str,
    now: Instant,
    at_most: int = 20,
    at_most_bytes: int = 500_000,
) -> None:
    """
    Save a page in place of an earlier one of the same kind and order. The workshop's oldest pages are deleted until
    both bounds hold; a page larger than `at_most_bytes` in UTF-8 is cut.
    """
    content = sanitize_text(content).encode()[:at_most_bytes].decode(errors="ignore")
    tx.execute(_DROP_SAME, of_kind=kind, of_order=order_id)
    page_id = "page_" + secrets.token_hex(10)
    page = {"kind": kind, "order_id": order_id, "reason": sanitize_text(reason), "content": content, "kept_at": now}
    tx.execute(_NEW, id=page_id, **page)
    tx.execute(_DROP_OLDEST, at_most=at_most, at_most_bytes=at_most_bytes)


def list_all(tx: Transaction) -> list[UnreadablePage]:
    """Newest first."""
    return [UnreadablePage(**row) for row in tx.fetch_all(_ALL)]


def delete_pages(tx: Transaction, ids: Iterable[str]) -> int:
    """Returns how many were deleted."""
    return sum(tx.execute(_DELETE, of_id=page_id) for page_id in ids)
