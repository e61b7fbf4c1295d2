"""
The session: one login for all who wait, renewed when PlanSo ends it, never repeated with a rejected password.

Source: the PlanSo protocol's section 1. `PlansoLogin` is an auth flow: it yields the requests, the client sends them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import unquote, urlencode

import httpx2

from planso_connector.domain import clock
from planso_connector.domain.errors import LoginRejected, PlansoUnavailable, PlansoUnsure
from planso_connector.planso.decoding import declared_charset, is_login_page

SAVES = "planso_saves"
"""The request's extension that says: this one changes something over there, don't send it twice."""
LOGS_IN = "planso_logs_in"
"""The request's extension that says: this one belongs to a login, not to what was asked for."""
STAYS = "planso_stays"
"""The request's extension that says: this one holds a slot for what follows it, don't wait for a login."""
ANSWERED = "planso_answered"
"""The request's extension that says: its answer began to arrive."""
MAX_REDIRECTS = 5
_KEPT = {False: ("Accept", "User-Agent"), True: ("Accept", "User-Agent", "Content-Type", "Origin", "Referer")}
"""The headers that go along with a redirect, by whether the form goes along."""

REJECTED = "PlanSo rejected the user name or the password. It is not tried again until somebody asks for it."
OnLogin = Callable[[bool], Awaitable[None]]


class SessionEnded(PlansoUnavailable):
    """The session ended before a save was sent: nothing was sent. Read the form again, which logs in, then save."""


@dataclass(frozen=True, slots=True)
class LoginStatus:
    """`last_login_at` is the last accepted login, in UTC."""

    state: Literal["unknown", "logged_in", "rejected"] = "unknown"
    last_login_at: datetime | None = None
    message: str = ""


SESSIONS = 8
"""So many sessions one request meets at most."""


