"""
Sync runs, from start to end.

running ──┬──► done          it reached its end; some orders may have failed
          ├──► failed        it was given up
          └──► interrupted   the connector stopped during it
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypedDict, Unpack

from sqlalchemy import BigInteger, bindparam, delete, func, insert, select, update

from planso_connector.domain.clock import Instant, format_instant, parse_instant
from planso_connector.store.engine.transaction import Row, Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.tables import sync_runs


class RunState(StrEnum):
    """The state of a run. Only `running` ever changes."""

    RUNNING = "running"
    DONE = "done"
    """It reached its end; `failed` names the orders that could not be read."""
    FAILED = "failed"
    """It was given up; `message` says why."""
    INTERRUPTED = "interrupted"
    """The connector stopped during it."""


class RunKind(StrEnum):
    """Which orders a run reads."""

    INCREMENTAL = "incremental"
    """Those that are new, changed in the list, or due."""
    FULL = "full"
    """All."""


class Trigger(StrEnum):
    """What started a run."""

    SCHEDULE = "schedule"
    REQUEST = "request"
    START = "start"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """`done` of `total` orders; `requests` to PlanSo; `failed` and `doubts` as given to `finish`."""

    id: str
    state: RunState
    phase: str
    done: int
    total: int
    requests: int
    changed: int
    failed: tuple[object, ...]
    message: str
    started_at: Instant
    ended_at: Instant | None
    updated_at: Instant
    kind: RunKind = RunKind.FULL
    trigger: Trigger = Trigger.REQUEST
    doubts: tuple[object, ...] = ()


class RunCounts(TypedDict, total=False):
    """How far a run is; what is missing stays as it was."""

    phase: str
    done: int
    total: int
    requests: int
    changed: int


_c = sync_runs.c
_OF_WORKSHOP = _c.workshop == bindparam("of_workshop")
_IS_RUNNING = _c.state == RunState.RUNNING.value
_START = insert(sync_runs).values({c.name: bindparam(c.name, type_=c.type) for c in _c})
_COUNTS = dict.fromkeys(RunCounts.__annotations__)
_PROGRESS_VALUES = {
    **{name: func.coalesce(bindparam(name, type_=_c[name].type), _c[name]) for name in _COUNTS},
    "updated_at": bindparam("now"),
}
_PROGRESS = update(sync_runs).where(_OF_WORKSHOP, _c.id == bindparam("of_id"), _IS_RUNNING).values(_PROGRESS_VALUES)
_FINISH = _PROGRESS.values(
    {name: bindparam(name) for name in ("state", "failed", "doubts", "message")} | {"ended_at": bindparam("now")}
)
_INTERRUPT = (
    update(sync_runs)
    .where(_OF_WORKSHOP, _IS_RUNNING)
    .values(
        state=RunState.INTERRUPTED.value,
        message="The connector stopped during this sync.",
        ended_at=bindparam("now"),
        updated_at=bindparam("now"),
    )
)
_MOVE_BACK = (
    update(sync_runs)
    .where(_OF_WORKSHOP, _c.started_at > bindparam("now"))
    .values(started_at=bindparam("just_before"), ended_at=bindparam("now"), updated_at=bindparam("now"))
)
_LATEST = (
    select(*(c for c in _c if c.name != "workshop"))
    .where(_OF_WORKSHOP)
    .order_by(_c.started_at.desc(), _c.id.desc())
    .limit(bindparam("at_most", type_=BigInteger))
)
_SUCCESSES = _LATEST.where(_c.state == RunState.DONE.value)
_FULL = _LATEST.where(_c.kind == RunKind.FULL.value)
_DROP_OLD = delete(sync_runs).where(
    _OF_WORKSHOP, _c.ended_at < bindparam("before"), _c.id.not_in([bindparam("last"), bindparam("last_full")])
)


def start(
    tx: Transaction,
    *,
    now: Instant,
    kind: RunKind = RunKind.FULL,
    trigger: Trigger = Trigger.REQUEST,
    phase: str = "",
    total: int = 0,
) -> StoredRun:
    """
    Record a new run, while no other is running. Runs that start later, by a clock that was ahead and was set back
    since, are moved just before it: else they would be the latest, and the mirror fresh, for as long as it was ahead.
    """
    just_before = format_instant(parse_instant(now) - timedelta(microseconds=1))
    tx.execute(_MOVE_BACK, now=now, just_before=just_before)
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
    tx.execute(_START, **{**asdict(run), "failed": "[]", "doubts": "[]"})
    return run


def record_progress(tx: Transaction, run_id: str, *, now: Instant, **counts: Unpack[RunCounts]) -> bool:
    """False if the run is not running any more."""
    return tx.execute(_PROGRESS, of_id=run_id, now=now, **_COUNTS | counts) == 1


def finish(
    tx: Transaction,
    run_id: str,
    *,
    state: RunState,
    now: Instant,
    message: str = "",
    failed: Sequence[object] = (),
    doubts: Sequence[object] = (),
    **counts: Unpack[RunCounts],
) -> bool:
    """
    Record how a run ended; `failed` and `doubts` (what it did not believe) hold whatever JSON can hold. False if it is
    not running any more.
    """
    texts = {"failed": _to_list(failed), "doubts": _to_list(doubts), "message": sanitize_text(message)}
    return tx.execute(_FINISH, of_id=run_id, now=now, state=state.value, **_COUNTS | counts, **texts) == 1


def interrupt_running(tx: Transaction, *, now: Instant) -> int:
    """End the runs that a crash left running; returns how many."""
    return tx.execute(_INTERRUPT, now=now)


def get_last(tx: Transaction) -> StoredRun | None:
    """The run that started last."""
    return _first(tx.fetch_all(_LATEST, at_most=1))


def get_last_success(tx: Transaction) -> StoredRun | None:
    """The successful run that started last."""
    return _first(tx.fetch_all(_SUCCESSES, at_most=1))


def list_latest(tx: Transaction, limit: int = 20) -> list[StoredRun]:
    """The latest runs, newest first."""
    return [_from_row(row) for row in tx.fetch_all(_LATEST, at_most=limit)]


def get_resumable(tx: Transaction) -> StoredRun | None:
    """The last full run if it did not reach its end: what it had still to read is worth reading now."""
    run = _first(tx.fetch_all(_FULL, at_most=1))
    return run if run is not None and run.state in (RunState.INTERRUPTED, RunState.FAILED) else None


def drop_old(tx: Transaction, *, before: str) -> int:
    """Delete the runs that ended before, but for the last successful and the last full one; returns how many."""
    kept = get_last_success(tx), _first(tx.fetch_all(_FULL, at_most=1))
    last, last_full = (run.id if run is not None else "" for run in kept)
    return tx.execute(_DROP_OLD, before=before, last=last, last_full=last_full)


def _to_list(members: Sequence[object]) -> str:
    return sanitize_text(to_json(list(members)))


def _first(rows: list[Row]) -> StoredRun | None:
    return _from_row(rows[0]) if rows else None


def _from_row(row: Row) -> StoredRun:
    lists = {name: tuple(json.loads(row[name])) for name in ("failed", "doubts")}
    enums = {"state": RunState(row["state"]), "kind": RunKind(row["kind"]), "trigger": Trigger(row["trigger"])}
    return StoredRun(**{**row, **enums, **lists})
