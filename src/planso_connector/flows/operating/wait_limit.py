"""
Limit how many requests wait at once. A waiting request holds a slot of CONNECTOR_PARALLEL_TOTAL: without a limit those
that wait for a slow PlanSo would keep out those that read.
"""

from collections import Counter
from collections.abc import Callable, Iterator
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
_KEY, _WORKSHOP = "API key", "workshop"


class WaitLimit:
    """
    At most `limit` requests wait at once; of one API key, and of one workshop where `is_alone` says that there are
    others, at most half of that. `reason`: what they wait for.
    """

    def __init__(self, limit: int, reason: str, is_alone: Callable[[], bool] = lambda: True) -> None:
        self.limit = max(1, limit)
        self.waiting = 0
        self._limit_of_one = (self.limit + 1) // 2
        self._reason = reason
        self._is_alone = is_alone
        self._by_owner: Counter[tuple[str, str]] = Counter()

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
        owners = _list_owners()
        self.waiting += 1
        self._by_owner.update(owners)
        try:
            with while_waiting.get() or nullcontext():
                yield
        finally:
            self.waiting -= 1
            for owner in owners:
                self._by_owner[owner] -= 1
                if not self._by_owner[owner]:
                    del self._by_owner[owner]

    def _check(self) -> TooManyWaiting | None:
        if self.waiting >= self.limit:
            return TooManyWaiting(f"{self.waiting} requests wait {self._reason} already; {_RETRY}")
        for owner in _list_owners():
            waiting = self._by_owner[owner]
            if waiting >= self._limit_of_one and not (owner[0] == _WORKSHOP and self._is_alone()):
                return TooManyWaiting(f"{waiting} requests of this {owner[0]} wait {self._reason} already; {_RETRY}")
        return None


def _list_owners() -> list[tuple[str, str]]:
    """Whom the current request counts against: kind and name."""
    owners = ((_KEY, current_key_id.get()), (_WORKSHOP, current_workshop.get()))
    return [owner for owner in owners if owner[1]]
