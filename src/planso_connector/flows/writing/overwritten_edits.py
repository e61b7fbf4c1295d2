"""
Find edits by people in PlanSo that a save overwrote, from what was read before the save took effect. Pure.

They are reported and not written again: nobody asked for that, and what a person did since may be intended.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from planso_connector.domain.fields import BY_PATH, MAX_SHOWN_LENGTH, Value
from planso_connector.domain.saving.snapshot import Snapshot
from planso_connector.domain.saving.verdicts import Difference, Verdict
from planso_connector.domain.values import are_equal, is_empty_value
from planso_connector.planso.pages.form_parser import Form
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
    `written` are the values that the save wrote, `sent` as in Operation. `versions` are the changes by people that the
    history saw since the saved form was read, `readings` the forms read since then, `now` the form after the save.
    """
    held, sent_controls = take_snapshot(now), sent["controls"]
    as_sent = {column for column, state in held.items() if list(state.values) == sent_controls.get(column)}
    edits: dict[str, str] = {}
    for reading in readings:
        if reading.find_unsaved(written):
            edits |= {column: state.shown for column, state in take_snapshot(reading).items() if column in as_sent}
    edits = {column: theirs for column, theirs in edits.items() if theirs != held[column].shown}
    changes = _last_changes(written, versions)
    columns: defaultdict[str, list[str]] = defaultdict(list)
    for column in as_sent if changes else ():
        for name in now.names_for_label(held[column].label):
            columns[name].append(column)
    for name, change in changes.items():
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


def _last_changes(written: Mapping[str, Value], versions: Iterable[Sequence[Change]]) -> dict[str, Change]:
    """The last change by field or label, before the version that shows what was written: later ones are no loss."""
    shown: dict[str, Any] = {}
    last: dict[str, Change] = {}
    for version in versions:
        shown |= {change.field: change.after for change in version}
        if written and all(
            path in shown and are_equal(BY_PATH[path].kind, shown[path], value) for path, value in written.items()
        ):
            break
        last |= {change.name: change for change in version}
    return last


def _holds(now: Form, shown: str, change: Change) -> bool:
    """Whether the form still holds the change's value."""
    if change.field in BY_PATH:
        return are_equal(BY_PATH[change.field].kind, now.read_fields().values.get(change.field), change.after)
    is_too_long = change.after is None and len(shown) > MAX_SHOWN_LENGTH  # the history has no text of it
    return is_too_long or shown == (change.after or "")


def find_emptied_controls(
    sent: Mapping[str, Any] | None, now: Snapshot, verdict: Verdict = Verdict.GONE
) -> tuple[Difference, ...]:
    """
    Controls that held something in the form that was saved and are empty now. Later than seconds after the save nobody
    can tell whether the save emptied them: they are reported.
    """
    differences = []
    for column, values in (sent or {}).get("controls", {}).items():
        state = now.get(column)
        label, after = (state.label, state.values) if state is not None else ("", ())
        is_unchanged = state is not None and list(after) == values  # an empty choice has a value, too
        is_emptied = state is None or state.is_empty
        if is_emptied and not is_unchanged and not all(map(is_empty_value, values)):
            differences.append(Difference(column, label, verdict, tuple(values), after, ", ".join(values), ""))
    return tuple(differences)
