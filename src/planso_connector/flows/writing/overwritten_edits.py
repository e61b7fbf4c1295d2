"""
Find the edits by people in PlanSo that a save wrote over, by what was read before the save took effect. Pure.

They are reported, not written again: nobody asked for that, and what a person did since may be meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from planso_connector.domain.fields import BY_PATH, MAX_SHOWN_LENGTH, Value
from planso_connector.domain.saving.differences import Difference, Verdict
from planso_connector.domain.saving.snapshot import Snapshot
from planso_connector.domain.values import are_equal, is_empty_value
from planso_connector.planso.pages.form import Form
from planso_connector.planso.saving.form_snapshot import take_snapshot
from planso_connector.store.history import Change


def find_overwritten_edits(
    written: Mapping[str, Value],
    sent: Mapping[str, Any],
    versions: Iterable[Sequence[Change]],
    readings: Iterable[Form],
    now: Form,
) -> tuple[Difference, ...]:
    """
    `written` are the fields that the save changed, `sent` as in Operation. `versions` is what the history saw people
    change since the form was read that was saved, `readings` are the forms read since then before `now`, the form after
    the save.
    """
    held, base = take_snapshot(now), sent["controls"]
    as_sent = {column for column, state in held.items() if list(state.values) == base.get(column)}
    seen: dict[str, str] = {}
    for reading in readings:
        if reading.find_unsaved(written):
            seen |= {column: state.shown for column, state in take_snapshot(reading).items() if column in as_sent}
    edits = {column: theirs for column, theirs in seen.items() if theirs != held[column].shown}
    columns: dict[str, list[str]] = {}
    for column in as_sent:
        for name in now.names_for_label(held[column].label):
            columns.setdefault(name, []).append(column)
    for name, change in _last_seen(written, versions).items():
        for column in columns.get(name, ()):
            if not _holds(now, held[column].shown, change):
                edits[column] = "" if change.after is None else str(change.after)
    return tuple(
        Difference(
            column,
            held[column].label,
            Verdict.OVERWRITTEN,
            after=held[column].values,
            shown_before=theirs,
            shown_after=held[column].shown,
        )
        for column, theirs in edits.items()
    )


def _last_seen(written: Mapping[str, Value], versions: Iterable[Sequence[Change]]) -> dict[str, Change]:
    """By field or label what it was last seen to become, until what was written shows: what came then came after it."""
    shown: dict[str, Any] = {}
    last: dict[str, Change] = {}
    for version in versions:
        shown |= {change.field: change.after for change in version}
        if written and all(p in shown and are_equal(BY_PATH[p].kind, shown[p], value) for p, value in written.items()):
            break
        last |= {change.name: change for change in version}
    return last


def _holds(now: Form, shown: str, change: Change) -> bool:
    """Whether the form holds what the change made of it."""
    if change.field in BY_PATH:
        return are_equal(BY_PATH[change.field].kind, now.read_fields().values.get(change.field), change.after)
    is_too_long = change.after is None and len(shown) > MAX_SHOWN_LENGTH  # the history has no text of it
    return is_too_long or shown == (change.after or "")


def find_emptied_controls(
    sent: Mapping[str, Any] | None, now: Snapshot, verdict: Verdict = Verdict.GONE
) -> tuple[Difference, ...]:
    """
    Controls that held something in the form that was saved, and hold nothing now. Seen later than seconds after the
    save that can't be judged, and is reported.
    """
    differences = []
    for column, values in (sent or {}).get("controls", {}).items():
        state = now.get(column)
        if state is not None and list(state.values) == values:
            continue  # a choice that says nothing has a value, too
        if any(not is_empty_value(value) for value in values) and (state is None or state.is_empty):
            label = state.label if state is not None else ""
            after = state.values if state is not None else ()
            told = ", ".join(values)
            differences.append(Difference(column, label, verdict, tuple(values), after, told, ""))
    return tuple(differences)
