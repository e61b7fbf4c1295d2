"""
Parse large responses in a thread, so that the event loop is not blocked. One thread for the process, so that the
memory that a hostile response takes is taken once at a time.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")

THREAD_THRESHOLD = 16_384
"""Bytes of a response; a smaller one takes less than 50 ms whatever it holds, and a thread costs 0.1 ms."""


async def run_parser(size: int, parse: Callable[[], T]) -> T:
    """The result of `parse` for a response of `size` bytes."""
    if size < THREAD_THRESHOLD:
        return parse()
    return await asyncio.get_running_loop().run_in_executor(_thread(), parse)


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="planso-parser")
