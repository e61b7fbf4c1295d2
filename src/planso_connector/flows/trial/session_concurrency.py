"""Whether PlanSo serves two requests of one session at once, measured by a few readings of one form."""

from __future__ import annotations

import asyncio
import time

from planso_connector.planso.http.client import PlansoClient

MIN_MEASURABLE_SECONDS = 0.08
"""Seconds that a reading must take for two at once to be told from two in turn."""

CONCURRENT_RATIO, SEQUENTIAL_RATIO = 0.7, 0.8
"""Two readings together against one after the other: below the one at once, above the other in turn."""


async def measure_concurrency(planso: PlansoClient, order_id: int) -> str:
    """A sentence, by seven readings. Raises PlansoError."""
    if planso.throttle.concurrency < 2:
        return "Whether PlanSo serves two requests at once was not measured: CONNECTOR_PLANSO_CONCURRENCY is 1."
    await planso.read_form(order_id)  # logs in where this session was not used for long
    in_turn = 2 * min([await _seconds(planso, order_id, 1) for _ in range(2)])
    together = min([await _seconds(planso, order_id, 2) for _ in range(2)])
    if in_turn < 2 * MIN_MEASURABLE_SECONDS:
        return "PlanSo answers too quickly to tell whether it serves two requests at once; it makes no difference then."
    took = f"two readings took {together:.2f} s together, {in_turn:.2f} s in turn"
    if together < CONCURRENT_RATIO * in_turn:
        return f"PlanSo serves two requests of one session at once: {took}."
    if together > SEQUENTIAL_RATIO * in_turn:
        return f"PlanSo serves the requests of one session one after the other: {took}."
    return f"Whether PlanSo serves two requests at once can't be told: {took}."


async def _seconds(planso: PlansoClient, order_id: int, at_once: int) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(planso.read_form(order_id) for _ in range(at_once)))
    return time.perf_counter() - began
