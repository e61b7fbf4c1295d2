"""
PlanSo's calls: what is sent, what may come back, and which error that is. Source: the PlanSo protocol.

Texts of errors name the page and the order, never a cookie, a password or a customer's data.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import httpx2

from planso_connector import __version__
from planso_connector.domain import clock
from planso_connector.domain.errors import (
    LoginRejected,
    PageChanged,
    PageTooLarge,
    PlansoError,
    PlansoTimeout,
    PlansoUnavailable,
    PlansoUnsure,
)
from planso_connector.domain.order import BoardEntry, PartsReading
from planso_connector.planso.http.bounded_response import (
    ACCEPT_ENCODING,
    BOARD_SIZE_FACTOR,
    LargeResponseLimit,
    LargeResponseSlot,
    ResponseTooLarge,
    read_bounded,
)
from planso_connector.planso.http.connection import parse_base_url, to_planso_error
from planso_connector.planso.http.decoding import (
    MAX_BOARD_JSON_VALUES,
    MAX_JSON_VALUES,
    NotJson,
    TooManyJsonValues,
    decode_response,
    parse_json,
)
from planso_connector.planso.http.login import (
    HOLDS_SLOT,
    IS_LOGIN,
    IS_SAVE,
    RESPONSE_STARTED,
    SENT_AT,
    Account,
    LoginStatus,
    OnLogin,
    SessionAuth,
    SessionEnded,
    origin,
)
from planso_connector.planso.http.outcome import (
    OnExchange,
    PlansoHealth,
    RequestOutcome,
    classify_status,
    classify_transport_error,
)
from planso_connector.planso.http.parser_thread import run_parser
from planso_connector.planso.http.session_pair import SessionPair
from planso_connector.planso.http.throttle import Throttle, parse_retry_after
from planso_connector.planso.pages.board import parse_board
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form import Form, FormMissing
from planso_connector.planso.pages.parts import parse_parts
from planso_connector.planso.pages.redact import redact_content
from planso_connector.planso.pages.tabs import ParsedTab, parse_tab, tab_parameters
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.encoding import EncodedRequest, encode_save
from planso_connector.planso.saving.pairs import select_pairs
from planso_connector.planso.saving.save_response import find_new_order_id, parse_save_response
from planso_connector.planso.saving.save_style import SaveStyle
from planso_connector.planso.saving.tokens import extract_page_values

T = TypeVar("T")
OnPageChanged = Callable[[PageChanged, int | None], Awaitable[None]]
"""Awaited with what can't be read and the order it is of, before the error is raised."""

_CONNECTION_LOST = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
_PAGE = "planso_page"
"""The request's extension that names the kind of page, each of which has its own usual latency."""

_MOST = "planso_most"
"""The request's extension that says how many bytes its answer may have, where that is not the usual number."""

MAX_RESPONSE_BYTES = 4_000_000
"""Of one answer, unless told otherwise."""

TOTAL_TIMEOUT_FACTOR = 2
"""A page may take so many times the timeout in all, which by itself starts anew with each byte."""


@dataclass(frozen=True, slots=True)
class _RequestedPage:
    """A page in words, its kind as PageChanged names it, and its order."""

    words: str
    kind: str
    order_id: int | None = None


