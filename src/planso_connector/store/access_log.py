"""The access log: who was shown which orders. Kept apart from all else, and with ids alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import BigInteger, Select, bindparam, insert, select

from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import access_log


@dataclass(frozen=True, slots=True)
class Access:
    """
    `caller`, the key's id or '' without one, was shown these orders by `route`, `GET /api/orders`; `times` so often
    from `at` on until it was written down.
    """

    at: str
    caller: str
    route: str
    order_ids: tuple[int, ...]
    times: int = 1


_NEW = insert(access_log).values({c.name: bindparam(c.name, type_=c.type) for c in access_log.c})


def record(tx: Transaction, found: Iterable[Access]) -> None:
    tx.execute_many(
        _NEW,
        [
            {
                "at": one.at,
                "id": secrets.token_hex(6),
                "caller": one.caller,
                "route": one.route,
                "order_ids": f",{','.join(map(str, one.order_ids))},",
                "times": one.times,
            }
            for one in found
        ],
    )


def list_entries(
    tx: Transaction, *, order_id: int | None = None, caller: str | None = None, limit: int
) -> Sequence[Access]:
    """Newest first: those of one order, of one key, or all. Looks through the whole log; it is asked for seldom."""
    asked: dict[str, object] = {}
    if order_id is not None:
        asked["holds"] = f"%,{order_id},%"
    if caller is not None:
        asked["of_caller"] = caller
    rows = tx.fetch_all(_page("holds" in asked, "of_caller" in asked), at_most=limit, **asked)
    return [
        Access(
            row["at"],
            row["caller"],
            row["route"],
            tuple(int(one) for one in row["order_ids"].strip(",").split(",")),
            row["times"],
        )
        for row in rows
    ]


@cache
def _page(of_order: bool, of_caller: bool) -> Select[tuple[str, str, str, str, int]]:
    c = access_log.c
    asked = select(c.at, c.caller, c.route, c.order_ids, c.times).where(c.workshop == bindparam("of_workshop"))
    if of_order:
        asked = asked.where(c.order_ids.like(bindparam("holds")))
    if of_caller:
        asked = asked.where(c.caller == bindparam("of_caller"))
    return asked.order_by(c.at.desc(), c.id.desc()).limit(bindparam("at_most", type_=BigInteger))
