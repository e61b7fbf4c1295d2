"""
The login: one for all who wait, renewed when PlanSo ends the session, never repeated with a rejected password.

Source: the PlanSo protocol's section 1. `PlansoLogin` is an auth flow: it yields the requests, the client sends them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import unquote, urlencode

import httpx2
import structlog

from planso_connector.domain import clock
from planso_connector.domain.errors import LoginRejected, PlansoUnavailable, PlansoUnsure
from planso_connector.planso.http.decoding import form_charset, is_login_page
from planso_connector.planso.http.session import LoginCounter, PlansoSession, SessionLimit

log = structlog.get_logger(__name__)

IS_SAVE = "planso_saves"
"""The request's extension that says: this one changes something over there, don't send it twice."""
IS_LOGIN = "planso_logs_in"
"""The request's extension that says: this one belongs to a login, not to what was asked for."""
HOLDS_SLOT = "planso_stays"
"""The request's extension that says: this one holds a slot for what follows it, don't wait for a login."""
RESPONSE_STARTED = "planso_answered"
"""The request's extension that says: its answer began to arrive."""
SENT_AT = "planso_began"
"""The request's extension with the instant of the monotonic clock at which it was sent."""
MAX_REDIRECTS = 5
_REDIRECT_HEADERS = {
    False: ("Accept", "User-Agent"),
    True: ("Accept", "User-Agent", "Content-Type", "Origin", "Referer"),
}
"""The headers that go along with a redirect, by whether the form goes along."""

REJECTED_MESSAGE = "PlanSo rejected the user name or the password. It is not tried again until somebody asks for it."
OnLogin = Callable[[bool], Awaitable[None]]


class SessionEnded(PlansoUnavailable):
    """The session ended before a save was sent: nothing was sent. Read the form again, which logs in, then save."""


@dataclass(frozen=True, slots=True)
class LoginStatus:
    """`last_login_at` is the last accepted login, in UTC."""

    state: Literal["unknown", "logged_in", "rejected"] = "unknown"
    last_login_at: datetime | None = None
    message: str = ""


MAX_SESSIONS_PER_REQUEST = 8
"""So many sessions one request meets at most."""


