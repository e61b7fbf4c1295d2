"""Every way in which a request to PlanSo can fail, and the error it becomes; what saves and reads send."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from planso_connector import __version__
from planso_connector.domain.errors import (
    Invalid,
    PageChanged,
    PlansoRefused,
    PlansoTimeout,
    PlansoUnavailable,
    PlansoUnsure,
)
from planso_connector.planso.http.client import PlansoClient
from planso_connector.planso.http.throttle import Throttle, urgent_requests
from tests.planso.conftest import PROFILE, client, form_of
from tests.planso.odd_server import BOARD, FORM, HANG, LOGIN_PAGE, START_PAGE, answer, call_client, odd

pytestmark = pytest.mark.anyio


async def read(planso: PlansoClient) -> Any:
    return await planso.read_form(123)


async def save(planso: PlansoClient) -> None:
    form = form_of("<div><label>VIN</label><input name=v value='geheim'></div>")
    await planso.save(form, form.plan({"vehicle_details.vin": "W&=ä"}))


async def create(planso: PlansoClient) -> int:
    form = form_of("<div><label>VIN</label><input name=v></div>")
    return await planso.create(form, form.plan({}))


ANSWERS: dict[str, tuple[bytes, type[Exception], type[Exception]]] = {
    "502": (answer("<h1>Bad Gateway", "502 Bad Gateway"), PlansoUnavailable, PlansoUnsure),
    "504": (answer("", "504 Gateway Timeout"), PlansoUnavailable, PlansoUnsure),
    "403": (answer("nein", "403 Forbidden"), PlansoUnavailable, PlansoRefused),
    "404": (answer("", "404 Not Found"), PlansoUnavailable, PlansoRefused),
    "425": (answer("", "425 Too Early"), PlansoUnavailable, PlansoUnsure),
    "429": (answer("", "429 Too Many Requests"), PlansoUnavailable, PlansoUnsure),
    "HTML for JSON": (answer("<h1>Wartung</h1>"), PageChanged, PlansoUnsure),
    "nothing for JSON": (answer(""), PageChanged, PlansoUnsure),
    "half of the JSON": (answer(FORM[:-5]), PageChanged, PlansoUnsure),
    "JSON too deep": (answer("[" * 100_000), PageChanged, PlansoUnsure),
    "an answer cut off": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nShort: 1\r\n\r\n{",
        PlansoUnavailable,
        PlansoUnsure,
    ),
    "no answer": (b"", PlansoUnavailable, PlansoUnsure),
    "no HTTP": (b"SSH-2.0\r\n\r\n", PlansoUnavailable, PlansoUnsure),
    "broken gzip": (answer("{}", "200 OK", "Content-Encoding: gzip"), PageChanged, PlansoUnsure),
    "slowness": (HANG, PlansoTimeout, PlansoUnsure),
    "the login page for ever": (answer(LOGIN_PAGE), PlansoUnavailable, PlansoUnsure),
    "a redirect to the login page": (answer("", "302 Found", "Location: /app"), PlansoUnavailable, PlansoUnsure),
    "a redirect elsewhere": (answer("", "302 Found", "Location: /do?m=x"), PlansoUnavailable, PlansoUnsure),
    "a redirect off the host": (
        answer("", "302 Found", "Location: https://evil.example/"),
        PlansoUnavailable,
        PlansoUnsure,
    ),
    "a redirect to another port": (
        answer("", "302 Found", "Location: //127.0.0.1:1/"),
        PlansoUnavailable,
        PlansoUnsure,
    ),
}


def timeout_for(reply: bytes) -> float:
    """Seconds: short for a page that hangs; the others arrive, however busy the machine is."""
    return 1.0 if reply == HANG else 60.0


@pytest.mark.parametrize(("reply", "expected_for_read", "expected_for_save"), ANSWERS.values(), ids=ANSWERS)
async def test_a_bad_response_becomes_the_error_that_says_what_to_do_next(
    reply: bytes, expected_for_read: type[Exception], expected_for_save: type[Exception]
) -> None:
    """A read may be retried, or its page changed; a save that was sent is unsure unless it was refused."""
    _, read_error = await call_client(lambda _: reply, read, timeout=timeout_for(reply))
    saving, save_error = await call_client(lambda _: reply, save, timeout=timeout_for(reply))

    assert type(read_error) is expected_for_read
    assert type(save_error) is expected_for_save
    assert "order 123" in str(read_error)
    assert "order 123" in str(save_error)
    assert not re.search("geheim|PHPSESSID|W&=ä", f"{read_error}{save_error}")
    assert sum(request.target.startswith("/do") for request in saving.requests) == 1, "a save is never sent twice"


OVERLOADS = {"502", "504", "429", "an answer cut off", "no answer", "no HTTP", "slowness"}


@pytest.mark.parametrize("call", [read, save])
@pytest.mark.parametrize("name", ANSWERS)
async def test_the_throttle_learns_of_overload(name: str, call: Any) -> None:
    """Statuses of overload, and responses that are missing or incomplete, halve the requests in flight."""
    throttle = Throttle(4, random_fraction=lambda: 0.0)
    reply = ANSWERS[name][0]
    await call_client(lambda _: reply, call, timeout=timeout_for(reply), throttle=throttle)

    assert (throttle.max_in_flight < 4) == (name in OVERLOADS)
    assert (throttle.in_flight, throttle.waiting_count) == (0, 0)


async def test_an_unreachable_host_is_overload() -> None:
    """It halves the requests in flight, and the slot is released."""
    throttle = Throttle(4)
    async with client("http://nowhere.invalid", throttle=throttle) as planso:
        with pytest.raises(PlansoUnavailable):
            await read(planso)

    assert throttle.max_in_flight == 2
    assert throttle.in_flight == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Retry-After: 90"], 90),
        (["Date: Mon, 23 Nov 2026 10:00:00 GMT", "Retry-After: Mon, 23 Nov 2026 10:01:30 GMT"], 90),
        (["Retry-After: 9999999"], 600),
    ],
)
async def test_retry_after_pauses_requests(headers: list[str], seconds: float) -> None:
    """By seconds, or by a date, which counts from the response's `Date`; ten minutes at most."""
    throttle = Throttle(4)
    await call_client(lambda _: answer("", "503 Busy", *headers), read, throttle=throttle)

    assert throttle.paused_until is not None
    assert throttle.paused_until - asyncio.get_running_loop().time() == pytest.approx(seconds, abs=1)


