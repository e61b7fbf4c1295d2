"""
Live: one order as PlanSo holds it now, read so that a write can be planned on it or told by it. No transaction but the
short ones that load the mirror's order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from planso_connector.domain.clock import Clock, format_instant, parse_instant
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
from planso_connector.domain.order import FormReading, Order, has_identity, is_emptied, update_from_form
from planso_connector.domain.page_drift import check_form
from planso_connector.domain.saving.assessment import StopScope
from planso_connector.domain.saving.differences import Difference
from planso_connector.domain.saving.identity import find_differing_fields, is_other_order
from planso_connector.domain.saving.snapshot import find_changed_columns
from planso_connector.flows.syncing.read_order import OrderReader
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import urgent_requests
from planso_connector.planso.pages.form import Form, FormMissing
from planso_connector.planso.saving.form_snapshot import take_snapshot

RETRY_PAUSES = (0.0, 0.3, 1.0, 2.0, 4.0)
"""Seconds before each try to read back what was sent."""

MAX_READINGS_AFTER_SAVE = 4
"""How often a form is read at most after a save until two readings in a row agree."""

MAX_BLANK_PAUSE = 5.0
"""Seconds at most between two looks at a blank form."""

SECOND_LOOK_AFTER = 1.0
"""Seconds after which an order that seems not to be there is looked at again."""

MAX_OTHER_ORDERS = 3
"""Orders at most that are looked at to see whether PlanSo is well: one of them may be empty."""

START_TIMEOUT = 60.0
"""Seconds within which each of these begins, whatever PlanSo asks for."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What PlanSo showed after a write, ready to be stored."""

    order: Order | None
    """None: gone, the order was deleted."""
    order_id: int
    read_at: str
    before: Mapping[str, Value] | None
    """What the form held before the save; None where this attempt saved nothing."""
    notes: tuple[str, ...] = ()
    labels: frozenset[str] = frozenset()
    """PlanSo's labels of the fields that were saved."""
    with_parts: bool = False
    differences: tuple[Difference, ...] | None = None
    """What the save changed that was not asked; None where nothing was compared."""
    also: frozenset[str] = frozenset()
    """The fields and labels of what the save changed without being asked."""
    scope: StopScope = StopScope.NONE
    """Whose writes have to stop because of it."""
    pairs: int = 0
    """How many name/value pairs were sent; 0 where no save was compared."""
    controls: frozenset[str] = frozenset()
    """The names of the controls of the form that was saved."""


@dataclass(frozen=True, slots=True)
class FormAfterSave:
    """
    The form as it is after a save. `readings` are those that led there, oldest first, `form` the last of them;
    `volatile` are the columns in which the last two differ.
    """

    form: Form
    read_at: str
    readings: tuple[Form, ...]
    volatile: frozenset[str]


class EmptyForm(PlansoUnavailable):
    """PlanSo answers with an empty form for an order that it lists."""

    def __init__(self, message: str, form: Form) -> None:
        super().__init__(message)
        self.form = form


class SavedOtherwise(Exception):
    """Something was saved, and the form read back is not as it was asked or damaged: `error` says how."""

    def __init__(self, error: PlansoRefused | Damaged, read_back: ReadBack) -> None:
        super().__init__(str(error))
        self.error = error
        self.read_back = read_back


