"""Login and session: one login for all who wait, a transparent renewal, never again a rejected password."""

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
from tests.planso.odd_server import BOARD, LOGIN_PAGE, START_PAGE, ReceivedRequest, answer, odd

pytestmark = pytest.mark.anyio


async def test_twenty_requests_share_one_login(sandbox: Sandbox, url: str) -> None:
    """Twenty forms in parallel cost one login."""
    async with client(url, throttle=Throttle(20)) as planso:
        forms = await asyncio.gather(*(planso.read_form(order) for order in sandbox.order_ids()[:20]))

        assert len({form.order_id for form in forms}) == 20
        assert planso.login_status.state == "logged_in"
        assert planso.login_status.last_login_at is not None
    assert sandbox.logins == 1


async def test_a_session_that_ends_is_renewed_transparently(sandbox: Sandbox, url: str) -> None:
    """Twenty requests in an ended session cost one login, and all get their forms."""
    async with client(url, throttle=Throttle(20)) as planso:
        await planso.read_board()
        sandbox.expire_sessions(after_requests=3)
        forms = await asyncio.gather(*(planso.read_form(order) for order in sandbox.order_ids()[:20]))

        assert len(forms) == 20
    assert sandbox.logins == 2


async def test_a_save_in_an_ended_session_is_not_sent_twice(sandbox: Sandbox, url: str) -> None:
    """It was sent, so the result is unsure; in a held slot the next save is not sent at all."""
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
    """Parallel and later requests fail without traffic until `log_in` is called."""
    decisions: list[bool] = []

    async def note(accepted: bool) -> None:
        decisions.append(accepted)

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
    assert decisions == [False, False]


async def test_both_sessions_share_a_rejected_password(sandbox: Sandbox, url: str) -> None:
    """After both sessions ended, a password that is no longer right is sent once, and both stop."""
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
    Where a login ends the other session: it begins once the save is finished, and a save after it is not sent until
    the order was read again.
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
            sent = len(sandbox.requests)
            with pytest.raises(SessionEnded, match="nothing was sent"):
                await planso.save(form, plan)
            assert len(sandbox.requests) == sent
            again = await planso.read_form(order)
            await planso.save(again, again.plan({"remarks": "noch neuer"}))
    assert sandbox.value(order, "Bemerkungen") == "noch neuer"


async def test_a_rejection_is_remembered_across_restarts(sandbox: Sandbox, url: str) -> None:
    """A client that starts as rejected sends nothing until `log_in`, which tries once."""
    decisions: list[bool] = []

    async def note(accepted: bool) -> None:
        decisions.append(accepted)

    async with client(url, already_rejected=True, on_login=note) as planso:
        with pytest.raises(LoginRejected):
            await planso.read_board()
        assert planso.request_count == 0

        await planso.log_in()
        assert await planso.read_board()
    assert (sandbox.logins, decisions) == (1, [True])


async def test_log_in_in_parallel_with_requests_is_harmless(sandbox: Sandbox, url: str) -> None:
    """All succeed, with three logins at most."""
    async with client(url) as planso:
        await asyncio.gather(planso.read_board(), planso.log_in(), planso.read_board(), planso.log_in())
    assert sandbox.logins <= 3


async def test_trying_credentials_leaves_the_session_alone(sandbox: Sandbox, url: str) -> None:
    """Right ones pass, wrong ones are sent once, and the session stays."""
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
    """Characters with a meaning in URLs, and umlauts."""
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
    """As by a browser: in the declared charset, other characters as references."""
    page = answer(meta + LOGIN_PAGE, charset=header)
    async with (
        odd(app=lambda request: page if request.method == "GET" else answer(START_PAGE)) as server,
        client(server.url, "jürgen", "ß€漢") as planso,
    ):
        await planso.read_board()
        form = parse_qs(server.requests[1].body.decode("ascii"), encoding=charset, keep_blank_values=True)

    assert form == {
        "system_login_username": ["jürgen"],
        "system_login_password": ["ß€漢" if charset == "utf-8" else "ß€&#28450;"],
        "user_lat": [""],
        "user_lng": [""],
        "user_accuracy": [""],
    }
    assert server.requests[1].headers["origin"] == server.url
    assert server.requests[1].headers["referer"] == f"{server.url}/app"
    assert server.requests[0].headers["accept"] == "text/html"


