"""PlanSo's bad days, seen from a caller: an honest no within the wait, and recovery without hands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from planso_connector.sandbox import Installation, Sandbox
from tests.service import Service, connected, running, settings_for


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with connected(tmp_path, Sandbox(orders=12), connector_write_wait=2.0, planso_timeout=1.0) as running_service:
        yield running_service


def first(service: Service) -> int:
    return service.sandbox.order_ids()[0]


def test_a_proxy_error_is_502_and_nothing_changed(service: Service) -> None:
    """PlanSo answers 502: the write is 502, PlanSo is unchanged, and the next write goes through."""
    before = service.sandbox.snapshot(first(service))
    service.sandbox.knobs.fail_next = 1
    answer = service.put(first(service), person="Heute Nicht")
    assert (answer.status_code, answer.json()["success"]) == (502, False)
    assert service.sandbox.snapshot(first(service)) == before
    assert service.put(first(service), person="Jetzt Aber").status_code == 200


def test_a_hanging_planso_is_504(service: Service) -> None:
    """A page that never comes: 504 within the wait, nothing written, and the next write goes through."""
    service.sandbox.knobs.hang_next = 1
    answer = service.put(first(service), person="Hängt")
    assert (answer.status_code, answer.json()["success"]) == (504, False)
    assert service.put(first(service), person="Läuft").status_code == 200


def test_html_for_json_is_502(service: Service) -> None:
    """HTML where JSON was promised: 502 that names the page, nothing written."""
    before = service.sandbox.snapshot(first(service))
    service.sandbox.knobs.html_for_json_next = 1
    answer = service.put(first(service), person="Kein JSON")
    assert answer.status_code == 502
    assert "form" in answer.json()["message"]
    assert service.sandbox.snapshot(first(service)) == before


def test_what_planso_keeps_otherwise_is_told_field_by_field(service: Service) -> None:
    """A value that PlanSo cuts: 502 with field, sent and kept; the mirror shows what PlanSo kept."""
    service.sandbox.knobs.alter_saved["Fahrername"] = 5
    answer = service.put(first(service), person="Abgeschnitten", remarks="kommt an")
    assert answer.status_code == 502
    message = answer.json()["message"]
    assert "Abgeschnitten" in message
    assert "'Abges'" in message
    order = service.order(first(service))
    assert (order["person"], order["remarks"]) == ("Abges", "kommt an")


def test_a_dead_planso_is_502_and_reads_go_on(tmp_path: Path) -> None:
    """Nobody listens at PlanSo's address: writes are 502, the mirror answers, /health says how it is."""
    sandbox = Sandbox(orders=12)
    database = f"sqlite:///{tmp_path}/connector.db"
    with sandbox.serve() as url, running(settings_for(sandbox, url, database), sandbox) as filled:
        filled.synced()
    with running(settings_for(sandbox, url, database), sandbox) as service:
        answer = service.put(first(service), person="Niemand Da")
        assert answer.status_code == 502
        assert "reach" in answer.json()["message"]
        assert service.order(first(service))["id"] == first(service)
        assert service.sync()["state"] == "failed"
        assert service.http.get("/health/ready").status_code == 200


def test_a_rejected_password_is_tried_once_for_ever(tmp_path: Path) -> None:
    """A wrong password goes to PlanSo once: not again by any request, not after a restart; asked for, once more."""
    sandbox = Sandbox(orders=12, installation=Installation(password="richtig"))
    database = f"sqlite:///{tmp_path}/connector.db"
    with sandbox.serve() as url:
        from pydantic import SecretStr

        wrong = settings_for(sandbox, url, database, planso_password=SecretStr("falsches Wort"))
        for _ in range(2):
            with running(wrong, sandbox) as service:
                assert service.sync()["state"] == "failed"
                assert service.put(first(service), person="Wer").status_code == 502
                status = service.http.get("/api/auth/status").json()
                assert status["state"] == "rejected"
                assert service.http.get("/health/ready").status_code == 503
                assert sandbox.rejected_logins == 1
        with running(wrong, sandbox) as service:
            asked = service.http.post("/api/auth/login")
            assert (asked.status_code, sandbox.rejected_logins) == (401, 2)
            assert "falsches Wort" not in asked.text
        with running(settings_for(sandbox, url, database), sandbox) as service:
            assert service.sync()["state"] == "idle"
            assert service.http.get("/api/auth/status").json()["state"] == "logged_in"


def test_other_credentials_can_be_tried(service: Service) -> None:
    """Credentials in the body are tried and change nothing; the same wrong pair is not sent twice."""
    pair = {"username": "werkstatt", "password": "nicht dieses"}
    for _ in range(3):
        answer = service.http.post("/api/auth/login", json=pair)
        assert (answer.status_code, answer.json()["success"]) == (401, False)
        assert "nicht dieses" not in answer.text
    assert service.sandbox.rejected_logins == 1
    assert service.put(first(service), person="Noch Angemeldet").status_code == 200
    bad = service.http.post("/api/auth/login", json={"username": "werkstatt"})
    assert bad.status_code == 422


def test_a_slow_write_is_told_and_still_settled(service: Service) -> None:
    """PlanSo slower than the wait: 504 says that it is not known; what was sent is still read back."""
    service.sandbox.knobs.latency = 0.75
    answer = service.put(first(service), person="Kommt Spät")
    assert answer.status_code == 504
    service.sandbox.knobs.latency = 0.0
    assert service.put(first(service), remarks="danach").status_code == 200
    order = service.order(first(service))
    assert (order["person"] or "") == service.sandbox.value(first(service), "Fahrername")
    assert order["pending"] == []
