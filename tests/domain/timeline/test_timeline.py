"""The repair timeline: what happened when, how it is known, and what is not known."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from planso_connector.domain.clock import Instant
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.timeline.build import build_timeline
from planso_connector.domain.timeline.timeline import Evidence, GapKind, ObservedChange, Timeline
from tests.store.samples import order, part

NOW = datetime(2026, 12, 14, 12, 0, tzinfo=BERLIN)  # a Monday
SINCE = datetime(2026, 11, 23, 10, 40, tzinfo=BERLIN)


def build(changes: tuple[ObservedChange, ...] = (), *, since: datetime | None = SINCE, **members: Any) -> Timeline:
    values = {"shop_date": None, **members.pop("values", {})}
    return build_timeline(order(130, values=values, **members), changes, NOW, observed_since=since)


def change(at: str, field: str, before: Any, after: Any, by: str | None = None) -> ObservedChange:
    return ObservedChange(Instant(at), field, before, after, by is not None, by or "")


def list_texts(timeline: Timeline) -> list[tuple[str, str, Evidence]]:
    return [(entry.moment.canonical, entry.text.de, entry.evidence) for entry in timeline.entries]


def list_gaps(timeline: Timeline, kind: GapKind) -> list[str]:
    return [gap.text.de for gap in timeline.gaps if gap.kind is kind]


def test_dates_of_the_order_are_entered_or_planned() -> None:
    """In order; up to today somebody entered them, beyond they are planned; the actual arrival is a step of its own."""
    timeline = build(
        values={"return_date_time": "2026-12-15T16:00:00", "repair_date": "2026-12-07", "finish_date": "2026-12-14"},
        fields={"Fahrzeugeingang (Soll)": "07.12.2026", "Fahrzeugeingang (Ist)": "08.12.2026", "Farbe": "08.12.2026"},
    )
    assert list_texts(timeline) == [
        ("2026-12-07", "Fahrzeugeingang", Evidence.ENTERED),
        ("2026-12-08", "Fahrzeug eingetroffen", Evidence.ENTERED),
        ("2026-12-14", "Fertigstellung", Evidence.ENTERED),
        ("2026-12-15T16:00:00", "Rückgabe des Fahrzeugs", Evidence.PLANNED),
    ]
    assert [entry.source for entry in timeline.entries][:2] == ["Fahrzeugeingang (Soll)", "Fahrzeugeingang (Ist)"]


def test_parts_by_day() -> None:
    """What was ordered, delivered or is expected on one day is one entry, which names the parts."""
    ordered = {"order_date": "2026-12-01", "is_ordered": True}
    timeline = build(
        parts=(
            part(130, description="Kotflügel", **ordered, is_delivered=True, delivery_date="2026-12-04"),
            part(130, description="Scheinwerfer", **ordered, eta_date="2026-12-18"),
            part(130, description=None, part_no=None, order_date="2026-12-02"),
        )
    )
    assert list_texts(timeline) == [
        ("2026-12-01", "2 Teile bestellt: Kotflügel, Scheinwerfer", Evidence.ENTERED),
        ("2026-12-02", "1 Teil bestellt: ?", Evidence.ENTERED),
        ("2026-12-04", "1 Teil geliefert: Kotflügel", Evidence.ENTERED),
        ("2026-12-18", "1 Teil erwartet: Scheinwerfer", Evidence.PLANNED),
    ]


def test_changes_tell_who_saw_or_wrote_them() -> None:
    """Moved dates, statuses and missing parts, in the workshop's time; what has no part in a repair is left out."""
    timeline = build(
        (
            change("2026-12-10T08:30:05.000000Z", "finish_date", "2026-12-10", "2026-12-14"),
            change("2026-12-08T23:30:00.000000Z", "project_status", "Teile bestellt", "In Lackierung"),
            change("2026-12-08T07:00:00.000000Z", "shop_date", None, "2026-12-08T07:30:00", by="phone agent"),
            change("2026-12-07T07:00:00.000000Z", "missing_parts", True, False),
            change("2026-12-07T06:00:00.000000Z", "phone", "1", "2"),
            change("2026-12-06T07:00:00.000000Z", "parts_status", "Rückstand", ""),
            change("2026-12-05T07:00:00.000000Z", "archived", False, True),
            change("2026-12-04T07:00:00.000000Z", "remarks", "a", True),
        )
    )
    assert list_texts(timeline) == [
        ("2026-12-05T08:00:00", "Auftrag nicht mehr in der Liste", Evidence.OBSERVED),
        ("2026-12-06T08:00:00", "Teilestatus: „Rückstand“ entfernt", Evidence.OBSERVED),
        ("2026-12-07T08:00:00", "Es fehlen keine Teile mehr", Evidence.OBSERVED),
        ("2026-12-08T08:00:00", "Beginn der Arbeiten: 08.12.2026 07:30 eingetragen", Evidence.WRITTEN),
        ("2026-12-09T00:30:00", "Status: von „Teile bestellt“ auf „In Lackierung“", Evidence.OBSERVED),
        ("2026-12-10T09:30:05", "Fertigstellung: verschoben von 10.12.2026 auf 14.12.2026", Evidence.OBSERVED),
    ]
    assert [entry.by for entry in timeline.entries if entry.by] == ["phone agent"]
    assert timeline.entries[-1].text.en == "work is finished: moved from 2026-12-10 to 2026-12-14"


