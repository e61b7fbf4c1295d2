"""`/app` and `/do` over HTTP: sessions, bad days, and what was asked (protocol, sections 1 and 8)."""

import asyncio
import random
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from planso_connector.sandbox import calls, login_page
from planso_connector.sandbox.openings import Openings, Unanswered
from planso_connector.sandbox.php import html_answer, json_answer, read_form
from planso_connector.sandbox.sessions import Sessions
from planso_connector.sandbox.workshop import Workshop

COOKIE = "PHPSESSID"
_KEPT_REQUESTS = 20_000


@dataclass(frozen=True)
class RequestLog:
    """One `/do` or `/app` request (`m` is then `"app"`). `status` 0 means that it got no answer.

    `saving` tells a save from a read, which share their `submode`; `started` and `ended` are seconds of a steady clock.
    `version` is the workshop's that was shown or saved upon, None where neither was done; `heard`, whether the client
    was still there by then.
    """

    method: str
    m: str
    submode: str
    order_id: int | None
    status: int
    saving: bool
    started: float
    ended: float
    version: int | None
    heard: bool


class PlansoApp:
    """The handlers of `/app` and `/do`."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.installation = workshop.installation
        self.sessions = Sessions(workshop.installation)
        self.openings = Openings()
        self.requests: deque[RequestLog] = deque(maxlen=_KEPT_REQUESTS)
        self.in_flight = 0
        self.in_flight_peak = 0
        self._dice = random.Random(0)
        self._session_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def app(self, request: Request) -> ASGIApp:
        """`GET /app` opens a session and shows the login page, `POST /app` logs in."""
        started, knobs = monotonic(), self.workshop.knobs
        body = await request.body()
        await self._slowly()
        with self.workshop.lock:
            fails = knobs.take("fail_app_next")
            response = self._proxy_failure() if fails else self._page(request, body)
        told = RequestLog(
            method=request.method,
            m="app",
            submode="",
            order_id=None,
            status=response.status_code,
            saving=False,
            started=started,
            ended=monotonic(),
            version=None,
            heard=True,
        )
        self._log(told)
        return response

    def _page(self, request: Request, body: bytes) -> Response:
        session_id, is_new = self.sessions.start(request.cookies.get(COOKIE))
        response = self._logged_in(session_id, body) if request.method == "POST" else self._start(session_id)
        if is_new:
            response.set_cookie(COOKIE, session_id, path="/", httponly=True, samesite="lax")
        return response

    def _start(self, session_id: str) -> Response:
        if self.sessions.logged_in(session_id):
            return html_answer(login_page.start_page(self.installation.username), self.installation)
        return html_answer(login_page.login_page(), self.installation)

    def _logged_in(self, session_id: str, body: bytes) -> Response:
        form = read_form(body)
        username = form.get("system_login_username", [""])[-1]
        password = form.get("system_login_password", [""])[-1]
        why_not = self.sessions.log_in(session_id, username, password, self.workshop.knobs)
        if why_not:
            return html_answer(login_page.login_page(why_not, username), self.installation)
        if self.installation.login_redirects:
            return RedirectResponse("/app?m=start", 302)
        return self._start(session_id)

    async def do(self, request: Request) -> ASGIApp:
        """Every `/do?m=...`."""
        started = monotonic()
        self.in_flight += 1
        self.in_flight_peak = max(self.in_flight_peak, self.in_flight)
        try:
            call = calls.Call(dict(request.query_params), read_form(await request.body()))
            async with self._session_lock(request):
                await self._slowly(self.workshop.knobs.save_latency if call.saves else 0.0)
                heard = not await request.is_disconnected()
                with self.workshop.lock:
                    is_too_late = call.saves and monotonic() - started > self.workshop.knobs.saves_within
                    trouble = self._proxy_failure() if is_too_late else self._trouble(request, call)
                    version = self.workshop.version if trouble is None else None
                    response = trouble if trouble is not None else self._answer(call)
        finally:
            self.in_flight -= 1
        told = RequestLog(
            method=request.method,
            m=call.m,
            submode=call.submode,
            order_id=call.order_id,
            status=response.status_code if isinstance(response, Response) else 0,
            saving=call.saves,
            started=started,
            ended=monotonic(),
            version=version,
            heard=heard,
        )
        self._log(told)
        return response

    @asynccontextmanager
    async def _session_lock(self, request: Request) -> AsyncIterator[None]:
        """With the knob `session_lock`, one request of a session at a time."""
        cookie = request.cookies.get(COOKIE)
        if cookie is None or not self.workshop.knobs.session_lock:
            yield
            return
        async with self._session_locks[cookie]:
            yield

    def _trouble(self, request: Request, call: calls.Call) -> ASGIApp | None:
        """What is answered instead of doing what was asked."""
        knobs = self.workshop.knobs
        if knobs.take("fail_next") or (call.saves and knobs.take("fail_saves_next")):
            return self._proxy_failure()
        if knobs.take("hang_next"):
            return Unanswered(self.openings, hang=True)
        cookie = request.cookies.get(COOKIE)
        if call.m == "logout":
            self.sessions.log_out(cookie)
            return html_answer(login_page.login_page(), self.installation)
        if not self.sessions.use(cookie, knobs):
            return html_answer(login_page.login_page(), self.installation)
        if knobs.take("html_for_json_next"):
            return html_answer(login_page.maintenance_page(), self.installation)
        return None

    def _answer(self, call: calls.Call) -> ASGIApp:
        answered = json_answer(calls.answer(self.workshop, call), self.installation)
        return self._lost() if call.saves and self.workshop.knobs.take("lose_answers_next") else answered

    def _lost(self) -> ASGIApp:
        how = self.workshop.knobs.lose_answers_by
        if how == "504":
            return html_answer(login_page.proxy_page(504), self.installation, 504)
        return Unanswered(self.openings, hang=how == "hang")

    def _proxy_failure(self) -> Response:
        status = self.workshop.knobs.fail_status
        return html_answer(login_page.proxy_page(status), self.installation, status)

    async def _slowly(self, more: float = 0.0) -> None:
        knobs = self.workshop.knobs
        seconds = more + knobs.latency + (self._dice.uniform(0, knobs.jitter) if knobs.jitter else 0)
        if seconds > 0:
            await self.openings.pause(seconds)

    def _log(self, entry: RequestLog) -> None:
        with self.workshop.lock:
            self.requests.append(entry)
