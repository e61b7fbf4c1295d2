"""Small units of work for tests of the engine: one named counter, kept in the table of rejected logins."""

from __future__ import annotations

from collections.abc import Callable

from planso_connector.store import rejected_logins
from planso_connector.store.engine.database import Transaction
from tests.store.samples import at


def put(name: str, value: str = "1") -> Callable[[Transaction], None]:
    """Keeps `value` under `name`."""
    return lambda tx: rejected_logins.remember(tx, name, value, at(1))


def read(name: str) -> Callable[[Transaction], str | None]:
    return lambda tx: rejected_logins.remembered(tx, name)


def fail_after(name: str) -> Callable[[Transaction], None]:
    """Keeps something under `name`, then fails."""

    def work(tx: Transaction) -> None:
        rejected_logins.remember(tx, name, "1", at(1))
        raise ZeroDivisionError(name)

    return work