def test_gaps_are_named() -> None:
    """Steps without a date, days in the workshop without an entry, and the time before changes were known."""
    timeline = build(values={"shop_date": "2026-12-01", "paint_date": "2026-12-03", "finish_date": "2026-12-11"})
    assert list_gaps(timeline, GapKind.NO_DATE) == [
        "Kein Datum: Besichtigung.",
        "Kein Datum: tatsächlicher Fahrzeugeingang.",
        "Kein Datum: Bestellung der Teile.",
        "Kein Datum: Lieferung der Teile.",
        "Kein Datum: Rückgabe des Fahrzeugs.",
    ]
    assert list_gaps(timeline, GapKind.NOTHING_RECORDED) == [
        "Vom 04.12.2026 bis 10.12.2026 ist nichts festgehalten: 5 Tage von Montag bis Freitag."
    ]
    assert "vor dem 23.11.2026" in list_gaps(timeline, GapKind.NOT_OBSERVED)[0]
    (unknown,) = list_gaps(build(since=None), GapKind.NOT_OBSERVED)
    assert "nicht festgehalten" in unknown
    assert list_gaps(build(), GapKind.NOTHING_RECORDED) == []
    whole = build_timeline(order(130), (), NOW, observed_since=SINCE, is_cut=True, has_parts=False)
    assert {GapKind.CUT, GapKind.PARTS_NOT_READ} <= {gap.kind for gap in whole.gaps}


@pytest.mark.parametrize(
    ("last", "days"),
    [("2026-12-04", None), ("2026-12-05", "3"), ("2026-12-07", "3"), ("2026-12-08", "4"), ("2026-12-14", "8")],
)
def test_quiet_days_are_counted_from_monday_to_friday(last: str, days: str | None) -> None:
    """From Tuesday, 1 December, to `last`, both left out; fewer than three are not named."""
    found = list_gaps(build(values={"shop_date": "2026-12-01", "finish_date": last}), GapKind.NOTHING_RECORDED)
    assert [text.split(": ")[1].split()[0] for text in found] == ([days] if days is not None else [])
    if days is not None:
        (gap,) = [
            gap
            for gap in build(values={"shop_date": "2026-12-01", "finish_date": last}).gaps
            if gap.kind is GapKind.NOTHING_RECORDED
        ]
        assert gap.begins == date(2026, 12, 2)
