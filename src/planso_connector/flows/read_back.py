"""What came of an operation: what was read back from PlanSo, and whether that is what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planso_connector.domain.errors import ConnectorError
from planso_connector.domain.fields import Value
from planso_connector.domain.operation import State
from planso_connector.domain.order import Order


@dataclass(frozen=True, slots=True)
class Pushed:
    """What came of an operation that PlanSo confirmed."""

    order_id: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadBack:
    order: Order | None
    """None: gone, the order was deleted."""
    order_id: int
    read_at: str
    before: Mapping[str, Value] | None
    notes: tuple[str, ...] = ()
    with_parts: bool = False


class ReadBackDiffers(Exception):
    """Something was sent, and what was read back is not what was asked, or could not be read: how to settle that."""

    def __init__(
        self, error: ConnectorError, read_back: ReadBack | None, state: State, order_id: int | None = None
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.read_back = read_back
        self.state = state
        self.order_id = order_id
