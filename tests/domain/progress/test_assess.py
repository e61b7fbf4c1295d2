from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planso_connector.domain.clock import format_instant
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.language import Language
from planso_connector.domain.order import Order
from planso_connector.domain.part import NO_PARTS_NEEDED, Part, count_missing
from planso_connector.domain.progress.assess import (
    DATE_PATHS,
    PROMISE_PATHS,
    OrderProgress,
    ReadTimes,
    assess_progress,
    expected_day,
)
from planso_connector.domain.progress.moment import Moment
from planso_connector.domain.progress.reasons import FetchReason, PromiseReason
from planso_connector.domain.progress.sentence import (
    compose_sentence,
    format_day_de,
    format_day_en,
    format_time_de,
    format_time_en,
)
from planso_connector.domain.progress.stages import STATUS_MEANINGS, ProgressStage, interpret_status

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
"""A Monday, ten o'clock in Berlin."""
TODAY = date(2026, 11, 23)

TYPED = "Xaver Quandt XQ-ZZ 4711 030 23125 118"
"""A name, a plate and a phone number, typed where a status belongs."""

LANGUAGES: tuple[Language, ...] = ("de", "en")
CLAIMS_READY = re.compile(r"abholbereit|\bfertig\b|bereit zur|\bready\b|be collected")


def told(
    status: str | None = "Lackierung",
    parts: tuple[Part, ...] = (),
    *,
    now: datetime = NOW,
    form: datetime | None = None,
    stale: bool = False,
    parts_read: bool = True,
    archived: bool = False,
    station: str | None = "4@active",
    fields: dict[str, str] | None = None,
    unreadable: dict[str, str] | None = None,
    **dates: str | None,
) -> OrderProgress:
    station_id, _, state = (station or "").partition("@")
    order = Order(
        id=123,
        short_name="XQ-ZZ 4711 Quandt",
        plate="XQ-ZZ 4711",
        station_id=station_id or None,
        station_state=state or None,
        missing_parts=count_missing(parts) > 0,
        values={"project_status": status, "person": "Xaver Quandt", "phone": "030 23125 118", **dates},
        fields=fields or {},
        parts=parts,
        archived=archived,
        unreadable=unreadable or {},
    )
    read = form or now - timedelta(minutes=5)
    return assess_progress(order, ReadTimes(read, read if parts_read else None, read), now, is_stale=stale)


def missing(**more: Any) -> Part:
    return Part(123, **{"is_ordered": True, "is_mandatory": True, "description": "Kotflügel links", **more})


def _part(held: dict[str, Any]) -> Part:
    return Part(123, **held)


@pytest.mark.parametrize("path", DATE_PATHS)
def test_a_date_that_is_none_is_never_told_nor_passed_over(path: str) -> None:
    """`KW 51` where a promise stands: no date. Elsewhere the promise may still not hold, unless it is past already."""
    words = {path: f"KW 51 {TYPED}"}
    found = told(unreadable=words)
    assert found.promised.moment is None
    assert found.promised.reason is (PromiseReason.DATE_UNREADABLE if path in PROMISE_PATHS else PromiseReason.NO_DATE)
    if path in PROMISE_PATHS:
        assert (found.promised.holds, found.promised.source is not None) == (None, True)
    promises: dict[str, Any] = {other: "2026-12-10" for other in PROMISE_PATHS if other != path}
    later = told(unreadable=words, **promises)
    is_first = path == PROMISE_PATHS[0]
    assert (later.promised.moment is None) is is_first
    assert (later.promised.holds is True) is (path == "estimate_date")
    for language in LANGUAGES:
        assert "51" not in compose_sentence(found, language) + compose_sentence(later, language)


# -- laws, over all that an order can hold

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
).map(_part)
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
    readings = ReadTimes(now - draw(ages), draw(st.none() | ages.map(lambda age: now - age)), now - draw(ages))
    return order, readings, assess_progress(order, readings, now, is_stale=draw(st.booleans()))


