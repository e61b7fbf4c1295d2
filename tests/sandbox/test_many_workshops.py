"""Several workshops in one process: each an independent PlanSo, by path and by host name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from planso_connector.sandbox import Installation, KnobError, Sandbox, Sandboxes, StateFileError
from planso_connector.sandbox.session_records import SessionRecord, find_shared_use

from .browser import Browser

DISTINCT = ("Kennzeichen", "VIN", "Kunden E-Mail")


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Sandboxes, str]]:
    """Three workshops of 12 orders, for tests that change none."""
    sandboxes = Sandboxes(3, orders=12)
    with sandboxes.serve() as url:
        yield sandboxes, url


def open_browser(sandboxes: Sandboxes, url: str, name: str) -> Browser:
    """A browser at one workshop, by its path."""
    return Browser(sandboxes[name], url + sandboxes.path(name))


def orders_of(browser: Browser) -> list[dict[str, Any]]:
    """The entries of the board that are orders."""
    return [entry for entry in browser.list().values() if isinstance(entry, dict) and "short_name" in entry]


def test_each_workshop_has_its_own_login_and_orders(served: tuple[Sandboxes, str]) -> None:
    """The board lists the workshop's own orders, and another workshop's password is rejected."""
    sandboxes, url = served
    boards = {}
    for name in ("w001", "w002"):
        with open_browser(sandboxes, url, name) as browser:
            assert "system_login_username" not in browser.log_in().text
            boards[name] = {entry["short_name"] for entry in orders_of(browser)}
    assert not boards["w001"] & boards["w002"]
    with open_browser(sandboxes, url, "w003") as browser:
        assert "system_login_username" in browser.log_in(sandboxes["w001"].installation.password).text
    assert [sandboxes[name].rejected_logins for name in sandboxes.names] == [0, 0, 1]


def test_a_cookie_belongs_to_one_workshop() -> None:
    """A browser sends a workshop's cookie below its path only; elsewhere it is no session, and is listed."""
    sandboxes = Sandboxes(["w001", "w0010", "w002"], orders=3)
    with sandboxes.serve() as url, httpx2.Client(base_url=url) as http:
        for name in sandboxes.names:
            login = sandboxes.installation(name)
            form = {"system_login_username": login.username, "system_login_password": login.password}
            http.get(f"/w/{name}/app")
            assert "Angemeldet" in http.post(f"/w/{name}/app", data=form).text
            assert "0" in http.post(f"/w/{name}/do?m=resourceplanner_get_project_stations").json()
        cookies = {cookie.path: cookie.value for cookie in http.cookies.jar}
        assert cookies.keys() == {"/w/w001", "/w/w0010", "/w/w002"}
        assert len(set(cookies.values())) == 3
        assert sandboxes.find_foreign_sessions() == {}
        stolen = {"Cookie": f"PHPSESSID={cookies['/w/w001']}"}
        refused = httpx2.post(f"{url}/w/w002/do?m=resourceplanner_get_project_stations", headers=stolen)
        assert "system_login_username" in refused.text
    assert sandboxes.find_foreign_sessions() == {"w002": {cookies["/w/w001"]}}


def test_redirects_and_links_stay_below_the_path(served: tuple[Sandboxes, str]) -> None:
    """Of the login, of the pages for people, and of the address without a slash at its end."""
    sandboxes, url = served
    order_id = sandboxes["w002"].order_ids()[0]
    with httpx2.Client(base_url=url, follow_redirects=False) as http:
        assert http.get("/w/w002").headers["location"] == "/w/w002/"
        assert http.get("/w/w002/orders").headers["location"] == "/w/w002/"
        assert http.get("/w/w002/sandbox/planso.js").status_code == 200
        for page in ("/w/w002/", f"/w/w002/orders/{order_id}", "/w/w002/app", "/w/w002/orders/9999999"):
            assert '="/' not in http.get(page).text, page
        assert f"curl {url}/w/w002/sandbox/knobs" in http.get("/w/w002/").text


