"""Stages by status, station and dates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.progress.stages import ProgressStage
from planso_connector.domain.progress.status_meanings import STATUS_MEANINGS, interpret_status
from tests.domain.progress.assessed_order import assess


@pytest.mark.parametrize(
    ("status", "stage"),
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
def test_a_known_status_is_a_stage(status: str, stage: ProgressStage | None) -> None:
    """In any notation; parts of a status and ambiguous ones are none."""
    meaning = interpret_status(status)
    assert (meaning.stage if meaning else None) == stage


@given(
    st.sampled_from(sorted(STATUS_MEANINGS)),
    st.sampled_from(["nicht {}", "noch nicht {}", "{} ?", "fast {}", "{} verschoben"]),
)
def test_a_negated_or_doubted_status_is_unknown(status: str, around: str) -> None:
    """`nicht abholbereit` is not `abholbereit`."""
    assert interpret_status(around.format(status)) is None


def test_a_finished_station_is_no_finished_vehicle() -> None:
    """`finished`, `fertig` or `abholbereit` as a station's state mean nothing for the vehicle; a trade's name does."""
    for state in ("finished", "fertig", "abholbereit", "ausgeliefert", "active"):
        found = assess(None, station=f"4@{state}")
        assert (found.stage.words, found.stage.stage, found.fetch_readiness.value) == (f"4@{state}", None, None)
    assert assess(None, station="4@Lackierung").stage.stage is ProgressStage.PAINT


def test_an_order_is_announced_while_its_arrival_lies_ahead() -> None:
    """Without a status, and while nothing says that the vehicle came."""
    assert assess(None, repair_date="2026-11-24", estimate_date="2026-11-20").stage.stage is ProgressStage.ANNOUNCED
    assert assess(None, repair_date="2026-11-23").stage.stage is None
    assert assess(None, repair_date="2026-11-24", shop_date="2026-11-20").stage.stage is None
    assert assess(None, repair_date="2026-11-24", fields={"Fahrzeugeingang (Ist)": "20.11.2026"}).stage.stage is None
    assert assess("Sonderfall", repair_date="2026-11-24").stage.stage is None
