"""A queue that takes turns between workshops (round robin), so that one with much work does not hold up the others."""

from collections import OrderedDict, deque
from typing import Generic, Protocol, TypeVar


class OfWorkshop(Protocol):
    @property
    def workshop(self) -> str | None:
        """None: of the whole installation, which has turns of its own."""
        ...


T = TypeVar("T", bound=OfWorkshop)


class FairQueue(Generic[T]):
    """
    Items of one workshop keep their order. An item waits for those of its own workshop before it, and for at most as
    many of each other workshop, and one more. Not thread-safe.
    """

    def __init__(self) -> None:
        self._queues: OrderedDict[str | None, deque[T]] = OrderedDict()
        """None is empty; the first has the next turn."""

    def append(self, item: T) -> None:
        queue = self._queues.get(item.workshop)
        if queue is None:
            queue = self._queues[item.workshop] = deque()
        queue.append(item)

    def popleft(self) -> T:
        """Raises IndexError if the queue is empty."""
        workshop, queue = next(iter(self._queues.items()), (None, deque[T]()))
        item = queue.popleft()
        if queue:
            self._queues.move_to_end(workshop)
        else:
            del self._queues[workshop]
        return item
