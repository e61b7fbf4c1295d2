"""
How it is known how a PlanSo saves: assumed, learned from a recording, or tried on an order. `knowledge` decides. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

ASSUMED, LEARNED, TRIED = "assumed", "learned", "tried"

_ROW = re.compile(r"[^\[\]]*\[(?:new[_-]?\d*|\d+)\]\[[^\[\]]*[^\W\d][^\[\]]*\](?:\[[^\[\]]*\])*")
"""The name of a control of a child row, such as `pos[17][text]` or `pos[new_1][text]`."""

_NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """
    The outcome of the last trial on an order of no consequence. Everything in it is of the installation; it holds no
    value of the order.
    """

    at: str
    """When it ended, a stamp."""
    order_id: int
    operation: str
    """The id under which the trial's saves are known; of a trial that did damage there is such an operation."""
    profile: str
    """Fingerprint of the profile and of PlanSo's address, without what the trial itself found."""
    controls: tuple[str, ...]
    """The names of the form's controls, see `control_names`."""
    is_clean: bool
    sends: str = "whole"
    """What is sent from then on: `whole`, or only what `changed`."""
    always: tuple[str, ...] = ()
    """With `changed`: controls that go along unchanged, such as a token."""
    unchecked: str | None = None
    """With `changed`: the value that unchecks a box; None where none is known."""
    known: tuple[str, ...] = ()
    """Controls that a script fills, and that kept their values in saves of the whole form."""
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    """Controls that the form read last has, or lacks, against the one that was tried."""

    def compare_controls(self, controls: Iterable[str]) -> TrialOutcome:
        """The same, once a form with these controls was read."""
        now, then = frozenset(controls), frozenset(self.controls)
        return replace(self, new=tuple(sorted(now - then)), gone=tuple(sorted(then - now)))

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrialOutcome:
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
        }
        return cls(**known)


_TRY = "try it on an order of no consequence: `planso-connector doctor --try-write ORDER`"
_LEARN = "learn it from a recording of a browser (docs/learning.md)"
_SHADOW = "Until then CONNECTOR_WRITES=shadow says what would be sent, and sends nothing."


@dataclass(frozen=True, slots=True)
class SaveStyleStatus:
    """
    `state`: `assumed`, `learned` or `tried`. `reason`: why, for a person, without a full stop. `next_step`: sentences
    on what a person does to know it better; empty where there is nothing to do.
    """

    state: str
    reason: str
    next_step: str = ""


def list_form_controls(names: Iterable[str]) -> tuple[str, ...]:
    """A form's set of controls: its names without those of child rows, of which each order has as many as it has."""
    return tuple(sorted({name for name in names if name and not _ROW.fullmatch(name)}))


def determine_style_status(source: str, profile: str, trial: TrialOutcome | None) -> SaveStyleStatus:
    """`source`: where the profile's way of saving comes from; `profile`: its fingerprint, as in Trial."""
    if source == LEARNED:
        base = SaveStyleStatus(LEARNED, "learned from a recording", f"Next: {_TRY}.")
    else:
        base = SaveStyleStatus(ASSUMED, "nobody has seen this PlanSo save yet", f"Next: {_LEARN}, or {_TRY}. {_SHADOW}")
    if trial is None:
        return base
    day = f"order {trial.order_id} on {trial.at[:10]}"
    if trial.profile != profile:
        return replace(base, reason=f"{base.reason}; it was tried on {day}, with another profile or PlanSo")
    if not trial.is_clean:
        restore = (
            f"Next: write back what the order lost, `planso-connector writes restore {trial.operation}`; {_LEARN}."
        )
        return SaveStyleStatus(base.state, f"{base.reason}; the trial on {day} did damage", restore)
    if trial.new or trial.gone:
        changed = f"it was tried on {day}, and the form's controls changed since: {_set(trial)}"
        return SaveStyleStatus(base.state, f"{base.reason}; {changed}", f"Next: {_TRY}.")
    sent = "only what changes is sent" if trial.sends == "changed" else "the whole form is sent"
    return SaveStyleStatus(TRIED, f"tried on {day}: {sent}, and nothing else of the order changed")


def _set(trial: TrialOutcome) -> str:
    return "; ".join(f"{word} {_named(names)}" for word, names in (("new", trial.new), ("gone", trial.gone)) if names)


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return ", ".join(names[:_NAMED_AT_MOST]) + more
