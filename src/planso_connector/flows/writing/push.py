"""
Push: one attempt at one claimed operation, after which it is settled or postponed. No transaction is open during
requests to PlanSo; the order read back, its history and the settled operation are stored in one transaction.
"""

import asyncio
from dataclasses import dataclass
from random import Random

import structlog

from planso_connector.domain import stored_errors, write_backoff
from planso_connector.domain.clock import Clock, Instant, format_instant
from planso_connector.domain.errors import (
    AmbiguousCreate,
    ConnectorError,
    Damaged,
    EditConflict,
    Expired,
    Invalid,
    NotFound,
    OrderIdReused,
    PlansoRefused,
    StoreUnavailable,
)
from planso_connector.domain.notes import split_notes
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.saving.appending import target_fields
from planso_connector.domain.saving.damage_assessment import StopScope
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.writing.claim import Claim, Postponed, PostponedByStop
from planso_connector.flows.writing.push_create import CreatePush
from planso_connector.flows.writing.push_delete import DeletePush
from planso_connector.flows.writing.push_update import UpdatePush
from planso_connector.flows.writing.read_back import START_TIMEOUT, LiveFormReader, ReadBackResult, SaveMismatch
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.store import operations, orders, save_evidence, write_stops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.history import Author

log = structlog.get_logger(__name__)

_FAULT = "Internal error; see the connector's log."

_STATE_AFTER: dict[type[ConnectorError], OperationState] = {
    EditConflict: OperationState.CONFLICT,
    OrderIdReused: OperationState.CONFLICT,
    AmbiguousCreate: OperationState.CONFLICT,
    Expired: OperationState.EXPIRED,
    PlansoRefused: OperationState.REFUSED,
    NotFound: OperationState.REFUSED,
    Invalid: OperationState.REFUSED,
}
"""How an operation is settled after an error; after others it is postponed."""


@dataclass(frozen=True, slots=True)
class _Settlement:
    state: OperationState
    read_back: ReadBackResult | None = None
    error: ConnectorError | None = None


class Pusher:
    def __init__(
        self, database: Database, planso: PlansoClient, reader: OrderReader, clock: Clock, dice: Random
    ) -> None:
        self._database = database
        self._clock = clock
        self._dice = dice
        live = LiveFormReader(planso, reader, clock)
        self._push: dict[Action, UpdatePush | CreatePush | DeletePush] = {
            Action.UPDATE: UpdatePush(database, planso, live, reader, clock),
            Action.CREATE: CreatePush(database, planso, live, reader, clock),
            Action.DELETE: DeletePush(planso, live, reader, clock),
        }

    async def attempt(self, claim: Claim) -> None:
        """
        Settle or postpone the operation. Raises ClaimLost, and StoreUnavailable where the database can't store the end:
        then the claim expires, and the next attempt looks at PlanSo before anything is sent again.
        """
        if claim.is_past_deadline and claim.sent_at is None:
            await self._expire(claim)
            return
        end = await self._push_claim(claim)
        if isinstance(end, _Settlement):
            await self._settle(claim, end)
        elif claim.is_past_deadline:
            await self._expire(claim, str(end))
        else:
            await self._postpone(claim, end)

    async def handle_fault(self, claim: Claim) -> None:
        """After a bug's exception: postpone the operation as after any error, because an accepted write is not lost."""
        if claim.is_past_deadline:
            await self._expire(claim, _FAULT)
        else:
            await self._postpone(claim, Postponed(_FAULT))

    async def _push_claim(self, claim: Claim) -> _Settlement | Postponed:
        try:
            with urgent_requests(begin_by=asyncio.get_running_loop().time() + START_TIMEOUT):
                read_back = await self._push[claim.operation.action].carry_out(claim)
        except SaveMismatch as otherwise:
            state = OperationState.DAMAGED if isinstance(otherwise.error, Damaged) else OperationState.REFUSED
            return _Settlement(state, otherwise.read_back, otherwise.error)
        except Postponed as postponed:
            return postponed
        except StoreUnavailable:
            raise
        except ConnectorError as error:
            state_after = next((state for kind, state in _STATE_AFTER.items() if isinstance(error, kind)), None)
            # Where something was sent before, a form that can't take it does not tell whether PlanSo has it.
            if state_after is None or (isinstance(error, Invalid) and claim.sent_at is not None):
                return Postponed(str(error))
            return _Settlement(state_after, error=error)
        return _Settlement(OperationState.CONFIRMED, read_back)

    async def _expire(self, claim: Claim, reason: str = "") -> None:
        await self._settle(claim, _Settlement(OperationState.EXPIRED, error=Expired(claim.expiry_message(reason))))

    async def _settle(self, claim: Claim, end: _Settlement) -> None:
        operation, read_back = claim.operation, end.read_back
        now = format_instant(self._clock())
        request_notes, other_notes = split_notes(read_back.notes if read_back is not None else ())
        message = " ".join([*([str(end.error)] if end.error is not None else []), *other_notes])
        notes = " ".join([*([operation.notes] if operation.notes else []), *request_notes])
        # Where nothing was sent, what is new to the mirror was changed by people.
        author = _build_author(operation, read_back) if claim.sent_at is not None else None

        def work(tx: Transaction) -> bool:
            _store_order(tx, operation, end, author, now)
            return operations.settle(
                tx,
                operation.id,
                holder=claim.holder,
                state=end.state,
                message=message,
                notes=notes,
                nothing_sent=claim.sent_at is None,
                before=read_back.before if read_back is not None else None,
                order_id=read_back.order_id if read_back is not None else None,
                failure=stored_errors.serialize_error(end.error) if end.error is not None else None,
                differences=read_back.differences if read_back is not None else None,
                now=now,
            )

        try:
            settled = await self._database.write(work)
        except Postponed as postponed:
            await self._postpone(claim, postponed)
            return
        if read_back is not None and read_back.stop_scope is not StopScope.NONE:
            log.error(
                "writes_stopped",
                operation=operation.id,
                order_id=read_back.order_id,
                whole=read_back.stop_scope is StopScope.WORKSHOP,
                columns=read_back.damaged_columns,
            )
        log.info(
            "operation_settled" if settled else "operation_lost",
            operation=operation.id,
            action=operation.action,
            state=end.state,
            attempts=operation.attempts,
        )

    async def _postpone(self, claim: Claim, postponed: Postponed) -> None:
        operation, now = claim.operation, self._clock()
        next_at: Instant = format_instant(
            postponed.not_before or now + write_backoff.compute_backoff(operation.attempts, self._dice)
        )
        if not isinstance(postponed, PostponedByStop):  # while writes are stopped, the deadline does not count
            next_at = min(next_at, max(claim.deadline or next_at, format_instant(now)))
        await self._database.write(
            lambda tx: operations.postpone(
                tx,
                operation.id,
                holder=claim.holder,
                next_at=next_at,
                message=str(postponed),
                sent_at=claim.sent_at,
                sent=claim.sent,
                order_id=postponed.order_id,
            )
        )
        why = type(postponed.__cause__ or postponed).__name__
        log.info("operation_postponed", operation=operation.id, attempts=operation.attempts, next_at=next_at, error=why)


