"""
Decide what a caller learns of an order through a write: every message, operation, preview and error passes here.

A caller with `orders:read` is shown all of it. Any other learns what became of its write, the names of fields, and the
values that it sent itself. For such a caller no text is passed on that was written elsewhere and may quote PlanSo: the
message is made here, from the operation's state, its failure and the names of fields. What is not known to be harmless
is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planso_connector.domain import errors, stored_errors
from planso_connector.domain.caller import Caller, Scope
from planso_connector.domain.errors import ConnectorError, FieldMismatch, Problem
from planso_connector.domain.fields import BY_PATH, MAX_SHOWN_LENGTH, Value
from planso_connector.domain.notes import RequestNote, split_notes
from planso_connector.domain.operation import Action, Conflict, Operation, OperationState
from planso_connector.domain.order import OversizedText
from planso_connector.domain.saving.appending import target_field, target_fields
from planso_connector.domain.saving.differences import Difference, Verdict, describe_differences
from planso_connector.flows.writing.dry_run import Preview

_HARMLESS = (
    errors.NotAuthenticated,
    errors.NotAllowed,
    errors.NotFound,
    errors.Invalid,
    errors.IdempotencyKeyReused,
    errors.OrderIdReused,
    errors.NotPossible,
    errors.Cancelled,
    errors.LoginRejected,
    errors.MassRemoval,
    errors.StoreUnavailable,
)
"""Errors whose texts are made of the request, of ids and counts."""

_IN_SHORT: tuple[tuple[type[ConnectorError], str], ...] = (
    (errors.DuplicateOrder, "For this number plate there is already an order at this time. Nothing was created."),
    (errors.Expired, "Its deadline passed before PlanSo confirmed it."),
    (errors.AmbiguousCreate, "Whether PlanSo has it can't be told; it is not sent again, and a person has to look."),
    (errors.Damaged, "The save damaged other fields of the order; a person has to look."),
    (errors.PlansoTimeout, "PlanSo did not answer in time."),
    (errors.PlansoUnavailable, "PlanSo can't be reached, or answers with an error."),
    (errors.PlansoUnsure, "PlanSo may have it; its answer never came or can't be understood."),
    (errors.PageChanged, "A page of PlanSo can't be read."),
    (errors.PlansoError, "PlanSo refused it."),
    (ConnectorError, "It was not done."),
)
"""What the others say to a caller that may not read orders; the first that fits."""


def can_read_orders(caller: Caller) -> bool:
    """Whether the caller may be shown what orders hold."""
    return caller.has_any_scope(Scope.ORDERS_READ)


def can_see_operation(operation: Operation, caller: Caller) -> bool:
    """Whether the caller is told of the operation at all."""
    return can_read_orders(caller) or operation.caller == caller.label


def build_message(operation: Operation, caller: Caller) -> str:
    """
    Why it is not done yet or what came of it; what its save changed besides, with values for who may read orders; and
    what was said of the request when it was recorded.
    """
    reads = can_read_orders(caller)
    besides = describe_differences(
        [Difference.from_json(one) for one in operation.differences or ()], with_values=reads
    )
    notes = operation.notes if reads or _is_own_text(operation, caller) else ""
    return " ".join(part for part in (_outcome(operation, caller), *besides, notes) if part)


def _outcome(operation: Operation, caller: Caller) -> str:
    if can_read_orders(caller) or isinstance(operation.message, RequestNote):
        return operation.message
    match operation.state:
        case OperationState.PENDING:
            return "PlanSo has not confirmed it yet."
        case OperationState.CONFIRMED:
            return _confirmed(operation)
        case _:
            return str(build_error(operation, caller))


def _confirmed(operation: Operation) -> str:
    if operation.action is not Action.UPDATE:
        return ""
    if operation.sent_at is None:
        return "Nothing differs from what PlanSo holds; nothing was sent."
    left = sorted(target_fields(operation.requested) - (operation.before or {}).keys())
    if operation.undoes is None or not left:
        return ""
    return f"Left as they are, because they hold it already or somebody changed them since: {', '.join(left)}."


def build_error(operation: Operation, caller: Caller) -> ConnectorError:
    """What a refused, expired, damaged or conflicting operation is answered with."""
    error = stored_errors.deserialize_error(
        operation.failure or {"type": errors.PlansoRefused.__name__}, operation.message
    )
    if can_read_orders(caller):
        return error
    is_own = _is_own_text(operation, caller)
    if isinstance(error, errors.ReadBackMismatch):
        own = operation.requested if is_own else {}  # of an appended line the whole text was sent
        kept = [FieldMismatch(k.field, k.label, k.sent if k.field in own else None, None) for k in error.mismatches]
        return errors.ReadBackMismatch(kept)
    if isinstance(error, errors.EditConflict):
        what_was_sent = "Nothing was sent." if operation.sent_at is None else "What was sent is not there any more."
        return _conflicting(error, what_was_sent)
    if isinstance(error, errors.NotFound):
        return errors.NotFound(f"There is no order {operation.order_id} in PlanSo.")
    if isinstance(error, errors.Cancelled):
        return errors.Cancelled("Cancelled before anything was sent.")
    if operation.action is Action.CREATE and operation.order_id is not None:
        told = f"Order {operation.order_id} was created, but PlanSo kept other values than were sent."
        return errors.PlansoRefused(told)
    if isinstance(error, errors.Expired):
        sent = "Nothing was sent." if operation.sent_at is None else "It was sent, and PlanSo may have it."
        return errors.Expired(f"{_in_short(error)} {sent}")
    return redact_error(error, caller, is_own=is_own)


def redact_error(error: ConnectorError, caller: Caller, *, is_own: bool = True) -> ConnectorError:
    """
    The error as the caller may be told of it: of the same kind, so with the same status. `is_own`: whether all values
    that it may quote came with the caller's request.
    """
    if can_read_orders(caller):
        return error
    if isinstance(error, errors.VersionChanged):
        return errors.VersionChanged(str(error), "")
    if isinstance(error, errors.EditConflict):
        return _conflicting(error, "Nothing was sent.")
    if isinstance(error, errors.Invalid) and not is_own:
        return errors.Invalid([Problem(one.loc, "can't be taken by PlanSo's form", one.type) for one in error.problems])
    if isinstance(error, _HARMLESS):
        return error
    return _in_short(error)


def _conflicting(error: errors.EditConflict, what_was_sent: str) -> errors.EditConflict:
    names = [Conflict(one.field, None, None, None) for one in error.conflicts]
    told = f"Changed in PlanSo since: {', '.join(one.field for one in names)}. {what_was_sent}"
    return errors.EditConflict(told, names)


def _in_short(error: ConnectorError) -> ConnectorError:
    return next(kind(told) for kind, told in _IN_SHORT if isinstance(error, kind))


def _is_own_text(operation: Operation, caller: Caller) -> bool:
    """Whether all values that it asks for came from the caller. An undo asks for what the order held before."""
    return operation.caller == caller.label and operation.undoes is None


def serialize_operation(operation: Operation, caller: Caller) -> dict[str, Any]:
    """The operation as an answer's member."""
    reads = can_read_orders(caller)
    pending = operation.state is OperationState.PENDING
    conflicts = stored_errors.deserialize_conflicts(operation.failure)
    told: dict[str, Any] = {
        "id": operation.id,
        "action": operation.action,
        "order_id": operation.order_id,
        "state": operation.state,
        "message": build_message(operation, caller),
        "asked": operation.requested if reads or _is_own_text(operation, caller) else {},
        "before": operation.before if reads else None,
        "differences": [_difference(one, reads=reads) for one in operation.differences or ()],
        "overwritten": [
            _overwritten(one, reads=reads)
            for one in operation.differences or ()
            if one["verdict"] == Verdict.OVERWRITTEN
        ],
        "controls": _controls(operation.controls, reads=reads),
        "conflicts": [_conflict(one, reads=reads) for one in conflicts],
        "undoes": operation.undoes,
        "caller": operation.caller,
        "attempts": operation.attempts,
        "sent": operation.sent_at is not None,
        "created_at": operation.created_at,
        "deadline_at": operation.deadline_at or "",
        "next_attempt_at": operation.next_at if pending else None,
        "settled_at": operation.settled_at,
    }
    return told | {name: _bounded(told[name]) for name in _OF_PLANSO}


