"""GET /api/orders/{order_id}/progress."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.language import negotiate_language
from planso_connector.sandbox import Sandbox
from tests.service import Service

IDS = sorted(Sandbox().order_ids())


def ask(service: Service, order_id: int, **headers: str) -> httpx2.Response:
    return service.http.get(f"/api/orders/{order_id}/progress", headers=headers)


def progress(service: Service, order_id: int, **headers: str) -> dict[str, Any]:
    answer = ask(service, order_id, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["success"] is True
    found: dict[str, Any] = answer.json()["progress"]
    return found


def read_live(service: Service, order_id: int) -> None:
    """The connector reads the order from PlanSo now."""
    assert service.http.get(f"/api/orders/{order_id}", params={"max_age": "0"}).json()["message"] == ""


def day(ahead: int) -> datetime:
    return datetime.now(BERLIN) + timedelta(days=ahead)


def test_every_order_has_a_progress(service: Service) -> None:
    """Valid by its schema, without personal data in its sentence, and consistent with the order itself."""
    document = service.http.get("/openapi.json").json()
    schema = {"$ref": "#/components/schemas/ProgressAnswer", "components": document["components"]}
    checked = jsonschema_rs.validator_for(schema)
    steps = set()
    for order_id in IDS[:80]:
        answer = ask(service, order_id).json()
        assert [error.message for error in checked.iter_errors(answer)] == []
        found, order = answer["progress"], service.order(order_id)
        station = "@".join(filter(None, (order["station_id"], order["station_state"]))) or None
        assert found["stage"]["words"] == (order["project_status"] or station)
        assert (found["parts"]["missing"] != 0) is order["missing_parts"]
        personal = [order["plate"], order["phone"], order["email"], *(order["person"] or "").split()]
        assert [word for word in personal if word and word in found["sentence"]] == []
        assert found["can_be_fetched"]["value"] is not True or order["project_status"] == "abholbereit"
        assert 0 <= found["parts"]["source"]["age_seconds"] < 600
        steps.add(found["stage"]["step"])
    assert len(steps) > 5


def test_progress_follows_the_workshops_edits(service: Service) -> None:
    """Stage, promise and sentence change with the next reading."""
    order_id = next(i for i in IDS[80:] if not service.sandbox.parts(i))
    for label in ("Plan Auslieferung", "Werkstatt zurück", "Rückgabe", "Lackiertermin", "Werkstattstart"):
        service.sandbox.edit_field(order_id, label, "")
    for label in ("Fahrzeugeingang (Soll)", "Fahrzeugeingang (Ist)", "Teile Liefertermin", "E-Teile Status"):
        service.sandbox.edit_field(order_id, label, "")
    service.sandbox.edit_field(order_id, "Projekt-Status", "Lackierung")
    service.sandbox.edit_field(order_id, "Termin Fertigstellung", f"{day(9):%d.%m.%Y}")
    read_live(service, order_id)
    found = progress(service, order_id)
    assert (found["stage"]["step"], found["stage"]["steps"], found["stage"]["name"]) == (5, 8, "paint")
    promised = found["promised"]
    assert (promised["holds"], promised["date"]) == (True, f"{day(9):%Y-%m-%d}")
    assert (promised["source"]["path"], promised["source"]["label"]) == ("finish_date", "Termin Fertigstellung")
    assert found["next_appointment"]["what"] == "Fertigstellung"
    assert found["sentence"].startswith("Ihr Fahrzeug ist in der Lackierung, Schritt 5 von 8. Geplant ist")

    service.sandbox.edit_field(order_id, "Termin Fertigstellung", f"{day(-2):%d.%m.%Y}")
    read_live(service, order_id)
    late = progress(service, order_id)
    assert (late["promised"]["holds"], late["promised"]["reason"]) == (False, "date_passed")
    assert (late["can_be_fetched"]["value"], late["next_appointment"]) == (False, None)

    service.sandbox.edit_field(order_id, "Projekt-Status", "abholbereit")
    read_live(service, order_id)
    ready = progress(service, order_id, **{"Accept-Language": "en"})
    assert ready["can_be_fetched"]["value"] is True
    assert ready["sentence"] == "Your vehicle is ready to be collected, step 7 of 8."


def test_ages_are_counted_from_the_reading(service: Service) -> None:
    """`last_synced_at` is when the page was read, no later than the answer; `age_seconds` is the time since."""
    before = datetime.now(UTC)
    found = progress(service, IDS[5])
    after = datetime.now(UTC)
    for source in (found["stage"]["source"], found["parts"]["source"]):
        read = datetime.fromisoformat(source["last_synced_at"])
        assert read <= before
        second = timedelta(seconds=1)
        assert (before - read) // second <= source["age_seconds"] <= (after - read) // second + 1


def test_a_pending_write_is_mentioned(service: Service) -> None:
    """The sentence mentions it until PlanSo has confirmed it."""
    order_id = IDS[90]
    assert progress(service, order_id)["pending"] == 0
    service.sandbox.knobs.fail_app_next = 1_000_000
    answer = service.http.put(
        f"/api/orders/{order_id}",
        json={"order_id": order_id, "remarks": "Bitte anrufen"},
        headers={"Prefer": "respond-async"},
    )
    assert answer.status_code == 202, answer.text
    found = progress(service, order_id)
    assert found["pending"] == 1
    assert found["sentence"].endswith("Eine Änderung an Ihrem Auftrag wird gerade erst eingetragen.")
    service.sandbox.knobs.fail_app_next = 0
    assert service.wait_until_settled(answer)["state"] == "confirmed"
    found = progress(service, order_id)
    assert (found["pending"], "gerade erst" in found["sentence"]) == (0, False)


def test_archived_and_deleted_orders(service: Service) -> None:
    """Archived ones are closed, and can't be fetched; deleted and unknown ones are 404 as in GET order."""
    archived, deleted = IDS[200], IDS[201]
    service.sandbox.edit_field(archived, "Projekt-Status", "abholbereit")
    service.sandbox.archive(archived)
    service.sync()
    found = progress(service, archived)
    assert (found["stage"]["archived"], found["stage"]["name"]) == (True, "closed")
    assert (found["can_be_fetched"]["value"], found["next_appointment"]) == (None, None)
    assert found["sentence"].endswith("Dieser Auftrag ist in der Werkstatt nicht mehr offen.")
    assert service.http.delete(f"/api/orders/{deleted}").status_code == 200
    for order_id in (deleted, 999_999):
        answer = ask(service, order_id)
        assert answer.status_code == 404
        assert answer.json() == service.http.get(f"/api/orders/{order_id}").json()
    assert ask(service, 0).status_code == 422


