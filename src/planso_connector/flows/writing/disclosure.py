"""
Decide what a caller learns of an order through a write: every message, operation, preview and error passes here.

A caller with `orders:read` sees all of it. Any other learns the state of its write, the names of fields, and the values
that it sent itself. Text written elsewhere may quote PlanSo, so such a caller gets a message that is made here of the
operation's state, its failure and the names of fields; what is not known to be harmless is left out.
"""

from collections.abc import Mapping
from typing import Any

from planso_connector.domain import errors, stored_errors
from planso_connector.domain.caller import Caller
from planso_connector.domain.errors import ConnectorError, FieldMismatch, Problem
from planso_connector.domain.fields import BY_PATH, MAX_SHOWN_LENGTH, Value
from planso_connector.domain.messages import MESSAGES
from planso_connector.domain.notes import RequestNote, split_notes
from planso_connector.domain.operation import Action, Conflict, Operation, OperationState
from planso_connector.domain.order import OversizedText
from planso_connector.domain.saving.appending import target_field, target_fields
from planso_connector.domain.saving.verdicts import Difference, Verdict, describe_differences
from planso_connector.domain.scopes import Scope
from planso_connector.flows.writing.dry_run import Preview

_HARMLESS = (
    errors.NotAuthenticated,
    errors.NotAllowed,
    errors.NotFound,
    errors.Invalid,
    errors.IdempotencyKeyReused,
    errors.OrderIdReused,
    errors.NotPossible,
    errors.NoRoom,
    errors.Cancelled,
    errors.LoginRejected,
    errors.MassRemoval,
    errors.StoreUnavailable,
)
"""Errors whose messages are made of the request, of ids and counts."""

_SHORT_MESSAGES: tuple[tuple[type[ConnectorError], str], ...] = (
    (errors.DuplicateOrder, "For this number plate there is already an order at this time. Nothing was created."),
    (errors.Expired, "Its deadline passed before PlanSo confirmed it."),
    (errors.AmbiguousCreate, "Whether PlanSo has it is unknown; it is not sent again, and a person has to look."),
    (errors.Damaged, "The save damaged other fields of the order; a person has to look."),
    (errors.PlansoTimeout, "PlanSo did not answer in time."),
    (errors.PlansoUnavailable, "PlanSo can't be reached, or answers with an error."),
    (errors.PlansoUnsure, "PlanSo may have it; its answer never came or can't be understood."),
    (errors.PageChanged, "A page of PlanSo can't be read."),
    (errors.PlansoError, "PlanSo refused it."),
    (ConnectorError, "It was not done."),
)
"""The messages of other errors for callers without `orders:read`; the first that fits."""


def can_read_orders(caller: Caller) -> bool:
    """Whether the caller may see what orders hold."""
    return caller.has_any_scope(Scope.ORDERS_READ)


def can_see_operation(operation: Operation, caller: Caller) -> bool:
    """Whether the caller may see the operation at all."""
    return can_read_orders(caller) or operation.caller == caller.label


def build_message(operation: Operation, caller: Caller) -> str:
    """
    The operation's outcome, or why it is still pending; what its save changed besides, with values for callers with
    `orders:read`; and the notes on the request.
    """
    can_read = can_read_orders(caller)
    differences = [Difference.from_json(one) for one in operation.differences or ()]
    notes = operation.notes if can_read or _is_own_request(operation, caller) else ""
    sentences = describe_differences(differences, with_values=can_read)
    return " ".join(part for part in (_describe_outcome(operation, caller), *sentences, notes) if part)


def _describe_outcome(operation: Operation, caller: Caller) -> str:
    if can_read_orders(caller) or isinstance(operation.message, RequestNote):
        return operation.message
    match operation.state:
        case OperationState.PENDING:
            return "PlanSo has not confirmed it yet."
        case OperationState.CONFIRMED:
            return _describe_confirmed(operation)
        case _:
            return str(build_error(operation, caller))


def _describe_confirmed(operation: Operation) -> str:
    if operation.action is not Action.UPDATE:
        return ""
    if operation.sent_at is None:
        return "Nothing differs from what PlanSo holds; nothing was sent."
    left = sorted(target_fields(operation.requested) - (operation.before or {}).keys())
    if operation.undoes is None or not left:
        return ""
    return f"Left as they are, because they hold it already or somebody changed them since: {', '.join(left)}."


def build_error(operation: Operation, caller: Caller) -> ConnectorError:
    """The error that answers a refused, expired, damaged or conflicting operation."""
    failure = operation.failure or {"type": errors.PlansoRefused.__name__}
    error = stored_errors.deserialize_error(failure, operation.message)
    if can_read_orders(caller):
        return error
    is_own = _is_own_request(operation, caller)
    match error:
        case errors.ReadBackMismatch():
            own = operation.requested if is_own else {}  # of an appended line the whole text was sent
            return errors.ReadBackMismatch(
                [FieldMismatch(m.field, m.label, m.sent if m.field in own else None, None) for m in error.mismatches]
            )
        case errors.EditConflict():
            is_sent = operation.sent_at is not None
            return _redact_conflict(error, "What was sent is not there any more." if is_sent else "Nothing was sent.")
        case errors.NotFound():
            return errors.NotFound(f"There is no order {operation.order_id} in PlanSo.")
        case errors.Cancelled():
            return errors.Cancelled("Cancelled before anything was sent.")
    if operation.action is Action.CREATE and operation.order_id is not None:
        message = f"Order {operation.order_id} was created, but PlanSo kept other values than were sent."
        return errors.PlansoRefused(message)
    if isinstance(error, errors.Expired):
        sent = "Nothing was sent." if operation.sent_at is None else "It was sent, and PlanSo may have it."
        return errors.Expired(f"{_shorten(error)} {sent}")
    return redact_error(error, caller, is_from_request=is_own)


