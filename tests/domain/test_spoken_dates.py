"""Days and times as callers say them."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.language import Language
from planso_connector.domain.spoken_dates import words
from planso_connector.domain.spoken_dates.moment import DateQuestion, DayPart, SpokenMoment
from planso_connector.domain.spoken_dates.phrases import say_moment, say_question
from planso_connector.domain.spoken_dates.resolve import resolve_spoken_date

CORPUS = Path(__file__).with_name("spoken_dates.txt")


def _cases() -> Iterator[tuple[datetime, str, str]]:
    now = datetime.min.replace(tzinfo=BERLIN)
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        if line.startswith("now "):
            now = datetime.fromisoformat(line[4:]).replace(tzinfo=BERLIN)
        elif "=>" in line and not line.startswith("#"):
            said, _, meant = line.partition("=>")
            yield now, said.strip(), meant.strip()


def _write(moment: SpokenMoment) -> str:
    clock = f"{moment.clock:%H:%M}" if moment.clock else moment.part
    return f"{moment.day} {clock}" if clock else f"{moment.day}"


def _write_result(found: SpokenMoment | DateQuestion) -> str:
    if isinstance(found, SpokenMoment):
        return _write(found)
    days = f"{found.span[0]}..{found.span[1]}" if found.span else ", ".join(map(_write, found.options))
    return f"ask {found.reason} {days}".strip()


def test_each_sentence_of_the_corpus_means_what_it_says() -> None:
    """All are checked, so that a failure lists every sentence that changed."""
    cases = list(_cases())
    found = [(str(now), said, _write_result(resolve_spoken_date(said, now))) for now, said, _ in cases]
    assert found == [(str(now), said, meant) for now, said, meant in cases]
    assert len(cases) >= 120


@pytest.mark.parametrize("change", [str.lower, str.upper, lambda said: said.replace(",", "").replace("ü", "ue")])
def test_case_commas_and_umlauts_do_not_matter(change: Callable[[str], str]) -> None:
    for now, said, meant in _cases():
        assert (said, _write_result(resolve_spoken_date(change(said), now))) == (said, meant)


_NOW = st.datetimes(datetime(2026, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_MORE_WORDS = ("morgen", "acht", "dritten", "zwölften", "3.12.", "14:30", "31", "8")
_WORDS = st.sampled_from(sorted({*words.TOKENS, *words.ARTICLES_OF_NUMBER, *_MORE_WORDS}))


@given(said=st.lists(_WORDS, max_size=8).map(" ".join) | st.text(max_size=60), now=_NOW)
def test_nothing_past_is_named(said: str, now: datetime) -> None:
    """Whatever is said: no moment before now, and each question can be asked in both languages."""
    local = now.astimezone(BERLIN).replace(tzinfo=None)
    found = resolve_spoken_date(said, now)
    for moment in [found] if isinstance(found, SpokenMoment) else found.options:
        assert moment.day >= local.date()
        if isinstance(found, SpokenMoment) and moment.clock is not None:
            assert datetime.combine(moment.day, moment.clock) >= local.replace(second=0, microsecond=0)
    if isinstance(found, DateQuestion):
        for language in ("de", "en"):
            asked = say_question(found, local.date(), language)
            assert asked.endswith("?")
            assert "{" not in asked


_LANGUAGES = st.sampled_from(["de", "en"])


@given(
    now=_NOW,
    ahead=st.integers(1, 366),
    clock=st.none() | st.times().map(lambda clock: clock.replace(second=0, microsecond=0)),
    part=st.none() | st.sampled_from(DayPart),
    language=_LANGUAGES,
)
def test_what_is_said_back_means_the_same(
    now: datetime, ahead: int, clock: time | None, part: DayPart | None, language: Language
) -> None:
    """A caller who repeats the sentence gets the same moment. Hours that summer time skips are none."""
    today = now.astimezone(BERLIN).date()
    day = today + timedelta(days=ahead)
    if clock is not None:
        skipped = datetime.combine(day, clock, BERLIN)
        if skipped.astimezone(UTC).astimezone(BERLIN).replace(tzinfo=None) != datetime.combine(day, clock):
            return
    moment = SpokenMoment(day, clock, part if clock is None else None)
    said = say_moment(moment, today, language)
    found = resolve_spoken_date(said, now)
    assert (said, found) == (said, moment)


def test_a_long_text_is_read_in_bounded_time() -> None:
    """10,000 characters are no more work than the first 500."""
    now = datetime(2026, 12, 1, 10, tzinfo=BERLIN)
    for word in ("dreiundzwanzigsten ", "oder morgen ", "a", "1.1.", "viertel vor "):
        found = resolve_spoken_date(word * (10_000 // len(word)), now)
        assert len(found.options if isinstance(found, DateQuestion) else [found]) <= 4


def test_opening_hours_decide_between_morning_and_afternoon() -> None:
    now = datetime(2026, 12, 1, 10, tzinfo=BERLIN)
    early = resolve_spoken_date("morgen um sieben", now, (time(6), time(15)))
    late = resolve_spoken_date("morgen um sieben", now, (time(12), time(20)))
    both = resolve_spoken_date("morgen um sieben", now, (time(6), time(20)))
    day = date(2026, 12, 2)
    assert (early, late) == (SpokenMoment(day, time(7)), SpokenMoment(day, time(19)))
    assert isinstance(both, DateQuestion)
    assert both.options == (SpokenMoment(day, time(7)), SpokenMoment(day, time(19)))
