"""
Resources: what the workshop itself set about its hours and services, for a model to read. Nothing is made up: what the
workshop did not set is said to be unknown.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import date

from planso_connector.agents.tool_answer import Phrase
from planso_connector.agents.tool_session import ToolSession
from planso_connector.domain.capacity.capacity import BookingKind, BookingRules, Capacity, DayException, Trade
from planso_connector.domain.capacity.capacity_document import read_capacity
from planso_connector.domain.language import WEEKDAYS, Language

MEDIA_TYPE = "text/markdown"

_NOT_SET = Phrase(
    "Die Werkstatt hat ihre Zeiten nicht hinterlegt. Nenne keine.",
    "The workshop has not set its hours. Do not name any.",
)
_HOURS = Phrase("# Arbeitstage der Werkstatt", "# The workshop's working days")
_WORKS = Phrase("offen", "open")
_CLOSED = Phrase("geschlossen", "closed")
_HOLIDAYS = Phrase("an gesetzlichen Feiertagen{of}", "on public holidays{of}")

_SERVICES = Phrase("# Was vereinbart werden kann", "# What can be arranged")
_KINDS = {
    BookingKind.ESTIMATE: Phrase("Schaden begutachten lassen, Kostenvoranschlag", "have damage assessed, estimate"),
    BookingKind.DROP_OFF: Phrase("Fahrzeug bringen", "bring the vehicle"),
    BookingKind.PICK_UP: Phrase("Fahrzeug abholen", "pick the vehicle up"),
}
_TRADES = {Trade.KARO: Phrase("Karosserie", "body work"), Trade.LACK: Phrase("Lack", "paint work")}
_ONLY = Phrase("nur {days}", "only {days}")
_TIMES = Phrase("Zeiten: {slots}", "times: {slots}")
_NOTICE = Phrase("Vorlauf in offenen Tagen: {days}", "notice in open days: {days}")
_SAME_DAY = Phrase("am selben Tag bis {until} Uhr", "on the same day until {until}")
_WORK = Phrase("Arbeiten: {trades}", "Work: {trades}")
_HORIZON = Phrase("Termine für die nächsten {days} Tage", "Appointments for the next {days} days")
_ASK_TOOL = Phrase(
    "Wann etwas frei ist, weiß nur das Werkzeug `find_free_slots`.",
    "Only the tool `find_free_slots` knows when there is room.",
)


@dataclass(frozen=True, slots=True)
class Resource:
    """`render` raises StoreUnavailable."""

    uri: str
    name: str
    title: str
    description: str
    render: Callable[[ToolSession], Awaitable[str]]


async def _render_hours(session: ToolSession) -> str:
    capacity = await _get_capacity(session)
    if capacity is None:
        return session.render(_NOT_SET)
    today = session.local_now().date()
    return "\n".join([session.render(_HOURS), *_list_days(capacity, today, session.language)])


def _list_days(capacity: Capacity, today: date, language: Language) -> Iterator[str]:
    works, closed = _WORKS.render(language), _CLOSED.render(language)
    for weekday, name in enumerate(WEEKDAYS[language]):
        yield f"- {name}: {works if weekday in capacity.weekdays else closed}"
    of = f" ({capacity.federal_state})" if capacity.federal_state else ""
    yield f"- {_HOLIDAYS.render(language, of=of)}: {closed}"
    for exception in capacity.exceptions:
        if exception.last >= today:
            yield f"- {_describe_days(exception)}: {closed if exception.working is None else works}"


def _describe_days(exception: DayException) -> str:
    first, last = (f"{day:%d.%m.%Y}" for day in (exception.first, exception.last))
    return first if first == last else f"{first}-{last}"


async def _render_services(session: ToolSession) -> str:
    capacity = await _get_capacity(session)
    lines = [session.render(_SERVICES)]
    for kind, name in _KINDS.items():
        lines.append(f"- {session.render(name)}")
        if capacity is not None:
            rules = capacity.rules.get(kind, BookingRules())
            lines += [f"  - {line}" for line in _list_rules(rules, session.language)]
    lines.append("")
    if capacity is None:
        lines.append(session.render(_NOT_SET))
    else:
        trades = [session.render(name) for trade, name in _TRADES.items() if _is_worked(capacity, trade)]
        if trades:
            lines.append(session.render(_WORK, trades=", ".join(trades)))
        lines.append(session.render(_HORIZON, days=capacity.horizon_days))
    lines.append(session.render(_ASK_TOOL))
    return "\n".join(lines)


def _list_rules(rules: BookingRules, language: Language) -> Iterator[str]:
    if rules.weekdays is not None:
        days = ", ".join(WEEKDAYS[language][weekday] for weekday in sorted(rules.weekdays))
        yield _ONLY.render(language, days=days)
    if rules.slots:
        yield _TIMES.render(language, slots=", ".join(map(str, rules.slots)))
    if rules.lead_days:
        yield _NOTICE.render(language, days=rules.lead_days)
    if rules.same_day_until is not None:
        yield _SAME_DAY.render(language, until=rules.same_day_until)


def _is_worked(capacity: Capacity, trade: Trade) -> bool:
    """Whether hours of this trade are planned on some weekday; None is no limit."""
    return any(working.hours.get(trade) != 0 for working in capacity.weekdays.values())


async def _get_capacity(session: ToolSession) -> Capacity | None:
    document = (await session.flows.capacity.get()).document
    return None if document is None else read_capacity(document, ("capacity",))


RESOURCES = (
    Resource(
        "planso://workshop/hours",
        "hours",
        "The workshop's hours",
        "On which days the workshop works, and when it is closed.",
        _render_hours,
    ),
    Resource(
        "planso://workshop/services",
        "services",
        "The workshop's services",
        "What callers can make appointments for, and at which times.",
        _render_services,
    ),
)
