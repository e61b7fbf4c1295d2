"""
Work on large answers in a thread, so that the event loop goes on. One thread for the process: the memory that a
hostile answer takes is taken once at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")

THREAD_THRESHOLD = 16_384
"""Bytes of an answer; what is smaller takes less than 50 ms whatever it holds, and a thread costs 0.1 ms."""


async def run_parser(size: int, work: Callable[[], T]) -> T:
    """The result of `work` on an answer of `size` bytes."""
    if size < THREAD_THRESHOLD:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_thread(), work)


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="planso-answers")
