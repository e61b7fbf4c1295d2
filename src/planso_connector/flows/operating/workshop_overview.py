"""The state of each workshop of the installation, for its operator. One read transaction for a page of workshops."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from planso_connector.domain.clock import Clock, Instant, parse_instant
from planso_connector.domain.errors import NotFound, WorkshopUnusable
from planso_connector.domain.workshop import Workshop
from planso_connector.flows.operating.workshops import WorkshopRegistry
from planso_connector.store import workshop_states, workshops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.sync_runs import RunState
from planso_connector.store.workshop_states import WorkshopState


class FaultKind(StrEnum):
    """What keeps a workshop from working, the first that applies."""

    NAME_TAKEN = "name_taken"
    PASSWORD_UNREADABLE = "password_unreadable"  # noqa: S105
    LOGIN_REJECTED = "login_rejected"
    WRITES_STOPPED = "writes_stopped"
    SYNC_FAILED = "sync_failed"


TWO_OF_ONE_NAME = (
    "The registry has a workshop of this name too. The one of the environment is served, with the rows of both: give "
    "it another name, CONNECTOR_WORKSHOP, or take PLANSO_URL out of the environment."
)


@dataclass(frozen=True, slots=True)
class Fault:
    """`since`: an instant; None where nothing tells when it began."""

    kind: FaultKind
    message: str
    since: Instant | None


@dataclass(frozen=True, slots=True)
class WorkshopStatus:
    """`is_default`: it is the one of the environment. `sync_age`: seconds since the last successful sync, or None."""

    workshop: Workshop
    state: WorkshopState
    is_default: bool
    sync_age: float | None
    fault: Fault | None


class WorkshopOverview:
    """`default`: the workshop of the environment, which the registry does not hold; None if there is none."""

    def __init__(self, database: Database, clock: Clock, registry: WorkshopRegistry, default: Workshop | None) -> None:
        self._database = database.for_installation()
        self._clock = clock
        self._registry = registry
        self._default = default

    async def list_page(self, first: str, at_most: int) -> Sequence[WorkshopStatus]:
        """By name, from `first` on, paused ones too."""
        default = self._default.name if self._default is not None else ""

        def work(tx: Transaction) -> Sequence[tuple[Workshop | None, WorkshopState]]:
            states = workshop_states.list_states(tx, default=default, first=first, at_most=at_most)
            registered = workshops.get_many(tx, [state.name for state in states])
            return [(registered.get(state.name), state) for state in states]

        found = await self._database.read(work)
        now = self._clock()
        return [self._describe(registered, state, now) for registered, state in found]

    async def get(self, name: str) -> WorkshopStatus:
        """Raises NotFound."""
        for status in await self.list_page(name, 1):
            if status.workshop.name == name:
                return status
        raise NotFound(f"There is no workshop '{name}'.")

    def _describe(self, registered: Workshop | None, state: WorkshopState, now: datetime) -> WorkshopStatus:
        is_default = self._default is not None and state.name == self._default.name
        workshop = self._default if is_default else registered
        assert workshop is not None, "every state is of a registered workshop or of the default one"
        age = (now - parse_instant(state.synced_at)).total_seconds() if state.synced_at is not None else None
        if not is_default:
            fault = self._find_unreadable_password(workshop)
        else:
            fault = Fault(FaultKind.NAME_TAKEN, TWO_OF_ONE_NAME, None) if registered is not None else None
        return WorkshopStatus(workshop, state, is_default, age, fault or _find_fault(state))

    def _find_unreadable_password(self, workshop: Workshop) -> Fault | None:
        try:
            self._registry.decrypt_password(workshop)
        except WorkshopUnusable as error:
            return Fault(FaultKind.PASSWORD_UNREADABLE, str(error), None)
        return None


def _find_fault(state: WorkshopState) -> Fault | None:
    if state.login_rejected_at is not None:
        message = "PlanSo rejected the user name or the password; it is not tried again."
        return Fault(FaultKind.LOGIN_REJECTED, message, state.login_rejected_at)
    if state.stop_reason is not None:
        return Fault(FaultKind.WRITES_STOPPED, f"Writes are stopped: {state.stop_reason}", state.stopped_at)
    if state.sync_state == RunState.FAILED:
        return Fault(FaultKind.SYNC_FAILED, state.sync_message or "The last sync failed.", state.sync_at)
    if state.stopped_orders:
        orders = "1 order" if state.stopped_orders == 1 else f"{state.stopped_orders} orders"
        return Fault(FaultKind.WRITES_STOPPED, f"Writes to {orders} are stopped.", None)
    return None