class LiveForms:
    """One order's form as PlanSo shows it now, for the flows that write."""

    def __init__(self, planso: PlansoClient, reader: OrderReader, clock: Clock) -> None:
        self._planso = planso
        self._reader = reader
        self._clock = clock
        self._blank_for = planso.max_request_seconds  # a minute with the usual timeout

    async def read_existing(
        self, order_id: int, known: Order | None, previous: Form | None = None, *, may_be_blank: bool = False
    ) -> Form:
        """
        The form as it is now. An empty form is what PlanSo shows for an order that does not exist, and now and then
        for one that does: saving that would wipe the order. One that the mirror knows is gone where two looks say so
        and PlanSo is well otherwise. `may_be_blank`: one is taken of an order that the mirror was shown to be blank
        before, so that what it lost can be written back. Raises NotFound, PlansoUnavailable.
        """
        try:
            return await self._existing_form(order_id, known, previous, may_be_blank=may_be_blank)
        except NotFound:
            if known is None:
                raise
            await asyncio.sleep(SECOND_LOOK_AFTER)
            try:
                return await self._existing_form(order_id, known, previous, may_be_blank=may_be_blank)
            except NotFound:
                if await self._shows_another(order_id):
                    raise
        raise PlansoUnavailable(f"PlanSo shows neither order {order_id} nor any other.")

    async def _existing_form(
        self, order_id: int, known: Order | None, previous: Form | None, *, may_be_blank: bool
    ) -> Form:
        gone = NotFound(f"There is no order {order_id} in PlanSo.", read_at=format_instant(self._clock()))
        try:
            form = await self._planso.read_form(order_id)
        except FormMissing:
            if await self.is_listed(order_id):
                raise
            raise gone from None
        reading = form.read_fields()
        emptied = form.is_blank or is_emptied(known.values if known is not None else {}, reading)
        if previous is not None:
            emptied = emptied or is_emptied(previous.read_fields().values, reading)
        if known is not None and not known.archived and not emptied:
            return form
        if await self.is_listed(order_id):
            if emptied and not (may_be_blank and known is not None and not any(known.values.values())):
                raise EmptyForm(f"PlanSo answers with an empty form for order {order_id}.", form)
            return form
        if emptied or not has_identity(reading):
            raise gone
        return form

    async def check_identity(self, operation: Operation, form: Form, read_at: str) -> None:
        """Raises Stranger where the order is another one than the operation was recorded for; the mirror takes that."""
        reading, identity = form.read_fields(), operation.identity or {}
        if not is_other_order(identity, reading.values):
            return
        assert form.order_id is not None, "what is saved was read"
        await self._reader.replace_order(form.order_id, reading, read_at)
        names = ", ".join(find_differing_fields(identity, reading.values))
        raise OrderIdReused(
            f"Order {form.order_id} is another order in PlanSo than the one that this write was recorded for: {names} "
            "differ. Nothing is sent to it."
        )

    async def is_listed(self, order_id: int) -> bool:
        return any(entry.order_id == order_id for entry in await self._planso.read_board())

    async def is_gone(self, order_id: int, held: Mapping[str, Value]) -> bool:
        """
        Whether PlanSo has no such order any more; `held` is what it held. Seen twice, because PlanSo shows an empty
        form now and then for an order that is well.
        """
        for pause in (0.0, SECOND_LOOK_AFTER):
            await asyncio.sleep(pause)
            try:
                form = await self._planso.read_form(order_id)
            except FormMissing:
                continue
            reading = form.read_fields()
            if not form.is_blank and not is_emptied(held, reading) and has_identity(reading):
                return False
        return not await self.is_listed(order_id)

    async def read_after_save(
        self, order_id: int, asked: Mapping[str, Value], others: Mapping[str, Value], what: str
    ) -> FormAfterSave:
        """
        The form after something was sent, read until two readings in a row agree. `asked` and `others` are the values
        that it should hold; one that holds nearly nothing of them is PlanSo's hiccup at first, and if it stays so while
        another order reads well, the save made it so.
        Raises PlansoUnsure where it can't be read: by then nobody may say that nothing happened.
        """
        loop = asyncio.get_running_loop()
        blank_since: float | None = None
        readings: list[Form] = []
        failures, pause = 0, 0.0
        while True:
            await asyncio.sleep(pause)
            read_at = format_instant(self._clock())
            try:
                with urgent_requests(begin_by=loop.time() + START_TIMEOUT):
                    form = await self._planso.read_form(order_id)
            except PlansoError as error:
                failures += 1
                if failures == len(RETRY_PAUSES):
                    told = f"PlanSo took {what}, and then it could not be read back: {error}."
                    raise PlansoUnsure(told) from None
                pause = RETRY_PAUSES[failures]
                continue
            if _is_emptied(form, asked, others):
                blank_since = loop.time() if blank_since is None else blank_since
                if loop.time() - blank_since < self._blank_for:
                    pause = min(max(2 * pause, 0.3), MAX_BLANK_PAUSE)
                    continue
                if not await self._is_only(form):
                    told = f"PlanSo took {what}, and then it could not be read back: PlanSo answers with empty forms."
                    raise PlansoUnsure(told)
                return FormAfterSave(form, read_at, (form,), frozenset())
            readings.append(form)
            pause = 0.0
            if len(readings) > 1:
                volatile = find_changed_columns(take_snapshot(readings[-2]), take_snapshot(form))
                if not form.find_differences(readings[-2]) or len(readings) == MAX_READINGS_AFTER_SAVE:
                    return FormAfterSave(form, read_at, tuple(readings), frozenset(volatile))

    async def stays_blank(self, form: Form, sent_at: str | None) -> bool:
        """Whether a form that is blank was saved so long ago that it is no hiccup, and PlanSo is well otherwise."""
        if sent_at is None or self._clock() - parse_instant(sent_at) < timedelta(seconds=self._blank_for):
            return False
        return await self._is_only(form)

    async def _is_only(self, form: Form) -> bool:
        """
        Whether PlanSo shows some other current order with a person or a vehicle in it, and this form as it is still:
        else it may have recovered just now.
        """
        assert form.order_id is not None, "it was read"
        try:
            is_well = await self._shows_another(form.order_id)
            return is_well and not (await self._planso.read_form(form.order_id)).find_differences(form)
        except PlansoError:
            return False

    async def _shows_another(self, order_id: int) -> bool:
        """Whether PlanSo shows some other current order with a person or a vehicle in it. Raises PlansoError."""
        others = [entry.order_id for entry in await self._planso.read_board() if entry.order_id != order_id]
        for other in others[:MAX_OTHER_ORDERS]:
            if has_identity((await self._planso.read_form(other)).read_fields()):
                return True
        return False

    async def build_order(self, form: Form, known: Order | None) -> tuple[Order, bool]:
        """The order around a form just read, and whether its parts were read too: those of one that is not known."""
        assert form.order_id is not None, "what is read back was read"
        if known is not None:
            return apply_reading(known, form.read_fields()), False
        return await self._reader.compose_order(form.order_id, form.read_fields()), True


def _is_emptied(form: Form, asked: Mapping[str, Value], others: Mapping[str, Value]) -> bool:
    """A form that holds what was asked has not emptied by chance. Who cleared everything finds everything cleared."""
    expected = {**others, **asked}
    if form.is_blank:
        return any(expected.values())
    return is_emptied(expected, form.read_fields()) and not (any(asked.values()) and not form.find_unsaved(asked))


def apply_reading(known: Order, reading: FormReading) -> Order:
    """The order as the mirror would hold it after this reading."""
    believed, _ = check_form(known, reading)
    return update_from_form(known, believed)
