"""
Admission control: how many requests may wait at once. One that waits holds a request slot of the connector
(CONNECTOR_PARALLEL_TOTAL), so without a bound those who wait for a slow PlanSo would keep out those who read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from planso_connector.domain.errors import TooManyWaiting

current_key_id: ContextVar[str] = ContextVar("current_key", default="")
"""The id of the API key that the request at hand came with; empty without one."""

while_waiting: ContextVar[AbstractContextManager[object] | None] = ContextVar("request_waits", default=None)
"""Entered as long as the request at hand waits."""

_AGAIN = "try again in a moment"


class WaitLimit:
    """`most` requests may wait at once, those of one API key up to half of that. `what` says for what they wait."""

    def __init__(self, most: int, what: str) -> None:
        self.limit = max(1, most)
        self.waiting = 0
        self._of_one_key = (self.limit + 1) // 2
        self._what = what
        self._by_key: Counter[str] = Counter()

    @property
    def is_full(self) -> bool:
        """Whether the request at hand may not wait."""
        return self._refusal() is not None

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """While this lasts, the request at hand waits. Raises TooManyWaiting at once where there is no place."""
        refusal = self._refusal()
        if refusal is not None:
            raise refusal
        key = current_key_id.get()
        self.waiting += 1
        self._by_key[key] += 1
        try:
            with while_waiting.get() or nullcontext():
                yield
        finally:
            self.waiting -= 1
            self._by_key[key] -= 1
            if not self._by_key[key]:
                del self._by_key[key]

    def _refusal(self) -> TooManyWaiting | None:
        if self.waiting >= self.limit:
            return TooManyWaiting(f"{self.waiting} requests wait {self._what} already; {_AGAIN}")
        key = current_key_id.get()
        if key and self._by_key[key] >= self._of_one_key:
            return TooManyWaiting(f"{self._by_key[key]} requests of this API key wait {self._what} already; {_AGAIN}")
        return None
