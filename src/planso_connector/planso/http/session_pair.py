"""
The two sessions of the connector's account: one for syncs, one for writes and live reads.

PHP serves the requests of one session one after the other, so in a single session a write waits for a sync's pages.
The second session is opened when it is first needed, and given up where a second login ends the first.
"""

from dataclasses import dataclass

from planso_connector.planso.http.login import Account
from planso_connector.planso.http.session import LOGIN_WINDOW, MAX_USUAL_LOGINS
from planso_connector.planso.http.session_auth import SessionAuth
from planso_connector.planso.http.throttle import is_urgent

_ONE_SESSION = (
    "one session: a second login of this account ends the first, so writes may wait for a sync's pages; "
    "have PlanSo allow this account two logins at once"
)
_TWO_SESSIONS = "two sessions: one for syncs, one for writes and live reads"
_SECOND_UNUSED = "one session so far: the first write or live read opens a second one"
_MANY_LOGINS = (
    "PlanSo ends the session again and again ({logins} logins for {requests} requests within {minutes:g} min); "
    "give the connector a PlanSo user of its own"
)


@dataclass(frozen=True, slots=True)
class SessionsStatus:
    """`count`: open sessions. `reason`: why so many. `trouble`: what is wrong with them, "" for nothing."""

    count: int
    is_decided: bool
    """Whether it is known if a second login of the account ends the first session."""
    reason: str
    trouble: str


class SessionPair:
    """The background session for syncs, and the foreground session for requests within `urgent_requests`."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.background = SessionAuth(account)
        self.foreground = SessionAuth(account, other=self.background)

    @property
    def current(self) -> SessionAuth:
        """The session for requests of the current task."""
        return self.foreground if is_urgent() else self.background

    @property
    def status(self) -> SessionsStatus:
        count = len({id(auth.session) for auth in (self.background, self.foreground) if auth.session.is_open})
        logins, requests = self._account.login_counter.count_recent(self._account.now())
        trouble = ""
        if logins > MAX_USUAL_LOGINS:
            trouble = _MANY_LOGINS.format(logins=logins, requests=requests, minutes=LOGIN_WINDOW / 60)
        return SessionsStatus(count, self._account.session_limit.is_decided, self._reason(), trouble)

    def _reason(self) -> str:
        if self._account.session_limit.is_one_session:
            return _ONE_SESSION
        opened = sum(auth.session.generation > 0 for auth in (self.background, self.foreground))
        return ("no session yet", _SECOND_UNUSED, _TWO_SESSIONS)[opened]
