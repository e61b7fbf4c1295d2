"""PlanSo in trouble, as callers see it: a true answer within the wait, and recovery without intervention."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import httpx2
import pytest
import uvicorn
from pydantic import SecretStr

from planso_connector.sandbox import Installation, Sandbox
from tests.service import Service, running, running_on_sqlite, settings_for, wait_until


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_on_sqlite(tmp_path, Sandbox(orders=12), planso_timeout=1.0) as running_service:
        yield running_service


def first(service: Service) -> int:
    return service.sandbox.order_ids()[0]


def put(service: Service, order_id: int, **fields: Any) -> httpx2.Response:
    """A write whose caller does not wait; sent again it is the same one."""
    body = {"order_id": order_id, **fields}
    headers = {"Prefer": "respond-async", "Idempotency-Key": "one"}
    return service.http.put(f"/api/orders/{order_id}", json=body, headers=headers)


def put_in_vain(service: Service, order_id: int, **fields: Any) -> httpx2.Response:
    """The same, answered when PlanSo was tried once."""
    accepted = put(service, order_id, **fields)
    wait_until(lambda: service.operation(accepted)["message"])
    return put(service, order_id, **fields)


def saves(service: Service) -> int:
    return sum(request.saving for request in service.sandbox.requests)


@pytest.mark.parametrize("knob", ["fail_next", "hang_next", "html_for_json_next"])
def test_one_bad_page_is_retried(service: Service, knob: str) -> None:
    """PlanSo answers an error, nothing, or no JSON once: the write is tried again by itself, 200 within the wait."""
    setattr(service.sandbox.knobs, knob, 1)
    answer = service.put(first(service), person="Beim Zweiten Mal")
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert service.sandbox.value(first(service), "Fahrername") == "Beim Zweiten Mal"
    assert saves(service) == 1


@pytest.mark.parametrize(
    ("knob", "why"), [("fail_next", "502"), ("hang_next", "in time"), ("html_for_json_next", "form")]
)
def test_writes_wait_while_pages_are_bad(service: Service, knob: str, why: str) -> None:
    """Nothing but bad pages: 202 that says why, PlanSo unchanged; when they are over it is carried through, once."""
    before = service.sandbox.snapshot(first(service))
    setattr(service.sandbox.knobs, knob, 1000)
    answer = put_in_vain(service, first(service), person="Wenn Es Wieder Geht")
    assert (answer.status_code, answer.json()["success"]) == (202, True)
    assert answer.headers["Location"] == f"/api/operations/{answer.json()['operation_id']}"
    assert why in answer.json()["message"]
    assert service.sandbox.snapshot(first(service)) == before
    assert [entry["asked"] for entry in service.order(first(service))["pending"]] == [{"person": "Wenn Es Wieder Geht"}]
    setattr(service.sandbox.knobs, knob, 0)
    assert service.wait_until_settled(answer)["state"] == "confirmed"
    assert service.sandbox.value(first(service), "Fahrername") == "Wenn Es Wieder Geht"
    assert (saves(service), service.order(first(service))["pending"]) == (1, [])


def test_values_that_planso_changed_are_reported_by_field(service: Service) -> None:
    """A value that PlanSo cuts: 502 with field, sent and kept; the mirror shows what PlanSo kept."""
    service.sandbox.knobs.alter_saved["Fahrername"] = 5
    answer = service.put(first(service), person="Abgeschnitten", remarks="kommt an")
    assert answer.status_code == 502
    message = answer.json()["message"]
    assert "Abgeschnitten" in message
    assert "'Abges'" in message
    order = service.order(first(service))
    assert (order["person"], order["remarks"]) == ("Abges", "kommt an")


def test_reads_go_on_while_planso_is_down(tmp_path: Path) -> None:
    """
    Nobody listens at PlanSo's address: writes are 202, the mirror answers, /health says how it is. When somebody does,
    the writes are carried through by themselves.
    """
    sandbox = Sandbox(orders=12)
    database = f"sqlite:///{tmp_path}/connector.db"
    with sandbox.serve() as url, running(settings_for(sandbox, url, database), sandbox) as filled:
        filled.wait_for_sync()
    with running(settings_for(sandbox, url, database), sandbox) as service:
        answer = put_in_vain(service, first(service), person="Wieder Da")
        assert answer.status_code == 202
        assert "reach" in answer.json()["message"]
        assert service.order(first(service))["id"] == first(service)
        assert service.sync()["state"] == "failed"
        assert service.http.get("/health/ready").status_code == 200
        with sandbox.serve(port=int(url.rpartition(":")[2])):
            assert service.wait_until_settled(answer)["state"] == "confirmed"
            assert sandbox.value(first(service), "Fahrername") == service.order(first(service))["person"] == "Wieder Da"


def test_a_rejected_password_is_never_tried_again(tmp_path: Path) -> None:
    """A wrong password goes to PlanSo once: not again by any request, not after a restart; asked for, once more."""
    sandbox = Sandbox(orders=12, installation=Installation(password="richtig"))
    database = f"sqlite:///{tmp_path}/connector.db"
    with sandbox.serve() as url:
        wrong = settings_for(sandbox, url, database, planso_password=SecretStr("falsches Wort"))
        for _ in range(2):
            with running(wrong, sandbox) as service:
                assert service.sync()["state"] == "failed"
                assert service.put(first(service), person="Wer").status_code == 502
                assert service.http.get("/api/operations").json()["operations"] == []
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


def test_what_was_accepted_survives_a_rejected_password(tmp_path: Path) -> None:
    """A write that waits while PlanSo rejects the password: tried without a login, done with the right one."""
    sandbox = Sandbox(orders=12, installation=Installation(password="richtig"))
    database = f"sqlite:///{tmp_path}/connector.db"
    with sandbox.serve() as url:
        right = settings_for(sandbox, url, database)
        with running(right, sandbox) as service:
            service.wait_for_sync()
            sandbox.knobs.fail_next = 1000
            accepted = put(service, first(service), person="Trotz Falschem Passwort")
            assert accepted.status_code == 202
        sandbox.knobs.fail_next = 0
        with running(right.model_copy(update={"planso_password": SecretStr("falsches Wort")}), sandbox) as service:
            tried = service.operation(accepted)["attempts"]
            wait_until(lambda: service.operation(accepted)["attempts"] > tried + 1)
            pending = service.operation(accepted)
            assert (pending["state"], pending["sent"], sandbox.rejected_logins) == ("pending", False, 1)
            assert "user name or the password" in pending["message"]
        with running(right, sandbox) as service:
            assert service.wait_until_settled(accepted)["state"] == "confirmed"


def test_after_the_wait_it_is_carried_through(tmp_path: Path) -> None:
    """PlanSo slower than the wait: 202, and every verb is carried through, once each, after its caller has left."""
    with running_on_sqlite(tmp_path, Sandbox(orders=12), connector_write_wait=0.5, planso_timeout=5.0) as service:
        changed, deleted = service.sandbox.order_ids()[:2]
        orders = set(service.sandbox.order_ids())
        service.sandbox.knobs.latency = 0.7
        answers = [
            service.put(changed, person="Kommt Noch An"),
            service.http.delete(f"/api/orders/{deleted}"),
            service.http.post("/api/orders", json={"person": "Kommt Noch An"}),
        ]
        assert [answer.status_code for answer in answers] == [202, 202, 202]
        service.sandbox.knobs.latency = 0.0
        ended = [service.wait_until_settled(answer) for answer in answers]
        assert [operation["state"] for operation in ended] == ["confirmed"] * 3
        assert service.sandbox.value(changed, "Fahrername") == "Kommt Noch An"
        created = ended[2]["order_id"]
        assert set(service.sandbox.order_ids()) == orders - {deleted} | {created}
        assert service.sandbox.value(created, "Fahrername") == "Kommt Noch An"
        assert service.order(changed)["pending"] == []


class Odd:
    """A proxy between the connector and the sandbox that alters some responses, by their number."""

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
    wait_until(lambda: server.started, "the server")
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        settings = settings_for(sandbox, url, f"sqlite:///{tmp_path}/connector.db", planso_timeout=1.0)
        with running(settings, sandbox) as service:
            service.fill_mirror()
            between.forms = 0
            yield service, between
    finally:
        server.should_exit = True
        thread.join()


def changes(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> int:
    return sum(one != other for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("blank", [{1}, {2}, {2, 3}, {1, 2, 3}])
def test_an_emptied_form_is_never_saved(odd: tuple[Service, Odd], blank: set[int]) -> None:
    """
    An order whose form is empty in any of our readings before the save: it is tried again, and what is saved in the end
    is the form that was whole.
    """
    service, between = odd
    order_id = first(service)
    before, mirror = service.sandbox.snapshot(order_id), service.order(order_id)
    between.blank_forms = blank
    answer = service.put(order_id, remarks="mit allem anderen")
    assert answer.status_code == 200
    assert between.saves == 1
    assert changes(before, service.sandbox.snapshot(order_id)) == 1
    assert service.order(order_id)["person"] == mirror["person"]


def test_a_write_waits_while_the_form_is_empty(odd: tuple[Service, Odd]) -> None:
    """Nothing is sent while the form is empty, the mirror stays, and the answer says why it waits."""
    service, between = odd
    order_id = first(service)
    before, mirror = service.sandbox.snapshot(order_id), service.order(order_id)
    between.blank_forms = set(range(2, 1000))
    answer = put_in_vain(service, order_id, remarks="später")
    assert answer.status_code == 202
    assert "empty form" in answer.json()["message"]
    assert (between.saves, service.sandbox.snapshot(order_id)) == (0, before)
    assert service.order(order_id)["person"] == mirror["person"]
    between.blank_forms = set()
    assert service.wait_until_settled(answer)["state"] == "confirmed"
    assert (between.saves, changes(before, service.sandbox.snapshot(order_id))) == (1, 1)


@pytest.mark.parametrize("failing", ["blank_forms", "failing_forms"])
def test_a_read_back_that_fails_is_tried_again_and_then_unsure(odd: tuple[Service, Odd], failing: str) -> None:
    """
    After the save, one bad page is tried again: 200. Only bad pages: 202 that says so; the mirror is unharmed, and the
    first good page confirms it without another save.
    """
    service, between = odd
    order_id = first(service)
    person = service.order(order_id)["person"]
    setattr(between, failing, {3})
    assert service.put(order_id, remarks="einmal").status_code == 200
    between.forms = 0
    setattr(between, failing, set(range(3, 1000)))
    answer = put(service, order_id, remarks="immer")
    assert answer.status_code == 202
    wait_until(lambda: service.operation(answer)["message"])
    operation = service.operation(answer)
    assert (operation["state"], operation["sent"]) == ("pending", True)
    assert "could not be read back" in operation["message"]
    assert service.sandbox.value(order_id, "Bemerkungen") == "immer"
    wait_until(lambda: service.operation(answer)["attempts"] > 1)
    assert "nothing was sent" not in service.operation(answer)["message"]
    assert service.order(order_id)["person"] == person
    setattr(between, failing, set())
    assert service.wait_until_settled(answer)["state"] == "confirmed"
    assert between.saves == 2


def test_an_unreadable_new_order_is_named(odd: tuple[Service, Odd]) -> None:
    """Created, and then it can't be read back: 202 names the new order; it is created once, and confirmed later."""
    service, between = odd
    before = set(service.sandbox.order_ids())
    between.failing_forms = set(range(2, 1000))
    body = {"person": "Neu Hier", "vehicle_details": {"number_plate": "A-B 1"}}
    headers = {"Prefer": "respond-async", "Idempotency-Key": "new"}
    accepted = service.http.post("/api/orders", json=body, headers=headers)
    wait_until(lambda: service.operation(accepted)["message"])
    answer = service.http.post("/api/orders", json=body, headers=headers)
    assert answer.status_code == 202
    assert "could not be read back" in answer.json()["message"]
    (created,) = set(service.sandbox.order_ids()) - before
    assert answer.json()["order_id"] == created
    between.failing_forms = set()
    ended = service.wait_until_settled(answer)
    assert (ended["state"], ended["order_id"]) == ("confirmed", created)
    assert set(service.sandbox.order_ids()) == before | {created}
    assert service.order(created)["person"] == "Neu Hier"


