"""
The kinds of calls that are forwarded to the holder of a PlanSo lease, with their requests and results as JSON: what is
read from it is equal to what was written.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from planso_connector.domain.fields import Value
from planso_connector.domain.notes import RequestNote
from planso_connector.domain.operation import FieldChange
from planso_connector.flows.writing.dry_run import Preview
from planso_connector.store.sync_runs import Trigger

Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class CallKind(Generic[Request, Result]):
    """A kind of call, and how its request and result are written as JSON."""

    name: str
    encode_request: Callable[[Request], Any]
    decode_request: Callable[[Any], Request]
    encode_result: Callable[[Result], Any]
    decode_result: Callable[[Any], Result]


def _nothing(_: object) -> None:
    return None


# -- live read: the order is read and stored; the caller reads the mirror then


@dataclass(frozen=True, slots=True)
class LiveRead:
    order_id: int


LIVE_READ: CallKind[LiveRead, None] = CallKind(
    "live_read", asdict, lambda stored: LiveRead(stored["order_id"]), _nothing, _nothing
)


# -- dry run


class DryRunAction(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNDO = "undo"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class DryRunCall:
    """
    A call of the method of DryRun that is called like `action`: create (`requested`), update (`order_id`, `requested`),
    delete (`order_id`), undo (`operation_id`), restore (`operation_id`, `only`). The holder loads the operation.
    """

    action: DryRunAction
    order_id: int | None = None
    requested: Mapping[str, Value] = field(default_factory=dict)
    operation_id: str = ""
    only: tuple[str, ...] = ()


def _encode_dry_run(call: DryRunCall) -> dict[str, Any]:
    return {**asdict(call), "requested": dict(call.requested)}


def _decode_dry_run(stored: Mapping[str, Any]) -> DryRunCall:
    return DryRunCall(**{**stored, "action": DryRunAction(stored["action"]), "only": tuple(stored["only"])})


def _encode_preview(preview: Preview) -> dict[str, Any]:
    return {
        "order_id": preview.order_id,
        "changes": [asdict(change) for change in preview.changes],
        "notes": [[str(note), isinstance(note, RequestNote)] for note in preview.notes],
        "controls": list(preview.controls),
        "requested": dict(preview.requested),
        "is_from_request": preview.is_from_request,
    }


def _decode_preview(stored: Mapping[str, Any]) -> Preview:
    return Preview(
        stored["order_id"],
        tuple(FieldChange(**change) for change in stored["changes"]),
        tuple(RequestNote(text) if is_of_request else text for text, is_of_request in stored["notes"]),
        tuple(stored["controls"]),
        stored["requested"],
        stored["is_from_request"],
    )


DRY_RUN: CallKind[DryRunCall, Preview] = CallKind(
    "dry_run", _encode_dry_run, _decode_dry_run, _encode_preview, _decode_preview
)


# -- login


@dataclass(frozen=True, slots=True)
class LoginKeyRequest:
    """Asks for a key to encrypt one login's credentials with."""


@dataclass(frozen=True, slots=True)
class LoginCall:
    """`credentials`: other ones than the configured, encrypted by `sealed_credentials`; empty for the configured."""

    credentials: str = ""


LOGIN_KEY: CallKind[LoginKeyRequest, str] = CallKind(
    "login_key", asdict, lambda _: LoginKeyRequest(), lambda key: key, lambda key: key
)
LOGIN: CallKind[LoginCall, None] = CallKind(
    "login", asdict, lambda stored: LoginCall(stored["credentials"]), _nothing, _nothing
)


# -- sync


@dataclass(frozen=True, slots=True)
class SyncStart:
    trigger: Trigger
    full: bool
    accept: bool


@dataclass(frozen=True, slots=True)
class SyncStarted:
    """`joined`: whether the run was in progress already."""

    run_id: str
    joined: bool


def _decode_sync_start(stored: Mapping[str, Any]) -> SyncStart:
    return SyncStart(Trigger(stored["trigger"]), stored["full"], stored["accept"])


SYNC_START: CallKind[SyncStart, SyncStarted] = CallKind(
    "sync_start", asdict, _decode_sync_start, asdict, lambda stored: SyncStarted(**stored)
)
