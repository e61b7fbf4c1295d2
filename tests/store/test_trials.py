"""What is kept of the last trial, on both databases."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from planso_connector.domain.saving.style_status import TrialOutcome
from planso_connector.store import save_evidence
from planso_connector.store.engine.database import Transaction
from tests.databases import Store
from tests.store.samples import OTHER_SHOP, at

TRIAL = TrialOutcome(
    at(1), 130, "op_1", "abc", ("f_1", "größe"), is_clean=True, sends="changed", always=("rowID",), unchecked=""
)


def test_the_last_trial_is_kept_beside_what_saves_showed(store: Store) -> None:
    """By workshop; a later one takes its place, none forgets it, and the count of clean saves stays."""

    def note(tx: Transaction) -> None:
        save_evidence.record_save(tx, operation="op_1", differences=(), is_clean=True, pairs=80, now=at(1))

    assert store.read(lambda tx: save_evidence.load_trial(tx)) is None
    store.write(lambda tx: save_evidence.save_trial(tx, replace(TRIAL, is_clean=False)))
    store.write(note)
    store.write(lambda tx: save_evidence.save_trial(tx, TRIAL))
    assert store.read(lambda tx: save_evidence.load_trial(tx)) == TRIAL
    assert store.for_workshop(OTHER_SHOP).read(save_evidence.load_trial) is None
    assert store.read(lambda tx: save_evidence.load(tx)).most_pairs == 80
    store.write(lambda tx: save_evidence.save_trial(tx, None))
    assert store.read(lambda tx: save_evidence.load_trial(tx)) is None
    assert store.read(lambda tx: save_evidence.load(tx)).clean_saves == 1


def test_a_form_with_other_controls_is_noted_until_one_like_the_tried_is_read(store: Store) -> None:
    """Child rows are no other controls; where nothing was tried, nothing is noted."""
    store.write(lambda tx: save_evidence.compare_form_with_trial(tx, ["f_1"]))
    assert store.read(lambda tx: save_evidence.load_trial(tx)) is None
    store.write(lambda tx: save_evidence.save_trial(tx, TRIAL))
    for names, new, gone in (
        (["f_1", "größe", "pos[17][text]"], (), ()),
        (["f_1", "f_2"], ("f_2",), ("größe",)),
        (["größe", "f_1"], (), ()),
    ):
        store.write(partial(save_evidence.compare_form_with_trial, names=names))
        assert store.read(lambda tx: save_evidence.load_trial(tx)) == replace(TRIAL, new=new, gone=gone)