@pytest.mark.parametrize("answer", ["redirect", "empty"])
def test_a_save_that_answers_with_a_redirect_stays_in_its_workshop(answer: str) -> None:
    """Both after a change and after a new order; the login's redirect and cookies too."""
    installation = Installation(login_redirects=True)
    sandboxes = Sandboxes(["nord", "sued"], orders=4, installation=installation)
    sandboxes.set_knobs({"save_style": {"answer": answer}})
    with sandboxes.serve() as url, open_browser(sandboxes, url, "sued") as browser:
        redirect = browser.log_in()
        assert (redirect.status_code, redirect.headers["location"]) == (302, "/w/sued/app?m=start")
        new = browser.call("", "insert", browser.pairs("", "insert"))
        assert new.headers["location"].startswith("/w/sued/do?m=visual_forms_plain")
    assert (len(sandboxes["nord"].order_ids()), len(sandboxes["sued"].order_ids())) == (4, 5)


def test_a_workshop_is_addressed_by_its_host_name_too() -> None:
    """The first label before an allowed host name; the cookie is then for the whole host. Other names are refused."""
    sandboxes = Sandboxes(2, orders=3, allowed_hosts=["planso.test"])
    with sandboxes.serve() as url, httpx2.Client(base_url=url) as http:
        port = url.rpartition(":")[2]

        def get(host: str, path: str) -> httpx2.Response:
            return http.get(path, headers={"Host": host})

        page = get(f"w002.localhost:{port}", "/app")
        assert "Path=/;" in page.headers["set-cookie"] + ";"
        session = page.headers["set-cookie"].partition("=")[2].partition(";")[0]
        assert [record.id for record in sandboxes["w002"].sessions] == [session]
        assert get("W001.PLANSO.TEST", "/app").status_code == 200
        assert sandboxes.opened == ("w001", "w002")
        assert get(f"w002.localhost:{port}", "/w/w001/app").status_code == 404
        for host in ("w003.localhost", "w002.evil.example", "evil.example", "w002.w001.localhost"):
            assert get(host, "/app").status_code == 421, host
        own = {"Host": "w002.localhost", "Origin": "http://w002.localhost"}
        assert http.post("/sandbox/knobs", json={}, headers=own).status_code == 200
        assert (
            http.post("/sandbox/knobs", json={}, headers={**own, "Origin": "http://w001.localhost"}).status_code == 403
        )


def test_an_unknown_workshop_is_404_with_the_accepted_names(served: tuple[Sandboxes, str]) -> None:
    """PlanSo's addresses without a workshop are 404 too."""
    _, url = served
    missing = httpx2.get(f"{url}/w/w9/app")
    assert (missing.status_code, "'w9'; accepted: w001, w002, w003" in missing.text) == (404, True)
    assert httpx2.get(f"{url}/app").status_code == 404


def test_knobs_belong_to_one_workshop_or_to_all() -> None:
    """Those for all apply to workshops that nobody asked for yet, and each counts for itself; an error sets none."""
    sandboxes = Sandboxes(3, orders=3)
    with sandboxes.serve() as url:
        one = httpx2.post(f"{url}/w/w001/sandbox/knobs", json={"fail_app_next": 2, "normalise": ["plate"]})
        assert one.json()["fail_app_next"] == 2
        assert httpx2.get(f"{url}/w/w002/app").status_code == 200
        assert httpx2.get(f"{url}/w/w001/app").status_code == 502
        assert httpx2.post(f"{url}/sandbox/knobs", json={"fail_app_next": 1, "fail_status": 503}).status_code == 200
        assert [httpx2.get(f"{url}/w/w00{n}/app").status_code for n in (1, 2, 3)] == [503, 503, 503]
        assert [httpx2.get(f"{url}/w/w00{n}/app").status_code for n in (1, 2, 3)] == [200, 200, 200]
        wrong = httpx2.post(f"{url}/sandbox/knobs", json={"fail_status": 504, "nonsense": 1})
        assert (wrong.status_code, "nonsense" in wrong.text) == (400, True)
    assert [sandboxes[name].knobs.fail_status for name in sandboxes.names] == [503, 503, 503]
    assert sandboxes["w001"].knobs.normalise == {"plate"}
    assert sandboxes["w002"].knobs.normalise == set()
    with pytest.raises(KnobError):
        sandboxes.set_knobs({"latency": -1})


