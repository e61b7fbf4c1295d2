"""
Classify each difference that a save was not asked for: explained, edited by somebody, or damaged. Pure.

All controls of the form are compared, whether they belong to a field or not, between the form that was saved and the
form that two agreeing readings show afterwards. PlanSo may derive, copy, renew and normalise values. Of the differences
that are left, a new value is somebody's edit and a lost one is damage.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

from planso_connector.domain.saving.harmless_differences import (
    RequestedChange,
    is_audit_stamp,
    is_copy,
    is_derived,
    parse_day,
)
from planso_connector.domain.saving.snapshot import ControlState, Snapshot
from planso_connector.domain.saving.text_damage import casefold_text, is_garbled, is_truncated
from planso_connector.domain.saving.verdicts import DAMAGE_VERDICTS, Difference, Verdict
from planso_connector.domain.values import is_empty_value


class StopScope(IntEnum):
    """Whose writes have to stop."""

    NONE = 0
    ORDER = 1
    WORKSHOP = 2


@dataclass(frozen=True, slots=True)
class PriorSaves:
    """
    What earlier saves of this PlanSo showed, by column. `dependents`: the requested columns that each one changed with;
    `accepted`: a person said that they change with saves; `lost` and `edited`: lost or edited at the last compared
    save; `edited_by_people`: known to change without a save.
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

_MIN_DISTINCTIVE_LENGTH = 3
"""Characters from which on a value that turns up in another control has moved there."""


class _Pair(NamedTuple):
    """One control before and after; None where it does not exist."""

    old: ControlState | None
    new: ControlState | None

    @property
    def state(self) -> ControlState:
        state = self.old or self.new
        assert state is not None, "a pair has at least one side"
        return state

    @property
    def old_text(self) -> str | None:
        return self.old.shown if self.old is not None else None

    @property
    def new_text(self) -> str | None:
        return self.new.shown if self.new is not None else None

    @property
    def is_changed(self) -> bool:
        return self.old is None or self.new is None or not self.old.is_identical(self.new)

    @property
    def is_garbled(self) -> bool:
        return self.old is not None and self.new is not None and is_garbled(self.old.shown, self.new.shown)

    @property
    def is_lost(self) -> bool:
        """Whether the value is gone; of several values under one name, any of them."""
        if self.old is None or self.old.is_empty:
            return False
        if self.new is None or self.new.is_empty:
            return True
        return len(self.old.values) > 1 and len(self.new.nonempty_values) < len(self.old.nonempty_values)

    @property
    def is_truncated(self) -> bool:
        if self.old is None or self.new is None or self.old.options:
            return False
        return is_truncated(self.old.shown, self.new.shown)

    def to_difference(self, verdict: Verdict, cause: str = "") -> Difference:
        old, new = self.old or _NO_CONTROL, self.new or _NO_CONTROL
        column, label = self.state.column, self.state.label
        return Difference(column, label, verdict, old.values, new.values, old.shown, new.shown, cause)


_NO_CONTROL = ControlState("")


def assess_save(
    before: Snapshot,
    sent: Snapshot,
    after: Snapshot,
    *,
    volatile: Collection[str] = (),
    prior_saves: PriorSaves = NO_PRIOR_SAVES,
    now: datetime | None = None,
) -> Assessment:
    """
    `before` is the form as it was read, `sent` the same with the requested changes, `after` the form read back.
    `volatile`: columns that differed between readings before the save. `now`: local time, to recognise timestamps.
    """
    states = ((before[column], state) for column, state in sent.items())
    requested = [RequestedChange(old, new) for old, new in states if not old.is_identical(new)]
    ignored = {change.column for change in requested} | set(volatile)
    explained: list[Difference] = []
    unexplained = _find_lost_group_values(requested, after)
    for pair in _match_controls(before, after):
        if pair.state.column in ignored or not pair.is_changed:
            continue
        explanation = _explain(pair, requested, prior_saves, now)
        if explanation is not None:
            explained.append(pair.to_difference(*explanation))
        else:
            unexplained.append(pair)
    differences = [*_mark_mixed_up_copies(explained, before, requested), *_judge(unexplained, before, prior_saves)]
    stop_scope = _determine_scope(differences, prior_saves)
    if stop_scope is not StopScope.NONE:
        differences = _attribute_to_damage(differences, stop_scope, requested, after)
    return Assessment(tuple(differences), stop_scope)


