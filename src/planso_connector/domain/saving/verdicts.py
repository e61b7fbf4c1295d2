"""
The differences found after a save, with the verdict on each, and which verdicts are damage.

An operation keeps them with their values. Whether a caller may see values is decided where responses are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from planso_connector.domain.notes import join_names, shorten


class Verdict(StrEnum):
    """What a difference means. Those of `DAMAGE_VERDICTS` stop writes."""

    NOTATION = "notation"
    """The same value in another notation."""
    COPY = "copy"
    """Another control shows the requested value too."""
    DEPENDENT = "dependent"
    """PlanSo derives it from a requested control: a model from its make, a week number from its date."""
    STAMP = "stamp"
    """When, how often or by whom the order was changed; a token that each save renews."""
    ROWS = "rows"
    """Rows that PlanSo inserted again under other names, with the same values."""
    ACCEPTED = "accepted"
    """A person said that this control changes with saves."""
    EDITED = "edited"
    """A new value that nothing explains: somebody changed it in PlanSo at the same time."""
    OVERWRITTEN = "overwritten"
    """Somebody's edit in PlanSo was seen, and the save wrote the older value over it."""
    GONE = "gone"
    """A value of the saved form was gone when the form was read long after: reported, not judged."""
    LOST = "lost"
    """A value is gone or truncated, and nothing explains it."""
    SHIFTED = "shifted"
    """A value is in another control than before."""
    GARBLED = "garbled"
    """The same text in a broken encoding."""
    REPEATED = "repeated"
    """New values in the same control after two saves: caused by the saves, not by a person."""
    CHANGED = "changed"
    """A new value next to damage, or a requested control that the save emptied: counted as damage."""
    TRIED = "tried"
    """A write trial changed it and could not revert it."""


DAMAGE_VERDICTS = frozenset(
    {Verdict.LOST, Verdict.SHIFTED, Verdict.GARBLED, Verdict.REPEATED, Verdict.CHANGED, Verdict.TRIED}
)
SIDE_EFFECT_VERDICTS = frozenset({Verdict.COPY, Verdict.DEPENDENT, Verdict.ACCEPTED})
"""Side effects of a save that are reported; stamps, notation and rows are not."""


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One control before and after a save. `column`: its name, or its label where it has none; `before` and `after`: the
    values that a browser would send; `shown_before` and `shown_after`: what a person sees; `cause`: the requested
    control that explains it. Of an overwritten edit, `before` is the edit.
    """

    column: str
    label: str
    verdict: Verdict
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    shown_before: str = ""
    shown_after: str = ""
    cause: str = ""

    @property
    def quoted_name(self) -> str:
        return f"'{self.label or self.column}'"

    @property
    def is_emptied_notation(self) -> bool:
        """Whether `0` or the like became an empty text: another notation, but not written back by it."""
        return self.verdict is Verdict.NOTATION and bool(self.shown_before) and not self.shown_after

    def has_name(self, name: str) -> bool:
        """Whether `name` is the control's name or label, ignoring case."""
        return name.strip().casefold() in (self.column.casefold(), self.label.casefold())

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Difference:
        values = {name: tuple(content.get(name) or ()) for name in ("before", "after")}
        return cls(**{**content, **values, "verdict": Verdict(content["verdict"])})


def select_damage(differences: Iterable[Difference]) -> list[Difference]:
    return [difference for difference in differences if difference.verdict in DAMAGE_VERDICTS]


_SENTENCES: tuple[tuple[frozenset[Verdict], str, str], ...] = (
    (DAMAGE_VERDICTS, "The save damaged", "was"),
    (frozenset({Verdict.OVERWRITTEN}), "This write overwrote an edit in PlanSo", "theirs"),
    (frozenset({Verdict.GONE}), "Gone since it was sent, whoever did it", "was"),
    (SIDE_EFFECT_VERDICTS, "PlanSo changed with it", "was"),
    (frozenset({Verdict.EDITED}), "Changed in PlanSo at the same time", "was"),
)
"""For each kind of difference: its verdicts, the beginning of its sentence, and what the value before is called."""
_MAX_NAMED = 10


def describe_differences(differences: Sequence[Difference], *, with_values: bool) -> list[str]:
    """One sentence for each kind of difference, for the caller of the operation."""
    sentences = []
    for verdicts, beginning, before in _SENTENCES:
        found = [difference for difference in differences if difference.verdict in verdicts]
        if not found:
            continue
        names = [_describe(difference, before) if with_values else difference.quoted_name for difference in found]
        sentences.append(f"{beginning}: {join_names(names, _MAX_NAMED)}.")
    return sentences


def _describe(difference: Difference, before: str) -> str:
    old, new = shorten(difference.shown_before), shorten(difference.shown_after)
    return f"{difference.quoted_name} ({before} '{old}', now '{new}')"
