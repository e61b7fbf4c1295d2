"""
Everything that can go wrong, sorted by what to do next.

ConnectorError
├── CallerError              the caller can fix it
│   ├── NotAuthenticated     it can't be told who calls: no API key, or none that is valid
│   ├── NotAllowed           the caller's key has not the scope
│   ├── NotFound             there is no such thing
│   ├── Invalid              what was sent can't be taken; names each field
│   │   └── TooBroad         the question goes through more than there is time for
│   ├── Stale                the caller relies on what is no longer so
│   │   ├── VersionChanged   the order has another version than `If-Match` names
│   │   └── Conflicting      somebody changed in PlanSo what the caller changes too
│   └── Clash                it does not go together with what is there already
│       ├── KeyReused        the idempotency key came with another request before
│       ├── Duplicate        such an order is there, and the caller wants none
│       ├── Stranger         PlanSo gave the order's number to another one
│       ├── NotPossible      the operation can't be cancelled or undone
│       └── Cancelled        the caller called it off before anything was sent
├── PlansoError              PlanSo let us down
│   ├── PlansoUnavailable    nothing happened over there: try again
│   │   └── PlansoTimeout    the same, and it was slowness
│   ├── PlansoUnsure         it may have happened: look before trying again
│   ├── Expired              its deadline passed; whether anything was sent is said
│   ├── Ambiguous            which order it made can't be told: call a person
│   ├── PlansoRefused        it will not happen: tell the caller
│   │   └── ValueKept        PlanSo said yes and kept something else
│   ├── Damaged              the save took values from other fields: stop, call a person
│   ├── LoginRejected        wrong password: stop, call a person
│   └── PageChanged          their page moved: stop this reader, keep the mirror
│       └── PageTooLarge     more than is read of any page: the same
├── MassRemoval              too much vanished at once: keep the mirror, ask a person
├── TooManyWaiting           as many requests wait as may: try again in a moment
└── StoreUnavailable         our own database can't take it
    ├── StoreSilent          it does not answer: nothing of it was done
    ├── CommitUnknown        it may have taken it: look before trying again
    ├── TooManyPending       so many writes wait for PlanSo already that it takes no more
    ├── WritesStopped        a save did damage, or a setting says so: nothing is written
    │   └── WritesShadowed   a setting wants writes planned and told, and none sent
    ├── NotFilled            no sync has filled it yet: nobody knows whether there is such a thing
    └── NotIndexed           what orders are found by is being written anew: the same
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from planso_connector.domain.notes import shorten

if TYPE_CHECKING:
    from planso_connector.domain.operation import Conflict
    from planso_connector.domain.order import OrderDocument


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field. `loc` is the path that FastAPI users know: ("body", "vehicle_details", "vin")."""

    loc: tuple[str | int, ...]
    msg: str
    type: str

    @property
    def field(self) -> str:
        return ".".join(str(step) for step in self.loc[1:]) or str(self.loc[0])


class ConnectorError(Exception):
    """The root. Its text is for a person, and carries no secret and no customer's data but what the caller sent."""


class CallerError(ConnectorError):
    """The caller can fix it."""


class NotAuthenticated(CallerError):
    """It can't be told who calls. `given`: whether an API key came, which is not valid then."""

    def __init__(self, message: str, *, given: bool = False) -> None:
        super().__init__(message)
        self.given = given


