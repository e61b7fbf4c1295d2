"""
The sessions of the connector's account: one for syncs, one for writes and live reads.

PHP serves the requests of one session one after the other, so in one session a write waits for a sync's pages. The
second session is opened when it is first needed, and given up where a second login ends the first (`session`).
"""

from __future__ import annotations

from dataclasses import dataclass

from planso_connector.planso.http.login import Account, SessionAuth
from planso_connector.planso.http.session import LOGIN_WINDOW, MAX_USUAL_LOGINS
from planso_connector.planso.http.throttle import is_urgent

_ONE = (
    "one session: a second login of this account ends the first, so writes may wait for a sync's pages; "
    "have PlanSo allow this account two logins at once"
)
_TWO = "two sessions: one for syncs, one for writes and live reads"
_SECOND_UNUSED = "one session so far: the first write or live read opens a second one"
_AGAIN_AND_AGAIN = (
    "PlanSo ends the session again and again ({logins} logins for {requests} requests within {minutes:g} min); "
    "give the connector a PlanSo user of its own"
)


@dataclass(frozen=True, slots=True)
class SessionsStatus:
    """`count` sessions are open. `reason`: why so many. `trouble`: what is wrong with them, empty where nothing is."""

    count: int
    is_decided: bool
    """It is known whether a second login of the account ends the first session."""
    reason: str
    trouble: str


class SessionPair:
    """The logins of one account. `current` is the one that a request made here and now belongs to."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.background = SessionAuth(account)
        self.foreground = SessionAuth(account, beside=self.background)

    @property
    def current(self) -> SessionAuth:
        """The foreground's within `urgent`, else the background's."""
        return self.foreground if is_urgent() else self.background

    @property
    def status(self) -> SessionsStatus:
        count = len({id(login.session) for login in (self.background, self.foreground) if login.session.is_open})
        logins, requests = self._account.login_counter.count_recent(self._account.now())
        trouble = ""
        if logins > MAX_USUAL_LOGINS:
            trouble = _AGAIN_AND_AGAIN.format(logins=logins, requests=requests, minutes=LOGIN_WINDOW / 60)
        return SessionsStatus(count, self._account.session_limit.is_decided, self._reason(), trouble)

    def _reason(self) -> str:
        if self._account.session_limit.is_one_session:
            return _ONE
        opened = sum(login.session.generation > 0 for login in (self.background, self.foreground))
        return ("no session yet", _SECOND_UNUSED, _TWO)[opened]
