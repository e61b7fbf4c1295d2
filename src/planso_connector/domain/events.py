"""The types of events in the change feed."""

from enum import StrEnum


class EventType(StrEnum):
    ORDER_CREATED = "order.created"
    ORDER_UPDATED = "order.updated"
    ORDER_ARCHIVED = "order.archived"
    ORDER_RESTORED = "order.restored"
    ORDER_DELETED = "order.deleted"
    PARTS_CHANGED = "parts.changed"
    OPERATION_SETTLED = "operation.settled"
    SYNC_DRIFTED = "sync.drifted"
    WRITES_STOPPED = "writes.stopped"
    WRITES_RESUMED = "writes.resumed"


EVENT_DESCRIPTIONS: dict[EventType, str] = {
    EventType.ORDER_CREATED: "An order was created, here or in PlanSo. Not those that the first sync finds.",
    EventType.ORDER_UPDATED: "Fields of an order changed: `before` and `after` have each of them by its path, or by "
    "PlanSo's label where it has none. Where a caller and somebody in PlanSo changed it at once, one event for each.",
    EventType.ORDER_ARCHIVED: "An order left PlanSo's list of current orders.",
    EventType.ORDER_RESTORED: "An archived or deleted order is back.",
    EventType.ORDER_DELETED: "An order was deleted in PlanSo.",
    EventType.PARTS_CHANGED: "Parts of an order changed: `before` and `after` have `parts`, those that differ.",
    EventType.OPERATION_SETTLED: "A write ended: `after` has its `state`.",
    EventType.SYNC_DRIFTED: "A sync did not believe something on PlanSo's pages that it believed before: `after` has "
    "`doubts`.",
    EventType.WRITES_STOPPED: "A save did damage, so writes are stopped: to the order, or to all without `order_id`. "
    "`after` has `reason`.",
    EventType.WRITES_RESUMED: "A person resumed writes.",
}
