"""
Read an order's form from PlanSo as it is now: before a write, to plan it, and after the write, to compare. The only
transactions are the reader's short ones, which store what was read.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from planso_connector.domain.clock import Clock, Instant, format_instant, parse_instant
from planso_connector.domain.errors import (
    Damaged,
    NotFound,
    OrderIdReused,
    PlansoError,
    PlansoRefused,
    PlansoUnavailable,
    PlansoUnsure,
)
from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Operation
from planso_connector.domain.order import FormReading, Order, has_identifying_value, is_emptied, update_from_form
from planso_connector.domain.page_drift import check_form
from planso_connector.domain.saving.damage_assessment import StopScope
from planso_connector.domain.saving.identity import find_differing_fields, is_other_order
from planso_connector.domain.saving.snapshot import find_changed_columns
from planso_connector.domain.saving.verdicts import Difference, select_damage
from planso_connector.flows.syncing.read_order import RECHECK_DELAY, EmptyForm, OrderReader
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.form_parser import Form, FormMissing
from planso_connector.planso.saving.form_snapshot import take_snapshot

RETRY_PAUSES = (0.0, 0.3, 1.0, 2.0, 4.0)
"""Seconds before each try to read back what was sent."""

MAX_READINGS_AFTER_SAVE = 4
"""How often a form is read at most after a save until two consecutive readings agree."""

MAX_BLANK_PAUSE = 5.0
"""Seconds at most between two readings of a blank form."""

MAX_OTHER_ORDERS = 3
"""How many other orders are read at most to see whether PlanSo shows any: one of them may be empty."""

START_TIMEOUT = 60.0
"""Seconds within which each request begins, however long PlanSo's throttle has others wait."""


@dataclass(frozen=True, slots=True)
class ReadBackResult:
    """What PlanSo showed after a write, ready to be stored."""

    order: Order | None
    """None: the order was deleted."""
    order_id: int
    read_at: Instant
    before: Mapping[str, Value] | None = None
    """What the form held before the save; None where this attempt saved nothing."""
    notes: tuple[str, ...] = ()
    saved_labels: frozenset[str] = frozenset()
    """PlanSo's labels of the fields that were saved."""
    has_parts: bool = False
    """Whether the order's parts were read, too."""
    differences: tuple[Difference, ...] | None = None
    """What the save changed unasked; None where nothing was compared."""
    side_effects: frozenset[str] = frozenset()
    """The fields and labels of what the save changed unasked."""
    stop_scope: StopScope = StopScope.NONE
    """Whose writes have to stop because of damage."""
    pair_count: int = 0
    """How many name/value pairs were sent; 0 where no save was compared."""
    control_names: frozenset[str] = frozenset()
    """The names of the controls of the form that was saved."""

    @property
    def damaged_columns(self) -> list[str]:
        return [difference.column for difference in select_damage(self.differences or ())]


@dataclass(frozen=True, slots=True)
class FormAfterSave:
    """
    The form after a save. `readings` are all readings, oldest first, `form` is the last; `volatile` are the columns in
    which the last two differ.
    """

    form: Form
    read_at: Instant
    readings: tuple[Form, ...]
    volatile: frozenset[str]


class SaveMismatch(Exception):
    """Something was saved, but `error` says that the form read back has other values than requested, or damage."""

    def __init__(self, error: PlansoRefused | Damaged, read_back: ReadBackResult) -> None:
        super().__init__(str(error))
        self.error = error
        self.read_back = read_back


