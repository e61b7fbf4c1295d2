"""The events of the change feed, as the API shows them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from planso_connector.domain.events import EVENT_DESCRIPTIONS, EventType
from planso_connector.rest.schemas.examples import build_example, described
from planso_connector.rest.schemas.responses import Envelope

_AT = "2026-11-23T09:41:00.702000Z"
_TYPES = "; ".join(f"`{name}`: {text[:1].lower()}{text[1:]}" for name, text in EVENT_DESCRIPTIONS.items())


class _Event(BaseModel):
    id: str = described("The event's id.", "evt_5f0c2b9e41d7a6380c1e")
    cursor: str = described("The place behind this event; send it as `after`.", "5f0c2b9e-1207")
    at: str = described("When it was seen. UTC.", _AT)
    by: str = described("Who: the caller of the operation, `PlanSo`, or `connector`.", "phone agent")
    operation_id: str | None = described("The operation; null where it was none.", "op_5f0c2b9e41d7a6380c1e")


class OrderEvent(_Event):
    """An order was created, changed, archived, restored or deleted."""

    type: Literal[
        EventType.ORDER_CREATED,
        EventType.ORDER_UPDATED,
        EventType.ORDER_ARCHIVED,
        EventType.ORDER_RESTORED,
        EventType.ORDER_DELETED,
    ] = described("What happened.", EventType.ORDER_UPDATED)
    order_id: int = described("PlanSo's order id.", 130)
    version: int = described("The order's version since then.", 5)
    before: dict[str, Any] = described(
        "What changed, as it was: by the field's path, or by PlanSo's label. Empty where it is not kept any more.",
        {"shop_date": "2026-12-08"},
    )
    after: dict[str, Any] = described("The same, as it is since then.", {"shop_date": "2026-12-09"})


class PartCounts(BaseModel):
    """How many parts an order has."""

    parts: int = described("All.", 6)
    delivered: int = described("Delivered ones.", 4)
    missing: int = described("Missing ones.", 2)


class PartsEvent(_Event):
    """Parts of an order changed; `GET /api/orders/{order_id}/parts` has them."""

    type: Literal[EventType.PARTS_CHANGED] = described("What happened.", EventType.PARTS_CHANGED)
    order_id: int = described("PlanSo's order id.", 130)
    version: int = described("The order's version since then.", 6)
    before: PartCounts = Field(description="How many there were.")
    after: PartCounts = Field(description="How many there are since then.")


class OperationStateOnly(BaseModel):
    """The state of an operation."""

    state: str = described("The operation's state.", "confirmed")


class OperationEvent(_Event):
    """A write ended; `GET /api/operations/{operation_id}` has it."""

    type: Literal[EventType.OPERATION_SETTLED] = described("What happened.", EventType.OPERATION_SETTLED)
    order_id: int | None = described("PlanSo's order id; null for a create that failed.", 130)
    version: None = described("Always null.", None)
    before: OperationStateOnly = Field(description="`pending`.")
    after: OperationStateOnly = Field(description="How it ended.")


class ConnectorEvent(_Event):
    """Something that concerns the connector: pages that moved, writes that were stopped or resumed."""

    type: Literal[EventType.SYNC_DRIFTED, EventType.WRITES_STOPPED, EventType.WRITES_RESUMED] = described(
        "What happened.", EventType.WRITES_STOPPED
    )
    order_id: int | None = described("The order whose writes are concerned; null: those of the workshop.", None)
    version: None = described("Always null.", None)
    before: dict[str, Any] = described("Always empty.", {})
    after: dict[str, Any] = described("`doubts` or `reason`.", {"reason": "to 1 field of order 130"})


ChangeEvent = OrderEvent | PartsEvent | OperationEvent | ConnectorEvent


class ChangesAnswer(Envelope):
    """Events, oldest first."""

    changes: list[ChangeEvent] = described(f"The events. By `type`: {_TYPES}", [build_example(OrderEvent)])
    count: int = described("Events in this answer.", 1)
    next_cursor: str = described(
        "Send it as `after` for what comes next, also where this answer has no event.", "5f0c2b9e-1207"
    )
    has_more: bool = described("Whether there is more to look through behind `next_cursor` now.", False)
