"""
One PlanSo session, and whether its account may have two at once, judged by what happens to them.

Nobody documents how many sessions PlanSo allows an account, so it is noticed: where each login ends the other session,
all requests share one session from then on, for as long as the process lives. Instants are of the monotonic clock, in
seconds. Pure.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import httpx2

SHORT_IDLE = 120.0
"""A session that served a request so many seconds ago does not end by being idle."""

MAX_IDLE = 1200.0
"""Nor is that likely within this time: PHP keeps a session for 1440 s unless told otherwise. Beyond, it is no sign."""

EVIDENCE_TTL = 3600.0
"""Signs are forgotten where no further one comes within this time."""

STRONG_EVIDENCE, WEAK_EVIDENCE, DECISIVE_EVIDENCE = 2, 1, 5
"""
What a session that ended after a login of the other one weighs, by how idle it was; and what decides. A PlanSo that
ends all sessions at once gives two strong signs at most.
"""


@dataclass(slots=True, eq=False)
class PlansoSession:
    """The cookies of one login after another. `generation` counts the logins, `served` is the last that served."""

    cookies: httpx2.Cookies | None = None
    generation: int = 0
    served_generation: int = 0
    login_began_at: float = -math.inf
    opened_at: float = -math.inf
    """When the last login was accepted."""
    last_alive_at: float = -math.inf
    """When the latest request that was served had been sent."""
    ended_at: float | None = None
    """When PlanSo was seen to have ended it; None once that was judged."""

    @property
    def is_open(self) -> bool:
        return self.cookies is not None

    def open(self, cookies: httpx2.Cookies, began_at: float, now: float) -> None:
        self.cookies = cookies
        self.generation += 1
        self.login_began_at, self.opened_at, self.last_alive_at = began_at, now, now
        self.ended_at = None

    def end(self, now: float) -> None:
        """PlanSo ended it."""
        if self.is_open:
            self.cookies, self.ended_at = None, now

    def drop(self) -> None:
        """End it on our side."""
        self.cookies, self.ended_at = None, None


@dataclass(slots=True)
class SessionLimit:
    """Whether a second login of the account ends the first session."""

    is_one_session: bool = False
    """Decided: it does."""
    is_two_sessions: bool = False
    """A session was seen to outlive a login of the other one."""
    _weight: int = 0
    _last_sign_at: float = field(default=-math.inf)

    @property
    def is_decided(self) -> bool:
        return self.is_one_session or self.is_two_sessions

    def record_served(self, session: PlansoSession, other: PlansoSession, sent_at: float) -> None:
        """
        A request of `session` was served. Where the other one logged in after this session did, and before the request
        was sent, both lived: whatever ended sessions before was something else.
        """
        if session is not other and session.opened_at < other.login_began_at and other.opened_at < sent_at:
            self.is_two_sessions, self._weight = True, 0

    def record_end(self, ended: PlansoSession, other: PlansoSession) -> bool:
        """
        Weigh that a session ended, once; returns whether one session has to do from now on.

        It counts where the other one logged in between the last request that this one served and its end.
        """
        ended_at, ended.ended_at = ended.ended_at, None
        if self.is_one_session or ended is other or ended_at is None:
            return self.is_one_session
        idle = ended_at - ended.last_alive_at
        if ended.last_alive_at < other.opened_at and other.login_began_at < ended_at and idle <= MAX_IDLE:
            if ended_at - self._last_sign_at > EVIDENCE_TTL:
                self._weight = 0
            self._last_sign_at = ended_at
            self._weight += STRONG_EVIDENCE if idle <= SHORT_IDLE else WEAK_EVIDENCE
            self.is_one_session = self._weight >= DECISIVE_EVIDENCE
        return self.is_one_session


LOGIN_WINDOW = 600.0
"""Seconds for which a login is counted."""

MAX_USUAL_LOGINS = 10
"""More logins than this within that time are no ends that sessions come to by themselves."""


class LoginCounter:
    """How many logins the requests of the last minutes took."""

    def __init__(self) -> None:
        self._served = 0
        self._logins: deque[tuple[float, int]] = deque()

    def record_request(self) -> None:
        """A request was served."""
        self._served += 1

    def record_login(self, now: float) -> None:
        """A login was accepted."""
        self._logins.append((now, self._served))

    def count_recent(self, now: float) -> tuple[int, int]:
        """Logins within `COUNTED_FOR`, and requests served since the first of them."""
        while self._logins and self._logins[0][0] < now - LOGIN_WINDOW:
            self._logins.popleft()
        return len(self._logins), self._served - self._logins[0][1] if self._logins else 0
