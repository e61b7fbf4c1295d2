"""Two sessions of one account are kept where PlanSo allows them, and given up where a login ends the other one."""

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

SESSION_INDEX = st.sampled_from([0, 1])
"""The first or the second session."""


class SimulatedPlanso:
    """A PlanSo with a clock, and the two sessions of an account, which send one request after the other."""

    def __init__(self, *, one_session: bool) -> None:
        self.now = 0.0
        self.logins = self.ends = 0
        self.account = Account(APP, "werkstatt", "demo", now=lambda: self.now)
        first = SessionAuth(self.account)
        self.auths = first, SessionAuth(self.account, other=first)
        self._one_session = one_session
        self._used_at: dict[str, float] = {}
        self._ids = count(1)

    def end_all_sessions(self) -> None:
        self._used_at.clear()

    async def send_request(self, index: int) -> None:
        """One request in one of the sessions, until it is served; each page takes a second."""
        request = httpx2.Request("GET", DO)
        flow = self.auths[index].async_auth_flow(request)
        step = await anext(flow)
        while True:
            get_info(step).sent_at = self.now
            self.now += 1.0
            response = self._respond(step)
            try:
                step = await flow.asend(response)
            except StopAsyncIteration:
                assert response.json() == {}
                return

    def _respond(self, request: httpx2.Request) -> httpx2.Response:
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


@given(st.lists(st.tuples(SESSION_INDEX, st.floats(0, 30_000)), max_size=40))
async def test_idle_ends_leave_two_sessions(requests: list[tuple[int, float]]) -> None:
    """Where two are allowed, no pauses make it one, and each end costs one login."""
    planso = SimulatedPlanso(one_session=False)
    for index, pause in requests:
        planso.now += pause
        await planso.send_request(index)
    assert not planso.account.session_limit.is_one_session
    assert planso.logins == len({index for index, _ in requests}) + planso.ends


@given(st.lists(st.tuples(st.booleans(), st.permutations([0, 1]), st.floats(0, 600)), max_size=20))
async def test_ends_of_both_at_once_leave_two_sessions(rounds: list[tuple[bool, list[int], float]]) -> None:
    """A restarted PlanSo ends both: one login each, and no evidence for a limit of one."""
    planso = SimulatedPlanso(one_session=False)
    restarts = 0
    for restarts_before, order, pause in rounds:
        planso.now += pause
        if restarts_before:
            planso.end_all_sessions()
            restarts += 1
        for index in (*order, *order):
            await planso.send_request(index)
    assert not planso.account.session_limit.is_one_session
    assert planso.logins <= 2 + 2 * restarts


@given(st.lists(st.tuples(SESSION_INDEX, st.floats(0, SHORT_IDLE - 10)), max_size=40))
async def test_one_session_per_account_costs_few_logins(requests: list[tuple[int, float]]) -> None:
    """Where a login ends the other session and both are busy, all is served with four logins at most."""
    planso = SimulatedPlanso(one_session=True)
    last_used = [-1.0, -1.0]
    for index, pause in requests:
        # Between two requests of one session no more than a short time passes.
        planso.now += pause if min(last_used) < 0 or planso.now + pause - min(last_used) < SHORT_IDLE - 10 else 0.0
        last_used[index] = planso.now
        await planso.send_request(index)
        other = 1 - index
        if last_used[other] >= 0 and planso.now - last_used[other] > SHORT_IDLE / 2:
            await planso.send_request(other)
            last_used[other] = planso.now
    assert planso.logins <= 4


@given(st.lists(st.tuples(SESSION_INDEX, st.floats(0, MAX_IDLE / 3)), max_size=60))
async def test_one_session_per_account_is_inferred_from_slow_requests_too(requests: list[tuple[int, float]]) -> None:
    """With minutes between the requests it takes six logins at most, if both are used within 20 minutes."""
    planso = SimulatedPlanso(one_session=True)
    for index, pause in requests:
        planso.now += pause
        await planso.send_request(index)
        await planso.send_request(1 - index)
    assert planso.logins <= 6


async def test_old_evidence_is_dropped() -> None:
    """All sessions ended right after they were opened, once a day, never add up to a limit of one."""
    planso = SimulatedPlanso(one_session=False)
    for _ in range(10):
        for index in (0, 1):
            await planso.send_request(index)
        planso.end_all_sessions()
        await planso.send_request(0)
        await planso.send_request(1)
        planso.now += 86_400
    assert not planso.account.session_limit.is_one_session
