"""Webhooks: the receivers of events, what they did not take yet, and each attempt."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import Instant
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.tables import change_feed, webhook_attempts, webhook_retries, webhooks

NO_ORDER = 0
"""In place of an order's id."""
BATCH = 500
"""Attempts that one transaction of the retention deletes."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A row of `webhooks`, without the workshop."""

    id: str
    url: str
    types: tuple[str, ...]
    has_fields: bool
    secret: str
    previous_secret: str | None
    previous_until: Instant | None
    created_at: Instant
    number: int
    failures: int
    failing_since: Instant | None
    delivered_at: Instant | None
    disabled_at: Instant | None
    disabled_reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """An event to be sent again; `attempts` failed so far. `order_id` may be NO_ORDER."""

    number: int
    order_id: int
    attempts: int
    next_at: Instant


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `webhook_attempts`, without the workshop."""

    id: str
    webhook: str
    event: str
    number: int | None
    type: str
    order_id: int | None
    at: Instant
    status: int | None
    outcome: str
    milliseconds: int
    response: str


_w, _r, _a = webhooks.c, webhook_retries.c, webhook_attempts.c
_IS_WEBHOOK = _w.workshop == bindparam("of_workshop"), _w.id == bindparam("of_id")
_RETRIES_OF = _r.workshop == bindparam("of_workshop"), _r.webhook == bindparam("of_webhook")
_AT_MOST = bindparam("at_most", type_=BigInteger)
_COLUMNS = [column for column in _w if column.name != "workshop"]

_NEW = insert(webhooks).values(row_parameters(webhooks))
_GET = select(*_COLUMNS).where(*_IS_WEBHOOK)
_LIST = select(*_COLUMNS).where(_w.workshop == bindparam("of_workshop")).order_by(_w.created_at, _w.id)
_ENABLED = select(_w.workshop, _w.id).where(_w.disabled_at.is_(None)).order_by(_w.workshop, _w.id)
_CHANGE = (
    update(webhooks)
    .where(*_IS_WEBHOOK)
    .values(
        url=bindparam("url"),
        types=bindparam("types"),
        has_fields=bindparam("has_fields", type_=Integer),
        disabled_at=bindparam("disabled_at", type_=Text),
        disabled_reason=bindparam("disabled_reason"),
    )
)
_ROTATE = (
    update(webhooks)
    .where(*_IS_WEBHOOK)
    .values(secret=bindparam("secret"), previous_secret=_w.secret, previous_until=bindparam("until"))
)
_DELETE = delete(webhooks).where(*_IS_WEBHOOK)
_SET_PROGRESS = (
    update(webhooks)
    .where(*_IS_WEBHOOK)
    .values(
        number=bindparam("number", type_=BigInteger),
        failures=bindparam("failures", type_=Integer),
        failing_since=bindparam("failing_since", type_=Text),
        delivered_at=bindparam("delivered_at", type_=Text),
    )
)
_DISABLE = (
    update(webhooks)
    .where(*_IS_WEBHOOK, _w.disabled_at.is_(None))
    .values(disabled_at=bindparam("disabled_at"), disabled_reason=bindparam("reason"))
)
_ENABLE = (
    update(webhooks).where(*_IS_WEBHOOK).values(disabled_at=None, disabled_reason="", failures=0, failing_since=None)
)
_SET_NUMBER = update(webhooks).where(*_IS_WEBHOOK).values(number=bindparam("number", type_=BigInteger))
_NUMBER_BEFORE = select(func.max(change_feed.c.number).label("number")).where(
    change_feed.c.workshop == bindparam("of_workshop"),
    change_feed.c.number.is_not(None),
    change_feed.c.at < bindparam("since"),
)

_RETRIES = (
    select(*_r["number", "order_id", "attempts", "next_at"]).where(*_RETRIES_OF).order_by(_r.number).limit(_AT_MOST)
)
_DUE = select(_r.number).where(*_RETRIES_OF, _r.next_at <= bindparam("now")).limit(1)
_NEW_RETRY = insert(webhook_retries).values(row_parameters(webhook_retries))
_PUT_RETRY = _NEW_RETRY.on_conflict_do_update(
    index_elements=["workshop", "webhook", "number"],
    set_={"attempts": _NEW_RETRY.excluded.attempts, "next_at": _NEW_RETRY.excluded.next_at},
)
_DELETE_RETRY = delete(webhook_retries).where(*_RETRIES_OF, _r.number == bindparam("of_number", type_=BigInteger))
_DELETE_RETRIES = delete(webhook_retries).where(*_RETRIES_OF)
_ALL_DUE = update(webhook_retries).where(*_RETRIES_OF).values(next_at=bindparam("now"))

_NEW_ATTEMPT = insert(webhook_attempts).values(row_parameters(webhook_attempts))
_ATTEMPT_COLUMNS = [column for column in _a if column.name != "workshop"]
_ATTEMPTS = (
    select(*_ATTEMPT_COLUMNS)
    .where(_a.workshop == bindparam("of_workshop"), _a.webhook == bindparam("of_webhook"))
    .order_by(_a.at.desc(), _a.id.desc())
    .limit(_AT_MOST)
)
_ATTEMPT = select(*_ATTEMPT_COLUMNS).where(_a.workshop == bindparam("of_workshop"), _a.id == bindparam("of_id"))
_DELETE_ATTEMPTS = delete(webhook_attempts).where(
    _a.workshop == bindparam("of_workshop"), _a.webhook == bindparam("of_webhook")
)
_EXPUNGE = (
    update(webhook_attempts)
    .where(_a.workshop == bindparam("of_workshop"), _a.webhook == bindparam("of_webhook"), _a.response != "")
    .values(response="")
)
_OLD_ATTEMPTS = (
    select(_a.id)
    .where(_a.workshop == bindparam("of_workshop"), _a.at < bindparam("before"))
    .order_by(_a.at)
    .limit(_AT_MOST)
)
_DROP_ATTEMPTS = delete(webhook_attempts).where(
    _a.workshop == bindparam("of_workshop"), _a.id.in_(_OLD_ATTEMPTS.scalar_subquery())
)


def record(tx: Transaction, webhook: Webhook) -> None:
    tx.execute(_NEW, **_to_row(webhook))


def get(tx: Transaction, webhook_id: str) -> Webhook | None:
    found = tx.fetch_all(_GET, of_id=webhook_id)
    return _from_row(found[0]) if found else None


def list_all(tx: Transaction) -> list[Webhook]:
    """Those of the workshop, the oldest first."""
    return [_from_row(row) for row in tx.fetch_all(_LIST)]


def list_enabled(tx: Transaction) -> list[tuple[str, str]]:
    """Workshop and id of each that is not switched off, of all workshops."""
    return [(row["workshop"], row["id"]) for row in tx.fetch_all(_ENABLED)]


def change(tx: Transaction, webhook: Webhook) -> None:
    """Store its address, types, fields, and whether it is switched off."""
    row = _to_row(webhook)
    names = ("url", "types", "has_fields", "disabled_at", "disabled_reason")
    tx.execute(_CHANGE, of_id=webhook.id, **{name: row[name] for name in names})


def rotate(tx: Transaction, webhook_id: str, secret: str, *, until: Instant) -> None:
    """The former secret signs too until then."""
    tx.execute(_ROTATE, of_id=webhook_id, secret=secret, until=until)


def remove(tx: Transaction, webhook_id: str) -> bool:
    """False where there is none."""
    tx.execute(_DELETE_RETRIES, of_webhook=webhook_id)
    tx.execute(_DELETE_ATTEMPTS, of_webhook=webhook_id)
    return tx.execute(_DELETE, of_id=webhook_id) == 1


def set_progress(tx: Transaction, webhook: Webhook) -> None:
    """Store how far it is, and whether it fails."""
    tx.execute(
        _SET_PROGRESS,
        of_id=webhook.id,
        number=webhook.number,
        failures=webhook.failures,
        failing_since=webhook.failing_since,
        delivered_at=webhook.delivered_at,
    )


def disable(tx: Transaction, webhook_id: str, reason: str, *, now: Instant) -> bool:
    """False where it is switched off already."""
    return tx.execute(_DISABLE, of_id=webhook_id, disabled_at=now, reason=reason) == 1


def enable(tx: Transaction, webhook_id: str, *, now: Instant) -> None:
    """Go on where it ended; what it did not take is due at once."""
    tx.execute(_ENABLE, of_id=webhook_id)
    make_all_due(tx, webhook_id, now)


def go_back(tx: Transaction, webhook_id: str, since: Instant) -> None:
    """Have the events since then delivered again, in their order."""
    before = tx.fetch_all(_NUMBER_BEFORE, since=since)[0]["number"] or 0
    tx.execute(_DELETE_RETRIES, of_webhook=webhook_id)
    tx.execute(_SET_NUMBER, of_id=webhook_id, number=before)


def list_retries(tx: Transaction, webhook_id: str, limit: int) -> list[Retry]:
    """The first ones by number, due or not."""
    return [Retry(**row) for row in tx.fetch_all(_RETRIES, of_webhook=webhook_id, at_most=limit)]


def has_due(tx: Transaction, webhook_id: str, now: Instant) -> bool:
    """Whether an event is to be sent again by now, its order's first one or not."""
    return bool(tx.fetch_all(_DUE, of_webhook=webhook_id, now=now))


