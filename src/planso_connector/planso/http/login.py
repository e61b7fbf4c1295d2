"""
Log in to PlanSo: waiting requests share one attempt, and a rejected password is not retried automatically.

Source: the PlanSo protocol, section 1.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import urlencode

import httpx2

from planso_connector.domain import clock
from planso_connector.domain.errors import LoginRejected, PlansoUnavailable
from planso_connector.planso.http.decoding import form_charset, is_login_page
from planso_connector.planso.http.failure_reasons import describe_status
from planso_connector.planso.http.request_info import EXTENSION, RequestInfo
from planso_connector.planso.http.session import LoginCounter, PlansoSession, SessionLimit
from planso_connector.planso.http.urls import get_origin, resolve_redirect

MAX_REDIRECTS = 5
_REDIRECT_HEADERS = {
    False: ("Accept", "User-Agent"),
    True: ("Accept", "User-Agent", "Content-Type", "Origin", "Referer"),
}
"""The headers that are sent again after a redirect, by whether the form is sent again."""

REJECTED_MESSAGE = "PlanSo rejected the user name or the password. It is not tried again until somebody asks for it."
OnLogin = Callable[[bool], Awaitable[None]]
"""Awaited with whether PlanSo accepted the login."""
LoginFlow = Generator[httpx2.Request, httpx2.Response, httpx2.Cookies | None]


class SessionEnded(PlansoUnavailable):
    """The session ended before a save was sent, so nothing was sent. Read the form again, which logs in, then save."""


@dataclass(frozen=True, slots=True)
class LoginStatus:
    """`last_login_at`: the last accepted login, UTC. `decided_at`: when PlanSo last accepted or rejected one."""

    state: Literal["unknown", "logged_in", "rejected"] = "unknown"
    last_login_at: datetime | None = None
    message: str = ""
    decided_at: datetime | None = None


class Account:
    """One PlanSo user. Its sessions log in one at a time, under `lock`, and share the result, a failure too."""

    def __init__(
        self,
        login_url: httpx2.URL,
        username: str,
        password: str,
        *,
        rejected: bool = False,
        on_login: OnLogin | None = None,
        now: Callable[[], float] = time.monotonic,
        base_path: str = "",
    ) -> None:
        """`now`: a monotonic clock in seconds. `base_path`: of PlanSo's address; redirects lead nowhere else."""
        self.login_url = login_url
        self.base_path = base_path
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

    def record_failure(self, error: Exception) -> None:
        """Share the failure of a login with those who wait for it; else each would try for itself."""
        self.failure_count += 1
        self.last_failure = error

    async def record_decision(self, *, accepted: bool) -> None:
        """PlanSo answered the login form. Raises LoginRejected, which ends all sessions of the account."""
        now = clock.now()
        if accepted:
            self.login_counter.record_login(self.now())
            self.status = LoginStatus("logged_in", now, decided_at=now)
        else:
            for session in self.sessions:
                session.drop()
            self.status = LoginStatus("rejected", self.status.last_login_at, REJECTED_MESSAGE, now)
        if self._on_login is not None:
            await self._on_login(accepted)
        if not accepted:
            raise LoginRejected(REJECTED_MESSAGE)

    def login_flow(self, request: httpx2.Request) -> LoginFlow:
        """
        Yield the requests of a login: the login page for its cookie, then the form. Returns the session's cookies,
        None for a rejected login. The requests have the timeouts of `request`, which needs the login.
        """
        cookies = httpx2.Cookies()
        info = RequestInfo("login", is_login=True)
        extensions = {"timeout": request.extensions.get("timeout", {}), EXTENSION: info}
        headers = {"Accept": "text/html", "User-Agent": request.headers.get("User-Agent", "")}
        login_page = httpx2.Request("GET", self.login_url, headers=headers, extensions=extensions)
        page = yield from _follow_redirects(login_page, cookies, self.base_path)
        if not is_login_page(page):
            status = describe_status(page.status_code)
            raise PlansoUnavailable(
                f"the page at PlanSo's address ({status}) has no login form; nothing was sent to it"
            )
        form = {
            "system_login_username": self._username,
            "system_login_password": self._password,
            "user_lat": "",
            "user_lng": "",
            "user_accuracy": "",
        }
        headers |= {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": get_origin(self.login_url),
            "Referer": str(self.login_url),
        }
        body = urlencode(form, encoding=form_charset(page), errors="xmlcharrefreplace").encode()
        submit = httpx2.Request("POST", self.login_url, headers=headers, content=body, extensions=extensions)
        response = yield from _follow_redirects(submit, cookies, self.base_path)
        return None if is_login_page(response) else cookies


def _follow_redirects(
    request: httpx2.Request, cookies: httpx2.Cookies, base_path: str
) -> Generator[httpx2.Request, httpx2.Response, httpx2.Response]:
    """Returns the page behind redirects on PlanSo's address. Raises PlansoUnavailable."""
    for _ in range(MAX_REDIRECTS + 1):
        request.headers.pop("Cookie", None)
        cookies.set_cookie_header(request)
        response = yield request
        cookies.extract_cookies(response)
        if not response.has_redirect_location:
            if response.is_success:
                return response
            raise PlansoUnavailable(f"PlanSo's login page answered {describe_status(response.status_code)}")
        target = resolve_redirect(response, base_path)
        sends_form_again = request.method == "POST" and response.status_code in (307, 308)
        request = httpx2.Request(
            request.method if sends_form_again else "GET",
            target,
            headers={
                key: request.headers[key] for key in _REDIRECT_HEADERS[sends_form_again] if key in request.headers
            },
            content=request.content if sends_form_again else None,
            extensions=request.extensions,
        )
    raise PlansoUnavailable("PlanSo's login page redirects in a circle")
