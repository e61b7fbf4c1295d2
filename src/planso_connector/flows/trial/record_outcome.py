"""How a trial ends: what is kept of it, and whether writes go on. Each end is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from planso_connector.domain import stored_errors
from planso_connector.domain.clock import Clock, Instant, format_instant
from planso_connector.domain.errors import Damaged
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.order import Order
from planso_connector.domain.saving.differences import DAMAGE_VERDICTS, Difference, Verdict, select_damage
from planso_connector.domain.saving.style_status import TrialOutcome
from planso_connector.flows.trial.saves import TrialSave, TrialSaver
from planso_connector.flows.writing.read_back import LiveForms, apply_reading
from planso_connector.store import leases, operations, orders, save_evidence, write_stops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.history import Author

log = structlog.get_logger(__name__)

TRIAL_CALLER = "planso-connector doctor --try-write"
"""Who did it, as operations and the history name their caller."""


class OutcomeRecorder:
    """`lease` is the name of the trial's lease, which the trial's operation id holds."""

    def __init__(self, database: Database, live: LiveForms, clock: Clock) -> None:
        self._database = database
        self._live = live
        self._clock = clock

    async def release_order(self, lease: str, operation: str, order_id: int) -> None:
        """The order is as it was: writes to it go on, and nothing is kept."""
        await self._database.write(lambda tx: self._let_go(tx, lease, operation, order_id))

    async def record_success(self, lease: str, trial: TrialOutcome, saves: Sequence[TrialSave]) -> None:
        """The same; the outcome is kept, and its saves count as compared clean."""
        now = format_instant(self._clock())

        def work(tx: Transaction) -> None:
            for saved in saves:
                save_evidence.record_save(
                    tx,
                    operation=trial.operation,
                    differences=saved.assessment.differences,
                    is_clean=True,
                    pairs=saved.pair_count,
                    now=now,
                )
            save_evidence.save_trial(tx, trial)
            self._let_go(tx, lease, trial.operation, trial.order_id)

        await self._database.write(work)
        log.info("trial_ended", order_id=trial.order_id, operation=trial.operation, sends=trial.sends)

    async def record_unreverted(
        self,
        lease: str,
        operation: str,
        order_id: int,
        differences: Sequence[Difference],
        why: str,
        sent_at: Instant | None,
    ) -> None:
        """Something of the trial stands in the order: writes to it stay stopped, what it held can be written back."""
        now = format_instant(self._clock())

        def work(tx: Transaction) -> None:
            if differences:
                record = self._operation(operation, order_id, differences, why, sent_at, now)
                operations.record(tx, record)
            self._let_go(tx, lease, operation, order_id)
            write_stops.stop(
                tx,
                order_id=order_id,
                operation=operation if differences else "",
                reason="the order holds what a trial wrote, or may" if differences else f"a trial ended badly: {why}",
                columns=[one.column for one in differences],
                now=now,
            )

        await self._database.write(work)
        log.info("trial_left_something", order_id=order_id, operation=operation)

    async def record_damage(
        self, lease: str, trial: TrialOutcome, saved: TrialSave, saves: TrialSaver, known: Order | None
    ) -> list[Difference]:
        """Writes of the workshop are stopped; what was lost, with what the trial itself had changed, is kept."""
        now = format_instant(self._clock())
        found = saved.assessment.differences
        lost = [one for one in found if one.verdict in DAMAGE_VERDICTS]
        # An empty text in place of `0` is no damage by itself; where the save did some, it is written back too.
        lost += [replace(one, verdict=Verdict.TRIED) for one in found if one.verdict is Verdict.NOTATION]
        columns = {one.column for one in lost}
        lost += [one for one in saves.list_unreverted() if one.column not in columns]
        columns = {one.column for one in lost}
        differences = [*lost, *(one for one in found if one.column not in columns)]
        order = apply_reading(known, saved.after.read_fields()) if known is not None else None
        why = f"A trial of saving damaged {len(lost)} fields of order {trial.order_id}; writes are stopped."
        names = frozenset(name for one in lost for name in saved.after.names_for_label(one.label))
        writer = Author(trial.operation, TRIAL_CALLER, names, frozenset(one.label for one in lost), names)

        def work(tx: Transaction) -> None:
            record = self._operation(trial.operation, trial.order_id, differences, why, saves.started_at, now)
            operations.record(tx, record)
            if order is not None:
                stored = {"read_at": saved.read_at, "now": now}
                orders.save(tx, order, **stored, with_parts=False, writer=writer)
            save_evidence.record_save(
                tx,
                operation=trial.operation,
                differences=saved.assessment.differences,
                is_clean=False,
                pairs=saved.pair_count,
                now=now,
            )
            save_evidence.save_trial(tx, trial)
            write_stops.stop(
                tx,
                order_id=None,
                operation=trial.operation,
                reason=f"A trial of saving damaged order {trial.order_id}.",
                columns=[one.column for one in select_damage(saved.assessment.differences)],
                now=now,
            )
            self._let_go(tx, lease, trial.operation, trial.order_id)

        await self._database.write(work)
        stopped = {"operation": trial.operation, "order_id": trial.order_id, "whole": True}
        log.info("writes_stopped", **stopped, columns=sorted(columns))
        return lost

    def _let_go(self, tx: Transaction, lease: str, operation: str, order_id: int) -> None:
        leases.release(tx, lease, holder=operation)
        write_stops.resume(tx, order_id=order_id, now=format_instant(self._clock()))

    def _operation(
        self,
        operation: str,
        order_id: int,
        differences: Sequence[Difference],
        why: str,
        sent_at: Instant | None,
        now: Instant,
    ) -> Operation:
        """What the trial did, as a damaged operation that can be written back."""
        record = Operation(operation, Action.UPDATE, order_id, {}, OperationState.DAMAGED, why, caller=TRIAL_CALLER)
        return replace(
            record,
            created_at=sent_at or now,
            settled_at=now,
            sent_at=sent_at,
            first_sent_at=sent_at,
            differences=[one.as_json() for one in differences],
            failure=stored_errors.serialize_error(Damaged(why)),
        )
