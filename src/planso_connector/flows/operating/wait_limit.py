"""
Limit how many requests wait at once. A waiting request holds a slot of CONNECTOR_PARALLEL_TOTAL: without a limit those
that wait for a slow PlanSo would keep out those that read.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from planso_connector.domain.errors import TooManyWaiting

current_key_id: ContextVar[str] = ContextVar("current_key_id", default="")
"""The id of the current request's API key; empty without one."""

current_workshop: ContextVar[str] = ContextVar("current_workshop", default="")
"""The workshop of the current request."""

while_waiting: ContextVar[AbstractContextManager[object] | None] = ContextVar("while_waiting", default=None)
"""Entered while the current request waits."""

_RETRY = "try again in a moment"


class WaitLimit:
    """At most `limit` requests wait at once, of one API key at most half of that. `reason`: what they wait for."""

    def __init__(self, limit: int, reason: str) -> None:
        self.limit = max(1, limit)
        self.waiting = 0
        self._limit_per_key = (self.limit + 1) // 2
        self._reason = reason
        self._by_key: Counter[str] = Counter()

    @property
    def is_full(self) -> bool:
        """Whether the current request may not wait."""
        return self._check() is not None

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """The current request waits inside this context. Raises TooManyWaiting."""
        error = self._check()
        if error is not None:
            raise error
        key_id = current_key_id.get()
        self.waiting += 1
        self._by_key[key_id] += 1
        try:
            with while_waiting.get() or nullcontext():
                yield
        finally:
            self.waiting -= 1
            self._by_key[key_id] -= 1
            if not self._by_key[key_id]:
                del self._by_key[key_id]

    def _check(self) -> TooManyWaiting | None:
        if self.waiting >= self.limit:
            return TooManyWaiting(f"{self.waiting} requests wait {self._reason} already; {_RETRY}")
        key_id = current_key_id.get()
        if key_id and self._by_key[key_id] >= self._limit_per_key:
            waiting = self._by_key[key_id]
            return TooManyWaiting(f"{waiting} requests of this API key wait {self._reason} already; {_RETRY}")
        return None
