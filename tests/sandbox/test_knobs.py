"""Section 8 of the protocol: the bad days, one knob at a time."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import httpx2
import pytest

from planso_connector.sandbox import Sandbox

from .browser import Browser


def test_the_next_requests_fail_as_the_proxy_does(browser: Browser) -> None:
    """`fail_next` answers so many `/do` requests with `fail_status` and HTML, then all is well."""
    browser.sandbox.knobs.fail_next, browser.sandbox.knobs.fail_status = 2, 504

    assert [browser.call(123).status_code for _ in range(3)] == [504, 504, 200]


def test_a_hanging_request_never_answers(browser: Browser) -> None:
    """`hang_next` keeps the client waiting; it doesn't keep the server from closing."""
    browser.sandbox.knobs.hang_next = 1

    with pytest.raises(httpx2.ReadTimeout):
        browser.http.get("/do?m=x", timeout=httpx2.Timeout(60, read=0.5))
    assert browser.call(123).status_code == 200


def test_closing_the_server_lets_hanging_requests_go() -> None:
    """A request that hangs when the server closes sees the connection end, at once."""
    sandbox = Sandbox(orders=3)
    sandbox.knobs.hang_next = 1
    with ThreadPoolExecutor() as pool:
        with sandbox.serve() as url:
            waiting = pool.submit(httpx2.get, f"{url}/do?m=x", timeout=90)
            while not sandbox.requests:
                pass
        assert isinstance(waiting.exception(timeout=60), httpx2.RemoteProtocolError)


def test_html_comes_where_json_was_promised(browser: Browser) -> None:
    """200 with a page that is not the login page."""
    browser.sandbox.knobs.html_for_json_next = 1

    response = browser.call(123)

    assert response.status_code == 200
    assert "<html>" in response.text
    assert "system_login_username" not in response.text


def test_a_dropped_save_looks_like_success(browser: Browser) -> None:
    """PlanSo answers `saved` and keeps nothing; an insert names an id that doesn't exist."""
    browser.sandbox.knobs.drop_saves_next = 2

    assert browser.change(123, "Telefon", "weg")["saved"] == 1
    new_id = browser.save("", browser.pairs("", "insert"), "insert")["dataID"]

    assert browser.sandbox.value(123, "Telefon") == "0171 39200 23"
    assert new_id not in browser.sandbox.order_ids()
    browser.change(123, "Telefon", "da")
    assert browser.sandbox.value(123, "Telefon") == "da"


@pytest.mark.parametrize("how", ["close", "504", "hang"])
def test_a_lost_answer_belongs_to_a_save_that_happened(browser: Browser, how: str) -> None:
    """The save is applied; its answer is a broken line, a 504, or nothing at all."""
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
    """A refusal is 200 with `error`; nothing is kept."""
    browser.sandbox.knobs.locked_orders = {123}
    assert "bearbeitet" in browser.change(123, "Telefon", "x")["error"]
    assert browser.json(browser.call(123, "delete"))["error"]
    browser.sandbox.knobs.locked_orders = set()
    browser.sandbox.knobs.refuse_saves = "Pflichtfeld fehlt"
    assert browser.change(123, "Telefon", "x")["error"] == "Pflichtfeld fehlt"
    assert browser.sandbox.value(123, "Telefon") == "0171 39200 23"


def test_another_person_edits_right_after_our_reading(browser: Browser) -> None:
    """The form that was read doesn't have the edit, the next one does; other orders' readings don't set it off."""
    browser.sandbox.knobs.edit_after_next_read = [(123, "Telefon", "dazwischen")]
    name = browser.name("Telefon")
    browser.pairs(browser.sandbox.order_ids()[0])

    assert dict(browser.pairs(123))[name] == "0171 39200 23"
    assert dict(browser.pairs(123))[name] == "dazwischen"


def test_another_person_edits_right_before_our_save(browser: Browser) -> None:
    """A whole form that is older than the edit undoes it: the loss that a client has to notice."""
    browser.sandbox.knobs.edit_before_next_save = [(123, "Telefon", "dazwischen"), (124, "Telefon", "bleibt")]

    browser.change(123, "Bemerkungen", "neu")

    assert browser.sandbox.value(123, "Telefon") == "0171 39200 23"
    assert browser.sandbox.knobs.edit_before_next_save == [(124, "Telefon", "bleibt")]


