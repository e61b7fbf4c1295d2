"""Laws of an assessment, over all that an order can hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.domain.clock import format_instant
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.language import Language
from planso_connector.domain.order import Order
from planso_connector.domain.part import Part, count_missing
from planso_connector.domain.progress.assess import (
    DATE_PATHS,
    PROMISE_PATHS,
    OrderProgress,
    ReadTimes,
    assess_progress,
    expected_day,
)
from planso_connector.domain.progress.reasons import PromiseReason
from planso_connector.domain.progress.sentence import compose_sentence
from planso_connector.domain.progress.status_meanings import STATUS_MEANINGS, interpret_status
from tests.domain.progress.assessed_order import NO_PARTS_NEEDED, NOW, TODAY, TYPED, assess

LANGUAGES: tuple[Language, ...] = ("de", "en")
CLAIMS_READY = re.compile(r"abholbereit|\bfertig\b|bereit zur|\bready\b|be collected")


@pytest.mark.parametrize("path", DATE_PATHS)
def test_an_unreadable_date_is_neither_said_nor_ignored(path: str) -> None:
    """`KW 51` in the promising field: no date. In another field the promise is no longer sure to hold."""
    unreadable = {path: f"KW 51 {TYPED}"}
    found = assess(unreadable=unreadable)
    assert found.promised.moment is None
    assert found.promised.reason is (PromiseReason.DATE_UNREADABLE if path in PROMISE_PATHS else PromiseReason.NO_DATE)
    if path in PROMISE_PATHS:
        assert (found.promised.holds, found.promised.source is not None) == (None, True)
    promises: dict[str, Any] = {other: "2026-12-10" for other in PROMISE_PATHS if other != path}
    later = assess(unreadable=unreadable, **promises)
    is_first = path == PROMISE_PATHS[0]
    assert (later.promised.moment is None) is is_first
    assert (later.promised.holds is True) is (path == "estimate_date")
    for language in LANGUAGES:
        assert "51" not in compose_sentence(found, language) + compose_sentence(later, language)


def make_part(members: dict[str, Any]) -> Part:
    return Part(123, **members)


days = st.integers(-12, 12).map(lambda ahead: (TODAY + timedelta(days=ahead)).isoformat())
moments = st.one_of(
    st.none(),
    days,
    days,
    st.builds("{}T{}".format, days, st.sampled_from(["00:00:01", "02:30:00", "16:00:00", "23:59:59"])),
    st.sampled_from(
        ["", "2026-13-40", "2026-02-30", "2026-12", "morgen", "12:08", "2026-11-23T99:00:00", "٢٠٢٦-١١-٢٣"]
    ),
)
flags = ("is_to_order", "is_ordered", "is_delivered", "is_backorder", "is_mandatory", "is_price_checked")
part_strategy = st.fixed_dictionaries(
    {
        **{flag: st.booleans() for flag in flags},
        "status": st.sampled_from([None, "", "offen", "geliefert", "Rückstand"]),
        "eta_date": moments,
        "delivery_date": moments,
        "description": st.sampled_from([None, "Stoßfänger hinten"]),
    }
).map(make_part)
statuses = st.one_of(
    st.none(),
    st.sampled_from(["Lackierung", "in Arbeit", "abholbereit", "fertig", "Anfrage", "ausgeliefert", "Teile bestellt"]),
    st.sampled_from(sorted(STATUS_MEANINGS)),
    st.sampled_from(["", TYPED, "nicht abholbereit", "abholbereit?", "fast fertig", "Kunde informiert"]),
)
# Midnights and both changes of the clocks among them.
nows = st.one_of(
    st.just(NOW),
    st.datetimes(datetime(2026, 11, 11), datetime(2026, 12, 5), timezones=st.just(UTC)),  # noqa: DTZ001 - aware by `timezones`
    st.sampled_from([datetime(2026, 11, 22, 23, 0, tzinfo=UTC), datetime(2026, 11, 22, 22, 59, 59, tzinfo=UTC)]),
)
ages = st.timedeltas(timedelta(seconds=-2), timedelta(days=5))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Order, ReadTimes, OrderProgress]:
    now = draw(nows)
    parts = tuple(draw(st.lists(part_strategy, max_size=3)))
    statuses_of_parts = [None, NO_PARTS_NEEDED, "E-Teile Rückstand", "E-Teile bestellt", "E-Teile vollständig"]
    values = {path: draw(moments) for path in DATE_PATHS}
    order = Order(
        id=123,
        short_name="XQ-ZZ 4711 Quandt",
        plate="XQ-ZZ 4711",
        station_id=draw(st.sampled_from([None, "4"])),
        station_state=draw(st.sampled_from([None, "active", "finished", "Lackierung", "abholbereit", TYPED])),
        missing_parts=False,
        values={
            "project_status": draw(statuses),
            "parts_status": draw(st.sampled_from(statuses_of_parts)),
            "person": TYPED,
            **values,
        },
        fields=draw(st.sampled_from([{}, {"Fahrzeugeingang (Ist)": "20.11.2026"}, {"Projekt-Status": "x"}])),
        parts=parts,
        archived=draw(st.booleans()) and draw(st.booleans()),
    )
    read_times = ReadTimes(now - draw(ages), draw(st.none() | ages.map(lambda age: now - age)), now - draw(ages))
    return order, read_times, assess_progress(order, read_times, now, is_stale=draw(st.booleans()))


@settings(max_examples=400, deadline=None)
@given(cases())
def test_an_assessment_claims_nothing_that_the_order_does_not_hold(
    case: tuple[Order, ReadTimes, OrderProgress],
) -> None:
    """Whatever an order holds, it can be assessed, and each part of the result has its reason in the order."""
    order, read_times, progress = case
    check_promise(order, read_times, progress)
    check_stage(order, progress)
    check_parts(order, read_times, progress)
    check_next_appointment(order, progress)
    check_sources(read_times, progress)
    for language in LANGUAGES:
        check_sentence(progress, compose_sentence(progress, language))


def check_promise(order: Order, read_times: ReadTimes, progress: OrderProgress) -> None:
    """True and False both have their reason in the order; the first field with a date is the promise."""
    today = progress.now.astimezone(BERLIN).date()
    mandatory = [part for part in order.parts if part.is_missing and part.is_mandatory]
    promised, stage = progress.promised, progress.stage
    if promised.holds:
        assert all(expected_day(part) is not None for part in mandatory)
        assert promised.moment is not None
        assert not promised.is_past
        assert not stage.is_archived
        assert stage.stage is not None or stage.is_in_work
        assert progress.fetch_readiness.value or not progress.is_stale
    if promised.holds is False:
        assert promised.moment is not None
        assert progress.fetch_readiness.value is False
        later = [part for part in mandatory if (expected_day(part) or today) > promised.moment.day]
        assert promised.moment.is_past(read_times.form) or later
    held = [path for path in PROMISE_PATHS if re.fullmatch(r"2026-1[12]-\d\d(T[012]\d:.*)?", str(order.values[path]))]
    assert (promised.source.path if promised.source else None) == next(iter(held), None)


def check_stage(order: Order, progress: OrderProgress) -> None:
    """The vehicle can be fetched only by the workshop's own status; an unknown status is no stage."""
    if progress.fetch_readiness.value:
        meaning = interpret_status(str(order.values["project_status"]))
        assert meaning is not None
        assert meaning.is_released
        assert not order.archived
    status = str(order.values["project_status"] or "").strip()
    if status and interpret_status(status) is None and not order.archived:
        assert (progress.stage.stage, progress.stage.is_in_work) == (None, False)
    assert progress.stage.words != ""