_OF_PLANSO = ("asked", "before", "differences", "overwritten", "controls", "conflicts")
"""Members that may hold what stood in PlanSo, of any length: `asked`, too, where it is undone."""


def _bounded(told: Any) -> Any:
    """The same with the length of each text that is longer than an order shows, in its place."""
    if isinstance(told, str):
        return told if len(told) <= MAX_SHOWN_LENGTH else str(OversizedText.from_text(told))
    if isinstance(told, Mapping):
        return {name: _bounded(value) for name, value in told.items()}
    return [_bounded(value) for value in told] if isinstance(told, (list, tuple)) else told


def _difference(difference: Mapping[str, Any], *, reads: bool) -> dict[str, Any]:
    names = {name: difference.get(name) for name in ("column", "label", "verdict")}
    return names | {name: difference.get(name) if reads else None for name in ("before", "after")}


def _overwritten(difference: Mapping[str, Any], *, reads: bool) -> dict[str, Any]:
    label = difference.get("label") or difference.get("column")
    values = {"theirs": difference.get("shown_before"), "now": difference.get("shown_after")}
    return {"label": label, **(values if reads else dict.fromkeys(values))}


def _controls(controls: Mapping[str, Any] | None, *, reads: bool) -> Mapping[str, Any] | None:
    return controls if controls is None or reads else dict.fromkeys(controls)


def _conflict(conflict: Conflict, *, reads: bool) -> dict[str, Value]:
    values = {"base": conflict.base, "theirs": conflict.theirs, "yours": conflict.yours}
    return {"field": conflict.field, **(values if reads else dict.fromkeys(values))}


def serialize_changes(preview: Preview, caller: Caller) -> list[dict[str, Value]]:
    """
    What a write would change. A caller that may not read orders is shown every field that it asked for, whether it
    differs or not: else it could try values until none differs. Of an undo and a restore it is shown names alone.
    """
    if can_read_orders(caller):
        return [
            {"field": one.path, "label": one.label, "before": one.before, "after": one.requested}
            for one in preview.changes
        ]
    if preview.order_id is None or not preview.asked:
        fields = [(one.path, one.label, one.requested) for one in preview.changes]
    else:
        fields = [(path, BY_PATH[target_field(path)].labels[0], value) for path, value in preview.asked.items()]
    return [
        {"field": path, "label": label, "before": None, "after": value if preview.is_own else None}
        for path, label, value in fields
    ]


def select_notes(preview: Preview, caller: Caller) -> list[str]:
    """What is said beside the changes of a preview."""
    if can_read_orders(caller):
        differs = preview.order_id is None or preview.changes or preview.notes
        return [*([] if differs else ["Nothing differs from what PlanSo holds."]), *preview.notes]
    return split_notes(preview.notes)[0] if preview.is_own else []