def redact_error(error: ConnectorError, caller: Caller, *, is_from_request: bool = True) -> ConnectorError:
    """
    The error without what the caller may not see, of the same class and so with the same status. `is_from_request`:
    whether all values that it may quote came with the caller's request.
    """
    if can_read_orders(caller):
        return error
    if isinstance(error, errors.VersionChanged):
        return errors.VersionChanged(str(error), None)
    if isinstance(error, errors.EditConflict):
        return _redact_conflict(error, "Nothing was sent.")
    if isinstance(error, errors.Invalid) and not is_from_request:
        return errors.Invalid([Problem.of(one.loc, MESSAGES["planso_form"], one.type) for one in error.problems])
    return error if isinstance(error, _HARMLESS) else _shorten(error)


def _redact_conflict(error: errors.EditConflict, outcome: str) -> errors.EditConflict:
    fields = [conflict.field for conflict in error.conflicts]
    message = f"Changed in PlanSo since: {', '.join(fields)}. {outcome}"
    return errors.EditConflict(message, [Conflict(field, None, None, None) for field in fields])


def _shorten(error: ConnectorError) -> ConnectorError:
    return next(kind(message) for kind, message in _SHORT_MESSAGES if isinstance(error, kind))


def _is_own_request(operation: Operation, caller: Caller) -> bool:
    """Whether all requested values came from the caller; those of an undo are what the order held before."""
    return operation.caller == caller.label and operation.undoes is None


def serialize_operation(operation: Operation, caller: Caller) -> dict[str, Any]:
    can_read = can_read_orders(caller)
    differences = operation.differences or ()
    overwritten = [one for one in differences if one["verdict"] == Verdict.OVERWRITTEN]
    conflicts = stored_errors.deserialize_conflicts(operation.failure)
    values = {
        "asked": operation.requested if can_read or _is_own_request(operation, caller) else {},
        "before": operation.before if can_read else None,
        "differences": [_serialize_difference(one, can_read=can_read) for one in differences],
        "overwritten": [_serialize_overwritten(one, can_read=can_read) for one in overwritten],
        "controls": _blank_unless(can_read, operation.controls),
        "conflicts": [_serialize_conflict(one, can_read=can_read) for one in conflicts],
    }
    return {
        "id": operation.id,
        "action": operation.action,
        "order_id": operation.order_id,
        "state": operation.state,
        "message": build_message(operation, caller),
        **{name: _replace_oversized(value) for name, value in values.items()},
        "undoes": operation.undoes,
        "caller": operation.caller,
        "attempts": operation.attempts,
        "sent": operation.sent_at is not None,
        "created_at": operation.created_at,
        "deadline_at": operation.deadline_at or "",
        "next_attempt_at": operation.next_at if operation.state is OperationState.PENDING else None,
        "settled_at": operation.settled_at,
    }


def _replace_oversized(value: Any) -> Any:
    """The value with each text that is longer than an order shows replaced by its length: PlanSo's have no limit."""
    if isinstance(value, str):
        return value if len(value) <= MAX_SHOWN_LENGTH else str(OversizedText.from_text(value))
    if isinstance(value, Mapping):
        return {name: _replace_oversized(member) for name, member in value.items()}
    return [_replace_oversized(item) for item in value] if isinstance(value, (list, tuple)) else value


def _blank_unless(can_read: bool, values: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return values if values is None or can_read else dict.fromkeys(values)


def _serialize_difference(difference: Mapping[str, Any], *, can_read: bool) -> dict[str, Any]:
    names = {name: difference.get(name) for name in ("column", "label", "verdict")}
    return names | {name: difference.get(name) if can_read else None for name in ("before", "after")}


def _serialize_overwritten(difference: Mapping[str, Any], *, can_read: bool) -> dict[str, Any]:
    values = {"theirs": difference.get("shown_before"), "now": difference.get("shown_after")}
    label = difference.get("label") or difference.get("column")
    return {"label": label, **(_blank_unless(can_read, values) or {})}


def _serialize_conflict(conflict: Conflict, *, can_read: bool) -> dict[str, Any]:
    values = {"base": conflict.base, "theirs": conflict.theirs, "yours": conflict.yours}
    return {"field": conflict.field, **(_blank_unless(can_read, values) or {})}


def serialize_changes(preview: Preview, caller: Caller) -> list[dict[str, Value]]:
    """
    A preview's changes as JSON. A caller without `orders:read` gets every requested field, changed or not: else it
    could try values until none changes. Of an undo and a restore it gets names alone.
    """
    if can_read_orders(caller):
        return [
            {"field": change.path, "label": change.label, "before": change.before, "after": change.requested}
            for change in preview.changes
        ]
    if preview.order_id is None or not preview.requested:
        fields = [(change.path, change.label, change.requested) for change in preview.changes]
    else:
        fields = [(path, BY_PATH[target_field(path)].labels[0], value) for path, value in preview.requested.items()]
    return [
        {"field": path, "label": label, "before": None, "after": value if preview.is_from_request else None}
        for path, label, value in fields
    ]


def select_notes(preview: Preview, caller: Caller) -> list[str]:
    """The preview's notes that the caller may see."""
    if not can_read_orders(caller):
        return split_notes(preview.notes)[0] if preview.is_from_request else []
    if preview.order_id is None or preview.changes or preview.notes:
        return list(preview.notes)
    return ["Nothing differs from what PlanSo holds."]
