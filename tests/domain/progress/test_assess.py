"""Whether the promised date holds, whether the vehicle can be fetched, and what these rest on."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from planso_connector.domain.order import Order
from planso_connector.domain.progress.assess import (
    PROMISE_PATHS,
    OrderProgress,
    ReadTimes,
    assess_progress,
    expected_day,
)
from planso_connector.domain.progress.reasons import FetchReason, PromiseReason
from tests.domain.progress.assessed_order import NO_PARTS_NEEDED, NOW, assess, missing_part


@pytest.mark.parametrize(
    ("progress", "holds", "reason"),
    [
        (assess(), None, PromiseReason.NO_DATE),
        (assess(finish_date="2026-12-10"), True, PromiseReason.NOTHING_AGAINST_IT),
        (assess("in Arbeit", finish_date="2026-12-10"), True, PromiseReason.NOTHING_AGAINST_IT),
        (assess(finish_date="2026-12-10", is_stale=True), None, PromiseReason.STALE),
        (assess("Sonderfall", finish_date="2026-12-10"), None, PromiseReason.READINESS_UNKNOWN),
        (assess("Sonderfall", finish_date="2026-11-20"), None, PromiseReason.READINESS_UNKNOWN),
        (assess(finish_date="2026-11-20"), False, PromiseReason.DATE_PASSED),
        (assess(finish_date="2026-11-22", form=NOW - timedelta(days=1)), None, PromiseReason.NOT_READ_SINCE),
        (assess(finish_date="2026-11-23"), None, PromiseReason.DUE_TODAY),
        (assess("abholbereit", finish_date="2026-12-10"), True, PromiseReason.READY),
        (assess("abholbereit", finish_date="2026-11-20"), None, PromiseReason.READY_SINCE_UNKNOWN),
        (assess("abholbereit", (missing_part(),), finish_date="2026-12-10"), None, PromiseReason.READINESS_UNKNOWN),
        (assess("ausgeliefert", finish_date="2026-12-10"), None, PromiseReason.CLOSED),
        (assess(archived=True, finish_date="2026-12-10"), None, PromiseReason.CLOSED),
        (assess("Lackierung", (missing_part(),), finish_date="2026-12-10"), None, PromiseReason.PART_WITHOUT_DATE),
        (
            assess("Karo", (missing_part(eta_date="2026-12-11"),), finish_date="2026-12-10"),
            False,
            PromiseReason.PART_EXPECTED_LATER,
        ),
        (
            assess("Lackierung", (missing_part(eta_date="2026-12-11", is_mandatory=False),), finish_date="2026-12-10"),
            None,
            PromiseReason.PART_EXPECTED_LATER,
        ),
        (
            assess("Lackierung", (missing_part(eta_date="2026-12-10"),), finish_date="2026-12-10"),
            None,
            PromiseReason.PART_ON_THE_DAY,
        ),
        (
            assess("Lackierung", (missing_part(eta_date="2026-11-20"),), finish_date="2026-12-10"),
            None,
            PromiseReason.PART_OVERDUE,
        ),
        (
            assess("Lackierung", (missing_part(eta_date="2026-12-09"),), finish_date="2026-12-10"),
            True,
            PromiseReason.NOTHING_AGAINST_IT,
        ),
        (
            assess("Lackierung", (missing_part(),), finish_date="2026-12-10", parts_status=NO_PARTS_NEEDED),
            None,
            PromiseReason.PARTS_UNKNOWN,
        ),
        (assess(finish_date="2026-12-10", parts_status="E-Teile Rückstand"), None, PromiseReason.PARTS_UNKNOWN),
        (assess(finish_date="2026-12-10", parts_read=False), None, PromiseReason.PARTS_UNKNOWN),
        (
            assess(finish_date="2026-12-10", parts_read=False, parts_status=NO_PARTS_NEEDED),
            True,
            PromiseReason.NOTHING_AGAINST_IT,
        ),
        (assess(planned_delivery_date="2026-12-10", finish_date="2026-12-14"), None, PromiseReason.DATES_CONTRADICT),
        (assess(planned_delivery_date="2026-12-10", finish_date="2026-11-20"), None, PromiseReason.BEHIND_PLAN),
        (assess("Karo", finish_date="2026-12-10", paint_date="2026-11-20"), None, PromiseReason.BEHIND_PLAN),
        (assess("Anfrage", finish_date="2026-12-10", shop_date="2026-11-20"), None, PromiseReason.BEHIND_PLAN),
        (
            assess("Lackierung", finish_date="2026-12-10", shop_date="2026-11-20"),
            True,
            PromiseReason.NOTHING_AGAINST_IT,
        ),
    ],
)
def test_each_reason_of_a_promise(progress: OrderProgress, holds: bool | None, reason: PromiseReason) -> None:
    """Each reason goes with True, False or None."""
    assert (progress.promised.holds, progress.promised.reason) == (holds, reason)


def test_the_first_of_the_promising_fields_counts() -> None:
    """Planned hand-over, else completion, else back from the shop, else hand-back; the source names label and age."""
    dates: dict[str, Any] = dict.fromkeys(PROMISE_PATHS, "2026-12-10")
    for path in PROMISE_PATHS:
        source = assess(**dates).promised.source
        assert source is not None
        assert (source.path, source.age_seconds) == (path, 300)
        del dates[path]
    found = assess(planned_delivery_date="2026-12-10").promised.source
    assert found is not None
    assert found.label == "Plan Auslieferung"


def test_a_source_names_the_label_of_the_installation() -> None:
    """The label is the profile's; of several the one that holds something."""
    order = Order(1, "", None, None, None, False, {"repair_date": "2026-12-01", "project_status": "Lackierung"},
                  {"Fahrzeugeingang (Soll)": "", "Fahrzeugeingang (Ist)": "01.12.2026"})  # fmt: skip
    found = assess_progress(
        order, ReadTimes(NOW, NOW, NOW), NOW, is_stale=False, labels={"project_status": ("Status",)}
    )
    assert found.stage.source is not None
    assert found.next_appointment is not None
    assert (found.stage.source.label, found.next_appointment.source.label) == ("Status", "Fahrzeugeingang (Ist)")


