"""Troubles of a real installation (protocol, section 8), one knob at a time, and the tools over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import httpx2
import pytest

from planso_connector.sandbox import Sandbox
from tests.service import wait_until

from .browser import Browser


def test_the_next_requests_fail_like_a_proxy(browser: Browser) -> None:
    """`fail_next` answers the next N `/do` requests with `fail_status` and HTML, then they succeed."""
    browser.sandbox.knobs.fail_next, browser.sandbox.knobs.fail_status = 2, 504

    assert [browser.call(123).status_code for _ in range(3)] == [504, 504, 200]


def test_a_hanging_request_gets_no_response(browser: Browser) -> None:
    """`hang_next`; the request after it is answered."""
    browser.sandbox.knobs.hang_next = 1

    with pytest.raises(httpx2.ReadTimeout):
        browser.http.get("/do?m=x", timeout=httpx2.Timeout(60, read=0.5))
    assert browser.call(123).status_code == 200


def test_closing_the_server_ends_hanging_requests() -> None:
    """Their connection is closed at once."""
    sandbox = Sandbox(orders=3)
    sandbox.knobs.hang_next = 1
    with ThreadPoolExecutor() as pool:
        with sandbox.serve() as url:
            waiting = pool.submit(httpx2.get, f"{url}/do?m=x", timeout=90)
            wait_until(lambda: sandbox.requests, "the request")
        assert isinstance(waiting.exception(timeout=60), httpx2.RemoteProtocolError)


def test_html_is_sent_instead_of_json(browser: Browser) -> None:
    """200 with an HTML page that is not the login page."""
    browser.sandbox.knobs.html_for_json_next = 1

    response = browser.call(123)

    assert response.status_code == 200
    assert "<html>" in response.text
    assert "system_login_username" not in response.text


def test_a_dropped_save_looks_like_success(browser: Browser) -> None:
    """PlanSo answers `saved` and stores nothing; an insert answers an id that doesn't exist."""
    browser.sandbox.knobs.drop_saves_next = 2

    assert browser.change(123, "Telefon", "weg")["saved"] == 1
    new_id = browser.save("", browser.pairs("", "insert"), "insert")["dataID"]

    assert browser.sandbox.value(123, "Telefon") == "0171 39200 23"
    assert new_id not in browser.sandbox.order_ids()
    browser.change(123, "Telefon", "da")
    assert browser.sandbox.value(123, "Telefon") == "da"


@pytest.mark.parametrize("how", ["close", "504", "hang"])
def test_a_save_with_a_lost_response_is_applied(browser: Browser, how: str) -> None:
    """The response is a closed connection, a 504, or none at all."""
    browser.sandbox.knobs.set_json({"lose_answers_next": 1, "lose_answers_by": how})
    name, pairs = browser.name("Telefon"), browser.pairs(123)
    pairs = [(key, "neu" if key == name else value) for key, value in pairs]
    browser.http.timeout = httpx2.Timeout(0.2)

    if how == "504":
        assert browser.call(123, fields=pairs).status_code == 504
    else:
        with pytest.raises(httpx2.RemoteProtocolError if how == "close" else httpx2.ReadTimeout):
            browser.call(123, fields=pairs)

    assert browser.sandbox.value(123, "Telefon") == "neu"


def test_saves_are_refused_with_a_text_or_for_a_locked_order(browser: Browser) -> None:
    """A refusal is 200 with `error`; nothing is stored."""
    browser.sandbox.knobs.locked_orders = {123}
    assert "bearbeitet" in browser.change(123, "Telefon", "x")["error"]
    assert browser.json(browser.call(123, "delete"))["error"]
    browser.sandbox.knobs.locked_orders = set()
    browser.sandbox.knobs.refuse_saves = "Pflichtfeld fehlt"
    assert browser.change(123, "Telefon", "x")["error"] == "Pflichtfeld fehlt"
    assert browser.sandbox.value(123, "Telefon") == "0171 39200 23"


def test_another_person_edits_right_after_a_read(browser: Browser) -> None:
    """That read doesn't have the edit, the next one does; reads of other orders don't trigger it."""
    browser.sandbox.knobs.edit_after_next_read = [(123, "Telefon", "dazwischen")]
    name = browser.name("Telefon")
    browser.pairs(browser.sandbox.order_ids()[0])

    assert dict(browser.pairs(123))[name] == "0171 39200 23"
    assert dict(browser.pairs(123))[name] == "dazwischen"


def test_another_person_edits_right_before_a_save(browser: Browser) -> None:
    """A whole form that is older than the edit overwrites it, which a client has to detect."""
    browser.sandbox.knobs.edit_before_next_save = [(123, "Telefon", "dazwischen"), (124, "Telefon", "bleibt")]

    browser.change(123, "Bemerkungen", "neu")

    assert browser.sandbox.value(123, "Telefon") == "0171 39200 23"
    assert browser.sandbox.knobs.edit_before_next_save == [(124, "Telefon", "bleibt")]


def test_planso_can_store_another_value(browser: Browser) -> None:
    """`alter_saved`: a text, a length or a function for changed fields; unchanged fields stay."""
    browser.sandbox.knobs.alter_saved = {"Telefon": 5, "VIN": str.upper, "Bemerkungen": "anders", "Fahrername": "nie"}

    browser.change(123, "Telefon", "030 23125 001")
    browser.change(123, "VIN", "wxx")
    browser.change(123, "Bemerkungen", "so")

    kept = [browser.sandbox.value(123, label) for label in ("Telefon", "VIN", "Bemerkungen", "Fahrername")]
    assert kept == ["030 2", "WXX", "anders", "Jana Petersen"]