def test_stale_is_the_same_as_in_get_order(service: Service) -> None:
    """The envelope's `stale`."""
    assert ask(service, IDS[3]).json()["stale"] is service.http.get(f"/api/orders/{IDS[3]}").json()["stale"] is False


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "de"),
        ("*", "de"),
        ("fr", "de"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("de, en", "de"),
        ("en, de", "en"),
        ("de;q=0.5, en;q=0.8", "en"),
        ("de; q=0.8 ,en ; q=0.8", "de"),
        ("en-US,en;q=0.9,de;q=0.8", "en"),
        ("fr, en;q=0.1", "en"),
        ("de;q=0", "de"),
        ("de;q=0, *", "en"),
        ("de;q=0, *;q=0.1", "en"),
        ("en;q=0, *", "de"),
        ("en;q=1.5, de;q=0.1", "de"),
        ("en;q=, de;q=0.1", "de"),
        ("english", "de"),
        (",;q=1,,en", "en"),
    ],
)
def test_language_negotiation(header: str, language: str) -> None:
    """RFC 9110, 12.5.4: the greatest q, then the first; 0 is not wanted; German where nothing fits."""
    assert negotiate_language(header) == language


@given(st.text("de n*,;q=0.159-é", max_size=40) | st.text(max_size=40))
def test_any_header_gives_a_language(header: str) -> None:
    """Malformed ones too."""
    assert negotiate_language(header) in ("de", "en")


def test_the_response_names_its_language(service: Service) -> None:
    """Content-Language and Vary are set; several lines of the header are one."""
    german, english = ask(service, IDS[0]), ask(service, IDS[0], **{"Accept-Language": "en-GB, de;q=0.3"})
    for answer, language in ((german, "de"), (english, "en")):
        assert (answer.headers["Content-Language"], answer.headers["Vary"]) == (language, "Accept-Language")
        assert answer.json()["progress"]["language"] == language
    assert german.json()["progress"]["sentence"] != english.json()["progress"]["sentence"]
    lines = [("Accept-Language", "fr"), ("Accept-Language", "en;q=0.2")]
    both = service.http.get(f"/api/orders/{IDS[0]}/progress", headers=lines)
    assert both.headers["Content-Language"] == "en"
