"""
Exception hierarchy, grouped by what to do next. `rest/schemas/errors` has the HTTP status of each.

ConnectorError
├── CallerError                  fix the request
│   ├── NotAuthenticated, NotAllowed, NotFound
│   ├── Invalid                  names each field: QueryTooBroad
│   ├── PreconditionFailed       read the order again: VersionChanged, EditConflict
│   ├── CursorExpired            begin anew, from the cursor that it names
│   └── StateConflict            see what exists: IdempotencyKeyReused, DuplicateOrder, OrderIdReused, NotPossible,
│                                Cancelled, NoRoom
├── PlansoError                  PlanSo failed
│   ├── PlansoUnavailable        nothing was applied, retry: PlansoTimeout, PlansoLeaseLost
│   ├── PlansoUnsure             it may have been applied: read before retrying
│   ├── PlansoRefused            permanent, report to the caller: ReadBackMismatch
│   ├── Expired                  the deadline passed: report to the caller
│   ├── AmbiguousCreate, Damaged, LoginRejected
│   │                            stop, a person has to look
│   └── PageChanged              unexpected markup: keep the mirror, fix the parser: PageTooLarge
├── MassRemoval                  suspicious number of removals: keep the mirror, ask a person
├── TooManyWaiting               overloaded: retry in a moment
└── StoreUnavailable             the connector itself can't: retry later
    ├── StoreTimeout             nothing was done
    ├── CommitUnknown            it may have been done: read before retrying
    ├── TooManyPending, WritesStopped, WritesShadowed, WorkshopPaused
    ├── WorkshopUnusable         an operator has to act: EncryptionKeyMissing, PasswordUnreadable
    └── MirrorNotFilled, IndexNotReady
                                 existence is unknown yet
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from planso_connector.domain.language import Language
from planso_connector.domain.messages import MESSAGES, Message
from planso_connector.domain.notes import shorten

if TYPE_CHECKING:
    from planso_connector.domain.clock import Instant
    from planso_connector.domain.operation import Conflict
    from planso_connector.domain.order import OrderDocument


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One thing wrong with one field. `loc` is FastAPI's: ("body", "vehicle_details", "vin"). `msg` is English; `msg_de`
    is empty where there is no German.
    """

    loc: tuple[str | int, ...]
    msg: str
    type: str
    msg_de: str = ""

    @classmethod
    def of(cls, loc: tuple[str | int, ...], message: Message, error_type: str) -> Problem:
        return cls(loc, message.en, error_type, message.de)

    def in_language(self, language: Language) -> str:
        return self.msg_de if language == "de" and self.msg_de else self.msg

    @property
    def field(self) -> str:
        return ".".join(str(step) for step in self.loc[1:]) or str(self.loc[0])


def join_problems(problems: Iterable[Problem], language: Language = "en") -> str:
    return "; ".join(f"{problem.field}: {problem.in_language(language)}" for problem in problems)


class ConnectorError(Exception):
    """
    Root of the hierarchy. The text is for a person; it holds no secret, and no personal data but what the caller sent.
    """


class CallerError(ConnectorError):
    """The caller can fix it."""


class NotAuthenticated(CallerError):
    """No API key, or none that is valid. `given`: whether a key came."""

    def __init__(self, message: str, *, given: bool = False) -> None:
        super().__init__(message)
        self.given = given


