"""What phone agents leave for the workshop's people to take care of."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import BigInteger, bindparam, insert, select, update

from planso_connector.domain.clock import Instant
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.order_rows import sanitize_text
from planso_connector.store.tables import notices


@dataclass(frozen=True, slots=True)
class Notice:
    """A row of `notices`. `reason`, `name`, `phone` and `plate` are as the phone agent heard them."""

    id: str
    created_at: Instant
    caller: str
    content: str
    reason: str
    order_id: int | None = None
    operation: str | None = None
    name: str = ""
    phone: str = ""
    plate: str = ""
    done_at: Instant | None = None
    done_by: str = ""


_TEXTS = ("caller", "reason", "name", "phone", "plate", "done_by")
c = notices.c
_OF_WORKSHOP = c.workshop == bindparam("of_workshop")
_COLUMNS = [column for column in c if column.name != "workshop"]
_NEW = insert(notices).values(row_parameters(notices))
_GET = select(*_COLUMNS).where(_OF_WORKSHOP, c.id == bindparam("of_id"))
_REPEATED = (
    select(*_COLUMNS)
    .where(_OF_WORKSHOP, c.content == bindparam("of_content"), c.created_at > bindparam("after"), c.done_at.is_(None))
    .limit(1)
)
_OPEN = select(*_COLUMNS).where(_OF_WORKSHOP, c.done_at.is_(None))
_DONE = select(*_COLUMNS).where(_OF_WORKSHOP, c.done_at.is_not(None))
_AT_MOST = bindparam("at_most", type_=BigInteger)
_LIST_OPEN = _OPEN.order_by(c.created_at, c.id).limit(_AT_MOST)
_LIST_DONE = _DONE.order_by(c.done_at.desc(), c.id).limit(_AT_MOST)
_CLOSE = (
    update(notices)
    .where(_OF_WORKSHOP, c.id == bindparam("of_id"), c.done_at.is_(None))
    .values(done_at=bindparam("done_at"), done_by=bindparam("done_by"))
)


def record(tx: Transaction, notice: Notice, *, repeated_since: Instant) -> Notice:
    """The notice, or the open one with the same content that was made since then."""
    tx.lock(f"notice {tx.workshop} {notice.content}")
    earlier = tx.fetch_all(_REPEATED, of_content=notice.content, after=repeated_since)
    if earlier:
        return Notice(**earlier[0])
    row = asdict(notice)
    tx.execute(_NEW, **row | {name: sanitize_text(row[name]) for name in _TEXTS})
    return notice


def list_page(tx: Transaction, *, done: bool, limit: int) -> Sequence[Notice]:
    """Open ones, oldest first; or those that are done, the last one first."""
    return [Notice(**row) for row in tx.fetch_all(_LIST_DONE if done else _LIST_OPEN, at_most=limit)]


def get(tx: Transaction, notice_id: str) -> Notice | None:
    found = tx.fetch_all(_GET, of_id=notice_id)
    return Notice(**found[0]) if found else None


def close(tx: Transaction, notice_id: str, *, now: Instant, caller: str) -> Notice | None:
    """The notice, done from now on, or since before; None where there is none."""
    tx.execute(_CLOSE, of_id=notice_id, done_at=now, done_by=sanitize_text(caller))
    return get(tx, notice_id)