def _find_lost_group_values(requested: Iterable[RequestedChange], after: Snapshot) -> list[_Pair]:
    """Requested controls that share their name with others, such as boxes of one list, whose values are gone."""
    found = []
    for old, new in requested:
        held = after.get(new.column)
        if held is None:
            continue
        unchanged = Counter(old.values) & Counter(new.values)
        is_any_gone = any(not is_empty_value(value) for value in unchanged - Counter(held.values))
        if is_any_gone and not Counter(held.values) - Counter(new.values):
            found.append(_Pair(new, held))
    return found


class _NewControls:
    """Index of controls that did not exist before, to find rows that PlanSo inserted again with the same values."""

    def __init__(self, unmatched: Snapshot) -> None:
        """`unmatched`: by column; the caller removes those that it has matched."""
        self._unmatched = unmatched
        self._searched: Counter[tuple[str, str]] = Counter()
        self._by_row_key: defaultdict[tuple[str, str], list[ControlState]] = defaultdict(list)
        self._by_value: defaultdict[tuple[str, ...], deque[ControlState]] = defaultdict(deque)
        for state in unmatched.values():
            self._by_row_key[state.row_key].append(state)
            for key in self._value_keys(state):
                self._by_value[key].append(state)

    @staticmethod
    def _value_keys(state: ControlState) -> list[tuple[str, ...]]:
        text = casefold_text(state.shown)
        by_label = [(state.label, text)] if len(state.shown) >= _MIN_DISTINCTIVE_LENGTH else []
        return [(*state.row_key, text), *by_label]

    def find(self, old: ControlState) -> ControlState | None:
        """
        A control with the same value and a similar name, else the same distinctive value and label, else the control at
        the same position with the value in another notation.
        """
        position, candidates = self._searched[old.row_key], self._by_row_key[old.row_key]
        self._searched[old.row_key] += 1
        if old.is_empty:
            return None
        for key in self._value_keys(old):
            same = self._by_value[key]
            while same and same[0].column not in self._unmatched:
                same.popleft()
            if same and old.is_equivalent(same[0]):
                return same[0]
        found = candidates[position] if position < len(candidates) else None
        return found if found is not None and found.column in self._unmatched and old.is_equivalent(found) else None


def _match_controls(before: Snapshot, after: Snapshot) -> list[_Pair]:
    """Match by name, else by label and its index, else as a row that was inserted again."""
    pairs = [_Pair(old, after[column]) for column, old in before.items() if column in after]
    unmatched = {column: state for column, state in after.items() if column not in before}
    by_label = {(state.label, state.label_index): state for state in unmatched.values() if state.label}
    new_controls = _NewControls(unmatched)
    for column, old in before.items():
        if column in after:
            continue
        found = by_label.get((old.label, old.label_index)) or new_controls.find(old)
        if found is not None and found.column in unmatched:
            del unmatched[found.column]
            pairs.append(_Pair(old, found))
        elif not old.is_empty:
            pairs.append(_Pair(old, None))
    return [*pairs, *(_Pair(None, state) for state in unmatched.values() if not state.is_empty)]


def _explain(
    pair: _Pair, requested: Sequence[RequestedChange], prior_saves: PriorSaves, now: datetime | None
) -> tuple[Verdict, str] | None:
    """What explains the difference, with the requested column that caused it."""
    old, new, column = pair.old, pair.new, pair.state.column
    if old is not None and new is not None and old.is_equivalent(new):
        return (Verdict.ROWS if old.column != new.column and not old.label else Verdict.NOTATION), ""
    if column in prior_saves.accepted:
        return Verdict.ACCEPTED, ""
    if pair.is_garbled:
        return None
    for change in requested:
        if change.column in prior_saves.dependents.get(column, ()):
            return Verdict.DEPENDENT, change.column
    if old is None or new is None:
        return None
    for change in requested:
        if is_copy(old, new, change):
            return Verdict.COPY, change.column
        if is_derived(old, new, change):
            return Verdict.DEPENDENT, change.column
    return (Verdict.STAMP, "") if is_audit_stamp(old, new, now) else None


