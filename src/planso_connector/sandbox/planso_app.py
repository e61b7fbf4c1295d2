"""Handle `/app` and `/do`: sessions, the troubles of the knobs, the request log (protocol, sections 1 and 8)."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from planso_connector.sandbox import calls, login_page, save_response
from planso_connector.sandbox.forms import SaveRefusedError
from planso_connector.sandbox.hanging_requests import HangingRequests, NoResponse
from planso_connector.sandbox.php import (
    encode_json,
    encoded_json_response,
    group_by_name,
    html_response,
    json_response,
    parse_pairs,
)
from planso_connector.sandbox.session_records import Client
from planso_connector.sandbox.sessions import SessionStore
from planso_connector.sandbox.workshop import Workshop

COOKIE = "PHPSESSID"
MAX_REQUESTS = 20_000


@dataclass(frozen=True)
class LoggedRequest:
    """One request to `/do` or `/app` (`m` is "app" then).

    `status`: 0 for no response. `saving`: whether it is a save; reads have the same `submode`. `started`, `ended`:
    seconds of the monotonic clock. `version`: the workshop's when it was read or saved, None where it was neither.
    `heard`: whether the client was still connected then. `session`: the id that the client sent, or got in response,
    "" for none. `client`: its address. `process`: its process id, None for unknown.
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
    session: str
    client: str
    process: int | None


