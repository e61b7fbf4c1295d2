"""Sessions and logins: cookies, wrong passwords, locked accounts (protocol, section 1)."""

import secrets
from dataclasses import dataclass, field
from time import monotonic

from planso_connector.sandbox.installation import Installation
from planso_connector.sandbox.knobs import Knobs
from planso_connector.sandbox.session_records import SessionEnd, SessionRecord, SessionRecords

MAX_WRONG_PASSWORDS = 3
"""This many in a row lock the account."""


@dataclass
class PhpSession:
    """One PHPSESSID. `user`: "" until a login. `requests`: `/do` requests since. `token`: see SaveStyle."""

    user: str = ""
    requests: int = 0
    token: str = field(default_factory=lambda: secrets.token_hex(20))


@dataclass
class SessionStore:
    """All sessions. Not thread-safe: the caller holds the workshop's lock."""

    installation: Installation
    logins: int = 0
    rejected_logins: int = 0
    issued_ids: set[str] = field(default_factory=set)
    """Every session id ever issued."""
    records: SessionRecords = field(default_factory=SessionRecords)
    _open: dict[str, PhpSession] = field(default_factory=dict)
    _wrong: dict[str, int] = field(default_factory=dict)
    _expire_in: int | None = None

    def start(self, cookie: str | None) -> tuple[str, bool]:
        """The session id, and whether it is new."""
        if cookie is not None and cookie in self._open:
            return cookie, False
        new = secrets.token_hex(16)
        self._open[new] = PhpSession()
        self.issued_ids.add(new)
        self.records.add(SessionRecord(new, opened_at=monotonic()))
        return new, True

    def is_logged_in(self, cookie: str | None) -> bool:
        """Whether the cookie's session is logged in."""
        return cookie is not None and self._open.get(cookie, PhpSession()).user != ""

    def token(self, cookie: str | None) -> str:
        """The session's token; without a session, a random one."""
        return self._open.get(cookie or "", PhpSession()).token

    def log_in(self, session_id: str, username: str, password: str, knobs: Knobs) -> str:
        """Log the session in. Returns "", or the German reason for a refusal."""
        if username in knobs.locked_accounts:
            self.rejected_logins += 1
            return "Das Konto ist gesperrt. Bitte wenden Sie sich an Ihren Administrator."
        if (username, password) == (self.installation.username, self.installation.password):
            self.logins += 1
            self._wrong.pop(username, None)
            if knobs.one_session_per_account:
                for other in [key for key, session in self._open.items() if session.user == username]:
                    self._end(other, "replaced")
            self._open[session_id] = PhpSession(user=username)
            self.records.record_login(session_id, username, monotonic())
            return ""
        self.rejected_logins += 1
        self._wrong[username] = self._wrong.get(username, 0) + 1
        if self._wrong[username] >= MAX_WRONG_PASSWORDS:
            del self._wrong[username]
            knobs.locked_accounts.add(username)
        return "Benutzername oder Passwort ist falsch."

    def count_request(self, cookie: str | None, knobs: Knobs) -> bool:
        """Count one `/do` request. Returns False where the session is not logged in, or expires now."""
        if not self.is_logged_in(cookie):
            return False
        session = self._open[str(cookie)]
        session.requests += 1
        if knobs.expire_sessions_after is not None and session.requests > knobs.expire_sessions_after:
            self._end(str(cookie), "expired")
            return False
        if self._expire_in is not None:
            if self._expire_in == 0:
                self.expire()
                return False
            self._expire_in -= 1
        return True

    def expire(self, after_requests: int = 0) -> None:
        """End all sessions, now or once after this many more logged-in requests."""
        if after_requests:
            self._expire_in = after_requests
        else:
            self._expire_in = None
            for session_id in list(self._open):
                self._end(session_id, "expired")

    def log_out(self, cookie: str | None) -> None:
        """End the cookie's session."""
        self._end(cookie or "", "logged_out")

    def _end(self, session_id: str, how: SessionEnd) -> None:
        if self._open.pop(session_id, None) is not None:
            self.records.record_end(session_id, how, monotonic())
