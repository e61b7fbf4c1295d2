"""Every way in which PlanSo can let us down, and which error it becomes."""

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
from tests.planso.odd_server import BOARD, FORM, HANG, LOGIN_PAGE, START_PAGE, Asked, answer, calling, odd

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


def patience(reply: bytes) -> float:
    """Seconds until a page that hangs is given up; the others come, however busy the machine is."""
    return 1.0 if reply == HANG else 60.0


@pytest.mark.parametrize(("reply", "when_reading", "when_saving"), ANSWERS.values(), ids=ANSWERS)
async def test_bad_answers_are_sorted_by_what_to_do_next(
    reply: bytes, when_reading: type[Exception], when_saving: type[Exception]
) -> None:
    """Reads: try again, or their page moved. Saves: look first, whatever came but a refusal: it was sent."""
    _, from_read = await calling(lambda _: reply, read, timeout=patience(reply))
    saving, from_save = await calling(lambda _: reply, save, timeout=patience(reply))

    assert type(from_read) is when_reading
    assert type(from_save) is when_saving
    assert "order 123" in str(from_read)
    assert "order 123" in str(from_save)
    assert not re.search("geheim|PHPSESSID|W&=ä", f"{from_read}{from_save}")
    assert sum(asked.target.startswith("/do") for asked in saving.asked) == 1, "a save is never sent twice"


OVERLOAD = {"502", "504", "429", "an answer cut off", "no answer", "no HTTP", "slowness"}


@pytest.mark.parametrize("call", [read, save])
@pytest.mark.parametrize("name", ANSWERS)
async def test_the_throttle_learns_what_overload_is(name: str, call: Any) -> None:
    """Answers that say that PlanSo can't keep up, and those that never come or break off, halve what is allowed."""
    throttle = Throttle(4, random_fraction=lambda: 0.0)
    reply = ANSWERS[name][0]
    await calling(lambda _: reply, call, timeout=patience(reply), throttle=throttle)

    assert (throttle.max_in_flight < 4) == (name in OVERLOAD)
    assert (throttle.in_flight, throttle.waiting_count) == (0, 0)


async def test_nobody_there_is_overload() -> None:
    """Nor is anything held after it."""
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
async def test_retry_after_is_heard(headers: list[str], seconds: float) -> None:
    """Seconds or a date, which counts from the answer's own."""
    throttle = Throttle(4)
    await calling(lambda _: answer("", "503 Busy", *headers), read, throttle=throttle)

    assert throttle.paused_until is not None
    assert throttle.paused_until - asyncio.get_running_loop().time() == pytest.approx(seconds, abs=1)


async def test_saves_and_logins_go_before_reads() -> None:
    """Whoever asks: a caller waits for a save, and everybody for a login."""
    throttle = Throttle(1)
    async with (
        odd(do=lambda _: answer(FORM)) as server,
        client(server.url, throttle=throttle) as planso,
        client(server.url, throttle=throttle) as newcomer,
    ):
        await read(planso)
        before = len(server.asked)
        async with asyncio.TaskGroup() as group, throttle.slot():
            for call in (read(planso), save(planso), newcomer.log_in()):
                group.create_task(call)
            while throttle.waiting_count < 3:  # noqa: ASYNC110 - nobody tells when somebody begins to wait
                await asyncio.sleep(0)
    asked = ["login" if asked.target == "/app" else "save" if asked.body else "read" for asked in server.asked[before:]]

    assert asked[:2] == ["save", "login"]
    assert sorted(asked[2:]) == ["login", "read"]


async def test_a_write_that_planso_has_no_time_for_in_time_is_never_sent() -> None:
    """While PlanSo is to be left alone for longer than the caller waits, a write ends at once, and sends nothing."""
    throttle = Throttle(4)

    async def both(planso: PlansoClient) -> None:
        with pytest.raises(PlansoUnavailable):
            await read(planso)
        with urgent_requests(begin_by=asyncio.get_running_loop().time() + 30):
            await save(planso)

    server, error = await calling(lambda _: answer("", "503 Busy", "Retry-After: 60"), both, throttle=throttle)

    assert type(error) is PlansoTimeout
    assert "order 123" in str(error)
    assert sum(asked.target.startswith("/do") for asked in server.asked) == 1


