"""Dry run: what a write would change, told by PlanSo's form as it is now. Nothing is recorded, nothing sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from planso_connector.domain.fields import Value
from planso_connector.domain.operation import Change
from planso_connector.domain.plausible import looks_wrong
from planso_connector.flows.live import Live
from planso_connector.flows.push_create import with_defaults
from planso_connector.flows.reading import Reader
from planso_connector.planso.client import Planso
from planso_connector.planso.throttle import urgent

BEGIN_WITHIN = 15.0
"""Seconds for which the caller waits for PlanSo's turn."""


@dataclass(frozen=True, slots=True)
class Preview:
    """`changes` in the form's order of asking; `notes` are sentences, on what looks wrong among them."""

    order_id: int | None
    changes: tuple[Change, ...]
    notes: tuple[str, ...]


class DryRun:
    """Lives as long as the process. Raises what PlanSo's reading and the plan raise: NotFound, Invalid, PlansoError."""

    def __init__(self, planso: Planso, live: Live, reader: Reader) -> None:
        self._planso = planso
        self._live = live
        self._reader = reader

    async def create(self, asked: Mapping[str, Value]) -> Preview:
        with urgent(begin_by=asyncio.get_running_loop().time() + BEGIN_WITHIN):
            blank = await self._planso.blank_form()
        plan = blank.plan({**with_defaults(blank, asked), **asked})
        return Preview(None, plan.changes, (*plan.notes, *looks_wrong(asked)))

    async def update(self, order_id: int, asked: Mapping[str, Value]) -> Preview:
        with urgent(begin_by=asyncio.get_running_loop().time() + BEGIN_WITHIN):
            form = await self._live.existing_form(order_id, await self._reader.known(order_id))
        plan = form.plan(asked)
        return Preview(order_id, plan.changes, (*plan.notes, *looks_wrong(asked)))

    async def delete(self, order_id: int) -> Preview:
        with urgent(begin_by=asyncio.get_running_loop().time() + BEGIN_WITHIN):
            await self._live.existing_form(order_id, await self._reader.known(order_id))
        return Preview(order_id, (), (f"Order {order_id} would be deleted in PlanSo.",))
