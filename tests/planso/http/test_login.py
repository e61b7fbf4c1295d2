"""The session: one login for all, renewed unseen, never repeated with a rejected password."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from contextvars import copy_context
from urllib.parse import parse_qs

import pytest

from planso_connector.domain.errors import LoginRejected, PlansoUnavailable, PlansoUnsure
from planso_connector.planso.http.login import SessionEnded
from planso_connector.planso.http.throttle import Throttle, urgent_requests
from planso_connector.sandbox import Sandbox
from planso_connector.sandbox.installation import Installation
from tests.planso.conftest import client
from tests.planso.odd_server import BOARD, LOGIN_PAGE, START_PAGE, Asked, answer, odd

pytestmark = pytest.mark.anyio


async def test_twenty_requests_share_one_login(sandbox: Sandbox, url: str) -> None:
    """All wait for the same login."""
    async with client(url, throttle=Throttle(20)) as planso:
        forms = await asyncio.gather(*(planso.read_form(order) for order in sandbox.order_ids()[:20]))

        assert len({form.order_id for form in forms}) == 20
        assert planso.login_status.state == "logged_in"
        assert planso.login_status.last_login_at is not None
    assert sandbox.logins == 1


async def test_a_session_that_ends_in_the_middle_is_invisible(sandbox: Sandbox, url: str) -> None:
    """Twenty requests meet an ended session: one new login, twenty forms."""
    async with client(url, throttle=Throttle(20)) as planso:
        await planso.read_board()
        sandbox.expire_sessions(after_requests=3)
        forms = await asyncio.gather(*(planso.read_form(order) for order in sandbox.order_ids()[:20]))

        assert len(forms) == 20
    assert sandbox.logins == 2


async def test_a_save_in_an_ended_session_is_not_sent_twice(sandbox: Sandbox, url: str) -> None:
    """It was sent, so it is unsure, whatever PlanSo answers; in a held slot the next one is not even sent."""
    order = sandbox.order_ids()[0]
    async with client(url) as planso:
        form = await planso.read_form(order)
        plan = form.plan({"remarks": "neu"})
        sandbox.expire_sessions()
        with pytest.raises(PlansoUnsure, match="login page"):
            await planso.save(form, plan)
        sent = planso.request_count
        async with planso.hold_slot():
            with pytest.raises(SessionEnded, match="nothing was sent"):
                await planso.save(form, plan)
        assert planso.request_count == sent
        again = await planso.read_form(order)
        await planso.save(again, again.plan({"remarks": "neu"}))
    assert sandbox.value(order, "Bemerkungen") == "neu"
    assert sandbox.logins == 2


async def test_a_rejected_password_is_sent_once(sandbox: Sandbox, url: str) -> None:
    """Parallel and later requests fail without any traffic until somebody asks for a login."""
    told: list[bool] = []

    async def note(accepted: bool) -> None:
        told.append(accepted)

    async with client(url, password="falsch", throttle=Throttle(20), on_login=note) as planso:
        results = await asyncio.gather(*(planso.read_board() for _ in range(20)), return_exceptions=True)
        assert {type(result) for result in results} == {LoginRejected}
        sent = planso.request_count
        with pytest.raises(LoginRejected):
            await planso.read_board()
        assert (planso.request_count, sandbox.rejected_logins) == (sent, 1)
        assert planso.login_status.state == "rejected"

        with pytest.raises(LoginRejected):
            await planso.log_in()
    assert sandbox.rejected_logins == 2
    assert told == [False, False]


async def test_both_sessions_share_a_rejected_password(sandbox: Sandbox, url: str) -> None:
    """Two sessions that ended, and a password that is not right any more: it is sent once, and both stop."""
    order = sandbox.order_ids()[0]

    async def read(*, urgently: bool) -> None:
        with urgent_requests() if urgently else nullcontext():
            await planso.read_form(order)

    async with client(url) as planso:
        await asyncio.gather(*(read(urgently=at % 2 == 0) for at in range(8)))
        assert (sandbox.logins, planso.sessions.status.count) == (2, 2)
        sandbox.expire_sessions()
        sandbox.knobs.locked_accounts.add("werkstatt")
        results = await asyncio.gather(*(read(urgently=at % 2 == 0) for at in range(8)), return_exceptions=True)

        assert {type(result) for result in results} == {LoginRejected}
        assert (sandbox.rejected_logins, planso.sessions.status.count) == (1, 0)


async def test_a_login_of_the_other_session_waits_for_a_save(sandbox: Sandbox, url: str) -> None:
    """
    Where a login ends the other session: it begins when the save is through, and a save that comes after it is not sent
    before the order was read again.
    """
    sandbox.knobs.one_session_per_account = True
    order = sandbox.order_ids()[0]
    outside = copy_context()
    async with client(url) as planso:
        with urgent_requests():
            form = await planso.read_form(order)
            plan = form.plan({"remarks": "neu"})
            async with planso.hold_slot():
                syncing = asyncio.create_task(planso.read_board(), context=outside)
                for _ in range(5):
                    await planso.read_form(order)
                await planso.save(form, plan)
            await syncing
            assert sandbox.value(order, "Bemerkungen") == "neu"
            asked = len(sandbox.requests)
            with pytest.raises(SessionEnded, match="nothing was sent"):
                await planso.save(form, plan)
            assert len(sandbox.requests) == asked
            again = await planso.read_form(order)
            await planso.save(again, again.plan({"remarks": "noch neuer"}))
    assert sandbox.value(order, "Bemerkungen") == "noch neuer"


async def test_a_rejection_is_remembered_across_restarts(sandbox: Sandbox, url: str) -> None:
    """Started as rejected nothing is sent; `log_in` tries once, and all goes on."""
    told: list[bool] = []

    async def note(accepted: bool) -> None:
        told.append(accepted)

    async with client(url, already_rejected=True, on_login=note) as planso:
        with pytest.raises(LoginRejected):
            await planso.read_board()
        assert planso.request_count == 0

        await planso.log_in()
        assert await planso.read_board()
    assert (sandbox.logins, told) == (1, [True])


async def test_log_in_beside_running_requests_is_harmless(sandbox: Sandbox, url: str) -> None:
    """A login on request and requests at the same time."""
    async with client(url) as planso:
        await asyncio.gather(planso.read_board(), planso.log_in(), planso.read_board(), planso.log_in())
    assert sandbox.logins <= 3


async def test_credentials_are_tried_without_touching_the_session(sandbox: Sandbox, url: str) -> None:
    """Right ones pass, wrong ones are sent once, the session stays."""
    async with client(url) as planso:
        await planso.read_board()
        await planso.try_credentials("werkstatt", "demo")
        for _ in range(3):
            with pytest.raises(LoginRejected):
                await planso.try_credentials("werkstatt", "falsch")
        assert sandbox.rejected_logins == 1
        assert planso.login_status.state == "logged_in"
        logins = sandbox.logins
        await planso.read_board()
    assert sandbox.logins == logins == 2


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1-undeclared"])
@pytest.mark.parametrize("password", ["a#&=+ %ß", "Straße €", '"<>\\'])
async def test_any_password_reaches_planso(charset: str, password: str) -> None:
    """Signs that mean something in URLs, and umlauts."""
    sandbox = Sandbox(orders=5, installation=Installation(username="jürgen", password=password, charset=charset))  # type: ignore[arg-type]
    with sandbox.serve() as url:
        async with client(url, "jürgen", password) as planso:
            assert len(await planso.read_board()) == 5


@pytest.mark.parametrize(
    ("header", "meta", "charset"),
    [
        ("; charset=ISO-8859-1", "", "cp1252"),
        ("", "<meta http-equiv=Content-Type content='text/html; charset=iso-8859-1'>", "cp1252"),
        ("", "<meta charset='windows-1252'>", "cp1252"),
        ("; charset=utf-8", "<meta charset='iso-8859-1'>", "utf-8"),
        ("", "", "utf-8"),
        ("; charset=klingon", "", "utf-8"),
    ],
)
async def test_the_login_form_is_sent_in_the_page_s_charset(header: str, meta: str, charset: str) -> None:
    """As a browser does: the declared charset, characters beyond it as references."""
    page = answer(meta + LOGIN_PAGE, charset=header)
    async with (
        odd(app=lambda asked: page if asked.method == "GET" else answer(START_PAGE)) as server,
        client(server.url, "jürgen", "ß€漢") as planso,
    ):
        await planso.read_board()
        form = parse_qs(server.asked[1].body.decode("ascii"), encoding=charset, keep_blank_values=True)

    assert form == {
        "system_login_username": ["jürgen"],
        "system_login_password": ["ß€漢" if charset == "utf-8" else "ß€&#28450;"],
        "user_lat": [""],
        "user_lng": [""],
        "user_accuracy": [""],
    }
    assert server.asked[1].headers["origin"] == server.url
    assert server.asked[1].headers["referer"] == f"{server.url}/app"
    assert server.asked[0].headers["accept"] == "text/html"


TROUBLE = {
    "502 for the page": lambda asked: answer("", "502 Bad Gateway"),
    "502 for the form": lambda asked: answer(LOGIN_PAGE) if asked.method == "GET" else answer("", "502 Bad Gateway"),
    "maintenance": lambda asked: answer("<h1>Wartung</h1>"),
    "JSON": lambda asked: answer('{"system_login_username": 1}'),
    "no answer": lambda asked: b"",
    "no answer to the form": lambda asked: answer(LOGIN_PAGE) if asked.method == "GET" else b"",
    "a circle": lambda asked: answer("", "302 Found", "Location: /app"),
    "off the host": lambda asked: answer("", "302 Found", "Location: https://evil.example/app"),
}


@pytest.mark.parametrize("app", TROUBLE.values(), ids=TROUBLE)
async def test_trouble_at_login_is_no_rejection(app: object) -> None:
    """The password is not blamed: the next request tries again."""
    told: list[bool] = []

    async def note(accepted: bool) -> None:
        told.append(accepted)

    async with odd(app=app) as server, client(server.url, on_login=note) as planso:
        for _ in range(2):
            before = len(server.asked)
            with pytest.raises(PlansoUnavailable):
                await planso.read_board()
            assert len(server.asked) > before
        assert planso.login_status.state == "unknown"
    assert told == []
    assert not any(asked.target.startswith("/do") for asked in server.asked)


async def test_those_who_wait_share_a_failed_login() -> None:
    """Twenty requests before a dead login page: it is asked once, not twenty times."""
    async with (
        odd(app=lambda _: answer("", "502 Bad Gateway")) as server,
        client(server.url, throttle=Throttle(20)) as planso,
    ):
        results = await asyncio.gather(*(planso.read_board() for _ in range(20)), return_exceptions=True)

        assert {type(result) for result in results} == {PlansoUnavailable}
        assert len(server.asked) == 1


async def test_a_login_may_be_redirected_on_the_same_host() -> None:
    """The answer may come after a redirect; the cookie goes along."""

    def app(asked: Asked) -> bytes:
        if asked.method == "POST":
            return answer("", "302 Found", "Location: /app/start?x=1", "Set-Cookie: PHPSESSID=new; path=/")
        page = START_PAGE if "start" in asked.target else LOGIN_PAGE
        return answer(page, "200 OK", *([] if "start" in asked.target else ["Set-Cookie: PHPSESSID=old; path=/"]))

    async with odd(app=app) as server, client(server.url) as planso:
        await planso.read_board()

    assert [asked.headers.get("cookie") for asked in server.asked] == [
        None,
        "PHPSESSID=old",
        "PHPSESSID=new",
        "PHPSESSID=new",
    ]


async def test_json_that_quotes_the_login_field_is_no_login_page() -> None:
    """A customer's remark may hold any words."""
    board = BOARD.replace('"A"', '"system_login_username"')
    async with odd(do=lambda _: answer("\ufeff " + board)) as server, client(server.url) as planso:
        assert (await planso.read_board())[0].short_name == "system_login_username"
        assert len(server.asked) == 3