async def test_saves_and_logins_go_before_reads() -> None:
    """A caller waits for a save, and everybody for a login."""
    throttle = Throttle(1)
    async with (
        odd(do=lambda _: answer(FORM)) as server,
        client(server.url, throttle=throttle) as planso,
        client(server.url, throttle=throttle) as newcomer,
    ):
        await read(planso)
        before = len(server.requests)
        async with asyncio.TaskGroup() as group, throttle.slot():
            for call in (read(planso), save(planso), newcomer.log_in()):
                group.create_task(call)
            while throttle.waiting_count < 3:  # noqa: ASYNC110 - nobody tells when somebody begins to wait
                await asyncio.sleep(0)
    kinds = [
        "login" if request.target == "/app" else "save" if request.body else "read"
        for request in server.requests[before:]
    ]

    assert kinds[:2] == ["save", "login"]
    assert sorted(kinds[2:]) == ["login", "read"]


async def test_a_write_that_can_t_begin_in_time_is_not_sent() -> None:
    """While a `Retry-After` is longer than the caller waits, a write fails at once."""
    throttle = Throttle(4)

    async def both(planso: PlansoClient) -> None:
        with pytest.raises(PlansoUnavailable):
            await read(planso)
        with urgent_requests(begin_by=asyncio.get_running_loop().time() + 30):
            await save(planso)

    server, error = await call_client(lambda _: answer("", "503 Busy", "Retry-After: 60"), both, throttle=throttle)

    assert type(error) is PlansoTimeout
    assert "order 123" in str(error)
    assert sum(request.target.startswith("/do") for request in server.requests) == 1


async def test_the_host_of_a_redirect_is_named() -> None:
    """The message says where the redirect leads."""
    _, error = await call_client(lambda _: answer("", "302 Found", "Location: https://evil.example/x?y=1"), read)

    assert "'evil.example'" in str(error)


async def test_an_unreachable_host_is_unavailable_for_reads_and_saves() -> None:
    """A refused connection, and a host without an address: nothing was applied."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address in (f"http://127.0.0.1:{port}", "http://nowhere.invalid"):
        async with client(address) as planso:
            for call in (read, save):
                with pytest.raises(PlansoUnavailable, match="can't be reached"):
                    await call(planso)


async def test_a_read_is_retried_when_an_idle_connection_was_closed() -> None:
    """Once, and that is no sign of overload."""
    replies = [answer(BOARD), b"", answer(FORM)]

    async def both(planso: PlansoClient) -> Any:
        await planso.read_board()
        return await planso.read_form(123)

    throttle = Throttle(4)
    server, form = await call_client(lambda _: replies.pop(0), both, throttle=throttle)

    assert form.order_id == 123
    assert throttle.max_in_flight == 4
    assert sum(request.target.startswith("/do") for request in server.requests) == 3


async def test_a_read_whose_response_broke_off_is_not_retried() -> None:
    """Only a request without any response is sent again."""
    server, error = await call_client(lambda _: ANSWERS["an answer cut off"][0], read)

    assert isinstance(error, PlansoUnavailable)
    assert sum(request.target.startswith("/do") for request in server.requests) == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("Der Auftrag ist <b>gesperrt</b>\n&amp; zu.", "Der Auftrag ist gesperrt & zu."),
        ({"message": "gesperrt", "code": 7}, "gesperrt; 7"),
        ("x" * 1000, "x" * 299 + "…"),
        (True, "PlanSo refused"),
    ],
)
async def test_a_refusal_has_planso_s_message(error: Any, told: str) -> None:
    """Tags stripped, one line, at most 300 characters."""
    _, refused = await call_client(lambda _: answer(json.dumps({"error": error})), save)

    assert isinstance(refused, PlansoRefused)
    assert told in str(refused)
    assert len(str(refused)) < 400


@pytest.mark.parametrize(
    "reply", ['{"error": false}', '{"error": ""}', '{"error": null}', '{"error": "0"}', "[]", "{}"]
)
async def test_an_empty_error_is_no_refusal(reply: str) -> None:
    """PHP's empty values mean that there is no error."""
    _, result = await call_client(lambda _: answer(reply), save)

    assert result is None


