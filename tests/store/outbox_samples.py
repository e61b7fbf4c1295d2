"""Operations to record, and clean saves."""

from __future__ import annotations

from dataclasses import replace

from planso_connector.domain.clock import Instant
from planso_connector.domain.operation import Action, Operation
from planso_connector.store import save_evidence
from planso_connector.store.engine.transaction import Transaction
from tests.store.samples import at


def record_clean_save(tx: Transaction) -> None:
    save_evidence.record_save(tx, operation="", differences=(), is_clean=True, pairs=1, now=at(0))


def make_pending(
    operation_id: str, order_id: int | None = 1, *, now: Instant | None = None, **more: object
) -> Operation:
    action = Action.UPDATE if order_id is not None else Action.CREATE
    whole = Operation(
        operation_id, action, order_id, {"person": "Müller"}, created_at=now or at(0), next_at=now or at(0)
    )
    return replace(whole, deadline_at=at(9999), **more)  # type: ignore[arg-type]