def _mark_mixed_up_copies(
    explained: list[Difference], before: Snapshot, requested: Iterable[RequestedChange]
) -> Iterable[Difference]:
    """One control that takes the requested value in place of another value copies it; several were mixed up."""
    held = {change.column: change.old for change in requested}
    replaced = {
        difference.column
        for difference in explained
        if difference.verdict is Verdict.COPY
        and not (old := before[difference.column]).is_empty
        and not old.is_equivalent(held[difference.cause])
        and not held[difference.cause].is_contained_in(old)
    }
    for difference in explained:
        is_mixed_up = len(replaced) > 1 and difference.column in replaced
        yield replace(difference, verdict=Verdict.SHIFTED) if is_mixed_up else difference


def _judge(unexplained: Sequence[_Pair], before: Snapshot, prior_saves: PriorSaves) -> Iterable[Difference]:
    shifted = _find_shifted(unexplained, before)
    for pair in unexplained:
        column = pair.state.column
        if column in shifted:
            verdict = Verdict.SHIFTED
        elif pair.is_garbled:
            verdict = Verdict.GARBLED
        elif pair.is_lost or pair.is_truncated:
            verdict = Verdict.LOST
        elif column in prior_saves.edited and column not in prior_saves.edited_by_people and pair.state.is_sent:
            verdict = Verdict.REPEATED
        else:
            verdict = Verdict.EDITED
        yield pair.to_difference(verdict)


def _find_shifted(pairs: Sequence[_Pair], before: Snapshot) -> set[str]:
    """The controls that hold what another one held before: several, or one whose source was lost."""
    held = {state.shown for state in before.values() if len(state.shown) >= _MIN_DISTINCTIVE_LENGTH}
    moved = [pair for pair in pairs if pair.new_text in held]
    lost = {pair.old_text for pair in pairs if pair.is_lost}
    if not any(pair.new_text in lost for pair in moved):
        replaced = {pair.old_text for pair in pairs}
        moved = [pair for pair in moved if _has_likely_moved(pair, replaced)]
        if len(moved) < 2 or _are_rescheduled(moved):
            return set()
    return {pair.state.column for pair in moved}


def _has_likely_moved(pair: _Pair, replaced: Collection[str | None]) -> bool:
    """
    Whether the new value is likely that of another control. People choose `erledigt` in several lists, and for several
    dates a day that another control holds and keeps.
    """
    if pair.new is None or pair.new.options:
        return False
    return pair.new.shown in replaced or parse_day(pair.new.shown) is None


def _are_rescheduled(pairs: Sequence[_Pair]) -> bool:
    """Whether all are dates moved by the same number of days, as when somebody moves an order in the calendar."""
    days = [(parse_day(pair.old_text or ""), parse_day(pair.new_text or "")) for pair in pairs]
    shifts = {new - old if old is not None and new is not None else None for old, new in days}
    return len(shifts) == 1 and None not in shifts


def _determine_scope(differences: Sequence[Difference], prior_saves: PriorSaves) -> StopScope:
    damage = [difference for difference in differences if difference.verdict in DAMAGE_VERDICTS]
    if not damage:
        return StopScope.NONE
    is_single_loss = len(damage) == 1 and damage[0].verdict is Verdict.LOST and damage[0].column not in prior_saves.lost
    return StopScope.ORDER if is_single_loss else StopScope.WORKSHOP


def _attribute_to_damage(
    differences: Iterable[Difference], stop_scope: StopScope, requested: Iterable[RequestedChange], after: Snapshot
) -> list[Difference]:
    """
    Count what is next to damage as damage, so that a restore writes it back: zeros and requested controls that were
    emptied, and where the workshop stops, what else would be somebody's edit.
    """
    is_workshop = stop_scope is StopScope.WORKSHOP
    attributed = [
        replace(difference, verdict=Verdict.CHANGED)
        if difference.is_emptied_notation or (is_workshop and difference.verdict is Verdict.EDITED)
        else difference
        for difference in differences
    ]
    columns = {difference.column for difference in attributed}
    emptied = [_Pair(old, after.get(old.column)) for old, new in requested if not new.is_empty]
    attributed += [
        pair.to_difference(Verdict.CHANGED) for pair in emptied if pair.is_lost and pair.state.column not in columns
    ]
    return attributed
