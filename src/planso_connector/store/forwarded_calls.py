"""
SQL of the forwarded calls: what one process asks of the process that has the workshop's PlanSo lease. A row lives from
the call until its response is fetched, until its caller gives up, or until it expires.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from sqlalchemy import BigInteger, ColumnElement, Text, bindparam, delete, func, insert, select, update

from planso_connector.domain.clock import Instant
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.tables import forwarded_calls


class CallState(StrEnum):
    WAITING = "waiting"
    BEGUN = "begun"
    """A process executes it, or did before it died. It is not begun again."""
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class ForwardedCall:
    """`request` and `response` are JSON. `holder` is the process that began it."""

    id: str
    kind: str
    request: str
    created_at: Instant
    expires_at: Instant
    state: CallState = CallState.WAITING
    response: str | None = None
    holder: str | None = None


c = forwarded_calls.c
_OF_WORKSHOP = c.workshop == bindparam("of_workshop")
_IS_ID = _OF_WORKSHOP, c.id == bindparam("of_id")
_IS_ALIVE = c.expires_at > bindparam("now")
_COLUMNS = [column for column in c if column.name != "workshop"]


def _is(state: CallState) -> ColumnElement[bool]:
    return c.state == state.value


_INSERT = insert(forwarded_calls).values(row_parameters(forwarded_calls))
_COUNT = select(func.count().label("count")).select_from(forwarded_calls).where(_OF_WORKSHOP, _IS_ALIVE)
_GET = select(*_COLUMNS).where(*_IS_ID)
_NEXT = (
    select(*_COLUMNS)
    .where(_OF_WORKSHOP, _is(CallState.WAITING), _IS_ALIVE)
    .order_by(c.created_at, c.id)
    .limit(bindparam("at_most", type_=BigInteger))
    .with_for_update(skip_locked=True)
)
_BEGIN = (
    update(forwarded_calls)
    .where(*_IS_ID, _is(CallState.WAITING))
    .values(state=CallState.BEGUN.value, holder=bindparam("holder"))
)
_ANSWER = (
    update(forwarded_calls)
    .where(*_IS_ID, _is(CallState.BEGUN), c.holder == bindparam("of_holder"), _IS_ALIVE)
    .values(state=CallState.ANSWERED.value, response=bindparam("response", type_=Text))
)
_DELETE = delete(forwarded_calls).where(*_IS_ID)
_WORKSHOPS = select(c.workshop).where(_is(CallState.WAITING), _IS_ALIVE).distinct().order_by(c.workshop)
_DROP_EXPIRED = delete(forwarded_calls).where(~_IS_ALIVE)


def add(tx: Transaction, call: ForwardedCall, *, at_most: int) -> bool:
    """False, with nothing done, where the workshop has as many calls as it may."""
    if tx.fetch_all(_COUNT, now=call.created_at)[0]["count"] >= at_most:
        return False
    tx.execute(_INSERT, **asdict(call))
    return True


def get(tx: Transaction, call_id: str) -> ForwardedCall | None:
    found = tx.fetch_all(_GET, of_id=call_id)
    return _from_row(found[0]) if found else None


def begin(tx: Transaction, *, holder: str, now: Instant, at_most: int) -> list[ForwardedCall]:
    """The calls that wait longest, each of which is `holder`'s to execute now, once."""
    found = [_from_row(row) for row in tx.fetch_all(_NEXT, now=now, at_most=at_most)]
    begun = [call for call in found if tx.execute(_BEGIN, of_id=call.id, holder=holder) == 1]
    return [replace(call, state=CallState.BEGUN, holder=holder) for call in begun]


def answer(tx: Transaction, call_id: str, response: str, *, holder: str, now: Instant) -> bool:
    """False where nobody waits for it any more."""
    return tx.execute(_ANSWER, of_id=call_id, response=response, of_holder=holder, now=now) == 1


def remove(tx: Transaction, call_id: str) -> bool:
    return tx.execute(_DELETE, of_id=call_id) == 1


def list_workshops_waiting(tx: Transaction, *, now: Instant) -> list[str]:
    """Of the whole installation: the workshops with calls that nobody has begun."""
    return [row["workshop"] for row in tx.fetch_all(_WORKSHOPS, now=now)]


def drop_expired(tx: Transaction, *, now: Instant) -> int:
    """Of the whole installation."""
    return tx.execute(_DROP_EXPIRED, now=now)


def _from_row(row: Mapping[str, str]) -> ForwardedCall:
    return ForwardedCall(**{**row, "state": CallState(row["state"])})  # type: ignore[arg-type]