@pytest.mark.parametrize(
    ("reply", "order_id"),
    [({"dataID": 148}, 148), ({"dataID": "148"}, 148), ({"dataID": "", "center": [{"x": {"dataID": 148}}]}, 148)],
)
async def test_the_new_order_s_id_is_found(reply: Any, order_id: int) -> None:
    """At the top or nested, a number or digits."""
    _, found = await call_client(lambda _: answer(json.dumps(reply)), create)

    assert found == order_id


@pytest.mark.parametrize("reply", ["{}", "[]", '{"dataID": 0}', '{"dataID": "neu"}', '{"dataID": true}'])
async def test_a_new_order_without_an_id_is_unsure(reply: str) -> None:
    """It may have been created: look before creating it again."""
    _, error = await call_client(lambda _: answer(reply), create)

    assert isinstance(error, PlansoUnsure)


async def test_what_a_save_sends() -> None:
    """The call of the protocol's section 3 with the whole form in `fields`, encoded twice."""
    server, _ = await call_client(lambda _: answer("{}"), save)
    request = server.requests[-1]
    call = dict(parse_qsl(urlsplit(request.target).query, keep_blank_values=True))

    assert call == {
        "m": "visual_forms_plain",
        "tableID": "12565",
        "submode": "update",
        "dataID": "123",
        "call_back_class": "resourceplanner_single_project_wrapper",
        "callback": "",
    }
    assert request.body == b"fields=v%3DW%2526%253D%25C3%25A4"
    assert request.headers["x-requested-with"] == "XMLHttpRequest"
    assert request.headers["accept"] == "application/json, text/javascript, */*; q=0.01"
    assert request.headers["cookie"] == "PHPSESSID=x"
    assert request.headers["user-agent"] == f"planso-connector/{__version__}"


async def test_what_reads_and_deletions_send() -> None:
    """Empty bodies, and the calls of the protocol's sections 2, 3, 4 and 6."""
    replies = [BOARD, FORM, FORM, '{"html": ""}', "{}"]
    async with odd(do=lambda _: answer(replies.pop(0))) as server, client(server.url) as planso:
        await planso.read_board()
        await planso.read_form(5)
        assert (await planso.read_blank_form()).order_id is None
        await planso.read_parts(5)
        await planso.delete(5)
        assert planso.request_count == len(server.requests) == 7

    targets = [request.target.removeprefix("/do?m=") for request in server.requests[2:]]
    form = "visual_forms_plain&tableID=12565&submode={}&dataID={}"
    rest = "&call_back_class=resourceplanner_single_project_wrapper&callback="
    assert targets == [
        "resourceplanner_get_project_stations&filterID=",
        form.format("update", 5) + rest,
        form.format("insert", "") + rest,
        "resourceplanner_shop_view_get_parts&ID=5",
        form.format("delete", 5) + rest,
    ]
    assert [request.method for request in server.requests[2:]] == ["POST", "POST", "POST", "GET", "POST"]
    assert not any(request.body for request in server.requests[2:])


@pytest.mark.parametrize("url", ["", "planso.de", "ftp://x.de", "https://", "https://me:geheim@x.de", "http://[::"])
async def test_an_invalid_address_is_reported_without_its_password(url: str) -> None:
    """The message says what is accepted."""
    with pytest.raises(ValueError, match="accepted") as raised:
        async with client(url):
            pass

    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize("tail", ["", "/", "/app", "/app/"])
async def test_an_address_may_be_pasted_from_the_browser(tail: str) -> None:
    """With or without a slash, or that of the login page."""
    async with odd() as server, client(server.url + tail) as planso:
        assert len(await planso.read_board()) == 1


async def test_an_invalid_change_sends_nothing() -> None:
    """A field without a control is refused when the change is planned."""
    async with odd(do=lambda _: answer(FORM)) as server, client(server.url, profile=PROFILE) as planso:
        form = await planso.read_form(123)
        before = len(server.requests)
        with pytest.raises(Invalid):
            form.plan({"phone": "1"})
        assert len(server.requests) == before


async def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY names the host that gets the requests, unless NO_PROXY names PlanSo's."""
    async with odd(do=lambda request: answer(LOGIN_PAGE if request.method == "GET" else START_PAGE)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
        async with client("http://planso.invalid") as planso:
            await planso.log_in()
        assert {request.target for request in proxy.requests} == {"http://planso.invalid/app"}
        monkeypatch.setenv("NO_PROXY", "planso.invalid")
        async with client("http://planso.invalid") as planso:
            with pytest.raises(PlansoUnavailable, match="can't be reached"):
                await planso.log_in()
        assert len(proxy.requests) == 2
