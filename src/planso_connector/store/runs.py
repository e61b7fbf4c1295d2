"""
The syncs: each is a run, from its start to its end.

running ──┬──► done          it went to its end; some orders may have failed
          ├──► failed        it was given up
          └──► interrupted   the connector stopped in the middle of it
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Integer, Text, bindparam, func, insert, select, update

from planso_connector.store.rendering import storable, to_json
from planso_connector.store.tables import runs
from planso_connector.store.transaction import Row, Transaction


class RunState(StrEnum):
    """Where a run stands. Only `running` ever changes."""

    RUNNING = "running"
    DONE = "done"
    """It went to its end; `failed` names the orders that could not be read."""
    FAILED = "failed"
    """It was given up; `message` says why."""
    INTERRUPTED = "interrupted"
    """The connector stopped in the middle of it."""


@dataclass(frozen=True, slots=True)
class Run:
    """`done` of `total` orders; `requests` to PlanSo; `failed` a JSON list, as `finish` was given it. Stamps."""

    id: str
    state: RunState
    phase: str
    done: int
    total: int
    requests: int
    changed: int
    failed: tuple[object, ...]
    message: str
    started_at: str
    ended_at: str | None
    updated_at: str


_OF_WORKSHOP = runs.c.workshop == bindparam("of_workshop")
_RUNNING = runs.c.state == RunState.RUNNING.value
_START = insert(runs).values({c.name: bindparam(c.name, type_=c.type) for c in runs.c})
_PROGRESS_VALUES = {
    "phase": func.coalesce(bindparam("phase", type_=Text), runs.c.phase),
    **{
        name: func.coalesce(bindparam(name, type_=Integer), runs.c[name])
        for name in ("done", "total", "requests", "changed")
    },
    "updated_at": bindparam("now"),
}
_PROGRESS = update(runs).where(_OF_WORKSHOP, runs.c.id == bindparam("of_id"), _RUNNING).values(_PROGRESS_VALUES)
_FINISH = (
    update(runs)
    .where(_OF_WORKSHOP, runs.c.id == bindparam("of_id"), _RUNNING)
    .values(
        {
            **_PROGRESS_VALUES,
            "state": bindparam("state"),
            "failed": bindparam("failed"),
            "message": bindparam("message"),
            "ended_at": bindparam("now"),
        }
    )
)
_ABANDON = (
    update(runs)
    .where(_OF_WORKSHOP, _RUNNING)
    .values(
        state=RunState.INTERRUPTED.value,
        message="The connector stopped during this sync.",
        ended_at=bindparam("now"),
        updated_at=bindparam("now"),
    )
)
_HISTORY = (
    select(runs)
    .where(_OF_WORKSHOP)
    .order_by(runs.c.started_at.desc(), runs.c.id.desc())
    .limit(bindparam("at_most", type_=BigInteger))
)
_SUCCESSES = _HISTORY.where(runs.c.state == RunState.DONE.value)


def start(tx: Transaction, workshop: str, *, now: str, phase: str = "", total: int = 0) -> Run:
    """A new run, running."""
    run = Run(
        id="run_" + secrets.token_hex(10),
        state=RunState.RUNNING,
        phase=phase,
        done=0,
        total=total,
        requests=0,
        changed=0,
        failed=(),
        message="",
        started_at=now,
        ended_at=None,
        updated_at=now,
    )
    tx.run(
        _START,
        workshop=workshop,
        id=run.id,
        state=run.state.value,
        phase=run.phase,
        done=0,
        total=total,
        requests=0,
        changed=0,
        failed="[]",
        message="",
        started_at=now,
        ended_at=None,
        updated_at=now,
    )
    return run


def progress(
    tx: Transaction,
    workshop: str,
    run_id: str,
    *,
    now: str,
    phase: str | None = None,
    done: int | None = None,
    total: int | None = None,
    requests: int | None = None,
    changed: int | None = None,
) -> bool:
    """How far a run is; what is None stays as it is. False when it is not running any more."""
    counts = {"phase": phase, "done": done, "total": total, "requests": requests, "changed": changed}
    return tx.run(_PROGRESS, of_workshop=workshop, of_id=run_id, now=now, **counts) == 1


def finish(
    tx: Transaction,
    workshop: str,
    run_id: str,
    *,
    state: RunState,
    now: str,
    message: str = "",
    failed: Sequence[object] = (),
    phase: str | None = None,
    done: int | None = None,
    total: int | None = None,
    requests: int | None = None,
    changed: int | None = None,
) -> bool:
    """How a run ended. `failed` is anything that JSON can hold. False when it is not running any more."""
    counts = {"phase": phase, "done": done, "total": total, "requests": requests, "changed": changed}
    ended = {"state": state.value, "failed": storable(to_json(list(failed))), "message": storable(message)}
    return tx.run(_FINISH, of_workshop=workshop, of_id=run_id, now=now, **counts, **ended) == 1


def abandon(tx: Transaction, workshop: str, *, now: str) -> int:
    """Ends the runs that a crash left running. How many."""
    return tx.run(_ABANDON, of_workshop=workshop, now=now)


def last(tx: Transaction, workshop: str) -> Run | None:
    """The run that was started last."""
    return _first(tx.rows(_HISTORY, of_workshop=workshop, at_most=1))


def last_success(tx: Transaction, workshop: str) -> Run | None:
    """The run that was started last of those that went to their end."""
    return _first(tx.rows(_SUCCESSES, of_workshop=workshop, at_most=1))


def history(tx: Transaction, workshop: str, limit: int = 20) -> list[Run]:
    """The last runs, newest first."""
    return [_run(row) for row in tx.rows(_HISTORY, of_workshop=workshop, at_most=limit)]


def _first(found: list[Row]) -> Run | None:
    return _run(found[0]) if found else None


def _run(row: Row) -> Run:
    columns = {name: value for name, value in row.items() if name != "workshop"}
    return Run(**{**columns, "state": RunState(row["state"]), "failed": tuple(json.loads(row["failed"]))})
