"""
Differences: what a save changed in controls of a form that it was not asked to change, and what is said of them.

An operation keeps them with their values; which caller is shown values is decided where answers are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from planso_connector.domain.notes import shorten


class Verdict(StrEnum):
    """What a difference means. Those of `DAMAGE` stop writes."""

    NOTATION = "notation"
    """The same value, written otherwise."""
    COPY = "copy"
    """Another control shows the asked value too."""
    DEPENDENT = "dependent"
    """PlanSo derives it from an asked control: a model from its make, a week number from its date."""
    STAMP = "stamp"
    """When, how often or by whom the order was changed; a token that each save renews."""
    ROWS = "rows"
    """Rows that PlanSo inserted anew under other names, with the same values."""
    ACCEPTED = "accepted"
    """A person said that this control changes with saves."""
    EDITED = "edited"
    """A new value that nothing explains: somebody changed it in PlanSo at the same time."""
    OVERWRITTEN = "overwritten"
    """An edit by somebody in PlanSo was seen, and the save wrote the older value over it."""
    GONE = "gone"
    """A value was there when the form was saved, and was gone when it was read long after: reported, not judged."""
    LOST = "lost"
    """A value is gone, or cut off, and nothing explains it."""
    SHIFTED = "shifted"
    """A value stands in another control than before."""
    GARBLED = "garbled"
    """The same text in a broken encoding."""
    REPEATED = "repeated"
    """New values in the same control after two saves: the save does it, nobody in PlanSo."""
    CHANGED = "changed"
    """A new value after a save that did damage, or an asked control that it emptied: taken for its doing too."""
    TRIED = "tried"
    """A trial on an order of no consequence changed it, and could not put it back."""


DAMAGE_VERDICTS = frozenset(
    {Verdict.LOST, Verdict.SHIFTED, Verdict.GARBLED, Verdict.REPEATED, Verdict.CHANGED, Verdict.TRIED}
)
SIDE_EFFECT_VERDICTS = frozenset({Verdict.COPY, Verdict.DEPENDENT, Verdict.ACCEPTED})
"""Changes that come with a save; stamps, notation and rows are too small to speak of."""


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One control before and after a save. `column` is its name, or its label where it has none; `before` and `after` are
    the values that a browser would send, `shown_before` and `shown_after` what a person sees; of an overwritten edit,
    before is theirs. `cause` is the asked control that explains it.
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
        """What a person calls the control."""
        return f"'{self.label or self.column}'"

    @property
    def is_emptied_notation(self) -> bool:
        """Whether `0` or the like became no text at all, which says the same and is not the same."""
        return self.verdict is Verdict.NOTATION and bool(self.shown_before) and not self.shown_after

    def has_name(self, name: str) -> bool:
        """Whether a person may mean this control by `name`."""
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
_NAMED_AT_MOST = 10


def describe_differences(differences: Sequence[Difference], *, with_values: bool) -> list[str]:
    """What a caller is told of them, a sentence for each kind; values only for those who may see them."""
    told = []
    for verdicts, beginning, was in _SENTENCES:
        found = [difference for difference in differences if difference.verdict in verdicts]
        if not found:
            continue
        named = [
            f"{one.quoted_name} ({was} '{shorten(one.shown_before)}', now '{shorten(one.shown_after)}')"
            if with_values
            else one.quoted_name
            for one in found[:_NAMED_AT_MOST]
        ]
        more = f" and {len(found) - _NAMED_AT_MOST} more" if len(found) > _NAMED_AT_MOST else ""
        told.append(f"{beginning}: {', '.join(named)}{more}.")
    return told