def test_plates_vins_and_addresses_are_of_one_workshop_alone() -> None:
    """Ids and people's names overlap. Order 123 of the first workshop is the README's."""
    sandboxes = Sandboxes(20, orders=60)
    seen: dict[str, dict[str, str]] = {label: {} for label in DISTINCT}
    ids = []
    for name in sandboxes.names:
        ids.append(set(sandboxes[name].order_ids()))
        for order_id in sandboxes[name].order_ids():
            for label in DISTINCT:
                value = sandboxes[name].value(order_id, label)
                if value:
                    assert seen[label].setdefault(value, name) == name, (label, value)
    assert set.intersection(*ids)
    assert len(set(map(frozenset, ids))) > 1
    assert seen["Kennzeichen"]["WN-AE 2309"] == "w001"
    assert sandboxes["w002"].value(123, "Fahrername") != ""
    plates = list(sandboxes["w007"].plates().values())
    assert len(set(plates)) > 50


def test_orders_are_made_when_they_are_asked_for() -> None:
    """
    200 workshops cost nothing until somebody asks: a login makes one workshop, and only its board or a form makes its
    orders.
    """
    sandboxes = Sandboxes(200, orders=300)
    with sandboxes.serve() as url:
        listed = httpx2.get(f"{url}/sandbox/workshops").json()["workshops"]
        assert (len(listed), listed[199]["planso_url"]) == (200, f"{url}/w/w200")
        assert "w/w200/" in httpx2.get(url).text
        assert not sandboxes.opened
        with open_browser(sandboxes, url, "w117") as browser:
            browser.log_in()
            assert list(sandboxes.opened) == ["w117"]
            assert not browser.sandbox.holds_orders
            assert len(orders_of(browser)) == 300
        assert sandboxes.holders == ("w117",)


def test_orders_let_go_come_back_as_they_were() -> None:
    """
    Beyond the bound the workshops that were not asked for the longest time let theirs go. Changes, deletions, new and
    archived orders stay; the board is answered without inventing the orders again.
    """
    sandboxes = Sandboxes(7, orders=10, max_held_orders=40)
    first = sandboxes["w001"]
    ids = first.order_ids()
    first.edit_field(ids[0], "Bemerkungen", "bleibt")
    first.delete(ids[1])
    first.archive(ids[2])
    made = first.add_order({"Kennzeichen": "B-XY 1"})
    before = {order_id: first.values(order_id) for order_id in first.order_ids()}
    with sandboxes.serve() as url, open_browser(sandboxes, url, "w001") as browser:
        browser.log_in()
        board = browser.list()
        for name in sandboxes.names[1:]:
            with open_browser(sandboxes, url, name) as other:
                other.log_in()
                other.list()
        assert sandboxes.holders == ("w004", "w005", "w006", "w007")
        assert browser.list() == board
        assert "w001" not in sandboxes.holders
        assert browser.form(ids[0]).css("input")
        assert "w001" in sandboxes.holders
        assert {order_id: first.values(order_id) for order_id in first.order_ids()} == before
        first.release_orders()
        assert first.add_order({}) == made + 1
        assert str(made + 1) in json.dumps(browser.list())


def test_sessions_tell_when_and_from_which_process_they_were_used() -> None:
    """Every request names its session, connection and process; a session knows its login, last use and end."""
    sandboxes = Sandboxes(1, orders=3)
    with sandboxes.serve() as url, open_browser(sandboxes, url, "w001") as browser:
        browser.log_in()
        browser.list()
        browser.http.get("/do?m=logout")
        session = browser.sandbox.sessions[0]
        shown = browser.http.get("/sandbox/sessions").json()
    requests = browser.sandbox.requests
    assert [request.session for request in requests] == [session.id] * 4
    assert {request.client for request in requests} == set(session.clients)
    assert (session.user, session.end, session.requests) == ("werkstatt-w001", "logged_out", 4)
    assert session.last_request_at == max(request.started for request in requests)
    assert session.opened_at <= (session.logged_in_at or 0) <= (session.last_request_at or 0) <= (session.ended_at or 0)
    if Path("/proc/net/tcp").exists():
        assert session.processes == {os.getpid()}
    assert shown["sessions"][0]["id"] == session.id
    assert shown["foreign_sessions"] == []


