"""Two sessions of one account: kept where PlanSo allows them, given up where a login ends the other one."""

from __future__ import annotations

from itertools import count

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planso_connector.planso.http.login import Account
from planso_connector.planso.http.request_info import get_info
from planso_connector.planso.http.session import MAX_IDLE, SHORT_IDLE
from planso_connector.planso.http.session_auth import SessionAuth
from tests.planso.odd_server import LOGIN_PAGE, START_PAGE

pytestmark = pytest.mark.anyio

APP, DO = httpx2.URL("http://planso.test/app"), httpx2.URL("http://planso.test/do")
PHP_IDLE = 1440.0
"""Seconds after which PHP may end a session that is not used, unless told otherwise."""

WHO = st.sampled_from([0, 1])
"""The first or the second session."""


class World:
    """A PlanSo with a clock, and two logins of one account that send it one request after the other."""

    def __init__(self, *, one_session: bool) -> None:
        self.now = 0.0
        self.logins = self.ends = 0
        self.account = Account(APP, "werkstatt", "demo", now=lambda: self.now)
        first = SessionAuth(self.account)
        self.both = first, SessionAuth(self.account, other=first)
        self._one_session = one_session
        self._used_at: dict[str, float] = {}
        self._ids = count(1)

    def restart(self) -> None:
        """All sessions end."""
        self._used_at.clear()

    async def ask(self, who: int) -> None:
        """One request by one of the sessions, which is served; each page takes a second."""
        request = httpx2.Request("GET", DO)
        flow = self.both[who].async_auth_flow(request)
        step = await anext(flow)
        while True:
            get_info(step).sent_at = self.now
            self.now += 1.0
            answer = self._answer(step)
            try:
                step = await flow.asend(answer)
            except StopAsyncIteration:
                assert answer.json() == {}
                return

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        cookie = request.headers.get("Cookie", "").removeprefix("PHPSESSID=")
        if request.url.path == "/app":
            assert get_info(request).is_login
            if request.method == "GET":
                headers = {"Set-Cookie": f"PHPSESSID={next(self._ids)}; path=/", "Content-Type": "text/html"}
                return httpx2.Response(200, headers=headers, text=LOGIN_PAGE, request=request)
            if self._one_session:
                self._used_at.clear()
            self.logins += 1
            self._used_at[cookie] = self.now
            return httpx2.Response(200, html=START_PAGE, request=request)
        if self.now - self._used_at.get(cookie, -PHP_IDLE) < PHP_IDLE:
            self._used_at[cookie] = self.now
            return httpx2.Response(200, json={}, request=request)
        self.ends += bool(cookie)
        return httpx2.Response(200, html=LOGIN_PAGE, request=request)


@given(st.lists(st.tuples(WHO, st.floats(0, 30_000)), max_size=40))
async def test_sessions_that_end_by_being_idle_stay_two(requests: list[tuple[int, float]]) -> None:
    """Where two are allowed, no pauses whatever make it one; each end costs one login."""
    world = World(one_session=False)
    for who, pause in requests:
        world.now += pause
        await world.ask(who)
    assert not world.account.session_limit.is_one_session
    assert world.logins == len({who for who, _ in requests}) + world.ends


@given(st.lists(st.tuples(st.booleans(), st.permutations([0, 1]), st.floats(0, 600)), max_size=20))
async def test_sessions_that_end_together_stay_two(rounds: list[tuple[bool, list[int], float]]) -> None:
    """A PlanSo that was restarted ends both: one login each, and that is no sign of an account with one session."""
    world = World(one_session=False)
    restarts = 0
    for restarts_now, order, pause in rounds:
        world.now += pause
        if restarts_now:
            world.restart()
            restarts += 1
        for who in (*order, *order):
            await world.ask(who)
    assert not world.account.session_limit.is_one_session
    assert world.logins <= 2 + 2 * restarts


@given(st.lists(st.tuples(WHO, st.floats(0, SHORT_IDLE - 10)), max_size=40))
async def test_one_session_per_account_costs_few_logins(requests: list[tuple[int, float]]) -> None:
    """Where a login ends the other session and both are busy, all is served, with four logins at most."""
    world = World(one_session=True)
    last_used = [-1.0, -1.0]
    for who, pause in requests:
        # Between two requests of one session no more than a short time passes.
        world.now += pause if min(last_used) < 0 or world.now + pause - min(last_used) < SHORT_IDLE - 10 else 0.0
        last_used[who] = world.now
        await world.ask(who)
        other = 1 - who
        if last_used[other] >= 0 and world.now - last_used[other] > SHORT_IDLE / 2:
            await world.ask(other)
            last_used[other] = world.now
    assert world.logins <= 4


@given(st.lists(st.tuples(WHO, st.floats(0, MAX_IDLE / 3)), max_size=60))
async def test_one_session_per_account_is_noticed_at_a_slow_pace_too(requests: list[tuple[int, float]]) -> None:
    """With minutes between the requests it takes six logins at most, while both are used within 20 minutes."""
    world = World(one_session=True)
    for who, pause in requests:
        world.now += pause
        await world.ask(who)
        await world.ask(1 - who)
    assert world.logins <= 6


async def test_signs_of_long_ago_are_forgotten() -> None:
    """One unlucky moment a day never adds up: PlanSo ends all sessions right after they were opened."""
    world = World(one_session=False)
    for _ in range(10):
        for who in (0, 1):
            await world.ask(who)
        world.restart()
        await world.ask(0)
        await world.ask(1)
        world.now += 86_400
    assert not world.account.session_limit.is_one_session