def test_planso_can_keep_another_value(browser: Browser) -> None:
    """A text, a length or a function says what is kept of a changed field; unchanged ones stay."""
    browser.sandbox.knobs.alter_saved = {"Telefon": 5, "VIN": str.upper, "Bemerkungen": "anders", "Fahrername": "nie"}

    browser.change(123, "Telefon", "030 23125 001")
    browser.change(123, "VIN", "wxx")
    browser.change(123, "Bemerkungen", "so")

    kept = [browser.sandbox.value(123, label) for label in ("Telefon", "VIN", "Bemerkungen", "Fahrername")]
    assert kept == ["030 2", "WXX", "anders", "Jana Petersen"]


def test_a_form_can_be_empty_or_without_content(browser: Browser) -> None:
    """`empty_form_orders` shows labels without values, `no_content_orders` nothing."""
    browser.sandbox.knobs.empty_form_orders = {123}
    assert browser.pairs(123) == browser.pairs("", "insert")
    browser.sandbox.knobs.no_content_orders = {123}
    assert browser.json(browser.call(123))["center"]["content"] == ""


def test_latency_holds_every_request(browser: Browser) -> None:
    """Five requests at once take one latency together, and the peak of open ones is five."""
    browser.sandbox.knobs.latency = 1.0
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: browser.call(123), range(5)))

    assert all(answer.elapsed.total_seconds() >= 1.0 for answer in answers)
    assert browser.sandbox.in_flight_peak == 5


def test_another_process_turns_the_knobs_over_http(browser: Browser) -> None:
    """`/sandbox/knobs` shows and sets them, all or none; a wrong name or value is 400 and says why."""
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


def test_another_process_edits_and_looks_over_http(browser: Browser) -> None:
    """`/sandbox/orders/{id}` is another person's edit and the order's values; `/sandbox/requests` what was asked."""
    path = "/sandbox/orders/123"

    shown = browser.http.post(path, json={"label": "Telefon", "value": "neu"}).json()

    assert shown["values"]["Telefon"] == browser.sandbox.value(123, "Telefon") == "neu"
    assert [tuple(pair) for pair in shown["snapshot"]] == browser.sandbox.snapshot(123)
    assert browser.http.post(path, json={"label": "Hersteller", "value": "Trabant"}).status_code == 400
    assert browser.http.post(path, json=["x"]).status_code == 400
    assert browser.http.get("/sandbox/orders/9999").status_code == 404
    assert browser.http.get("/sandbox/requests").json()["logins"] == 1


def test_people_make_orders_over_http_and_every_change_is_told(browser: Browser) -> None:
    """`POST /sandbox/orders` is another person's new order; `/sandbox/changes` tells who changed what, oldest first."""
    made = browser.http.post("/sandbox/orders", json={"Fahrername": "Neu", "Telefon": "1"})
    browser.http.post(f"/sandbox/orders/{made.json()['id']}", json={"label": "Telefon", "value": "2"})
    browser.change(made.json()["id"], "Telefon", "3")

    assert made.status_code == 201
    assert made.json()["id"] in browser.sandbox.order_ids()
    assert made.json()["id"] in [order["id"] for order in browser.http.get("/sandbox/orders").json()["orders"]]
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


def test_a_save_comes_late_whether_somebody_waits_or_not(browser: Browser) -> None:
    """`save_latency` slows saves alone; one whose sender gave up is carried out all the same, and told so."""
    pairs = [(name, "spät" if text == "0171 39200 23" else text) for name, text in browser.pairs(123)]
    browser.sandbox.knobs.save_latency = 0.3

    with pytest.raises(httpx2.ReadTimeout):
        browser.http.post(
            "/do",
            params={"m": "visual_forms_plain", "tableID": "12565", "submode": "update", "dataID": "123"},
            data={"fields": urlencode(pairs)},
            timeout=httpx2.Timeout(60, read=0.1),
        )
    while not browser.sandbox.requests[-1].saving:
        pass

    assert browser.sandbox.value(123, "Telefon") == "spät"
    assert not browser.sandbox.requests[-1].heard