class PlansoClient:
    """
    One PlanSo installation, with up to two sessions of one user. `timeout` in seconds, for each step of a request.
    `max_answer`: bytes of an answer, the list of orders aside, which may have LIST_TIMES as many.

    `already_rejected`: the password was rejected before this process began, so nothing is sent until `log_in`.
    `on_login` is awaited with the outcome of each login that PlanSo decided; `on_exchange` is told of each request.
    """

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        profile: Profile,
        *,
        throttle: Throttle,
        timeout: float = 30.0,
        max_answer: int = MAX_RESPONSE_BYTES,
        already_rejected: bool = False,
        on_login: OnLogin | None = None,
        on_exchange: OnExchange | None = None,
    ) -> None:
        """Raises ValueError for an address that is none."""
        base = parse_base_url(url, profile.paths.app)
        self.request_count = 0
        self.health = PlansoHealth(clock.now, profile.page_kinds, on_exchange)
        self.on_page_changed: OnPageChanged | None = None
        self._timeout, self._whole_page = timeout, TOTAL_TIMEOUT_FACTOR * timeout
        self._max_answer = max_answer
        self._profile = profile
        self.throttle = throttle
        self._room = LargeResponseLimit()
        self._base = base
        self._app = httpx2.URL(base + profile.paths.app)
        self._do = httpx2.URL(base + profile.paths.do)
        self._account = Account(self._app, username, password, rejected=already_rejected, on_login=on_login)
        self.sessions = SessionPair(self._account)
        self._credentials = (username, password)
        self._rejected: set[bytes] = set()
        self._salt = secrets.token_bytes(16)
        self._trying = asyncio.Lock()

    @cached_property
    def _client(self) -> httpx2.AsyncClient:
        """Made when PlanSo is first asked: to load what it needs takes a tenth of the time that a start takes."""
        limits = httpx2.Limits(
            max_connections=self.throttle.concurrency, max_keepalive_connections=self.throttle.concurrency
        )
        return httpx2.AsyncClient(
            headers={"User-Agent": f"planso-connector/{__version__}", "Accept-Encoding": ACCEPT_ENCODING},
            timeout=self._timeout,
            follow_redirects=False,
            limits=limits,
            event_hooks={"request": [self._count]},
        )

    async def _count(self, request: httpx2.Request) -> None:
        self.request_count += 1
        request.extensions[SENT_AT] = self._account.now()

    @property
    def _login(self) -> SessionAuth:
        return self.sessions.current

    @property
    def max_request_seconds(self) -> float:
        """Seconds after which a request has ended, one way or another, on our side."""
        return self._whole_page

    @property
    def login_status(self) -> LoginStatus:
        return self._account.status

    async def aclose(self) -> None:
        if "_client" in vars(self):
            await self._client.aclose()

    # -- reading

    async def read_board(self) -> list[BoardEntry]:
        """All current orders. Raises PlansoUnavailable, LoginRejected, PageChanged, as every reading call does."""
        call = {"m": self._profile.calls.board, "filterID": ""}
        return await self._read("POST", call, _RequestedPage("the list of orders", "list"), parse_board)

    async def read_form(self, order_id: int) -> Form:
        """The form as it is now. That of an unknown order is blank (`is_blank`), or PageChanged."""
        return await self._form("update", order_id, f"the form of order {order_id}")

    async def read_blank_form(self) -> Form:
        """The form of an order to be."""
        return await self._form("insert", None, "the empty form")

    async def _form(self, submode: str, order_id: int | None, page: str) -> Form:
        def parse(answer: Any) -> Form:
            form = Form.parse(_require_object(answer, page), self._profile, order_id)
            if order_id is None and not form.labels:
                raise PageChanged(f"{page} holds nothing at all")
            form.read_fields()  # here, because it takes long on a large form
            return form

        return await self._read(
            "POST", self._form_call(submode, order_id), _RequestedPage(page, "form", order_id), parse
        )

    async def read_parts(self, order_id: int) -> PartsReading:
        page = f"the parts of order {order_id}"
        call = {"m": self._profile.calls.parts, "ID": str(order_id)}
        words = self._profile.parts
        return await self._read(
            "GET",
            call,
            _RequestedPage(page, "parts", order_id),
            lambda a: parse_parts(_require_object(a, page), words, order_id),
        )

    @property
    def tab_names(self) -> tuple[str, ...]:
        """The names of the order's other tabs."""
        return tuple(self._profile.calls.tabs)

    async def read_tab(self, name: str, order_id: int) -> ParsedTab:
        """One of the order's other tabs, by its name in `tabs`."""
        asked = _RequestedPage(f"the tab {name} of order {order_id}", name, order_id)
        call = tab_parameters(name, self._profile.calls.tabs, order_id)
        return await self._read("GET", call, asked, lambda answer: parse_tab(name, answer))

    @asynccontextmanager
    async def hold_slot(self) -> AsyncIterator[None]:
        """
        A reading and a save in here follow each other without waiting. A session that ended is not renewed in here:
        every call raises SessionEnded then.
        """
        async with self._login.protect_save(), self.throttle.hold_slot():
            yield

    # -- saving: never sent twice, never resumed by itself

    async def save(self, form: Form, plan: ChangePlan, style: SaveStyle | None = None) -> None:
        """
        Send the form with the plan's changes, in this style or as the profile says. That PlanSo says yes proves
        nothing, nor does a no: read the form again.

        Raises SessionEnded and PlansoUnavailable (nothing was sent), PlansoUnsure (it may have been applied),
        PlansoRefused, LoginRejected.
        """
        if form.order_id is None:
            raise ValueError("a form without an order is saved by `create`")
        await self._save("update", form.order_id, form, plan, f"the save of order {form.order_id}", style)

    async def create(self, blank: Form, plan: ChangePlan) -> int:
        """The new order's id. Raises as `save` does; PlansoUnsure too where the answer names no id."""
        page = "the new order"
        response, answer = await self._save("insert", None, blank, plan, page)
        order_id = find_new_order_id(answer, response.headers.get("location", ""), self._profile.save.answer)
        if order_id is None:
            where = self._profile.save.answer.new_id or "dataID"
            raise PlansoUnsure(f"{page}: PlanSo's answer names no id ({where})")
        return order_id

    async def delete(self, order_id: int, form: Form | None = None) -> None:
        """`form`: as it was just read; read here where a token is needed from it. Raises as `save` does."""
        if form is None and any(token.origin in ("form", "answer") for token in self._profile.save.tokens):
            form = await self.read_form(order_id)
        await self._save("delete", order_id, form, None, f"the deletion of order {order_id}")

    # -- the session

    async def log_in(self) -> None:
        """
        Log in anew, once, whatever was remembered. Raises LoginRejected, PlansoUnavailable.
        """
        login = self._login
        login.reset()
        await self._only_login(login)

    async def try_credentials(self, username: str, password: str, begun_within: float | None = None) -> None:
        """
        Whether PlanSo takes them; the session stays as it is. One try after the other; one that can't begin within so
        many seconds is not sent. Raises LoginRejected, PlansoUnavailable.

        What PlanSo rejected once is not sent a second time by this process: an account can be locked.
        """
        async with self._next_try(begun_within):
            mark = hashlib.blake2b(f"{username}\0{password}".encode("utf-8", "surrogatepass"), key=self._salt).digest()
            known = (username, password) == self._credentials and self.login_status.state == "rejected"
            if known or mark in self._rejected:
                raise LoginRejected("PlanSo rejected this user name and password before; they were not sent again")
            visit = SessionAuth(Account(self._app, username, password))
            try:
                await self._only_login(visit)
            except LoginRejected:
                self._rejected.add(mark)
                raise LoginRejected("PlanSo rejected the user name or the password") from None
            await self._leave(visit)

    @asynccontextmanager
    async def _next_try(self, within: float | None) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(within):
                await self._trying.acquire()
        except TimeoutError:
            raise PlansoTimeout(f"other logins were tried for {within or 0:g} s; this one was not sent") from None
        try:
            yield
        finally:
            self._trying.release()

    async def _only_login(self, login: SessionAuth) -> None:
        request = self._client.build_request("GET", self._app, extensions={IS_LOGIN: True})
        await self._exchange(request, login, "the login page")

    async def _leave(self, visit: SessionAuth) -> None:
        """Log out of a session that nobody needs. It ends by itself where that fails; the answer may be any page."""
        call = {"m": self._profile.calls.logout}
        request = self._client.build_request("GET", self._do, params=call, extensions={IS_SAVE: True})
        try:
            await self._exchange(request, visit, "the logout")
        except PlansoError:
            return

    # -- requests

    def _form_call(self, submode: str, order_id: int | None) -> dict[str, str]:
        return {
            "m": self._profile.calls.form,
            "tableID": str(self._profile.table_id),
            "submode": submode,
            "dataID": "" if order_id is None else str(order_id),
            "call_back_class": self._profile.calls.form_call_back_class,
            "callback": "",
        }

    def _headers(self, method: str) -> dict[str, str]:
        headers = {
            "X-Requested-With": "XMLHttpRequest",
            "Accept": "application/json, text/javascript, */*; q=0.01",
            "Referer": str(self._app),
        }
        return headers if method == "GET" else {**headers, "Origin": origin(self._app)}

    def _request(self, method: str, call: Mapping[str, str]) -> httpx2.Request:
        most = self._max_answer * (BOARD_SIZE_FACTOR if call["m"] == self._profile.calls.board else 1)
        return self._client.build_request(
            method,
            self._do,
            params=call,
            headers=self._headers(method),
            extensions={IS_SAVE: False, _MOST: most, _PAGE: f"{call['m']} {call.get('submode', '')}"},
        )

    async def _read(self, method: str, call: Mapping[str, str], asked: _RequestedPage, parse: Callable[[Any], T]) -> T:
        """The answer's JSON as `parse` reads it. A page that is not what it was is handed to `on_page_changed`."""
        try:
            async with self._room.slot() as place:
                response = await self._answer(method, call, asked.words, place)
                return await run_parser(len(response.content), lambda: _parse_response(response, asked, parse))
        except FormMissing:
            raise
        except PageChanged as error:
            error.page = asked.kind
            if self.on_page_changed is not None:
                await self.on_page_changed(error, asked.order_id)
            raise

    async def _answer(
        self, method: str, call: Mapping[str, str], page: str, place: LargeResponseSlot | None = None
    ) -> httpx2.Response:
        """Sent once more where the connection died before the answer began."""
        request = self._request(method, call)
        try:
            response = await self._exchange(request, self._login, page, place, forgiving=True)
        except PlansoUnavailable as error:
            if not isinstance(error.__cause__, _CONNECTION_LOST) or request.extensions.get(RESPONSE_STARTED):
                raise
            if error.__cause__.request is not request:
                raise
            response = await self._exchange(self._request(method, call), self._login, page, place)
        await asyncio.sleep(0)  # who waits for the slot sends its request before this answer takes our time
        if not response.is_success:
            raise PlansoUnavailable(f"{page}: PlanSo answered {response.status_code}")
        return response

    async def _save(
        self,
        action: str,
        order_id: int | None,
        form: Form | None,
        plan: ChangePlan | None,
        page: str,
        style: SaveStyle | None = None,
    ) -> tuple[httpx2.Response, Any]:
        """The answer and its JSON, unless it is a refusal or proves nothing."""
        style = style or self._profile.save
        pairs = select_pairs(form, plan, style) if form is not None and plan is not None else None
        tokens = await self._tokens(form, page)
        encoded = encode_save(pairs, style, action, order_id, self._profile.table_id, tokens)
        async with self._room.slot() as place:
            response = await self._exchange(self._save_request(encoded, action), self._login, page, place)
            return response, await run_parser(
                len(response.content), lambda: parse_save_response(response, style.answer, page)
            )

    async def _tokens(self, form: Form | None, page: str) -> dict[str, str]:
        """The tokens of the profile, by name. Raises PlansoUnavailable where one can't be found; nothing was sent."""
        found: dict[str, str] = dict(form.tokens) if form is not None else {}
        pages: dict[str, dict[tuple[str, str], str]] = {}
        for token in self._profile.save.tokens:
            if token.origin == "cookie":
                found[token.name] = self._login.read_cookie(token.key)
            elif token.origin in ("meta", "input"):
                if token.page not in pages:
                    pages[token.page] = await self._page_values(token.page)
                found[token.name] = pages[token.page].get((token.origin, token.key), "")
            if not found.get(token.name):
                missing = f"PlanSo's {token.origin} '{token.key}', which a save needs, was not found"
                raise PlansoUnavailable(f"{page}: {missing}; nothing was sent")
        return found

    async def _page_values(self, path: str) -> dict[tuple[str, str], str]:
        what = "the page that a save's token stands on"
        url = httpx2.URL(self._base + path)
        request = self._client.build_request("GET", url, headers={"Accept": "text/html"}, extensions={_PAGE: "app"})
        async with self._room.slot() as place:
            response = await self._exchange(request, self._login, what, place)
            if not response.is_success:
                raise PlansoUnavailable(f"{what}: PlanSo answered {response.status_code}; nothing was sent")
            return await run_parser(len(response.content), lambda: extract_page_values(decode_response(response)))

    def _save_request(self, encoded: EncodedRequest, action: str) -> httpx2.Request:
        return self._client.build_request(
            encoded.method,
            httpx2.URL(self._base + encoded.path),
            params=list(encoded.query),
            headers={**self._headers(encoded.method), **encoded.headers},
            content=encoded.body or None,
            extensions={IS_SAVE: True, _PAGE: f"save {action}"},
        )

    async def _exchange(
        self,
        request: httpx2.Request,
        login: SessionAuth,
        page: str,
        place: LargeResponseSlot | None = None,
        *,
        forgiving: bool = False,
    ) -> httpx2.Response:
        """
        Send a request within the session, and sort what goes wrong on the way. `place` is for its answer; logins, one
        at a time, need none, as who holds one may wait for them. `forgiving`: a connection that dies before the answer
        began was an idle one that a proxy closed, and no sign of overload.
        """
        saves = bool(request.extensions.get(IS_SAVE))
        request.extensions[HOLDS_SLOT] = self.throttle.is_slot_held
        flow = login.async_auth_flow(request)
        try:
            step = await anext(flow)
            while True:
                is_asked = step is request
                response = await self._one(step, place if is_asked else None, forgiving=forgiving and is_asked)
                try:
                    step = await flow.asend(response)
                except StopAsyncIteration:
                    return response
                if place is not None:  # the next request may wait for a slot that somebody holds who waits for a place
                    place.release()
        except SessionEnded as error:
            raise SessionEnded(f"{page}: {error}") from error
        except PlansoTimeout as error:
            raise PlansoTimeout(f"{page}: {error}") from error
        except PlansoUnsure as error:
            raise PlansoUnsure(f"{page}: {error}", is_over=error.is_over) from error
        except PlansoUnavailable as error:
            if saves and request.extensions.get(RESPONSE_STARTED):
                raise PlansoUnsure(f"{page}: {error}") from error
            raise PlansoUnavailable(f"{page}: {error}") from error
        except httpx2.RequestError as error:
            if not error.request.extensions.get(IS_LOGIN):
                raise to_planso_error(error, page, saves=saves) from error
            at_login = to_planso_error(error, "the login page", saves=False)
            login.account.record_failure(at_login)
            raise at_login from error
        finally:
            await flow.aclose()

    async def _one(
        self, request: httpx2.Request, place: LargeResponseSlot | None, *, forgiving: bool
    ) -> httpx2.Response:
        """One request in one slot, its answer read. A login goes before reads as a save does: all wait for it."""
        extensions = request.extensions
        async with self.throttle.slot(urgent=bool(extensions.get(IS_SAVE) or extensions.get(IS_LOGIN))) as attempt:
            began = time.perf_counter()
            outcome: RequestOutcome | None = None
            try:
                async with asyncio.timeout(self._whole_page):
                    response = await self._client.send(request, stream=True)
                    extensions[RESPONSE_STARTED] = True
                    response = await read_bounded(response, extensions.get(_MOST, self._max_answer), place)
                outcome = classify_status(response.status_code)
            except TimeoutError as error:
                attempt.record_failure()
                outcome = RequestOutcome.TIMEOUT
                raise httpx2.ReadTimeout("the page came too slowly", request=request) from error
            except ResponseTooLarge:
                outcome = RequestOutcome.TOO_LARGE
                raise
            except httpx2.TransportError as error:
                if not (forgiving and isinstance(error, _CONNECTION_LOST) and not extensions.get(RESPONSE_STARTED)):
                    attempt.record_failure()
                    outcome = classify_transport_error(error)
                raise
            finally:
                if outcome is not None:
                    self.health.record(request, outcome, time.perf_counter() - began)
            headers = response.headers
            attempt.record_response(
                response.status_code,
                f"{request.method} {extensions.get(_PAGE, 'login')}",
                parse_retry_after(headers.get("Retry-After"), headers.get("Date")),
            )
            return response


def _parse_response(response: httpx2.Response, asked: _RequestedPage, parse: Callable[[Any], T]) -> T:
    """Raises PageChanged, whose content is what came, without what it says of customers."""
    try:
        try:
            return parse(parse_json(response, MAX_BOARD_JSON_VALUES if asked.kind == "list" else MAX_JSON_VALUES))
        except TooManyJsonValues as error:
            raise PageTooLarge(f"{asked.words}: {error}") from error
        except PageTooLarge as error:
            raise PageTooLarge(f"{asked.words}: {error}") from error
        except RecursionError as error:
            raise PageTooLarge(f"{asked.words} is nested too deeply to be one") from error
        except NotJson as error:
            told = f"{asked.words}: PlanSo answered with something else than the JSON that it promises"
            raise PageChanged(told) from error
    except FormMissing:
        raise
    except PageChanged as error:
        error.content = "" if isinstance(error, PageTooLarge) else redact_content(decode_response(response))
        raise


def _require_object(answer: Any, page: str) -> Mapping[str, Any]:
    if isinstance(answer, Mapping):
        return answer
    raise PageChanged(f"{page}: PlanSo answered with JSON that is not an object")