class PlansoLogin(httpx2.Auth):
    """The session of one user at one PlanSo. `app` is the address of the login page."""

    def __init__(
        self, app: httpx2.URL, username: str, password: str, *, rejected: bool = False, on_login: OnLogin | None = None
    ) -> None:
        self._app = app
        self._username, self._password = username, password
        self._on_login = on_login
        self._lock = asyncio.Lock()
        self._cookies: httpx2.Cookies | None = None
        self._generation = 0
        self._served = 0
        self._failures = 0
        self._failure: Exception | None = None
        self.status = LoginStatus(state="rejected", message=REJECTED) if rejected else LoginStatus()

    def forget(self) -> None:
        """Drop the session and a remembered rejection: the next request logs in."""
        self._cookies = None
        self.status = LoginStatus(last_login_at=self.status.last_login_at)

    def cookie(self, name: str) -> str:
        """A cookie of the session, decoded as script reads it; empty where there is none. Raises SessionEnded."""
        if self._cookies is None:
            raise SessionEnded("PlanSo's session ended; nothing was sent")
        found = [cookie.value for cookie in self._cookies.jar if cookie.name == name and cookie.value]
        return unquote(found[-1]) if found else ""

    def failed(self, error: Exception) -> None:
        """A login broke off. Those who waited for it share its failure, instead of trying one after the other."""
        self._failures += 1
        self._failure = error

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """
        Raises LoginRejected, PlansoUnavailable; SessionEnded in a held slot without a session; PlansoUnsure for a save
        that is answered with the login page: PlanSo may have applied it all the same.

        A session that served somebody before it ended is worth another: with several requests in flight, a short one
        can end on the same request again and again. One that served nobody is no session.
        """
        unserved = 0
        for _ in range(SESSIONS):
            logged_in = False
            if not self._has_session():
                if request.extensions.get(STAYS):
                    raise SessionEnded("PlanSo's session ended; nothing was sent")
                failures = self._failures
                async with self._lock:
                    self._must_try(failures)
                    steps = self._steps(request)
                    step: httpx2.Request | None = None if self._has_session() else next(steps)
                    logged_in = step is not None
                    while step is not None:
                        answer = yield step
                        await answer.aread()
                        step = await self._next(steps, answer)
            if logged_in and request.extensions.get(LOGS_IN):
                return
            generation, cookies = self._generation, self._cookies
            _dress(request, cookies)
            response = yield request
            request.extensions[ANSWERED] = True
            await response.aread()
            if not self._is_ended(request, response):
                self._served = generation
                if cookies is not None and generation == self._generation:
                    cookies.extract_cookies(response)
                return
            if generation == self._generation:
                self._cookies = None
            if request.extensions.get(SAVES):
                raise PlansoUnsure("PlanSo answered with its login page; it may have been applied")
            if request.extensions.get(STAYS):
                raise SessionEnded("PlanSo ended the session; nothing was saved")
            unserved += self._served != generation
            if unserved > 1:
                break
        raise PlansoUnavailable("PlanSo answers with its login page although the login was accepted")

    def _has_session(self) -> bool:
        return self._cookies is not None

    def _must_try(self, failures: int) -> None:
        if self.status.state == "rejected":
            raise LoginRejected(self.status.message)
        if self._failures != failures and self._cookies is None and self._failure is not None:
            raise PlansoUnavailable(str(self._failure)) from self._failure

    def _is_ended(self, request: httpx2.Request, response: httpx2.Response) -> bool:
        """The login page, or a redirect of what is read. A redirect after a save may be how PlanSo says yes."""
        if not response.has_redirect_location:
            return is_login_page(response)
        redirect_target(response)
        return not request.extensions.get(SAVES)

    async def _next(
        self, steps: Generator[httpx2.Request, httpx2.Response, bool], answer: httpx2.Response
    ) -> httpx2.Request | None:
        """The login's next request, None when it is decided. Raises LoginRejected, PlansoUnavailable."""
        try:
            return steps.send(answer)
        except StopIteration as end:
            accepted: bool = end.value
        except PlansoUnavailable as error:
            self.failed(error)
            raise
        if accepted:
            self._generation += 1
            self.status = LoginStatus("logged_in", clock.now())
        else:
            self._cookies = None
            self.status = LoginStatus("rejected", self.status.last_login_at, REJECTED)
        if self._on_login is not None:
            await self._on_login(accepted)
        if not accepted:
            raise LoginRejected(REJECTED)
        return None

    def _steps(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, bool]:
        """
        Fetch the login page for its cookie, send the login form. Ends with whether it was accepted. The steps have
        the time limits of the request that needs the login.
        """
        cookies = httpx2.Cookies()
        limits = {"timeout": request.extensions.get("timeout", {}), LOGS_IN: True}
        headers = {"Accept": "text/html", "User-Agent": request.headers.get("User-Agent", "")}
        page = yield from _follow(httpx2.Request("GET", self._app, headers=headers, extensions=limits), cookies)
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
            "Origin": origin(self._app),
            "Referer": str(self._app),
        }
        body = urlencode(form, encoding=declared_charset(page), errors="xmlcharrefreplace").encode()
        step = httpx2.Request("POST", self._app, headers=headers, content=body, extensions=limits)
        answer = yield from _follow(step, cookies)
        if is_login_page(answer):
            return False
        self._cookies = cookies
        return True


def origin(url: httpx2.URL) -> str:
    return str(url.copy_with(raw_path=b"/")).rstrip("/")


def redirect_target(response: httpx2.Response) -> httpx2.URL:
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


def _dress(request: httpx2.Request, cookies: httpx2.Cookies | None) -> None:
    request.headers.pop("Cookie", None)
    if cookies is not None:
        cookies.set_cookie_header(request)


def _follow(
    request: httpx2.Request, cookies: httpx2.Cookies
) -> Generator[httpx2.Request, httpx2.Response, httpx2.Response]:
    """A page of the login, redirects followed on the same host. Raises PlansoUnavailable."""
    for _ in range(MAX_REDIRECTS + 1):
        _dress(request, cookies)
        response = yield request
        cookies.extract_cookies(response)
        if not response.has_redirect_location:
            if response.is_success:
                return response
            raise PlansoUnavailable(f"PlanSo's login page answered {response.status_code}")
        target = redirect_target(response)
        again = request.method == "POST" and response.status_code in (307, 308)
        request = httpx2.Request(
            request.method if again else "GET",
            target,
            headers={key: request.headers[key] for key in _KEPT[again] if key in request.headers},
            content=request.content if again else None,
            extensions=request.extensions,
        )
    raise PlansoUnavailable("PlanSo's login page redirects in a circle")