def make_all_due(tx: Transaction, webhook_id: str, now: Instant) -> None:
    tx.execute(_ALL_DUE, of_webhook=webhook_id, now=now)


def put_retries(tx: Transaction, webhook_id: str, retries: Iterable[Retry]) -> None:
    tx.execute_many(_PUT_RETRY, [{"webhook": webhook_id, **asdict(retry)} for retry in retries])


def delete_retries(tx: Transaction, webhook_id: str, numbers: Collection[int]) -> None:
    tx.execute_many(_DELETE_RETRY, [{"of_webhook": webhook_id, "of_number": number} for number in numbers])


def record_attempts(tx: Transaction, attempts: Iterable[Attempt]) -> None:
    rows: list[dict[str, Any]] = [asdict(attempt) for attempt in attempts]
    tx.execute_many(_NEW_ATTEMPT, [{**row, "response": sanitize_text(row["response"])} for row in rows])


def list_attempts(tx: Transaction, webhook_id: str, limit: int) -> Sequence[Attempt]:
    """The last ones first."""
    return [Attempt(**row) for row in tx.fetch_all(_ATTEMPTS, of_webhook=webhook_id, at_most=limit)]


def get_attempt(tx: Transaction, attempt_id: str) -> Attempt | None:
    found = tx.fetch_all(_ATTEMPT, of_id=attempt_id)
    return Attempt(**found[0]) if found else None


def expunge(tx: Transaction, webhook_id: str) -> int:
    """Empty what its attempts keep of responses; returns of how many."""
    return tx.execute(_EXPUNGE, of_webhook=webhook_id)


def drop_attempts(tx: Transaction, before: Instant) -> int:
    """Delete a batch of the attempts from before; returns how many."""
    return tx.execute(_DROP_ATTEMPTS, before=before, at_most=BATCH)


def _to_row(webhook: Webhook) -> dict[str, Any]:
    return {**asdict(webhook), "types": to_json(list(webhook.types)), "has_fields": int(webhook.has_fields)}


def _from_row(row: Row) -> Webhook:
    return Webhook(**{**row, "types": tuple(json.loads(row["types"])), "has_fields": bool(row["has_fields"])})
