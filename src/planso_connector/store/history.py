"""The change history of each order: what changed from one version to the next, by whom, and when."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, bindparam, select
from sqlalchemy.dialects.postgresql import insert  # both databases speak its ON CONFLICT

from planso_connector.domain.clock import Instant
from planso_connector.domain.events import EventType
from planso_connector.domain.fields import MEMBERS, MIRRORED, FieldGroup
from planso_connector.store import change_feed
from planso_connector.store.engine.expressions import row_parameters
from planso_connector.store.engine.transaction import Transaction
from planso_connector.store.order_rows import sanitize_text, to_json
from planso_connector.store.tables import history

_NEW = insert(history).values(row_parameters(history)).on_conflict_do_nothing()
_PAGE = (
    select(history)
    .where(
        history.c.workshop == bindparam("of_workshop"),
        history.c.order_id == bindparam("of_order", type_=BigInteger),
        history.c.version < bindparam("below", type_=BigInteger),
    )
    .order_by(history.c.version.desc(), history.c.by)
    .limit(bindparam("at_most", type_=BigInteger))
)
_SINCE = (
    select(history.c.changes)
    .where(
        history.c.workshop == bindparam("of_workshop"),
        history.c.order_id == bindparam("of_order", type_=BigInteger),
        history.c.by == "planso",
        history.c.at > bindparam("instant"),
    )
    .order_by(history.c.version)
)
_ours = history.alias("ours")
_EDITS = (
    select(history.c.changes)
    .where(
        history.c.workshop == bindparam("of_workshop"),
        history.c.by == "planso",
        ~select(_ours.c.version)
        .where(
            _ours.c.workshop == history.c.workshop,
            _ours.c.order_id == history.c.order_id,
            _ours.c.version == history.c.version,
            _ours.c.by == "operation",
        )
        .exists(),
    )
    .order_by(history.c.at.desc())
    .limit(bindparam("at_most", type_=BigInteger))
)
_MAX_EDITS = 1000

_SHARED = frozenset(field.labels for field in MIRRORED if field.group is not FieldGroup.VEHICLE)
_REPEATED = {field.path for field in MIRRORED if field.group is FieldGroup.VEHICLE and field.labels in _SHARED}
_COMPARED = {
    group.value: [(name, path) for name, path in members if path not in _REPEATED] for group, members in MEMBERS.items()
}
"""Name and path of the members by object, without those of `vehicle` that repeat `vehicle_details`."""
_LABELS = frozenset(label.casefold() for field in MIRRORED for label in field.labels)
_MEMBERS = ("short_name", "station_id", "station_state", "missing_parts", "archived", "deleted")


@dataclass(frozen=True, slots=True)
class Author:
    """
    Who requested an operation, its fields, and PlanSo's labels of these. `side_effects`: fields and labels that its
    save changed without being requested. `changed_everything`: a create or a delete.
    """

    operation_id: str
    caller: str
    fields: frozenset[str]
    labels: frozenset[str] = frozenset()
    side_effects: frozenset[str] = frozenset()
    changed_everything: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a `field` (a path, or a member of the order), or of a `label` that has no field."""

    field: str = ""
    label: str = ""
    before: Any = None
    after: Any = None

    @property
    def name(self) -> str:
        return self.field or self.label


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """
    What one side changed with a version; `operation` is None for changes in PlanSo. Each of `changes` has `field` (a
    path, or a member of the order) or `label` (of PlanSo's form, if it has no field), `before` and `after`.
    """

    version: int
    at: str
    caller: str
    operation: str | None
    changes: list[dict[str, Any]]


def record(
    tx: Transaction,
    order_id: int,
    version: int,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    *,
    now: Instant,
    writer: Author | None = None,
) -> None:
    """
    Record how the order's document changed with this version, and append it to the change feed. Without `before` the
    order is new.
    """
    own: list[dict[str, Any]] = []
    others = changes = list(_differences(before or {}, after))
    if writer is not None:
        is_whole = before is None or writer.changed_everything
        own = [
            change
            for change in changes
            if is_whole
            or change.get("field") in writer.fields | writer.side_effects
            or change.get("label") in writer.side_effects
        ]
        others = [change for change in changes if change not in own and change.get("label") not in writer.labels]
    row: dict[str, Any] = {"order_id": order_id, "version": version, "at": now}
    if own and writer is not None:
        row |= {"by": "operation", "caller": sanitize_text(writer.caller), "operation": writer.operation_id}
        tx.execute(_NEW, **row, changes=to_json(own))
        _append_event(tx, row, before, own)
    if others:
        row |= {"by": "planso", "caller": "", "operation": None}
        tx.execute(_NEW, **row, changes=to_json(others))
        _append_event(tx, row, before, others, position=1)


def _append_event(
    tx: Transaction,
    row: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    changes: Sequence[Mapping[str, Any]],
    *,
    position: int = 0,
) -> None:
    """Append a row of the history, which has what changed, to the change feed."""
    event_type = _event_type(before, {change.get("field", ""): change["after"] for change in changes})
    of_version = {name: row[name] for name in ("at", "order_id", "version", "by", "caller", "operation")}
    change_feed.append(tx, event_type, **of_version, position=position)


def _event_type(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> EventType:
    """By the members that changed, and their values after it. An order that came back is restored, edited or not."""
    if before is None:
        return EventType.ORDER_CREATED
    if after.get("deleted"):
        return EventType.ORDER_DELETED
    if after.get("archived"):
        return EventType.ORDER_ARCHIVED
    return EventType.ORDER_RESTORED if after.keys() & {"deleted", "archived"} else EventType.ORDER_UPDATED


def list_entries(tx: Transaction, order_id: int, *, below: int, limit: int) -> list[HistoryEntry]:
    """Newest first, of versions lower than `below`."""
    rows = tx.fetch_all(_PAGE, of_order=order_id, below=below, at_most=limit)
    return [
        HistoryEntry(row["version"], row["at"], row["caller"], row["operation"], json.loads(row["changes"]))
        for row in rows
    ]


def edits_since(tx: Transaction, order_id: int, instant: Instant) -> list[list[Change]]:
    """What was changed in PlanSo after `instant`, by version, oldest first."""
    rows = tx.fetch_all(_SINCE, of_order=order_id, instant=instant)
    return [[Change(**change) for change in json.loads(row["changes"])] for row in rows]


def recently_edited_fields(tx: Transaction) -> set[str]:
    """Fields and labels that were recently changed in PlanSo, without a write of ours at the same time."""
    rows = tx.fetch_all(_EDITS, at_most=_MAX_EDITS)
    return {Change(**change).name for row in rows for change in json.loads(row["changes"])}


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in _MEMBERS:
        default = False if name in ("archived", "deleted", "missing_parts") else None
        if (was := before.get(name, default)) != (now := after.get(name, default)):
            yield {"field": name, "before": was, "after": now}
    for group, members in _COMPARED.items():
        old, new = (document.get(group, {}) if group else document for document in (before, after))
        for name, path in members:
            if (was := old.get(name)) != (now := new.get(name)):
                yield {"field": path, "before": was, "after": now}
    old, new = before.get("fields", {}), after.get("fields", {})
    for label in old | new:
        if (was := old.get(label, "")) != (now := new.get(label, "")) and label.casefold() not in _LABELS:
            yield {"label": label, "before": was, "after": now}
