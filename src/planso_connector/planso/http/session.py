"""
One PlanSo session, and whether an account may have two at once.

Nobody documents how many sessions PlanSo allows an account, so it is inferred: where each login ends the other session,
all requests share one session for the rest of the process. Instants are of the monotonic clock, in seconds. Pure.
"""

import math
from collections import deque
from dataclasses import dataclass, field

import httpx2

SHORT_IDLE = 120.0
"""A session that served a request this many seconds ago does not end by being idle."""

MAX_IDLE = 1200.0
"""Up to this, an idle end is unlikely: PHP keeps a session for 1440 s by default. Beyond, an end is no evidence."""

EVIDENCE_TTL = 3600.0
"""Seconds without further evidence after which all of it is dropped."""

STRONG_EVIDENCE, WEAK_EVIDENCE, DECISIVE_EVIDENCE = 2, 1, 5
"""
The weight of a session that ended after a login of the other one, by how long it was idle, and the sum that decides.
A PlanSo that ends all sessions at once gives strong evidence twice at most.
"""


@dataclass(slots=True, eq=False)
class PlansoSession:
    """The cookies of the latest login."""

    cookies: httpx2.Cookies | None = None
    generation: int = 0
    """How many logins there were."""
    served_generation: int = 0
    """The latest generation in which a request was served."""
    login_began_at: float = -math.inf
    opened_at: float = -math.inf
    """When the latest login was accepted."""
    last_alive_at: float = -math.inf
    """When the latest served request was sent."""
    ended_at: float | None = None
    """When PlanSo was found to have ended it; None once `SessionLimit` has weighed that."""
    _cookie_headers: dict[bytes, str | None] = field(default_factory=dict)
    """The header `Cookie` by path, None for no cookies: choosing them takes longer than sending them."""

    @property
    def is_open(self) -> bool:
        return self.cookies is not None

    def open(self, cookies: httpx2.Cookies, began_at: float, now: float) -> None:
        self.cookies = cookies
        self._cookie_headers.clear()
        self.generation += 1
        self.login_began_at, self.opened_at, self.last_alive_at = began_at, now, now
        self.ended_at = None

    def set_cookies(self, request: httpx2.Request) -> None:
        """Replace the request's cookies by the session's."""
        request.headers.pop("Cookie", None)
        if self.cookies is None:
            return
        path = request.url.raw_path.partition(b"?")[0]
        if path not in self._cookie_headers:
            self.cookies.set_cookie_header(request)
            if all(cookie.expires is None for cookie in self.cookies.jar):
                self._cookie_headers[path] = request.headers.get("Cookie")
        elif (header := self._cookie_headers[path]) is not None:
            request.headers["Cookie"] = header

    def extract_cookies(self, response: httpx2.Response) -> None:
        """Take the cookies that a response sets."""
        if self.cookies is not None and "set-cookie" in response.headers:
            self.cookies.extract_cookies(response)
            self._cookie_headers.clear()

    def end(self, now: float) -> None:
        """PlanSo ended it."""
        if self.is_open:
            self.cookies, self.ended_at = None, now

    def drop(self) -> None:
        """Forget the cookies, without evidence for the limit."""
        self.cookies, self.ended_at = None, None


@dataclass(slots=True)
class SessionLimit:
    """Infer whether a second login of the account ends the first session."""

    is_one_session: bool = False
    """Decided: it does."""
    is_two_sessions: bool = False
    """A session outlived a login of the other one."""
    _weight: int = 0
    _last_evidence_at: float = field(default=-math.inf)

    @property
    def is_decided(self) -> bool:
        return self.is_one_session or self.is_two_sessions

    def record_served(self, session: PlansoSession, other: PlansoSession, sent_at: float) -> None:
        """
        A request of `session`, sent at `sent_at`, was served. Where the other session logged in after this one and
        before that, two sessions are allowed, and whatever ended sessions before was something else.
        """
        if session is not other and session.opened_at < other.login_began_at and other.opened_at < sent_at:
            self.is_two_sessions, self._weight = True, 0

    def record_end(self, ended: PlansoSession, other: PlansoSession) -> bool:
        """
        Weigh the end of a session, once. Returns whether one session is the limit.

        The end is evidence where the other session logged in between the last request that this one served and its end.
        """
        ended_at, ended.ended_at = ended.ended_at, None
        if self.is_one_session or ended is other or ended_at is None:
            return self.is_one_session
        idle = ended_at - ended.last_alive_at
        if ended.last_alive_at < other.opened_at and other.login_began_at < ended_at and idle <= MAX_IDLE:
            if ended_at - self._last_evidence_at > EVIDENCE_TTL:
                self._weight = 0
            self._last_evidence_at = ended_at
            self._weight += STRONG_EVIDENCE if idle <= SHORT_IDLE else WEAK_EVIDENCE
            self.is_one_session = self._weight >= DECISIVE_EVIDENCE
        return self.is_one_session


LOGIN_WINDOW = 600.0
"""Seconds for which a login is counted."""

MAX_USUAL_LOGINS = 10
"""More logins within LOGIN_WINDOW mean that something keeps ending the sessions."""


class LoginCounter:
    """Count logins of the last LOGIN_WINDOW seconds, and the requests they served."""

    def __init__(self) -> None:
        self._requests = 0
        self._logins: deque[tuple[float, int]] = deque()
        """When each login was accepted, and how many requests had been served by then."""

    def record_request(self) -> None:
        self._requests += 1

    def record_login(self, now: float) -> None:
        self._logins.append((now, self._requests))

    def count_recent(self, now: float) -> tuple[int, int]:
        """Recent logins, and requests served since the first of them."""
        while self._logins and self._logins[0][0] < now - LOGIN_WINDOW:
            self._logins.popleft()
        return len(self._logins), self._requests - self._logins[0][1] if self._logins else 0
