"""Measure whether PlanSo serves two requests of one session at once."""

import asyncio
import time

from planso_connector.planso.http.client import PlansoClient

MIN_MEASURABLE_SECONDS = 0.08
"""Duration of a reading from which on concurrent and sequential ones can be told apart."""

CONCURRENT_RATIO, SEQUENTIAL_RATIO = 0.7, 0.8
"""Duration of two readings together by that of two in turn: concurrent below the one, sequential above the other."""


async def measure_concurrency(planso: PlansoClient, order_id: int) -> str:
    """The result as a sentence; reads the order's form seven times. Raises PlansoError."""
    if planso.throttle.concurrency < 2:
        return "Whether PlanSo serves two requests at once was not measured: CONNECTOR_PLANSO_CONCURRENCY is 1."
    await planso.read_form(order_id)  # logs in where this session was not used for long
    in_turn = 2 * min([await _time_readings(planso, order_id, 1) for _ in range(2)])
    together = min([await _time_readings(planso, order_id, 2) for _ in range(2)])
    if in_turn < 2 * MIN_MEASURABLE_SECONDS:
        return "PlanSo answers too quickly to tell whether it serves two requests at once; it makes no difference then."
    durations = f"two readings took {together:.2f} s together, {in_turn:.2f} s in turn"
    if together < CONCURRENT_RATIO * in_turn:
        return f"PlanSo serves two requests of one session at once: {durations}."
    if together > SEQUENTIAL_RATIO * in_turn:
        return f"PlanSo serves the requests of one session one after the other: {durations}."
    return f"Whether PlanSo serves two requests at once is unknown: {durations}."


async def _time_readings(planso: PlansoClient, order_id: int, count: int) -> float:
    """Seconds for so many concurrent readings."""
    started = time.perf_counter()
    await asyncio.gather(*(planso.read_form(order_id) for _ in range(count)))
    return time.perf_counter() - started
