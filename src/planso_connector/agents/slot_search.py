"""Find days and times with room around those that a caller asks about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta

from planso_connector.agents.slot_phrases import Offer
from planso_connector.agents.tool_session import ToolSession
from planso_connector.agents.wished_days import MAX_DAYS, WishedDays
from planso_connector.domain.capacity.assessment import DayAssessment, Level, Question, find_nearest
from planso_connector.domain.capacity.capacity import BookingKind, Trade
from planso_connector.domain.spoken_dates.moment import PART_BOUNDS, SpokenMoment
from planso_connector.flows.querying.availability import AskedFor

DAYS_BEFORE = 14
"""Before the first day that is asked about alternatives are looked for, too."""
MAX_OTHERS = 3

_HAS_ROOM = (Level.FREE, Level.TIGHT)


@dataclass(frozen=True, slots=True)
class SlotSearch:
    """What is known of the days that are asked about and of those around."""

    wish: WishedDays
    days: Sequence[DayAssessment]
    is_stale: bool
    hours: Mapping[Trade, float]
    """That need room."""

    @property
    def wished_day(self) -> DayAssessment | None:
        """Where one day is asked about."""
        wished = self.wish.day
        return None if wished is None else next(day for day in self.days if day.day == wished.day)

    @property
    def is_unknown(self) -> bool:
        """Whether the workshop's data say nothing of the days that are asked about."""
        asked = [day for day in self.days if self.wish.includes(day.day)]
        return any(day.level is None for day in asked) and not any(day.is_bookable for day in asked)

    def list_offers(self) -> list[Offer]:
        """With room at the days and times that are asked about."""
        found = (build_offer(day, self.wish.time) for day in self.days if self.wish.includes(day.day))
        return [offer for offer in found if offer is not None]

    def list_others(self) -> list[Offer]:
        """The nearest days with room, at the time of day that is asked about where there are any."""
        for wished_time in (self.wish.time, None):
            offers = {day.day: offer for day in self.days if (offer := build_offer(day, wished_time)) is not None}
            nearest = find_nearest((day for day in self.days if day.day in offers), self.wish.first, MAX_OTHERS)
            if nearest:
                return [offers[day.day] for day in nearest]
        return []


async def search_slots(session: ToolSession, kind: BookingKind, wish: WishedDays, order_id: int | None) -> SlotSearch:
    """`order_id`: the order that it is for, where there is one; its hours need room then."""
    today = session.local_now().date()
    first = max(today, wish.first - timedelta(days=DAYS_BEFORE))
    days = max(MAX_DAYS, (wish.first - first).days + wish.days)
    asked_for = AskedFor(session.call_fingerprint, order_id)
    answer = await session.flows.availability.get(Question(kind, first, days), asked_for)
    return SlotSearch(wish, answer.availability.days, answer.is_stale, answer.hours)


def build_offer(day: DayAssessment, wished: SpokenMoment | None) -> Offer | None:
    """None without room. A wished time is one of the slot that it lies in."""
    if not day.is_bookable:
        return None
    if not day.slots:
        return Offer(day.day, str(day.level), ())
    slots = [(_to_time(one.slot.begin), _to_time(one.slot.end)) for one in day.slots if one.level in _HAS_ROOM]
    times = tuple(begin for begin, end in slots if _fits(begin, end, wished))
    return Offer(day.day, str(day.level), times) if times else None


def _fits(begin: time, end: time, wished: SpokenMoment | None) -> bool:
    if wished is not None and wished.clock is not None:
        return begin <= wished.clock < end
    if wished is not None and wished.part is not None:
        first, last = PART_BOUNDS[wished.part]
        return first <= begin < last
    return True


def find_slot(day: DayAssessment, clock: time) -> str:
    """The slot in which a time lies, such as `07:30-09:00`; empty where the workshop has none for this."""
    return next((str(one.slot) for one in day.slots if _to_time(one.slot.begin) <= clock < _to_time(one.slot.end)), "")


def _to_time(text: str) -> time:
    """Of `07:30`; the day ends at `24:00`."""
    return time.max if text.startswith("24") else time.fromisoformat(text)
