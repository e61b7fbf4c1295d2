"""The status of a save style: assumed, learned or tried."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from planso_connector.domain.saving.style_status import TrialOutcome, determine_style_status, list_form_controls

TRIAL = TrialOutcome("2026-11-23T09:41:02.118000Z", 130, "op_1", "abc", ("f_1", "f_2"), is_clean=True)


@pytest.mark.parametrize(
    ("source", "profile", "trial", "state", "reason"),
    [
        ("assumed", "abc", None, "assumed", "nobody has seen"),
        ("learned", "abc", None, "learned", "from a recording"),
        ("assumed", "abc", TRIAL, "tried", "order 130 on 2026-11-23: the whole form"),
        ("learned", "abc", replace(TRIAL, sends="changed"), "tried", "only what changes"),
        ("assumed", "another", TRIAL, "assumed", "with another profile"),
        ("learned", "another", TRIAL, "learned", "with another profile"),
        ("learned", "abc", replace(TRIAL, is_clean=False), "learned", "did damage"),
        ("assumed", "abc", TRIAL.compare_controls(["f_1", "f_3"]), "assumed", "new f_3; gone f_2"),
        ("learned", "abc", TRIAL.compare_controls(["f_1"]), "learned", "gone f_2"),
        ("assumed", "abc", TRIAL.compare_controls(["f_1"]).compare_controls(["f_1", "f_2"]), "tried", "nothing else"),
    ],
)
def test_a_trial_counts_for_its_profile_and_controls(
    source: str, profile: str, trial: TrialOutcome | None, state: str, reason: str
) -> None:
    """`tried` after a clean trial with this profile, as long as forms have the same controls as then."""
    status = determine_style_status(source, profile, trial)
    assert status.state == state
    assert reason in status.reason
    assert bool(status.next_step) == (state != "tried")


def test_controls_of_child_rows_are_left_out() -> None:
    """Child rows differ between orders; a name with a single pair of brackets is no child row."""
    fields = ["f_8123", "f[8123]", "shop_date", "Gewerke[]", "kunde[name]"]
    rows = ["pos[17][text]", "pos[18][menge]", "pos[new_1][text]", "parts[3][price][net]"]
    assert list_form_controls([*rows, *fields, "", "shop_date"]) == tuple(sorted(fields))


def test_an_outcome_survives_json() -> None:
    """A trial's outcome is the same after a round trip through JSON."""
    trial = replace(TRIAL, sends="changed", always=("rowID",), unchecked="", known=("a",)).compare_controls(["f_1"])
    assert TrialOutcome.from_json(json.loads(json.dumps(trial.as_json()))) == trial
