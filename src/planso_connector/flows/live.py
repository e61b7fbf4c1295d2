"""
Live: one order as PlanSo holds it now, read so that a write can be planned on it or told by it. No transaction but the
short ones that load the mirror's order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from planso_connector.domain.clock import Clock, stamp
from planso_connector.domain.errors import NotFound, PlansoError, PlansoUnavailable, PlansoUnsure
from planso_connector.domain.fields import Value
from planso_connector.domain.order import FormReading, Order, has_emptied, is_somebodys, refreshed
from planso_connector.domain.trust import believable_form
from planso_connector.flows.reading import Reader
from planso_connector.planso.client import Planso
from planso_connector.planso.form import Form, NoForm
from planso_connector.planso.throttle import urgent

PAUSES = (0.0, 0.3, 1.0)
"""Seconds before each try to read back what was sent."""

SECOND_LOOK_AFTER = 1.0
"""Seconds after which an order that seems not to be there is looked at again."""

WITHIN = 60.0
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


class Live:
    """Lives as long as the process."""

    def __init__(self, planso: Planso, reader: Reader, clock: Clock) -> None:
        self._planso = planso
        self._reader = reader
        self._clock = clock

    async def existing_form(self, order_id: int, known: Order | None, previous: Form | None = None) -> Form:
        """
        The form as it is now. An empty form is what PlanSo shows for an order that does not exist, and now and then
        for one that does: saving that would wipe the order. Raises NotFound, PlansoUnavailable.
        """
        try:
            return await self._existing_form(order_id, known, previous)
        except NotFound:
            if known is None:
                raise
            await asyncio.sleep(SECOND_LOOK_AFTER)
            return await self._existing_form(order_id, known, previous)

    async def _existing_form(self, order_id: int, known: Order | None, previous: Form | None) -> Form:
        try:
            form = await self._planso.read_form(order_id)
        except NoForm:
            if await self.is_listed(order_id):
                raise
            raise NotFound(f"There is no order {order_id} in PlanSo.") from None
        reading = form.reading()
        emptied = form.is_blank or has_emptied(known.values if known is not None else {}, reading)
        if previous is not None:
            emptied = emptied or has_emptied(previous.reading().values, reading)
        if known is not None and not known.archived and not emptied:
            return form
        if await self.is_listed(order_id):
            if emptied:
                raise PlansoUnavailable(f"PlanSo answers with an empty form for order {order_id}.")
            return form
        if emptied or not is_somebodys(reading):
            raise NotFound(f"There is no order {order_id} in PlanSo.")
        return form

    async def is_listed(self, order_id: int) -> bool:
        return any(entry.order_id == order_id for entry in await self._planso.board())

    async def is_gone(self, order_id: int, held: Mapping[str, Value]) -> bool:
        """
        Whether PlanSo has no such order any more; `held` is what it held. Seen twice, because PlanSo shows an empty
        form now and then for an order that is well.
        """
        for pause in (0.0, SECOND_LOOK_AFTER):
            await asyncio.sleep(pause)
            try:
                form = await self._planso.read_form(order_id)
            except NoForm:
                continue
            reading = form.reading()
            if not form.is_blank and not has_emptied(held, reading) and is_somebodys(reading):
                return False
        return not await self.is_listed(order_id)

    async def form_after(self, order_id: int, expected: Mapping[str, Value], what: str) -> tuple[Form, str]:
        """
        The form after something was sent, and when it was asked for. An empty one is PlanSo's hiccup, unless no value
        is expected: who cleared everything finds everything cleared. Raises PlansoUnsure where it can't be read: by
        then nobody may say that nothing happened.
        """
        reason = ""
        for pause in PAUSES:
            await asyncio.sleep(pause)
            read_at = stamp(self._clock())
            try:
                with urgent(begin_by=asyncio.get_running_loop().time() + WITHIN):
                    form = await self._planso.read_form(order_id)
            except PlansoError as error:
                reason = str(error)
                continue
            is_hiccup = form.is_blank and any(expected.values())
            if not is_hiccup and not has_emptied(expected, form.reading()):
                return form, read_at
            reason = "PlanSo answers with an empty form"
        raise PlansoUnsure(f"PlanSo took {what}, and then it could not be read back: {reason}.")

    async def order(self, form: Form, known: Order | None) -> tuple[Order, bool]:
        """The order around a form just read, and whether its parts were read too: those of one that is not known."""
        assert form.order_id is not None, "what is read back was read"
        if known is not None:
            return in_the_mirror(known, form.reading()), False
        return await self._reader.whole(form.order_id, form.reading()), True


def in_the_mirror(known: Order, reading: FormReading) -> Order:
    """The order as the mirror would hold it after this reading."""
    believed, _ = believable_form(known, reading)
    return refreshed(known, believed)