async def test_a_login_page_for_ever_is_asked_for_twice_at_most() -> None:
    """One retry per request, then it is unavailable: no loop of logins."""
    async with odd(do=lambda _: answer(LOGIN_PAGE)) as server, client(server.url) as planso:
        with pytest.raises(PlansoUnavailable, match="although the login was accepted"):
            await planso.read_board()
        assert [asked.target[:4] for asked in server.asked] == ["/app", "/app", "/do?", "/app", "/app", "/do?"]


async def test_a_cancelled_login_leaves_the_way_free(sandbox: Sandbox, url: str) -> None:
    """A caller that goes away in the middle of the login blocks nobody."""
    sandbox.knobs.latency = 0.2
    async with client(url) as planso:
        impatient = asyncio.create_task(planso.read_board())
        await asyncio.wait([impatient], timeout=0.1)
        impatient.cancel()
        assert await planso.read_board()


async def test_sessions_that_live_for_three_requests_are_invisible_too(sandbox: Sandbox, url: str) -> None:
    """Eight in flight, each session dead after three requests: every form is read, a login for no fewer than two."""
    sandbox.knobs.expire_sessions_after = 3
    async with client(url, throttle=Throttle(8)) as planso:
        forms = await asyncio.gather(*(planso.read_form(order) for order in sandbox.order_ids()[:20]))

        assert len({form.order_id for form in forms}) == 20
    assert sandbox.logins <= 10
