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
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, func, insert, select, update

from planso_connector.domain.clock import format_instant, parse_instant
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.tables import sync_runs


class RunState(StrEnum):
    """Where a run stands. Only `running` ever changes."""

    RUNNING = "running"
    DONE = "done"
    """It went to its end; `failed` names the orders that could not be read."""
    FAILED = "failed"
    """It was given up; `message` says why."""
    INTERRUPTED = "interrupted"
    """The connector stopped in the middle of it."""


class RunKind(StrEnum):
    """Which orders a run reads."""

    INCREMENTAL = "incremental"
    """Those that are new, changed in the list, or due."""
    FULL = "full"
    """All."""


class Trigger(StrEnum):
    """Who wanted a run."""

    SCHEDULE = "schedule"
    """It was time."""
    REQUEST = "request"
    """A caller asked for it."""
    START = "start"
    """The connector had just started."""
    COMMAND = "command"
    """A person at the command line."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """
    `done` of `total` orders; `requests` to PlanSo; `failed` and `doubts` as `finish` was given them. Stamps.
    """

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
    kind: RunKind = RunKind.FULL
    trigger: Trigger = Trigger.REQUEST
    doubts: tuple[object, ...] = ()


_OF_WORKSHOP = sync_runs.c.workshop == bindparam("of_workshop")
_RUNNING = sync_runs.c.state == RunState.RUNNING.value
_START = insert(sync_runs).values({c.name: bindparam(c.name, type_=c.type) for c in sync_runs.c})
_PROGRESS_VALUES = {
    "phase": func.coalesce(bindparam("phase", type_=Text), sync_runs.c.phase),
    **{
        name: func.coalesce(bindparam(name, type_=Integer), sync_runs.c[name])
        for name in ("done", "total", "requests", "changed")
    },
    "updated_at": bindparam("now"),
}
_PROGRESS = (
    update(sync_runs).where(_OF_WORKSHOP, sync_runs.c.id == bindparam("of_id"), _RUNNING).values(_PROGRESS_VALUES)
)
_FINISH = (
    update(sync_runs)
    .where(_OF_WORKSHOP, sync_runs.c.id == bindparam("of_id"), _RUNNING)
    .values(
        {
            **_PROGRESS_VALUES,
            "state": bindparam("state"),
            "failed": bindparam("failed"),
            "doubts": bindparam("doubts"),
            "message": bindparam("message"),
            "ended_at": bindparam("now"),
        }
    )
)
_ABANDON = (
    update(sync_runs)
    .where(_OF_WORKSHOP, _RUNNING)
    .values(
        state=RunState.INTERRUPTED.value,
        message="The connector stopped during this sync.",
        ended_at=bindparam("now"),
        updated_at=bindparam("now"),
    )
)
_NOT_AHEAD = (
    update(sync_runs)
    .where(_OF_WORKSHOP, sync_runs.c.started_at > bindparam("now"))
    .values(started_at=bindparam("just_before"), ended_at=bindparam("now"), updated_at=bindparam("now"))
)
_HISTORY = (
    select(sync_runs)
    .where(_OF_WORKSHOP)
    .order_by(sync_runs.c.started_at.desc(), sync_runs.c.id.desc())
    .limit(bindparam("at_most", type_=BigInteger))
)
_SUCCESSES = _HISTORY.where(sync_runs.c.state == RunState.DONE.value)
_FULL = _HISTORY.where(sync_runs.c.kind == RunKind.FULL.value)
_PRUNE = delete(sync_runs).where(
    _OF_WORKSHOP,
    sync_runs.c.ended_at < bindparam("before"),
    sync_runs.c.id.not_in([bindparam("last"), bindparam("last_full")]),
)


def start(
    tx: Transaction,
    *,
    now: str,
    kind: RunKind = RunKind.FULL,
    trigger: Trigger = Trigger.REQUEST,
    phase: str = "",
    total: int = 0,
) -> StoredRun:
    """
    A new run, running, while no other one is. Those that a clock wrote down that was ahead, and was set back since, are
    before it from now on: else they would be the last ones, and the mirror young, for as long as it was ahead.
    """
    just_before = format_instant(parse_instant(now) - timedelta(microseconds=1))
    tx.execute(_NOT_AHEAD, now=now, just_before=just_before)
    run = StoredRun(
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
        kind=kind,
        trigger=trigger,
    )
    texts = {"state": run.state.value, "kind": kind.value, "trigger": trigger.value, "failed": "[]", "doubts": "[]"}
    tx.execute(_START, **{**asdict(run), **texts})
    return run


def record_progress(
    tx: Transaction,
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
    return tx.execute(_PROGRESS, of_id=run_id, now=now, **counts) == 1


def finish(
    tx: Transaction,
    run_id: str,
    *,
    state: RunState,
    now: str,
    message: str = "",
    failed: Sequence[object] = (),
    doubts: Sequence[object] = (),
    phase: str | None = None,
    done: int | None = None,
    total: int | None = None,
    requests: int | None = None,
    changed: int | None = None,
) -> bool:
    """
    How a run ended. `failed` and `doubts`, what it did not believe, hold anything that JSON can hold. False when it is
    not running any more.
    """
    counts = {"phase": phase, "done": done, "total": total, "requests": requests, "changed": changed}
    told = {"failed": _list(failed), "doubts": _list(doubts), "message": sanitize_text(message)}
    return tx.execute(_FINISH, of_id=run_id, now=now, state=state.value, **counts, **told) == 1


def interrupt_running(tx: Transaction, *, now: str) -> int:
    """Ends the runs that a crash left running. How many."""
    return tx.execute(_ABANDON, now=now)


def get_last(tx: Transaction) -> StoredRun | None:
    """The run that was started last."""
    return _first(tx.fetch_all(_HISTORY, at_most=1))


def get_last_success(tx: Transaction) -> StoredRun | None:
    """The run that was started last of those that went to their end."""
    return _first(tx.fetch_all(_SUCCESSES, at_most=1))


def list_latest(tx: Transaction, limit: int = 20) -> list[StoredRun]:
    """The last runs, newest first."""
    return [_run(row) for row in tx.fetch_all(_HISTORY, at_most=limit)]


def get_resumable(tx: Transaction) -> StoredRun | None:
    """The last full run, when it did not get to its end: what it had still to read is worth reading now."""
    run = _first(tx.fetch_all(_FULL, at_most=1))
    return run if run is not None and run.state in (RunState.INTERRUPTED, RunState.FAILED) else None


def drop_old(tx: Transaction, *, before: str) -> int:
    """Lets go of the runs that ended before, but for the last that ended well and the last full one. How many."""
    full = _first(tx.fetch_all(_FULL, at_most=1))
    last, last_full = (run.id if run is not None else "" for run in (get_last_success(tx), full))
    return tx.execute(_PRUNE, before=before, last=last, last_full=last_full)


def _list(members: Sequence[object]) -> str:
    return sanitize_text(to_json(list(members)))


def _first(found: list[Row]) -> StoredRun | None:
    return _run(found[0]) if found else None


def _run(row: Row) -> StoredRun:
    columns = {name: value for name, value in row.items() if name != "workshop"}
    lists = {name: tuple(json.loads(row[name])) for name in ("failed", "doubts")}
    known = {"state": RunState(row["state"]), "kind": RunKind(row["kind"]), "trigger": Trigger(row["trigger"])}
    return StoredRun(**{**columns, **known, **lists})
