"""Record how a write trial ended, and whether writes go on. Each outcome is one transaction."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from planso_connector.domain import stored_errors
from planso_connector.domain.clock import Clock, Instant, format_instant
from planso_connector.domain.errors import Damaged
from planso_connector.domain.operation import Action, Operation, OperationState
from planso_connector.domain.order import Order
from planso_connector.domain.saving.style_status import TrialOutcome
from planso_connector.domain.saving.verdicts import Difference, Verdict, select_damage
from planso_connector.flows.trial.saves import TrialSave, TrialSaver
from planso_connector.flows.writing.read_back import apply_reading
from planso_connector.store import leases, operations, orders, save_evidence, write_stops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.history import Author

log = structlog.get_logger(__name__)

TRIAL_CALLER = "planso-connector doctor --try-write"
"""The caller that operations and the history name."""


class OutcomeRecorder:
    """Of one trial, whose `operation` id holds `lease` on the workshop."""

    def __init__(self, database: Database, clock: Clock, lease: str, operation: str, order_id: int) -> None:
        self._database = database
        self._clock = clock
        self._lease = lease
        self._operation = operation
        self._order_id = order_id

    async def release_order(self) -> None:
        """The order is as before: writes to it go on, and nothing is recorded."""
        await self._database.write(self._release)

    async def record_success(self, outcome: TrialOutcome, saves: Sequence[TrialSave]) -> None:
        """The order is as before: writes to it go on. `saves` count as clean."""

        def work(tx: Transaction) -> None:
            for save in saves:
                self._record_save(tx, save, is_clean=True)
            save_evidence.save_trial(tx, outcome)
            self._release(tx)

        await self._database.write(work)
        log.info("trial_finished", order_id=self._order_id, operation=self._operation, sends=outcome.sends)

    async def record_unreverted(self, differences: Sequence[Difference], reason: str, sent_at: Instant | None) -> None:
        """The order holds something of the trial, or may: writes to it stay stopped, and a restore is possible."""

        def work(tx: Transaction) -> None:
            if differences:
                operations.record(tx, self._build_operation(differences, reason, sent_at))
            self._release(tx)
            write_stops.stop(
                tx,
                order_id=self._order_id,
                operation=self._operation if differences else "",
                reason="the order holds what a trial wrote, or may"
                if differences
                else f"a trial ended badly: {reason}",
                columns=[difference.column for difference in differences],
                now=self._now(),
            )

        await self._database.write(work)
        log.info("trial_not_reverted", order_id=self._order_id, operation=self._operation)

    async def record_damage(
        self, outcome: TrialOutcome, save: TrialSave, saver: TrialSaver, mirrored: Order | None
    ) -> list[Difference]:
        """Stop all writes of the workshop. Returns what a restore would write back."""
        found = save.assessment.differences
        # An empty text in place of `0` is no damage by itself, and is restored with the damage.
        notation = [replace(one, verdict=Verdict.TRIED) for one in found if one.verdict is Verdict.NOTATION]
        lost = _add_missing([*select_damage(found), *notation], saver.list_unreverted())
        reason = f"A trial of saving damaged {len(lost)} fields of order {self._order_id}; writes are stopped."
        operation = self._build_operation(_add_missing(lost, found), reason, saver.started_at)
        names = frozenset(name for one in lost for name in save.after.names_for_label(one.label))
        order = apply_reading(mirrored, save.after.read_fields()) if mirrored is not None else None
        author = Author(self._operation, TRIAL_CALLER, names, frozenset(one.label for one in lost), names)

        def work(tx: Transaction) -> None:
            operations.record(tx, operation)
            if order is not None:
                orders.save(tx, order, read_at=save.read_at, now=self._now(), with_parts=False, writer=author)
            self._record_save(tx, save, is_clean=False)
            save_evidence.save_trial(tx, outcome)
            write_stops.stop(
                tx,
                order_id=None,
                operation=self._operation,
                reason=f"A trial of saving damaged order {self._order_id}.",
                columns=[difference.column for difference in select_damage(found)],
                now=self._now(),
            )
            self._release(tx)

        await self._database.write(work)
        columns = sorted(difference.column for difference in lost)
        log.info("writes_stopped", operation=self._operation, order_id=self._order_id, whole=True, columns=columns)
        return lost

    def _now(self) -> Instant:
        return format_instant(self._clock())

    def _release(self, tx: Transaction) -> None:
        leases.release(tx, self._lease, holder=self._operation)
        write_stops.resume(tx, order_id=self._order_id, now=self._now())

    def _record_save(self, tx: Transaction, save: TrialSave, *, is_clean: bool) -> None:
        save_evidence.record_save(
            tx,
            operation=self._operation,
            differences=save.assessment.differences,
            is_clean=is_clean,
            pairs=save.pair_count,
            now=self._now(),
        )

    def _build_operation(self, differences: Sequence[Difference], message: str, sent_at: Instant | None) -> Operation:
        """The trial as a damaged operation, which can be restored."""
        return Operation(
            self._operation,
            Action.UPDATE,
            self._order_id,
            {},
            OperationState.DAMAGED,
            message,
            caller=TRIAL_CALLER,
            created_at=sent_at or self._now(),
            settled_at=self._now(),
            sent_at=sent_at,
            first_sent_at=sent_at,
            differences=[difference.as_json() for difference in differences],
            failure=stored_errors.serialize_error(Damaged(message)),
        )


def _add_missing(differences: Sequence[Difference], more: Sequence[Difference]) -> list[Difference]:
    """Both, without those of `more` whose column is there already."""
    columns = {difference.column for difference in differences}
    return [*differences, *(difference for difference in more if difference.column not in columns)]
