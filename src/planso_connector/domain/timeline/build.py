"""Build an order's repair timeline from its dates, its parts and its history."""

from collections.abc import Sequence
from datetime import datetime, time

from planso_connector.domain.messages import Message
from planso_connector.domain.order import Order
from planso_connector.domain.timeline.changes import iter_changes
from planso_connector.domain.timeline.gaps import iter_gaps
from planso_connector.domain.timeline.milestones import iter_milestones
from planso_connector.domain.timeline.timeline import GapKind, ObservedChange, Timeline, TimelineEntry, TimelineGap

_CUT = Message(
    "Only the newest changes are shown; GET .../history has all.",
    "Nur die neuesten Änderungen sind aufgeführt; GET .../history hat alle.",
)
_PARTS_NOT_READ = Message("The parts were not read.", "Die Teile wurden nicht gelesen.")


def build_timeline(
    order: Order,
    changes: Sequence[ObservedChange],
    now: datetime,
    *,
    observed_since: datetime | None,
    is_cut: bool = False,
    has_parts: bool = True,
) -> Timeline:
    """`is_cut`: there are older changes. `has_parts`: the order's parts were read."""
    entries = sorted([*iter_milestones(order, now), *iter_changes(changes)], key=_sort_key)
    gaps = list(iter_gaps(entries, now, observed_since))
    if is_cut:
        gaps.append(TimelineGap(GapKind.CUT, _CUT))
    if not has_parts:
        gaps.append(TimelineGap(GapKind.PARTS_NOT_READ, _PARTS_NOT_READ))
    return Timeline(
        order_id=order.id,
        plate=order.plate,
        vehicle=_text(order, "vehicle.vehicle"),
        vin=_text(order, "vehicle_details.vin"),
        person=_text(order, "person"),
        made_at=now,
        observed_since=observed_since,
        entries=entries,
        gaps=gaps,
    )


def _sort_key(entry: TimelineEntry) -> tuple[object, ...]:
    """A day without a time comes before its times."""
    return entry.moment.day, entry.moment.time is not None, entry.moment.time or time.min


def _text(order: Order, path: str) -> str | None:
    value = order.values.get(path)
    return str(value) if value else None
