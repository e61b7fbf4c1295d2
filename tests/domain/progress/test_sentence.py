"""Sentences to be read out, German and English."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

from planso_connector.domain.progress.assess import OrderProgress
from planso_connector.domain.progress.sentence import (
    compose_sentence,
    format_day_de,
    format_day_en,
    format_time_de,
    format_time_en,
)
from tests.domain.progress.assessed_order import TODAY, TYPED, assess, missing_part, utc


def test_midnight_moves_today_and_tomorrow() -> None:
    """A second before midnight the promise is for tomorrow, then for today, and a day later it has passed."""
    midnight = utc(2026, 12, 9, 23)
    for now, said in (
        (midnight - timedelta(seconds=1), "für morgen, Donnerstag, den 10. Dezember"),
        (midnight, "für heute"),
        (midnight + timedelta(days=1), "verstrichen"),
    ):
        assert said in compose_sentence(assess(now=now, form=now, finish_date="2026-12-10"), "de")


@pytest.mark.parametrize(
    ("progress", "german", "english"),
    [
        (
            assess("Lackierung", (missing_part(eta_date="2026-12-03"),), finish_date="2026-12-10"),
            ("Ihr Fahrzeug ist in der Lackierung, Schritt 5 von 8. Geplant ist die Fertigstellung für Donnerstag, "
            "den 10. Dezember; ein Teil fehlt noch."),
            ("Your vehicle is in the paint shop, step 5 of 8. Completion is planned for Thursday, the 10th of "
            "December; one part is still missing."),
        ),
        (
            assess(parts=(missing_part(), missing_part()), finish_date="2026-12-10", is_stale=True,
                   form=utc(2026, 11, 23, 8, 40)),
            ("Stand von 9:40 Uhr: Ihr Fahrzeug ist in der Lackierung, Schritt 5 von 8. Geplant ist die Fertigstellung "
            "für Donnerstag, den 10. Dezember; zwei Teile fehlen noch, und der Termin ist nicht sicher."),
            ("As of 9:40 am: Your vehicle is in the paint shop, step 5 of 8. Completion is planned for Thursday, the "
            "10th of December; two parts are still missing, and the date is not certain."),
        ),
        (
            assess("abholbereit", return_date_time="2026-11-24T16:30:00"),
            ("Ihr Fahrzeug ist abholbereit, Schritt 7 von 8. Geplant ist die Rückgabe für morgen, Dienstag, den "
            "24. November, um 16:30 Uhr."),
            ("Your vehicle is ready to be collected, step 7 of 8. The return of the vehicle is planned for tomorrow, "
            "Tuesday, the 24th of November, at 4:30 pm."),
        ),
        (
            assess("in Arbeit", (missing_part(eta_date="2026-12-14"),), finish_date="2026-12-10"),
            ("Ihr Auftrag ist in Arbeit. Geplant ist die Fertigstellung für Donnerstag, den 10. Dezember; ein Teil "
            "wird aber erst am Montag, dem 14. Dezember, erwartet."),
            ("Your order is in progress. Completion is planned for Thursday, the 10th of December; but a part is not "
            "expected before Monday, the 14th of December."),
        ),
        (
            assess("Karo", (missing_part(),), finish_date="2026-11-20"),
            ("Ihr Fahrzeug ist in der Karosserieabteilung, Schritt 4 von 8. Geplant war die Fertigstellung für "
            "Freitag, den 20. November; dieser Termin ist verstrichen, und ein Teil fehlt noch."),
            ("Your vehicle is in the body shop, step 4 of 8. Completion was planned for Friday, the 20th of November; "
            "that date has passed, and one part is still missing."),
        ),
        (
            assess(TYPED),
            ("Wie weit Ihr Fahrzeug ist, kann ich gerade nicht sicher sagen. Ein Termin für die Fertigstellung ist "
            "noch nicht eingetragen."),
            "I can't say for certain right now how far your vehicle is. No completion date has been entered yet.",
        ),
        (assess("ausgeliefert"), "Ihr Fahrzeug wurde bereits übergeben.", "Your vehicle has already been handed over."),
        (
            assess("abholbereit", archived=True, form=utc(2026, 11, 22, 14)),
            "Stand von gestern, 15 Uhr: Dieser Auftrag ist in der Werkstatt nicht mehr offen.",
            "As of yesterday, 3 pm: This order is no longer open at the workshop.",
        ),
    ],
)  # fmt: skip
def test_the_sentences(progress: OrderProgress, german: str, english: str) -> None:
    """They can be read out as they are."""
    assert (compose_sentence(progress, "de"), compose_sentence(progress, "en")) == (german, english)


@pytest.mark.parametrize(
    ("count", "german", "english"),
    [
        (1, "ein Teil fehlt noch", "one part is still missing"),
        (2, "zwei Teile fehlen noch", "two parts are still missing"),
        (12, "zwölf Teile fehlen noch", "twelve parts are still missing"),
        (13, "13 Teile fehlen noch", "13 parts are still missing"),
    ],
)
def test_missing_parts_agree_in_number(count: int, german: str, english: str) -> None:
    """One, several, and beyond twelve in digits."""
    found = assess("Karo", (missing_part(),) * count)
    assert f"; {german}." in compose_sentence(found, "de")
    assert f"; {english}." in compose_sentence(found, "en")


def test_days_and_times_are_as_spoken() -> None:
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
