"""Small units of work for tests of the engine: one named counter, kept in the table of rejected logins."""

from __future__ import annotations

from collections.abc import Callable

from planso_connector.store import rejected_logins
from planso_connector.store.engine.database import Transaction
from tests.store.samples import at


def put(name: str, value: str = "1") -> Callable[[Transaction], None]:
    """Keeps `value` under `name`."""

    def work(tx: Transaction) -> None:
        tx.use_workshop(name)
        rejected_logins.save(tx, value, at(1))

    return work


def read(name: str) -> Callable[[Transaction], str | None]:
    def work(tx: Transaction) -> str | None:
        tx.use_workshop(name)
        return rejected_logins.get(tx)

    return work


def fail_after(name: str) -> Callable[[Transaction], None]:
    """Keeps something under `name`, then fails."""

    def work(tx: Transaction) -> None:
        tx.use_workshop(name)
        rejected_logins.save(tx, "1", at(1))
        raise ZeroDivisionError(name)

    return work
