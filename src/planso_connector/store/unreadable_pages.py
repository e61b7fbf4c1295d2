"""Pages of PlanSo that could not be read, kept so that reading them can be mended against the real thing. Bounded."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, delete, func, insert, or_, select

from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.order_rows import sanitize_text
from planso_connector.store.tables import unreadable_pages


@dataclass(frozen=True, slots=True)
class UnreadablePage:
    """`kind` is `list`, `form`, `parts` or a section's name; `content` is what PlanSo sent, or the beginning of it."""

    id: str
    kind: str
    order_id: int | None
    reason: str
    content: str
    kept_at: str


_OF_WORKSHOP = unreadable_pages.c.workshop == bindparam("of_workshop")
_NEWEST_FIRST = unreadable_pages.c.kept_at.desc(), unreadable_pages.c.id.desc()
_KEEP = insert(unreadable_pages).values({c.name: bindparam(c.name, type_=c.type) for c in unreadable_pages.c})
_DROP_SAME = delete(unreadable_pages).where(
    _OF_WORKSHOP,
    unreadable_pages.c.kind == bindparam("of_kind"),
    unreadable_pages.c.order_id.is_not_distinct_from(bindparam("of_order", type_=BigInteger)),
)
_AGED = (
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
        select(_AGED.c.id).where(
            or_(
                _AGED.c.pages > bindparam("at_most", type_=BigInteger),
                _AGED.c.bytes > bindparam("at_most_bytes", type_=BigInteger),
            )
        )
    ),
)
_ALL = select(*(c for c in unreadable_pages.c if c.name != "workshop")).where(_OF_WORKSHOP).order_by(*_NEWEST_FIRST)
_FORGET = delete(unreadable_pages).where(_OF_WORKSHOP, unreadable_pages.c.id == bindparam("of_id"))


def save(
    tx: Transaction,
    *,
    kind: str,
    order_id: int | None,
    reason: str,
    content: str,
    now: str,
    at_most: int = 20,
    at_most_bytes: int = 500_000,
) -> None:
    """
    Keeps the page, in place of the same page of before; the oldest of the workshop's pages go until both bounds hold.
    A page that is larger than `at_most_bytes`, in UTF-8, is cut there.
    """
    content = sanitize_text(content).encode()[:at_most_bytes].decode(errors="ignore")
    tx.execute(_DROP_SAME, of_kind=kind, of_order=order_id)
    tx.execute(
        _KEEP,
        id="page_" + secrets.token_hex(10),
        kind=kind,
        order_id=order_id,
        reason=sanitize_text(reason),
        content=content,
        kept_at=now,
    )
    tx.execute(_DROP_OLDEST, at_most=at_most, at_most_bytes=at_most_bytes)


def list_all(tx: Transaction) -> list[UnreadablePage]:
    """Newest first."""
    return [UnreadablePage(**row) for row in tx.fetch_all(_ALL)]


def delete_pages(tx: Transaction, ids: Iterable[str]) -> int:
    """Lets go of pages that nobody needs any more. How many there were."""
    return sum(tx.execute(_FORGET, of_id=page_id) for page_id in ids)