def test_a_save_that_was_answered_with_an_error_is_checked(odd: tuple[Service, Odd]) -> None:
    """The proxy answers 502 to a save that PlanSo took over: the form says so, 200."""
    service, between = odd
    between.fail_save_after = True
    assert service.put(first(service), person="Trotz Allem").status_code == 200
    assert service.sandbox.value(first(service), "Fahrername") == "Trotz Allem"


def test_a_planso_that_says_error_for_unknown_orders(odd: tuple[Service, Odd]) -> None:
    """
    Some installations answer an error instead of an empty form: unknown is 404, and a deletion is confirmed. Where the
    order is listed the error is waited out.
    """
    service, between = odd
    order_id = first(service)
    assert service.http.delete(f"/api/orders/{service.sandbox.order_ids()[1]}").status_code == 200
    between.no_form = True
    assert service.put(999_999, person="Wer").status_code == 404
    assert service.http.delete("/api/orders/999999").status_code == 404
    accepted = put_in_vain(service, order_id, person="Wieder Lesbar")
    assert accepted.status_code == 202
    between.no_form = False
    assert service.wait_until_settled(accepted)["state"] == "confirmed"


def test_a_write_that_could_not_be_settled_is_settled_later_by_looking(tmp_path: Path) -> None:
    """
    The database is locked when PlanSo has confirmed: 202, and the operation stays pending. The next start looks, finds
    it there, and does not send it again.
    """
    sandbox = Sandbox(orders=12)
    order_id = sandbox.order_ids()[0]
    database = tmp_path / "connector.db"
    with sandbox.serve() as url:
        settings = settings_for(sandbox, url, f"sqlite:///{database}", connector_write_wait=7.0)
        with running(settings, sandbox) as service:
            service.wait_for_sync()
            sandbox.forget_requests()
            lock = apsw.Connection(str(database))
            lock.set_busy_timeout(5000)

            def saved_and_locked(value: str) -> str:
                lock.execute("BEGIN IMMEDIATE")
                return value

            sandbox.knobs.alter_saved["Fahrername"] = saved_and_locked
            answer = service.put(order_id, person="Spät Bestätigt")  # longer than a writer waits for the lock
            lock.execute("ROLLBACK")
            lock.close()
            assert answer.status_code == 202
            assert [entry["action"] for entry in service.order(order_id)["pending"]] == ["update"]
        sandbox.knobs.alter_saved.clear()
        with running(settings, sandbox) as service:
            wait_until(lambda: not service.order(order_id)["pending"])
            assert service.order(order_id)["person"] == "Spät Bestätigt"
            assert saves(service) == 1
    connection = apsw.Connection(str(database))
    assert list(connection.execute("SELECT state FROM operations")) == [("confirmed",)]
    connection.close()