class NotAllowed(CallerError):
    """The API key lacks a scope; `scope` would be enough."""

    def __init__(self, message: str, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class NotFound(CallerError):
    """There is no such thing. `read_at`: when PlanSo was asked for the order; None where it wasn't."""

    def __init__(self, message: str, *, read_at: Instant | None = None) -> None:
        super().__init__(message)
        self.read_at = read_at


class Invalid(CallerError):
    """The request is invalid. `problems` names each field and what is accepted."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(join_problems(self.problems))


class QueryTooBroad(Invalid):
    """The query took longer than `timeout` seconds, or has too many orders to compare (None), and was cancelled."""

    def __init__(self, timeout: float | None) -> None:
        message = MESSAGES["too_many_to_compare"]
        if timeout is not None:
            message = MESSAGES["too_broad"].format(seconds=f"{timeout:g}")
        super().__init__([Problem.of(("query",), message, "too_broad")])


class PreconditionFailed(CallerError):
    """The request relies on an outdated state. Nothing was sent."""


class VersionChanged(PreconditionFailed):
    """The order has another version than `If-Match` names. `order` is the order now, for callers that may see it."""

    def __init__(self, message: str, order: OrderDocument | None) -> None:
        super().__init__(message)
        self.order = order


class EditConflict(PreconditionFailed):
    """Somebody changed a field in PlanSo that the caller changes too."""

    def __init__(self, message: str, conflicts: Sequence[Conflict]) -> None:
        super().__init__(message)
        self.conflicts = tuple(conflicts)


class CursorExpired(CallerError):
    """
    Events behind the cursor were deleted, or the database was restored from a backup since. `oldest_cursor`: where to
    begin.
    """

    def __init__(self, oldest_cursor: str) -> None:
        super().__init__(
            "after: events behind this cursor are not kept any more, or the database was restored since; begin at "
            f"{oldest_cursor}, and read the orders again."
        )
        self.oldest_cursor = oldest_cursor


class StateConflict(CallerError):
    """Conflicts with existing state."""


class IdempotencyKeyReused(StateConflict):
    """The idempotency key came with another request before."""


class DuplicateOrder(StateConflict):
    """A create with `handling=strict` matches an existing order."""


class OrderIdReused(StateConflict):
    """PlanSo has given the order's id to another order. Nothing is sent to that one."""


class NotPossible(StateConflict):
    """The action is not possible in the present state, such as undoing an operation that is still pending."""


class Cancelled(StateConflict):
    """The caller cancelled the operation before anything was sent."""


class NoRoom(StateConflict):
    """
    The workshop has no room then. `alternatives`: the nearest days with room, each with `date`, `level` and `slots`.
    """

    def __init__(self, message: str, alternatives: Sequence[Mapping[str, object]]) -> None:
        super().__init__(message)
        self.alternatives = tuple(alternatives)


class PlansoError(ConnectorError):
    """PlanSo failed."""


class PlansoUnavailable(PlansoError):
    """PlanSo can't be reached or answers with an error. Nothing was applied."""


class PlansoTimeout(PlansoUnavailable):
    """PlanSo did not answer in time. Nothing was applied."""


class PlansoLeaseLost(PlansoUnavailable):
    """This process may not send to this PlanSo now: another one does, or may soon. Nothing was sent."""


class PlansoUnsure(PlansoError):
    """
    The answer to a save never came, reports a failure, or can't be understood. It may have been applied. `is_over`:
    PlanSo answered, so what doesn't show by now won't show later.
    """

    def __init__(self, message: str, *, is_over: bool = False) -> None:
        super().__init__(message)
        self.is_over = is_over


class Expired(PlansoError):
    """The operation's deadline passed before PlanSo confirmed it. The text says whether anything was sent."""


class AmbiguousCreate(PlansoError):
    """Which order a create made can't be determined. It is not sent again."""


class PlansoRefused(PlansoError):
    """PlanSo refused, permanently."""


@dataclass(frozen=True, slots=True)
class FieldMismatch:
    """A field that PlanSo did not take over: what was sent and what the form holds; None hides it from the caller."""

    field: str
    label: str
    sent: str | None
    kept: str | None

    @property
    def words(self) -> str:
        values = {"sent": self.sent, "kept": self.kept}
        shown = ", ".join(f"{name} '{shorten(value)}'" for name, value in values.items() if value is not None)
        return f"{self.field} ('{self.label}')" + (f": {shown}" if shown else "")


class ReadBackMismatch(PlansoRefused):
    """PlanSo accepted the save, and the form read back holds other values."""

    def __init__(self, mismatches: Sequence[FieldMismatch]) -> None:
        self.mismatches = tuple(mismatches)
        super().__init__(f"PlanSo kept another value. {'; '.join(mismatch.words for mismatch in self.mismatches)}")


class Damaged(PlansoError):
    """The save changed fields that it was not asked to change, and nothing explains it."""


class LoginRejected(PlansoError):
    """PlanSo rejected the user name or the password. It is not retried automatically: accounts can be locked."""


class PageChanged(PlansoError):
    """
    Unexpected markup. `page`: `list`, `form`, `parts` or a tab's name. `content`: the page without personal data, to
    fix the parser with; empty where there is none.
    """

    def __init__(self, message: str, *, page: str = "", content: str = "") -> None:
        super().__init__(message)
        self.page = page
        self.content = content


class PageTooLarge(PageChanged):
    """A response exceeds a bound in bytes, tags, nesting or values. It was not read to its end, or not parsed."""


class MassRemoval(ConnectorError):
    """Suspiciously many orders vanished from PlanSo's list at once."""


class TooManyWaiting(ConnectorError):
    """As many requests wait as are admitted, of all callers or of this one. Nothing was done."""


class StoreUnavailable(ConnectorError):
    """The connector's own database is full, read-only, locked or away."""


class StoreTimeout(StoreUnavailable):
    """The database did not answer in time. Nothing was done."""


class CommitUnknown(StoreUnavailable):
    """
    The database connection broke during a commit, or its answer never came. `operation_id`: the write that it was to
    record.
    """

    def __init__(self, message: str, operation_id: str = "") -> None:
        super().__init__(message)
        self.operation_id = operation_id


class TooManyPending(StoreUnavailable):
    """Too many writes wait for PlanSo already. Nothing was recorded."""


class WritesStopped(StoreUnavailable):
    """Writes to this order or workshop are stopped by damage or by a setting. Nothing was recorded."""


class WritesShadowed(WritesStopped):
    """By setting, writes are planned and reported, and none is sent. Nothing was recorded."""


class WorkshopPaused(WritesStopped):
    """An operator paused the workshop. Nothing was sent, and nothing was recorded."""


class WorkshopUnusable(StoreUnavailable):
    """A workshop's login or settings can't be used, until an operator mends them; other workshops can."""


class EncryptionKeyMissing(WorkshopUnusable):
    """The setting that holds the keys of the workshops' passwords is empty or malformed."""


class PasswordUnreadable(WorkshopUnusable):
    """No key decrypts the workshop's password, or it was stored for another workshop or address."""


class MirrorNotFilled(StoreUnavailable):
    """No sync has filled the mirror yet."""


class IndexNotReady(StoreUnavailable):
    """The search index is being rebuilt."""