async def test_a_host_that_is_named_in_a_redirect_is_told() -> None:
    """The text says where PlanSo wanted to send us; nothing is sent there."""
    _, error = await calling(lambda _: answer("", "302 Found", "Location: https://evil.example/x?y=1"), read)

    assert "'evil.example'" in str(error)


async def test_nobody_there_is_unavailable_for_reads_and_saves() -> None:
    """A refused connection and a host without an address: nothing happened over there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address in (f"http://127.0.0.1:{port}", "http://nowhere.invalid"):
        async with client(address) as planso:
            for call in (read, save):
                with pytest.raises(PlansoUnavailable, match="can't be reached"):
                    await call(planso)


async def test_a_read_is_sent_once_more_when_a_kept_connection_died() -> None:
    """A proxy that closes idle connections is not an outage."""
    replies = [answer(BOARD), b"", answer(FORM)]

    async def both(planso: PlansoClient) -> Any:
        await planso.read_board()
        return await planso.read_form(123)

    throttle = Throttle(4)
    server, form = await calling(lambda _: replies.pop(0), both, throttle=throttle)

    assert form.order_id == 123
    assert throttle.max_in_flight == 4, "no sign of overload"
    assert sum(asked.target.startswith("/do") for asked in server.asked) == 3


async def test_a_read_that_broke_off_in_its_answer_is_not_repeated() -> None:
    """Only a request without any answer is sent again."""
    server, error = await calling(lambda _: ANSWERS["an answer cut off"][0], read)

    assert isinstance(error, PlansoUnavailable)
    assert sum(asked.target.startswith("/do") for asked in server.asked) == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("Der Auftrag ist <b>gesperrt</b>\n&amp; zu.", "Der Auftrag ist gesperrt & zu."),
        ({"message": "gesperrt", "code": 7}, "gesperrt; 7"),
        ("x" * 1000, "x" * 299 + "…"),
        (True, "PlanSo refused"),
    ],
)
async def test_a_refusal_carries_planso_s_words(error: Any, told: str) -> None:
    """Tags stripped, one line, at most 300 characters."""
    _, refused = await calling(lambda _: answer(json.dumps({"error": error})), save)

    assert isinstance(refused, PlansoRefused)
    assert told in str(refused)
    assert len(str(refused)) < 400


@pytest.mark.parametrize(
    "reply", ['{"error": false}', '{"error": ""}', '{"error": null}', '{"error": "0"}', "[]", "{}"]
)
async def test_an_answer_without_an_error_is_no_refusal(reply: str) -> None:
    """PHP's empty things are no errors."""
    _, result = await calling(lambda _: answer(reply), save)

    assert result is None


@pytest.mark.parametrize(
    ("reply", "order_id"),
    [
        ({"dataID": 148}, 148),
        ({"dataID": "148"}, 148),
        ({"dataID": "", "center": [{"x": {"dataID": 148}}]}, 148),
    ],
)
async def test_the_new_order_s_id_is_found(reply: Any, order_id: int) -> None:
    """At the top or nested, a number or digits."""
    _, found = await calling(lambda _: answer(json.dumps(reply)), create)

    assert found == order_id


@pytest.mark.parametrize("reply", ["{}", "[]", '{"dataID": 0}', '{"dataID": "neu"}', '{"dataID": true}'])
async def test_a_new_order_without_an_id_is_unsure(reply: str) -> None:
    """It may be there; look before creating it again."""
    _, error = await calling(lambda _: answer(reply), create)

    assert isinstance(error, PlansoUnsure)


