"""
Report and resume stopped writes, and restore damaged ones. Each method is one transaction.

Writes are stopped when a damaged operation is settled (`push`); a claim checks before each send that they are not.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import Invalid, NotFound, Problem
from planso_connector.domain.messages import MESSAGES
from planso_connector.domain.operation import Action, Operation, generate_operation_id
from planso_connector.domain.saving import restoring
from planso_connector.domain.saving.style_status import SaveStyleStatus, determine_style_status
from planso_connector.store import operations, save_evidence, statistics, write_stops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.write_stops import WriteStop

log = structlog.get_logger(__name__)

RESTORE_CALLER = "planso-connector writes restore"
"""The caller of a restore that was recorded at the command line."""


@dataclass(frozen=True, slots=True)
class WritesStatus:
    """`setting` is CONNECTOR_WRITES, `saving` how the save style is known."""

    setting: str
    stops: tuple[WriteStop, ...]
    pending: int
    saving: SaveStyleStatus
    clean_saves: int

    @property
    def state(self) -> str:
        """`on`, `stopped` (the whole workshop), or the setting where that is not `on`."""
        return "stopped" if self.setting == "on" and self.is_stopped else self.setting

    @property
    def is_stopped(self) -> bool:
        """Whether the whole workshop is stopped."""
        return any(stop.order_id is None for stop in self.stops)


@dataclass(frozen=True, slots=True)
class SaveStyleOrigin:
    """Where the profile's save style comes from, `assumed` or `learned`, and its fingerprint as in write trials."""

    source: str = "assumed"
    fingerprint: str = ""


class WriteStops:
    """`on_resume` is called after writes were resumed: pending ones may be due."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        setting: str = "on",
        profile: SaveStyleOrigin | None = None,
        on_resume: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._setting = setting
        self._profile = profile or SaveStyleOrigin()
        self._on_resume = on_resume

    async def get_status(self) -> WritesStatus:
        def work(tx: Transaction) -> WritesStatus:
            return WritesStatus(
                self._setting,
                tuple(write_stops.list_active(tx)),
                statistics.get_pending(tx).pending,
                self._get_knowledge(tx),
                save_evidence.load(tx).clean_saves,
            )

        return await self._database.read(work)

    async def get_save_knowledge(self) -> SaveStyleStatus:
        """How the save style is known."""
        return await self._database.read(self._get_knowledge)

    def _get_knowledge(self, tx: Transaction) -> SaveStyleStatus:
        trial = save_evidence.load_trial(tx)
        return determine_style_status(self._profile.source, self._profile.fingerprint, trial)

    async def compare_form_with_trial(self, names: Iterable[str]) -> None:
        """Record whether a form with controls of these names is still the one that the last write trial saved."""
        recorded = frozenset(names)
        await self._database.write(lambda tx: save_evidence.compare_form_with_trial(tx, recorded))

    async def forget_trial(self) -> bool:
        """Forget the last write trial. Whether there was one."""

        def work(tx: Transaction) -> bool:
            trial = save_evidence.load_trial(tx)
            save_evidence.save_trial(tx, None)
            return trial is not None

        return await self._database.write(work)

    async def resume(self, order_id: int | None = None, accept: Sequence[str] = ()) -> list[WriteStop]:
        """
        End one order's stop, or all of the workshop, and return those that ended. `accept` names damaged controls that
        change with every save: from now on that is no damage. Raises Invalid, with nothing done, for other names.
        """
        now = format_instant(self._clock())

        def work(tx: Transaction) -> list[WriteStop]:
            ended = write_stops.resume(tx, order_id=order_id, now=now)
            operation_of = {column: stop.operation for stop in ended for column in stop.columns}
            unknown = [column for column in accept if column not in operation_of]
            if unknown:
                accepted = ", ".join(map(repr, operation_of)) or MESSAGES["none_stopped"]
                names = ", ".join(map(repr, unknown))
                message = MESSAGES["not_damaged_control"].format(names=names, accepted=accepted)
                raise Invalid([Problem.of(("body", "accept"), message, "not_damaged")])
            for column in accept:
                save_evidence.accept_columns(tx, [column], operation=operation_of[column], now=now)
            return ended

        ended = await self._database.write(work)
        for stop in ended:
            log.info("writes_resumed", order_id=stop.order_id, operation=stop.operation, accepted=list(accept))
        if ended:
            self._on_resume()
        return ended

    async def get_operation(self, operation_id: str) -> Operation:
        """Raises NotFound."""
        operation = await self._database.read(lambda tx: operations.get(tx, operation_id))
        if operation is None:
            raise NotFound(f"There is no operation {operation_id}.")
        return operation

    async def record_restore(self, operation_id: str, only: Sequence[str], deadline: timedelta) -> Operation:
        """
        Record an operation that restores a damaged one, for a serving process to push. `only` as in
        `WriteService.restore`. Raises NotFound, NotPossible, Invalid.
        """
        damaged = await self.get_operation(operation_id)
        now = self._clock()
        restore = Operation(
            generate_operation_id(),
            Action.UPDATE,
            damaged.order_id,
            {},
            caller=RESTORE_CALLER,
            created_at=format_instant(now),
            next_at=format_instant(now),
            deadline_at=format_instant(now + deadline),
            undoes=damaged.id,
            controls=restoring.get_values_before(restoring.select_restorable(damaged, only)),
        )
        return await self._database.write(lambda tx: operations.record(tx, restore))