class PlansoApp:
    """The handlers of `/app` and `/do`."""

    def __init__(self, workshop: Workshop, *, keeps_board: bool = False, max_requests: int = MAX_REQUESTS) -> None:
        """`keeps_board`: the encoded board is kept until the workshop changes, also while its orders are let go."""
        self.workshop = workshop
        self.installation = workshop.installation
        self.sessions = SessionStore(workshop.installation)
        self.hanging_requests = HangingRequests()
        self.requests: deque[LoggedRequest] = deque(maxlen=max_requests)
        self.in_flight = 0
        self.in_flight_peak = 0
        self._dice = random.Random(0)
        self._locks: dict[str, asyncio.Lock] = {}
        self._keeps_board = keeps_board
        self._board: tuple[int, bytes] | None = None
        """The workshop's version and its encoded board then."""

    async def handle_app(self, request: Request) -> ASGIApp:
        """`GET /app` opens a session and shows the login page, `POST /app` logs in."""
        started = monotonic()
        body = await request.body()
        async with self._session_turn(request):
            await self._delay()
            session_id, response = self._page_or_failure(request, body)
        client = _client(request)
        entry = LoggedRequest(
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
            session=session_id,
            client=client.address,
            process=client.process,
        )
        self._log(entry, client)
        return response

    @asynccontextmanager
    async def _session_turn(self, request: Request) -> AsyncIterator[None]:
        """With the knob `session_lock`, wait for the session's other requests."""
        cookie = request.cookies.get(COOKIE)
        if cookie is None or not self.workshop.knobs.session_lock:
            yield
            return
        async with self._locks.setdefault(cookie, asyncio.Lock()):
            yield

    def _page_or_failure(self, request: Request, body: bytes) -> tuple[str, Response]:
        """The session's id, and the response."""
        with self.workshop.lock:
            if self.workshop.knobs.count_down("fail_app_next"):
                return request.cookies.get(COOKIE, ""), self._proxy_failure()
            return self._page(request, body)

    def _page(self, request: Request, body: bytes) -> tuple[str, Response]:
        session_id, is_new = self.sessions.start(request.cookies.get(COOKIE))
        response = self._log_in(session_id, body) if request.method == "POST" else self._start(session_id)
        if is_new:
            response.set_cookie(COOKIE, session_id, path="/", httponly=True, samesite="lax")
        return session_id, response

    def _start(self, session_id: str) -> Response:
        if self.sessions.is_logged_in(session_id):
            token = self.sessions.token(session_id)
            style = self.workshop.knobs.save_style
            page = login_page.render_start_page(self.installation, style, self.workshop.save_calls(), token)
            response = html_response(page, self.installation)
            if style.shows_token("cookie"):
                response.set_cookie(style.token_source, token, path="/", samesite="lax")
            return response
        return html_response(login_page.render_login_page(), self.installation)

    def _log_in(self, session_id: str, body: bytes) -> Response:
        form = group_by_name(parse_pairs(body))
        username = form.get("system_login_username", [""])[-1]
        password = form.get("system_login_password", [""])[-1]
        why_not = self.sessions.log_in(session_id, username, password, self.workshop.knobs)
        if why_not:
            return html_response(login_page.render_login_page(why_not, username), self.installation)
        if self.installation.login_redirects:
            return RedirectResponse("/app?m=start", 302)
        return self._start(session_id)

    async def handle_do(self, request: Request) -> ASGIApp:
        """Every `/do?m=...`."""
        started = monotonic()
        self.in_flight += 1
        self.in_flight_peak = max(self.in_flight_peak, self.in_flight)
        try:
            body, style = await request.body(), self.workshop.knobs.save_style
            templates = self.workshop.save_calls()
            path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
            call = calls.parse_call(style, templates, path, request.query_params, request.headers, body)
            async with self._session_turn(request):
                await self._delay(self.workshop.knobs.save_latency if call.saves else 0.0)
                is_connected = not await request.is_disconnected()
                with self.workshop.lock:
                    is_too_late = call.saves and monotonic() - started > self.workshop.knobs.saves_within
                    trouble = self._proxy_failure() if is_too_late else self._find_trouble(request, call)
                    version = self.workshop.version if trouble is None else None
                    response = trouble if trouble is not None else self._answer(request, call)
        finally:
            self.in_flight -= 1
        client = _client(request)
        entry = LoggedRequest(
            method=request.method,
            m=call.m,
            submode=call.submode,
            order_id=call.order_id,
            status=response.status_code if isinstance(response, Response) else 0,
            saving=call.saves,
            started=started,
            ended=monotonic(),
            version=version,
            heard=is_connected,
            session=request.cookies.get(COOKIE, ""),
            client=client.address,
            process=client.process,
        )
        self._log(entry, client)
        return response

    def _find_trouble(self, request: Request, call: calls.PlansoCall) -> ASGIApp | None:
        """The response where the request is not processed; None where it is."""
        knobs = self.workshop.knobs
        if knobs.count_down("fail_next") or (call.saves and knobs.count_down("fail_saves_next")):
            return self._proxy_failure()
        if knobs.count_down("hang_next"):
            return NoResponse(self.hanging_requests, hang=True)
        cookie = request.cookies.get(COOKIE)
        if call.m == "logout":
            self.sessions.log_out(cookie)
            return html_response(login_page.render_login_page(), self.installation)
        if not self.sessions.count_request(cookie, knobs):
            return html_response(login_page.render_login_page(), self.installation)
        if knobs.count_down("html_for_json_next"):
            return html_response(login_page.render_maintenance_page(), self.installation)
        return None

    def _answer(self, request: Request, call: calls.PlansoCall) -> ASGIApp:
        token, style = self.sessions.token(request.cookies.get(COOKIE)), self.workshop.knobs.save_style
        if call.m == calls.BOARD and not call.saves:
            return encoded_json_response(self._encode_board(call), self.installation)
        if not call.saves:
            answer = calls.answer_read(self.workshop, call)
            if call.m == calls.FORM and style.shows_token("member"):
                answer[style.token_source] = token
            return json_response(answer, self.installation)
        answered = self._save(call, token)
        return self._lose_response() if self.workshop.knobs.count_down("lose_answers_next") else answered

    def _encode_board(self, call: calls.PlansoCall) -> bytes:
        version = self.workshop.version
        is_kept = self._board is not None and self._board[0] == version
        if self._board is not None and is_kept and not self.workshop.knobs.archive_after_next_list:
            return self._board[1]
        body = encode_json(calls.answer_read(self.workshop, call), self.installation)
        self._board = (version, body) if self._keeps_board else None
        return body

    def _save(self, call: calls.PlansoCall, token: str) -> Response:
        knobs = self.workshop.knobs
        try:
            action, order_id = calls.apply_save(self.workshop, call, token)
        except SaveRefusedError as refusal:
            return save_response.refusal_response(self.installation, knobs.save_style, str(refusal))
        if knobs.count_down("applied_but_next"):
            return self._disguised(knobs.applied_but)
        if action == "insert" and knobs.insert_names is not None:
            order_id = knobs.insert_names
        form = self.workshop.form_answer(order_id) if knobs.save_style.answer == "form" else {}
        return save_response.success_response(self.installation, knobs.save_style, action, order_id, form)

    def _disguised(self, how: str) -> Response:
        """The response to an applied save that looks as if it were not."""
        match how:
            case "login_page":
                return html_response(login_page.render_login_page(), self.installation)
            case "redirect_app":
                return RedirectResponse("/app", 302)
            case "html":
                return html_response(login_page.render_maintenance_page(), self.installation)
            case "refuse":
                style = self.workshop.knobs.save_style
                return save_response.refusal_response(self.installation, style, "Speichern fehlgeschlagen.")
            case _:
                return html_response(login_page.render_proxy_page(int(how)), self.installation, int(how))

    def _lose_response(self) -> ASGIApp:
        how = self.workshop.knobs.lose_answers_by
        if how == "504":
            return html_response(login_page.render_proxy_page(504), self.installation, 504)
        return NoResponse(self.hanging_requests, hang=how == "hang")

    def _proxy_failure(self) -> Response:
        status = self.workshop.knobs.fail_status
        return html_response(login_page.render_proxy_page(status), self.installation, status)

    async def _delay(self, more: float = 0.0) -> None:
        knobs = self.workshop.knobs
        seconds = more + knobs.latency + (self._dice.uniform(0, knobs.jitter) if knobs.jitter else 0)
        if seconds > 0:
            await self.hanging_requests.sleep(seconds)

    def _log(self, entry: LoggedRequest, client: Client) -> None:
        with self.workshop.lock:
            self.requests.append(entry)
            is_issued = entry.session in self.sessions.issued_ids
            self.sessions.records.record_request(entry.session, client, entry.started, entry.ended, is_issued=is_issued)


def _client(request: Request) -> Client:
    address = f"{request.client.host}:{request.client.port}" if request.client is not None else ""
    return Client(address, request.scope.get("planso.process"), request.headers.get("user-agent", ""))