class Account:
    """
    One user at one PlanSo. Its sessions share the outcome of a login, also its failure, and log in one after the other.
    `app` is the address of the login page.
    """

    def __init__(
        self,
        app: httpx2.URL,
        username: str,
        password: str,
        *,
        rejected: bool = False,
        on_login: OnLogin | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` is a monotonic clock, in seconds."""
        self.login_url = app
        self.sessions: list[PlansoSession] = []
        self.session_limit = SessionLimit()
        self.lock = asyncio.Lock()
        self.login_counter = LoginCounter()
        self.failure_count = 0
        self.last_failure: Exception | None = None
        self.status = LoginStatus(state="rejected", message=REJECTED_MESSAGE) if rejected else LoginStatus()
        self.now = now
        self._username, self._password = username, password
        self._on_login = on_login

    def forget_rejection(self) -> None:
        """Drop a remembered rejection."""
        self.status = LoginStatus(last_login_at=self.status.last_login_at)

    def record_failure(self, error: Exception) -> None:
        """A login broke off. Those who waited for it share its failure, instead of trying one after the other."""
        self.failure_count += 1
        self.last_failure = error

    async def record_decision(self, *, accepted: bool) -> None:
        """PlanSo answered the login form. Raises LoginRejected, which ends all sessions of the account."""
        if accepted:
            self.login_counter.record_login(self.now())
            self.status = LoginStatus("logged_in", clock.now())
        else:
            for session in self.sessions:
                session.drop()
            self.status = LoginStatus("rejected", self.status.last_login_at, REJECTED_MESSAGE)
        if self._on_login is not None:
            await self._on_login(accepted)
        if not accepted:
            raise LoginRejected(REJECTED_MESSAGE)

    def login_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, httpx2.Cookies | None]:
        """
        Fetch the login page for its cookie, send the login form. Ends with the session's cookies, None where it was
        rejected. The steps have the time limits of the request that needs the login.
        """
        cookies = httpx2.Cookies()
        limits = {"timeout": request.extensions.get("timeout", {}), IS_LOGIN: True}
        headers = {"Accept": "text/html", "User-Agent": request.headers.get("User-Agent", "")}
        page = yield from _follow(httpx2.Request("GET", self.login_url, headers=headers, extensions=limits), cookies)
        if not is_login_page(page):
            raise PlansoUnavailable("PlanSo's login page shows no login form; nothing was sent to it")
        form = [
            ("system_login_username", self._username),
            ("system_login_password", self._password),
            ("user_lat", ""),
            ("user_lng", ""),
            ("user_accuracy", ""),
        ]
        headers |= {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": origin(self.login_url),
            "Referer": str(self.login_url),
        }
        body = urlencode(form, encoding=form_charset(page), errors="xmlcharrefreplace").encode()
        step = httpx2.Request("POST", self.login_url, headers=headers, content=body, extensions=limits)
        answer = yield from _follow(step, cookies)
        return None if is_login_page(answer) else cookies


class SessionAuth(httpx2.Auth):
    """
    Send requests within one session of an account. `beside` is the login whose session the account has beside it; this
    one gives up its own and joins that where a second login ends the first.
    """

    def __init__(self, account: Account, beside: SessionAuth | None = None) -> None:
        self.account = account
        self.session = PlansoSession()
        account.sessions.append(self.session)
        self.other: SessionAuth | None = beside
        if beside is not None:
            beside.other = self
        self._saves = 0
        self._saves_ended = asyncio.Event()
        self._saves_ended.set()

    def reset(self) -> None:
        """Drop the session and a remembered rejection: the next request logs in."""
        self.session.drop()
        self.account.forget_rejection()

    def read_cookie(self, name: str) -> str:
        """A cookie of the session, decoded as script reads it; empty where there is none. Raises SessionEnded."""
        if self.session.cookies is None:
            raise SessionEnded("PlanSo's session ended; nothing was sent")
        found = [cookie.value for cookie in self.session.cookies.jar if cookie.name == name and cookie.value]
        return unquote(found[-1]) if found else ""

    @asynccontextmanager
    async def protect_save(self) -> AsyncIterator[None]:
        """
        A save in here is not disturbed by a login of the other session: as long as it is not known whether that ends
        this one, it waits until the save is through.
        """
        if self.other is None or self.account.session_limit.is_decided:
            yield
            return
        async with self.account.lock:
            self._saves += 1
            self._saves_ended.clear()
        try:
            yield
        finally:
            self._saves -= 1
            if not self._saves:
                self._saves_ended.set()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """
        Raises LoginRejected, PlansoUnavailable; SessionEnded in a held slot without a session; PlansoUnsure for a save
        that is answered with the login page: PlanSo may have applied it all the same.

        A session that served somebody before it ended is worth another: with several requests in flight, a short one
        can end on the same request again and again. One that served nobody is no session.
        """
        unserved = 0
        for _ in range(MAX_SESSIONS_PER_REQUEST):
            logged_in = False
            if not self._has_session():
                if request.extensions.get(HOLDS_SLOT):
                    raise SessionEnded("PlanSo's session ended; nothing was sent")
                failures = self.account.failure_count
                async with self.account.lock:
                    self._must_try(failures)
                    if not self._has_session():
                        await self._other_saves_ended()
                    steps, began_at = self.account.login_flow(request), self.account.now()
                    step: httpx2.Request | None = None if self._has_session() else next(steps)
                    logged_in = step is not None
                    while step is not None:
                        answer = yield step
                        await answer.aread()
                        step = await self._next(steps, answer, began_at)
            if logged_in and request.extensions.get(IS_LOGIN):
                return
            if request.extensions.get(IS_SAVE) and self._may_have_ended():
                raise SessionEnded("another login may have ended PlanSo's session; nothing was sent")
            session = self.session
            generation, cookies = session.generation, session.cookies
            _set_cookies(request, cookies)
            response = yield request
            request.extensions[RESPONSE_STARTED] = True
            await response.aread()
            if not self._is_ended(request, response):
                self._served(session, generation, request)
                if cookies is not None and generation == session.generation:
                    cookies.extract_cookies(response)
                return
            if generation == session.generation:
                session.end(self.account.now())
            if request.extensions.get(IS_SAVE):
                raise PlansoUnsure("PlanSo answered with its login page; it may have been applied", is_over=True)
            if request.extensions.get(HOLDS_SLOT):
                raise SessionEnded("PlanSo ended the session; nothing was saved")
            unserved += session.served_generation != generation
            if unserved > 1:
                break
        raise PlansoUnavailable("PlanSo answers with its login page although the login was accepted")

    async def _other_saves_ended(self) -> None:
        if self.other is not None and not self.account.session_limit.is_decided:
            await self.other._saves_ended.wait()  # noqa: SLF001 - the same class

    def _may_have_ended(self) -> bool:
        """Nothing was served since the other session logged in, and what that does to this one is not known yet."""
        if self.other is None or self.account.session_limit.is_decided:
            return False
        return self.session.last_alive_at < self.other.session.opened_at

    def _has_session(self) -> bool:
        return self.session.is_open

    def _must_try(self, failures: int) -> None:
        """Raises where a login is not to be tried. Joins the other session where it is the only one to be had."""
        account = self.account
        if account.status.state == "rejected":
            raise LoginRejected(account.status.message)
        if not self._has_session() and self.other is not None:
            was_decided = account.session_limit.is_one_session
            if account.session_limit.record_end(self.session, self.other.session):
                self.session = self.other.session
                if not was_decided:
                    log.warning("one_planso_session", reason="a second login of the account ends the first session")
        if account.failure_count != failures and not self._has_session() and account.last_failure is not None:
            raise PlansoUnavailable(str(account.last_failure)) from account.last_failure

    def _served(self, session: PlansoSession, generation: int, request: httpx2.Request) -> None:
        session.served_generation = generation
        self.account.login_counter.record_request()
        if generation != session.generation:
            return
        sent_at: float = request.extensions.get(SENT_AT, session.last_alive_at)
        session.last_alive_at = max(session.last_alive_at, sent_at)
        if self.other is not None:
            self.account.session_limit.record_served(session, self.other.session, sent_at)

    def _is_ended(self, request: httpx2.Request, response: httpx2.Response) -> bool:
        """The login page, or a redirect of what is read. A redirect after a save may be how PlanSo says yes."""
        if not response.has_redirect_location:
            return is_login_page(response)
        resolve_redirect(response)
        return not request.extensions.get(IS_SAVE)

    async def _next(
        self,
        steps: Generator[httpx2.Request, httpx2.Response, httpx2.Cookies | None],
        answer: httpx2.Response,
        began_at: float,
    ) -> httpx2.Request | None:
        """The login's next request, None when it is decided. Raises LoginRejected, PlansoUnavailable."""
        try:
            return steps.send(answer)
        except StopIteration as end:
            cookies: httpx2.Cookies | None = end.value
        except PlansoUnavailable as error:
            self.account.record_failure(error)
            raise
        if cookies is not None:
            self.session.open(cookies, began_at, self.account.now())
        await self.account.record_decision(accepted=cookies is not None)
        return None


def origin(url: httpx2.URL) -> str:
    return str(url.copy_with(raw_path=b"/")).rstrip("/")


def resolve_redirect(response: httpx2.Response) -> httpx2.URL:
    """Where a redirect leads. Raises PlansoUnavailable naming the host when it leads off PlanSo's."""
    here = response.request.url
    try:
        target = here.join(response.headers["location"])
    except (httpx2.InvalidURL, ValueError) as error:
        raise PlansoUnavailable("PlanSo redirects to an address that can't be read") from error
    if (target.scheme, target.host, _port(target)) != (here.scheme, here.host, _port(here)):
        raise PlansoUnavailable(
            f"PlanSo redirects off its address (to {target.scheme} '{target.host}'); it is not followed"
        )
    return target


def _port(url: httpx2.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


def _set_cookies(request: httpx2.Request, cookies: httpx2.Cookies | None) -> None:
    request.headers.pop("Cookie", None)
    if cookies is not None:
        cookies.set_cookie_header(request)


def _follow(
    request: httpx2.Request, cookies: httpx2.Cookies
) -> Generator[httpx2.Request, httpx2.Response, httpx2.Response]:
    """A page of the login, redirects followed on the same host. Raises PlansoUnavailable."""
    for _ in range(MAX_REDIRECTS + 1):
        _set_cookies(request, cookies)
        response = yield request
        cookies.extract_cookies(response)
        if not response.has_redirect_location:
            if response.is_success:
                return response
            raise PlansoUnavailable(f"PlanSo's login page answered {response.status_code}")
        target = resolve_redirect(response)
        again = request.method == "POST" and response.status_code in (307, 308)
        request = httpx2.Request(
            request.method if again else "GET",
            target,
            headers={key: request.headers[key] for key in _REDIRECT_HEADERS[again] if key in request.headers},
            content=request.content if again else None,
            extensions=request.extensions,
        )
    raise PlansoUnavailable("PlanSo's login page redirects in a circle")