@settings(max_examples=400, deadline=None)
@given(cases())
def test_the_laws_of_an_answer(case: tuple[Order, ReadTimes, OrderProgress]) -> None:
    """Whatever an order holds: there is an answer, and it says nothing that the order doesn't hold."""
    order, readings, found = case
    today = found.now.astimezone(BERLIN).date()
    lacking = [part for part in order.parts if part.is_missing]
    promised, stage = found.promised, found.stage

    # The promise: true and false both have their reason in the order.
    if promised.holds:
        assert all(expected_day(part) is not None for part in lacking if part.is_mandatory)
        assert promised.moment is not None
        assert not promised.is_past
        assert not stage.is_archived
        assert stage.stage is not None or stage.is_in_work
        assert found.fetch_readiness.value or not found.is_stale
    if promised.holds is False:
        assert promised.moment is not None
        assert found.fetch_readiness.value is False
        later = [part for part in lacking if part.is_mandatory and (expected_day(part) or today) > promised.moment.day]
        assert promised.moment.is_past(readings.form) or later
    held = [path for path in PROMISE_PATHS if re.fullmatch(r"2026-1[12]-\d\d(T[012]\d:.*)?", str(order.values[path]))]
    assert (promised.source.path if promised.source else None) == next(iter(held), None)

    # Fetching: true only by the workshop's own words.
    if found.fetch_readiness.value:
        place = interpret_status(str(order.values["project_status"]))
        assert place is not None
        assert place.is_released
        assert not order.archived

    # Words that are not known stand on no step.
    status = str(order.values["project_status"] or "").strip()
    if status and interpret_status(status) is None and not order.archived:
        assert (stage.stage, stage.is_in_work) == (None, False)
    assert stage.words != ""

    # Parts: the protocol's count; what is late is late.
    needs_none = order.values["parts_status"] == NO_PARTS_NEEDED
    if readings.parts is None:
        assert (found.parts.total, found.parts.missing, found.parts.delivered) == (None, None, None)
    else:
        counted = count_missing(order.parts)
        says_so = not counted and order.values["parts_status"] == "E-Teile Rückstand"
        assert found.parts.missing == (0 if needs_none else None if says_so else counted)
        assert (found.parts.delivered or 0) + counted <= (found.parts.total or 0)
    assert all(late.days >= 1 and late.expected + timedelta(days=late.days) == today for late in found.parts.late)
    assert found.parts.next_expected is None or found.parts.next_expected >= today

    # The next appointment is the earliest that isn't over.
    if found.next_appointment is not None:
        assert found.next_appointment.moment.canonical == order.values[found.next_appointment.source.path]
        assert not found.next_appointment.moment.is_past(found.now)
        earlier = [value for value in map(order.values.get, DATE_PATHS) if isinstance(value, str) and len(value) > 9]
        assert not [value for value in earlier if today.isoformat() <= value < found.next_appointment.moment.canonical
                    and re.fullmatch(r"2026-1[12]-\d\d", value)]  # fmt: skip

    # Ages are those of the page that shows it.
    sources = [stage.source, promised.source, found.fetch_readiness.source, found.parts.source]
    for source in filter(None, sources):
        board = source.path in ("archived", "station_state")
        at = readings.board if board else readings.parts if source.path == "parts" else readings.form
        if at is None:
            assert (source.last_synced_at, source.age_seconds) == (None, None)
        else:
            assert source.last_synced_at == format_instant(at)
            assert source.age_seconds == max(0, (found.now - at) // timedelta(seconds=1))

    for language in LANGUAGES:
        said = compose_sentence(found, language)
        assert bool(CLAIMS_READY.search(said)) is (found.fetch_readiness.value is True)
        assert not re.search(r"Xaver|Quandt|XQ|4711|23125|None|\{|\}|  |;;|\.\.", said), said
        assert 1 <= len(re.findall(r"(?:[a-z]|(?:von|of) 8|\d{4})\.(?: [A-Z]|$)", said)) <= 2, said
        assert said[0].isupper()
        if found.is_stale:
            assert said.startswith(("Stand von ", "As of "))


# -- the ladder


@pytest.mark.parametrize(
    ("words", "rung"),
    [
        ("Anfrage", ProgressStage.ANNOUNCED),
        ("Termin bestätigt", ProgressStage.ANNOUNCED),
        ("TERMIN BESTAETIGT", ProgressStage.ANNOUNCED),
        ("Fahrzeug da", ProgressStage.RECEIVED),
        ("E-Teile bestellt", ProgressStage.PARTS),
        ("04 - Lackierung", ProgressStage.PAINT),
        ("4. Lackierung", ProgressStage.PAINT),
        ("beim  Lackierer!", ProgressStage.PAINT),
        ("Karo", ProgressStage.BODY),
        ("Endkontrolle", ProgressStage.FINISH),
        ("abholbereit", ProgressStage.READY),
        ("ausgeliefert", ProgressStage.CLOSED),
        ("in Arbeit", None),
        ("Lackierung fertig", None),
        ("noch nicht fertig", None),
        ("abgeholt", None),
        ("", None),
        ("Schubert", None),
    ],
)
def test_words_and_steps(words: str, rung: ProgressStage | None) -> None:
    """A word that is known is a step in any writing; parts of words and what means two things are none."""
    place = interpret_status(words)
    assert (place.stage if place else None) == rung


@given(
    st.sampled_from(sorted(STATUS_MEANINGS)),
    st.sampled_from(["nicht {}", "noch nicht {}", "{} ?", "fast {}", "{} verschoben"]),
)
def test_a_word_turned_round_is_not_known(word: str, around: str) -> None:
    """`nicht abholbereit` is not `abholbereit`."""
    assert interpret_status(around.format(word)) is None


def test_a_stations_finished_is_not_the_vehicles() -> None:
    """`finished`, `fertig` or `abholbereit` as a station's state say nothing of the vehicle; a trade's name does."""
    for state in ("finished", "fertig", "abholbereit", "ausgeliefert", "active"):
        found = told(None, station=f"4@{state}")
        assert (found.stage.words, found.stage.stage, found.fetch_readiness.value) == (f"4@{state}", None, None)
    assert told(None, station="4@Lackierung").stage.stage is ProgressStage.PAINT


def test_announced_by_its_dates() -> None:
    """Without words an order is announced while its entry lies ahead, and nothing says that the vehicle came."""
    assert told(None, repair_date="2026-11-24", estimate_date="2026-11-20").stage.stage is ProgressStage.ANNOUNCED
    assert told(None, repair_date="2026-11-23").stage.stage is None
    assert told(None, repair_date="2026-11-24", shop_date="2026-11-20").stage.stage is None
    assert told(None, repair_date="2026-11-24", fields={"Fahrzeugeingang (Ist)": "20.11.2026"}).stage.stage is None
    assert told("Sonderfall", repair_date="2026-11-24").stage.stage is None


# -- the promise


@pytest.mark.parametrize(
    ("found", "holds", "why"),
    [
        (told(), None, PromiseReason.NO_DATE),
        (told(finish_date="2026-12-10"), True, PromiseReason.NOTHING_AGAINST_IT),
        (told("in Arbeit", finish_date="2026-12-10"), True, PromiseReason.NOTHING_AGAINST_IT),
        (told(finish_date="2026-12-10", stale=True), None, PromiseReason.STALE),
        (told("Sonderfall", finish_date="2026-12-10"), None, PromiseReason.READINESS_UNKNOWN),
        (told("Sonderfall", finish_date="2026-11-20"), None, PromiseReason.READINESS_UNKNOWN),
        (told(finish_date="2026-11-20"), False, PromiseReason.DATE_PASSED),
        (told(finish_date="2026-11-22", form=NOW - timedelta(days=1)), None, PromiseReason.NOT_READ_SINCE),
        (told(finish_date="2026-11-23"), None, PromiseReason.DUE_TODAY),
        (told("abholbereit", finish_date="2026-12-10"), True, PromiseReason.READY),
        (told("abholbereit", finish_date="2026-11-20"), None, PromiseReason.READY_SINCE_UNKNOWN),
        (told("abholbereit", (missing(),), finish_date="2026-12-10"), None, PromiseReason.READINESS_UNKNOWN),
        (told("ausgeliefert", finish_date="2026-12-10"), None, PromiseReason.CLOSED),
        (told(archived=True, finish_date="2026-12-10"), None, PromiseReason.CLOSED),
        (told("Lackierung", (missing(),), finish_date="2026-12-10"), None, PromiseReason.PART_WITHOUT_DATE),
        (told("Karo", (missing(eta_date="2026-12-11"),), finish_date="2026-12-10"), False, PromiseReason.PART_EXPECTED_LATER),
        (
            told("Lackierung", (missing(eta_date="2026-12-11", is_mandatory=False),), finish_date="2026-12-10"),
            None,
            PromiseReason.PART_EXPECTED_LATER,
        ),
        (told("Lackierung", (missing(eta_date="2026-12-10"),), finish_date="2026-12-10"), None, PromiseReason.PART_ON_THE_DAY),
        (told("Lackierung", (missing(eta_date="2026-11-20"),), finish_date="2026-12-10"), None, PromiseReason.PART_OVERDUE),
        (told("Lackierung", (missing(eta_date="2026-12-09"),), finish_date="2026-12-10"), True, PromiseReason.NOTHING_AGAINST_IT),
        (
            told("Lackierung", (missing(),), finish_date="2026-12-10", parts_status=NO_PARTS_NEEDED),
            None,
            PromiseReason.PARTS_UNKNOWN,
        ),
        (told(finish_date="2026-12-10", parts_status="E-Teile Rückstand"), None, PromiseReason.PARTS_UNKNOWN),
        (told(finish_date="2026-12-10", parts_read=False), None, PromiseReason.PARTS_UNKNOWN),
        (told(finish_date="2026-12-10", parts_read=False, parts_status=NO_PARTS_NEEDED), True, PromiseReason.NOTHING_AGAINST_IT),
        (told(planned_delivery_date="2026-12-10", finish_date="2026-12-14"), None, PromiseReason.DATES_CONTRADICT),
        (told(planned_delivery_date="2026-12-10", finish_date="2026-11-20"), None, PromiseReason.BEHIND_PLAN),
        (told("Karo", finish_date="2026-12-10", paint_date="2026-11-20"), None, PromiseReason.BEHIND_PLAN),
        (told("Anfrage", finish_date="2026-12-10", shop_date="2026-11-20"), None, PromiseReason.BEHIND_PLAN),
        (told("Lackierung", finish_date="2026-12-10", shop_date="2026-11-20"), True, PromiseReason.NOTHING_AGAINST_IT),
    ],
)  # fmt: skip
def test_whether_a_promise_holds(found: OrderProgress, holds: bool | None, why: PromiseReason) -> None:
    """Each reason, and where it lies between true, false and not known."""
    assert (found.promised.holds, found.promised.reason) == (holds, why)


def test_which_field_promises() -> None:
    """Planned hand-over, else completion, else back from the shop, else hand-back; the source names label and age."""
    dates: dict[str, Any] = dict.fromkeys(PROMISE_PATHS, "2026-12-10")
    for path in PROMISE_PATHS:
        source = told(**dates).promised.source
        assert source is not None
        assert (source.path, source.age_seconds) == (path, 300)
        del dates[path]
    found = told(planned_delivery_date="2026-12-10").promised.source
    assert found is not None
    assert found.label == "Plan Auslieferung"


def test_a_label_is_the_installations() -> None:
    """The source names the label that the installation's profile has, of several the one that holds something."""
    order = Order(1, "", None, None, None, False, {"repair_date": "2026-12-01", "project_status": "Lackierung"},
                  {"Fahrzeugeingang (Soll)": "", "Fahrzeugeingang (Ist)": "01.12.2026"})  # fmt: skip
    found = assess_progress(
        order, ReadTimes(NOW, NOW, NOW), NOW, is_stale=False, labels={"project_status": ("Status",)}
    )
    assert found.stage.source is not None
    assert found.next_appointment is not None
    assert (found.stage.source.label, found.next_appointment.source.label) == ("Status", "Fahrzeugeingang (Ist)")


@pytest.mark.parametrize(
    ("found", "value", "why"),
    [
        (told("abholbereit"), True, FetchReason.RELEASED),
        (told("abholbereit", (missing(is_mandatory=False),)), True, FetchReason.RELEASED),
        (told("abholbereit", (missing(),)), None, FetchReason.PART_MISSING),
        (told("fertig"), None, FetchReason.NOT_RELEASED),
        (told("in Arbeit"), False, FetchReason.NOT_DONE),
        (told("Kunde informiert"), None, FetchReason.STAGE_UNKNOWN),
        (told(None, station=None), None, FetchReason.STAGE_UNKNOWN),
        (told("ausgeliefert"), False, FetchReason.HANDED_OVER),
        (told("abholbereit", archived=True), None, FetchReason.ARCHIVED),
        (told("ausgeliefert", archived=True), False, FetchReason.HANDED_OVER),
    ],
)
def test_whether_it_can_be_fetched(found: OrderProgress, value: bool | None, why: FetchReason) -> None:
    """True by the workshop's words alone; null where they are not known, or something contradicts them."""
    assert (found.fetch_readiness.value, found.fetch_readiness.reason) == (value, why)


def test_a_part_that_came_is_not_expected_on_that_day() -> None:
    """`delivery_date` of a part that is back on backorder is the past; an expected date of its own counts."""
    assert expected_day(missing(delivery_date="2026-11-20")) == date(2026, 11, 20)
    assert expected_day(missing(delivery_date="2026-11-20", is_delivered=True, is_backorder=True)) is None
    (late,) = told("Karo", (missing(eta_date="2026-11-20"), missing(eta_date="2026-11-23"))).parts.late
    assert (late.description, late.days) == ("Kotflügel links", 3)


# -- clocks


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("day", "midnight"),
    [
        (date(2026, 11, 22), utc(2026, 11, 22, 23)),
        (date(2026, 7, 1), utc(2026, 7, 1, 22)),
        (date(2026, 3, 28), utc(2026, 3, 28, 23)),
        (date(2026, 3, 29), utc(2026, 3, 29, 22)),
        (date(2026, 10, 24), utc(2026, 10, 24, 22)),
        (date(2026, 10, 25), utc(2026, 10, 25, 23)),
        (date(2026, 12, 31), utc(2026, 12, 31, 23)),
    ],
)
def test_a_day_ends_at_the_workshops_midnight(day: date, midnight: datetime) -> None:
    """A day alone is over with Berlin's midnight, summer, winter and when the clocks are changed."""
    moment = Moment(day, None, day.isoformat())
    assert not moment.is_past(midnight - timedelta(microseconds=1))
    assert moment.is_past(midnight)