async def test_what_a_save_sends() -> None:
    """The call of the protocol's section 3 with the whole form in `fields`, encoded twice."""
    server, _ = await calling(lambda _: answer("{}"), save)
    asked: Asked = server.asked[-1]
    call = dict(parse_qsl(urlsplit(asked.target).query, keep_blank_values=True))

    assert call == {
        "m": "visual_forms_plain",
        "tableID": "12565",
        "submode": "update",
        "dataID": "123",
        "call_back_class": "resourceplanner_single_project_wrapper",
        "callback": "",
    }
    assert asked.body == b"fields=v%3DW%2526%253D%25C3%25A4"
    assert asked.headers["x-requested-with"] == "XMLHttpRequest"
    assert asked.headers["accept"] == "application/json, text/javascript, */*; q=0.01"
    assert asked.headers["cookie"] == "PHPSESSID=x"
    assert asked.headers["user-agent"] == f"planso-connector/{__version__}"


async def test_what_reads_and_deletions_send() -> None:
    """Empty bodies, and the calls of the protocol's sections 2, 3, 4 and 6."""
    replies = [BOARD, FORM, FORM, '{"html": ""}', "{}"]
    async with odd(do=lambda _: answer(replies.pop(0))) as server, client(server.url) as planso:
        await planso.read_board()
        await planso.read_form(5)
        assert (await planso.read_blank_form()).order_id is None
        await planso.read_parts(5)
        await planso.delete(5)
        assert planso.request_count == len(server.asked) == 7

    targets = [asked.target.removeprefix("/do?m=") for asked in server.asked[2:]]
    form = "visual_forms_plain&tableID=12565&submode={}&dataID={}"
    rest = "&call_back_class=resourceplanner_single_project_wrapper&callback="
    assert targets == [
        "resourceplanner_get_project_stations&filterID=",
        form.format("update", 5) + rest,
        form.format("insert", "") + rest,
        "resourceplanner_shop_view_get_parts&ID=5",
        form.format("delete", 5) + rest,
    ]
    assert [asked.method for asked in server.asked[2:]] == ["POST", "POST", "POST", "GET", "POST"]
    assert not any(asked.body for asked in server.asked[2:])


@pytest.mark.parametrize("url", ["", "planso.de", "ftp://x.de", "https://", "https://me:geheim@x.de", "http://[::"])
async def test_an_address_that_is_none_is_told_without_its_secrets(url: str) -> None:
    """The message says what is accepted."""
    with pytest.raises(ValueError, match="accepted") as told:
        async with client(url):
            pass

    assert "geheim" not in str(told.value)


@pytest.mark.parametrize("tail", ["", "/", "/app", "/app/"])
async def test_an_address_may_be_pasted_from_the_browser(tail: str) -> None:
    """With or without a slash, or as the login page's."""
    async with odd() as server, client(server.url + tail) as planso:
        assert len(await planso.read_board()) == 1


async def test_a_plan_that_is_refused_sends_nothing() -> None:
    """What the form can't take is known before anything is sent."""
    async with odd(do=lambda _: answer(FORM)) as server, client(server.url, profile=PROFILE) as planso:
        form = await planso.read_form(123)
        before = len(server.asked)
        with pytest.raises(Invalid):
            form.plan({"phone": "1"})
        assert len(server.asked) == before


async def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY names the host that gets the requests, unless NO_PROXY names PlanSo's."""
    async with odd(do=lambda asked: answer(LOGIN_PAGE if asked.method == "GET" else START_PAGE)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
        async with client("http://planso.invalid") as planso:
            await planso.log_in()
        assert {asked.target for asked in proxy.asked} == {"http://planso.invalid/app"}
        monkeypatch.setenv("NO_PROXY", "planso.invalid")
        async with client("http://planso.invalid") as planso:
            with pytest.raises(PlansoUnavailable, match="can't be reached"):
                await planso.log_in()
        assert len(proxy.asked) == 2