def check_parts(order: Order, read_times: ReadTimes, progress: OrderProgress) -> None:
    """Missing parts are counted as the protocol does; late parts are late, and the next one is not."""
    today = progress.now.astimezone(BERLIN).date()
    parts, status = progress.parts, order.values["parts_status"]
    if read_times.parts is None:
        assert (parts.total, parts.missing, parts.delivered) == (None, None, None)
    else:
        missing = count_missing(order.parts)
        is_unlisted = not missing and status == "E-Teile Rückstand"
        assert parts.missing == (0 if status == NO_PARTS_NEEDED else None if is_unlisted else missing)
        assert (parts.delivered or 0) + missing <= (parts.total or 0)
    assert all(late.days >= 1 and late.expected + timedelta(days=late.days) == today for late in parts.late)
    assert parts.next_expected is None or parts.next_expected >= today


def check_next_appointment(order: Order, progress: OrderProgress) -> None:
    """It is the earliest date that isn't past."""
    appointment = progress.next_appointment
    if appointment is None:
        return
    assert appointment.moment.canonical == order.values[appointment.source.path]
    assert not appointment.moment.is_past(progress.now)
    today = progress.now.astimezone(BERLIN).date().isoformat()
    days = [value for path in DATE_PATHS if re.fullmatch(r"2026-1[12]-\d\d", value := str(order.values[path]))]
    assert not [day for day in days if today <= day < appointment.moment.canonical]


def check_sources(read_times: ReadTimes, progress: OrderProgress) -> None:
    """Each source has the age of the page that shows it."""
    sources = [progress.stage.source, progress.promised.source, progress.fetch_readiness.source, progress.parts.source]
    for source in filter(None, sources):
        is_of_board = source.path in ("archived", "station_state")
        at = read_times.board if is_of_board else read_times.parts if source.path == "parts" else read_times.form
        if at is None:
            assert (source.last_synced_at, source.age_seconds) == (None, None)
        else:
            assert source.last_synced_at == format_instant(at)
            assert source.age_seconds == max(0, (progress.now - at) // timedelta(seconds=1))


def check_sentence(progress: OrderProgress, text: str) -> None:
    """One or two whole sentences, without personal data, that claim readiness only where it is known."""
    assert bool(CLAIMS_READY.search(text)) is (progress.fetch_readiness.value is True)
    assert not re.search(r"Xaver|Quandt|XQ|4711|23125|None|\{|\}|  |;;|\.\.", text), text
    assert 1 <= len(re.findall(r"(?:[a-z]|(?:von|of) 8|\d{4})\.(?: [A-Z]|$)", text)) <= 2, text
    assert text[0].isupper()
    if progress.is_stale:
        assert text.startswith(("Stand von ", "As of "))