@pytest.mark.parametrize(
    ("day", "clock", "over"),
    [
        (date(2026, 11, 23), time(16), utc(2026, 11, 23, 15)),
        (date(2026, 10, 25), time(2, 30), utc(2026, 10, 25, 1, 30)),
        (date(2026, 3, 29), time(2, 30), utc(2026, 3, 29, 1, 30)),
    ],
)
def test_a_time_that_comes_twice_or_never(day: date, clock: time, over: datetime) -> None:
    """A time is over once it has passed for certain: the second 2:30 in autumn; in spring the hour that is skipped."""
    moment = Moment(day, clock, "")
    assert not moment.is_past(over)
    assert moment.is_past(over + timedelta(seconds=1))


def test_midnight_moves_today_and_tomorrow() -> None:
    """A second before midnight the promise is for tomorrow, then for today, and a day later it is broken."""
    midnight = utc(2026, 12, 9, 23)
    for now, said in (
        (midnight - timedelta(seconds=1), "für morgen, Donnerstag, den 10. Dezember"),
        (midnight, "für heute"),
        (midnight + timedelta(days=1), "verstrichen"),
    ):
        assert said in compose_sentence(told(now=now, form=now, finish_date="2026-12-10"), "de")


# -- words


@pytest.mark.parametrize(
    ("found", "german", "english"),
    [
        (
            told("Lackierung", (missing(eta_date="2026-12-03"),), finish_date="2026-12-10"),
            ("Ihr Fahrzeug ist in der Lackierung, Schritt 5 von 8. Geplant ist die Fertigstellung für Donnerstag, "
            "den 10. Dezember; ein Teil fehlt noch."),
            ("Your vehicle is in the paint shop, step 5 of 8. Completion is planned for Thursday, the 10th of "
            "December; one part is still missing."),
        ),
        (
            told(parts=(missing(), missing()), finish_date="2026-12-10", stale=True, form=utc(2026, 11, 23, 8, 40)),
            ("Stand von 9:40 Uhr: Ihr Fahrzeug ist in der Lackierung, Schritt 5 von 8. Geplant ist die Fertigstellung "
            "für Donnerstag, den 10. Dezember; zwei Teile fehlen noch, und der Termin ist nicht sicher."),
            ("As of 9:40 am: Your vehicle is in the paint shop, step 5 of 8. Completion is planned for Thursday, the "
            "10th of December; two parts are still missing, and the date is not certain."),
        ),
        (
            told("abholbereit", return_date_time="2026-11-24T16:30:00"),
            ("Ihr Fahrzeug ist abholbereit, Schritt 7 von 8. Geplant ist die Rückgabe für morgen, Dienstag, den "
            "24. November, um 16:30 Uhr."),
            ("Your vehicle is ready to be collected, step 7 of 8. The return of the vehicle is planned for tomorrow, "
            "Tuesday, the 24th of November, at 4:30 pm."),
        ),
        (
            told("in Arbeit", (missing(eta_date="2026-12-14"),), finish_date="2026-12-10"),
            ("Ihr Auftrag ist in Arbeit. Geplant ist die Fertigstellung für Donnerstag, den 10. Dezember; ein Teil "
            "wird aber erst am Montag, dem 14. Dezember, erwartet."),
            ("Your order is in progress. Completion is planned for Thursday, the 10th of December; but a part is not "
            "expected before Monday, the 14th of December."),
        ),
        (
            told("Karo", (missing(),), finish_date="2026-11-20"),
            ("Ihr Fahrzeug ist in der Karosserieabteilung, Schritt 4 von 8. Geplant war die Fertigstellung für "
            "Freitag, den 20. November; dieser Termin ist verstrichen, und ein Teil fehlt noch."),
            ("Your vehicle is in the body shop, step 4 of 8. Completion was planned for Friday, the 20th of November; "
            "that date has passed, and one part is still missing."),
        ),
        (
            told(TYPED),
            ("Wie weit Ihr Fahrzeug ist, kann ich gerade nicht sicher sagen. Ein Termin für die Fertigstellung ist "
            "noch nicht eingetragen."),
            "I can't say for certain right now how far your vehicle is. No completion date has been entered yet.",
        ),
        (told("ausgeliefert"), "Ihr Fahrzeug wurde bereits übergeben.", "Your vehicle has already been handed over."),
        (
            told("abholbereit", archived=True, form=utc(2026, 11, 22, 14)),
            "Stand von gestern, 15 Uhr: Dieser Auftrag ist in der Werkstatt nicht mehr offen.",
            "As of yesterday, 3 pm: This order is no longer open at the workshop.",
        ),
    ],
)  # fmt: skip
def test_what_is_said(found: OrderProgress, german: str, english: str) -> None:
    """Sentences that can be read out as they stand."""
    assert (compose_sentence(found, "de"), compose_sentence(found, "en")) == (german, english)


