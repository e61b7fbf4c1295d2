"""What a receiver gets of an event."""

import json
from typing import Any

from planso_connector.domain.clock import Instant
from planso_connector.domain.events import EventType
from planso_connector.store.change_feed import FeedEvent


def build_payload(event: FeedEvent, *, with_fields: bool) -> str:
    """JSON: `type`, `timestamp`, and in `data` the order's id and version; `before` and `after` only `with_fields`."""
    data: dict[str, Any] = {"order_id": event.order_id, "version": event.version, "operation_id": event.operation_id}
    if with_fields:
        data |= {"before": event.before, "after": event.after}
    return _to_json({"type": event.type, "timestamp": event.at, "data": data})


def build_example(now: Instant, *, with_fields: bool) -> str:
    """As of an order that does not exist, and says so."""
    data: dict[str, Any] = {"order_id": None, "version": None, "operation_id": None, "example": True}
    if with_fields:
        data |= {"before": {"shop_date": "2026-12-08"}, "after": {"shop_date": "2026-12-09"}}
    return _to_json({"type": EventType.ORDER_UPDATED, "timestamp": now, "data": data})


def _to_json(payload: dict[str, Any]) -> str:
    return json.dumps(payload, separators=(",", ":"))
