"""The access log: who was shown which orders. Holds only ids."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import BigInteger, Select, bindparam, insert, select

from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import access_log


@dataclass(frozen=True, slots=True)
class Access:
    """
    The orders that a response of `route` (`GET /api/orders`) showed `caller`, the id of an API key or `""`; `times`:
    repetitions from `at` on until it was written.
    """

    at: str
    caller: str
    route: str
    order_ids: tuple[int, ...]
    times: int = 1


_NEW = insert(access_log).values(row_parameters(access_log))


def record(tx: Transaction, entries: Iterable[Access]) -> None:
    rows = [
        {
            "id": secrets.token_hex(6),
            "at": entry.at,
            "caller": entry.caller,
            "route": entry.route,
            "order_ids": f",{','.join(map(str, entry.order_ids))},",
            "times": entry.times,
        }
        for entry in entries
    ]
    tx.execute_many(_NEW, rows)


def list_entries(
    tx: Transaction, *, order_id: int | None = None, caller: str | None = None, limit: int
) -> Sequence[Access]:
    """Newest first, of one order, of one key, or all. Scans the whole log."""
    conditions: dict[str, object] = {}
    if order_id is not None:
        conditions["contains_id"] = f"%,{order_id},%"
    if caller is not None:
        conditions["of_caller"] = caller
    statement = _select("contains_id" in conditions, "of_caller" in conditions)
    rows = tx.fetch_all(statement, at_most=limit, **conditions)
    return [Access(**{**row, "order_ids": tuple(map(int, row["order_ids"].strip(",").split(",")))}) for row in rows]


@cache
def _select(of_order: bool, of_caller: bool) -> Select[tuple[str, str, str, str, int]]:
    c = access_log.c
    statement = select(c.at, c.caller, c.route, c.order_ids, c.times).where(c.workshop == bindparam("of_workshop"))
    if of_order:
        statement = statement.where(c.order_ids.like(bindparam("contains_id")))
    if of_caller:
        statement = statement.where(c.caller == bindparam("of_caller"))
    return statement.order_by(c.at.desc(), c.id.desc()).limit(bindparam("at_most", type_=BigInteger))
