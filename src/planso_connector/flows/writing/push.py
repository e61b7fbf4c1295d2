"""
Push: one attempt at one claimed operation, and its end. No transaction is open while PlanSo is talked to; what was read
back, the history of the order and the settled operation are stored in one transaction.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random

import structlog

from planso_connector.domain import retry, stored_errors
from planso_connector.domain.clock import Clock, format_instant
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
from planso_connector.domain.saving.assessment import StopScope
from planso_connector.domain.saving.differences import select_damage
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.flows.writing.claim import Claim, Postponed, PostponedByStop
from planso_connector.flows.writing.push_create import CreatePush
from planso_connector.flows.writing.push_delete import DeletePush
from planso_connector.flows.writing.push_update import UpdatePush
from planso_connector.flows.writing.read_back import LiveForms, ReadBack, SavedOtherwise
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.store import operations, orders, save_evidence, write_stops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.history import Author

log = structlog.get_logger(__name__)

BEGIN_WITHIN = 60.0
"""Seconds for which an attempt waits for its turn with PlanSo; then the operation goes back, and others come."""

_FAULT = "A fault in the connector; its log has the place."


@dataclass(frozen=True, slots=True)
class _End:
    state: OperationState
    read_back: ReadBack | None = None
    error: ConnectorError | None = None


class Pusher:
    """Lives as long as the process."""

    def __init__(
        self, database: Database, planso: PlansoClient, reader: OrderReader, clock: Clock, dice: Random
    ) -> None:
        self._database = database
        self._clock = clock
        self._dice = dice
        live = LiveForms(planso, reader, clock)
        self._push: dict[Action, UpdatePush | CreatePush | DeletePush] = {
            Action.UPDATE: UpdatePush(database, planso, live, reader, clock),
            Action.CREATE: CreatePush(database, planso, live, reader, clock),
            Action.DELETE: DeletePush(planso, live, reader, clock),
        }

    async def attempt(self, claim: Claim) -> None:
        """
        Carry it as far as it goes now: settled, or put back to be tried again. Raises Lost where it is another's by
        now, and StoreUnavailable where the database can't take the end; then the claim runs out, and PlanSo is looked
        at before anything is sent again.
        """
        end = await self._carried(claim)
        if isinstance(end, _End):
            await self._settle(claim, end)
        else:
            await self._put_back(claim, end)

    async def _carried(self, claim: Claim) -> _End | Postponed:
        if claim.is_late and claim.sent_at is None:
            return _End(OperationState.EXPIRED, error=Expired(claim.late_words()))
        end = await self._attempted(claim)
        if isinstance(end, Postponed) and claim.is_late:
            return _End(OperationState.EXPIRED, error=Expired(claim.late_words(str(end))))
        return end

    async def _attempted(self, claim: Claim) -> _End | Postponed:
        try:
            with urgent_requests(begin_by=asyncio.get_running_loop().time() + BEGIN_WITHIN):
                return _End(OperationState.CONFIRMED, await self._push[claim.operation.action].carry_out(claim))
        except SavedOtherwise as otherwise:
            state = OperationState.DAMAGED if isinstance(otherwise.error, Damaged) else OperationState.REFUSED
            return _End(state, otherwise.read_back, otherwise.error)
        except Postponed as later:
            return later
        except StoreUnavailable:
            raise
        except (EditConflict, OrderIdReused, AmbiguousCreate) as error:
            return _End(OperationState.CONFLICT, error=error)
        except Expired as error:
            return _End(OperationState.EXPIRED, error=error)
        except (PlansoRefused, NotFound) as error:
            return _End(OperationState.REFUSED, error=error)
        except Invalid as error:
            # Of what was sent before, the form can't tell any more whether it is there.
            return Postponed(str(error)) if claim.sent_at else _End(OperationState.REFUSED, error=error)
        except ConnectorError as error:
            return Postponed(str(error))

    async def _settle(self, claim: Claim, end: _End) -> None:
        operation, back = claim.operation, end.read_back
        now = format_instant(self._clock())
        own_notes, others = split_notes(back.notes if back is not None else ())
        message = " ".join([*([str(end.error)] if end.error is not None else []), *others])
        notes = " ".join([*([operation.notes] if operation.notes else []), *own_notes])
        # Where nothing was sent, what the mirror did not know yet is somebody else's doing.
        writer = _writer(operation, back) if claim.sent_at is not None else None

        def work(tx: Transaction) -> bool:
            if end.state is OperationState.EXPIRED and write_stops.is_deadline_paused(tx, operation):
                raise PostponedByStop("Writes are stopped, or were: its deadline does not count meanwhile.")
            if back is not None and operation.action is Action.CREATE:
                tx.lock(f"created {tx.workshop}")
                if back.order_id in operations.list_created_orders(tx, but=operation.id):
                    raise Postponed(f"Order {back.order_id} was made by another create.")
            if back is not None and back.order is not None:
                stored = {"read_at": back.read_at, "now": now}
                orders.save(tx, back.order, **stored, with_parts=back.with_parts, writer=writer)
            elif back is not None and end.state is not OperationState.DAMAGED:
                orders.mark_deleted(tx, back.order_id, now=now, read_at=back.read_at, writer=writer)
            elif isinstance(end.error, NotFound) and end.error.read_at and operation.order_id is not None:
                # It was not there at two looks, whoever deleted it.
                orders.mark_deleted(tx, operation.order_id, now=now, read_at=end.error.read_at)
            if back is not None and back.differences is not None:
                _learn(tx, operation, back, now)
            return operations.settle(
                tx,
                operation.id,
                holder=claim.holder,
                state=end.state,
                message=message,
                notes=notes,
                nothing_sent=claim.sent_at is None,
                before=back.before if back is not None else None,
                order_id=back.order_id if back is not None else None,
                failure=stored_errors.serialize_error(end.error) if end.error is not None else None,
                differences=back.differences if back is not None else None,
                now=now,
            )

        try:
            settled = await self._database.write(work)
        except Postponed as later:
            await self._put_back(claim, later)
            return
        if back is not None and back.scope is not StopScope.NONE:
            columns = [one.column for one in select_damage(back.differences or ())]
            whole = back.scope is StopScope.WORKSHOP
            log.error("writes_stopped", operation=operation.id, order_id=back.order_id, whole=whole, columns=columns)
        log.info(
            "operation_settled" if settled else "operation_lost",
            operation=operation.id,
            action=operation.action,
            state=end.state,
            attempts=operation.attempts,
        )

    async def _put_back(self, claim: Claim, later: Postponed) -> None:
        operation = claim.operation
        now = self._clock()
        next_at = later.not_before or now + retry.compute_backoff(operation.attempts, self._dice)
        # Its end is told when it comes; while writes are stopped it does not come.
        due = format_instant(next_at)
        if not isinstance(later, PostponedByStop):
            now_instant = format_instant(now)
            due = min(due, max(claim.deadline or now_instant, now_instant))
        await self._database.write(
            lambda tx: operations.postpone(
                tx,
                operation.id,
                holder=claim.holder,
                next_at=due,
                message=str(later),
                sent_at=claim.sent_at,
                sent=claim.sent,
                order_id=later.order_id,
            )
        )
        why = type(later.__cause__ or later).__name__
        log.info("operation_put_back", operation=operation.id, attempts=operation.attempts, next_at=due, error=why)

    async def fault(self, claim: Claim) -> None:
        """After an error of ours: tried again like any other, because what was accepted is carried through."""
        if claim.is_late:
            await self._settle(claim, _End(OperationState.EXPIRED, error=Expired(claim.late_words(_FAULT))))
        else:
            await self._put_back(claim, Postponed(_FAULT))


def _writer(operation: Operation, back: ReadBack | None) -> Author:
    labels = back.labels if back is not None else frozenset()
    also = back.also if back is not None else frozenset()
    is_whole = operation.action is not Action.UPDATE
    return Author(operation.id, operation.caller, target_fields(operation.requested), labels, also, is_whole)


def _learn(tx: Transaction, operation: Operation, back: ReadBack, now: str) -> None:
    """What the compared save showed of this PlanSo; and where it did damage, nothing more is written."""
    differences = back.differences or ()
    if back.pairs:
        save_evidence.record_save(
            tx,
            operation=operation.id,
            differences=differences,
            is_clean=back.scope is StopScope.NONE,
            pairs=back.pairs,
            now=now,
        )
        save_evidence.record_form(tx, back.controls)
    if back.scope is not StopScope.NONE:
        columns = [one.column for one in select_damage(differences)]
        write_stops.stop(
            tx,
            order_id=back.order_id if back.scope is StopScope.ORDER else None,
            operation=operation.id,
            reason=f"to {len(columns)} field{'s' if len(columns) != 1 else ''} of order {back.order_id}",
            columns=columns,
            now=now,
        )