@pytest.mark.parametrize(
    ("progress", "value", "reason"),
    [
        (assess("abholbereit"), True, FetchReason.RELEASED),
        (assess("abholbereit", (missing_part(is_mandatory=False),)), True, FetchReason.RELEASED),
        (assess("abholbereit", (missing_part(),)), None, FetchReason.PART_MISSING),
        (assess("fertig"), None, FetchReason.NOT_RELEASED),
        (assess("in Arbeit"), False, FetchReason.NOT_DONE),
        (assess("Kunde informiert"), None, FetchReason.STAGE_UNKNOWN),
        (assess(None, station=None), None, FetchReason.STAGE_UNKNOWN),
        (assess("ausgeliefert"), False, FetchReason.HANDED_OVER),
        (assess("abholbereit", archived=True), None, FetchReason.ARCHIVED),
        (assess("ausgeliefert", archived=True), False, FetchReason.HANDED_OVER),
    ],
)
def test_each_reason_of_fetch_readiness(progress: OrderProgress, value: bool | None, reason: FetchReason) -> None:
    """True by the workshop's status alone; None where it is unknown or contradicted."""
    assert (progress.fetch_readiness.value, progress.fetch_readiness.reason) == (value, reason)


def test_the_delivery_date_of_a_delivered_part_is_not_expected() -> None:
    """`delivery_date` of a delivered part that is on backorder is the past; `eta_date` counts still."""
    assert expected_day(missing_part(delivery_date="2026-11-20")) == date(2026, 11, 20)
    assert expected_day(missing_part(delivery_date="2026-11-20", is_delivered=True, is_backorder=True)) is None
    (late,) = assess("Karo", (missing_part(eta_date="2026-11-20"), missing_part(eta_date="2026-11-23"))).parts.late
    assert (late.description, late.days) == ("Kotflügel links", 3)
