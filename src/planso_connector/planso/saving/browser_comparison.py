"""Compare what a browser sent of a form with what we would send of the same form, control by control. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from planso_connector.planso.pages.control import Control
from planso_connector.planso.saving.encoding import Pairs, convert_line_breaks
from planso_connector.planso.saving.recording import RecordedForm, RecordedWrite


class DifferenceReason(StrEnum):
    CHANGED = "changed by the person"
    UNCHECKED = "unchecked or emptied by the person"
    SCRIPT = "filled by script in the browser; what it holds can't be known from the form"
    HIDDEN = "hidden, changed by script"
    LEFT_OUT = "not sent by the browser"
    ADDED = "added by script; the form has no such control"
    ENABLED = "disabled in the form, and sent all the same"


HARMFUL_REASONS = frozenset(
    {DifferenceReason.SCRIPT, DifferenceReason.LEFT_OUT, DifferenceReason.ADDED, DifferenceReason.ENABLED}
)
"""We would send something else than the browser, and the person did not change it."""


@dataclass(frozen=True)
class BrowserDifference:
    name: str
    label: str
    reason: DifferenceReason


@dataclass(frozen=True)
class BrowserComparison:
    """`equal_count`: how many names were sent with the values that we would send."""

    write: RecordedWrite
    sends: str
    """`whole` or `changed`, as in SaveStyle."""
    equal_count: int
    differences: tuple[BrowserDifference, ...]
    always: tuple[str, ...]
    """Hidden controls that were sent unchanged, where only what changed was sent."""
    known: tuple[str, ...]
    """Controls that a script fills, sent with what it fills in."""
    unfilled: tuple[str, ...]
    """Controls that a script seems to fill, sent as the form holds them."""
    unchecked: str | None
    """The value that was sent for an unchecked box, if any."""
    line_breaks: frozenset[str]
    spaces: frozenset[str]


class _NamedControls(NamedTuple):
    """The controls of one name, with the values that we and the browser would send; None where nothing is sent."""

    name: str
    controls: Sequence[Control]
    ours: list[str] | None
    theirs: list[str] | None

    @property
    def script_values(self) -> list[str | None]:
        return [control.script_value.value for control in self.controls if control.script_value is not None]

    @property
    def is_known(self) -> bool:
        return bool(self.script_values) and self.theirs == self.script_values

    @property
    def is_unfilled(self) -> bool:
        is_as_in_markup = self.theirs == [control.value for control in self.controls]
        return bool(self.script_values) and is_as_in_markup and not self.is_known

    @property
    def is_hidden(self) -> bool:
        return all(control.type == "hidden" for control in self.controls)

    @property
    def is_optional(self) -> bool:
        """Whether a browser may send nothing of them."""
        return all(map(_may_be_silent, self.controls))

    @property
    def is_unchecking(self) -> bool:
        """Whether a value was sent for a box that the person unchecked."""
        if not self.theirs or len(self.controls) != 1 or self.controls[0].type != "checkbox":
            return False
        return self.controls[0].checked and self.controls[0].value not in self.theirs

    def find_reason(self, after: Mapping[str, list[str]]) -> DifferenceReason:
        """`after`: what we would send of the form after the save."""
        if not self.controls:
            return DifferenceReason.ADDED
        if self.theirs is None:
            return DifferenceReason.UNCHECKED if self.is_optional else DifferenceReason.LEFT_OUT
        if self.ours is None:
            could_be_sent = any(_may_be_silent(control) and control.is_sent for control in self.controls)
            return DifferenceReason.CHANGED if could_be_sent else DifferenceReason.ENABLED
        if self.script_values or after.get(self.name) == self.ours:
            return DifferenceReason.SCRIPT
        return DifferenceReason.HIDDEN if self.is_hidden else DifferenceReason.CHANGED


def compare_with_browser(write: RecordedWrite, later: RecordedForm | None) -> BrowserComparison:
    """`write`: one with a form; `later`: the next reading of the same order, which shows what the save changed."""
    assert write.decoded is not None and write.form is not None  # noqa: PT018 - a save has both
    markup = write.form.form.markup
    ours, theirs = _group_by_name(write.form.form.serialise_pairs()), _group_by_name(write.decoded.pairs)
    after = _group_by_name(later.form.serialise_pairs()) if later is not None else {}
    controls = defaultdict(list)
    for control in markup.controls:
        controls[control.name].append(control)
    labels = {control.name: entry.label for entry in markup.entries for control in entry.controls}
    groups = [
        _NamedControls(name, controls[name] if name else [], ours.get(name), theirs.get(name))
        for name in dict.fromkeys([*ours, *theirs])
    ]
    sends = _detect_sends(groups)
    if sends == "changed":
        groups = [group for group in groups if group.theirs is not None]
    known = [group.name for group in groups if group.is_known]
    unfilled = [group.name for group in groups if group.is_unfilled]
    compared = [group for group in groups if not group.is_known and not group.is_unfilled]
    equal = [group for group in compared if group.ours == group.theirs]
    differing = [group for group in compared if group.ours != group.theirs]
    unchecked = [group.theirs[-1] for group in differing if group.theirs and group.is_unchecking]
    return BrowserComparison(
        write,
        sends,
        len(equal) + len(known) + len(unfilled),
        tuple(
            BrowserDifference(group.name, labels.get(group.name, ""), group.find_reason(after)) for group in differing
        ),
        tuple(group.name for group in equal if sends == "changed" and group.is_hidden),
        tuple(known),
        tuple(unfilled),
        unchecked[-1] if unchecked and sends == "changed" else None,
        frozenset("crlf" if "\r\n" in value else "lf" for _, value in write.decoded.pairs if "\n" in value),
        frozenset(space for space in ("%20", "+") if space in write.decoded.raw),
    )


def _detect_sends(groups: Iterable[_NamedControls]) -> str:
    """`changed` where at least half of what a browser always sends was not sent."""
    always_sent = [group for group in groups if group.ours is not None and not group.is_optional]
    missing = [group for group in always_sent if group.theirs is None]
    return "changed" if missing and 2 * len(missing) >= len(always_sent) else "whole"


def _may_be_silent(control: Control) -> bool:
    return control.type in ("checkbox", "radio") or (control.type == "select" and control.multiple)


def _group_by_name(pairs: Pairs) -> dict[str, list[str]]:
    """Values by name, with line breaks as LF."""
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(convert_line_breaks(value, "lf"))
    return groups