class NotAllowed(CallerError):
    """The caller's key has not the scope; `scope` is the one that would do."""

    def __init__(self, message: str, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class NotFound(CallerError):
    """There is no such thing. `read_at` is the stamp of when PlanSo was asked for an order that it does not have."""

    def __init__(self, message: str, *, read_at: str = "") -> None:
        super().__init__(message)
        self.read_at = read_at


class Invalid(CallerError):
    """What was sent can't be taken: `problems` names each field and what would be accepted."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.field}: {problem.msg}" for problem in self.problems))


class QueryTooBroad(Invalid):
    """The question goes through more orders than there is time for; `within` is how many seconds there are."""

    def __init__(self, within: float) -> None:
        told = (
            f"it took longer than {within:g} s and was given up; accepted: a narrower question (more of the plate, "
            "longer words, days, no total), or the same once the connector is less busy"
        )
        super().__init__([Problem(("query",), told, "too_broad")])


class PreconditionFailed(CallerError):
    """The caller relies on what is no longer so."""


class VersionChanged(PreconditionFailed):
    """The order has another version than `If-Match` names. `order` is the order now, for callers that may see it."""

    def __init__(self, message: str, order: OrderDocument | None) -> None:
        super().__init__(message)
        self.order = order


class EditConflict(PreconditionFailed):
    """Somebody changed in PlanSo what the caller changes too; nothing was sent."""

    def __init__(self, message: str, conflicts: Sequence[Conflict]) -> None:
        super().__init__(message)
        self.conflicts = tuple(conflicts)


class StateConflict(CallerError):
    """It does not go together with what is there already."""


class IdempotencyKeyReused(StateConflict):
    """The idempotency key came with another request before."""


class DuplicateOrder(StateConflict):
    """Such an order is there already, and the caller wants none then."""


class OrderIdReused(StateConflict):
    """The order's number is another order's in PlanSo by now; nothing is sent to that."""


class NotPossible(StateConflict):
    """The operation can't be cancelled or undone."""


class Cancelled(StateConflict):
    """The caller called the operation off before anything was sent."""


class PlansoError(ConnectorError):
    """PlanSo let us down."""


class PlansoUnavailable(PlansoError):
    """PlanSo can't be reached or answers with an error; nothing happened over there: try again."""


class PlansoTimeout(PlansoUnavailable):
    """PlanSo did not answer in time; nothing happened over there: try again."""


class PlansoUnsure(PlansoError):
    """
    The answer to a save never came, says that something failed, or can't be understood; it may have happened: look
    before trying again. `is_over`: PlanSo answered, so what does not show by now does not come later.
    """

    def __init__(self, message: str, *, is_over: bool = False) -> None:
        super().__init__(message)
        self.is_over = is_over


class Expired(PlansoError):
    """The deadline of an operation passed before PlanSo confirmed it; its text says whether anything was sent."""


class AmbiguousCreate(PlansoError):
    """Which order a create made can't be told; it is not sent again, and a person has to look."""


class PlansoRefused(PlansoError):
    """PlanSo said no; it will not happen: tell the caller."""


@dataclass(frozen=True, slots=True)
class FieldMismatch:
    """A field that PlanSo did not take over: what was sent, what the form holds now; None where it must not be seen."""

    field: str
    label: str
    sent: str | None
    kept: str | None

    @property
    def words(self) -> str:
        values = {"sent": self.sent, "kept": self.kept}
        told = ", ".join(f"{name} '{shorten(value)}'" for name, value in values.items() if value is not None)
        return f"{self.field} ('{self.label}')" + (f": {told}" if told else "")


class ReadBackMismatch(PlansoRefused):
    """PlanSo said yes, and the form read back holds something else."""

    def __init__(self, kept: Sequence[FieldMismatch]) -> None:
        self.mismatches = tuple(kept)
        super().__init__(f"PlanSo kept another value. {'; '.join(one.words for one in self.mismatches)}")


class Damaged(PlansoError):
    """The save took values from fields that it was not asked to change, and nothing explains it."""


class LoginRejected(PlansoError):
    """PlanSo rejected the user name or the password. It is not tried again by itself: an account can be locked."""


class PageChanged(PlansoError):
    """
    A page of PlanSo is not what this connector knows how to read. `page` is `list`, `form`, `parts` or a tab's name,
    `content` the page without what it says of customers, to mend the reader against; empty where there is none.
    """

    def __init__(self, message: str, *, page: str = "", content: str = "") -> None:
        super().__init__(message)
        self.page = page
        self.content = content


class PageTooLarge(PageChanged):
    """
    An answer of PlanSo is larger than is read, in bytes or in what they hold: tags, nesting, values. It was not read to
    its end, or not parsed.
    """


class MassRemoval(ConnectorError):
    """Too many orders vanished from PlanSo's list at once to be believed."""


class TooManyWaiting(ConnectorError):
    """As many requests wait as may, or of this caller; nothing was done: try again in a moment."""


class StoreUnavailable(ConnectorError):
    """The connector's own database can't take it: full, read-only, locked or away."""


class StoreTimeout(StoreUnavailable):
    """The database has not answered in time; nothing of it was done."""


class CommitUnknown(StoreUnavailable):
    """
    The connection to the database broke while it committed, or its answer never came: whether it did is not known.
    `operation_id` is the write that it was to record.
    """

    def __init__(self, message: str, operation_id: str = "") -> None:
        super().__init__(message)
        self.operation_id = operation_id


class TooManyPending(StoreUnavailable):
    """So many writes wait for PlanSo already that no more is taken on; nothing was recorded."""


class WritesStopped(StoreUnavailable):
    """Writes to this order or workshop are stopped, because a save did damage or by a setting; nothing was recorded."""


class WritesShadowed(WritesStopped):
    """The setting wants writes planned and told, and none sent; nothing was recorded."""


class MirrorNotFilled(StoreUnavailable):
    """No sync has filled the mirror yet: whether there is such an order is not known."""


class IndexNotReady(StoreUnavailable):
    """What orders are found by is being written anew: whether there is such an order is not known until it is done."""
