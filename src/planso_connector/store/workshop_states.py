"""SQL of the state of each workshop of the installation: what its rows say of its syncs, writes and login."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, and_, bindparam, func, literal, select, union

from planso_connector.domain.clock import Instant
from planso_connector.domain.operation import OperationState
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.sync_runs import RunState
from planso_connector.store.tables import operations, rejected_logins, sync_runs, workshops, write_stops
from planso_connector.store.write_stops import WHOLE_WORKSHOP


@dataclass(frozen=True, slots=True)
class WorkshopState:
    """
    `sync_state`, `sync_message` and `sync_at` are of the newest sync, None before the first; `synced_at` is the end of
    the last successful one. `stop_reason`: why all its writes are stopped; `stopped_orders` counts stops of orders.
    """

    name: str
    pending: int
    oldest_pending_at: Instant | None
    synced_at: Instant | None
    sync_state: str | None
    sync_message: str | None
    sync_at: Instant | None
    stop_reason: str | None
    stopped_at: Instant | None
    stopped_orders: int
    login_rejected_at: Instant | None


_names = union(
    select(workshops.c.name.label("name")).where(workshops.c.removed_at.is_(None)),
    select(bindparam("default", type_=workshops.c.name.type).label("name")).where(literal(1) == literal(1)),
).subquery()
_page = (
    select(_names.c.name)
    .where(_names.c.name >= bindparam("first"), _names.c.name != "")
    .order_by(_names.c.name)
    .limit(bindparam("at_most", type_=BigInteger))
    .cte("page")
)
_pending = (
    select(func.count()).where(
        operations.c.workshop == _page.c.name, operations.c.state == OperationState.PENDING.value
    )
).scalar_subquery()
_oldest = (
    select(func.min(operations.c.created_at)).where(
        operations.c.workshop == _page.c.name, operations.c.state == OperationState.PENDING.value
    )
).scalar_subquery()
_last_success = sync_runs.alias("last_success")
_synced_at = (
    select(_last_success.c.ended_at)
    .where(_last_success.c.workshop == _page.c.name, _last_success.c.state == RunState.DONE.value)
    .order_by(_last_success.c.started_at.desc(), _last_success.c.id.desc())
    .limit(1)
).scalar_subquery()
_newest = sync_runs.alias("newest")
_newest_id = (
    select(_newest.c.id)
    .where(_newest.c.workshop == _page.c.name)
    .order_by(_newest.c.started_at.desc(), _newest.c.id.desc())
    .limit(1)
).scalar_subquery()
_order_stops = write_stops.alias("order_stops")
_stopped_orders = (
    select(func.count()).where(_order_stops.c.workshop == _page.c.name, _order_stops.c.order_id != WHOLE_WORKSHOP)
).scalar_subquery()
_STATES = (
    select(
        _page.c.name,
        _pending.label("pending"),
        _oldest.label("oldest_pending_at"),
        _synced_at.label("synced_at"),
        sync_runs.c.state.label("sync_state"),
        sync_runs.c.message.label("sync_message"),
        sync_runs.c.updated_at.label("sync_at"),
        write_stops.c.reason.label("stop_reason"),
        write_stops.c.stopped_at,
        _stopped_orders.label("stopped_orders"),
        rejected_logins.c.rejected_at.label("login_rejected_at"),
    )
    .select_from(_page)
    .outerjoin(sync_runs, and_(sync_runs.c.workshop == _page.c.name, sync_runs.c.id == _newest_id))
    .outerjoin(write_stops, and_(write_stops.c.workshop == _page.c.name, write_stops.c.order_id == WHOLE_WORKSHOP))
    .outerjoin(rejected_logins, rejected_logins.c.workshop == _page.c.name)
    .order_by(_page.c.name)
)


def list_states(tx: Transaction, *, default: str, first: str, at_most: int) -> Sequence[WorkshopState]:
    """
    By name, from `first` on; `default` is the workshop of the environment, which the registry does not hold, "" for
    none. For a transaction of the whole installation.
    """
    rows = tx.fetch_all(_STATES, default=default, first=first, at_most=at_most)
    return [WorkshopState(**row) for row in rows]
