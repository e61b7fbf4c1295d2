"""The controls of a form that share a name, with their label. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from planso_connector.planso.pages.control import NEVER_SENT_TYPES, Control, FormEntry
from planso_connector.planso.pages.markup import FormMarkup


class ControlGroup(NamedTuple):
    """
    `name`: that of the controls, for one without a name its label and label index. `label_index`: how many equal labels
    precede it. `indexes`: the controls' places in the form.
    """

    name: str
    label: str
    label_index: int
    indexes: tuple[int, ...]


def group_controls(markup: FormMarkup) -> tuple[ControlGroup, ...]:
    """In the form's order. Buttons and file inputs are left out. The same for all forms of one layout."""
    entries, label_indexes = _index_labels(markup.entries)
    groups: dict[str, list[Control]] = {}
    for control in markup.controls:
        name = control.name
        if not name and (entry := entries.get(control.index)) is not None:
            name = f"{entry.label} #{label_indexes[entry]}"
        if name and control.type not in NEVER_SENT_TYPES:
            groups.setdefault(name, []).append(control)
    found = []
    for name, controls in groups.items():
        entry = next((entries[control.index] for control in controls if control.index in entries), None)
        label, label_index = (entry.label, label_indexes[entry]) if entry is not None else ("", 0)
        found.append(ControlGroup(name, label, label_index, tuple(control.index for control in controls)))
    return tuple(found)


def _index_labels(entries: Sequence[FormEntry]) -> tuple[dict[int, FormEntry], dict[FormEntry, int]]:
    """The label of each control by the control's index, and how many equal labels precede each label."""
    seen: Counter[str] = Counter()
    by_control: dict[int, FormEntry] = {}
    label_indexes = {}
    for entry in entries:
        label_indexes[entry] = seen[entry.key]
        seen[entry.key] += 1
        for control in entry.controls:
            by_control.setdefault(control.index, entry)
    return by_control, label_indexes
