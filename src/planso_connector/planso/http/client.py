"""
Requests to PlanSo: its pages, saves and logins. Source: the PlanSo protocol.

Messages of errors name the page and the order, never a cookie, a password or customer data.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlencode
from weakref import WeakValueDictionary

import httpx2

from planso_connector.domain import clock
from planso_connector.domain.errors import (
    LoginRejected,
    PageChanged,
    PlansoError,
    PlansoTimeout,
    PlansoUnavailable,
    PlansoUnsure,
)
from planso_connector.domain.order import BoardEntry, PartsReading
from planso_connector.planso.http.bounded_response import MAX_LARGE_RESPONSES, LargeResponseSlot
from planso_connector.planso.http.decoding import MAX_BOARD_JSON_VALUES, decode_response, parse_json
from planso_connector.planso.http.failure_reasons import describe_status
from planso_connector.planso.http.login import Account, LoginStatus, OnLogin
from planso_connector.planso.http.outcome import OnExchange, PlansoHealth, to_planso_error
from planso_connector.planso.http.page_parsing import get_source, parse_page, require_object
from planso_connector.planso.http.parser_thread import run_parser
from planso_connector.planso.http.request_headers import PAGE_HEADERS, build_headers
from planso_connector.planso.http.request_info import EXTENSION, RequestInfo, get_info
from planso_connector.planso.http.session_auth import SessionAuth
from planso_connector.planso.http.session_pair import SessionPair
from planso_connector.planso.http.throttle import Throttle
from planso_connector.planso.http.transport import BeforeSend, ThrottledTransport
from planso_connector.planso.http.urls import get_base_path, parse_base_url
from planso_connector.planso.pages.board_parser import parse_board
from planso_connector.planso.pages.change_plan import ChangePlan
from planso_connector.planso.pages.form_parser import Form, FormMissing
from planso_connector.planso.pages.layout_cache import LayoutCache
from planso_connector.planso.pages.parts_parser import parse_parts
from planso_connector.planso.pages.tab_parser import ParsedTab, parse_tab, tab_parameters
from planso_connector.planso.profile import Profile
from planso_connector.planso.saving.encoding import encode_save
from planso_connector.planso.saving.pairs import select_pairs
from planso_connector.planso.saving.save_response import find_new_order_id, parse_save_response
from planso_connector.planso.saving.save_style import SaveStyle
from planso_connector.planso.saving.tokens import extract_page_values

T = TypeVar("T")
OnPageChanged = Callable[[PageChanged, int | None], Awaitable[None]]
"""Awaited with the error and the order's id before a PageChanged is raised."""

BOARD_SIZE_FACTOR = 2
"""The board may be this many times as large as another page: unlike a form it grows with the workshop."""

TOTAL_TIMEOUT_FACTOR = 2
"""A response may take this many times the timeout in all; the timeout itself restarts with each byte."""


