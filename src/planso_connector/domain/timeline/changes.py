"""What the order's history tells of a repair: statuses, dates that were moved, parts that were missing."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date

from planso_connector.domain.clock import parse_instant
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.messages import Message
from planso_connector.domain.progress.moment import Moment, parse_moment
from planso_connector.domain.timeline.milestones import MILESTONES
from planso_connector.domain.timeline.timeline import Evidence, ObservedChange, TimelineEntry

_STATUSES = {
    "project_status": Message("Status", "Status"),
    "parts_status": Message("Parts status", "Teilestatus"),
    "station_id": Message("Station", "Station"),
}
_CHANGED = Message("{name}: from “{before}” to “{after}”", "{name}: von „{before}“ auf „{after}“")
_SET = Message("{name}: “{after}”", "{name}: „{after}“")
_CLEARED = Message("{name}: “{before}” was removed", "{name}: „{before}“ entfernt")
_MOVED = Message("{name}: moved from {before} to {after}", "{name}: verschoben von {before} auf {after}")
_DATED = Message("{name}: {after} was entered", "{name}: {after} eingetragen")
_UNDATED = Message("{name}: {before} was removed", "{name}: {before} entfernt")
_FLAGS = {
    ("missing_parts", True): Message("parts are missing", "Es fehlen Teile"),
    ("missing_parts", False): Message("no part is missing any more", "Es fehlen keine Teile mehr"),
    ("archived", True): Message("the order left the list of current orders", "Auftrag nicht mehr in der Liste"),
    ("archived", False): Message("the order is in the list of current orders again", "Auftrag wieder in der Liste"),
    ("deleted", True): Message("the order was deleted in PlanSo", "Auftrag in PlanSo gelöscht"),
    ("deleted", False): Message("the deleted order is there again", "Gelöschter Auftrag ist wieder da"),
}


def iter_changes(changes: Iterable[ObservedChange]) -> Iterator[TimelineEntry]:
    """An entry for each change that matters to a repair; others, such as of a phone number, have none."""
    for change in changes:
        text = _describe(change)
        if text is None:
            continue
        local = parse_instant(change.at).astimezone(BERLIN).replace(microsecond=0, tzinfo=None)
        yield TimelineEntry(
            moment=Moment(local.date(), local.time(), local.isoformat()),
            what=f"changed.{change.field}",
            text=text,
            evidence=Evidence.WRITTEN if change.is_write else Evidence.OBSERVED,
            source=BY_PATH[change.field].labels[0] if change.field in BY_PATH else "",
            by=change.by,
        )


def _describe(change: ObservedChange) -> Message | None:
    if change.field in MILESTONES:
        return _choose(change, MILESTONES[change.field], (_MOVED, _DATED, _UNDATED), _format_date)
    if change.field in _STATUSES:
        return _choose(change, _STATUSES[change.field], (_CHANGED, _SET, _CLEARED), str)
    if isinstance(change.after, bool) and bool(change.before) is not change.after:
        return _FLAGS.get((change.field, change.after))
    return None


def _choose(
    change: ObservedChange,
    name: Message,
    texts: tuple[Message, Message, Message],
    format_value: Callable[[Value], str | Message],
) -> Message | None:
    """`texts`: changed, set, removed."""
    if not change.before and not change.after:
        return None
    changed, was_set, removed = texts
    text = removed if not change.after else changed if change.before else was_set
    return text.format(name=name, before=format_value(change.before), after=format_value(change.after))


def _format_date(value: Value) -> str | Message:
    moment = parse_moment(value)
    return str(value) if moment is None else format_moment(moment)


def format_moment(moment: Moment) -> Message:
    """`2026-12-08 07:30`, in German `08.12.2026 07:30`."""
    clock = f" {moment.time:%H:%M}" if moment.time is not None else ""
    return Message(f"{moment.day.isoformat()}{clock}", f"{moment.day:%d.%m.%Y}{clock}")


def format_day(day: date) -> Message:
    return Message(day.isoformat(), f"{day:%d.%m.%Y}")