TROUBLE = {
    "502 for the page": lambda request: answer("", "502 Bad Gateway"),
    "502 for the form": lambda request: (
        answer(LOGIN_PAGE) if request.method == "GET" else answer("", "502 Bad Gateway")
    ),
    "maintenance": lambda request: answer("<h1>Wartung</h1>"),
    "JSON": lambda request: answer('{"system_login_username": 1}'),
    "no answer": lambda request: b"",
    "no answer to the form": lambda request: answer(LOGIN_PAGE) if request.method == "GET" else b"",
    "a circle": lambda request: answer("", "302 Found", "Location: /app"),
    "off the host": lambda request: answer("", "302 Found", "Location: https://evil.example/app"),
}


@pytest.mark.parametrize("app", TROUBLE.values(), ids=TROUBLE)
async def test_trouble_at_login_is_no_rejection(app: object) -> None:
    """The next request tries again."""
    decisions: list[bool] = []

    async def note(accepted: bool) -> None:
        decisions.append(accepted)

    async with odd(app=app) as server, client(server.url, on_login=note) as planso:
        for _ in range(2):
            before = len(server.requests)
            with pytest.raises(PlansoUnavailable):
                await planso.read_board()
            assert len(server.requests) > before
        assert planso.login_status.state == "unknown"
    assert decisions == []
    assert not any(request.target.startswith("/do") for request in server.requests)


async def test_waiting_requests_share_a_failed_login() -> None:
    """Twenty requests request a broken login page once, not twenty times."""
    async with (
        odd(app=lambda _: answer("", "502 Bad Gateway")) as server,
        client(server.url, throttle=Throttle(20)) as planso,
    ):
        results = await asyncio.gather(*(planso.read_board() for _ in range(20)), return_exceptions=True)

        assert {type(result) for result in results} == {PlansoUnavailable}
        assert len(server.requests) == 1


async def test_a_login_may_be_redirected_on_the_same_host() -> None:
    """The cookie goes along."""

    def app(request: ReceivedRequest) -> bytes:
        if request.method == "POST":
            return answer("", "302 Found", "Location: /app/start?x=1", "Set-Cookie: PHPSESSID=new; path=/")
        page = START_PAGE if "start" in request.target else LOGIN_PAGE
        return answer(page, "200 OK", *([] if "start" in request.target else ["Set-Cookie: PHPSESSID=old; path=/"]))

    async with odd(app=app) as server, client(server.url) as planso:
        await planso.read_board()

    assert [request.headers.get("cookie") for request in server.requests] == [
        None,
        "PHPSESSID=old",
        "PHPSESSID=new",
        "PHPSESSID=new",
    ]


async def test_json_that_quotes_the_login_field_is_no_login_page() -> None:
    """A customer's remark may hold any text."""
    board = BOARD.replace('"A"', '"system_login_username"')
    async with odd(do=lambda _: answer("\ufeff " + board)) as server, client(server.url) as planso:
        assert (await planso.read_board())[0].short_name == "system_login_username"
        assert len(server.requests) == 3


async def test_a_session_that_never_works_is_renewed_once() -> None:
    """Then the request is unavailable: no loop of logins."""
    async with odd(do=lambda _: answer(LOGIN_PAGE)) as server, client(server.url) as planso:
        with pytest.raises(PlansoUnavailable, match="although the login was accepted"):
            await planso.read_board()
        assert [request.target[:4] for request in server.requests] == ["/app", "/app", "/do?", "/app", "/app", "/do?"]


async def test_a_cancelled_login_blocks_nobody(sandbox: Sandbox, url: str) -> None:
    """A caller that leaves during the login; the next request logs in."""
    sandbox.knobs.latency = 0.2
    async with client(url) as planso:
        impatient = asyncio.create_task(planso.read_board())
        await asyncio.wait([impatient], timeout=0.1)
        impatient.cancel()
        assert await planso.read_board()


async def test_sessions_of_three_requests_are_renewed_transparently(sandbox: Sandbox, url: str) -> None:
    """With eight in flight and sessions of three requests, every form is read with one login per two forms at most."""
    sandbox.knobs.expire_sessions_after = 3
    async with client(url, throttle=Throttle(8)) as planso:
        forms = await asyncio.gather(*(planso.read_form(order) for order in sandbox.order_ids()[:20]))

        assert len({form.order_id for form in forms}) == 20
    assert sandbox.logins <= 10