class PlansoClient:
    """
    HTTP client for one PlanSo installation and one user, with up to two sessions.

    `timeout`: seconds for each step of a request. `max_answer`: bytes of a response; the board may have
    BOARD_SIZE_FACTOR times as many. `already_rejected`: PlanSo rejected the password before this process began, so
    nothing is sent until `log_in`. `on_login` is awaited with each login that PlanSo decided, `on_exchange` is called
    after each request. `before_send` is called immediately before each request is sent, those of logins included, after
    all waiting; if it raises a PlansoUnavailable, the request is not sent. `layouts` is shared with other clients.
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
        max_answer: int = 4_000_000,
        already_rejected: bool = False,
        on_login: OnLogin | None = None,
        on_exchange: OnExchange | None = None,
        before_send: BeforeSend | None = None,
        layouts: LayoutCache | None = None,
    ) -> None:
        """Raises ValueError for an invalid URL."""
        self._base = parse_base_url(url, profile.paths.app)
        self._app = httpx2.URL(self._base + profile.paths.app)
        self._do = httpx2.URL(self._base + profile.paths.do)
        self._profile = profile
        self._layouts = layouts or LayoutCache()
        self._forms_in_use: WeakValueDictionary[int | None, Form] = WeakValueDictionary()
        """By order the last reading, while somebody holds it: the next one most often differs in few controls."""
        self._timeout = timeout
        self._max_response_bytes = max_answer
        self.throttle = throttle
        self.health = PlansoHealth(clock.now, on_exchange)
        self.on_page_changed: OnPageChanged | None = None
        self._account = Account(
            self._app,
            username,
            password,
            rejected=already_rejected,
            on_login=on_login,
            base_path=get_base_path(self._base),
        )
        self.sessions = SessionPair(self._account)
        self._large_slots = asyncio.Semaphore(MAX_LARGE_RESPONSES)
        self._transport = ThrottledTransport(
            self._app,
            throttle,
            self.health,
            total_timeout=self.max_request_seconds,
            max_bytes=max_answer,
            before_send=before_send,
        )
        self._timeouts = httpx2.Timeout(timeout).as_dict()
        self._headers = build_headers(self._app)
        self._credentials = (username, password)
        self._rejected_logins: set[bytes] = set()
        self._salt = secrets.token_bytes(16)
        self._credentials_lock = asyncio.Lock()

    @property
    def request_count(self) -> int:
        """Requests sent so far, those of logins included."""
        return self._transport.request_count

    @property
    def max_request_seconds(self) -> float:
        """Seconds after which a sent request has ended on our side, whatever PlanSo does."""
        return TOTAL_TIMEOUT_FACTOR * self._timeout

    @property
    def address(self) -> str:
        """PlanSo's address, and the proxy on the way, without its password: for an operator."""
        proxy = self._transport.proxy
        if proxy is None:
            return self._base
        shown = httpx2.URL(proxy)
        return f"{self._base} by the proxy {shown.scheme}://{shown.host}{f':{shown.port}' if shown.port else ''}"

    @property
    def login_status(self) -> LoginStatus:
        return self._account.status

    async def aclose(self) -> None:
        self._layouts.forget(self)
        await self._transport.aclose()

    # -- reading

    async def read_board(self) -> list[BoardEntry]:
        """All current orders. Raises PlansoUnavailable, LoginRejected, PageChanged, as every method that reads does."""
        parameters = {"m": self._profile.calls.board, "filterID": ""}

        def parse(response: httpx2.Response) -> list[BoardEntry]:
            return parse_board(parse_json(response, MAX_BOARD_JSON_VALUES))

        return await self._read("the list of orders", "list", "POST", parameters, parse)

    async def read_form(self, order_id: int, previous: Form | None = None) -> Form:
        """
        The order's form now: `previous`, an earlier reading, where PlanSo sent the same bytes again. An unknown order
        has a blank one (`is_blank`), or raises PageChanged.
        """
        return await self._read_form("update", order_id, f"the form of order {order_id}", previous)

    async def read_blank_form(self) -> Form:
        """The form for a new order."""
        return await self._read_form("insert", None, "the empty form")

    async def _read_form(self, submode: str, order_id: int | None, page: str, previous: Form | None = None) -> Form:
        def reuse(response: httpx2.Response) -> Form | None:
            is_same = previous is not None and previous.is_from(get_source(response), self._profile, order_id)
            return previous if is_same else None

        def parse(response: httpx2.Response) -> Form:
            answer = require_object(parse_json(response), page)
            layouts, like = self._layouts.get(self, self._profile), self._forms_in_use.get(order_id)
            form = Form.parse(answer, self._profile, order_id, layouts, like)
            form = self._forms_in_use[order_id] = replace(form, source=get_source(response))
            if order_id is None and not form.labels:
                raise PageChanged(f"{page} holds nothing at all")
            form.read_fields()  # here, in the parser's thread, because it takes long on a large form
            return form

        parameters = {
            "m": self._profile.calls.form,
            "tableID": str(self._profile.table_id),
            "submode": submode,
            "dataID": "" if order_id is None else str(order_id),
            "call_back_class": self._profile.calls.form_call_back_class,
            "callback": "",
        }
        return await self._read(page, "form", "POST", parameters, parse, order_id, reuse)

    async def read_parts(self, order_id: int) -> PartsReading:
        page = f"the parts of order {order_id}"
        parameters = {"m": self._profile.calls.parts, "ID": str(order_id)}

        def parse(response: httpx2.Response) -> PartsReading:
            return parse_parts(require_object(parse_json(response), page), self._profile.parts, order_id)

        return await self._read(page, "parts", "GET", parameters, parse, order_id)

    @property
    def tab_names(self) -> tuple[str, ...]:
        """The order's tabs other than form and parts."""
        return tuple(self._profile.calls.tabs)

    async def read_tab(self, name: str, order_id: int) -> ParsedTab:
        """The tab `name`, one of `tab_names`."""
        parameters = tab_parameters(name, self._profile.calls.tabs, order_id)
        page = f"the tab {name} of order {order_id}"

        def parse(response: httpx2.Response) -> ParsedTab:
            return parse_tab(name, parse_json(response))

        return await self._read(page, name, "GET", parameters, parse, order_id)

    @asynccontextmanager
    async def hold_slot(self) -> AsyncIterator[None]:
        """
        Hold one slot of the throttle, so that a read and a save in here follow each other without waiting. A session
        that ended is not renewed in here: every method raises SessionEnded then.
        """
        async with self.sessions.current.protect_save(), self.throttle.hold_slot():
            yield

    # -- saving: nothing is sent twice

    async def save(self, form: Form, plan: ChangePlan, style: SaveStyle | None = None) -> None:
        """
        Send the form with the plan's changes, in `style` or as the profile says. Neither PlanSo's yes nor its no proves
        anything: read the form again.

        Raises SessionEnded and PlansoUnavailable (nothing was sent), PlansoUnsure (it may have been applied),
        PlansoRefused, LoginRejected.
        """
        if form.order_id is None:
            raise ValueError("a form without an order is saved by `create`")
        await self._save("update", form.order_id, form, plan, f"the save of order {form.order_id}", style)

    async def create(self, blank: Form, plan: ChangePlan) -> int:
        """Returns the new order's id. Raises as `save` does, and PlansoUnsure if the answer has no id."""
        page = "the new order"
        response, answer = await self._save("insert", None, blank, plan, page)
        order_id = find_new_order_id(answer, response.headers.get("location", ""), self._profile.save.answer)
        if order_id is None:
            place = self._profile.save.answer.new_id or "dataID"
            raise PlansoUnsure(f"{page}: PlanSo's answer names no id ({place})")
        return order_id

    async def delete(self, order_id: int, form: Form | None = None) -> None:
        """`form`: as it was just read; read here if a token is needed from it. Raises as `save` does."""
        if form is None and any(token.origin in ("form", "answer") for token in self._profile.save.tokens):
            form = await self.read_form(order_id)
        await self._save("delete", order_id, form, None, f"the deletion of order {order_id}")

    # -- logins

    async def log_in(self) -> None:
        """Log in again, once, even after a rejection. Raises LoginRejected, PlansoUnavailable."""
        auth = self.sessions.current
        auth.reset()
        await self._send_login(auth)

    async def try_credentials(self, username: str, password: str, begun_within: float | None = None) -> None:
        """
        Check credentials by a login of their own; the client's sessions stay. One check at a time: one that can't begin
        within `begun_within` seconds is not sent and raises PlansoTimeout. Raises LoginRejected, PlansoUnavailable.

        What PlanSo rejected once is not sent again by this process, as an account can be locked.
        """
        try:
            async with asyncio.timeout(begun_within):
                await self._credentials_lock.acquire()
        except TimeoutError:
            raise PlansoTimeout(f"other logins were tried for {begun_within or 0:g} s; this one was not sent") from None
        try:
            await self._try_credentials(username, password)
        finally:
            self._credentials_lock.release()

    async def _try_credentials(self, username: str, password: str) -> None:
        digest = hashlib.blake2b(f"{username}\0{password}".encode("utf-8", "surrogatepass"), key=self._salt).digest()
        is_own_rejected = (username, password) == self._credentials and self.login_status.state == "rejected"
        if is_own_rejected or digest in self._rejected_logins:
            raise LoginRejected("PlanSo rejected this user name and password before; they were not sent again")
        auth = SessionAuth(Account(self._app, username, password, base_path=self._account.base_path))
        try:
            await self._send_login(auth)
        except LoginRejected:
            self._rejected_logins.add(digest)
            raise LoginRejected("PlanSo rejected the user name or the password") from None
        await self._log_out(auth)

    async def _send_login(self, auth: SessionAuth) -> None:
        info = RequestInfo("login", is_login=True)
        await self._send("GET", self._app, auth, "the login page", info, PAGE_HEADERS)

    async def _log_out(self, auth: SessionAuth) -> None:
        """Errors are ignored, as an unused session expires."""
        parameters = {"m": self._profile.calls.logout}
        with suppress(PlansoError):
            info = RequestInfo("logout", is_save=True)
            await self._send("GET", self._do, auth, "the logout", info, PAGE_HEADERS, params=parameters)

    # -- requests

    async def _read(
        self,
        page: str,
        kind: str,
        method: str,
        parameters: Mapping[str, str],
        parse: Callable[[httpx2.Response], T],
        order_id: int | None = None,
        reuse: Callable[[httpx2.Response], T | None] = lambda _: None,
    ) -> T:
        """
        Send the request, and parse the response unless `reuse` has it parsed. `page`: its name in messages. `kind`:
        `list`, `form`, `parts` or a tab's name, as in PageChanged. A PageChanged goes to `on_page_changed` first.
        """
        info = RequestInfo(
            f"tab {kind}" if kind in self._profile.calls.tabs else kind,
            parameters.get("submode", ""),
            is_retryable=True,
            target=self._do.raw_path + (b"&" if self._do.query else b"?") + urlencode(parameters).encode(),
            max_bytes=self._max_response_bytes * (BOARD_SIZE_FACTOR if kind == "list" else 1),
        )
        auth, headers = self.sessions.current, self._headers[method]
        try:
            with LargeResponseSlot(self._large_slots) as info.large_slot:
                response = await self._send(method, self._do, auth, page, info, headers)
                await asyncio.sleep(0)  # who gets the slot now sends its request before the parsing takes time
                if not response.is_success:
                    raise PlansoUnavailable(f"{page}: PlanSo answered {describe_status(response.status_code)}")
                if (known := reuse(response)) is not None:
                    return known
                return await run_parser(len(response.content), lambda: parse_page(response, page, parse))
        except FormMissing:
            raise
        except PageChanged as error:
            error.page = kind
            if self.on_page_changed is not None:
                await self.on_page_changed(error, order_id)
            raise

    async def _save(
        self,
        action: str,
        order_id: int | None,
        form: Form | None,
        plan: ChangePlan | None,
        page: str,
        style: SaveStyle | None = None,
    ) -> tuple[httpx2.Response, Any]:
        """The response and its JSON. Raises where it is a refusal, or says neither yes nor no."""
        style = style or self._profile.save
        pairs = select_pairs(form, plan, style) if form is not None and plan is not None else None
        tokens = await self._collect_tokens(form, page)
        encoded = encode_save(pairs, style, action, order_id, self._profile.table_id, tokens)
        info = RequestInfo("save", action, is_save=True)
        with LargeResponseSlot(self._large_slots) as info.large_slot:
            response = await self._send(
                encoded.method,
                httpx2.URL(self._base + encoded.path),
                self.sessions.current,
                page,
                info,
                {**self._headers[encoded.method], **encoded.headers},
                params=list(encoded.query),
                content=encoded.body or None,
            )
            answer = await run_parser(len(response.content), lambda: parse_save_response(response, style.answer, page))
            return response, answer

    async def _collect_tokens(self, form: Form | None, page: str) -> dict[str, str]:
        """The profile's tokens by name. Raises PlansoUnavailable where one can't be found; nothing was sent."""
        tokens: dict[str, str] = dict(form.tokens) if form is not None else {}
        pages: dict[str, dict[tuple[str, str], str]] = {}
        for token in self._profile.save.tokens:
            if token.origin == "cookie":
                tokens[token.name] = self.sessions.current.read_cookie(token.key)
            elif token.origin in ("meta", "input"):
                if token.page not in pages:
                    pages[token.page] = await self._read_page_values(token.page)
                tokens[token.name] = pages[token.page].get((token.origin, token.key), "")
            if not tokens.get(token.name):
                missing = f"PlanSo's {token.origin} '{token.key}', which a save needs, was not found"
                raise PlansoUnavailable(f"{page}: {missing}; nothing was sent")
        return tokens

    async def _read_page_values(self, path: str) -> dict[tuple[str, str], str]:
        """The values of the page's `meta` elements and hidden inputs, by element and name."""
        page, url = "the page with a save's token", httpx2.URL(self._base + path)
        info = RequestInfo()
        with LargeResponseSlot(self._large_slots) as info.large_slot:
            headers = {**PAGE_HEADERS, "Accept": "text/html"}
            response = await self._send("GET", url, self.sessions.current, page, info, headers)
            if not response.is_success:
                raise PlansoUnavailable(
                    f"{page}: PlanSo answered {describe_status(response.status_code)}; nothing was sent"
                )
            return await run_parser(len(response.content), lambda: extract_page_values(decode_response(response)))

    async def _send(
        self,
        method: str,
        url: httpx2.URL,
        auth: SessionAuth,
        page: str,
        info: RequestInfo,
        headers: Mapping[str, str],
        **options: Any,
    ) -> httpx2.Response:
        """Send a request within a session. `options`: of httpx2's Request. Errors name the page."""
        info.holds_slot = self.throttle.is_slot_held
        extensions = {EXTENSION: info, "timeout": self._timeouts}
        request = httpx2.Request(method, url, headers=headers, extensions=extensions, **options)
        try:
            return await self._exchange(request, auth)
        except PlansoUnsure as error:
            raise PlansoUnsure(f"{page}: {error}", is_over=error.is_over) from error
        except PlansoUnavailable as error:
            if info.is_save and info.has_response:
                raise PlansoUnsure(f"{page}: {error}") from error
            raise type(error)(f"{page}: {error}") from error
        except httpx2.RequestError as error:
            if not get_info(error.request).is_login:
                raise to_planso_error(error, page, is_save=info.is_save) from error
            login_error = to_planso_error(error, "the login page", is_save=False)
            # Nothing was awaited since the account's lock was released: those who wait for it have not run yet.
            auth.account.record_failure(login_error)
            raise login_error from error

    async def _exchange(self, request: httpx2.Request, auth: SessionAuth) -> httpx2.Response:
        """Send what the authentication yields for a request, and return the response to the last."""
        async with aclosing(auth.async_auth_flow(request)) as flow:
            step = await anext(flow)
            while True:
                response = await self._transport.handle_async_request(step)
                try:
                    step = await flow.asend(response)
                except StopAsyncIteration:
                    return response