class LiveFormReader:
    """Reads orders' forms for the flows that write."""

    def __init__(self, planso: PlansoClient, reader: OrderReader, clock: Clock) -> None:
        self._planso = planso
        self._reader = reader
        self._clock = clock
        self._blank_for = planso.max_request_seconds  # a minute with the usual timeout

    async def read_existing(
        self, order_id: int, mirrored: Order | None, previous: Form | None = None, *, may_be_blank: bool = False
    ) -> Form:
        """
        Read the form of an order that must exist. PlanSo shows an empty form for one that does not, and now and then
        for one that does; saving that would wipe the order. An order that the mirror has is gone only where two
        readings say so while PlanSo shows another order. With `may_be_blank` an empty form is accepted where the mirror
        has the order as empty, too: a restore writes back what it lost. Raises NotFound, EmptyForm, PlansoUnavailable.
        """
        try:
            return await self._read_existing_once(order_id, mirrored, previous, may_be_blank=may_be_blank)
        except NotFound:
            if mirrored is None:
                raise
        await asyncio.sleep(RECHECK_DELAY)
        try:
            return await self._read_existing_once(order_id, mirrored, previous, may_be_blank=may_be_blank)
        except NotFound:
            if await self._shows_another(order_id):
                raise
        raise PlansoUnavailable(f"PlanSo shows neither order {order_id} nor any other.")

    async def _read_existing_once(
        self, order_id: int, mirrored: Order | None, previous: Form | None, *, may_be_blank: bool
    ) -> Form:
        not_found = NotFound(f"There is no order {order_id} in PlanSo.", read_at=format_instant(self._clock()))
        try:
            form = await self._planso.read_form(order_id, previous)
        except FormMissing:
            if await self.is_listed(order_id):
                raise
            raise not_found from None
        reading = form.read_fields()
        mirrored_values = mirrored.values if mirrored is not None else {}
        is_empty = (
            form.is_blank
            or is_emptied(mirrored_values, reading)
            or (previous is not None and is_emptied(previous.read_fields().values, reading))
        )
        if mirrored is not None and not mirrored.archived and not is_empty:
            return form
        if await self.is_listed(order_id):
            is_expected = may_be_blank and mirrored is not None and not any(mirrored_values.values())
            if is_empty and not is_expected:
                raise EmptyForm(form)
            return form
        if is_empty or not has_identifying_value(reading):
            raise not_found
        return form

    async def read_for_write(
        self, operation: Operation, mirrored: Order | None, previous: Form | None = None
    ) -> tuple[Form, Instant]:
        """
        As `read_existing`: the form of the operation's order, and when it was read. Raises OrderIdReused, too, where it
        is another order than the operation was recorded for; the mirror gets that one then.
        """
        assert operation.order_id is not None, "only a create has no order yet"
        read_at = format_instant(self._clock())
        is_restore = operation.controls is not None
        try:
            form = await self.read_existing(operation.order_id, mirrored, previous, may_be_blank=is_restore)
        except EmptyForm as error:
            await self._check_identity(operation, error.form, read_at)
            raise
        await self._check_identity(operation, form, read_at)
        return form, read_at

    async def _check_identity(self, operation: Operation, form: Form, read_at: Instant) -> None:
        reading, identity = form.read_fields(), operation.identity or {}
        if not is_other_order(identity, reading.values):
            return
        assert form.order_id is not None, "the form of an existing order"
        await self._reader.replace_order(form.order_id, reading, read_at)
        names = ", ".join(find_differing_fields(identity, reading.values))
        raise OrderIdReused(
            f"Order {form.order_id} is another order in PlanSo than the one that this write was recorded for: {names} "
            "differ. Nothing is sent to it."
        )

    async def is_listed(self, order_id: int) -> bool:
        return any(entry.order_id == order_id for entry in await self._planso.read_board())

    async def is_gone(self, order_id: int, held: Mapping[str, Value]) -> bool:
        """Whether PlanSo has no such order any more; `held` are the values that it held."""
        return await self._reader.is_form_gone(order_id, held) and not await self.is_listed(order_id)

    async def read_after_save(
        self, order_id: int, requested: Mapping[str, Value], others: Mapping[str, Value], action: str
    ) -> FormAfterSave:
        """
        Read the form after a save, until two consecutive readings agree. `requested` and `others` are the values that
        it should hold. A form with almost none of them is taken for a temporary fault of PlanSo, and for the save's
        doing if it stays so while another order is shown. Raises PlansoUnsure where the form can't be read: the save
        may have been applied.
        """
        loop = asyncio.get_running_loop()
        blank_since: float | None = None
        readings: list[Form] = []
        failures, pause = 0, 0.0
        unreadable = f"PlanSo took {action}, and then it could not be read back"
        while True:
            await asyncio.sleep(pause)
            read_at = format_instant(self._clock())
            try:
                with urgent_requests(begin_by=loop.time() + START_TIMEOUT):
                    form = await self._planso.read_form(order_id, readings[-1] if readings else None)
            except PlansoError as error:
                failures += 1
                if failures == len(RETRY_PAUSES):
                    raise PlansoUnsure(f"{unreadable}: {error}.") from None
                pause = RETRY_PAUSES[failures]
                continue
            if _is_emptied(form, requested, others):
                blank_since = loop.time() if blank_since is None else blank_since
                if loop.time() - blank_since < self._blank_for:
                    pause = min(max(2 * pause, 0.3), MAX_BLANK_PAUSE)
                    continue
                if not await self._is_only_one_blank(form):
                    raise PlansoUnsure(f"{unreadable}: PlanSo answers with empty forms.")
                return FormAfterSave(form, read_at, (form,), frozenset())
            readings.append(form)
            pause = 0.0
            if len(readings) > 1:
                volatile = find_changed_columns(take_snapshot(readings[-2]), take_snapshot(form))
                if not form.find_differences(readings[-2]) or len(readings) == MAX_READINGS_AFTER_SAVE:
                    return FormAfterSave(form, read_at, tuple(readings), frozenset(volatile))

    async def stays_blank(self, form: Form, sent_at: Instant | None) -> bool:
        """Whether a blank form was saved longer ago than temporary faults last, while PlanSo shows another order."""
        if sent_at is None or self._clock() - parse_instant(sent_at) < timedelta(seconds=self._blank_for):
            return False
        return await self._is_only_one_blank(form)

    async def _is_only_one_blank(self, form: Form) -> bool:
        """Whether PlanSo shows another order, and then this form unchanged: else it may have recovered meanwhile."""
        assert form.order_id is not None, "the form of an existing order"
        try:
            shows_another = await self._shows_another(form.order_id)
            return shows_another and not (await self._planso.read_form(form.order_id, form)).find_differences(form)
        except PlansoError:
            return False

    async def _shows_another(self, order_id: int) -> bool:
        """Whether PlanSo shows another listed order that names a person or a vehicle. Raises PlansoError."""
        others = [entry.order_id for entry in await self._planso.read_board() if entry.order_id != order_id]
        for other in others[:MAX_OTHER_ORDERS]:
            if has_identifying_value((await self._planso.read_form(other)).read_fields()):
                return True
        return False

    async def start_read_back(self, form: Form, mirrored: Order | None, read_at: Instant) -> ReadBackResult:
        """The order of a form just read; its parts are read, too, where the mirror does not have the order."""
        assert form.order_id is not None, "the form of an existing order"
        if mirrored is not None:
            return ReadBackResult(apply_reading(mirrored, form.read_fields()), form.order_id, read_at)
        order = await self._reader.compose_order(form.order_id, form.read_fields())
        return ReadBackResult(order, form.order_id, read_at, has_parts=True)


def _is_emptied(form: Form, requested: Mapping[str, Value], others: Mapping[str, Value]) -> bool:
    """
    Whether the form lost nearly all values. One that holds what was requested did not lose them by chance, and a write
    that cleared everything expects everything cleared.
    """
    expected = {**others, **requested}
    if form.is_blank:
        return any(expected.values())
    if not is_emptied(expected, form.read_fields()):
        return False
    return not any(requested.values()) or bool(form.find_unsaved(requested))


def apply_reading(mirrored: Order, reading: FormReading) -> Order:
    """The order as the mirror would hold it after this reading."""
    believed, _ = check_form(mirrored, reading)
    return update_from_form(mirrored, believed)
