"""Whether the save style is assumed, learned from a recording, or confirmed by a write trial. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from planso_connector.domain.notes import join_names

ASSUMED, LEARNED, TRIED = "assumed", "learned", "tried"

_CHILD_ROW = re.compile(r"[^\[\]]*\[(?:new[_-]?\d*|\d+)\]\[[^\[\]]*[^\W\d][^\[\]]*\](?:\[[^\[\]]*\])*")
"""The name of a control of a child row, such as `pos[17][text]` or `pos[new_1][text]`."""

_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """The outcome of the last write trial. It tells of the installation and holds no value of the order."""

    at: str
    """When the trial ended, an instant."""
    order_id: int
    operation: str
    """The id of the trial's saves. After damage, an operation with this id holds what was lost."""
    profile: str
    """Fingerprint of the profile and of PlanSo's address, without what the trial itself found."""
    controls: tuple[str, ...]
    """The form's controls, see `list_form_controls`."""
    is_clean: bool
    sends: str = "whole"
    """What saves send from then on: the `whole` form, or only what `changed`."""
    always: tuple[str, ...] = ()
    """With `changed`: controls that are sent though unchanged, such as a token."""
    unchecked: str | None = None
    """With `changed`: the value that unchecks a box; None where none is known."""
    known: tuple[str, ...] = ()
    """Controls that a script fills, and that kept their values in saves of the whole form."""
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    """Controls that the form read last has, or lacks, compared with the one of the trial."""

    def compare_controls(self, controls: Iterable[str]) -> TrialOutcome:
        """This outcome with `new` and `gone` as a form with these controls shows."""
        now, then = frozenset(controls), frozenset(self.controls)
        return replace(self, new=tuple(sorted(now - then)), gone=tuple(sorted(then - now)))

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrialOutcome:
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
        }
        return cls(**values)


_TRY = "try it on an order of no consequence: `planso-connector doctor --try-write ORDER`"
_LEARN = "learn it from a recording of a browser (docs/learning.md)"
_SHADOW = "Until then CONNECTOR_WRITES=shadow says what would be sent, and sends nothing."


@dataclass(frozen=True, slots=True)
class SaveStyleStatus:
    """
    `state`: `assumed`, `learned` or `tried`; `reason`: for a person, without a full stop; `next_step`: sentences on how
    to get to a better state, empty where there is none.
    """

    state: str
    reason: str
    next_step: str = ""


def list_form_controls(names: Iterable[str]) -> tuple[str, ...]:
    """The names of a form's controls without those of child rows, whose number differs between orders; sorted."""
    return tuple(sorted({name for name in names if name and not _CHILD_ROW.fullmatch(name)}))


def determine_style_status(source: str, profile: str, trial: TrialOutcome | None) -> SaveStyleStatus:
    """`source`: the profile's `save.source`; `profile`: its fingerprint, as in TrialOutcome."""
    if source == LEARNED:
        base = SaveStyleStatus(LEARNED, "learned from a recording", f"Next: {_TRY}.")
    else:
        base = SaveStyleStatus(ASSUMED, "nobody has seen this PlanSo save yet", f"Next: {_LEARN}, or {_TRY}. {_SHADOW}")
    if trial is None:
        return base
    where = f"order {trial.order_id} on {trial.at[:10]}"
    if trial.profile != profile:
        return replace(base, reason=f"{base.reason}; it was tried on {where}, with another profile or PlanSo")
    if not trial.is_clean:
        restore = f"write back what the order lost, `planso-connector writes restore {trial.operation}`"
        reason = f"{base.reason}; the trial on {where} did damage"
        return SaveStyleStatus(base.state, reason, f"Next: {restore}; {_LEARN}.")
    if trial.new or trial.gone:
        changed = f"it was tried on {where}, and the form's controls changed since: {_describe_changed_controls(trial)}"
        return SaveStyleStatus(base.state, f"{base.reason}; {changed}", f"Next: {_TRY}.")
    sent = "only what changes is sent" if trial.sends == "changed" else "the whole form is sent"
    return SaveStyleStatus(TRIED, f"tried on {where}: {sent}, and nothing else of the order changed")


def _describe_changed_controls(trial: TrialOutcome) -> str:
    changes = {"new": trial.new, "gone": trial.gone}
    return "; ".join(f"{change} {join_names(names, _MAX_NAMED)}" for change, names in changes.items() if names)
