"""Whether a workshop accepts writes at present, checked in the transaction that records the operation."""

from planso_connector.domain.errors import WorkshopPaused, WritesShadowed, WritesStopped
from planso_connector.domain.operation import Operation
from planso_connector.store import workshops, write_stops
from planso_connector.store.engine.transaction import Transaction


def check_accepted(tx: Transaction, operation: Operation, writes: str) -> None:
    """`writes`: the setting CONNECTOR_WRITES. Raises WorkshopPaused, WritesShadowed, WritesStopped."""
    check_not_paused(tx)
    if writes == "shadow":
        raise WritesShadowed("CONNECTOR_WRITES=shadow: nothing was sent.")
    if writes != "on":
        raise WritesStopped(
            "Writes are off by the setting CONNECTOR_WRITES=off; nothing was recorded. An operator sets it to `on` "
            "and restarts the connector."
        )
    stop = write_stops.find_for_operation(tx, operation)
    if stop is not None:
        raise WritesStopped(f"{stop.message} Nothing was recorded.")


def check_not_paused(tx: Transaction) -> None:
    """Until the transaction ends, nobody pauses the workshop. Raises WorkshopPaused."""
    paused_at = workshops.lock_pause(tx)
    if paused_at is not None:
        raise WorkshopPaused(
            f"The workshop '{tx.workshop}' is paused since {paused_at[:19]}Z: nothing is sent to its PlanSo, and "
            "nothing was recorded. An operator resumes it."
        )
