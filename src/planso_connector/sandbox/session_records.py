"""Which sessions there were, when each was used, and from which connections and processes."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any, Literal, TypeVar

SessionEnd = Literal["", "logged_out", "expired", "replaced"]
"""`replaced`: another login of the account ended it, by the knob `one_session_per_account`."""

_T = TypeVar("_T")
_MAX_RECORDS = 2_000
_MAX_CLIENTS = 100


@dataclass(slots=True)
class Client:
    """Who sent a request. `address`: host and port, which differ by connection. `process`: None for unknown."""

    address: str = ""
    process: int | None = None
    user_agent: str = ""


@dataclass(slots=True)
class SessionRecord:
    """One session since it was opened. Instants are seconds of the monotonic clock, None for never.

    `user`: "" before a login. `clients`: the last 100 addresses (host and port) that sent its cookie. `processes`: the
    ids of their processes, as far as they are known.
    """

    id: str
    opened_at: float
    user: str = ""
    logged_in_at: float | None = None
    last_request_at: float | None = None
    """When the latest request arrived."""
    last_response_at: float | None = None
    requests: int = 0
    ended_at: float | None = None
    end: SessionEnd = ""
    clients: dict[str, None] = field(default_factory=dict)
    processes: set[int] = field(default_factory=set)
    user_agents: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {
            **asdict(self),
            "clients": list(self.clients),
            "processes": sorted(self.processes),
            "user_agents": sorted(self.user_agents),
        }


class SessionRecords:
    """The last 2,000 sessions, oldest first. Not thread-safe: the caller holds the workshop's lock."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, SessionRecord] = OrderedDict()
        self._foreign: OrderedDict[str, None] = OrderedDict()

    def to_list(self) -> list[SessionRecord]:
        """Copies of the records, oldest first."""
        return [
            SessionRecord(
                **{
                    **{name: getattr(record, name) for name in SessionRecord.__slots__},
                    "clients": dict(record.clients),
                    "processes": set(record.processes),
                    "user_agents": set(record.user_agents),
                }
            )
            for record in self._records.values()
        ]

    @property
    def foreign_ids(self) -> set[str]:
        """The last 2,000 session ids that clients sent and that were never issued here."""
        return set(self._foreign)

    def add(self, record: SessionRecord) -> None:
        """Record a new session."""
        _append(self._records, record.id, record)

    def record_login(self, session_id: str, user: str, now: float) -> None:
        """The session logged in; of several logins the first counts."""
        record = self._records.get(session_id)
        if record is not None:
            record.user = user
            record.logged_in_at = record.logged_in_at or now

    def record_end(self, session_id: str, how: SessionEnd, now: float) -> None:
        """The session ended."""
        record = self._records.get(session_id)
        if record is not None:
            record.ended_at, record.end = now, how

    def record_request(self, session_id: str, client: Client, started: float, ended: float, *, is_issued: bool) -> None:
        """A request with the session's cookie arrived at `started` and was answered at `ended`."""
        record = self._records.get(session_id)
        if record is None:
            if session_id and not is_issued:
                _append(self._foreign, session_id, None)
            return
        record.requests += 1
        record.last_request_at = max(record.last_request_at or started, started)
        record.last_response_at = max(record.last_response_at or ended, ended)
        record.clients.pop(client.address, None)
        record.clients[client.address] = None
        if len(record.clients) > _MAX_CLIENTS:
            del record.clients[next(iter(record.clients))]
        if client.user_agent:
            record.user_agents.add(client.user_agent)
        if client.process is not None:
            record.processes.add(client.process)


def _append(records: OrderedDict[str, _T], key: str, value: _T) -> None:
    records[key] = value
    if len(records) > _MAX_RECORDS:
        records.popitem(last=False)


def find_shared_use(records: Iterable[SessionRecord]) -> list[tuple[SessionRecord, SessionRecord]]:
    """The pairs of logged-in sessions of different processes that were in use at the same time.

    A session is in use from its login until its last request arrived. One that several processes used makes a pair with
    itself. A session whose processes are unknown counts as that of another process than any.
    """
    used = sorted((record for record in records if record.logged_in_at is not None), key=_in_use_from)
    shared = [(record, record) for record in used if len(record.processes) > 1]
    for first, second in combinations(used, 2):
        is_one_process = bool(first.processes) and first.processes == second.processes
        if not is_one_process and _in_use_from(second) <= _in_use_until(first):
            shared.append((first, second))
    return shared


def _in_use_from(record: SessionRecord) -> float:
    return record.logged_in_at or record.opened_at


def _in_use_until(record: SessionRecord) -> float:
    return max(_in_use_from(record), record.last_request_at or 0.0)