@pytest.mark.parametrize(
    ("count", "german", "english"),
    [
        (1, "ein Teil fehlt noch", "one part is still missing"),
        (2, "zwei Teile fehlen noch", "two parts are still missing"),
        (12, "zwölf Teile fehlen noch", "twelve parts are still missing"),
        (13, "13 Teile fehlen noch", "13 parts are still missing"),
    ],
)
def test_one_part_and_several(count: int, german: str, english: str) -> None:
    """Singular and plural agree with their verbs."""
    found = told("Karo", (missing(),) * count)
    assert f"; {german}." in compose_sentence(found, "de")
    assert f"; {english}." in compose_sentence(found, "en")


def test_days_and_times_as_they_are_spoken() -> None:
    """Today, tomorrow, weekdays, ordinals; the year where it is another one."""
    assert [format_day_de(TODAY + timedelta(days=ahead), TODAY) for ahead in (0, 1, 45)] == [
        "heute", "morgen, Dienstag, den 24. November", "Donnerstag, den 7. Januar 2027"]  # fmt: skip
    ordinals = {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 22: "22nd"}
    for number, spoken in ordinals.items():
        assert f"the {spoken} of December" in format_day_en(date(2026, 12, number), TODAY)
    assert [format_time_de(time(*clock)) for clock in ((0, 0), (9, 5), (16, 0))] == ["0 Uhr", "9:05 Uhr", "16 Uhr"]
    clocks = ((0, 0), (0, 5), (9, 40), (12, 0), (12, 30), (16, 0))
    assert [format_time_en(time(*clock)) for clock in clocks] == [
        "midnight",
        "12:05 am",
        "9:40 am",
        "noon",
        "12:30 pm",
        "4 pm",
    ]
