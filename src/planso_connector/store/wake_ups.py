"""
Wake-ups: tell the other processes on the database, with the commit, that there is something for them.

On PostgreSQL it is a notification. Commits that notify are made one after the other there, each with a flush of its
own, as the server keeps the messages in the order of the commits: 8 writers made 2,300 to 2,800 commits a second here,
and 380 to 500 with a notification in each. What is frequent is sent after the commit: `flows.operating.wake_ups`.
"""

from enum import StrEnum

from planso_connector.store.engine.transaction import Transaction

MAX_MESSAGE = 7000
"""Bytes; PostgreSQL accepts 7999."""


class WakeUpKind(StrEnum):
    OPERATION = "operation"
    """An operation was recorded by a process that does not carry it out. Its subject is the workshop."""
    SETTLED = "settled"
    """An operation that another process recorded was settled, or tried. Its subject is the operation's id."""
    CALL = "call"
    """A call was forwarded to the holder of the workshop's PlanSo lease."""
    ANSWER = "answer"
    """A forwarded call was answered."""
    LEASE = "lease"
    """A PlanSo lease was released. Its subject is the PlanSo address."""
    SELF_TEST = "self-test"
    """A process finds out whether it hears anything. Its subject is the process."""


_KINDS = {kind.value: kind for kind in WakeUpKind}


def notify(tx: Transaction, kind: WakeUpKind, subject: str | None = None) -> None:
    """Wake whoever subscribed to `kind` in any process. `subject`: the transaction's workshop unless given."""
    message = f"{kind} {tx.workshop if subject is None else subject}"
    tx.notify(message if len(message.encode()) <= MAX_MESSAGE else kind)


def parse_message(message: str) -> tuple[WakeUpKind, str | None] | None:
    """Kind and subject; None for a subject that was too long. None for a message that is not of this version."""
    kind, _, subject = message.partition(" ")
    return (_KINDS[kind], subject or None) if kind in _KINDS else None