def test_a_form_can_be_empty_or_without_content(browser: Browser) -> None:
    """`empty_form_orders` has labels without values, `no_content_orders` nothing."""
    browser.sandbox.knobs.empty_form_orders = {123}
    assert browser.pairs(123) == browser.pairs("", "insert")
    browser.sandbox.knobs.no_content_orders = {123}
    assert browser.json(browser.call(123))["center"]["content"] == ""


def test_latency_delays_every_request(browser: Browser) -> None:
    """Five parallel requests take one latency together, and five are in flight."""
    browser.sandbox.knobs.latency = 1.0
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: browser.call(123), range(5)))

    assert all(answer.elapsed.total_seconds() >= 1.0 for answer in answers)
    assert browser.sandbox.in_flight_peak == 5


def test_knobs_can_be_set_over_http(browser: Browser) -> None:
    """`/sandbox/knobs` shows and sets them, all or none; a wrong name or value is 400 with a reason."""
    wanted = {"fail_next": 1, "locked_orders": [123], "alter_saved": {"VIN": 3}}

    answer = browser.http.post("/sandbox/knobs", json=wanted)

    assert answer.json()["locked_orders"] == [123]
    assert browser.sandbox.knobs.locked_orders == {123}
    assert browser.call(123).status_code == 502
    wrong: list[dict[str, object]] = [
        {"fail_nxt": 1},
        {"fail_next": "x"},
        {"fail_next": True},
        {"latency": -1},
        {"locked_orders": ["a"]},
        {"edit_after_next_read": [[1, 2, 3]]},
        {"latency": 9, "lose_answers_by": "x"},
    ]
    for body in wrong:
        response = browser.http.post("/sandbox/knobs", json=body)
        assert (response.status_code, bool(response.json()["error"])) == (400, True)
    assert browser.sandbox.knobs.latency == 0
    assert browser.http.post("/sandbox/knobs", content=b"{").status_code == 400
    assert browser.http.post("/sandbox/knobs", json=browser.http.get("/sandbox/knobs").json()).status_code == 200


def test_orders_can_be_edited_and_read_over_http(browser: Browser) -> None:
    """`/sandbox/orders/{id}` edits and shows an order; `/sandbox/requests` shows the requests."""
    path = "/sandbox/orders/123"

    shown = browser.http.post(path, json={"label": "Telefon", "value": "neu"}).json()

    assert shown["values"]["Telefon"] == browser.sandbox.value(123, "Telefon") == "neu"
    assert [tuple(pair) for pair in shown["snapshot"]] == browser.sandbox.snapshot(123)
    assert browser.http.post(path, json={"label": "Hersteller", "value": "Trabant"}).status_code == 400
    assert browser.http.post(path, json=["x"]).status_code == 400
    assert browser.http.get("/sandbox/orders/9999").status_code == 404
    assert browser.http.get("/sandbox/requests").json()["logins"] == 1


def test_orders_can_be_added_over_http_and_every_change_is_listed(browser: Browser) -> None:
    """`POST /sandbox/orders` adds one; `/sandbox/changes` lists who changed what, oldest first."""
    response = browser.http.post("/sandbox/orders", json={"Fahrername": "Neu", "Telefon": "1"})
    browser.http.post(f"/sandbox/orders/{response.json()['id']}", json={"label": "Telefon", "value": "2"})
    browser.change(response.json()["id"], "Telefon", "3")

    assert response.status_code == 201
    assert response.json()["id"] in browser.sandbox.order_ids()
    assert response.json()["id"] in [order["id"] for order in browser.http.get("/sandbox/orders").json()["orders"]]
    changes = [
        change for change in browser.http.get("/sandbox/changes").json()["changes"] if change["label"] == "Telefon"
    ]
    assert [(c["before"], c["after"], c["by"]) for c in changes] == [
        ("", "1", "Werkstatt"),
        ("1", "2", "Werkstatt"),
        ("2", "3", "Verbindung"),
    ]
    assert browser.http.post("/sandbox/orders", json={"Gibt es nicht": ""}).status_code == 400
    assert browser.http.post("/sandbox/orders", json=["x"]).status_code == 400


def test_a_late_save_is_applied_whether_its_sender_waits_or_not(browser: Browser) -> None:
    """`save_latency` delays saves alone; one whose sender gave up is applied, and logged so."""
    pairs = [(name, "spät" if text == "0171 39200 23" else text) for name, text in browser.pairs(123)]
    browser.sandbox.knobs.save_latency = 0.3

    with pytest.raises(httpx2.ReadTimeout):
        browser.http.post(
            "/do",
            params={"m": "visual_forms_plain", "tableID": "12565", "submode": "update", "dataID": "123"},
            data={"fields": urlencode(pairs)},
            timeout=httpx2.Timeout(60, read=0.1),
        )
    wait_until(lambda: browser.sandbox.requests[-1].saving, "the save")

    assert browser.sandbox.value(123, "Telefon") == "spät"
    assert not browser.sandbox.requests[-1].heard
