"""PlanSo's bad days, seen from a caller: an honest no within the wait, and recovery without hands."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
import uvicorn

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


def test_after_the_wait_nothing_more_is_sent(tmp_path: Path) -> None:
    """PlanSo slower than the wait: 504 says that it is not known, and no save comes after it; so for every verb."""
    with connected(tmp_path, Sandbox(orders=12), connector_write_wait=1.0, planso_timeout=5.0) as service:
        order_id = first(service)
        before, orders = service.sandbox.snapshot(order_id), service.sandbox.order_ids()
        service.sandbox.knobs.latency = 0.7
        assert service.put(order_id, person="Kommt Zu Spät").status_code == 504
        service.sandbox.knobs.latency = 1.1
        assert service.http.delete(f"/api/orders/{orders[1]}").status_code == 504
        assert service.http.post("/api/orders", json={"person": "Kommt Zu Spät"}).status_code == 504
        service.sandbox.knobs.latency = 0.0
        assert service.put(order_id).status_code == 200  # in its turn after the late one
        assert service.put(orders[1]).status_code == 200
        assert (service.sandbox.snapshot(order_id), service.sandbox.order_ids()) == (before, orders)
        assert not any(request.saving for request in service.sandbox.requests)
        assert service.order(order_id)["pending"] == []


class Odd:
    """A PlanSo between the connector and the sandbox that answers some requests otherwise, by their number."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.forms = 0
        self.saves = 0
        self.blank_forms: set[int] = set()
        self.failing_forms: set[int] = set()
        self.fail_save_after = False
        self.no_form = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or b"m=visual_forms_plain" not in scope["query_string"]:
            await self._sandbox.app(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        sent = False

        async def again() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await asyncio.Event().wait()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        if body:
            self.saves += 1
            if self.fail_save_after:
                await self._sandbox.app(scope, again, _swallow)
                await _answer(send, 502, b"<html>Bad gateway</html>")
                return
            await self._sandbox.app(scope, again, send)
            return
        self.forms += 1
        if self.no_form and b"submode=update" in scope["query_string"]:
            await _answer(send, 200, b'{"error": "Datensatz nicht gefunden"}')
        elif self.forms in self.failing_forms:
            await _answer(send, 502, b"<html>Bad gateway</html>")
        elif self.forms in self.blank_forms:
            blank = scope["query_string"].replace(b"submode=update", b"submode=insert")
            blank = re.sub(rb"dataID=\d+", b"dataID=", blank)
            await self._sandbox.app({**scope, "query_string": blank}, again, send)
        else:
            await self._sandbox.app(scope, again, send)


async def _swallow(_message: Any) -> None:
    return


async def _answer(send: Any, status: int, content: bytes) -> None:
    headers = [(b"content-type", b"text/html"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[tuple[Service, Odd]]:
    sandbox = Sandbox(orders=12)
    between = Odd(sandbox)
    server = uvicorn.Server(uvicorn.Config(between, port=0, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.005)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        settings = settings_for(sandbox, url, f"sqlite:///{tmp_path}/connector.db", connector_write_wait=5.0)
        with running(settings, sandbox) as service:
            service.synced()
            between.forms = 0
            yield service, between
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("blank", [{1}, {2}, {2, 3}, {1, 2, 3}, {2, 3, 4, 5, 6, 7}])
def test_an_emptied_form_is_never_saved(odd: tuple[Service, Odd], blank: set[int]) -> None:
    """An order whose form is empty in any of our readings before the save: nothing is sent, the mirror stays."""
    service, between = odd
    order_id = first(service)
    before, mirror = service.sandbox.snapshot(order_id), service.order(order_id)
    between.blank_forms = blank
    answer = service.put(order_id, remarks="nie")
    assert answer.status_code == 502
    assert "empty form" in answer.json()["message"]
    assert (between.saves, service.sandbox.snapshot(order_id)) == (0, before)
    assert service.order(order_id)["person"] == mirror["person"]


@pytest.mark.parametrize("failing", ["blank_forms", "failing_forms"])
def test_a_read_back_that_fails_is_tried_again_and_then_unsure(odd: tuple[Service, Odd], failing: str) -> None:
    """After the save, one bad page is tried again: 200. Only bad pages: 504 that says so; the mirror is unharmed."""
    service, between = odd
    order_id = first(service)
    person = service.order(order_id)["person"]
    setattr(between, failing, {3})
    assert service.put(order_id, remarks="einmal").status_code == 200
    between.forms = 0
    setattr(between, failing, set(range(3, 20)))
    answer = service.put(order_id, remarks="immer")
    assert answer.status_code == 504
    assert "could not be read back" in answer.json()["message"]
    assert service.sandbox.value(order_id, "Bemerkungen") == "immer"
    assert service.order(order_id)["person"] == person


def test_an_unreadable_new_order_is_named(odd: tuple[Service, Odd]) -> None:
    """Created, and then it can't be read back: 504 names the new order, so that nobody creates it twice."""
    service, between = odd
    between.failing_forms = set(range(2, 20))
    answer = service.http.post("/api/orders", json={"person": "Neu Hier", "vehicle_details": {"number_plate": "A-B 1"}})
    assert answer.status_code == 504
    (created,) = set(service.sandbox.order_ids()) - {
        order["id"] for order in service.http.get("/api/orders").json()["orders"]
    }
    assert str(created) in answer.json()["message"]


def test_a_save_that_was_answered_with_an_error_is_looked_after(odd: tuple[Service, Odd]) -> None:
    """The proxy answers 502 to a save that PlanSo took over: the form says so, 200."""
    service, between = odd
    between.fail_save_after = True
    assert service.put(first(service), person="Trotz Allem").status_code == 200
    assert service.sandbox.value(first(service), "Fahrername") == "Trotz Allem"


def test_a_planso_that_says_error_for_unknown_orders(odd: tuple[Service, Odd]) -> None:
    """Some installations answer an error instead of an empty form: unknown is 404, and a deletion is confirmed."""
    service, between = odd
    order_id = first(service)
    assert service.http.delete(f"/api/orders/{service.sandbox.order_ids()[1]}").status_code == 200
    between.no_form = True
    assert service.put(999_999, person="Wer").status_code == 404
    assert service.http.delete("/api/orders/999999").status_code == 404
    assert service.put(order_id, person="Wer").status_code == 502


def test_a_write_that_could_not_be_settled_is_settled_later_by_looking(tmp_path: Path) -> None:
    """
    The database is locked when PlanSo has confirmed: 503, and the operation is not called expired. The next start
    looks, and finds it confirmed.
    """
    sandbox = Sandbox(orders=12)
    order_id = sandbox.order_ids()[0]
    database = tmp_path / "connector.db"
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, f"sqlite:///{database}")
        with running(settings, sandbox) as service:
            service.synced()
            sandbox.forget_requests()
            sandbox.knobs.latency = 0.2
            answers: list[int] = []
            caller = threading.Thread(
                target=lambda: answers.append(service.put(order_id, person="Spät Bestätigt").status_code)
            )
            caller.start()
            while not sandbox.requests:
                threading.Event().wait(0.01)
            lock = apsw.Connection(str(database))
            lock.execute("BEGIN IMMEDIATE")
            caller.join(8.0)  # longer than a writer waits for the lock, and shorter than two do
            lock.execute("ROLLBACK")
            lock.close()
            caller.join()
            assert answers == [503]
            assert [entry["action"] for entry in service.order(order_id)["pending"]] == ["update"]
        sandbox.knobs.latency = 0.0
        with running(settings, sandbox) as service:
            for _ in range(500):
                if not service.order(order_id)["pending"]:
                    break
                threading.Event().wait(0.02)
            order = service.order(order_id)
            assert (order["pending"], order["person"]) == ([], "Spät Bestätigt")
    connection = apsw.Connection(str(database))
    assert list(connection.execute("SELECT state FROM operations")) == [("confirmed",)]
    connection.close()
