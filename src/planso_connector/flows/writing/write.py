"""
Accept a write: record it as an operation in one transaction, after which it can't be lost, and wait for its end.

The same transaction checks the idempotency key, the version that the caller relies on, stops and duplicates.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from planso_connector.domain import stored_errors
from planso_connector.domain.clock import Clock, format_instant
from planso_connector.domain.errors import (
    Cancelled,
    CommitUnknown,
    DuplicateOrder,
    IdempotencyKeyReused,
    Invalid,
    LoginRejected,
    NotPossible,
    Problem,
    StoreUnavailable,
    TooManyPending,
    VersionChanged,
    WritesStopped,
)
from planso_connector.domain.fields import Value
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.input_warnings import find_input_warnings
from planso_connector.domain.messages import MESSAGES
from planso_connector.domain.operation import Action, Operation, OperationState, generate_operation_id
from planso_connector.domain.order import CREATE_NEEDS_ONE_OF, FROM_OTHER_PAGES
from planso_connector.domain.saving import appending, restoring
from planso_connector.domain.saving.identity import Identity, build_identity
from planso_connector.flows.querying.orders import missing_order_error
from planso_connector.flows.writing.accepting import check_accepted
from planso_connector.flows.writing.bookings import check_bookings
from planso_connector.flows.writing.outbox import Outbox
from planso_connector.flows.writing.write_request import WriteRequest, fingerprint_content, fingerprint_request
from planso_connector.planso.http.client import PlansoClient
from planso_connector.store import idempotency_keys, operations, orders, search, write_stops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.repeated_creates import WINDOW, find_repeated

COMMIT_CHECK_PAUSES = (0.0, 0.5, 1.5)
"""Seconds before each check whether an operation is recorded, where the response to its commit was lost."""
COMMIT_CHECK_TIMEOUT = 3.0
"""Seconds for each check: the caller has waited already."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """`is_replayed`: the request repeats an earlier one, whose operation this is; nothing new was recorded."""

    operation: Operation
    is_replayed: bool


class WriteService:
    """
    `wait` is in seconds for PlanSo's confirmation, `deadline` for the whole operation; while `max_pending` are pending,
    no write is accepted. `writes` is the setting CONNECTOR_WRITES: `on`, `shadow`, `off`.

    Every method that writes returns the operation once it is settled, the wait is over, or the database can't be read
    any more: its own, or that of the request that this one repeats. It raises IdempotencyKeyReused, VersionChanged,
    DuplicateOrder, NoRoom, NotFound, LoginRejected, WritesStopped, TooManyPending and StoreUnavailable where nothing
    was recorded, and CommitUnknown where it may have been.
    """

    def __init__(
        self,
        database: Database,
        planso: PlansoClient,
        outbox: Outbox,
        *,
        wait: float,
        deadline: timedelta,
        max_pending: int,
        clock: Clock,
        writes: str = "on",
    ) -> None:
        self._database = database
        self._planso = planso
        self._outbox = outbox
        self._default_wait = wait
        self._deadline = deadline
        self._max_pending = max_pending
        self._clock = clock
        self._writes = writes

    async def create(self, requested: Mapping[str, Value], request: WriteRequest) -> WriteResult:
        """Raises Invalid, too."""
        _require_identity(requested)
        return await self._write(Action.CREATE, None, requested, request)

    async def update(self, order_id: int, requested: Mapping[str, Value], request: WriteRequest) -> WriteResult:
        return await self._write(Action.UPDATE, order_id, requested, request)

    async def delete(self, order_id: int, request: WriteRequest) -> WriteResult:
        return await self._write(Action.DELETE, order_id, {}, request)

    async def undo(self, operation_id: str, request: WriteRequest) -> WriteResult:
        """Write back what the fields held before a confirmed update, unless changed since. Raises NotPossible, too."""
        update = await self.get_undoable(operation_id)
        requested, base = appending.plan_undo(update)
        return await self._write(Action.UPDATE, update.order_id, requested, request, base=base, undoes=update.id)

    async def get_undoable(self, operation_id: str) -> Operation:
        """An operation that can be undone. Raises NotFound, NotPossible."""
        operation = await self.get_operation(operation_id)
        if operation.action is not Action.UPDATE or operation.state is not OperationState.CONFIRMED:
            kind = f"a {operation.state} {operation.action}"
            raise NotPossible(f"Operation {operation_id} is {kind}; only a confirmed update can be undone.")
        if not operation.before:
            raise NotPossible(f"Operation {operation_id} changed nothing; there is nothing to undo.")
        return operation

    async def restore(self, operation_id: str, only: Sequence[str], request: WriteRequest) -> WriteResult:
        """
        Write back the values that a damaged operation's save lost, all or those of the labels and control names `only`.
        Raises NotPossible, Invalid, too.
        """
        damaged = await self.get_operation(operation_id)
        controls = restoring.get_values_before(restoring.select_restorable(damaged, only))
        return await self._write(Action.UPDATE, damaged.order_id, {}, request, undoes=damaged.id, controls=controls)

    def sign_lines(self, requested: Mapping[str, Value], request: WriteRequest) -> Mapping[str, Value]:
        """The requested values, with the day and the signature at the end of appended lines where there is one."""
        if request.signature is None:
            return requested
        return appending.sign_appended_lines(requested, request.signature, self._clock().astimezone(BERLIN).date())

    async def check(
        self, action: Action, order_id: int | None, requested: Mapping[str, Value], request: WriteRequest
    ) -> str:
        """The notes that recording it would give. Raises Invalid, VersionChanged, DuplicateOrder, NotFound."""
        if action is Action.CREATE:
            _require_identity(requested)
        operation = Operation(id="", action=action, order_id=order_id, requested=dict(requested))

        def work(tx: Transaction) -> str:
            self._load_base(tx, operation, request)
            notes = self._add_duplicates(tx, operation, request)
            return self._add_room(tx, operation, request, notes, is_dry_run=True)

        return await self._database.read(work)

    async def _write(
        self,
        action: Action,
        order_id: int | None,
        requested: Mapping[str, Value],
        request: WriteRequest,
        *,
        base: Mapping[str, Value] | None = None,
        undoes: str | None = None,
        controls: Mapping[str, Sequence[str]] | None = None,
    ) -> WriteResult:
        now = self._clock()
        operation = Operation(
            id=generate_operation_id(),
            action=action,
            order_id=order_id,
            requested=dict(self.sign_lines(requested, request)),
            created_at=format_instant(now),
            deadline_at=format_instant(now + self._deadline),
            next_at=format_instant(now),
            notes=" ".join([*find_input_warnings(requested), *([request.notes] if request.notes else [])]),
            caller=request.caller,
            idempotency_key=request.idempotency_key,
            request=fingerprint_request(action, order_id, requested, request, undoes, controls),
            content=fingerprint_content(action, order_id, requested, request),
            base=base,
            undoes=undoes,
            controls=controls,
        )
        recorded = await self._record_surely(operation, request)
        self._outbox.notify_recorded(recorded.id)
        with suppress(StoreUnavailable):
            wait = request.wait if request.wait is not None else self._default_wait
            recorded = await self.wait_until_settled(recorded, wait)
        return WriteResult(recorded, is_replayed=recorded.id != operation.id)

    async def _record_surely(self, operation: Operation, request: WriteRequest) -> Operation:
        """
        Record the operation; where the response to the commit is lost, look for it by its id. The lock makes the check
        wait for the end of the transaction before. Raises CommitUnknown where the check fails, too.
        """

        def work(tx: Transaction, *, is_check: bool) -> Operation:
            tx.lock(f"operation {tx.workshop} {operation.id}")
            recorded = operations.get(tx, operation.id) if is_check else None
            return recorded or self._record(tx, operation, request)

        lost: StoreUnavailable | None = None
        for pause in (0.0, *COMMIT_CHECK_PAUSES):
            await asyncio.sleep(pause)
            try:
                if lost is None:
                    return await self._database.write(partial(work, is_check=False))
                return await self._database.write_with_priority(partial(work, is_check=True), COMMIT_CHECK_TIMEOUT)
            except (TooManyPending, WritesStopped):
                raise
            except StoreUnavailable as error:
                if lost is None and not isinstance(error, CommitUnknown):
                    raise
                lost = error
        raise CommitUnknown(
            f"{lost} The write may be recorded all the same, as operation {operation.id}: look at "
            f"/api/operations/{operation.id}, or repeat it with its Idempotency-Key.",
            operation.id,
        )

    def _record(self, tx: Transaction, operation: Operation, request: WriteRequest) -> Operation:
        if operation.idempotency_key is not None:
            assert operation.created_at is not None, "operations are recorded with their time"
            earlier = idempotency_keys.find_operation(
                tx, operation.caller, operation.idempotency_key, now=operation.created_at
            )
            if earlier is not None and earlier.request == operation.request:
                return earlier
            if earlier is not None:
                raise IdempotencyKeyReused(
                    f"Idempotency-Key: it came with another request before, operation {earlier.id}; accepted: a new "
                    "key, or the same request again."
                )
        elif (repeated := find_repeated(tx, operation, request.call.window if request.call else WINDOW)) is not None:
            return repeated
        check_accepted(tx, operation, self._writes)
        if self._planso.login_status.state == "rejected":
            raise LoginRejected("PlanSo rejects the connector's user name or password; nothing was recorded.")
        if operations.has_pending(tx, at_least=self._max_pending):
            raise TooManyPending(
                f"{self._max_pending} writes wait for PlanSo already, and no more are taken on until some are "
                "through; nothing was recorded."
            )
        base = self._load_base(tx, operation, request)
        notes = self._add_room(tx, operation, request, self._add_duplicates(tx, operation, request))
        return operations.record(
            tx,
            replace(
                operation,
                base=operation.base or base if request.if_match is not None else operation.base,
                identity=self._load_identity(tx, operation),
                notes=notes,
            ),
        )

    def _load_identity(self, tx: Transaction, operation: Operation) -> Identity | None:
        """The order's identity by the mirror, where a deleted order counts too, and by the writes pending before."""
        if operation.order_id is None:
            return None
        operations.lock_order(tx, operation.order_id)
        held = orders.load_identifying(tx, operation.order_id)
        undone = operations.get(tx, operation.undoes) if operation.undoes is not None else None
        pending = operations.list_pending(tx, operation.order_id) if held is not None else []
        requested = [*(earlier.requested for earlier in pending), operation.requested]
        return build_identity(held or {}, requested, undone.identity if undone is not None else None)

    def _load_base(self, tx: Transaction, operation: Operation, request: WriteRequest) -> dict[str, Value] | None:
        """
        The mirror's values of the requested fields, of all for a deletion, at the version that `If-Match` names; None
        without one, and for `*`. Pending writes are not in them: when one changes such a field, that is a conflict,
        although the caller was shown that it is pending. Raises NotFound, VersionChanged.
        """
        tag, order_id = request.if_match, operation.order_id
        if tag is None or order_id is None:
            return None
        stored, mirrored = orders.get(tx, order_id), orders.load(tx, order_id)
        if stored is None or mirrored is None or stored.deleted_at is not None:
            raise missing_order_error(tx, order_id)
        if tag == "*":
            return None
        version, _, pending = tag.partition(".")
        if int(version) != stored.version or (pending and tag != stored.order.tag):
            message = f'If-Match: order {order_id} has the ETag "{stored.order.tag}" now, not "{tag}".'
            raise VersionChanged(message, stored.order)
        if operation.action is Action.DELETE:
            paths = [path for path in mirrored.values if path not in FROM_OTHER_PAGES]
        else:
            paths = [path for path in operation.requested if appending.target_field(path) == path]
        return {path: mirrored.value_or_unreadable(path) for path in paths}

    def _add_duplicates(self, tx: Transaction, operation: Operation, request: WriteRequest) -> str:
        """The operation's notes; for a create with the orders that may be the same one. Raises DuplicateOrder."""
        is_create = operation.action is Action.CREATE
        duplicates = search.find_overlapping_orders(tx, operation.requested) if is_create else []
        if not duplicates:
            return operation.notes
        ids = f": {', '.join(str(order_id) for order_id in duplicates[:5])}" if request.can_read_orders else ""
        message = f"For this number plate there is already an order at this time{ids}."
        if request.is_strict:
            raise DuplicateOrder(f"{message} Nothing was created.")
        return f"{operation.notes} {message}".strip()

    def _add_room(
        self, tx: Transaction, operation: Operation, request: WriteRequest, notes: str, *, is_dry_run: bool = False
    ) -> str:
        """The notes, with where the workshop has no room for what the operation books. Raises NoRoom, Invalid."""
        note = check_bookings(
            tx,
            operation,
            self._clock(),
            hold_id=request.hold,
            call=request.call.id if request.call else None,
            is_strict=request.is_strict,
            is_dry_run=is_dry_run,
        )
        return f"{notes} {note}".strip()

    async def get_operation(self, operation_id: str) -> Operation:
        """Raises NotFound."""
        return await self._outbox.load(operation_id)

    async def list_operations(
        self, order_id: int | None, state: OperationState | None, before: tuple[str, str] | None, limit: int
    ) -> Sequence[Operation]:
        """Newest first; `before` as in `store.operations.list_page`."""

        def work(tx: Transaction) -> Sequence[Operation]:
            page = operations.list_page(tx, order_id=order_id, state=state, before=before, limit=limit)
            if not write_stops.list_active(tx):
                return page
            return [write_stops.add_stop_message(tx, operation) for operation in page]

        return await self._database.read(work)

    async def wait_until_settled(self, operation: Operation, seconds: float) -> Operation:
        """The operation when it is settled, the time is up, or it is clear that it will not be settled by then."""
        if seconds <= 0:
            return operation
        until = format_instant(self._clock() + timedelta(seconds=seconds))
        return await self._outbox.wait_until_settled(
            operation, seconds, give_up=lambda now: (now.next_at or until) > until
        )

    async def cancel(self, operation_id: str) -> Operation:
        """Raises NotFound, and NotPossible where it is settled or something may have been sent."""
        error = Cancelled("Cancelled before anything was sent.")
        now = format_instant(self._clock())
        is_cancelled = await self._database.write(
            lambda tx: operations.cancel(
                tx, operation_id, now=now, message=str(error), failure=stored_errors.serialize_error(error)
            )
        )
        operation = await self.get_operation(operation_id)
        if not is_cancelled:
            is_pending = operation.state is OperationState.PENDING
            why = "something was sent to PlanSo already" if is_pending else f"it is {operation.state} already"
            raise NotPossible(f"Operation {operation_id} can't be cancelled: {why}.")
        self._outbox.notify_cancelled(operation_id)
        return operation


def _require_identity(requested: Mapping[str, Value]) -> None:
    """
    Raises Invalid for a new order without person and vehicle. PlanSo shows it like an order that does not exist: it
    could not be changed, deleted, or found again after a lost response.
    """
    if not any(requested.get(path) for path in CREATE_NEEDS_ONE_OF):
        message = MESSAGES["no_identity"].format(names=", ".join(CREATE_NEEDS_ONE_OF))
        raise Invalid([Problem.of(("body",), message, "missing")])