def _store_order(tx: Transaction, operation: Operation, end: _Settlement, author: Author | None, now: Instant) -> None:
    """Store what was read back, and what the save showed. Raises Postponed where the operation can't be settled yet."""
    read_back = end.read_back
    if end.state is OperationState.EXPIRED and write_stops.is_deadline_paused(tx, operation):
        raise PostponedByStop("Writes are stopped, or were: its deadline does not count meanwhile.")
    if read_back is None:
        if (
            isinstance(end.error, NotFound) and end.error.read_at and operation.order_id is not None
        ):  # two readings did not find it
            orders.mark_deleted(tx, operation.order_id, now=now, read_at=end.error.read_at)
        return
    if operation.action is Action.CREATE:
        tx.lock(f"created {tx.workshop}")
        if read_back.order_id in operations.list_created_orders(tx, except_id=operation.id):
            raise Postponed(f"Order {read_back.order_id} was made by another create.")
    read_at = read_back.read_at
    if read_back.order is not None:
        with_parts = read_back.has_parts
        orders.save(tx, read_back.order, read_at=read_at, now=now, with_parts=with_parts, writer=author)
    elif end.state is not OperationState.DAMAGED:
        orders.mark_deleted(tx, read_back.order_id, now=now, read_at=read_at, writer=author)
    if read_back.differences is not None:
        _record_evidence(tx, operation, read_back, now)


def _build_author(operation: Operation, read_back: ReadBackResult | None) -> Author:
    labels = read_back.saved_labels if read_back is not None else frozenset()
    side_effects = read_back.side_effects if read_back is not None else frozenset()
    is_whole = operation.action is not Action.UPDATE
    return Author(operation.id, operation.caller, target_fields(operation.requested), labels, side_effects, is_whole)


def _record_evidence(tx: Transaction, operation: Operation, read_back: ReadBackResult, now: Instant) -> None:
    """Record what the compared save shows about this PlanSo, and stop writes where it did damage."""
    scope = read_back.stop_scope
    if read_back.pair_count:
        save_evidence.record_save(
            tx,
            operation=operation.id,
            differences=read_back.differences or (),
            is_clean=scope is StopScope.NONE,
            pairs=read_back.pair_count,
            now=now,
        )
        save_evidence.compare_form_with_trial(tx, read_back.control_names)
    if scope is not StopScope.NONE:
        columns = read_back.damaged_columns
        write_stops.stop(
            tx,
            order_id=read_back.order_id if scope is StopScope.ORDER else None,
            operation=operation.id,
            reason=f"to {len(columns)} field{'s' if len(columns) != 1 else ''} of order {read_back.order_id}",
            columns=columns,
            now=now,
        )
