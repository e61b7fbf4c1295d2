"""What a browser sent of a form, held against what we would send of the same form, control by control. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from planso_connector.planso.pages.control import Control
from planso_connector.planso.pages.form import Form
from planso_connector.planso.saving.encoding import Pairs
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
"""What we would send otherwise than the browser, and nobody changed."""


@dataclass(frozen=True)
class BrowserDifference:
    name: str
    label: str
    reason: DifferenceReason


@dataclass(frozen=True)
class BrowserComparison:
    """`equal`: how many names were sent with the values that we would send."""

    write: RecordedWrite
    sends: str
    equal_count: int
    differences: tuple[BrowserDifference, ...]
    always: tuple[str, ...]
    """Hidden controls that were sent unchanged, in style `changed`."""
    known: tuple[str, ...]
    """Controls that script fills, and that were sent as it fills them."""
    unfilled: tuple[str, ...]
    """Controls that look as if script filled them, and that were sent as the form holds them."""
    unchecked: str | None
    line_breaks: frozenset[str]
    spaces: frozenset[str]


def compare_with_browser(write: RecordedWrite, later: RecordedForm | None) -> BrowserComparison:
    """`later`: the form of the same order as it was read next, which shows what the save changed."""
    assert write.decoded is not None and write.form is not None  # noqa: PT018 - a save has both
    form = write.form.form
    expected, sent = _by_name(form.serialise_pairs()), _by_name(write.decoded.pairs)
    controls = _controls(form)
    labels = _labels(form)
    after = _by_name(later.form.serialise_pairs()) if later is not None else None
    sends = _sends(expected, sent, controls)
    differences, always, equal, unchecked = [], [], 0, None
    known: list[str] = []
    unfilled: list[str] = []
    for name in dict.fromkeys([*expected, *sent]):
        ours, theirs, own = expected.get(name), sent.get(name), controls.get(name, [])
        if theirs is None and sends == "changed":
            continue
        filled = [control.script_value.value for control in own if control.script_value is not None]
        if filled and theirs is not None and theirs in (filled, [control.value for control in own]):
            equal += 1
            (known if theirs == filled else unfilled).append(name)
            continue
        if ours == theirs:
            equal += 1
            if sends == "changed" and all(control.type == "hidden" for control in own):
                always.append(name)
            continue
        why = _why(name, ours, theirs, own, after)
        differences.append(BrowserDifference(name, labels.get(name, ""), why))
        if sends == "changed" and theirs and own and own[-1].type == "checkbox" and _is_unchecking(own, theirs):
            unchecked = theirs[-1]
    return BrowserComparison(
        write,
        sends,
        equal,
        tuple(differences),
        tuple(always),
        tuple(known),
        tuple(unfilled),
        unchecked,
        _line_breaks(write.decoded.pairs),
        frozenset(space for space in ("%20", "+") if space in write.decoded.raw),
    )


def find_later_reading(
    write: RecordedWrite, forms: Iterable[RecordedForm], order_id: int | None
) -> RecordedForm | None:
    found = (form for form in forms if form.entry.number > write.entry.number and form.order_id == order_id)
    return next(found, None) if order_id is not None else None


def _sends(
    expected: Mapping[str, list[str]], sent: Mapping[str, list[str]], controls: Mapping[str, list[Control]]
) -> str:
    """`changed` where half of what a browser always sends did not go."""
    firm = [name for name in expected if not all(_may_be_silent(control) for control in controls.get(name, []))]
    missing = [name for name in firm if name not in sent]
    return "changed" if missing and 2 * len(missing) >= len(firm) else "whole"


def _why(
    name: str,
    ours: list[str] | None,
    theirs: list[str] | None,
    own: list[Control],
    after: Mapping[str, list[str]] | None,
) -> DifferenceReason:
    if not own:
        return DifferenceReason.ADDED
    if theirs is None:
        return (
            DifferenceReason.UNCHECKED if all(_may_be_silent(control) for control in own) else DifferenceReason.LEFT_OUT
        )
    if ours is None:
        return (
            DifferenceReason.CHANGED if any(_may_be_silent(c) and c.is_sent for c in own) else DifferenceReason.ENABLED
        )
    if any(control.script_value is not None for control in own) or (after is not None and after.get(name) == ours):
        return DifferenceReason.SCRIPT
    if all(control.type == "hidden" for control in own):
        return DifferenceReason.HIDDEN
    return DifferenceReason.CHANGED


def _is_unchecking(own: list[Control], theirs: list[str]) -> bool:
    return own[-1].checked and own[-1].value not in theirs and len(own) == 1


def _may_be_silent(control: Control) -> bool:
    return control.type in ("checkbox", "radio") or (control.type == "select" and control.multiple)


def _by_name(pairs: Pairs) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value.replace("\r\n", "\n").replace("\r", "\n"))
    return found


def _controls(form: Form) -> dict[str, list[Control]]:
    found: dict[str, list[Control]] = {}
    for control in form.markup.controls:
        if control.name:
            found.setdefault(control.name, []).append(control)
    return found


def _labels(form: Form) -> dict[str, str]:
    return {member.name: entry.label for entry in form.markup.entries for member in entry.controls if member.name}


def _line_breaks(pairs: Pairs) -> frozenset[str]:
    found = set()
    for _, value in pairs:
        if "\r\n" in value:
            found.add("crlf")
        elif "\n" in value:
            found.add("lf")
    return frozenset(found)