def record(process: int | None, since: float, until: float, name: str = "x") -> SessionRecord:
    """A session of one process, in use between two instants."""
    return SessionRecord(
        name,
        opened_at=since,
        logged_in_at=since,
        last_request_at=until,
        processes=set() if process is None else {process},
    )


@pytest.mark.parametrize(
    ("records", "count"),
    [
        ([record(1, 0, 10), record(1, 5, 20)], 0),
        ([record(1, 0, 10), record(2, 11, 20)], 0),
        ([record(1, 0, 10), record(2, 10, 20)], 1),
        ([record(2, 3, 4), record(1, 0, 10), record(3, 9, 9)], 2),
        ([record(None, 0, 10), record(1, 5, 20)], 1),
        ([SessionRecord("never", opened_at=0), record(1, 0, 10)], 0),
        ([SessionRecord("both", opened_at=0, logged_in_at=0, processes={1, 2})], 1),
    ],
)
def test_sessions_of_two_processes_at_once_are_found(records: list[SessionRecord], count: int) -> None:
    """Those in use at the same time, from the login to the last request; an unknown process is another one."""
    assert len(find_shared_use(records)) == count


def test_each_workshop_keeps_a_state_file(tmp_path: Path) -> None:
    """Files of other settings are refused at the start, by name."""
    changed = Sandboxes(2, orders=5, state=tmp_path)["w002"]
    changed.edit_field(changed.order_ids()[0], "Bemerkungen", "bleibt")
    again = Sandboxes(2, orders=5, state=tmp_path)
    assert again.opened == ("w002",)
    assert again["w002"].value(changed.order_ids()[0], "Bemerkungen") == "bleibt"
    with pytest.raises(StateFileError, match="w002"):
        Sandboxes(2, orders=6, state=tmp_path)


def test_the_command_plays_many_workshops(tmp_path: Path) -> None:
    """It names the addresses and logins; the log knows which process of this machine a request came from."""
    arguments = ["sandbox", "--workshops", "1000", "--port", "0", "--latency", "0.01", "--state", str(tmp_path)]
    command = [sys.executable, "-m", "planso_connector", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            assert process.stderr is not None
            message = process.stderr.readline()
            assert "/w/w001 to /w/w1000 (user werkstatt-w001, password demo-w001 and so on)" in message
            url = message.partition(" at ")[2].partition("/w/")[0]
            assert httpx2.get(f"{url}/w/w999/app").status_code == 200
            assert httpx2.get(f"{url}/w/w999/sandbox/knobs").json()["latency"] == 0.01
            request = httpx2.get(f"{url}/w/w999/sandbox/requests").json()["requests"][0]
            assert request["process"] in (os.getpid(), None)
            assert (request["process"] is None) == (not Path("/proc/net/tcp").exists())
        finally:
            process.terminate()


@pytest.mark.parametrize("names", [["a", "a"], ["A"], ["a.b"], ["-a"], ["ä"], [], 0, 1001])
def test_names_must_fit_a_host_name(names: list[str] | int) -> None:
    """The error says what is accepted."""
    with pytest.raises(ValueError, match=r"accepted|same name"):
        Sandboxes(names)


def test_one_workshop_alone_is_as_it_was() -> None:
    """Without a number the invented orders have no marks, and are there from the start."""
    sandbox = Sandbox(orders=12)
    assert sandbox.holds_orders
    assert sandbox.value(123, "Kennzeichen") == "WN-AE 2309"
    assert all("@w0" not in sandbox.value(order_id, "Kunden E-Mail") for order_id in sandbox.order_ids())
