"""
Stopped writes: what is stopped and why, and resuming, which a person does. Each is one transaction.

What stops writes is the settling of a damaged operation; that nothing is sent meanwhile is the claim's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import Invalid, NotFound, Problem
from planso_connector.domain.operation import Action, Operation, generate_operation_id
from planso_connector.domain.saving import restoring
from planso_connector.domain.saving.style_status import SaveStyleStatus, determine_style_status
from planso_connector.store import operations, save_evidence, statistics, write_stops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.write_stops import WriteStop

log = structlog.get_logger(__name__)

RESTORE_CALLER = "planso-connector writes restore"
"""Who asked for a restore that was recorded at the command line, as operations name their caller."""


@dataclass(frozen=True, slots=True)
class WritesStatus:
    """`setting`: CONNECTOR_WRITES. `saving`: how it is known how this PlanSo saves."""

    setting: str
    stops: tuple[WriteStop, ...]
    pending: int
    saving: SaveStyleStatus
    clean_saves: int

    @property
    def state(self) -> str:
        """The setting, where it is not `on`; else `stopped` where the whole workshop is, else `on`."""
        return "stopped" if self.setting == "on" and self.is_stopped else self.setting

    @property
    def is_stopped(self) -> bool:
        """Whether the whole workshop is."""
        return any(stop.order_id is None for stop in self.stops)


@dataclass(frozen=True, slots=True)
class SaveStyleOrigin:
    """Where the profile's way of saving comes from, `assumed` or `learned`, and its fingerprint as trials keep it."""

    source: str = "assumed"
    fingerprint: str = ""


class WriteStops:
    """`on_resume` is called when something was resumed: pending writes may be due."""

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
                self._knowledge(tx),
                save_evidence.load(tx).clean_saves,
            )

        return await self._database.read(work)

    async def get_save_knowledge(self) -> SaveStyleStatus:
        """How it is known how this PlanSo saves."""
        return await self._database.read(self._knowledge)

    def _knowledge(self, tx: Transaction) -> SaveStyleStatus:
        trial = save_evidence.load_trial(tx)
        return determine_style_status(self._profile.source, self._profile.fingerprint, trial)

    async def record_form(self, names: Iterable[str]) -> None:
        """A form with controls of these names was read: where it is not the one that was tried, that is kept."""
        noted = frozenset(names)
        await self._database.write(lambda tx: save_evidence.record_form(tx, noted))

    async def forget_trial(self) -> bool:
        """Nothing is known of a trial any more. Whether there was one."""

        def work(tx: Transaction) -> bool:
            was = save_evidence.load_trial(tx)
            save_evidence.save_trial(tx, None)
            return was is not None

        return await self._database.write(work)

    async def resume(self, order_id: int | None = None, accept: Sequence[str] = ()) -> list[WriteStop]:
        """
        Ends one order's stop, or all of the workshop; the stops that ended. `accept` names damaged controls that are
        known to change with saves from now on. Raises Invalid, with nothing done, where one is not among them.
        """
        now = format_instant(self._clock())

        def work(tx: Transaction) -> list[WriteStop]:
            ended = write_stops.resume(tx, order_id=order_id, now=now)
            there = {column: stop.operation for stop in ended for column in stop.columns}
            unknown = [column for column in accept if column not in there]
            if unknown:
                names = ", ".join(map(repr, there)) or "none, as nothing is stopped there"
                told = f"{', '.join(map(repr, unknown))} is not among the damaged controls; accepted: {names}"
                raise Invalid([Problem(("body", "accept"), told, "not_damaged")])
            for column in accept:
                write_stops.accept_columns(tx, [column], operation=there[column], now=now)
            return ended

        ended = await self._database.write(work)
        for stop in ended:
            log.info("writes_resumed", order_id=stop.order_id, operation=stop.operation, accepted=list(accept))
        if ended:
            self._on_resume()
        return ended

    async def get_operation(self, operation_id: str) -> Operation:
        """Raises NotFound."""
        found = await self._database.read(lambda tx: operations.get(tx, operation_id))
        if found is None:
            raise NotFound(f"There is no operation {operation_id}.")
        return found

    async def record_restore(self, operation_id: str, only: Sequence[str], deadline: timedelta) -> Operation:
        """
        A new operation that writes a damaged one's values before back; a serving process carries it out. Raises
        NotFound, NotPossible, Invalid.
        """
        damaged = await self.get_operation(operation_id)
        controls = restoring.get_values_before(restoring.select_restorable(damaged, only))
        now = self._clock()
        restore = Operation(
            generate_operation_id(), Action.UPDATE, damaged.order_id, {}, undoes=damaged.id, controls=controls
        )
        due = replace(
            restore,
            caller=RESTORE_CALLER,
            created_at=format_instant(now),
            next_at=format_instant(now),
            deadline_at=format_instant(now + deadline),
        )
        return await self._database.write(lambda tx: operations.record(tx, due))
