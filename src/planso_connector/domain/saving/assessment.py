"""
What a save did to the controls that it was not asked to change: explained, an edit by somebody, or damage. Pure.

All controls of the form are compared, asked or not, mapped or not, between the form that was saved and the form as two
agreeing readings show it afterwards. `assess` goes through the explanations first, so that PlanSo may derive, copy,
renew and normalise; a new value that is left is somebody's edit, a lost one is damage.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

from planso_connector.domain.saving.derivation import RequestedChange, is_audit_stamp, is_copy, is_derived, parse_day
from planso_connector.domain.saving.differences import DAMAGE_VERDICTS, Difference, Verdict
from planso_connector.domain.saving.snapshot import ControlState, Snapshot
from planso_connector.domain.saving.text_damage import is_garbled, is_truncated, normalise_text
from planso_connector.domain.values import is_empty_value


class StopScope(IntEnum):
    """Whose writes have to stop."""

    NONE = 0
    ORDER = 1
    WORKSHOP = 2


@dataclass(frozen=True, slots=True)
class PriorSaves:
    """
    What earlier saves of this installation showed. `dependents`: by column the asked columns that it changed with;
    `lost` and `edited`: columns that the last compared save lost or saw edited; `edited_by_people`: columns that are
    known to change without a save.
    """

    dependents: Mapping[str, Collection[str]] = field(default_factory=dict)
    accepted: Collection[str] = ()
    lost: Collection[str] = ()
    edited: Collection[str] = ()
    edited_by_people: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    differences: tuple[Difference, ...] = ()
    stop_scope: StopScope = StopScope.NONE

    @property
    def is_clean(self) -> bool:
        return self.stop_scope is StopScope.NONE


NO_PRIOR_SAVES = PriorSaves()

_TELLING = 3
"""Characters from which on a value that turns up in another control says that it moved."""


class _Pair(NamedTuple):
    """One control before and after; None where it is not there."""

    old: ControlState | None
    new: ControlState | None

    @property
    def state(self) -> ControlState:
        state = self.old or self.new
        assert state is not None, "a pair has one side at least"
        return state

    @property
    def differs(self) -> bool:
        return self.old is None or self.new is None or not self.old.is_identical(self.new)

    @property
    def is_lost(self) -> bool:
        """Whether a value was there and none is; of several under one name, whether there are fewer."""
        if self.old is None or self.old.is_empty:
            return False
        if self.new is None or self.new.is_empty:
            return True
        return len(self.old.values) > 1 and len(self.new.nonempty_values) < len(self.old.nonempty_values)

    @property
    def is_cut(self) -> bool:
        if self.old is None or self.new is None or self.old.options:
            return False
        return is_truncated(self.old.shown, self.new.shown)

    def difference(self, verdict: Verdict, cause: str = "") -> Difference:
        old, new = self.old, self.new
        return Difference(
            column=self.state.column,
            label=self.state.label,
            verdict=verdict,
            before=old.values if old is not None else (),
            after=new.values if new is not None else (),
            shown_before=old.shown if old is not None else "",
            shown_after=new.shown if new is not None else "",
            cause=cause,
        )


def assess_save(
    before: Snapshot,
    sent: Snapshot,
    after: Snapshot,
    *,
    volatile: Collection[str] = (),
    experience: PriorSaves = NO_PRIOR_SAVES,
    now: datetime | None = None,
) -> Assessment:
    """
    `before` is the form as it was read, `sent` the same with what was asked, `after` the form read back. `volatile` are
    columns that differed between readings before the save. `now` is local time, to know stamps by.
    """
    asked = [
        RequestedChange(before[column], sent[column])
        for column in sent
        if not before[column].is_identical(sent[column])
    ]
    left_out = {one.column for one in asked} | set(volatile)
    pairs = [pair for pair in _matched(before, after) if pair.state.column not in left_out and pair.differs]
    explained: list[Difference] = []
    unexplained = _lost_beside(asked, after)
    for pair in pairs:
        found = _explanation(pair, asked, experience, now)
        if found is not None:
            explained.append(pair.difference(*found))
        else:
            unexplained.append(pair)
    differences = (*_several_copies(explained, before, asked), *_judged(unexplained, before, experience))
    scope = _scope(differences, experience)
    if scope is StopScope.WORKSHOP:  # nobody is blamed for what stands beside such damage
        differences = tuple(
            replace(one, verdict=Verdict.CHANGED) if one.verdict is Verdict.EDITED else one for one in differences
        )
    if scope is not StopScope.NONE:
        differences = tuple(  # a zero that is gone is written back with the rest
            replace(one, verdict=Verdict.CHANGED) if one.is_emptied_notation else one for one in differences
        )
        emptied = [_Pair(one.old, after.get(one.column)) for one in asked if not one.new.is_empty]
        named = {one.column for one in differences}
        differences += tuple(
            pair.difference(Verdict.CHANGED) for pair in emptied if pair.is_lost and pair.state.column not in named
        )
    return Assessment(differences, scope)


def _lost_beside(asked: Sequence[RequestedChange], after: Snapshot) -> list[_Pair]:
    """The asked controls that share their name with others, such as boxes of one list, whose values are gone."""
    found = []
    for one in asked:
        new = after.get(one.column)
        if new is None:
            continue
        others = Counter(one.old.values) & Counter(one.new.values)
        is_any_gone = any(not is_empty_value(value) for value in others - Counter(new.values))
        if is_any_gone and not Counter(new.values) - Counter(one.new.values):
            found.append(_Pair(one.new, new))
    return found


class _Rows:
    """Controls that are there anew, to find those of rows that were inserted anew with the same values."""

    def __init__(self, new: Snapshot) -> None:
        self._new = new
        self._seen: Counter[tuple[str, str]] = Counter()
        self._named: defaultdict[tuple[str, str], list[ControlState]] = defaultdict(list)
        self._alike: defaultdict[tuple[str, ...], deque[ControlState]] = defaultdict(deque)
        for state in new.values():
            self._named[state.row_key].append(state)
            for key in self._keys(state):
                self._alike[key].append(state)

    @staticmethod
    def _keys(state: ControlState) -> list[tuple[str, ...]]:
        text = normalise_text(state.shown)
        return [(*state.row_key, text), *([(state.label, text)] if len(state.shown) >= _TELLING else [])]

    def find(self, old: ControlState) -> ControlState | None:
        """The same value under a like name, a telling one under any; else in the same place in another notation."""
        at, named = self._seen[old.row_key], self._named[old.row_key]
        self._seen[old.row_key] += 1
        if old.is_empty:
            return None
        for key in self._keys(old):
            alike = self._alike[key]
            while alike and alike[0].column not in self._new:
                alike.popleft()
            if alike and old.is_equivalent(alike[0]):
                return alike[0]
        found = named[at] if at < len(named) else None
        return found if found is not None and found.column in self._new and old.is_equivalent(found) else None


def _matched(before: Snapshot, after: Snapshot) -> list[_Pair]:
    """By name, else by label and place, else as a row that was inserted anew."""
    pairs = [_Pair(old, after[column]) for column, old in before.items() if column in after]
    gone = [old for column, old in before.items() if column not in after]
    new = {column: state for column, state in after.items() if column not in before}
    by_label = {(state.label, state.label_index): state for state in new.values() if state.label}
    rows = _Rows(new)
    for old in gone:
        found = by_label.get((old.label, old.label_index)) or rows.find(old)
        if found is not None and found.column in new:
            del new[found.column]
            pairs.append(_Pair(old, found))
        elif not old.is_empty:
            pairs.append(_Pair(old, None))
    return [*pairs, *(_Pair(None, state) for state in new.values() if not state.is_empty)]


def _explanation(
    pair: _Pair, asked: Sequence[RequestedChange], experience: PriorSaves, now: datetime | None
) -> tuple[Verdict, str] | None:
    """What explains the difference, and the asked column that is its cause."""
    old, new, column = pair.old, pair.new, pair.state.column
    if old is not None and new is not None and old.is_equivalent(new):
        return (Verdict.ROWS if old.column != new.column and not old.label else Verdict.NOTATION), ""
    if column in experience.accepted:
        return Verdict.ACCEPTED, ""
    if old is not None and new is not None and is_garbled(old.shown, new.shown):
        return None
    for one in asked:
        if one.column in experience.dependents.get(column, ()):
            return Verdict.DEPENDENT, one.column
    if old is None or new is None:
        return None
    for one in asked:
        if is_copy(old, new, one):
            return Verdict.COPY, one.column
        if is_derived(old, new, one):
            return Verdict.DEPENDENT, one.column
    return (Verdict.STAMP, "") if is_audit_stamp(old, new, now) else None


def _several_copies(
    explained: list[Difference], before: Snapshot, asked: Sequence[RequestedChange]
) -> Iterable[Difference]:
    """One control that takes the asked value over another value copies it; several have been mixed up."""
    held = {one.column: one.old for one in asked}
    over = {
        one.column
        for one in explained
        if one.verdict is Verdict.COPY
        and not before[one.column].is_empty
        and not before[one.column].is_equivalent(held[one.cause])
        and not held[one.cause].is_contained_in(before[one.column])
    }
    for one in explained:
        yield replace(one, verdict=Verdict.SHIFTED) if len(over) > 1 and one.column in over else one


def _judged(unexplained: Sequence[_Pair], before: Snapshot, experience: PriorSaves) -> Iterable[Difference]:
    shifted = _shifted(unexplained, before)
    for pair in unexplained:
        column = pair.state.column
        if column in shifted:
            yield pair.difference(Verdict.SHIFTED)
        elif pair.old is not None and pair.new is not None and is_garbled(pair.old.shown, pair.new.shown):
            yield pair.difference(Verdict.GARBLED)
        elif pair.is_lost or pair.is_cut:
            yield pair.difference(Verdict.LOST)
        elif column in experience.edited and column not in experience.edited_by_people and pair.state.is_sent:
            yield pair.difference(Verdict.REPEATED)
        else:
            yield pair.difference(Verdict.EDITED)


def _shifted(pairs: Sequence[_Pair], before: Snapshot) -> set[str]:
    """The controls that hold what another one held before: several, or one whose source was lost."""
    held = {state.shown for state in before.values() if len(state.shown) >= _TELLING}
    moved = [pair for pair in pairs if pair.new is not None and pair.new.shown in held]
    lost = {pair.old.shown for pair in pairs if pair.is_lost and pair.old is not None}
    if any(pair.new is not None and pair.new.shown in lost for pair in moved):
        return {pair.state.column for pair in moved}
    replaced = {pair.old.shown for pair in pairs if pair.old is not None}
    moved = [pair for pair in moved if _tells_a_move(pair, replaced)]
    return {pair.state.column for pair in moved} if len(moved) > 1 and not _are_postponed(moved) else set()


def _tells_a_move(pair: _Pair, replaced: Collection[str]) -> bool:
    """
    Whether what a control holds is likely another one's value: people choose `erledigt` in several lists, and a day
    that stands elsewhere, and stays there, for several dates.
    """
    if pair.new is None or pair.new.options:
        return False
    return pair.new.shown in replaced or parse_day(pair.new.shown) is None


def _are_postponed(pairs: Sequence[_Pair]) -> bool:
    """Whether all are dates that are as much later or earlier, as when somebody moves an order in the calendar."""
    moved_by = set()
    for pair in pairs:
        old = parse_day(pair.old.shown) if pair.old is not None else None
        new = parse_day(pair.new.shown) if pair.new is not None else None
        moved_by.add(new - old if old is not None and new is not None else None)
    return len(moved_by) == 1 and None not in moved_by


def _scope(differences: Sequence[Difference], experience: PriorSaves) -> StopScope:
    damage = [one for one in differences if one.verdict in DAMAGE_VERDICTS]
    if not damage:
        return StopScope.NONE
    is_single = len(damage) == 1 and damage[0].verdict is Verdict.LOST and damage[0].column not in experience.lost
    return StopScope.ORDER if is_single else StopScope.WORKSHOP
