"""The steps of a repair, by the order's dates and its parts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime

from planso_connector.domain import german_formats
from planso_connector.domain.fields import BY_PATH, Value
from planso_connector.domain.folding import fold
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.messages import Message
from planso_connector.domain.order import Order
from planso_connector.domain.part import Part
from planso_connector.domain.progress.moment import Moment, parse_moment
from planso_connector.domain.timeline.timeline import Evidence, TimelineEntry

MILESTONES: dict[str, Message] = {
    "appointment_date": Message("the appointment was made", "Termin vereinbart"),
    "estimate_date": Message("inspection for the estimate", "Besichtigung"),
    "repair_date": Message("the vehicle comes in", "Fahrzeugeingang"),
    "parts_delivery_date": Message("parts are delivered", "Liefertermin der Teile"),
    "shop_date": Message("work in the shop begins", "Beginn der Arbeiten"),
    "paint_date": Message("painting", "Lackierung"),
    "shop_back_date": Message("back from the shop", "Zurück aus der Werkstatt"),
    "finish_date": Message("work is finished", "Fertigstellung"),
    "planned_delivery_date": Message("planned hand-over", "Geplante Auslieferung"),
    "return_date_time": Message("the vehicle is handed back", "Rückgabe des Fahrzeugs"),
}
"""By the path of the field, in the usual order."""

ARRIVED = "arrived"
_ARRIVED_LABEL = "fahrzeugeingang (ist)"
"""No field of its own: PlanSo's forms have it beside `Fahrzeugeingang (Soll)`, or not."""
_ARRIVED_TEXT = Message("the vehicle came in", "Fahrzeug eingetroffen")

_PARTS_TEXTS = {
    "parts_ordered": Message("{count} ordered: {names}", "{count} bestellt: {names}"),
    "parts_delivered": Message("{count} delivered: {names}", "{count} geliefert: {names}"),
    "parts_expected": Message("{count} expected: {names}", "{count} erwartet: {names}"),
}
_ONE_PART, _PARTS = Message("1 part", "1 Teil"), Message("{count} parts", "{count} Teile")
_MAX_NAMED = 5
"""Parts that an entry names."""


def iter_milestones(order: Order, now: datetime) -> Iterator[TimelineEntry]:
    """An entry for each date that the order and its parts have."""
    for path, text in MILESTONES.items():
        moment = parse_moment(order.values.get(path))
        if moment is not None:
            yield TimelineEntry(moment, path, text, _weigh(moment, now), _find_label(order, path))
    for label, shown in order.fields.items():
        if fold(label) == _ARRIVED_LABEL and (moment := _parse_shown(shown)) is not None:
            yield TimelineEntry(moment, ARRIVED, _ARRIVED_TEXT, _weigh(moment, now), label)
    yield from _iter_parts(order.parts, now)


def _weigh(moment: Moment, now: datetime) -> Evidence:
    return Evidence.ENTERED if moment.day <= now.astimezone(BERLIN).date() else Evidence.PLANNED


def _find_label(order: Order, path: str) -> str:
    """The first label that holds something, which is where the field's value comes from."""
    labels = BY_PATH[path].labels
    shown = {fold(label): value for label, value in order.fields.items()}
    return next((label for label in labels if shown.get(fold(label), "").strip()), labels[0])


def _parse_shown(shown: str) -> Moment | None:
    try:
        return parse_moment(german_formats.parse_date(shown))
    except ValueError:
        return None


def _iter_parts(parts: Sequence[Part], now: datetime) -> Iterator[TimelineEntry]:
    """One entry for what was ordered, delivered or is expected on one day."""
    by_day: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for part in parts:
        dates: list[tuple[str, Value]] = [("parts_ordered", part.order_date)]
        if part.is_delivered:
            dates.append(("parts_delivered", part.delivery_date))
        else:
            dates.append(("parts_expected", part.eta_date or part.delivery_date))
        for what, value in dates:
            moment = parse_moment(value)
            if moment is not None:
                by_day[what, moment.day.isoformat()].append(part)
    for (what, day), found in by_day.items():
        count = _ONE_PART if len(found) == 1 else _PARTS.format(count=len(found))
        names = ", ".join(part.description or part.part_no or "?" for part in found[:_MAX_NAMED])
        if len(found) > _MAX_NAMED:
            names += ", …"
        moment = Moment(date.fromisoformat(day), None, day)
        text = _PARTS_TEXTS[what].format(count=count, names=names)
        evidence = Evidence.PLANNED if what == "parts_expected" else _weigh(moment, now)
        yield TimelineEntry(moment, what, text, evidence, "parts")
