"""The orders of one workshop in memory: invented when they are needed, and let go again."""

from collections.abc import Callable

from planso_connector.sandbox.orders import SandboxOrder
from planso_connector.sandbox.state_file import SavedState


class HeldOrders:
    """Orders by id. `touched`: ids of those that are new or differ from the invented ones. `gone`: of deleted ones.

    Not thread-safe: the caller holds the workshop's lock.
    """

    def __init__(self, invent: Callable[[], dict[int, SandboxOrder]]) -> None:
        """`invent` returns the same orders each time it is called."""
        self._invent = invent
        self._orders: dict[int, SandboxOrder] | None = None
        self._changed: dict[int, SandboxOrder] = {}
        self._next_id: int | None = None
        self.touched: set[int] = set()
        self.gone: set[int] = set()

    @property
    def is_held(self) -> bool:
        """Whether the orders are in memory now."""
        return self._orders is not None

    @property
    def orders(self) -> dict[int, SandboxOrder]:
        """The orders, invented where they are not in memory."""
        if self._orders is None:
            invented = self._invent()
            if self._next_id is None:
                self._next_id = max(invented, default=100) + 1
            self._orders = {key: order for key, order in invented.items() if key not in self.gone} | self._changed
            self._changed = {}
        return self._orders

    @property
    def next_id(self) -> int:
        """The id of the next order that is created."""
        if self._next_id is None:
            self._next_id = max(self.orders, default=100) + 1
        return self._next_id

    @next_id.setter
    def next_id(self, value: int) -> None:
        self._next_id = value

    def release(self) -> None:
        """Forget all orders but the changed ones."""
        if self._orders is not None:
            self._changed = {key: self._orders[key] for key in self.touched}
            self._orders = None

    def load(self, saved: SavedState) -> None:
        """Continue from a state file. Called before the orders are first needed."""
        self._changed, self.touched, self.gone = dict(saved.changed), set(saved.changed), saved.gone
        self._next_id = saved.next_id

    def to_saved_state(self) -> SavedState:
        """What a state file keeps."""
        changed = {order_id: self.orders[order_id] for order_id in sorted(self.touched)}
        return SavedState(changed, self.gone, self.next_id)
