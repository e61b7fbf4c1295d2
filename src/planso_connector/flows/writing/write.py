"""
Write: record an operation in one transaction, from where on it can't be lost, and wait a while for what becomes of it.

The same transaction looks at the idempotency key, the version that the caller relies on and what is there already.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
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
    NotFound,
    NotPossible,
    Problem,
    StoreUnavailable,
    TooManyPending,
    VersionChanged,
    WritesShadowed,
    WritesStopped,
)
from planso_connector.domain.fields import Value
from planso_connector.domain.german_formats import BERLIN
from planso_connector.domain.input_warnings import find_input_warnings
from planso_connector.domain.operation import Action, Operation, OperationState, generate_operation_id
from planso_connector.domain.order import CREATE_NEEDS_ONE_OF, FROM_OTHER_PAGES
from planso_connector.domain.saving import appending, restoring
from planso_connector.domain.saving.identity import Identity, build_identity
from planso_connector.flows.writing.outbox import Outbox
from planso_connector.planso.http.client import PlansoClient
from planso_connector.store import operations, orders, search, write_stops
from planso_connector.store.engine.database import Database, Transaction
from planso_connector.store.order_rows import to_json

LOOK_AGAIN = (0.0, 0.5, 1.5)
"""Seconds before each look whether an operation is recorded, where the answer to its commit is lost."""
LOOK_WITHIN = 3.0
"""Seconds for each look: who asked has waited already."""


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """
    What comes with a write. `wait` in seconds, None for the usual; `if_match` the ETag relied on, without its quotes,
    `*` for any; `notes` sentences that the caller is told whatever comes of it. `names_orders`: whether the caller may
    be told which other orders there are. `signed_by`: with whose name appended lines end, None where they don't.
    """

    caller: str = ""
    wait: float | None = None
    idempotency_key: str | None = None
    if_match: str | None = None
    strict: bool = False
    notes: str = ""
    names_orders: bool = True
    signed_by: str | None = None


class WriteService:
    """
    Lives as long as the process. `wait` in seconds for PlanSo's confirmation, `deadline` for the whole of a write; no
    write is taken on while `most_pending` are pending. `writes` is the setting CONNECTOR_WRITES: `on`, `shadow`, `off`.
    """

    def __init__(
        self,
        database: Database,
        planso: PlansoClient,
        outbox: Outbox,
        *,
        wait: float,
        deadline: timedelta,
        most_pending: int,
        clock: Clock,
        writes: str = "on",
    ) -> None:
        self._database = database
        self._planso = planso
        self._outbox = outbox
        self._wait = wait
        self._deadline = deadline
        self._most_pending = most_pending
        self._clock = clock
        self._writes = writes

    async def create(self, asked: Mapping[str, Value], request: WriteRequest) -> Operation:
        """Raises Invalid for an order that would be nobody's, and what every write raises."""
        _require_somebody(asked)
        return await self._write(Action.CREATE, None, asked, request)

    async def update(self, order_id: int, asked: Mapping[str, Value], request: WriteRequest) -> Operation:
        return await self._write(Action.UPDATE, order_id, asked, request)

    async def delete(self, order_id: int, request: WriteRequest) -> Operation:
        return await self._write(Action.DELETE, order_id, {}, request)

    async def undo(self, operation_id: str, request: WriteRequest) -> Operation:
        """
        A new operation that gives the fields of a confirmed update back what they held before, where nobody changed
        them since. Raises NotFound, NotPossible, and what every write raises.
        """
        undone = await self.undone(operation_id)
        assert undone.before is not None, "`undone` saw to it"
        asked, base = appending.plan_undo(undone)
        return await self._write(Action.UPDATE, undone.order_id, asked, request, base=base, undoes=undone.id)

    async def undone(self, operation_id: str) -> Operation:
        """The operation, if it can be undone. Raises NotFound, NotPossible."""
        operation = await self.get(operation_id)
        if operation.action is not Action.UPDATE or operation.state is not OperationState.CONFIRMED:
            kind = f"a {operation.state} {operation.action}"
            raise NotPossible(f"Operation {operation_id} is {kind}; only a confirmed update can be undone.")
        if not operation.before:
            raise NotPossible(f"Operation {operation_id} changed nothing; there is nothing to undo.")
        return operation

    async def restore(self, operation_id: str, only: Sequence[str], request: WriteRequest) -> Operation:
        """
        A new operation that writes back what the save of a damaged one took, or of that what `only` names. Raises
        NotFound, NotPossible, Invalid, and what every write raises.
        """
        damaged = await self.get(operation_id)
        controls = restoring.get_values_before(restoring.select_restorable(damaged, only))
        return await self._write(Action.UPDATE, damaged.order_id, {}, request, undoes=damaged.id, controls=controls)

    def signed(self, asked: Mapping[str, Value], request: WriteRequest) -> Mapping[str, Value]:
        """What is asked, with the day and the caller's name at the end of appended lines where the request wants it."""
        if request.signed_by is None:
            return asked
        return appending.sign_appended_lines(asked, request.signed_by, self._clock().astimezone(BERLIN).date())

    async def check(
        self, action: Action, order_id: int | None, asked: Mapping[str, Value], request: WriteRequest
    ) -> str:
        """What recording it would tell, for a dry run. Raises Invalid, VersionChanged, Duplicate, NotFound."""
        if action is Action.CREATE:
            _require_somebody(asked)
        operation = Operation(id="", action=action, order_id=order_id, requested=dict(asked))

        def work(tx: Transaction) -> str:
            if request.if_match is not None and order_id is not None:
                self._relied_on(tx, operation, request.if_match)
            is_create = action is Action.CREATE
            return self._with_duplicates(tx, operation, request) if is_create else ""

        return await self._database.read(work)

    async def _write(
        self,
        action: Action,
        order_id: int | None,
        asked: Mapping[str, Value],
        request: WriteRequest,
        *,
        base: Mapping[str, Value] | None = None,
        undoes: str | None = None,
        controls: Mapping[str, Sequence[str]] | None = None,
    ) -> Operation:
        """
        The operation as it stands when it is settled, or the wait is over, or the database can't tell any more. Raises
        KeyReused, VersionChanged, Duplicate, NotFound, LoginRejected, WritesStopped, TooManyPending and
        StoreUnavailable, where nothing was recorded, and CommitUnknown, where it may be.
        """
        now = self._clock()
        operation = Operation(
            id=generate_operation_id(),
            action=action,
            order_id=order_id,
            requested=dict(self.signed(asked, request)),
            created_at=format_instant(now),
            deadline_at=format_instant(now + self._deadline),
            next_at=format_instant(now),
            notes=" ".join([*find_input_warnings(asked), *([request.notes] if request.notes else [])]),
            caller=request.caller,
            idempotency_key=request.idempotency_key,
            request=_digest(action, order_id, asked, request, undoes, controls),
            base=base,
            undoes=undoes,
            controls=controls,
        )
        recorded = await self._recorded(operation, request)
        self._outbox.recorded(recorded.id)
        try:
            return await self.settled(recorded, request.wait if request.wait is not None else self._wait)
        except StoreUnavailable:
            return recorded

    async def _recorded(self, operation: Operation, request: WriteRequest) -> Operation:
        """
        Where the answer to the commit is lost, the operation's id tells whether it is recorded: a transaction that gets
        its lock sees how the one before ended. Raises CommitUnknown where that can't be seen either.
        """

        def work(tx: Transaction, *, is_again: bool) -> Operation:
            tx.lock(f"operation {tx.workshop} {operation.id}")
            found = operations.get(tx, operation.id) if is_again else None
            return found or self._record(tx, operation, request)

        lost: StoreUnavailable | None = None
        for pause in (0.0, *LOOK_AGAIN):
            await asyncio.sleep(pause)
            try:
                if lost is None:
                    return await self._database.write(partial(work, is_again=False))
                return await self._database.write_with_priority(partial(work, is_again=True), LOOK_WITHIN)
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
            earlier = operations.find_by_key(tx, operation.caller, operation.idempotency_key, now=operation.created_at)
            if earlier is not None and earlier.request == operation.request:
                return earlier
            if earlier is not None:
                raise IdempotencyKeyReused(
                    f"Idempotency-Key: it came with another request before, operation {earlier.id}; accepted: a new "
                    "key, or the same request again."
                )
        self._check_not_stopped(tx, operation)
        if self._planso.login_status.state == "rejected":
            raise LoginRejected("PlanSo rejects the connector's user name or password; nothing was recorded.")
        if operations.has_pending(tx, at_least=self._most_pending):
            raise TooManyPending(
                f"{self._most_pending} writes wait for PlanSo already, and no more are taken on until some are "
                "through; nothing was recorded."
            )
        if request.if_match is not None and operation.order_id is not None:
            relied_on = self._relied_on(tx, operation, request.if_match)
            operation = replace(operation, base=operation.base or relied_on)
        operation = replace(operation, identity=self._identity(tx, operation))
        if operation.action is Action.CREATE:
            operation = replace(operation, notes=self._with_duplicates(tx, operation, request))
        return operations.record(tx, operation)

    def _identity(self, tx: Transaction, operation: Operation) -> Identity | None:
        """What the order is known by: what the mirror holds, a deleted order's too, and what is pending before it."""
        if operation.order_id is None:
            return None
        operations.lock_order(tx, operation.order_id)
        known = orders.load(tx, operation.order_id)
        undone = operations.get(tx, operation.undoes) if operation.undoes is not None else None
        pending = operations.list_pending(tx, operation.order_id) if known is not None else []
        asked = [*(earlier.requested for earlier in pending), operation.requested]
        held = known.values if known is not None else {}
        return build_identity(held, asked, undone.identity if undone is not None else None)

    def _check_not_stopped(self, tx: Transaction, operation: Operation) -> None:
        """Raises WritesShadowed, WritesStopped."""
        if self._writes == "shadow":
            raise WritesShadowed("CONNECTOR_WRITES=shadow: nothing was sent.")
        if self._writes != "on":
            raise WritesStopped(
                "Writes are off by the setting CONNECTOR_WRITES=off; nothing was recorded. An operator sets it to `on` "
                "and restarts the connector."
            )
        stop = write_stops.find_for_operation(tx, operation)
        if stop is not None:
            raise WritesStopped(f"{stop.message} Nothing was recorded.")

    def _relied_on(self, tx: Transaction, operation: Operation, tag: str) -> dict[str, Value] | None:
        """
        What the mirror holds in the fields asked, at the version that the caller names. An ETag stands for the fields
        as GET shows them, and what is pending is not in them: a field that a pending write is about to change is a
        conflict once it has, also for who was shown that it is pending. None for `*`, which relies on no value.
        """
        assert operation.order_id is not None, "a create relies on no version"
        stored = orders.get(tx, operation.order_id)
        known = orders.load(tx, operation.order_id)
        if stored is None or known is None or stored.deleted_at is not None:
            raise NotFound(f"There is no order {operation.order_id} in the connector's database.")
        if tag == "*":
            return None
        version, _, pending = tag.partition(".")
        if int(version) != stored.version or (pending and tag != stored.tag):
            told = f'If-Match: order {operation.order_id} has the ETag "{stored.tag}" now, not "{tag}".'
            raise VersionChanged(told, stored.document)
        if operation.action is Action.DELETE:  # relies on all of it
            return {path: known.value_or_unreadable(path) for path in known.values if path not in FROM_OTHER_PAGES}
        return {
            path: known.value_or_unreadable(path)
            for path in operation.requested
            if appending.target_field(path) == path
        }

    def _with_duplicates(self, tx: Transaction, operation: Operation, request: WriteRequest) -> str:
        """The notes of a create, with the orders that may be the same one. Raises Duplicate when `request.strict`."""
        found = search.find_overlapping_orders(tx, operation.requested)
        if not found:
            return operation.notes
        named = f": {', '.join(str(order_id) for order_id in found[:5])}" if request.names_orders else ""
        told = f"For this number plate there is already an order at this time{named}."
        if request.strict:
            raise DuplicateOrder(f"{told} Nothing was created.")
        return f"{operation.notes} {told}".strip()

    async def get(self, operation_id: str) -> Operation:
        """Raises NotFound."""

        def work(tx: Transaction) -> Operation | None:
            found = operations.get(tx, operation_id)
            return found and write_stops.add_stop_message(tx, found)

        found = await self._database.read(work)
        if found is None:
            raise NotFound(f"There is no operation {operation_id}.")
        return found

    async def page(
        self, order_id: int | None, state: OperationState | None, before: tuple[str, str] | None, limit: int
    ) -> Sequence[Operation]:
        """Newest first; `before` as in store.operations."""

        def work(tx: Transaction) -> Sequence[Operation]:
            found = operations.list_page(tx, order_id=order_id, state=state, before=before, limit=limit)
            is_stopped = bool(write_stops.list_active(tx))
            return [write_stops.add_stop_message(tx, one) for one in found] if is_stopped else found

        return await self._database.read(work)

    async def settled(self, operation: Operation, seconds: float) -> Operation:
        """
        The operation when it is settled, or after so many seconds, or as soon as it is clear that it will not be
        settled within them.
        """
        until = format_instant(self._clock() + timedelta(seconds=seconds))
        return await self._outbox.wait(operation, seconds, give_up=lambda now: (now.next_at or until) > until)

    async def cancel(self, operation_id: str) -> Operation:
        """Raises NotFound, and NotPossible where it is settled or something may have been sent."""
        error = Cancelled("Cancelled before anything was sent.")
        now = format_instant(self._clock())
        cancelled = await self._database.write(
            lambda tx: operations.cancel(
                tx, operation_id, now=now, message=str(error), failure=stored_errors.serialize_error(error)
            )
        )
        operation = await self.get(operation_id)
        if not cancelled:
            pending = operation.state is OperationState.PENDING
            why = "something was sent to PlanSo already" if pending else f"it is {operation.state} already"
            raise NotPossible(f"Operation {operation_id} can't be cancelled: {why}.")
        self._outbox.moved(operation_id)
        self._outbox.wake()
        return operation


def _require_somebody(asked: Mapping[str, Value]) -> None:
    """
    Raises Invalid for a new order without a person and a vehicle: PlanSo shows it as it shows an order that does not
    exist, so it could neither be changed nor deleted, nor found again after an answer that got lost.
    """
    if not any(asked.get(path) for path in CREATE_NEEDS_ONE_OF):
        needed = f"a new order needs a person or a vehicle; accepted: at least one of {', '.join(CREATE_NEEDS_ONE_OF)}, not empty"
        raise Invalid([Problem(("body",), needed, "missing")])


def _digest(
    action: Action,
    order_id: int | None,
    asked: Mapping[str, Value],
    request: WriteRequest,
    undoes: str | None,
    controls: Mapping[str, Sequence[str]] | None,
) -> str:
    """What makes two requests the same one, for the idempotency key; how their JSON was written does not."""
    parts: list[object] = [action.value, order_id, dict(asked), request.if_match, undoes]
    if controls is not None:
        parts.append(dict(controls))
    if request.signed_by is not None:  # without the day: a repetition on the next one is the same request
        parts.append({"signed": True})
    whole = to_json(parts)
    return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
