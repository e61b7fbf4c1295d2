"""
Authentication of requests by one session of an account, renewed when PlanSo ends it.

An `httpx2.Auth`: it yields the requests of the login and the request itself; the HTTP client sends them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote

import httpx2
import structlog

from planso_connector.domain.errors import LoginRejected, PlansoUnavailable, PlansoUnsure
from planso_connector.planso.http.decoding import is_login_page
from planso_connector.planso.http.login import Account, LoginFlow, LoginStatus, SessionEnded
from planso_connector.planso.http.request_info import RequestInfo, get_info
from planso_connector.planso.http.session import PlansoSession
from planso_connector.planso.http.urls import resolve_redirect

log = structlog.get_logger(__name__)

MAX_SESSIONS_PER_REQUEST = 8


class SessionAuth(httpx2.Auth):
    """
    `other`: the auth for the account's other session. This one gives up its own session and joins the other where a
    second login ends the first.
    """

    def __init__(self, account: Account, other: SessionAuth | None = None) -> None:
        self.account = account
        self.session = PlansoSession()
        account.sessions.append(self.session)
        self.other = other
        if other is not None:
            other.other = self
        self._save_count = 0
        self._no_saves = asyncio.Event()
        self._no_saves.set()

    def reset(self) -> None:
        """Drop the session and a remembered rejection, so that the next request logs in."""
        self.session.drop()
        self.account.status = LoginStatus(last_login_at=self.account.status.last_login_at)

    def read_cookie(self, name: str) -> str:
        """A cookie of the session, percent-decoded as script reads it; "" for none. Raises SessionEnded."""
        if self.session.cookies is None:
            raise SessionEnded("PlanSo's session ended; nothing was sent")
        values = [cookie.value for cookie in self.session.cookies.jar if cookie.name == name and cookie.value]
        return unquote(values[-1]) if values else ""

    @asynccontextmanager
    async def protect_save(self) -> AsyncIterator[None]:
        """Keep the other session from logging in meanwhile, until it is known whether that ends this one."""
        if self.other is None or self.account.session_limit.is_decided:
            yield
            return
        async with self.account.lock:
            self._save_count += 1
            self._no_saves.clear()
        try:
            yield
        finally:
            self._save_count -= 1
            if not self._save_count:
                self._no_saves.set()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """
        Raises LoginRejected, PlansoUnavailable; SessionEnded in a held slot without a session; PlansoUnsure for a save
        that got the login page, as PlanSo may have applied it all the same.

        A session that served any request before it ended is renewed: with several requests in flight, a short one can
        end on the same request again and again. One that served none is renewed once.
        """
        info = get_info(request)
        unserved = 0
        for _ in range(MAX_SESSIONS_PER_REQUEST):
            logged_in = False
            if not self.session.is_open:
                if info.holds_slot:
                    raise SessionEnded("PlanSo's session ended; nothing was sent")
                failure_count = self.account.failure_count
                async with self.account.lock:
                    self._prepare_login(failure_count)
                    if not self.session.is_open:
                        await self._wait_for_other_saves()
                        flow, began_at = self.account.login_flow(request), self.account.now()
                        step: httpx2.Request | None = next(flow)
                        while step is not None:
                            step = await self._next_step(flow, (yield step), began_at)
                        logged_in = True
            if logged_in and info.is_login:
                return
            if info.is_save and self._may_have_ended():
                raise SessionEnded("another login may have ended PlanSo's session; nothing was sent")
            session, generation = self.session, self.session.generation
            session.set_cookies(request)
            response = yield request
            if not self._is_ended(request, response):
                self._record_served(session, generation, request, response)
                return
            self._record_end(session, generation, info)
            unserved += session.served_generation != generation
            if unserved > 1:
                break
        raise PlansoUnavailable("PlanSo answers with its login page although the login was accepted")

    async def _wait_for_other_saves(self) -> None:
        if self.other is not None and not self.account.session_limit.is_decided:
            await self.other._no_saves.wait()  # noqa: SLF001 - the same class

    def _may_have_ended(self) -> bool:
        """Nothing was served since the other session logged in, and it is not known whether that ended this one."""
        if self.other is None or self.account.session_limit.is_decided:
            return False
        return self.session.last_alive_at < self.other.session.opened_at

    def _prepare_login(self, failure_count: int) -> None:
        """
        Join the other session where one session is the limit. Raises where no login is to be tried: LoginRejected, and
        PlansoUnavailable where one failed since `failure_count` was read.
        """
        account = self.account
        if account.status.state == "rejected":
            raise LoginRejected(account.status.message)
        if not self.session.is_open and self.other is not None:
            was_decided = account.session_limit.is_one_session
            if account.session_limit.record_end(self.session, self.other.session):
                self.session = self.other.session
                if not was_decided:
                    log.warning("one_planso_session", reason="a second login of the account ends the first session")
        if account.failure_count != failure_count and not self.session.is_open and account.last_failure is not None:
            raise PlansoUnavailable(str(account.last_failure)) from account.last_failure

    async def _next_step(self, flow: LoginFlow, response: httpx2.Response, began_at: float) -> httpx2.Request | None:
        """The next request of the login, None once it was accepted. Raises LoginRejected, PlansoUnavailable."""
        try:
            return flow.send(response)
        except StopIteration as end:
            cookies: httpx2.Cookies | None = end.value
        except PlansoUnavailable as error:
            self.account.record_failure(error)
            raise
        if cookies is not None:
            self.session.open(cookies, began_at, self.account.now())
        await self.account.record_decision(accepted=cookies is not None)
        return None

    def _is_ended(self, request: httpx2.Request, response: httpx2.Response) -> bool:
        """The login page, or a redirect instead of a page. After a save a redirect may mean that it was applied."""
        if not response.has_redirect_location:
            return is_login_page(response)
        resolve_redirect(response, self.account.base_path)
        return not get_info(request).is_save

    def _record_served(
        self, session: PlansoSession, generation: int, request: httpx2.Request, response: httpx2.Response
    ) -> None:
        session.served_generation = generation
        self.account.login_counter.record_request()
        if generation != session.generation:
            return
        sent_at = get_info(request).sent_at
        session.last_alive_at = max(session.last_alive_at, sent_at)
        if self.other is not None:
            self.account.session_limit.record_served(session, self.other.session, sent_at)
        session.extract_cookies(response)

    def _record_end(self, session: PlansoSession, generation: int, info: RequestInfo) -> None:
        """PlanSo ended the session. Raises where that ends the request too."""
        if generation == session.generation:
            session.end(self.account.now())
        if info.is_save:
            raise PlansoUnsure("PlanSo answered with its login page; it may have been applied", is_over=True)
        if info.holds_slot:
            raise SessionEnded("PlanSo ended the session; nothing was saved")
        if info.large_slot is not None:
            info.large_slot.release()  # or the login might wait for somebody who waits for this slot
