"""Pages of PlanSo that could not be read, kept so that reading them can be mended against the real thing. Bounded."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import BigInteger, bindparam, delete, func, insert, or_, select

from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.order_rows import storable
from planso_connector.store.tables import kept_pages


@dataclass(frozen=True, slots=True)
class KeptPage:
    """`kind` is `list`, `form`, `parts` or a section's name; `content` is what PlanSo sent, or the beginning of it."""

    id: str
    kind: str
    order_id: int | None
    reason: str
    content: str
    kept_at: str


_OF_WORKSHOP = kept_pages.c.workshop == bindparam("of_workshop")
_NEWEST_FIRST = kept_pages.c.kept_at.desc(), kept_pages.c.id.desc()
_KEEP = insert(kept_pages).values({c.name: bindparam(c.name, type_=c.type) for c in kept_pages.c})
_DROP_SAME = delete(kept_pages).where(
    _OF_WORKSHOP,
    kept_pages.c.kind == bindparam("of_kind"),
    kept_pages.c.order_id.is_not_distinct_from(bindparam("of_order", type_=BigInteger)),
)
_AGED = (
    select(
        kept_pages.c.id,
        func.row_number().over(order_by=_NEWEST_FIRST).label("pages"),
        func.sum(func.octet_length(kept_pages.c.content)).over(order_by=_NEWEST_FIRST).label("bytes"),
    )
    .where(_OF_WORKSHOP)
    .subquery()
)
_DROP_OLDEST = delete(kept_pages).where(
    _OF_WORKSHOP,
    kept_pages.c.id.in_(
        select(_AGED.c.id).where(
            or_(
                _AGED.c.pages > bindparam("at_most", type_=BigInteger),
                _AGED.c.bytes > bindparam("at_most_bytes", type_=BigInteger),
            )
        )
    ),
)
_ALL = select(*(c for c in kept_pages.c if c.name != "workshop")).where(_OF_WORKSHOP).order_by(*_NEWEST_FIRST)
_FORGET = delete(kept_pages).where(_OF_WORKSHOP, kept_pages.c.id == bindparam("of_id"))


def keep(
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
    content = storable(content).encode()[:at_most_bytes].decode(errors="ignore")
    tx.run(_DROP_SAME, of_kind=kind, of_order=order_id)
    tx.run(
        _KEEP,
        id="page_" + secrets.token_hex(10),
        kind=kind,
        order_id=order_id,
        reason=storable(reason),
        content=content,
        kept_at=now,
    )
    tx.run(_DROP_OLDEST, at_most=at_most, at_most_bytes=at_most_bytes)


def all(tx: Transaction) -> list[KeptPage]:  # noqa: A001 - said as `kept_pages.all`
    """Newest first."""
    return [KeptPage(**row) for row in tx.rows(_ALL)]


def forget(tx: Transaction, ids: Iterable[str]) -> int:
    """Lets go of pages that nobody needs any more. How many there were."""
    return sum(tx.run(_FORGET, of_id=page_id) for page_id in ids)
